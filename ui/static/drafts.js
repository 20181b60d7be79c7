// Questions that a machine proposes: asked for by type and depth, shown with what a critic says, taken into the form.
import { call, explain, samplePath } from "./api.js";
import { el } from "./dom.js";

const FAULTS = { leak: "names the answer", ambiguous: "more than one fits", unanswerable: "the picture does not tell", wrong_type: "another type", wrong_depth: "another depth" };

export class Drafts {
    shown = [];

    constructor(desk) {
        this.desk = desk;
        this.depth = el("select", { "aria-label": "Depth of the drafts" }, [1, 2, 3, 4].map(depth => el("option", { value: depth }, `depth ${depth}`)));
        this.ask = el("button", { title: "Draft questions of the chosen type and this depth", onclick: () => this.#draft() }, "Draft questions");
        this.note = el("span", { class: "ws-note", role: "status" });
        this.list = el("ul", { class: "ws-draft-list" });
        this.root = el("section", { class: "ws-drafts", "aria-label": "Drafts" }, el("div", { class: "ws-draft-line" }, this.ask, this.depth, this.note), this.list);
    }

    // Another sample was opened: what was proposed for it before.
    async show(id) {
        if (id === this.id) return this.desk.form.know(this.shown);
        Object.assign(this, { id, shown: [] });
        this.list.replaceChildren();
        this.note.textContent = "";
        try {
            const { drafts } = await call("GET", `${samplePath(id)}/drafts`);
            if (this.id !== id || this.shown.length) return;
            this.#list(drafts);
            this.desk.form.know(drafts);
        } catch {
            // older drafts are no loss: new ones can be asked for
        }
    }

    async #draft() {
        const { desk, id } = this, type = desk.question().reasoning_type;
        if (!id || desk.stage.readOnly) return;
        if (!type) return void (this.note.textContent = "Choose the reasoning type first.");
        this.ask.disabled = true;
        this.note.textContent = "drafting…";
        try {
            await desk.saver.flush(id); // the drafter goes by what is saved
            const { drafts, problem } = await call("POST", `${samplePath(id)}/drafts`, { reasoning_type: type, depth: Number(this.depth.value) });
            if (this.id !== id) return;
            this.note.textContent = problem ? problem.reason : "";
            if (drafts.length) this.#list(drafts);
        } catch (error) {
            this.note.textContent = explain(error);
        } finally {
            this.ask.disabled = false;
        }
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
