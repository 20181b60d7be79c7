// On the annotation page: what a sample was sent back for, with pins on the picture, and its whole history beside it.
import { call, samplePath } from "./api.js";
import { el } from "./dom.js";
import { pinsOf, remarks, sentBack, Story, words } from "./story.js";

export class Told {
    id = null;

    constructor(stage) {
        this.stage = stage;
        this.story = new Story();
        this.strip = el("div", { class: "ws-told", role: "note", hidden: true });
        this.aside = el("aside", { class: "ws-aside", "aria-label": "History of this sample", hidden: true }, this.story.root);
    }

    // A sample was opened, or changed its state.
    async show(id) {
        if (id !== this.id) this.#tell([]);
        this.id = id;
        try {
            const { history } = await call("GET", `${samplePath(id)}/history`);
            if (id === this.id) this.#tell(history);
        } catch {
            // the sample itself is there, or its opening says why not
        }
    }

    // Something was saved, worth asking only while somebody looks; or the sample was handed in.
    saved(id, state) {
        if (id === this.id && (!this.aside.hidden || state !== "draft")) this.show(id);
    }

    toggle() {
        this.aside.hidden = !this.aside.hidden;
        if (this.id && !this.aside.hidden) this.show(this.id);
        return !this.aside.hidden;
    }

    #tell(history) {
        const back = sentBack(history), { stage } = this;
        this.story.show(history);
        const text = back && (back.action === "reject" ? `Rejected by ${back.by}: ${words(back.reasons)}` : `Opened again by ${back.by}: ${back.reason}`);
        this.strip.replaceChildren(...(back ? [el("b", {}, text), remarks(back.comments, pin => stage.lookAt(pin))] : []));
        this.strip.hidden = !back;
        stage.pins = back ? pinsOf(back.comments) : [];
        stage.drawMarks();
    }
}
