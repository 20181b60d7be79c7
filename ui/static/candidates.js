// The candidates of the newest click, to choose among: little pictures with the model's own scores.
import { el } from "./dom.js";
import { layerOf } from "./rle.js";
import { colourOf } from "./sample.js";
import { paintPreview } from "./paint.js";

const AROUND = 0.15; // of the mask's box, shown around it

export class Candidates {
    constructor(stage, keys) {
        Object.assign(this, { stage, keys });
        this.root = el("div", { class: "ws-candidates", role: "group", "aria-label": "Candidates", hidden: true });
    }

    show() {
        const { stage } = this, answer = stage.prompter.pending ? null : stage.active?.work.answer;
        this.root.hidden = !answer || answer.scores.length < 2 || !stage.prompter.candidates.has(answer.seq) || stage.toolName !== "smart";
        if (this.root.hidden) return (this.shown = null);
        if (this.shown !== answer.seq) this.#build(answer);
        this.buttons.forEach((button, k) => button.setAttribute("aria-pressed", k === answer.chosen));
    }

    #build(answer) {
        const { stage } = this, id = stage.active.id;
        this.shown = answer.seq;
        this.buttons = answer.scores.map((score, k) => {
            const canvas = el("canvas"), title = this.keys.tip(`candidate${k + 1}`, "Take this mask");
            return el("button", { title, onclick: () => stage.prompter.choose(k) }, canvas, el("span", {}, `${k + 1} · ${score.toFixed(2)}`));
        });
        this.root.replaceChildren(...this.buttons);
        this.pictures = Promise.all(answer.scores.map((_, k) => stage.prompter.mask(answer, k).then(layerOf, () => null)));
        this.pictures.then(layers => this.shown === answer.seq && this.#paint(layers, id));
    }

    // All of them show the same part of the photograph, so that they can be compared.
    #paint(layers, id) {
        const { picture } = this.stage, found = layers.filter(layer => layer?.w);
        if (!found.length || !picture) return;
        const left = Math.min(...found.map(l => l.x)), top = Math.min(...found.map(l => l.y));
        const right = Math.max(...found.map(l => l.x + l.w)), bottom = Math.max(...found.map(l => l.y + l.h));
        const x = AROUND * (right - left), y = AROUND * (bottom - top);
        const box = [Math.max(0, left - x), Math.max(0, top - y), Math.min(picture.width, right + x), Math.min(picture.height, bottom + y)];
        layers.forEach((layer, k) => {
            const entries = layer ? [{ key: id, layer, colour: colourOf(id), active: true }] : [];
            paintPreview(this.buttons[k].querySelector("canvas"), picture, entries, 0.5, box);
        });
    }
}
