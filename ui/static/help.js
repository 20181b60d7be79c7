// The help panel: the mouse, the reasoning types, and every key, each of which can be changed here.
import { el } from "./dom.js";
import { guideOf } from "./guide.js";
import { ACTIONS, keyName, shown } from "./keys.js";

const MOUSE = [
    ["Left click", "what belongs to the object"], ["Right click, Alt+click", "what does not"], ["Drag", "a box around the object"],
    ["Click a mark", "removes it"], ["Wheel", "zooms about the pointer"], ["Middle drag", "moves the picture"],
    ["Brush, then click", "a new click keeps what your brush and eraser changed"],
    ["Polygon inside a mask", "cuts a hole; anywhere else it adds what it encloses"],
];

export class Help {
    constructor(keys, { guides = {}, depths = {}, changed }) {
        Object.assign(this, { keys, guides, depths, changed });
        this.message = el("p", { class: "ws-help-message", role: "status" });
        this.table = el("div", { class: "ws-help-keys" });
        const close = el("button", { class: "ws-close", title: "Close", onclick: () => this.root.close() }, "×");
        const reset = el("button", { onclick: () => this.#reset() }, "Reset all keys");
        this.root = el("dialog", { class: "ws-dialog ws-help", "aria-label": "Help", onclose: () => this.#release() },
            el("header", {}, el("h2", {}, "Help"), close),
            el("div", { class: "ws-help-columns" }, el("section", {}, this.#mouse(), this.#guides("Reasoning types", this.guides), this.#guides("Depths", this.depths)),
                el("section", {}, el("h3", {}, "Keys"), el("p", { class: "ws-note" }, "Click a key and press another one in its place. No key acts while you type, but Escape, Submit and Save."), this.table,
                    el("footer", {}, this.message, reset))));
        document.body.append(this.root);
    }

    open() {
        this.#fill();
        this.message.textContent = "";
        this.root.showModal();
    }

    #mouse() {
        return [el("h3", {}, "Mouse"), el("dl", {}, MOUSE.flatMap(([what, does]) => [el("dt", {}, what), el("dd", {}, does)]))];
    }

    #guides(title, guides) {
        return [el("h3", {}, title), ...Object.values(guides).map(guide => guideOf(guide, guide.name))];
    }

    #fill() {
        const groups = Map.groupBy(ACTIONS, action => action.group);
        this.table.replaceChildren(...[...groups].map(([group, actions]) => el("div", {}, el("h4", {}, group),
            actions.map(({ id, label }) => el("div", { class: "ws-key-row" }, el("span", {}, label), el("span", {}, this.keys.of(id).map((name, at) =>
                el("button", { class: "ws-key", "data-action": id, onclick: event => this.#capture(event.currentTarget, id, at) }, shown(name)))))))));
    }

    // Waits for the next key; Escape leaves things as they are.
    #capture(button, id, at) {
        this.#release();
        const before = button.textContent;
        button.classList.add("ws-waiting");
        button.textContent = "press a key";
        this.restore = () => {
            button.classList.remove("ws-waiting");
            button.textContent = before;
        };
        this.message.textContent = "";
        this.waiting = event => {
            const name = keyName(event);
            event.preventDefault();
            event.stopImmediatePropagation();
            if (!name) return;
            const refused = name === "Escape" ? "" : this.keys.assign(id, at, name);
            this.#release();
            if (refused === null) this.#fill();
            this.message.textContent = refused ?? `${shown(name)} is set.`;
            if (refused === null) this.changed();
        };
        addEventListener("keydown", this.waiting, true);
    }

    #release() {
        if (!this.waiting) return;
        removeEventListener("keydown", this.waiting, true);
        this.restore();
        this.waiting = null;
    }

    #reset() {
        this.keys.reset();
        this.#release();
        this.#fill();
        this.message.textContent = "All keys are as they came.";
        this.changed();
    }
}
