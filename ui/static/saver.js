// Autosave. A change goes to the journal at once and to the server a moment later; it leaves the journal only when the
// server has acknowledged that very edit. An edit that was sent is sent again, under its name, until it is answered, before
// any later one: a reply that was lost must not look like somebody else's change.
import { call, Offline, Refused, samplePath } from "./api.js";
import { random } from "./dom.js";

const PAUSE = 700, LONGEST = 4000, RETRY = 2000, PATIENCE = 15_000; // milliseconds
const DECIDED_BY_PEOPLE = ["stale_parent", "illegal_transition"]; // whatever else is refused may pass after the next change

export class Saver {
    entries = new Map(); // sample → its journal entry
    heads = new Map(); // sample → {revision, number, state} as the server last told
    held = new Map(); // sample → why its entry is not sent: the server's refusal, until somebody decides
    offline = false;

    // `told`: {changed(sample), saved(sample, head), refused(sample, refusal), unkept(error), claim(sample): whether one has it now}
    constructor(journal, told) {
        Object.assign(this, { journal, told });
    }

    async start() {
        await this.adopt();
        addEventListener("online", () => this.#later(0));
        setInterval(() => this.entries.forEach(entry => this.#keep(entry)), 20_000); // signs of life, where there are no locks
        this.#later(0);
    }

    async adopt() {
        if (!this.journal) return;
        for (const [sample, entry] of await this.journal.adopt()) if (!this.entries.has(sample)) this.entries.set(sample, entry);
    }

    opened(sample, head) {
        this.heads.set(sample, head);
        this.held.delete(sample); // asked again: it may be free to go now
        if (this.entries.has(sample)) this.#later(0);
    }

    change(sample, record) {
        const { revision, number } = this.heads.get(sample), before = this.entries.get(sample);
        const latest = { edit: random(), record }, entry = { parent: revision, number, sent: null, ...before, sample, latest };
        this.entries.set(sample, entry);
        if (!DECIDED_BY_PEOPLE.includes(this.held.get(sample)?.kind)) this.held.delete(sample);
        this.since ??= Date.now();
        this.told.changed(sample);
        this.#keep(entry);
        this.#later(Math.min(PAUSE, Math.max(0, this.since + LONGEST - Date.now())));
    }

    // "saved", "saving", "offline" or "held".
    status(sample) {
        if (!this.entries.has(sample)) return "saved";
        if (this.held.has(sample)) return "held";
        return this.offline ? "offline" : "saving";
    }

    // Resolves with the head once everything of this sample is saved; throws what stands in the way.
    async flush(sample) {
        while (this.entries.has(sample)) {
            if (this.held.has(sample)) throw this.held.get(sample);
            await this.#drain();
            if (this.offline && this.entries.has(sample)) throw new Offline("no connection");
        }
        return this.heads.get(sample);
    }

    // After a refusal: what is saved now, on top of `parent`; a record of null gives the change up.
    async resolve(sample, head, record) {
        this.heads.set(sample, head);
        this.held.delete(sample);
        const entry = this.entries.get(sample);
        this.entries.delete(sample);
        if (record) this.change(sample, record);
        else if (entry) await this.journal?.remove(entry);
        this.told.changed(sample);
    }

    #keep(entry) {
        return this.journal?.put(entry).catch(error => this.told.unkept(error));
    }

    #later(wait) {
        clearTimeout(this.timer);
        this.timer = setTimeout(() => this.#drain(), wait);
    }

    #drain() {
        return (this.draining ??= this.#push().finally(() => { this.draining = null; }));
    }

    async #push() {
        this.since = null;
        let asked = null;
        for (let entry; (entry = [...this.entries.values()].find(one => !this.held.has(one.sample)));) {
            entry.sent ??= entry.latest;
            await this.#keep(entry);
            const { sample, parent, sent } = entry, body = { edit: sent.edit, parent, sample: sent.record };
            try {
                const head = await call("PUT", samplePath(sample), body, AbortSignal.timeout(PATIENCE));
                this.#connection(true);
                await this.#acknowledge(sample, sent.edit, head);
            } catch (error) {
                if (!(error instanceof Refused) || error.status === 401 || error.status === 429 || error.status >= 500) {
                    this.#connection(false, error);
                    return this.#later(RETRY);
                }
                this.#connection(true);
                if (error.kind === "lease_lost" && asked !== sent.edit && (await this.told.claim(sample).catch(() => false))) {
                    asked = sent.edit; // once: the sample was free
                    continue;
                }
                const now = this.entries.get(sample);
                if (now?.sent?.edit !== sent.edit) continue;
                now.sent = null; // it was answered
                if (now.latest.edit === sent.edit) this.#hold(sample, error); // else what came after it is asked about
            }
        }
    }

    async #acknowledge(sample, edit, head) {
        const entry = this.entries.get(sample);
        this.heads.set(sample, head);
        if (entry?.sent?.edit === edit) {
            if (entry.latest.edit === edit) {
                this.entries.delete(sample);
                await this.journal?.remove(entry).catch(error => this.told.unkept(error));
            } else {
                Object.assign(entry, { parent: head.revision, number: head.number, sent: null });
                await this.#keep(entry);
            }
        }
        this.told.saved(sample, head);
        this.told.changed(sample);
    }

    #hold(sample, refusal) {
        this.held.set(sample, refusal);
        this.told.refused(sample, refusal);
        this.told.changed(sample);
    }

    #connection(works, error) {
        const before = this.offline;
        this.offline = !works;
        this.problem = works ? null : error;
        if (before !== this.offline || error) this.entries.forEach((_, sample) => this.told.changed(sample));
    }
}
