// The picture that is asked about: masks of clusters or of one answer over it, with that answer's boxes and points.
import { el } from "./dom.js";
import { dot, line } from "./marks.js";
import { paintMasks, paintPicture } from "./paint.js";
import { layerOf } from "./rle.js";
import { colourOf } from "./sample.js";
import { View } from "./view.js";

export class AskedView {
    picture = null;
    shown = []; // {mask, number, chosen}: what is painted while nothing is looked at
    looked = null; // the objects of an answer, or a cluster, that the pointer is on

    constructor() {
        this.canvases = [el("canvas"), el("canvas"), el("canvas")];
        this.surface = el("div", { class: "ws-surface" }, this.canvases);
        this.root = el("div", { class: "ws-view" }, this.surface);
        this.view = new View(this.surface, this.canvases);
        this.#listen();
        new ResizeObserver(() => this.resized()).observe(this.root);
    }

    // A picture, null for none; the masks of the last one are gone.
    open(picture) {
        if (this.picture !== picture) this.picture?.close();
        Object.assign(this, { picture, shown: [], looked: null });
        this.#prepare();
        this.resized(true);
    }

    show(shown) {
        this.shown = shown;
        this.#prepare();
    }

    // [{mask, number, box?, points?}], null for what is shown else.
    look(objects) {
        this.looked = objects;
        this.#prepare();
    }

    #prepare() {
        const entries = this.looked ?? this.shown;
        this.entries = entries.map(({ mask, number, chosen }, key) => ({ key: key + 1, layer: layerOf(mask), colour: colourOf(number), active: Boolean(chosen) }));
        this.draw();
    }

    resized(fit = false) {
        if (this.picture && this.view.snap() && (fit || this.view.fitted)) this.view.fit([this.picture.height, this.picture.width]);
        this.draw();
    }

    draw() {
        this.drawing ??= requestAnimationFrame(() => {
            this.drawing = null;
            if (this.view.width) this.#paint();
        });
    }

    #paint() {
        const { picture, view, canvases: [photo, masks, marks] } = this, context = marks.getContext("2d");
        for (const canvas of [photo, masks]) canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
        context.setTransform(view.dpr, 0, 0, view.dpr, 0, 0);
        context.clearRect(0, 0, view.width, view.height);
        if (!picture) return;
        paintPicture(photo, view, picture);
        paintMasks(masks, view, [picture.height, picture.width], this.entries, 0.5);
        for (const { box, points = [] } of this.looked ?? []) {
            if (box) this.#box(context, box);
            for (const [x, y] of points) dot(context, view.toScreen([x + 0.5, y + 0.5]), true);
        }
    }

    #box(context, [x0, y0, x1, y1]) {
        const corners = [[x0, y0], [x1, y0], [x1, y1], [x0, y1]];
        line(context, corners.map(corner => this.view.toScreen(corner)), { closed: true, dashed: true });
    }

    #listen() {
        const { surface, view } = this;
        let from = null;
        surface.addEventListener("wheel", event => {
            event.preventDefault();
            view.zoomTo(view.k * 1.0015 ** -event.deltaY, view.local(event));
            this.draw();
        }, { passive: false });
        surface.addEventListener("pointerdown", event => {
            from = { at: view.local(event), corner: [view.x, view.y] };
            surface.setPointerCapture(event.pointerId);
        });
        surface.addEventListener("pointermove", event => {
            if (!from || !this.picture) return;
            const [x, y] = view.local(event);
            view.moveTo(from.corner[0] + x - from.at[0], from.corner[1] + y - from.at[1], [this.picture.height, this.picture.width]);
            this.draw();
        });
        surface.addEventListener("pointerup", () => { from = null; });
        surface.addEventListener("dblclick", () => this.resized(true));
    }
}
