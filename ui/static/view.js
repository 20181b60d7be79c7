// Where the picture lies on the screen: k CSS pixels a picture pixel, its top-left corner at (x, y) of the canvas.
const LARGEST = 64, MARGIN = 12;

export class View {
    k = 1;
    x = 0;
    y = 0;
    dpr = 1;
    shift = [0, 0];
    width = 0;
    height = 0;
    fitted = true; // whether a resize should fit the picture again

    constructor(root, canvases) {
        Object.assign(this, { root, canvases });
    }

    // Gradio's columns start at fractions of a pixel. A canvas there is painted up to half a pixel away from where the
    // mouse is measured, so the canvases are put on whole device pixels. Returns false while nothing is visible.
    snap() {
        const box = this.root.getBoundingClientRect(), dpr = devicePixelRatio, unit = Number.isInteger(dpr) ? 1 : 1 / dpr;
        if (!box.width || !box.height) return false;
        const left = Math.ceil(box.left / unit) * unit, top = Math.ceil(box.top / unit) * unit;
        const width = Math.floor(box.right / unit) * unit - left, height = Math.floor(box.bottom / unit) * unit - top;
        this.shift = [left - box.left, top - box.top];
        const [w, h] = [Math.round(width * dpr), Math.round(height * dpr)];
        Object.assign(this, { dpr, width, height });
        for (const canvas of this.canvases) {
            const style = { left: `${this.shift[0]}px`, top: `${this.shift[1]}px`, width: `${width}px`, height: `${height}px` };
            Object.assign(canvas.style, style);
            if (canvas.width !== w) canvas.width = w;
            if (canvas.height !== h) canvas.height = h;
        }
        return true;
    }

    // CSS pixels from the canvas' top-left corner, and picture coordinates in which pixel i spans [i, i + 1).
    local(event) {
        const box = this.root.getBoundingClientRect();
        return [event.clientX - box.left - this.shift[0], event.clientY - box.top - this.shift[1]];
    }

    toPicture([x, y]) {
        return [(x - this.x) / this.k, (y - this.y) / this.k];
    }

    toScreen([x, y]) {
        return [x * this.k + this.x, y * this.k + this.y];
    }

    fit([height, width]) {
        const k = Math.max(0.01, Math.min((this.width - 2 * MARGIN) / width, (this.height - 2 * MARGIN) / height, LARGEST));
        Object.assign(this, { k, x: (this.width - k * width) / 2, y: (this.height - k * height) / 2, fitted: true });
    }

    zoomTo(k, [x, y]) {
        const to = Math.min(LARGEST, Math.max(0.01, k)), factor = to / this.k;
        Object.assign(this, { k: to, x: x - (x - this.x) * factor, y: y - (y - this.y) * factor, fitted: false });
    }

    // The picture's corner dragged to (x, y), but never out of sight.
    moveTo(x, y, [height, width]) {
        const keep = 40, within = (value, low, high) => Math.min(high, Math.max(low, value));
        this.x = within(x, keep - width * this.k, this.width - keep);
        this.y = within(y, keep - height * this.k, this.height - keep);
        this.fitted = false;
    }
}
