// The outbox of edits that the server has not acknowledged, on disk in the browser (IndexedDB): one entry a sample and tab.
// An entry: {sample, tab, at, parent, number, latest: {edit, record}, sent: {edit, record} | null}.
import { random } from "./dom.js";

const STORE = "edits", TAB = "whyseg.tab", LOCK = "whyseg-tab-";
const DEAD = 60_000; // milliseconds without a sign of life, where locks cannot tell

export class Journal {
    constructor(database, tab) {
        Object.assign(this, { database, tab });
    }

    static async open(name) {
        const [tab, database] = await Promise.all([claimTab(), openDatabase(name)]);
        return new Journal(database, tab);
    }

    // Resolves once the entry is on disk.
    put(entry) {
        return this.#work(store => store.put({ ...entry, tab: this.tab, at: Date.now() }));
    }

    remove(entry) {
        return this.#work(store => store.delete([entry.sample, this.tab]));
    }

    // This tab's entries, with those of tabs that live no more; where both have one of a sample, the other's stays for later.
    async adopt() {
        const living = await livingTabs();
        const isDead = entry => entry.tab !== this.tab && (living ? !living.has(entry.tab) : Date.now() - entry.at > DEAD);
        const all = await this.#work(store => store.getAll());
        const mine = new Map(all.filter(entry => entry.tab === this.tab).map(entry => [entry.sample, entry]));
        const dead = all.filter(isDead).sort((a, b) => b.at - a.at).filter(entry => !mine.has(entry.sample));
        for (const entry of dead) {
            if (mine.has(entry.sample)) continue;
            const taken = { ...entry, tab: this.tab };
            await this.#work(store => {
                store.delete([entry.sample, entry.tab]);
                return store.put(taken);
            });
            mine.set(entry.sample, taken);
        }
        return mine;
    }

    #work(act) {
        const transaction = this.database.transaction(STORE, "readwrite", { durability: "strict" });
        const request = act(transaction.objectStore(STORE));
        return new Promise((resolve, reject) => {
            transaction.oncomplete = () => resolve(request.result);
            transaction.onerror = transaction.onabort = () => reject(transaction.error);
        });
    }
}

function openDatabase(name) {
    return new Promise((resolve, reject) => {
        const request = indexedDB.open(name, 1);
        request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: ["sample", "tab"] });
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
    });
}

// The tab's id lives as long as the tab. A duplicated tab starts with its original's id and must take another.
async function claimTab() {
    const known = sessionStorage.getItem(TAB);
    for (let tries = known ? 5 : 0; tries > 0; tries--) {
        if (await hold(known)) return known;
        await new Promise(resolve => setTimeout(resolve, 100)); // a page that is just being reloaded still has the lock
    }
    const id = random();
    sessionStorage.setItem(TAB, id);
    await hold(id);
    return id;
}

// True once this page holds its tab's lock, which the browser frees when the page ends, however it ends.
function hold(id) {
    if (!navigator.locks) return Promise.resolve(true); // neither https nor localhost
    return new Promise(resolve => {
        navigator.locks.request(LOCK + id, { ifAvailable: true }, lock => {
            resolve(lock !== null);
            return lock && new Promise(() => {});
        });
    });
}

// The ids of the tabs that live, or null where that cannot be known.
async function livingTabs() {
    if (!navigator.locks) return null;
    const { held } = await navigator.locks.query();
    return new Set(held.filter(lock => lock.name.startsWith(LOCK)).map(lock => lock.name.slice(LOCK.length)));
}
