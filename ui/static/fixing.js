// A reviewer changes a sample himself: on the annotation page, under a strip from which it is accepted in one go.
import { call, explain, samplePath } from "./api.js";
import { el, random } from "./dom.js";

// Gradio's tabs answer to their buttons alone.
export function turnTo(name) {
    const tabs = document.querySelectorAll("#ws-tabs [role=tab]");
    [...tabs].find(tab => tab.textContent.trim() === name)?.click();
}

export class Fixing {
    id = null;

    constructor(desk) {
        this.desk = desk;
        this.accepting = el("button", { class: "ws-main", onclick: () => this.#accept() }, "Accept it");
        this.root = el("div", { class: "ws-fixing", hidden: true }, el("span", {}, "You are changing this sample for its review."),
            this.accepting, el("button", { onclick: () => this.#end(false) }, "Back to the review"));
        desk.stage.root.prepend(this.root);
        desk.shown = () => { this.root.hidden = desk.id !== this.id; };
    }

    // done(accepted): the reviewer is back.
    start(id, done) {
        Object.assign(this, { id, done, decision: random() });
        turnTo("Annotate");
        this.desk.open(id);
    }

    async #accept() {
        const { desk, id } = this;
        this.accepting.disabled = true;
        try {
            const { revision } = await desk.saver.flush(id), parent = { parent: revision };
            const submitted = await call("POST", `${samplePath(id)}/submit`, parent);
            const head = await call("POST", `${samplePath(id)}/review`, { id: this.decision, revision: submitted.revision, decision: "accept" });
            desk.saver.heads.set(id, head);
            this.#end(true);
            desk.open(id);
        } catch (error) {
            const problems = error.facts?.problems;
            desk.stage.tell("error", problems ? `Not accepted yet: ${problems.join("; ")}.` : `Not accepted. ${explain(error)}`);
        } finally {
            this.accepting.disabled = false;
        }
    }

    #end(accepted) {
        this.id = null;
        this.root.hidden = true;
        turnTo("Review");
        this.done(accepted);
    }
}
