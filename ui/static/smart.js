// The smart tool: a left click is on the object, a right click or Alt+click is not, a drag is a box, a click on a mark removes it.
import { dot } from "./marks.js";

const SLACK = 4, REACH = 9; // CSS pixels: before a press becomes a drag; around a mark
const AGAIN = 300; // milliseconds

export class SmartTool {
    cursor = "crosshair";
    hint = "Click the object · right click what does not belong · drag a box";
    box = null;

    constructor(stage) {
        this.stage = stage;
    }

    down(point) {
        if (this.stage.locked()) return false;
        const { event } = point;
        this.press = { ...point, positive: event.button === 0 && !event.altKey };
    }

    move({ screen, at }) {
        const [x, y] = this.press.screen;
        if (this.press.positive && (this.box || Math.hypot(screen[0] - x, screen[1] - y) > SLACK)) this.box = this.#boxTo(at);
    }

    up() {
        const { press, box } = this, { prompter } = this.stage;
        this.cancel();
        if (box) {
            if (box.x1 - box.x0 >= 1 && box.y1 - box.y0 >= 1) prompter.setBox(box);
            return;
        }
        const mark = this.#markAt(press.screen);
        // The second click of somebody impatient, or of a double click, is no wish to take the first one back.
        const isNewest = mark === prompter.prompt.points.length - 1;
        if (isNewest && (prompter.pending || performance.now() - this.placed < AGAIN)) return;
        if (mark !== null) return prompter.removePoint(mark);
        const [x, y] = press.at, [height, width] = this.stage.size;
        if (x < 0 || y < 0 || x >= width || y >= height) return;
        this.placed = performance.now();
        prompter.addPoint({ x: rounded(x - 0.5), y: rounded(y - 0.5), positive: press.positive }); // whole numbers at pixel centres
    }

    hover({ screen }) {
        this.over = this.#markAt(screen);
    }

    cancel() {
        this.press = this.box = null;
    }

    act(action) {
        if (action !== "back" || this.stage.locked()) return false;
        this.stage.prompter.removeLast();
        return true;
    }

    draw(context, view) {
        const { points, box } = this.stage.prompter.prompt, shown = this.box ?? box;
        if (shown) {
            const [x0, y0] = view.toScreen([shown.x0 + 0.5, shown.y0 + 0.5]), [x1, y1] = view.toScreen([shown.x1 + 0.5, shown.y1 + 0.5]);
            for (const [colour, offset] of [["#000c", 0], ["#fff", 5]]) {
                Object.assign(context, { strokeStyle: colour, lineWidth: 1.5, lineDashOffset: offset });
                context.setLineDash([5, 5]);
                context.strokeRect(x0, y0, x1 - x0, y1 - y0);
            }
            context.setLineDash([]);
        }
        points.forEach((point, i) => dot(context, view.toScreen([point.x + 0.5, point.y + 0.5]), point.positive, i === this.over && !this.press));
    }

    #boxTo([x, y]) {
        const [a, b] = this.press.at, [height, width] = this.stage.size;
        const clip = (value, end) => rounded(Math.min(end, Math.max(0, value)) - 0.5);
        return {
            x0: clip(Math.min(a, x), width), y0: clip(Math.min(b, y), height), x1: clip(Math.max(a, x), width), y1: clip(Math.max(b, y), height),
        };
    }

    #markAt([x, y]) {
        const { view, prompter } = this.stage;
        const near = prompter.prompt.points.findLastIndex(point => {
            const [px, py] = view.toScreen([point.x + 0.5, point.y + 0.5]);
            return Math.hypot(px - x, py - y) <= REACH;
        });
        return near < 0 ? null : near;
    }
}

const rounded = value => Math.round(value * 100) / 100; // finer than any screen, and short to write
