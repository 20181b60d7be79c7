// Who works on which sample. In a team, opening a sample claims it; the page keeps its claim alive, and gives it back when the
// sample is left. A dead page's claim ends by itself. Without a team everything is free.
import { call, Refused, samplePath } from "./api.js";

const AGAIN = 5000; // milliseconds between questions whether a sample that somebody else has is free by now

export class Leases {
    open = null; // of the open sample: {id, lease: {token, seconds, …} | null, holder: who else has it}

    // `told`: {changed(id): the open sample was taken by somebody, or is free by now; saved(id): a promise of its last save}
    constructor(team, told) {
        Object.assign(this, { team, told });
        if (!team) return;
        addEventListener("pagehide", () => this.#leave(this.open, true));
        for (const name of ["pageshow", "online"]) addEventListener(name, () => this.#later(0));
        document.addEventListener("visibilitychange", () => !document.hidden && this.#later(0)); // a hidden page's timers sleep
    }

    get holder() {
        return this.open?.holder ?? null;
    }

    // {lease}; {holder} when it is somebody else's; {barred} when it is never one's own.
    async claim(id) {
        if (!this.team) return {};
        try {
            const lease = await call("POST", `${samplePath(id)}/lease`);
            if (this.open?.id === id && this.open.lease) this.open.lease = lease;
            return { lease };
        } catch (error) {
            if (error instanceof Refused && error.kind === "lease_held") return { holder: error.facts.holder };
            if (error instanceof Refused && error.kind === "forbidden") return { barred: true }; // another person's: it opens locked
            throw error;
        }
    }

    // Claims the next sample to be worked on, behind one; its id, or null when there is none.
    async next(after) {
        const { lease } = await call("POST", "samples/next", { after });
        return lease?.sample_id ?? null;
    }

    // Keeps what `claim` has brought; the sample that was open before is given back once it is saved.
    enter(id, { lease = null, holder = null, barred = false }) {
        if (!this.team) return;
        const before = this.open;
        this.open = { id, lease, holder, barred };
        this.#later();
        if (before && before.id !== id) this.told.saved(before.id).catch(() => {}).then(() => before.id !== this.open.id && this.#leave(before));
    }

    // Gives the open sample back.
    async end() {
        clearTimeout(this.timer);
        await this.#leave(this.open);
        this.open = null;
    }

    #later(wait) {
        clearTimeout(this.timer);
        const { open } = this;
        if (open && !open.barred) this.timer = setTimeout(() => this.#beat(open), wait ?? (open.lease ? (1000 * open.lease.seconds) / 3 : AGAIN));
    }

    async #beat(open) {
        try {
            if (!open.lease || !(await this.#renew(open))) await this.#ask(open);
        } catch {
            // no connection, or signed out: saving says so; a later beat may come through
        }
        if (open === this.open) this.#later();
    }

    // False when the claim is lost.
    async #renew(open) {
        try {
            open.lease = await call("PUT", `${samplePath(open.id)}/lease`, { token: open.lease.token });
            return true;
        } catch (error) {
            if (error.kind === "lease_lost") return false;
            throw error;
        }
    }

    async #ask(open) {
        const { lease = null, holder = null } = await this.claim(open.id), before = open.holder;
        if (open !== this.open) return;
        Object.assign(open, { lease, holder });
        if (holder !== before) this.told.changed(open.id);
    }

    async #leave(open, keepalive = false) {
        if (!open?.lease) return;
        await call("DELETE", `${samplePath(open.id)}/lease`, { token: open.lease.token }, undefined, keepalive).catch(() => {}); // it ends by itself
    }
}
