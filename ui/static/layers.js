// The masks for painting. Each instance has a layer of its spans; the mask under the brush lies as bytes in one layer of the
// whole picture, the scratch, for as long as the stroke lasts.
import { join } from "./raster.js";
import { eachSpan, layerOf, maskOfBytes } from "./rle.js";
import { colourOf } from "./sample.js";

export const IGNORE = "ignore"; // the ignore region's key, beside instances' ids

export class Layers {
    known = new Map(); // key → {mask, layer}
    entries = []; // in the order of painting: {key, layer, colour, active}
    scratch = null;
    stale = null; // a rectangle that the next sync must have painted again

    // Takes a state in; returns the rectangle [left, top, right, bottom] of the picture that looks different now, or null.
    sync(state, hidden) {
        const wanted = new Map(), entries = [];
        let changed = this.stale;
        this.stale = null;
        const add = (key, mask, colour, active) => {
            const before = this.known.get(key);
            const kept = before?.mask === mask || before?.mask.counts === mask.counts;
            const layer = kept ? before.layer : layerOf(mask), look = `${active} ${hidden.has(key)}`;
            if (!kept || before.look !== look) changed = join(join(changed, rectangle(before?.layer)), rectangle(layer));
            wanted.set(key, { mask, layer, look });
            if (!hidden.has(key)) entries.push({ key, layer, colour, active });
        };
        if (state.ignore) add(IGNORE, state.ignore, "#ffffff", false);
        const ordered = [...state.instances].sort((a, b) => (a.id === state.active) - (b.id === state.active));
        for (const { id, mask } of ordered) add(id, mask, colourOf(id), id === state.active);
        for (const [key, { layer }] of this.known) if (!wanted.has(key)) changed = join(changed, rectangle(layer));
        Object.assign(this, { known: wanted, entries });
        return changed;
    }

    // Puts a mask (null is none) under the brush: its entry is painted from the scratch until `drop`.
    lift(key, mask, size, colour) {
        const [height, width] = size;
        if (this.scratch?.bytes.length !== height * width) this.scratch = { bytes: new Uint8Array(height * width) };
        const { bytes } = this.scratch;
        let box = null;
        if (mask) {
            eachSpan(mask.counts, height, (x, y, length) => {
                bytes.fill(1, x * height + y, x * height + y + length);
                box = join(box, [x, y, x + 1, y + length]);
            });
        }
        const layer = { x: 0, y: 0, w: 0, h: 0, tall: height, bytes };
        const entry = { key, layer, colour, active: key !== IGNORE };
        Object.assign(this.scratch, { key, size, box, layer });
        this.grow(null);
        this.entries = this.entries.filter(other => other.key !== key);
        if (key === IGNORE) this.entries.unshift(entry);
        else this.entries.push(entry);
    }

    // The scratch reaches over one more rectangle.
    grow(touched) {
        const { scratch } = this, box = (scratch.box = join(scratch.box, touched)) ?? [0, 0, 0, 0];
        Object.assign(scratch.layer, { x: box[0], y: box[1], w: box[2] - box[0], h: box[3] - box[1] });
    }

    // Ends the stroke: the mask in the scratch, which is empty afterwards.
    drop() {
        const { bytes, size, box, key } = this.scratch, [left, , right] = box ?? [0, 0, 0];
        const mask = maskOfBytes(bytes, size, left, right);
        bytes.fill(0, left * size[0], right * size[0]);
        this.stale = box;
        this.scratch.box = null;
        this.entries = this.entries.filter(entry => entry.key !== key);
        this.known.delete(key); // painted anew by the next sync
        return mask;
    }
}

function rectangle(layer) {
    return layer?.w ? [layer.x, layer.y, layer.x + layer.w, layer.y + layer.h] : null;
}
