// The page's side of browser_decode: `state.local` says whether the worker answers clicks, or the server.
import { paintMasks } from "/static/paint.js";
import { layerOf, maskOfCrop } from "/static/rle.js";

const CLICK = "/api/v1/click", HEADERS = { "Content-Type": "application/json" };
const send = window.fetch.bind(window), waiting = new Map();
export const state = { local: false };
let worker, asked = 0;

const bytes = async path => (await send(`/bench/${path}`, { cache: "no-store" })).arrayBuffer();

function ask(act, body, move = []) {
    return new Promise((done, fail) => {
        waiting.set(++asked, { done, fail });
        worker.postMessage({ id: asked, act, body }, move);
    });
}

window.fetch = async (target, options) => {
    const path = new URL(target, location).pathname;
    if (!state.local || !path.startsWith(CLICK)) return send(target, options);
    const [seq, k] = path.slice(CLICK.length).split("/").slice(-2).map(Number);
    const found = options?.body ? await ask("click", JSON.parse(options.body)) : await ask("candidate", { seq, k });
    return new Response(JSON.stringify(found), { headers: HEADERS });
};

// Fetches the runtime and the decoder and makes them ready; the milliseconds of both.
export async function setUp(threads) {
    worker = new Worker("/bench/worker.js", { type: "module" });
    worker.onerror = event => console.error(`the worker failed: ${event.message}`);
    worker.onmessage = ({ data: { id, found, failed } }) => {
        const { done, fail } = waiting.get(id);
        waiting.delete(id);
        if (failed) fail(new Error(failed));
        else done(found);
    };
    const started = performance.now(), [wasm, decoder] = await Promise.all(["runtime/ort-wasm-simd-threaded.wasm", "decoder.onnx"].map(bytes));
    const fetched = performance.now();
    await ask("load", { threads, wasm, decoder }, [wasm, decoder]);
    return { fetched: fetched - started, ready: performance.now() - fetched };
}

// Fetches a picture's embedding and hands it to the worker; the milliseconds.
export async function take(image, size) {
    const started = performance.now(), half = await bytes(`embedding/${image}`);
    await ask("embedding", { half, size }, [half]);
    return performance.now() - started;
}

// Asks for a mask under a moving pointer, and for the next when it has been painted; `local` null asks nothing.
export async function previews(image, seconds, local) {
    const { view, alpha, canvases, size: [height, width] } = stage, frames = [];
    let shown = 0, seq = Date.now(), last = performance.now(), going = true;
    const frame = now => {
        frames.push(now - last);
        last = now;
        if (going) requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
    state.local = local === true;
    const begun = performance.now();
    while (performance.now() < begun + 1e3 * seconds) {
        if (local === null) {
            await new Promise(done => setTimeout(done, 50));
            continue;
        }
        const turn = (performance.now() - begun) / 700;
        const points = [[width * (0.5 + 0.35 * Math.cos(turn)), height * (0.5 + 0.35 * Math.sin(1.7 * turn)), 1]];
        const body = JSON.stringify({ client: "preview", seq: ++seq, image_id: image, points, box: null, refine: null });
        const reply = await fetch(CLICK, { method: "POST", headers: HEADERS, body });
        const layer = layerOf(maskOfCrop((await reply.json()).best, [height, width]));
        paintMasks(canvases[1], view, [height, width], [{ key: 1, layer, colour: "#ff8800", active: true }], alpha);
        shown += 1;
    }
    const took = (performance.now() - begun) / 1e3;
    going = state.local = false;
    stage.draw();
    frames.sort((a, b) => a - b);
    return { rate: shown / took, p50: frames[frames.length >> 1], p95: frames[Math.floor(0.95 * frames.length)], longest: frames.at(-1) };
}
