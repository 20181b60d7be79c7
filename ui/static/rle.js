// Masks as run lengths: down the columns, background, object, background, …, and COCO's text of them.
// A mask is {size: [height, width], counts}; a crop from the server is {bbox: [x, y, width, height], counts} of its box alone.

export function unpack(text) {
    const runs = [];
    for (let p = 0; p < text.length;) {
        let value = 0, k = 0, code;
        do {
            code = text.charCodeAt(p++) - 48;
            value |= (code & 31) << (5 * k++);
        } while (code & 32);
        if (code & 16 && k < 7) value |= -1 << (5 * k);
        runs.push(runs.length > 2 ? value + runs[runs.length - 2] : value);
    }
    return runs;
}

export function pack(runs) {
    let text = "";
    for (let i = 0; i < runs.length; i++) {
        let value = i > 2 ? runs[i] - runs[i - 2] : runs[i];
        for (let more = true; more;) {
            const low = value & 31;
            value >>= 5;
            more = low & 16 ? value !== -1 : value !== 0;
            text += String.fromCharCode((more ? low | 32 : low) + 48);
        }
    }
    return text;
}

let newest = { counts: null, runs: [] }; // of the mask that was made last, which is asked for again at once

const runsOf = counts => (counts === newest.counts ? newest.runs : unpack(counts));

// Collects spans of object pixels in ascending order; touching ones become one run.
export class Runs {
    runs = [];
    at = 0;

    add(start, length) {
        if (!length) return;
        const { runs } = this;
        if (start === this.at && runs.length) runs[runs.length - 1] += length;
        else runs.push(start - this.at, length);
        this.at = start + length;
    }

    mask([height, width]) {
        const total = height * width;
        if (this.at < total || !this.runs.length) this.runs.push(total - this.at);
        newest = { counts: pack(this.runs), runs: this.runs };
        return { size: [height, width], counts: newest.counts };
    }
}

export const emptyMask = size => new Runs().mask(size);

export const isEmpty = mask => runsOf(mask.counts).length < 2;

export function area(mask) {
    const runs = runsOf(mask.counts);
    let sum = 0;
    for (let i = 1; i < runs.length; i += 2) sum += runs[i];
    return sum;
}

// Calls visit(column, top, length) for every vertical span of object pixels, in ascending order.
export function eachSpan(counts, height, visit) {
    const runs = runsOf(counts);
    for (let i = 0, at = 0; i < runs.length; at += runs[i++]) {
        if (i % 2 === 0) continue;
        for (let p = at, end = at + runs[i]; p < end;) {
            const top = p % height, length = Math.min(height - top, end - p);
            visit((p - top) / height, top, length);
            p += length;
        }
    }
}

// A crop put back into its picture.
export function maskOfCrop({ bbox: [x, y, , height], counts }, size) {
    const runs = new Runs();
    if (height) eachSpan(counts, height, (column, top, length) => runs.add((x + column) * size[0] + y + top, length));
    return runs.mask(size);
}

// The bytes of a whole picture, column after column, between the columns left and right.
export function maskOfBytes(bytes, size, left = 0, right = size[1]) {
    const runs = new Runs(), height = size[0], scanned = bytes.subarray(0, right * height);
    for (let from = left * height; ;) {
        const start = scanned.indexOf(1, from);
        if (start < 0) break;
        const end = scanned.indexOf(0, start);
        from = end < 0 ? scanned.length : end;
        runs.add(start, from - start);
    }
    return runs.mask(size);
}

// rule(a, b, …) of the masks' pixels, each 0 or 1; costs what the runs cost, not the pixels.
export function combine(rule, ...masks) {
    const { size } = masks[0], total = size[0] * size[1], result = new Runs();
    const lists = masks.map(mask => runsOf(mask.counts)), index = lists.map(() => 0), ends = lists.map(runs => runs[0]);
    for (let at = 0; at < total;) {
        for (let k = 0; k < lists.length; k++) while (ends[k] <= at) ends[k] += lists[k][++index[k]];
        const next = Math.min(...ends);
        if (rule(...index.map(i => i & 1))) result.add(at, next - at);
        at = next;
    }
    return result.mask(size);
}

export const union = (a, b) => combine((p, q) => p | q, a, b);
export const subtract = (a, b) => combine((p, q) => p & ~q & 1, a, b);

// What a hand changed of a model's mask, done again on a newer one: where `mask` differs from `base`, `mask` stays.
export function keepHand(newer, base, mask) {
    return mask.counts === base.counts ? newer : combine((n, b, m) => (m === b ? n : m), newer, base, mask);
}

// What painting needs: the box that the mask fills, and its spans column after column: `spans` holds the top and the end
// of each, those of column x + c from first[c] to first[c + 1].
export function layerOf(mask) {
    const height = mask.size[0], first = [], spans = [];
    let left = 0, top = Infinity, bottom = 0;
    eachSpan(mask.counts, height, (column, y, length) => {
        if (!spans.length) left = column;
        while (first.length <= column - left) first.push(spans.length);
        spans.push(y, y + length);
        if (y < top) top = y;
        if (y + length > bottom) bottom = y + length;
    });
    const w = first.push(spans.length) - 1;
    return { x: left, y: w && top, w, h: w && bottom - top, first: Int32Array.from(first), spans: Int32Array.from(spans) };
}

export function contains(mask, x, y) {
    const [height, width] = mask.size;
    if (x < 0 || y < 0 || x >= width || y >= height) return false;
    const runs = runsOf(mask.counts), place = x * height + y;
    let i = 0;
    for (let end = runs[0]; end <= place;) end += runs[++i];
    return i % 2 === 1;
}
