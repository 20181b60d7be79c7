// The list of instances beside the form. Rows are kept while they are edited; labels go through value and textContent alone.
import { el, icon, ICONS } from "./dom.js";
import { IGNORE } from "./layers.js";
import { area } from "./rle.js";
import { colourOf, LABEL_LENGTH } from "./sample.js";

const ORIGINS = { click: "clicks", brush: "brush", polygon: "polygon", import: "imported", model: "a model" };

export class Panel {
    rows = new Map(); // instance id or IGNORE → its elements

    constructor(stage) {
        this.stage = stage;
        this.count = el("span", { class: "ws-count" });
        this.fresh = el("button", { class: "ws-new", onclick: () => stage.activate(null) }, "New");
        this.list = el("ul", { class: "ws-list" });
        this.empty = el("p", { class: "ws-note" }, "No instances yet: click an object that answers the question.");
        this.root = el("section", { class: "ws-instances", "aria-label": "Instances" },
            el("header", {}, el("h2", {}, "Instances"), this.count, this.fresh), this.empty, this.list);
    }

    show() {
        const { present, hidden } = this.stage, { instances, ignore, active } = present;
        const items = [...instances, ...(ignore ? [{ id: IGNORE, mask: ignore }] : [])];
        this.count.textContent = instances.length || "";
        this.empty.hidden = items.length > 0;
        this.fresh.hidden = active === null || !instances.length;
        this.fresh.title = this.stage.keys.tip("accept", "Finish this instance; the next click starts another");
        const kept = new Set(items.map(item => item.id));
        for (const [id, row] of this.rows) if (!kept.has(id)) row.root.remove(), this.rows.delete(id);
        items.forEach((item, place) => {
            const row = this.rows.get(item.id) ?? this.#row(item.id);
            if (this.list.children[place] !== row.root) this.list.insertBefore(row.root, this.list.children[place] ?? null);
            this.#fill(row, item, item.id === active, hidden.has(item.id));
        });
    }

    editLabel(id) {
        this.rows.get(id)?.name.select?.();
    }

    scrollTo(id) {
        this.rows.get(id)?.root.scrollIntoView({ block: "nearest" });
    }

    #row(id) {
        const { stage } = this, isIgnore = id === IGNORE, take = () => (isIgnore ? stage.aim(IGNORE) : stage.activate(id));
        const name = isIgnore ? el("span", { class: "ws-ignore-name" }, "Ignore region") : el("input", {
            class: "ws-label", placeholder: `instance ${id}: label`, maxlength: LABEL_LENGTH, "aria-label": `Label of instance ${id}`,
            oninput: event => stage.setLabel(id, event.target.value),
            onkeydown: event => { if (event.key === "Enter" && !event.isComposing) stage.takeFocus(true); },
            // The first press takes the instance up and leaves the keys with the canvas; the next one edits its label.
            onpointerdown: event => { if (stage.present.active !== id) event.preventDefault(), stage.activate(id), stage.takeFocus(true); },
            onfocus: () => stage.activate(id),
        });
        const chip = el("button", { class: "ws-colour", onclick: take });
        if (!isIgnore) chip.style.background = colourOf(id);
        const eye = el("button", { class: "ws-eye", onclick: () => stage.toggleHidden(id) });
        const bin = el("button", { class: "ws-bin", title: "Delete (undo brings it back)", onclick: () => stage.remove(id) }, icon(ICONS.bin));
        const size = el("span", { class: "ws-area" });
        const onclick = event => { if (event.target === root || event.target === size) take(); };
        const root = el("li", { onclick }, chip, name, size, eye, bin), row = { root, name, chip, eye, size };
        this.rows.set(id, row);
        return row;
    }

    #fill(row, { mask, label = "", origin }, isActive, isHidden) {
        if (row.mask !== mask) row.size.textContent = `${area(mask).toLocaleString("en")} px`;
        row.mask = mask;
        row.root.classList.toggle("ws-active", isActive);
        row.root.classList.toggle("ws-hidden", isHidden);
        if (row.name.value !== undefined && row.name.value !== label) row.name.value = label;
        const made = origin && `by ${ORIGINS[origin.kind]}${origin.model ? `, ${origin.model}` : ""}${origin.retouched ? ", retouched by hand" : ""}`;
        row.size.title = made ?? "";
        row.chip.title = isActive ? `In work; ${made}` : `Take it up again; ${made ?? "left out of every comparison"}`;
        if (row.isHidden !== isHidden) row.eye.replaceChildren(icon(isHidden ? ICONS.hidden : ICONS.eye));
        row.isHidden = isHidden;
        row.eye.title = isHidden ? "Show" : "Hide";
    }
}
