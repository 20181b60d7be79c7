// The stage: the sample that is open, its history, the tools, and what is drawn. Made once a page; Gradio's shells come and go.
import { Bar } from "./bar.js";
import { BrushTool } from "./brush.js";
import { Candidates } from "./candidates.js";
import { el } from "./dom.js";
import { History } from "./history.js";
import { IGNORE, Layers } from "./layers.js";
import { MoveTool } from "./move.js";
import { Panel } from "./panel.js";
import { pin } from "./marks.js";
import { paintMasks, paintPicture } from "./paint.js";
import { Pointer } from "./pointer.js";
import { PolygonTool } from "./polygon.js";
import { isTyping } from "./keys.js";
import { isEmpty } from "./rle.js";
import { find, recordOf, stateOf, withInstance, withoutInstance } from "./sample.js";
import { Prompter } from "./segment.js";
import { SmartTool } from "./smart.js";
import { Status } from "./status.js";
import { Told } from "./told.js";
import { Toolbar } from "./toolbar.js";
import { View } from "./view.js";

export class Stage {
    sample = null; // the record as it was opened; its identity, size and source never change
    history = null;
    picture = null;
    readOnly = false;
    segmenter = { name: "", model: null, reason: "" };
    target = "object"; // or IGNORE: what brush, eraser and polygon paint
    alpha = 0.45;
    peeking = false;
    hidden = new Set();
    pins = []; // of remarks: {x, y, number, old}
    layers = new Layers();

    // `desk`: what the stage asks of the page around it: {keys, changed(), act(id), question()}
    constructor(desk) {
        Object.assign(this, { desk, keys: desk.keys });
        this.canvases = ["picture", "masks", "marks"].map(name => el("canvas", { class: `ws-${name}` }));
        const loading = (this.loading = el("div", { class: "ws-loading", hidden: true }, "Loading…"));
        this.surface = el("div", { class: "ws-surface", tabindex: 0, role: "application", "aria-label": "Canvas" }, this.canvases);
        this.view = new View(this.surface, this.canvases);
        this.bar = new Bar();
        this.prompter = new Prompter(this);
        this.pointer = new Pointer(this, this.surface);
        this.tools = { smart: new SmartTool(this), brush: new BrushTool(this, false), eraser: new BrushTool(this, true), polygon: new PolygonTool(this), move: new MoveTool(this) };
        this.toolbar = new Toolbar(this, this.keys);
        this.status = new Status(this, this.keys);
        this.candidates = new Candidates(this, this.keys);
        this.panel = new Panel(this);
        this.told = new Told(this);
        const line = el("div", { class: "ws-line" }, this.toolbar.options, this.status.measures);
        const body = el("div", { class: "ws-body" }, this.toolbar.root, el("div", { class: "ws-view" }, this.surface, this.candidates.root, loading, this.told.aside, this.bar.root));
        this.root = el("div", { class: "ws-stage" }, this.status.root, this.told.strip, line, body);
        new ResizeObserver(() => this.#resized()).observe(this.surface);
        this.use("smart");
    }

    get present() {
        return this.history?.present ?? { instances: [], ignore: null, ring: null, active: null };
    }

    get active() {
        return find(this.present, this.present.active);
    }

    get size() {
        return this.sample.size;
    }

    get tool() {
        return this.tools?.[this.toolName];
    }

    get canSimplify() {
        return this.target !== IGNORE && this.active !== null && !this.present.ring && !isEmpty(this.active.mask);
    }

    get record() {
        return recordOf(this.sample, this.present, this.desk.question());
    }

    tell(kind, text, actions, topic) {
        this.bar.tell(kind, text, actions, topic);
    }

    // -- the sample --

    open(sample, picture, { readOnly, kept = false }) {
        this.prompter.cancel();
        this.pointer.cancel();
        if (this.picture?.id !== picture.id) {
            this.picture?.close();
            this.view.fitted = true;
        }
        const again = this.sample?.id === sample.id && kept; // the same sample with other content: undo reaches back over it
        Object.assign(this, { sample, picture, readOnly, layers: new Layers() });
        if (again) this.history.commit(stateOf(sample));
        else {
            this.history = new History(stateOf(sample));
            this.hidden.clear();
            this.target = "object";
        }
        if (this.view.snap() && this.view.fitted) this.view.fit(this.size);
        this.refresh();
        this.draw();
    }

    // -- changes --

    // The one way to change what is saved. Changes with the same `tag` in a row are one step for undo.
    commit(state, tag) {
        this.history.commit(state, tag);
        this.settle();
    }

    // A change that is still going on, such as a corner being dragged: painted now, saved by `settle`.
    preview(state, tag) {
        this.history.commit(state, tag);
        this.#repaint();
    }

    settle() {
        this.refresh();
        this.desk.changed();
    }

    // Takes the newest change back, whatever else is going on.
    revert() {
        if (this.history.undo()) this.settle();
    }

    undo() {
        this.#travel(() => this.history.undo());
    }

    redo() {
        this.#travel(() => this.history.redo());
    }

    #travel(step) {
        if (this.pointer.cancel() || this.prompter.cancel()) return this.refresh(); // what was only begun goes first
        if (this.readOnly || !step()) return;
        if (this.present.ring) this.toolName = "polygon"; // where it can be seen and closed
        this.settle();
    }

    activate(id) {
        if (!this.history || (this.present.active === id && this.target !== IGNORE && !this.present.ring)) return;
        this.prompter.cancel();
        this.target = "object";
        const state = { ...this.present, active: id, ring: null };
        if (this.present.ring) this.history.commit(state); // so that undo brings the corners back
        else this.history.touch(state);
        this.refresh();
        this.panel.scrollTo(id);
    }

    setLabel(id, label) {
        if (this.readOnly) return this.panel.show();
        const instance = find(this.present, id);
        this.commit({ ...withInstance(this.present, { ...instance, label }), active: this.present.active }, `label:${id}`);
    }

    remove(id) {
        if (this.locked(true)) return;
        this.prompter.cancel();
        this.hidden.delete(id);
        this.commit(id === IGNORE ? { ...this.present, ignore: null } : withoutInstance(this.present, id));
        if (id === IGNORE && this.target === IGNORE) this.aim("object");
    }

    toggleHidden(id) {
        if (!this.hidden.delete(id)) this.hidden.add(id);
        this.refresh();
    }

    // Whether nothing may be changed now, and says why. The ignore region may be painted on no-target samples too.
    locked(ignore = false) {
        if (this.readOnly) this.tell("info", this.desk.locked);
        else if (!ignore && this.desk.question().no_target) {
            this.tell("warn", "This sample is marked as no-target: nothing in the picture answers the question.", [["Untick no-target", () => this.desk.untick()]]);
        } else return !this.sample;
        return true;
    }

    // -- tools --

    use(name) {
        this.pointer.cancel();
        if (name !== "polygon" && this.sample && this.present.ring) {
            this.history.commit({ ...this.present, ring: null });
            this.tell("info", "The polygon that was not closed is dropped; undo brings it back.");
        }
        this.toolName = name;
        if (name === "smart") this.target = "object";
        this.refresh();
    }

    aim(target) {
        this.pointer.cancel();
        this.target = target;
        if (target === IGNORE && !["brush", "eraser", "polygon"].includes(this.toolName)) this.toolName = "brush";
        this.refresh();
    }

    // What a key or button stands for; false when there is nothing to do, so that the key keeps its own meaning.
    act(id, pressed = true) {
        if (id === "pan") return this.pointer.hold(pressed);
        if (id === "peek") return this.#peek(pressed);
        if (this.pointer.dragging && id !== "cancel" && id !== "smaller" && id !== "larger") return;
        if (this.history && this.tool.act?.(id)) return;
        const number = /^candidate(\d)$/.exec(id)?.[1];
        if (number) return void this.prompter.choose(number - 1);
        if (this.tools[id]) return this.use(id);
        const own = {
            ignore: () => this.aim(this.target === IGNORE ? "object" : IGNORE), undo: () => this.undo(), redo: () => this.redo(), accept: () => this.activate(null),
            cancel: () => this.#cancel(), back: () => {}, smaller: () => this.tools.brush.act(id), larger: () => this.tools.brush.act(id),
            delete: () => this.present.active !== null && this.remove(this.present.active), fit: () => this.#zoom(null), actual: () => this.#zoom(1 / this.view.dpr),
            zoomIn: () => this.#zoom(this.view.k * 1.5), zoomOut: () => this.#zoom(this.view.k / 1.5),
            label: () => this.active && this.panel.editLabel(this.active.id),
            nextCandidate: () => (this.candidates.root.hidden ? false : void this.prompter.chooseNext()),
        };
        return own[id] ? own[id]() : this.desk.act(id);
    }

    #cancel() {
        this.bar.clear();
        if (isTyping(document.activeElement)) return this.takeFocus(true);
        if (this.pointer.cancel() || this.prompter.cancel()) return this.refresh();
        if (this.target === IGNORE) this.aim("object");
        else this.activate(null);
    }

    #peek(pressed) {
        this.peeking = pressed;
        this.draw();
    }

    #zoom(k) {
        if (!this.sample) return;
        if (k === null) this.view.fit(this.size);
        else this.view.zoomTo(k, this.pointer.at?.screen ?? [this.view.width / 2, this.view.height / 2]);
        this.draw();
    }

    // Brings a pixel into the middle, near enough to see it.
    lookAt([x, y]) {
        const { view } = this, middle = [view.width / 2, view.height / 2];
        view.zoomTo(Math.max(view.k, 1), middle);
        view.moveTo(middle[0] - x * view.k, middle[1] - y * view.k, this.size);
        this.draw();
    }

    // The canvas takes the keys, unless somebody is writing.
    takeFocus(always = false) {
        if (always || !isTyping(document.activeElement)) this.surface.focus({ preventScroll: true });
    }

    // -- drawing --

    // Everything that follows the state: masks where they changed, marks, list, buttons.
    refresh() {
        this.#repaint();
        this.tools?.polygon && this.toolName === "polygon" && this.history && this.tools.polygon.changed();
        this.pointer.refresh();
        this.toolbar?.show();
        this.panel?.show();
        this.candidates?.show();
    }

    #repaint() {
        const started = performance.now(), changed = this.layers.sync(this.present, this.hidden);
        if (changed) this.paintMasks(changed);
        this.repainted = performance.now() - started; // milliseconds
        this.drawMarks();
    }

    paintMasks(area) {
        if (this.sample && this.view.width && !this.drawing) paintMasks(this.canvases[1], this.view, this.size, this.peeking ? [] : this.layers.entries, this.alpha, area);
    }

    // Everything again, in the next frame.
    draw() {
        this.drawing ??= requestAnimationFrame(() => {
            this.drawing = null;
            if (!this.picture || !this.view.snap()) return;
            paintPicture(this.canvases[0], this.view, this.picture);
            const masks = this.canvases[1];
            masks.getContext("2d").clearRect(0, 0, masks.width, masks.height);
            this.paintMasks();
            this.status.showZoom(this.view.k * this.view.dpr);
            this.#drawMarks();
        });
    }

    drawMarks() {
        this.marking ??= requestAnimationFrame(() => {
            this.marking = null;
            this.#drawMarks();
        });
    }

    #drawMarks() {
        const canvas = this.canvases[2], context = canvas.getContext("2d"), { view } = this;
        context.setTransform(view.dpr, 0, 0, view.dpr, 0, 0);
        context.clearRect(0, 0, view.width, view.height);
        if (!this.sample || this.peeking) return;
        if (this.toolName !== "smart") this.tool.draw(context, view);
        if (this.toolName === "smart" || this.active) this.tools.smart.draw(context, view);
        for (const one of this.pins) pin(context, view.toScreen([one.x, one.y]), one);
    }

    #resized() {
        if (!this.view.snap() || !this.sample) return; // in a hidden tab: keep everything
        if (this.view.fitted) this.view.fit(this.size);
        this.draw();
    }

    showOptions() {
        this.toolbar.showOptions();
    }

    showCandidates() {
        this.candidates.show();
    }

    measured(timing) {
        this.status.showClick(timing);
    }
}
