// The move tool: a drag pans, a click takes up the mask below it.
import { area, contains } from "./rle.js";

const SLACK = 4; // CSS pixels before a press becomes a drag

export class MoveTool {
    cursor = "grab";
    hint = "Click a mask to take it up again · drag to pan";

    constructor(stage) {
        this.stage = stage;
    }

    down(point) {
        this.press = { ...point, x: this.stage.view.x, y: this.stage.view.y };
    }

    move({ screen }) {
        const { press, stage } = this, [dx, dy] = [screen[0] - press.screen[0], screen[1] - press.screen[1]];
        if (!press.pans && Math.hypot(dx, dy) <= SLACK) return;
        press.pans = true;
        stage.view.moveTo(press.x + dx, press.y + dy, stage.size);
        stage.draw();
    }

    up({ at }) {
        if (!this.press.pans) this.stage.activate(this.#instanceAt(at));
    }

    // The smallest of the visible masks below: what lies inside another stays within reach.
    #instanceAt(at) {
        const { present, hidden } = this.stage, [x, y] = at.map(Math.floor);
        const below = present.instances.filter(({ id, mask }) => !hidden.has(id) && contains(mask, x, y));
        return below.sort((a, b) => area(a.mask) - area(b.mask))[0]?.id ?? null;
    }

    draw() {}
}
