// Two versions of a sample side by side under one view: what moves in one moves in the other. Pins are remarks on pixels.
import { el } from "./dom.js";
import { IGNORE } from "./layers.js";
import { pin } from "./marks.js";
import { paintMasks, paintPicture } from "./paint.js";
import { combine, emptyMask, layerOf, subtract, union } from "./rle.js";
import { colourOf } from "./sample.js";
import { seenLayer } from "./signals.js";
import { View } from "./view.js";

const ADDED = "#3ecf8e", REMOVED = "#ff6b6b", SAME = "#9aa3b2";
const CLICK = 4; // CSS pixels that the mouse may move within a click

class Pane {
    constructor(onpin) {
        this.canvases = [el("canvas"), el("canvas"), el("canvas")];
        this.title = el("span", { class: "ws-pane-title" });
        this.surface = el("div", { class: "ws-surface" }, this.canvases);
        this.root = el("figure", { class: "ws-pane" }, this.title, el("div", { class: "ws-view" }, this.surface));
        this.view = new View(this.surface, this.canvases);
        this.onpin = onpin;
    }
}

export class Compare {
    difference = false;
    pins = []; // {x, y, number, old}
    seen = null; // the layer over both versions

    // pinned(x, y): somebody clicked a pixel of the newer version.
    constructor(pinned) {
        this.before = new Pane();
        this.after = new Pane(pinned);
        this.panes = [this.before, this.after];
        this.root = el("div", { class: "ws-compare" }, this.before.root, this.after.root);
        this.panes.forEach(pane => this.#listen(pane));
        new ResizeObserver(() => this.#resized()).observe(this.root);
    }

    // `older` is null where there is nothing to compare with.
    show(picture, older, newer, titles) {
        const fit = this.picture !== picture;
        Object.assign(this, { picture, older, newer });
        this.before.root.hidden = !older;
        [this.before.title.textContent, this.after.title.textContent] = titles;
        this.#prepare();
        this.#resized(fit);
    }

    setDifference(on) {
        this.difference = on;
        this.#prepare();
        this.draw();
    }

    // Shows a mask over both versions, null none.
    hover(mask) {
        this.seen = mask && seenLayer(mask);
        this.draw();
    }

    // -- what is painted --

    #prepare() {
        const { older, newer } = this;
        this.before.entries = older ? entriesOf(older) : [];
        this.after.entries = newer ? (older && this.difference ? differenceOf(older, newer) : entriesOf(newer)) : [];
    }

    #resized(fit = false) {
        if (!this.picture) return;
        for (const pane of this.panes) {
            if (pane.root.hidden || !pane.view.snap()) continue;
            if (fit || pane.view.fitted) pane.view.fit([this.picture.height, this.picture.width]);
        }
        this.draw();
    }

    draw() {
        this.drawing ??= requestAnimationFrame(() => {
            this.drawing = null;
            for (const pane of this.panes) if (this.picture && !pane.root.hidden && pane.view.width) this.#paint(pane);
        });
    }

    #paint({ view, canvases: [photo, masks, marks], entries }) {
        const { picture } = this;
        paintPicture(photo, view, picture);
        masks.getContext("2d").clearRect(0, 0, masks.width, masks.height);
        paintMasks(masks, view, [picture.height, picture.width], this.seen ? [...entries, this.seen] : entries, 0.45);
        const context = marks.getContext("2d");
        context.setTransform(view.dpr, 0, 0, view.dpr, 0, 0);
        context.clearRect(0, 0, view.width, view.height);
        this.pins.forEach(one => pin(context, view.toScreen([one.x, one.y]), one));
    }

    // -- the mouse --

    #listen(pane) {
        const { surface, view } = pane;
        let from = null, moved = false;
        surface.addEventListener("wheel", event => {
            event.preventDefault();
            view.zoomTo(view.k * 1.0015 ** -event.deltaY, view.local(event));
            this.#follow(view);
        }, { passive: false });
        surface.addEventListener("pointerdown", event => {
            from = { at: view.local(event), corner: [view.x, view.y] };
            moved = false;
            surface.setPointerCapture(event.pointerId);
        });
        surface.addEventListener("pointermove", event => {
            if (!from || !this.picture) return;
            const [x, y] = view.local(event), dx = x - from.at[0], dy = y - from.at[1];
            moved ||= Math.hypot(dx, dy) > CLICK;
            if (!moved) return;
            view.moveTo(from.corner[0] + dx, from.corner[1] + dy, [this.picture.height, this.picture.width]);
            this.#follow(view);
        });
        surface.addEventListener("pointerup", event => {
            const clicked = from && !moved && event.button === 0 && this.picture;
            from = null;
            if (!clicked || !pane.onpin) return;
            const [x, y] = view.toPicture(view.local(event));
            if (x >= 0 && y >= 0 && x < this.picture.width && y < this.picture.height) pane.onpin(x, y);
        });
    }

    #follow({ k, x, y, fitted }) {
        for (const { view } of this.panes) Object.assign(view, { k, x, y, fitted });
        this.draw();
    }

    // Brings a pixel into the middle of both versions, near enough to see it.
    lookAt([x, y]) {
        const { view } = this.after, middle = [view.width / 2, view.height / 2];
        view.zoomTo(Math.max(view.k, 1), middle);
        view.moveTo(middle[0] - x * view.k, middle[1] - y * view.k, [this.picture.height, this.picture.width]);
        this.#follow(view);
    }

    fit() {
        for (const { view } of this.panes) view.fitted = true;
        this.#resized();
    }
}

function entriesOf({ instances, ignore }) {
    return [
        ...(ignore ? [{ key: IGNORE, layer: layerOf(ignore), colour: "#ffffff", active: false }] : []),
        ...instances.map(({ id, mask }) => ({ key: id, layer: layerOf(mask), colour: colourOf(id), active: false })),
    ];
}

// What both versions have, what only the newer has, and what only the older had.
function differenceOf(older, newer) {
    const [a, b] = [older, newer].map(({ instances }) => instances.map(one => one.mask).reduce(union, emptyMask(older.size)));
    const parts = [[combine((p, q) => p & q, a, b), SAME], [subtract(b, a), ADDED], [subtract(a, b), REMOVED]];
    return parts.map(([mask, colour], key) => ({ key: key + 1, layer: layerOf(mask), colour, active: false }));
}
