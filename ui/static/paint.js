// Pixels on the screen. Masks are sampled from their layers' spans at device resolution (the mask under the brush from its
// bytes), so painting costs what the screen costs and not what the photograph costs.
import { IGNORE } from "./layers.js";

const STRIPES = 6; // device pixels of the ignore region's hatching

export function paintPicture(canvas, view, picture) {
    const context = canvas.getContext("2d"), scale = view.k * view.dpr;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.imageSmoothingEnabled = scale < 2;
    context.imageSmoothingQuality = "high"; // "low" shifts small things by a tenth of a screen pixel
    const { width, height } = picture;
    context.drawImage(picture.level(width * scale), view.x * view.dpr, view.y * view.dpr, width * scale, height * scale);
}

// Paints the layers again inside a rectangle of the picture (default: all of it): fill with opacity `alpha`, and outlines.
export function paintMasks(canvas, view, [height, width], entries, alpha, area = [0, 0, width, height]) {
    const { dpr } = view, scale = view.k * dpr, ox = view.x * dpr, oy = view.y * dpr, line = Math.max(1, Math.round(dpr));
    const within = (value, end) => Math.min(end, Math.max(0, value));
    const left = within(Math.floor(area[0] * scale + ox) - line, canvas.width), top = within(Math.floor(area[1] * scale + oy) - line, canvas.height);
    const w = within(Math.ceil(area[2] * scale + ox) + line, canvas.width) - left;
    const h = within(Math.ceil(area[3] * scale + oy) + line, canvas.height) - top;
    if (w <= 0 || h <= 0) return;
    const context = canvas.getContext("2d"), image = context.createImageData(w, h), pixels = new Uint32Array(image.data.buffer);
    if (entries.length) {
        // One row and column more on each side, so that an outline at the edge of the area knows its neighbours.
        const grid = { left: left - line, top: top - line, w: w + 2 * line, h: h + 2 * line };
        const marks = markPixels(grid, entries, scale, ox, oy, [height, width]);
        colourPixels(pixels, w, h, marks, grid.w, line, coloursOf(entries, alpha), left + top);
    }
    context.putImageData(image, left, top);
}

let buffer = new Uint16Array(0); // kept from one painting to the next: making it anew costs more than filling it

// For each screen pixel of the grid, which entry lies there: its place in `entries` plus 1; later ones lie above.
function markPixels({ left, top, w, h }, entries, scale, ox, oy, [height, width]) {
    if (buffer.length < w * h) buffer = new Uint16Array(w * h);
    const marks = buffer.subarray(0, w * h).fill(0);
    const columns = Int32Array.from({ length: w }, (_, i) => Math.floor((left + i + 0.5 - ox) / scale));
    const rows = Int32Array.from({ length: h }, (_, j) => Math.floor((top + j + 0.5 - oy) / scale));
    const places = new Int32Array(w);
    entries.forEach(({ layer }, index) => {
        const from = lowest(rows, Math.max(0, layer.y)), to = lowest(rows, Math.min(height, layer.y + layer.h));
        const start = lowest(columns, Math.max(0, layer.x)), end = lowest(columns, Math.min(width, layer.x + layer.w));
        if (layer.spans) return markSpans(marks, w, start, end, layer, columns, rows, index + 1);
        for (let i = start; i < end; i++) places[i] = columns[i] * layer.tall;
        for (let j = from; j < to; j++) markRow(marks, j * w, start, end, layer.bytes, places, rows[j], index + 1);
    });
    return marks;
}

// Looks only at the picture's columns that the screen shows, and at no byte of the picture.
function markSpans(marks, w, start, end, { x, first, spans }, columns, rows, mark) {
    for (let i = start; i < end; i++) {
        const column = columns[i] - x, stop = first[column + 1];
        for (let s = first[column]; s < stop; s += 2) {
            const to = lowest(rows, spans[s + 1]) * w + i;
            for (let at = lowest(rows, spans[s]) * w + i; at < to; at += w) marks[at] = mark;
        }
    }
}

function markRow(marks, at, start, end, bytes, places, row, mark) {
    for (let i = start; i < end; i++) if (bytes[places[i] + row] !== 0) marks[at + i] = mark;
}

// The first place in an ascending list whose value is not below `value`.
function lowest(list, value) {
    let from = 0, to = list.length;
    while (from < to) {
        const middle = (from + to) >> 1;
        if (list[middle] < value) from = middle + 1;
        else to = middle;
    }
    return from;
}

function colourPixels(pixels, w, h, marks, stride, line, { fills, edges, hatched }, phase) {
    const above = line * stride;
    for (let j = 0; j < h; j++) {
        let at = (j + line) * stride + line;
        for (let i = 0, to = j * w; i < w; i++, at++, to++) {
            const mark = marks[at];
            if (mark === 0) continue;
            if (marks[at - line] !== mark || marks[at + line] !== mark || marks[at - above] !== mark || marks[at + above] !== mark) pixels[to] = edges[mark];
            else if (hatched[mark] === 0 || ((i + j + phase) / STRIPES) & 1) pixels[to] = fills[mark];
        }
    }
}

// The entries' colours by their mark, as pixels of a canvas have them.
function coloursOf(entries, alpha) {
    const fills = new Uint32Array(entries.length + 1), edges = new Uint32Array(entries.length + 1), hatched = new Uint8Array(entries.length + 1);
    const outline = Math.min(1, alpha * 3); // outlines fade only with very low opacity
    entries.forEach(({ key, colour, active }, index) => {
        const rgb = [1, 3, 5].map(at => parseInt(colour.slice(at, at + 2), 16));
        const pixel = (opacity, lift) => {
            const [r, g, b] = rgb.map(value => Math.round(value + (255 - value) * lift));
            return ((Math.round(opacity * 255) << 24) | (b << 16) | (g << 8) | r) >>> 0;
        };
        fills[index + 1] = pixel(alpha, 0);
        edges[index + 1] = pixel(outline, active ? 0.75 : 0);
        hatched[index + 1] = key === IGNORE ? 1 : 0;
    });
    return { fills, edges, hatched };
}

// A small picture of a sample: the photograph in `width` × `height` CSS pixels with the given layers on it.
export function paintPreview(canvas, picture, entries, alpha, box = [0, 0, picture.width, picture.height]) {
    const dpr = devicePixelRatio, { clientWidth: width, clientHeight: height } = canvas;
    Object.assign(canvas, { width: Math.round(width * dpr), height: Math.round(height * dpr) });
    const k = Math.min(width / (box[2] - box[0]), height / (box[3] - box[1]));
    const view = { k, dpr, x: (width - k * (box[2] + box[0])) / 2, y: (height - k * (box[3] + box[1])) / 2 };
    paintPicture(canvas, view, picture);
    const over = new OffscreenCanvas(canvas.width, canvas.height);
    paintMasks(over, view, [picture.height, picture.width], entries, alpha);
    const context = canvas.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.drawImage(over, 0, 0);
}
