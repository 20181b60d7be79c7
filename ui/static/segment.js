// Clicks to masks: one prompt at a time is asked, the newest wins, and its other candidates are fetched behind the painted one.
import { call, explain } from "./api.js";
import { random } from "./dom.js";
import { combine, area, emptyMask, keepHand, maskOfCrop } from "./rle.js";
import { EMPTY_PROMPT, find, nextId, steps, withInstance, withoutInstance } from "./sample.js";

const REMEMBERED = 12; // clicks whose candidates are kept for undo

export class Prompter {
    client = random();
    seq = 0;
    pending = null; // {id, prompt, boxAt}: asked, not answered
    candidates = new Map(); // seq → the masks of its candidates, as promises
    timings = [];

    constructor(stage) {
        this.stage = stage;
    }

    // What the marks on the canvas show: the prompt that is being asked, else the active instance's.
    get prompt() {
        return this.pending?.prompt ?? this.stage.active?.prompt ?? EMPTY_PROMPT;
    }

    addPoint(point) {
        const { prompt } = this;
        if (!point.positive && !prompt.box && !prompt.points.some(other => other.positive)) {
            const hand = this.stage.active && "; the eraser takes away what a hand painted";
            return this.stage.tell("info", `First a left click on the object, or a box; then right clicks say what does not belong to it${hand || ""}.`);
        }
        return this.#ask({ ...prompt, points: [...prompt.points, point] }, this.#trail(), this.#boxAt());
    }

    setBox(box) {
        const { prompt } = this;
        return this.#ask({ ...prompt, box }, prompt.box ? [] : this.#trail(), prompt.points.length);
    }

    removePoint(index) {
        const { prompt } = this, boxAt = this.#boxAt(), before = index + (prompt.box && boxAt <= index ? 1 : 0);
        const points = prompt.points.filter((_, i) => i !== index);
        return this.#ask({ ...prompt, points }, this.#trail().slice(0, before + 1), boxAt > index ? boxAt - 1 : boxAt);
    }

    removeBox() {
        return this.#ask({ ...this.prompt, box: null }, this.#trail().slice(0, this.#boxAt() + 1), 0);
    }

    // Takes back the newest point or box.
    removeLast() {
        const { prompt } = this;
        if (!steps(prompt)) return;
        if (prompt.box && this.#boxAt() === prompt.points.length) this.removeBox();
        else this.removePoint(prompt.points.length - 1);
    }

    cancel() {
        this.controller?.abort();
        const had = this.pending !== null;
        this.pending = null;
        this.seq += 1;
        return had;
    }

    #boxAt() {
        return (this.pending ?? this.stage.active?.work)?.boxAt ?? 0;
    }

    // The answers so far: trail[n] is {seq, candidate} of the answer to the first n steps of the prompt.
    #trail() {
        return this.stage.active?.work.trail ?? [];
    }

    async #ask(prompt, trail, boxAt) {
        const { stage } = this, started = performance.now(), seq = ++this.seq, id = this.pending?.id ?? stage.active?.id ?? nextId(stage.present);
        this.controller?.abort();
        this.controller = new AbortController();
        this.pending = { id, prompt, boxAt };
        stage.drawMarks();
        const { signal } = this.controller, count = steps(prompt), refine = trail.slice(0, count).findLast(Boolean) ?? null;
        try {
            const known = find(stage.present, id), base = known && (await this.#baseOf(known, signal));
            if (seq !== this.seq) return;
            if (!count) return this.#withoutPrompt(known, base);
            const reply = await this.#click(this.client, seq, prompt, refine, signal);
            if (seq !== this.seq || !reply) return; // a newer prompt is under way
            if (stage.segmenter.name === "loading") await stage.desk.learn(); // an answer means that it is there now
            const answered = performance.now(), newest = maskOfCrop(reply.best, stage.size), decoded = performance.now() - answered;
            this.candidates.set(seq, reply.scores.map((_, k) => (k ? null : Promise.resolve(newest))));
            const answer = { seq, scores: reply.scores, chosen: 0 };
            const work = { base: newest, answer, boxAt, trail: this.#extended(trail, count, seq, 0) };
            this.pending = null;
            stage.commit(withInstance(stage.present, this.#answered(find(stage.present, id), id, { prompt, work }, newest, base)));
            const painting = decoded + stage.repainted, page = performance.now() - answered - painting;
            this.#measure({ seq, fetch: answered - started, paint: painting, page, ...reply.ms }, started);
            this.#fetchOthers(answer);
        } catch (error) {
            if (error.name === "AbortError" || seq !== this.seq) return;
            this.pending = null;
            stage.drawMarks();
            stage.tell("error", `The click was not answered. ${explain(error)}`);
        }
    }

    #click(client, seq, { points, box }, refine, signal) {
        const body = {
            client, seq, refine, image_id: this.stage.sample.image_id, box: box && [box.x0, box.y0, box.x1, box.y1],
            points: points.map(point => [point.x, point.y, point.positive ? 1 : 0]),
        };
        return call("POST", "click", body, signal);
    }

    #extended(trail, count, seq, candidate) {
        const extended = trail.slice(0, count);
        extended[count] = { seq, candidate };
        return extended;
    }

    // An instance with a newer mask of the model; what a hand had changed of the older one, `base`, stays changed.
    #answered(known, id, change, newest, base) {
        const mask = known && base ? keepHand(newest, base, known.mask) : newest, before = known?.origin.kind ?? "click";
        const kind = before === "brush" || before === "polygon" ? "click" : before; // a model has its share from now on
        const model = kind === "model" ? known.origin.model : this.stage.segmenter.model;
        const origin = { kind, model, retouched: mask.counts !== newest.counts };
        return { label: "", ...known, id, outline: [], ...change, mask, origin };
    }

    // The model's part of an instance's mask. After a reload it is unknown where a hand has retouched; the same prompt asked
    // again gives it back, as the candidate nearest to the mask.
    async #baseOf(instance, signal) {
        if (instance.work.base) return instance.work.base;
        if (!steps(instance.prompt)) return emptyMask(this.stage.size);
        if (!instance.origin.retouched) return instance.mask;
        const client = `${this.client}-again`, seq = this.seq, reply = await this.#click(client, seq, instance.prompt, null, signal);
        const crops = [reply.best];
        for (let k = 1; k < reply.scores.length; k++) crops.push(await call("GET", `click/${client}/${seq}/${k}`, undefined, signal));
        const masks = crops.map(crop => maskOfCrop(crop, this.stage.size));
        const iou = mask => area(combine((a, b) => a & b, mask, instance.mask)) / (area(combine((a, b) => a | b, mask, instance.mask)) || 1);
        return masks.reduce((best, mask) => (iou(mask) > iou(best) ? mask : best));
    }

    // The last prompt was taken back: only what a hand painted remains.
    #withoutPrompt(known, base) {
        const { stage } = this;
        this.pending = null;
        if (!known) return stage.drawMarks();
        const nothing = emptyMask(stage.size), mask = keepHand(nothing, base, known.mask);
        if (mask.counts === nothing.counts && !known.label) return stage.commit(withoutInstance(stage.present, known.id));
        const origin = known.origin.kind === "click" ? { kind: "brush", model: null, retouched: false } : known.origin;
        stage.commit(withInstance(stage.present, { ...known, mask, origin, prompt: EMPTY_PROMPT, outline: [], work: { base: nothing } }));
    }

    #measure(timing, started) {
        requestAnimationFrame(() => setTimeout(() => {
            this.timings.push({ ...timing, total: performance.now() - started });
            this.stage.measured(this.timings.at(-1));
        }));
    }

    // -- candidates --

    mask({ seq }, k) {
        const masks = this.candidates.get(seq);
        if (!masks) return Promise.reject(new Error("forgotten"));
        masks[k] ??= call("GET", `click/${this.client}/${seq}/${k}`).then(crop => maskOfCrop(crop, this.stage.size));
        masks[k].catch(() => { masks[k] = null; });
        return masks[k];
    }

    async #fetchOthers(answer) {
        for (const seq of this.candidates.keys()) if (this.candidates.size > REMEMBERED) this.candidates.delete(seq);
        for (let k = 1; k < answer.scores.length && answer.seq === this.seq; k++) await this.mask(answer, k).catch(() => {});
        if (answer.seq === this.seq) this.stage.showCandidates();
    }

    // Takes another candidate of the active instance's newest answer.
    async choose(k) {
        const { stage } = this, { active } = stage, answer = active?.work.answer;
        if (!answer || k >= answer.scores.length || stage.locked()) return;
        const wish = (this.wish = { seq: answer.seq, k });
        if (k === answer.chosen) return;
        const chosen = await this.mask(answer, k).catch(() => null), known = find(stage.present, active.id);
        if (known !== active || this.pending || this.wish !== wish) return; // something newer happened meanwhile
        if (!chosen) return stage.tell("warn", "The server has forgotten this click's other candidates. Click again to have new ones.");
        const count = steps(known.prompt), trail = this.#extended(known.work.trail, count, answer.seq, k);
        const work = { ...known.work, base: chosen, trail, answer: { ...answer, chosen: k } };
        stage.commit(withInstance(stage.present, this.#answered(known, known.id, { work }, chosen, known.work.base)));
    }

    chooseNext() {
        const answer = this.stage.active?.work.answer;
        if (!answer) return;
        const now = this.wish?.seq === answer.seq ? this.wish.k : answer.chosen; // which may still be on its way
        this.choose((now + 1) % answer.scores.length);
    }
}
