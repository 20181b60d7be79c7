// Questions that a machine proposes: asked for by type and depth, shown with what a critic says, taken into the form.
import { call, explain, samplePath } from "./api.js";
import { el } from "./dom.js";

const FAULTS = { leak: "names the answer", ambiguous: "more than one fits", unanswerable: "the picture does not tell", wrong_type: "another type", wrong_depth: "another depth" };
const FRESH = 60_000; // milliseconds for which what is wanted is not asked for again
const NAMED = 5; // cells that the tip of what is wanted names

export class Drafts {
    shown = [];
    asking = null; // the drafts that are waited for, as an AbortController
    counted = -FRESH;

    // `depths`: what each depth means, {"1": {name, line}, …}
    constructor(desk, depths = {}) {
        this.desk = desk;
        const tip = depth => depths[depth]?.line ?? "";
        this.depth = el("select", { "aria-label": "Depth of the drafts", title: tip(1), onchange: () => { this.depth.title = tip(this.depth.value); } },
            [1, 2, 3, 4].map(depth => el("option", { value: depth, title: tip(depth) }, `depth ${depth}`)));
        this.ask = el("button", { title: "Draft questions of the chosen type and this depth", onclick: () => (this.asking ? this.#stop() : this.#draft()) }, "Draft questions");
        this.by = el("span", { class: "ws-count" });
        this.wanted = el("button", { class: "ws-wanted", hidden: true, onclick: () => this.#want() });
        this.note = el("span", { class: "ws-note", role: "status" });
        this.list = el("ul", { class: "ws-draft-list" });
        this.root = el("section", { class: "ws-drafts", "aria-label": "Drafts" }, this.wanted,
            el("div", { class: "ws-draft-line" }, this.ask, this.depth, this.by, this.note), this.list);
    }

    // Another sample was opened: what was proposed for it before.
    async show(id) {
        if (id === this.id) return this.desk.form.know(this.shown);
        this.asking?.abort();
        this.#done();
        Object.assign(this, { id, shown: [] });
        this.list.replaceChildren();
        this.note.textContent = "";
        this.#name();
        this.#count();
        try {
            const { drafts } = await call("GET", `${samplePath(id)}/drafts`);
            if (this.id !== id || this.shown.length) return;
            this.#list(drafts);
            this.desk.form.know(drafts);
        } catch {
            // older drafts are no loss: new ones can be asked for
        }
    }

    #name() {
        const { name = "", model = "", reason = "" } = this.desk.info?.drafter ?? {};
        this.by.textContent = name && `by ${name}`;
        this.by.title = model ? `${model}: ${reason}` : reason;
    }

    // -- what is wanted most --

    async #count() {
        if (performance.now() - this.counted < FRESH) return;
        this.counted = performance.now();
        try {
            const { wanted } = await call("GET", "stats"), names = this.desk.form.guides ?? {};
            const told = ({ reasoning_type: type, depth, accepted, wanted: all }) => `${names[type]?.name ?? type}, depth ${depth}: ${accepted} of ${all}`;
            [this.most] = wanted;
            this.wanted.hidden = !this.most;
            if (this.most) this.wanted.textContent = `Wanted: ${told(this.most)}`;
            this.wanted.title = `Take this type and depth. Wanted are:\n${wanted.slice(0, NAMED).map(told).join("\n")}`;
        } catch {
            this.wanted.hidden = true;
        }
    }

    #want() {
        const { desk } = this, { reasoning_type: type, depth } = this.most;
        if (desk.stage.readOnly) return;
        document.querySelector(`#ws-type input[value="${type}"]`)?.click();
        this.depth.value = depth;
        this.depth.dispatchEvent(new Event("change"));
    }

    // -- drafts --

    async #draft() {
        const { desk, id } = this, type = desk.question().reasoning_type;
        if (!id || desk.stage.readOnly) return;
        if (!type) return void (this.note.textContent = "Choose the reasoning type first.");
        const asking = (this.asking = new AbortController());
        this.ask.textContent = "Stop";
        this.note.textContent = "drafting…";
        try {
            await desk.saver.flush(id); // the drafter goes by what is saved
            const body = { reasoning_type: type, depth: Number(this.depth.value) };
            const { drafts, problem } = await call("POST", `${samplePath(id)}/drafts`, body, asking.signal);
            if (this.asking !== asking) return;
            this.note.textContent = problem ? problem.reason : "";
            if (drafts.length) this.#list(drafts);
        } catch (error) {
            if (this.asking === asking && error.name !== "AbortError") this.note.textContent = explain(error);
        } finally {
            if (this.asking === asking) this.#done();
        }
    }

    // What the drafter still answers is kept beside the sample, and shown when that is opened again.
    #stop() {
        this.asking.abort();
        this.#done();
        this.note.textContent = "";
    }

    #done() {
        this.asking = null;
        this.ask.textContent = "Draft questions";
    }

    #list(drafts) {
        this.shown = drafts;
        this.list.replaceChildren(...drafts.map(draft => el("li", {},
            el("p", {}, draft.text), draft.marks.map(({ fault, reason }) => el("span", { class: "ws-fault", title: reason }, FAULTS[fault] ?? fault)),
            !draft.marks.length && el("span", { class: "ws-fine" }, "no complaint"),
            el("span", { class: "ws-hops" }, draft.hops.join(" → ")),
            el("button", { onclick: () => this.#take(draft) }, "Use"))));
    }

    #take(draft) {
        const { desk } = this, { form, stage } = desk, { question: before, draft: from } = form;
        if (stage.readOnly || desk.id !== this.id) return;
        form.take(draft);
        if (before.query) stage.tell("info", "The draft has taken your question's place.", [["Bring it back", () => form.put(before, from)]]);
        form.focus();
    }
}
