// The polygon tool: corners are clicked, and the corners of the instance in work are dragged, added and taken away. A mask that
// has no outline yet is traced by the server; that outline is a draft until somebody moves a corner or takes it.
import { call, explain } from "./api.js";
import { IGNORE } from "./layers.js";
import { corner, line } from "./marks.js";
import { rasterize } from "./raster.js";
import { cornerAt, edgeAt, onEdge, withCorner, withNewCorner, withoutCorner } from "./rings.js";
import { isEmpty, subtract, union } from "./rle.js";
import { EMPTY_PROMPT, nextId, withInstance, withoutInstance } from "./sample.js";

// CSS pixels: around a corner or edge; before a press becomes a drag; one place; between corners that are still shown; of a
// ring too small for corners.
const REACH = 8, SLACK = 2, SAME = 3, CROWDED = 7, SPECK = 40;
export const TOLERANCES = [0, 0.25, 0.5, 1, 1.5, 2, 3, 4, 6, 8, 12]; // picture pixels
const WAIT = 80; // milliseconds after the slider's last step

export class PolygonTool {
    cursor = "crosshair";
    step = 3; // place in TOLERANCES
    draft = null; // {id, mask, rings, iou, vertices}: the server's outline of the instance in work
    edits = 0;

    constructor(stage) {
        this.stage = stage;
    }

    get hint() {
        const { ring } = this.stage.present;
        if (ring) return ring.length < 3 ? "Click the corners" : "Click the first corner, double-click or press Enter to close";
        if (this.stage.target === IGNORE) return "Click corners around what does not count; inside the region they cut a hole";
        return this.#rings().length ? "Drag corners · click an edge for a new one · Delete takes one away" : "Click the corners of the object";
    }

    // The outline that can be changed now: the draft that somebody asked for, else the instance's own, else the draft.
    #rings() {
        const { active, target } = this.stage;
        if (target === IGNORE || !active) return [];
        return active.outline.length && !this.wanted ? active.outline : this.#current()?.rings ?? [];
    }

    // The draft, if it is of the mask in work.
    #current() {
        const { active } = this.stage;
        return active && this.draft?.id === active.id && this.draft.mask === active.mask ? this.draft : null;
    }

    // What the slider says of the outline.
    get kept() {
        const draft = this.#current(), { active } = this.stage;
        if (draft?.iou !== undefined) return `${draft.vertices} corners keep IoU ${draft.iou.toFixed(3)}`;
        return active?.outline.length ? `${active.outline.flat().length} corners` : "…";
    }

    // Whether there is a draft that somebody has asked for.
    get wanted() {
        const draft = this.#current();
        return Boolean(draft?.wanted && draft.rings.length);
    }

    // Called when the tool is taken and after every change of the state.
    changed() {
        const { active, target, present } = this.stage;
        if (target === IGNORE || !active || present.ring || isEmpty(active.mask)) return this.#forget();
        if (this.#current()) return;
        if (active.outline.length) this.#forget();
        else this.trace(this.step);
    }

    #forget() {
        this.controller?.abort();
        this.draft = null;
    }

    // Asks for the outline of the instance in work, simplified by a step of the slider; `wanted`: by a person.
    async trace(step, wanted = false) {
        const { stage } = this, { id, mask } = stage.active;
        this.step = step;
        this.controller?.abort();
        const { signal } = (this.controller = new AbortController());
        this.draft = { rings: [], ...this.#current(), id, mask };
        this.draft.wanted ||= wanted;
        await new Promise(resolve => setTimeout(resolve, wanted ? WAIT : 0));
        if (signal.aborted) return;
        try {
            const outline = await call("POST", "outline", { mask, tolerance: TOLERANCES[step] }, signal);
            this.draft = { ...this.draft, ...outline };
            stage.showOptions();
            stage.drawMarks();
        } catch (error) {
            if (error.name !== "AbortError") stage.tell("error", `The outline could not be made. ${explain(error)}`);
        }
    }

    // The draft becomes the instance's outline, and its pixels the mask.
    take() {
        const { rings } = this.draft;
        this.#reshape(rings, `take:${++this.edits}`);
        this.stage.settle();
    }

    // -- pointer --

    down({ event, screen, at }) {
        const { stage } = this;
        if (stage.locked(stage.target === IGNORE) || event.button === 1) return false;
        this.press = { screen, at };
        if (stage.present.ring) return event.button === 0 ? undefined : false;
        const rings = this.#rings(), [found, edge] = this.#find(at);
        if (found && (event.button === 2 || event.altKey)) {
            this.#removeCorner(found);
            return false;
        }
        if (event.button !== 0) return false;
        this.edits += 1;
        this.selected = found;
        this.moved = edge !== null;
        if (edge) {
            const corners = rings[edge.ring], place = onEdge(corners[edge.index], corners[(edge.index + 1) % corners.length], at);
            this.#reshape(withNewCorner(rings, edge, place), this.#tag());
            this.selected = { ring: edge.ring, index: edge.index + 1 };
        }
        this.held = this.selected;
        this.owner = stage.present.active; // whose corner it is
    }

    move({ screen, at }) {
        const [x, y] = this.press.screen;
        if (!this.held || (!this.moved && Math.hypot(screen[0] - x, screen[1] - y) <= SLACK)) return;
        const rings = withCorner(this.#rings(), this.held, at.map(rounded));
        this.moved = true;
        this.#reshape(rings, this.#tag());
    }

    up({ screen, at }) {
        const { held, press } = this;
        this.held = this.press = null;
        if (held) return this.moved ? this.stage.settle() : undefined;
        if (Math.hypot(screen[0] - press.screen[0], screen[1] - press.screen[1]) > 2 * REACH) return;
        this.#addCorner(at);
    }

    hover({ at }) {
        [this.over, this.edge] = this.stage.present.ring ? [null, null] : this.#find(at);
    }

    cancel() {
        const moved = this.held && this.moved;
        this.held = this.press = null;
        if (moved) this.stage.revert();
    }

    // The corner under a point, and if there is none, the edge.
    #find(at) {
        const rings = this.#rings(), reach = REACH / this.stage.view.k, found = cornerAt(rings, at, reach);
        return [found, found ? null : edgeAt(rings, at, reach)];
    }

    // -- keys --

    act(action) {
        const { stage } = this, { ring } = stage.present;
        if (action === "accept" && ring) return this.close();
        if (action === "accept" && this.wanted) {
            this.take();
            return true;
        }
        if (action === "cancel" && this.wanted) {
            this.#forget();
            this.changed();
            stage.showOptions();
            stage.drawMarks();
            return true;
        }
        if (action === "cancel" && ring) {
            stage.commit({ ...stage.present, ring: null });
            return true;
        }
        if (action !== "back" && action !== "delete") return false;
        if (ring) {
            stage.commit({ ...stage.present, ring: ring.length > 1 ? ring.slice(0, -1) : null });
            return true;
        }
        const chosen = (this.owner === stage.present.active && this.selected) || this.over;
        if (!chosen || !this.#rings()[chosen.ring]?.[chosen.index] || stage.locked()) return false;
        this.#removeCorner(chosen);
        return true;
    }

    #addCorner(at) {
        const { stage } = this, ring = stage.present.ring ?? [], place = at.map(rounded);
        const near = (other, reach) => other && Math.hypot(other[0] - at[0], other[1] - at[1]) * stage.view.k <= reach;
        if (ring.length >= 3 && (near(ring[0], REACH) || near(ring.at(-1), SAME))) return this.close();
        if (!near(ring.at(-1), SAME)) stage.commit({ ...stage.present, ring: [...ring, place] });
    }

    // Ends the ring. Drawn inside the mask it is a hole, elsewhere it adds what it encloses.
    close() {
        const { stage } = this, { present, active, size, target } = stage, { ring } = present;
        if (ring.length < 3) {
            stage.tell("info", "A polygon needs three corners. Escape drops it.");
            return true;
        }
        const drawn = rasterize([ring], size), state = { ...present, ring: null }, before = target === IGNORE ? present.ignore : active?.mask;
        const inside = before && isEmpty(subtract(drawn, before)), mask = before ? (inside ? subtract : union)(before, drawn) : drawn;
        if (isEmpty(drawn)) stage.tell("info", "That polygon encloses no pixel's centre.");
        if (isEmpty(drawn) || target === IGNORE) {
            stage.commit(isEmpty(drawn) ? state : { ...state, ignore: isEmpty(mask) ? null : mask });
        } else if (active) {
            const apart = inside || subtract(drawn, before).counts === drawn.counts; // else the rings would cross
            const outline = active.outline.length && apart ? [...active.outline, ring] : [];
            stage.commit(withInstance(state, this.#changed(mask, outline)));
        } else {
            const origin = { kind: "polygon", model: null, retouched: false };
            stage.commit(withInstance(state, { id: nextId(present), mask, label: "", prompt: EMPTY_PROMPT, outline: [ring], origin, work: {} }));
        }
        return true;
    }

    #removeCorner(chosen) {
        this.edits += 1;
        this.selected = this.over = null;
        this.#reshape(withoutCorner(this.#rings(), chosen), this.#tag());
        this.stage.settle();
    }

    #tag() {
        return `corner:${this.edits}`;
    }

    // The instance in work with new rings, and their pixels as its mask.
    #reshape(rings, tag) {
        const { stage } = this, { active, present, size } = stage;
        if (!rings.length) return stage.preview(withoutInstance(present, active.id), tag);
        stage.preview(withInstance(present, this.#changed(rasterize(rings, size), rings)), tag);
    }

    // Without any prompt a drawn mask is a polygon's; else a hand has retouched it.
    #changed(mask, outline) {
        const { active } = this.stage, { origin, work } = active, same = mask.counts === active.mask.counts;
        const base = work.base ?? (origin.retouched || origin.kind !== "click" ? undefined : active.mask);
        return { ...active, mask, outline, origin: { ...origin, retouched: origin.retouched || (origin.kind !== "polygon" && !same) }, work: { ...work, base } };
    }

    // -- drawing --

    draw(context, view) {
        const rings = this.#rings(), { ring } = this.stage.present, { at } = this.stage.pointer;
        for (const [r, corners] of rings.entries()) {
            const screen = corners.map(place => view.toScreen(place));
            line(context, screen, { closed: true });
            const length = screen.reduce((sum, [x, y], i) => sum + Math.hypot(x - screen.at(i - 1)[0], y - screen.at(i - 1)[1]), 0);
            const isOne = (chosen, i) => chosen?.ring === r && chosen.index === i;
            screen.forEach((place, i) => {
                const look = { selected: isOne(this.selected, i), over: isOne(this.over, i) };
                if (look.selected || look.over || (length > SPECK && length / screen.length > CROWDED)) corner(context, place, look);
            });
        }
        if (this.edge && !this.held && at && rings[this.edge.ring]) {
            const corners = rings[this.edge.ring];
            corner(context, view.toScreen(onEdge(corners[this.edge.index], corners[(this.edge.index + 1) % corners.length], at.at)), { over: true });
        }
        if (!ring) return;
        const screen = ring.map(place => view.toScreen(place));
        line(context, at ? [...screen, at.screen] : screen, { dashed: true });
        const closes = at && ring.length >= 3 && Math.hypot(screen[0][0] - at.screen[0], screen[0][1] - at.screen[1]) <= REACH;
        screen.forEach((place, i) => corner(context, place, { selected: i === 0 && ring.length >= 3, over: i === 0 && closes }));
    }
}

const rounded = value => Math.round(value * 100) / 100;
