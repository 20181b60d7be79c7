// The desk: which sample is open, where its changes go, and what leads to the next one. The stage draws, the saver saves.
import { Account } from "./account.js";
import { call, explain, Refused, samplePath } from "./api.js";
import { decide } from "./conflict.js";
import { Drafts } from "./drafts.js";
import { placeOf } from "./finding_parts.js";
import { Form } from "./form.js";
import { Help } from "./help.js";
import { Journal } from "./journal.js";
import { Keys, listen } from "./keys.js";
import { Leases } from "./lease.js";
import { encode, fetchAhead, Picture } from "./picture.js";
import { lacking } from "./sample.js";
import { SampleFindings } from "./sample_findings.js";
import { Saver } from "./saver.js";
import { Stage } from "./stage.js";

const POLL = 300; // milliseconds between questions to the encoder
const AHEAD = 2; // samples whose images are fetched and encoded beforehand

export class Desk {
    keys = new Keys();
    found = null; // the open sample as the server told: {sample, revision, number, state, image, previous, next, position, total}

    // `host`: {guides and depths: what reasoning types and depths mean, fill(): has Gradio take the form's values}
    constructor(host) {
        this.form = new Form({
            fill: () => host.fill(), changed: () => this.changed(), refused: text => this.stage.tell("warn", text),
            hasInstances: () => this.stage.present.instances.length > 0,
        });
        Object.assign(this.form, { guides: host.guides, depths: host.depths });
        this.stage = new Stage(this);
        this.drafts = new Drafts(this, host.depths);
        this.findings = new SampleFindings(finding => this.#look(finding));
        this.help = new Help(this.keys, { guides: host.guides, depths: host.depths, changed: () => [this.stage.toolbar, this.stage.status].forEach(part => part.name()) });
        listen(this.keys, {
            root: this.stage.surface, act: (id, pressed) => this.stage.act(id, pressed),
            ready: () => this.stage.root.offsetParent !== null && !document.querySelector("dialog[open]"),
        });
        document.addEventListener("click", ({ target }) => {
            const button = target.closest?.("#ws-submit, #ws-skip, #ws-another");
            if (button) this.act(button.id.slice(3));
        });
    }

    async start() {
        try {
            await this.learn();
            await this.#startSaving();
            const wanted = new URL(location).searchParams.get("sample") ?? (await this.#first());
            if (wanted) await this.open(wanted);
            else this.stage.tell("warn", "This workspace has no samples yet. Import photographs: whyseg import images FOLDER");
        } catch (error) {
            this.stage.tell("error", explain(error), [["Try again", () => this.start()]]);
        }
    }

    // Asks which segmenter runs; the server may answer before it has loaded one.
    async learn() {
        this.info = await call("GET", "info");
        this.stage.segmenter = this.info.segmenter;
        this.stage.status.showSegmenter(this.info.segmenter);
        this.leases ??= new Leases(this.info.team, { changed: id => this.id === id && this.open(id), saved: id => this.saver.flush(id) });
        if (this.info.team) this.stage.status.showUser(this.info, () => (this.account ??= new Account(this.info)).open(), () => this.#leave());
    }

    async #startSaving() {
        if (this.saver) return;
        const journal = await Journal.open(`whyseg ${this.info.workspace} ${this.info.user}`).catch(error => void this.#unkept(error));
        this.saver = new Saver(journal, {
            changed: sample => this.#showSave(sample), saved: (sample, head) => this.#saved(sample, head),
            refused: (sample, refusal) => this.#refused(sample, refusal), unkept: error => this.#unkept(error),
            claim: async sample => Boolean((await this.leases.claim(sample)).lease),
        });
        await this.saver.start();
    }

    async #first() {
        const free = this.info.team && (await this.leases.next(null));
        if (free) return free;
        for (const filter of ["state=draft&", ""]) {
            const { samples } = await call("GET", `samples?${filter}limit=1`);
            if (samples.length) return samples[0].id;
        }
        return null;
    }

    // -- which sample --

    get id() {
        return this.found?.sample.id ?? null;
    }

    async open(id, known) {
        const ticket = (this.ticket = {}), { stage } = this, loading = setTimeout(() => { stage.loading.hidden = false; }, 200);
        try {
            await this.saver.adopt();
            const claim = await this.leases.claim(id);
            let found = known ?? (await call("GET", samplePath(id)));
            const { image_id } = found.sample, picture = stage.picture?.id === image_id ? stage.picture : await Picture.load(image_id);
            // What was saved meanwhile is newer than what the server told: an older record under a newer head would undo it.
            const isOld = () => this.saver.heads.get(id)?.number > found.number;
            for (let tries = 0; tries < 3 && ticket === this.ticket && isOld(); tries++) found = await call("GET", samplePath(id)); // a restored workspace stays old
            if (ticket !== this.ticket) return void (picture !== stage.picture && picture.close());
            this.found = found;
            this.leases.enter(id, claim);
            const kept = this.saver.entries.get(id);
            this.saver.opened(id, { revision: found.revision, number: found.number, state: found.state });
            this.#show(kept?.latest.record ?? found.sample, picture);
            const url = new URL(location);
            url.searchParams.set("sample", id);
            history.replaceState(history.state, "", url);
            this.#encode(ticket).catch(() => stage.status.showEncoder(null));
        } catch (error) {
            const ways = [["Try again", () => this.open(id)]];
            if (error.kind === "not_found") ways[0] = ["Open the first draft", async () => this.open((await this.#first()) ?? id)];
            if (ticket === this.ticket) stage.tell("error", `The sample was not opened. ${explain(error)}`, ways);
        } finally {
            clearTimeout(loading);
            if (ticket === this.ticket) stage.loading.hidden = true;
        }
    }

    // Opens a sample at one of its findings.
    openAt(id, finding) {
        this.aimed = { id, finding };
        return this.open(id);
    }

    #look(finding) {
        const { stage } = this, { instances } = stage.present, place = placeOf(finding, instances);
        if (instances.some(({ id }) => id === finding.evidence.instance)) stage.activate(finding.evidence.instance);
        if (place) stage.lookAt(place);
    }

    // Why the open sample may not be changed; "" when it may.
    get locked() {
        const { holder } = this.leases;
        if (this.found.state === "accepted") return "This sample is accepted and locked. Reopen it to change it.";
        if (this.found.locked) return "This sample was handed in, or is another person's: you may look at it.";
        return holder ? `${holder} works on this sample: you may look at it. It opens for you as soon as it is free.` : "";
    }

    #show(sample, picture, kept = false) {
        const { locked } = this, readOnly = locked !== "";
        this.form.show(sample, readOnly);
        this.stage.open(sample, picture, { readOnly, kept });
        this.last = JSON.stringify(this.stage.record);
        this.stage.status.showSample(this.info.team ? { ...this.found, next: true } : this.found);
        this.shown?.();
        this.drafts.show(this.id);
        this.findings.show(this.id, this.aimed?.id === this.id ? this.aimed.finding : null);
        this.aimed = null;
        this.stage.told.show(this.id);
        this.#showSave(this.id);
        if (!kept) this.stage.bar.clear();
        this.saver.held.forEach((refusal, other) => other !== sample.id && this.#refused(other, refusal)); // still to be decided
        if (readOnly) this.stage.tell(this.leases.holder ? "warn" : "info", locked);
        for (const button of ["submit", "another"]) document.getElementById(`ws-${button}`)?.toggleAttribute("disabled", button === "submit" && readOnly);
    }

    // Has the image encoded, and those of the next samples after it.
    async #encode(ticket) {
        const { stage } = this, ids = [this.found.sample.image_id];
        let next = this.found.next;
        for (let ready = false; ticket === this.ticket && !ready;) {
            const image = (await encode(ids))[ids[0]];
            if (ticket !== this.ticket) return;
            stage.status.showEncoder(image);
            if (stage.segmenter.name === "loading") await this.learn();
            ready = image.state === "ready" || image.state === "failed";
            if (next && ids.length <= AHEAD) {
                const { sample, next: after } = await call("GET", samplePath(next));
                fetchAhead([sample.image_id]);
                ids.push(sample.image_id);
                next = after;
            } else if (!ready) await new Promise(resolve => setTimeout(resolve, POLL));
        }
        while (ticket === this.ticket && next && ids.length <= AHEAD) {
            const { sample, next: after } = await call("GET", samplePath(next));
            fetchAhead([sample.image_id]);
            ids.push(sample.image_id);
            next = after;
        }
        if (ticket === this.ticket && ids.length > 1) await encode(ids);
        if (stage.segmenter.name === "loading") await this.learn();
    }

    // -- saving --

    question() {
        return this.form.question ?? {};
    }

    untick() {
        this.form.untick();
    }

    changed() {
        const record = this.stage.record, text = JSON.stringify(record);
        if (text === this.last || this.stage.readOnly) return;
        if (record.no_target && record.instances.length) { // undo has brought instances back
            this.stage.tell("info", "There are instances again, so no-target was unticked.");
            return this.form.untick();
        }
        this.last = text;
        this.saver.change(this.id, record);
    }

    #showSave(sample) {
        if (sample !== this.id) return;
        const { saver, stage } = this, status = saver.status(sample), { number } = saver.heads.get(sample);
        stage.status.showSave(status, number, saver.problem);
        if (status === "offline") stage.tell("error", explain(saver.problem), [], "offline");
        else stage.bar.clear("offline");
        if (status !== "held") stage.bar.clear("refused");
    }

    #saved(sample, head) {
        if (sample !== this.id) return;
        Object.assign(this.found, head);
        this.stage.status.showState(head.state);
        this.stage.told.saved(sample, head.state);
    }

    #unkept(error) {
        this.stage.tell("warn", `This browser keeps no journal (${error?.message ?? "no IndexedDB"}): wait for “saved” before you close the page.`);
    }

    #refused(sample, refusal) {
        const { stage } = this;
        if (sample !== this.id) return stage.tell("warn", "An unsaved change of another sample needs your decision.", [["Open it", () => this.open(sample)]]);
        if (refusal.kind === "stale_parent") return this.#decide(refusal.facts);
        const drop = ["Discard my change", () => this.saver.held.get(sample) === refusal // else it has changed since
            && this.saver.resolve(sample, this.saver.heads.get(sample), null).then(() => this.open(sample))];
        const ways = refusal.kind.startsWith("lease_") ? [["Try again", () => this.open(sample)], drop] : [drop];
        stage.tell("error", `Not saved: ${refusal.message}. Your change is kept in this browser.`, ways, "refused");
    }

    async #decide({ expected, theirs, theirs_number: number, merged, conflicts }) {
        const { stage, id } = this, { picture, record: mine } = stage;
        this.ticket = {}; // another sample that is just being opened stays closed
        stage.loading.hidden = true;
        stage.prompter.cancel();
        stage.pointer.cancel();
        const record = await decide({ mine, theirs, theirsNumber: number, merged, conflicts, picture });
        const same = record === theirs || JSON.stringify(record) === JSON.stringify(theirs);
        await this.saver.resolve(id, { revision: expected, number, state: "draft" }, same ? null : record);
        if (record !== mine && this.id === id) this.#show(record, picture, true);
    }

    // -- what buttons and keys of the page stand for --

    act(id) {
        const acts = {
            previous: () => this.#step("previous", "This is the first sample."), next: () => this.#step("next", "This is the last sample."),
            skip: () => this.#step("next", "This is the last sample."), question: () => this.form.focus(), help: () => this.help.open(),
            save: () => this.#save(), submit: () => this.#submit(), another: () => this.#another(),
        };
        if (!acts[id]) return false;
        acts[id]();
    }

    // The sample to go on with: in a team the next one that is free, and claimed.
    async #next() {
        return this.info.team ? this.leases.next(this.id) : this.found.next;
    }

    async #step(where, end) {
        const { stage } = this, onward = where === "next" && this.info?.team, id = onward ? this.id : this.found?.[where];
        const begun = stage.sample && (stage.present.ring || stage.prompter.pending);
        if (id && begun && this.warned !== this.id) {
            this.warned = this.id;
            const what = stage.present.ring ? "A polygon is not closed yet" : "A click is still being answered";
            return stage.tell("warn", `${what}. Once more leaves without it.`);
        }
        this.warned = null;
        try {
            const wanted = onward ? await this.#next() : id;
            if (wanted) this.open(wanted);
            else stage.tell("info", onward ? "No other sample is free to be worked on." : end);
        } catch (error) {
            stage.tell("error", explain(error));
        }
    }

    async #leave() {
        await this.saver.flush(this.id).catch(() => {}); // what is not saved stays in this browser, for this user
        await this.leases.end();
        await call("POST", "logout").catch(() => {});
        location.href = new URL("../login", import.meta.url);
    }

    async #save() {
        if (!this.id) return;
        try {
            const { number } = await this.saver.flush(this.id);
            this.stage.tell("done", `Saved as revision ${number}.`);
        } catch (error) {
            if (error.kind !== "stale_parent") this.stage.tell("error", `Not saved yet. ${explain(error)}`);
        }
    }

    async #submit() {
        const { stage, id } = this;
        if (!id || this.submitting || stage.readOnly) return;
        if (stage.present.ring) return stage.tell("warn", "A polygon is not closed yet: Enter closes it, Escape drops it.");
        if (stage.prompter.pending) return stage.tell("warn", "A click is still being answered. Submit again in a moment.");
        this.submitting = true;
        try {
            const { revision } = await this.saver.flush(id);
            const head = await call("POST", `${samplePath(id)}/submit`, { parent: revision });
            this.saver.heads.set(id, head);
            this.#saved(id, head);
            if (this.id === id) await this.#onward();
        } catch (error) {
            this.#notSubmitted(error);
        } finally {
            this.submitting = false;
        }
    }

    async #onward() {
        const { stage } = this, from = this.id, next = await this.#next();
        if (!next) return stage.tell("done", "Submitted. This was the last sample.");
        await this.open(next);
        stage.tell("done", "Submitted.", [["Go back to it", () => this.open(from)]]);
    }

    #notSubmitted(error) {
        const { stage } = this;
        if (error instanceof Refused && error.kind === "stale_parent") return this.saver.held.has(this.id) || this.#decide(error.facts);
        if (!(error instanceof Refused) || error.kind !== "incomplete") return stage.tell("error", `Not submitted. ${explain(error)}`);
        const names = lacking(stage.record);
        this.form.mark(names);
        stage.panel.root.classList.toggle("ws-lacks", names.includes("instances"));
        stage.tell("warn", `Not submitted yet: ${error.facts.problems.join("; ")}.`);
    }

    async #another() {
        if (!this.found || this.adding) return;
        this.adding = true;
        try {
            const made = await call("POST", "samples", { image_id: this.found.sample.image_id });
            await this.open(made.sample.id, made);
            this.stage.tell("done", "Another question on the same image: the sample before is saved.");
        } catch (error) {
            this.stage.tell("error", `No other sample was made. ${explain(error)}`);
        } finally {
            this.adding = false;
        }
    }
}
