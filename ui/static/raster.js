// From outlines and brush strokes to pixels. Coordinates are continuous: pixel i spans [i, i + 1).
import { Runs } from "./rle.js";

// The pixels whose centres the rings enclose by the even-odd rule, as curation/outlines.py has it: an odd number of edges
// cross the pixel's column line x = i + 0.5 at or above its centre; an edge from its left end to its right end crosses
// when x0 <= i + 0.5 < x1.
export function rasterize(rings, size) {
    const [height, width] = size, bounds = [];
    const clip = (value, end) => Math.min(end, Math.max(0, value));
    for (const ring of rings) {
        if (ring.length < 3) continue;
        for (let i = 0; i < ring.length; i++) {
            let [x0, y0] = ring[i], [x1, y1] = ring[(i + 1) % ring.length];
            if (x0 > x1) [x0, y0, x1, y1] = [x1, y1, x0, y0];
            const first = clip(Math.ceil(x0 - 0.5), width), last = clip(Math.ceil(x1 - 0.5), width);
            for (let column = first; column < last; column++) {
                const y = y0 + (column + 0.5 - x0) * (y1 - y0) / (x1 - x0);
                bounds.push(column * height + clip(Math.ceil(y - 0.5), height));
            }
        }
    }
    const sorted = Uint32Array.from(bounds).sort(), runs = new Runs();
    for (let i = 0; i < sorted.length; i += 2) runs.add(sorted[i], sorted[i + 1] - sorted[i]);
    return runs.mask(size);
}

// Fills discs of radius r along the line from a to b; returns the touched rectangle [left, top, right, bottom].
export function stamp(bytes, [height, width], [ax, ay], [bx, by], r, value) {
    const steps = Math.max(1, Math.ceil(Math.hypot(bx - ax, by - ay) / Math.max(1, r / 4)));
    for (let k = 0; k <= steps; k++) {
        const cx = ax + (bx - ax) * k / steps, cy = ay + (by - ay) * k / steps;
        const end = Math.min(width - 1, cx + r - 0.5);
        for (let x = Math.max(0, Math.ceil(cx - r - 0.5)); x <= end; x++) {
            const half = Math.sqrt(Math.max(0, r * r - (x + 0.5 - cx) ** 2));
            const top = Math.max(0, Math.ceil(cy - half - 0.5)), bottom = Math.min(height - 1, Math.floor(cy + half - 0.5));
            if (bottom >= top) bytes.fill(value, x * height + top, x * height + bottom + 1);
        }
    }
    return [
        Math.max(0, Math.floor(Math.min(ax, bx) - r)), Math.max(0, Math.floor(Math.min(ay, by) - r)),
        Math.min(width, Math.ceil(Math.max(ax, bx) + r)), Math.min(height, Math.ceil(Math.max(ay, by) + r)),
    ];
}

// The rectangle around two; null is no rectangle.
export function join(a, b) {
    if (!a || !b) return a ?? b;
    return [Math.min(a[0], b[0]), Math.min(a[1], b[1]), Math.max(a[2], b[2]), Math.max(a[3], b[3])];
}
