// The worker of browser_decode: SAM's decoder on onnxruntime-web, and its masks as the server would send them.
import * as ort from "/bench/runtime/ort.wasm.min.mjs";
import { Runs } from "/static/rle.js";

const SIDE = 1024, LOGITS = 256;
let session, features, size, answers;

const acts = {
    async load({ threads, wasm, decoder }) {
        const folder = "/bench/runtime/";
        Object.assign(ort.env.wasm, { numThreads: threads, wasmBinary: wasm, wasmPaths: { mjs: `${folder}ort-wasm-simd-threaded.mjs` } });
        session = await ort.InferenceSession.create(decoder, { executionProviders: ["wasm"] });
    },
    embedding(one) {
        features = new ort.Tensor("float32", Float32Array.from(new Uint16Array(one.half), floatOfHalf), [1, 256, 64, 64]);
        size = one.size;
        answers = new Map();
    },
    async click({ seq, points, box, refine }) {
        const started = performance.now(), previous = refine && answers.get(refine.seq)[refine.candidate].logits;
        const rows = points.map(([x, y, label]) => [x, y, label]);
        if (box) rows.push([box[0], box[1], 2], [box[2], box[3], 3]);
        else rows.push([0, 0, -1]);
        const [height, width] = fitted(size), [sx, sy] = [width / size[1], height / size[0]];
        const tensor = (data, shape) => new ort.Tensor("float32", Float32Array.from(data), shape);
        const found = await session.run({
            image_embeddings: features,
            point_coords: tensor(rows.flatMap(([x, y]) => [x * sx, y * sy]), [1, rows.length, 2]),
            point_labels: tensor(rows.map(row => row[2]), [1, rows.length]),
            mask_input: tensor(previous ?? new Float32Array(LOGITS * LOGITS), [1, 1, LOGITS, LOGITS]),
            has_mask_input: tensor([previous ? 1 : 0], [1]),
        });
        const [masks, scores] = session.outputNames.map(name => found[name].data), decoded = performance.now();
        const lone = points.length === 1 && !box && !previous, order = lone ? [1, 2, 3] : [0, 1, 2, 3];
        order.sort((a, b) => scores[b] - scores[a]);
        if (answers.size > 8) answers.delete(answers.keys().next().value);
        answers.set(seq, order.map(k => ({ score: Math.min(1, Math.max(0, scores[k])), logits: masks.slice(k * LOGITS ** 2, (k + 1) * LOGITS ** 2) })));
        const best = crop(answers.get(seq)[0]), ended = performance.now();
        const ms = { wait: 0, model: decoded - started, enlarge: ended - decoded, rle: 0 };
        return { seq, best, scores: answers.get(seq).map(one => one.score), ms };
    },
    candidate: ({ seq, k }) => crop(answers.get(seq)[k]),
};

onmessage = async ({ data: { id, act, body } }) => {
    try {
        postMessage({ id, found: await acts[act](body) });
    } catch (error) {
        postMessage({ id, failed: String(error) });
    }
};

const fitted = ([height, width]) => [height, width].map(side => Math.max(1, Math.floor(side * SIDE / Math.max(height, width) + 0.5)));

function floatOfHalf(bits) {
    const sign = bits & 0x8000 ? -1 : 1, exponent = (bits >> 10) & 31, part = bits & 1023;
    return sign * (exponent ? 2 ** (exponent - 15) * (1 + part / 1024) : part * 2 ** -24);
}

// Where `count` samples over `pixels` lie, in steps of a coarser row of `coarse`: its lower neighbour, its upper one, and the share of the upper.
function between(pixels, coarse) {
    return Array.from({ length: pixels }, (_, i) => {
        const at = (i + 0.5) * coarse / pixels - 0.5, low = Math.floor(at);
        return [Math.max(0, low), Math.min(coarse - 1, low + 1), at - low];
    });
}

// The logits enlarged to the padded square, cut to the picture's part of it, and from there to the picture: what is above 0.
function crop({ score, logits }) {
    const [height, width] = fitted(size), steps = between(SIDE, LOGITS), field = Array.from({ length: width }, () => new Float32Array(height));
    const half = new Float32Array(LOGITS), inside = new Uint8Array(width);
    for (let x = 0; x < width; x++) {
        const [left, right, share] = steps[x], column = field[x];
        for (let y = 0; y < LOGITS; y++) half[y] = logits[y * LOGITS + left] * (1 - share) + logits[y * LOGITS + right] * share;
        for (let y = 0; y < height; y++) {
            const [top, bottom, part] = steps[y];
            if ((column[y] = half[top] * (1 - part) + half[bottom] * part) > 0) inside[x] = 1;
        }
    }
    const runs = new Runs(), scale = size[0] / height;
    between(size[1], width).forEach(([left, right, share], x) => {
        if (!inside[left] && !inside[right]) return;
        const a = field[left], b = field[right], at = x * size[0];
        let before = a[0] * (1 - share) + b[0] * share, start = before > 0 ? 0 : -1;
        for (let y = 1; y < height; y++) {
            const value = a[y] * (1 - share) + b[y] * share;
            if (value > 0 !== before > 0) {
                const zero = (y - 1 + before / (before - value) + 0.5) * scale - 0.5;
                const row = Math.min(size[0], Math.max(0, value > before ? Math.floor(zero) + 1 : Math.ceil(zero)));
                if (start >= 0) runs.add(at + start, row - start);
                start = start < 0 ? row : -1;
            }
            before = value;
        }
        if (start >= 0) runs.add(at + start, size[0] - start);
    });
    return { score, bbox: [0, 0, size[1], size[0]], counts: runs.mask(size).counts };
}
