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
    const context = canvas.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    if (!entries.length) return void context.clearRect(left, top, w, h);
    // One row and column more on each side, so that an outline at the edge of the area knows its neighbours.
    const grid = { left: left - line, top: top - line, w: w + 2 * line, h: h + 2 * line };
    const columns = columnsOf(grid, entries, scale, ox, oy, [height, width]);
    const image = imageOf(w, h), changes = changesOf(columns, grid.h, line, coloursOf(entries, alpha), left + top);
    fillRows(new Uint32Array(image.data.buffer), image.width, w, h, changes);
    context.putImageData(image, left, top, 0, 0, w, h);
}

// For each screen column of the grid what lies there: [mark, from, to, …] in ascending rows, touching ones of one mark
// joined. A mark is an entry's place in `entries` plus 1; later entries lie above.
function columnsOf({ left, top, w, h }, entries, scale, ox, oy, [height, width]) {
    const columns = Int32Array.from({ length: w }, (_, i) => Math.floor((left + i + 0.5 - ox) / scale));
    const rows = Int32Array.from({ length: h }, (_, j) => Math.floor((top + j + 0.5 - oy) / scale));
    const found = Array.from({ length: w }, () => []);
    entries.forEach(({ layer }, index) => {
        const start = lowest(columns, Math.max(0, layer.x)), end = lowest(columns, Math.min(width, layer.x + layer.w));
        const from = lowest(rows, Math.max(0, layer.y)), to = lowest(rows, Math.min(height, layer.y + layer.h));
        for (let i = start; i < end; i++) {
            if (layer.spans) addSpans(found, i, layer, columns[i] - layer.x, rows, index + 1);
            else addBytes(found, i, layer.bytes, columns[i] * layer.tall, rows, from, to, index + 1);
        }
    });
    return found;
}

// Looks only at the picture's columns that the screen shows, and at no byte of the picture.
function addSpans(found, i, { first, spans }, column, rows, mark) {
    for (let s = first[column], stop = first[column + 1]; s < stop; s += 2) add(found, i, mark, lowest(rows, spans[s]), lowest(rows, spans[s + 1]));
}

function addBytes(found, i, bytes, column, rows, from, to, mark) {
    for (let j = from; j < to; j++) {
        if (bytes[column + rows[j]] === 0) continue;
        const start = j;
        while (j < to && bytes[column + rows[j]] !== 0) j++;
        add(found, i, mark, start, j);
    }
}

// Lays one stretch over what a column has.
function add(found, i, mark, from, to) {
    if (from >= to) return;
    const list = found[i], last = list.length - 1;
    if (last < 0 || list[last] < from) return void list.push(mark, from, to);
    if (list[last] === from) {
        if (list[last - 2] === mark) list[last] = to;
        else list.push(mark, from, to);
        return;
    }
    const above = [], below = [];
    for (let k = 0; k < list.length; k += 3) {
        if (list[k + 1] < from) above.push(list[k], list[k + 1], Math.min(from, list[k + 2]));
        if (list[k + 2] > to) below.push(list[k], Math.max(to, list[k + 1]), list[k + 2]);
    }
    found[i] = [...above, mark, from, to, ...below];
}

// Kept from one painting to the next: making them anew costs more than filling them.
let canvasful = null, buffer = new Uint32Array(0), first = new Int32Array(0), list = new Uint32Array(4096);

// An image of at least w × h pixels, with whatever was painted last.
function imageOf(w, h) {
    const { width, height } = canvasful ?? { width: 0, height: 0 };
    if (width < w || height < h) canvasful = new ImageData(Math.max(w, width), Math.max(h, height));
    return canvasful;
}

// Where the colour changes down the columns. Those of row j are a chain in the list: from place first[j], each of three
// numbers, its column, its colour from that row on, and the place of the row's next change, 0 for none.
function changesOf(columns, tall, line, colours, phase) {
    let used = 3;
    if (buffer.length < tall) [buffer, first] = [new Uint32Array(tall), new Int32Array(tall)];
    first.fill(0);
    for (let i = line; i < columns.length - line; i++) {
        if (!columns[i].length) continue;
        colour(columns, i, line, colours, phase);
        if (list.length < used + 3 * tall) list = enlarged(list, 2 * list.length + 3 * tall);
        for (let j = line, before = 0; j < tall - line; j++) {
            if (buffer[j] === before) continue;
            list[used] = i - line;
            list[used + 1] = before = buffer[j];
            list[used + 2] = first[j - line];
            first[j - line] = used;
            used += 3;
        }
    }
    return { first, list };
}

function enlarged(numbers, length) {
    const larger = new Uint32Array(length);
    larger.set(numbers);
    return larger;
}

// Each row is the one above it, but for the changes.
function fillRows(pixels, stride, w, h, { first, list }) {
    pixels.fill(0, 0, w);
    for (let j = 0, at = 0; j < h; j++, at += stride) {
        if (j) pixels.copyWithin(at, at - stride, at - stride + w);
        for (let place = first[j]; place; place = list[place + 2]) pixels[at + list[place]] = list[place + 1];
    }
}

// The pixels of one column, in the buffer: stretches are filled at once, and outlined where another mark is next.
function colour(columns, i, line, { fills, edges, hatched }, phase) {
    const stretches = columns[i], pixels = buffer.fill(0);
    for (let k = 0; k < stretches.length; k += 3) {
        const mark = stretches[k], from = stretches[k + 1], to = stretches[k + 2], edge = edges[mark];
        if (!hatched[mark]) pixels.fill(fills[mark], from, to);
        else for (let j = from; j < to; j++) if (((i + j - 2 * line + phase) / STRIPES) & 1) pixels[j] = fills[mark];
        pixels.fill(edge, from, Math.min(to, from + line));
        pixels.fill(edge, Math.max(from, to - line), to);
        outline(pixels, columns[i - line], mark, from, to, edge);
        outline(pixels, columns[i + line], mark, from, to, edge);
    }
}

// Outlines those rows of a stretch beside which a column has another mark, or none.
function outline(pixels, beside, mark, from, to, edge) {
    let row = from;
    for (let k = 0; k < beside.length && row < to; k += 3) {
        if (beside[k] !== mark || beside[k + 2] <= row) continue;
        if (beside[k + 1] > row) pixels.fill(edge, row, Math.min(to, beside[k + 1]));
        row = beside[k + 2];
    }
    if (row < to) pixels.fill(edge, row, to);
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
