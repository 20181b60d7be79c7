// The pointer on the canvas: panning and zooming here, everything else goes to the tool. A point has the event, `screen` (CSS
// pixels) and `at` (picture coordinates in which pixel i spans [i, i + 1)).
const LINE = 16; // CSS pixels that a wheel's line stands for

export class Pointer {
    at = null; // the newest point while the pointer is over the canvas
    space = false; // whether the panning key is held
    drag = null;

    constructor(stage, root) {
        Object.assign(this, { stage, root });
        const on = (names, act) => names.split(" ").forEach(name => root.addEventListener(name, act, { passive: false }));
        on("contextmenu", event => event.preventDefault());
        on("pointerdown", event => this.#down(event));
        on("pointermove", event => this.#move(event));
        on("pointerup pointercancel", event => this.#up(event));
        on("dblclick", event => { event.preventDefault(); this.stage.tool.double?.(this.#point(event)); });
        on("pointerenter", () => this.stage.takeFocus());
        on("pointerleave", () => { this.at = null; this.stage.drawMarks(); });
        on("wheel", event => this.#wheel(event));
    }

    get dragging() {
        return this.drag !== null;
    }

    // Ends a drag without its effect.
    cancel() {
        const { drag } = this;
        this.drag = null; // first: what the tool takes back may end here again
        if (drag?.tool) this.stage.tool.cancel?.();
        this.#cursor();
        return drag !== null;
    }

    hold(space) {
        this.space = space;
        this.#cursor();
    }

    #point(event) {
        const { view } = this.stage, screen = view.local(event);
        return { event, screen, at: view.toPicture(screen) };
    }

    #down(event) {
        const { stage } = this;
        if (!stage.sample || this.dragging || event.button > 2) return;
        event.preventDefault();
        this.root.focus({ preventScroll: true });
        stage.view.snap();
        this.root.setPointerCapture(event.pointerId);
        const point = this.#point(event), pans = this.space || event.button === 1;
        this.drag = pans ? { from: point.screen, x: stage.view.x, y: stage.view.y } : { tool: true };
        if (!pans && stage.tool.down(point) === false) this.drag = null;
        this.#cursor();
    }

    #move(event) {
        const { stage, drag } = this, point = (this.at = this.#point(event));
        if (!stage.sample) return;
        if (drag?.from) {
            stage.view.moveTo(drag.x + point.screen[0] - drag.from[0], drag.y + point.screen[1] - drag.from[1], stage.size);
            stage.draw();
        } else if (drag) {
            const parts = event.getCoalescedEvents?.() ?? [];
            for (const part of parts.length ? parts : [event]) stage.tool.move(this.#point(part));
        } else {
            stage.tool.hover?.(point);
        }
        stage.drawMarks();
    }

    #up(event) {
        const { drag } = this;
        if (event.type === "pointercancel") return void this.cancel();
        this.drag = null;
        if (drag?.tool) this.stage.tool.up(this.#point(event));
        this.#cursor();
    }

    // Wheel events have whole CSS pixels only, so zooming is about where the pointer last was.
    #wheel(event) {
        const { stage } = this;
        if (!stage.sample) return;
        event.preventDefault();
        const amount = event.deltaY * (event.deltaMode === 1 ? LINE : event.deltaMode === 2 ? stage.view.height : 1);
        if (!amount) return;
        const speed = event.ctrlKey ? 100 : 400; // a pinch on a trackpad comes as a small wheel with Ctrl
        stage.view.zoomTo(stage.view.k * Math.exp(-amount / speed), this.at?.screen ?? stage.view.local(event));
        stage.draw();
    }

    #cursor() {
        const { root, stage } = this;
        root.style.cursor = this.drag?.from ? "grabbing" : this.space ? "grab" : stage.tool?.cursor ?? "default";
    }

    refresh() {
        this.#cursor();
    }
}
