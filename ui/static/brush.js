// Brush and eraser: a stroke stays in the browser, as bytes of the lifted mask, until it ends.
import { IGNORE } from "./layers.js";
import { circle } from "./marks.js";
import { join, stamp } from "./raster.js";
import { isEmpty } from "./rle.js";
import { colourOf, EMPTY_PROMPT, nextId, withInstance, withoutInstance } from "./sample.js";

const SMALLEST = 0.5, LARGEST = 1000; // picture pixels

export class BrushTool {
    cursor = "none";
    static radius = 12; // one size for both, in picture pixels

    constructor(stage, erases) {
        Object.assign(this, { stage, erases });
    }

    get hint() {
        const what = this.stage.target === IGNORE ? "the ignore region" : this.stage.active ? `instance ${this.stage.active.id}` : "a new instance";
        return this.erases ? `Erase from ${what}` : `Paint ${what}`;
    }

    down({ at }) {
        const { stage } = this, ignore = stage.target === IGNORE, { active } = stage;
        if (stage.locked(ignore)) return false;
        if (this.erases && !(ignore ? stage.present.ignore : active)) {
            const what = ignore ? "There is no ignore region to erase from." : "Nothing is in work: click an instance in the list, or a mask with the move tool.";
            stage.tell("info", what);
            return false;
        }
        stage.prompter.cancel();
        this.key = ignore ? IGNORE : active?.id ?? nextId(stage.present);
        const mask = ignore ? stage.present.ignore : active?.mask;
        stage.layers.lift(this.key, mask, stage.size, ignore ? "#ffffff" : colourOf(this.key));
        this.last = at;
        this.dirty = null;
        this.#stamp(at);
    }

    move({ at }) {
        this.#stamp(at);
        this.last = at;
    }

    up() {
        cancelAnimationFrame(this.frame);
        this.frame = null;
        const { stage, key } = this, { present } = stage, started = performance.now();
        const mask = stage.layers.drop();
        if (key === IGNORE) {
            const ignore = isEmpty(mask) ? null : mask;
            if (ignore?.counts !== present.ignore?.counts) stage.commit({ ...present, ignore });
            else stage.refresh();
        } else this.#finish(mask);
        this.packed = performance.now() - started;
    }

    #finish(mask) {
        const { stage } = this, { present, active } = stage;
        if (mask.counts === active?.mask.counts || (!active && isEmpty(mask))) return stage.refresh();
        if (!active) {
            const origin = { kind: "brush", model: null, retouched: false };
            return stage.commit(withInstance(present, { id: this.key, mask, label: "", prompt: EMPTY_PROMPT, outline: [], origin, work: {} }));
        }
        if (isEmpty(mask) && !active.label) return stage.commit(withoutInstance(present, active.id));
        const origin = { ...active.origin, retouched: active.origin.retouched || active.origin.kind !== "brush" };
        const base = active.work.base ?? (active.origin.retouched || active.origin.kind !== "click" ? undefined : active.mask);
        stage.commit(withInstance(present, { ...active, mask, outline: [], origin, work: { ...active.work, base } }));
    }

    cancel() {
        cancelAnimationFrame(this.frame);
        this.frame = null;
        this.stage.layers.drop();
        this.stage.refresh();
    }

    act(action) {
        const factor = { smaller: 0.8, larger: 1.25 }[action];
        if (!factor) return false;
        BrushTool.radius = Math.min(LARGEST, Math.max(SMALLEST, BrushTool.radius * factor));
        this.stage.showOptions();
        this.stage.drawMarks();
        return true;
    }

    draw(context, view) {
        const { at } = this.stage.pointer;
        if (at) circle(context, at.screen, BrushTool.radius * view.k, this.erases);
    }

    #stamp(at) {
        const { stage } = this, { layers } = stage;
        const touched = stamp(layers.scratch.bytes, stage.size, this.last, at, BrushTool.radius, this.erases ? 0 : 1);
        if (touched[0] >= touched[2] || touched[1] >= touched[3]) return;
        if (!this.erases) layers.grow(touched);
        this.dirty = join(this.dirty, touched);
        this.frame ??= requestAnimationFrame(() => {
            this.frame = null;
            stage.paintMasks(this.dirty);
            this.dirty = null;
        });
    }
}
