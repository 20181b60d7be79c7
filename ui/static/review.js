// The review page: a queue of samples, two versions of the open one, reasons and pinned remarks, and a decision.
import { call, explain, samplePath } from "./api.js";
import { Bar } from "./bar.js";
import { Compare } from "./compare.js";
import { el, random } from "./dom.js";
import { placeOf, plainly } from "./finding_parts.js";
import { isTyping, keyName } from "./keys.js";
import { Picture } from "./picture.js";
import { changedBy, ProposalCards, proposalPath } from "./proposals.js";
import { ACTS, keysPanel } from "./review_keys.js";
import { Queue, Question, Remarks } from "./review_parts.js";
import { SampleFindings } from "./sample_findings.js";
import { SignalsCard } from "./signals.js";
import { Story } from "./story.js";

const DECISIONS = ["accept", "reject", "fix", "reopen", "remark", "take", "dismiss"];
const OPENLESS = ["next", "help"]; // what needs no open sample
const MOST = 50, REASON = 1000; // proposals about one sample; letters of a reason

export class ReviewPage {
    found = null; // the open sample as the server told
    proposal = null; // the one that stands beside the sample
    marks = { version: false, proposal: true }; // whether the difference is shown
    later = new Map(); // revision id → version
    decides = true;

    // `host`: {reasons: [[code, text], …], types: {code: {name}}, fix(id, done): opens a sample on the annotation page}
    constructor(host) {
        this.host = host;
        this.bar = new Bar();
        this.queue = new Queue(id => this.open(id), host.types);
        this.compare = new Compare((x, y) => this.decides && !this.proposal && this.remarks.add([x, y]));
        this.proposals = new ProposalCards(proposal => this.#propose(proposal), id => this.act(id));
        this.signals = new SignalsCard(mask => this.compare.hover(mask));
        this.question = new Question(host.types);
        this.remarks = new Remarks(host.reasons, () => this.#showPins());
        this.findings = new SampleFindings(finding => this.#look(finding));
        this.story = new Story(id => this.#compareWith(id));
        const button = (id, text, key, title, main) => el("button", { "data-act": id, title: `${title} (${key.toUpperCase()})`, class: main ?? "", onclick: () => this.act(id) }, text);
        this.buttons = el("div", { class: "ws-decide" }, button("accept", "Accept", "y", "Accept: the sample is locked", "ws-main"),
            button("reject", "Reject", "n", "Reject, with at least one reason", "ws-reject"), button("fix", "Fix…", "f", "Change it yourself, then accept"),
            button("reopen", "Reopen", "", "Unlock an accepted sample"));
        this.head = el("div", { class: "ws-review-head" });
        this.switch = el("button", { "data-act": "difference", "aria-pressed": "false", title: "Show what changed: green added, red removed (X)", onclick: () => this.act("difference") }, "Difference");
        this.keys = keysPanel();
        const help = el("button", { "data-act": "help", title: "Keys (?)", onclick: () => this.act("help") }, "?");
        this.side = el("aside", { class: "ws-review-side" }, this.proposals.root, this.question.root, this.signals.root, this.findings.root, this.remarks.root, this.buttons, this.story.root);
        this.root = el("div", { class: "ws-review" }, this.queue.root,
            el("div", { class: "ws-review-middle" }, el("div", { class: "ws-review-line" }, this.head, this.switch, help), this.compare.root, this.bar.root), this.side);
        addEventListener("keydown", event => this.#key(event));
    }

    // The tab was opened, or came back; `aim`: the sample to show, whose proposed changes are to be decided on.
    async show(aim = null) {
        try {
            this.decides = (await call("GET", "info")).role !== "annotator"; // annotators look; the server refuses them anyhow
            this.root.classList.toggle("ws-looking", !this.decides);
            if (aim) this.queue.turnToProposed();
            await this.queue.load();
            const wanted = aim ?? (this.found && this.queue.ids.includes(this.found.sample.id) ? this.found.sample.id : this.queue.ids[0]);
            if (wanted) await this.open(wanted);
            else if (this.bar.root.hidden) this.#nothing(); // what was just decided is still said
        } catch (error) {
            this.#tell("error", explain(error), [["Try again", () => this.show()]]);
        }
    }

    async open(id) {
        const ticket = (this.ticket = {});
        try {
            const proposed = new URLSearchParams({ sample_id: id, limit: MOST }), parts = ["", "/revisions", "/reviews", "/history", "/signals"];
            const [found, { revisions }, { reviews }, { history }, signals, { proposals }] = await Promise.all(
                [...parts.map(part => `${samplePath(id)}${part}`), `proposals?${proposed}`].map(path => call("GET", path)));
            const known = this.picture?.id === found.sample.image_id, picture = known ? this.picture : await Picture.load(found.sample.image_id);
            if (ticket !== this.ticket) return void (known || picture.close());
            if (!known) this.picture?.close();
            const same = this.found?.sample.id === id && this.found.revision === found.revision && this.found.state === found.state;
            Object.assign(this, { found, revisions, reviews, history, picture });
            this.queue.mark(id);
            if (!same) { // else what the reviewer has begun stays
                this.later.clear();
                this.remarks.start(reviews);
                this.bar.clear();
                this.side.scrollTop = 0;
            }
            this.findings.show(id);
            this.signals.show(signals, picture, revisions);
            this.proposals.show(proposals, signals.signals !== null, found.state);
            if (proposals.length) this.#propose(proposals.find(one => one.id === this.proposal?.id) ?? proposals[0]);
            else await this.#compareWith(before(revisions, reviews)?.revision ?? null);
        } catch (error) {
            if (ticket === this.ticket) this.#tell("error", explain(error), [["Try again", () => this.open(id)]]);
        }
    }

    // Shows an older version, by its revision's id, beside the newest one.
    async #compareWith(revision) {
        const { found, revisions } = this, id = found?.sample.id, ticket = (this.beside = {});
        if (!id) return; // what was decided last still stands there, but nothing is open
        if (revision && !this.later.has(revision)) this.later.set(revision, (await call("GET", `${samplePath(id)}/revisions/${encodeURIComponent(revision)}`)));
        if (this.found !== found || this.beside !== ticket) return;
        const older = this.later.get(revision) ?? null;
        const author = revisions[0].author;
        this.proposal = null;
        this.#showBeside(older?.sample ?? null, found.sample,
            [older ? `r${older.number} by ${older.author}` : "", `r${found.number} by ${author}${older ? "" : ", the first version"}`], revision);
    }

    // Shows what the sample would become beside what it is.
    #propose(proposal) {
        const { found, revisions } = this;
        this.beside = {}; // an older version that is still on its way comes too late
        this.proposal = proposal;
        this.#showBeside(found.sample, changedBy(proposal, found.sample), [`r${found.number} by ${revisions[0].author}, as it is`, `as proposed: ${plainly(proposal.reason)}`], null);
    }

    #showBeside(older, newer, titles, revision) {
        const { found } = this;
        this.#mark(Boolean(older));
        this.compare.show(this.picture, older, newer, titles);
        this.question.show(newer, older);
        this.story.show(this.history, revision);
        this.proposals.mark(this.proposal);
        this.head.replaceChildren(el("b", {}, found.image.file_name), el("span", { class: "ws-chip" }, found.state));
        for (const button of this.buttons.children) {
            const { act } = button.dataset;
            button.hidden = act === "reopen" ? found.state !== "accepted" : found.state === "accepted";
            button.disabled = (act === "accept" || act === "reject") && found.state !== "submitted";
        }
        this.#showPins();
    }

    // Paints what differs, or two pictures, as was chosen for proposals and for versions.
    #mark(two) {
        const on = this.marks[this.proposal ? "proposal" : "version"];
        this.switch.disabled = !two;
        this.switch.setAttribute("aria-pressed", on);
        this.compare.difference = on;
    }

    #look(finding) {
        const place = placeOf(finding, this.found?.sample.instances ?? []);
        if (place) this.compare.lookAt(place);
    }

    #showPins() {
        this.compare.pins = this.remarks.pins();
        this.compare.draw();
    }

    #nothing() {
        this.found = null;
        this.head.querySelector(".ws-chip")?.remove(); // the state that it had before it was decided
        for (const button of this.buttons.children) button.disabled = true;
        this.#tell("done", "Nothing waits for review here. Choose another state, or come back later.");
    }

    #tell(...message) {
        this.bar.tell(...message);
    }

    // -- decisions --

    act(id) {
        const acts = {
            accept: () => this.#decide("accept"), reject: () => this.#decide("reject"), fix: () => this.#fix(), reopen: () => this.#reopen(),
            next: () => this.#step(1), previous: () => this.#step(-1), remark: () => this.remarks.add(null), fit: () => this.compare.fit(),
            take: () => this.#take("accept"), dismiss: () => this.#take("dismiss"),
            proposal: () => {
                const other = this.proposals.beside(this.proposal, 1);
                if (other) this.#propose(other);
            },
            help: () => this.keys.showModal(),
            difference: () => {
                if (this.switch.disabled) return;
                this.marks[this.proposal ? "proposal" : "version"] = !this.compare.difference;
                this.compare.setDifference(!this.compare.difference);
                this.switch.setAttribute("aria-pressed", this.compare.difference);
            },
        };
        const may = this.decides || !DECISIONS.includes(id);
        if (may && (this.found || OPENLESS.includes(id))) acts[id]();
    }

    #step(by) {
        const id = this.queue.beside(this.found?.sample.id, by);
        if (id) this.open(id);
        else this.#tell("info", by > 0 ? "This is the last one of this list." : "This is the first one of this list.");
    }

    async #decide(decision) {
        const { found } = this, { reasons, comments } = this.remarks.draft();
        if (found.state !== "submitted" || this.deciding) return;
        if (decision === "reject" && !reasons.length) return this.#tell("warn", "A rejection names at least one reason: press its number.");
        if (decision === "accept" && reasons.length) return this.#tell("warn", "There are reasons against it: untick them to accept.");
        this.deciding ??= { id: random(), decision };
        try {
            const body = { id: this.deciding.id, revision: found.revision, decision, reasons, comments };
            await call("POST", `${samplePath(found.sample.id)}/review`, body);
            await this.#onward(decision === "accept" ? "Accepted and locked." : "Rejected; it goes back.", found.sample.id);
        } catch (error) {
            const stale = error.kind === "stale_parent" || error.kind === "illegal_transition";
            this.#tell("error", stale ? "Somebody changed or decided it meanwhile." : `Not decided. ${explain(error)}`, stale ? [["Show it as it is now", () => this.open(found.sample.id)]] : []);
        } finally {
            this.deciding = null;
        }
    }

    async #onward(text, id) {
        const next = this.queue.beside(id, 1) ?? this.queue.beside(id, -1);
        await this.queue.load();
        if (next && this.queue.ids.includes(next)) await this.open(next);
        else if (this.queue.ids.length) await this.open(this.queue.ids[0]);
        else this.#nothing();
        this.#tell("done", text, [["Show it again", () => this.open(id)]]);
    }

    // Accepts or dismisses the proposal that is shown.
    async #take(verb) {
        const { proposal, found } = this, { id } = found.sample;
        if (!proposal || this.deciding) return;
        this.deciding = { id: proposal.id };
        try {
            const head = await call("POST", `${proposalPath(proposal.id)}/${verb}`);
            if (verb === "accept") await this.#onward(`${proposal.reason === "drop" ? "Dropped" : "Changed as proposed"}: it is ${head.state} now.`, id);
            else if (this.proposals.list.length > 1) {
                await this.open(id);
                this.#tell("done", "Dismissed; another change is proposed.");
            } else await this.#onward("Dismissed: it does not come back.", id);
        } catch (error) {
            const stale = error.kind === "stale_parent" || error.kind === "illegal_transition";
            this.#tell("error", stale ? "Somebody changed the sample or decided on this meanwhile; nothing was done." : `Not decided. ${explain(error)}`, stale ? [["Show it as it is now", () => this.open(id)]] : []);
        } finally {
            this.deciding = null;
        }
    }

    async #fix() {
        const { found, proposal } = this, { id } = found.sample, locked = found.state === "accepted";
        if (locked && this.proposals.root.hidden) return this.#tell("warn", "It is accepted and locked: open it again first.");
        try {
            if (locked) await call("POST", `${samplePath(id)}/reopen`, { reason: `to be fixed: ${proposal?.says ?? "see what the model says"}`.slice(0, REASON) });
            this.host.fix(id, accepted => accepted && this.#onward("Fixed and accepted.", id));
        } catch (error) {
            this.#tell("error", `Not reopened. ${explain(error)}`);
        }
    }

    async #reopen() {
        const { id } = this.found.sample, reason = this.remarks.draft().comments[0]?.text;
        if (!reason) {
            this.remarks.add(null);
            return this.#tell("warn", "Write why it is opened again as a remark, then press Reopen once more.");
        }
        try {
            await call("POST", `${samplePath(id)}/reopen`, { reason });
            await this.open(id);
            this.#tell("done", "Opened again: it is a draft.");
        } catch (error) {
            this.#tell("error", `Not reopened. ${explain(error)}`);
        }
    }

    // -- keys --

    #key(event) {
        const visible = this.root.offsetParent !== null && !document.querySelector("dialog[open]");
        if (!visible || event.defaultPrevented || event.isComposing) return;
        const name = keyName(event);
        if (isTyping(event.target)) {
            if (name === "Escape" || (name === "Enter" && event.target.matches("input"))) event.target.blur();
            return;
        }
        const reason = /^[1-9]$/.test(name ?? "") ? Number(name) - 1 : null;
        if (reason !== null && this.found && this.decides) this.remarks.toggle(reason);
        else if (ACTS[name]) this.act(ACTS[name]);
        else return;
        event.preventDefault();
    }
}

// What the newest version is compared with: the one that the newest review speaks of, else the version before.
function before(revisions, reviews) {
    const [newest, ...older] = revisions, reviewed = reviews.find(review => review.revision_id !== newest.revision);
    return older.find(revision => revision.revision === reviewed?.revision_id) ?? older[0] ?? null;
}
