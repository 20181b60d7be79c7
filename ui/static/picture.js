// The photograph, decoded once, with halved copies of itself for the screen to be sampled from.
import { call, imageUrl, Offline, Refused } from "./api.js";

const SMALLEST = 1200; // pixels wide; below it halving saves nothing

export class Picture {
    constructor(id, levels) {
        Object.assign(this, { id, levels, width: levels[0].width, height: levels[0].height });
    }

    // `url`: where it is, unless it is a picture of the workspace.
    static async load(id, signal, url = imageUrl(id)) {
        let blob;
        try {
            const reply = await fetch(url, { signal });
            if (!reply.ok) throw new Refused(reply.status, await reply.json().catch(() => ({})));
            blob = await reply.blob();
        } catch (error) {
            if (error instanceof Refused || error.name === "AbortError") throw error;
            throw new Offline("no connection", { cause: error });
        }
        const levels = [await createImageBitmap(blob)];
        for (let last; (last = levels.at(-1)).width > SMALLEST;) {
            const half = { resizeWidth: last.width >> 1, resizeHeight: Math.max(1, last.height >> 1), resizeQuality: "medium" };
            levels.push(await createImageBitmap(last, half));
        }
        return new Picture(id, levels);
    }

    // The smallest copy that is at least `width` pixels wide.
    level(width) {
        return this.levels.findLast(bitmap => bitmap.width >= width) ?? this.levels[0];
    }

    close() {
        this.levels.forEach(bitmap => bitmap.close());
    }
}

// Has the browser fetch pictures that come next, and the server encode them after the one that is wanted now.
export function fetchAhead(ids) {
    for (const id of ids) fetch(imageUrl(id), { priority: "low" }).then(reply => reply.blob()).catch(() => {});
}

export const encode = (ids, signal) => call("POST", "encode", { image_ids: ids }, signal).then(reply => reply.images);
