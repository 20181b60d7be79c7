// The tools beside the canvas, and the strip above it that belongs to the tool in hand.
import { BrushTool } from "./brush.js";
import { el, icon, ICONS } from "./dom.js";
import { IGNORE } from "./layers.js";
import { TOLERANCES } from "./polygon.js";

const TOOLS = [["smart", "Smart"], ["brush", "Brush"], ["eraser", "Eraser"], ["polygon", "Polygon"], ["move", "Move"], ["ignore", "Ignore"]];
const STEPS = [["undo", "Undo"], ["redo", "Redo"], ["fit", "Fit"]];
const SIZES = 60; // steps of the size slider, from half a pixel on

export class Toolbar {
    constructor(stage, keys) {
        Object.assign(this, { stage, keys });
        this.buttons = new Map([...TOOLS, ...STEPS].map(([id, text]) => [id, this.#button(id, text)]));
        this.opacity = el("input", {
            type: "range", min: 0, max: 100, value: 45, title: "Opacity of the masks", "aria-label": "Opacity of the masks",
            oninput: event => { stage.alpha = event.target.value / 100; stage.draw(); },
        });
        const tools = TOOLS.map(([id]) => this.buttons.get(id)), steps = STEPS.map(([id]) => this.buttons.get(id));
        this.root = el("div", { class: "ws-tools", role: "toolbar", "aria-label": "Tools" }, tools, el("hr"), steps,
            el("label", { class: "ws-opacity" }, "Masks", this.opacity));
        this.options = el("div", { class: "ws-options" });
        this.name();
    }

    #button(id, text) {
        return el("button", { "data-act": id, onclick: () => this.stage.act(id) }, icon(ICONS[id]), el("span", {}, text));
    }

    // Tooltips with today's keys.
    name() {
        for (const [id, button] of this.buttons) button.title = this.keys.tip(id);
    }

    show() {
        const { stage } = this;
        for (const [id] of TOOLS) {
            const pressed = id === "ignore" ? stage.target === IGNORE : stage.toolName === id;
            this.buttons.get(id).setAttribute("aria-pressed", pressed);
        }
        this.buttons.get("undo").disabled = !stage.history?.past.length;
        this.buttons.get("redo").disabled = !stage.history?.future.length;
        this.showOptions();
    }

    showOptions() {
        const { stage } = this, parts = [];
        if (stage.target === IGNORE) parts.push(el("b", {}, "Ignore region"));
        if (stage.toolName === "brush" || stage.toolName === "eraser") parts.push(this.#size());
        if (stage.toolName === "polygon" && stage.canSimplify) parts.push(this.#simplify());
        parts.push(el("span", { class: "ws-hint" }, stage.tool?.hint ?? ""));
        if (this.options.contains(document.activeElement)) return this.#update();
        this.options.replaceChildren(...parts);
    }

    // While a slider here is being dragged it must stay in the page.
    #update() {
        this.options.querySelector(".ws-value")?.replaceChildren(this.stage.toolName === "polygon" ? this.stage.tool.kept : this.#pixels());
        const use = this.options.querySelector(".ws-use");
        if (use) use.hidden = !this.stage.tool.wanted;
    }

    #pixels() {
        return `${BrushTool.radius < 5 ? (2 * BrushTool.radius).toFixed(1) : Math.round(2 * BrushTool.radius)} px`;
    }

    #size() {
        const change = event => {
            BrushTool.radius = 0.5 * 1.135 ** Number(event.target.value);
            this.#update();
        };
        const slider = el("input", { type: "range", min: 0, max: SIZES, "aria-label": "Size", oninput: change, onchange: event => event.target.blur() });
        slider.value = Math.round(Math.log(BrushTool.radius / 0.5) / Math.log(1.135));
        return el("label", { title: `${this.keys.tip("smaller")}, ${this.keys.tip("larger")}` }, "Size", slider, el("span", { class: "ws-value" }, this.#pixels()));
    }

    #simplify() {
        const { tool } = this.stage, slider = el("input", {
            type: "range", min: 0, max: TOLERANCES.length - 1, "aria-label": "Simplify",
            oninput: event => tool.trace(Number(event.target.value), true), onchange: event => event.target.blur(),
        });
        slider.value = tool.step;
        const use = el("button", { class: "ws-use", hidden: !tool.wanted, title: this.keys.tip("accept", "Take this outline"), onclick: () => tool.take() }, "Use this outline");
        return el("label", { title: "Fewer corners, and how much of the mask they keep" }, "Simplify", slider, el("span", { class: "ws-value" }, tool.kept), use);
    }
}
