// The question's form. Its fields are Gradio's: they are filled by an event of Gradio's that stays in the browser, and read from
// the page's DOM, since Gradio runs no events any more once a request of its own has failed.
import { showGuide } from "./guide.js";
import { MAX_DEPTH } from "./sample.js";

const SETTLE = 3000; // milliseconds after which fields that do not show what they should are reported
const HUMAN = { kind: "human", model: null, edit_distance: null };
const FIELDS = ["query", "kind", "alternates", "type", "hops", "no-target"];

const field = (name, inside) => document.querySelector(`#ws-${name} ${inside}`);
const clean = text => text.replace(/\r\n?/g, "\n"); // as fields have it
export const lines = text => text.split("\n").map(one => one.trim()).filter(Boolean);

// How far a text was moved: Levenshtein's distance over the longer length.
export function moved(before, after) {
    const [one, two] = [before.trim(), after.trim()].map(text => [...text]);
    let row = two.map((_, i) => i + 1);
    one.forEach((char, i) => {
        let corner = i, left = i + 1;
        row = row.map((above, j) => {
            left = Math.min(above + 1, left + 1, corner + (char === two[j] ? 0 : 1));
            corner = above;
            return left;
        });
    });
    return (two.length ? row.at(-1) : one.length) / (Math.max(one.length, two.length) || 1);
}

export class Form {
    question = null; // the record's fields as they are now
    filled = null; // the texts that the fields were filled with, and by then also what they show

    // `told`: {fill(): makes Gradio take `values`, changed(question), refused(message)}
    constructor(told) {
        this.told = told;
        for (const name of ["input", "change"]) document.addEventListener(name, event => this.#input(event));
    }

    get element() {
        return document.getElementById("ws-form");
    }

    // What Gradio's fields should show, in their order.
    get values() {
        return this.filled && FIELDS.map(name => this.filled[name]);
    }

    show(sample, locked) {
        const { query, reasoning_type, hops, depth, no_target } = sample;
        this.question = { query, reasoning_type, hops, depth, no_target };
        this.given = this.question; // as loaded: what nobody touches stays exactly so
        this.draft = query?.origin?.kind === "model" ? { text: query.text, model: query.origin.model } : null;
        this.#fill(locked);
    }

    // Drafts of the open sample: one of them is what a drafted question was moved from.
    know(drafts) {
        if (!this.draft) return;
        const of = drafts.filter(({ model }) => model === this.draft.model), { text } = this.given.query ?? { text: "" };
        if (of.length) this.draft = of.reduce((best, one) => (moved(one.text, text) < moved(best.text, text) ? one : best));
    }

    // A draft into the fields, as a question that a person may change.
    take(draft) {
        const { text, is_sentence, model, reasoning_type } = draft, hops = draft.hops.slice(0, MAX_DEPTH);
        const query = { text, is_sentence, alternates: [], origin: { kind: "model", model, edit_distance: 0 } };
        this.put({ ...this.question, query, hops, depth: hops.length, reasoning_type }, draft);
    }

    // Other content of the open sample's fields, which is saved; `draft` is where the question comes from.
    put(question, draft = null) {
        Object.assign(this, { question, draft, given: question });
        this.#fill(false);
        this.told.changed(question);
    }

    #fill(locked) {
        const { query, reasoning_type, hops, no_target } = this.question;
        this.filled = {
            query: clean(query?.text ?? ""), kind: query && !query.is_sentence ? "phrase" : "sentence", alternates: clean(query?.alternates.join("\n") ?? ""),
            type: reasoning_type, hops: clean(hops.join("\n")), "no-target": no_target,
        };
        this.settled = this.#shows();
        this.told.fill();
        this.#settle(performance.now());
        this.element?.toggleAttribute("inert", locked);
        this.mark([]);
        this.#explain();
    }

    // Marks the fields that lack something.
    mark(names) {
        for (const name of FIELDS) document.getElementById(`ws-${name}`)?.classList.toggle("ws-lacks", names.includes(name));
    }

    focus() {
        field("query", "textarea")?.focus();
    }

    untick() {
        const box = field("no-target", "input");
        if (box?.checked) box.click();
    }

    // Fields that do not yet show the sample's text must not be read: they would give it the sample before's.
    #settle(since) {
        clearTimeout(this.timer);
        if ((this.settled ||= this.#shows())) return;
        if (performance.now() - since > SETTLE) return this.told.refused("The form does not show this sample's question. Reload the page; nothing is lost.");
        this.timer = setTimeout(() => this.#settle(since), 15);
    }

    #shows() {
        const read = this.#read();
        return read !== null && FIELDS.every(name => read[name] === this.filled[name]);
    }

    #read() {
        const query = field("query", "textarea");
        if (!query) return null;
        return {
            query: query.value, kind: field("kind", "input:checked")?.value ?? null, alternates: field("alternates", "textarea").value,
            type: field("type", "input:checked")?.value ?? null, hops: field("hops", "textarea").value, "no-target": field("no-target", "input").checked,
        };
    }

    #input({ target }) {
        if (!this.settled || !target.closest?.("#ws-form")) return;
        const read = this.#read();
        if (read["no-target"] && !this.question.no_target && this.told.hasInstances()) {
            queueMicrotask(() => this.untick());
            return this.told.refused("No-target says that nothing in the picture answers the question. Delete the instances first.");
        }
        this.question = this.#questionOf(read);
        this.mark([]);
        this.#explain();
        this.told.changed(this.question);
    }

    #questionOf(read) {
        const same = name => read[name] === this.filled[name], { given } = this, text = read.query.trim();
        const unchanged = same("query") && same("kind") && same("alternates");
        const query = unchanged ? given.query : text ? { text, is_sentence: read.kind !== "phrase", alternates: lines(read.alternates), origin: this.#originOf(text) } : null;
        const hops = same("hops") ? given.hops : lines(read.hops).slice(0, MAX_DEPTH);
        const depth = same("hops") ? given.depth : hops.length || (given.hops.length ? null : given.depth); // a source may give a depth alone
        return { query, hops, depth, reasoning_type: read.type, no_target: read["no-target"] };
    }

    #originOf(text) {
        return this.draft ? { kind: "model", model: this.draft.model, edit_distance: moved(this.draft.text, text) } : HUMAN;
    }

    // Below the fields, live: the depth, and what the chosen reasoning type means.
    #explain() {
        const read = this.#read(), { hops, depth, reasoning_type: type, query } = this.question;
        const tell = (id, text, wrong = false) => {
            const place = document.getElementById(id);
            if (!place) return;
            place.textContent = text;
            place.classList.toggle("ws-wrong", wrong);
        };
        const over = read && this.settled ? lines(read.hops).length - MAX_DEPTH : 0;
        if (over > 0) tell("ws-depth", `depth ${MAX_DEPTH} at most: line ${MAX_DEPTH + 1}${over > 1 ? ` to ${MAX_DEPTH + over}` : ""} is not saved`, true);
        else tell("ws-depth", hops.length ? `depth ${hops.length}` : depth ? `depth ${depth}, as the source says; no hops are written` : "");
        showGuide(document.getElementById("ws-guide"), this.guides?.[type], "Choose what it takes to get from the question to the pixels.");
        showGuide(document.getElementById("ws-depth-guide"), this.depths?.[hops.length || depth]);
        const lost = !query && read && this.settled && lines(read.alternates).length;
        tell("ws-alternates-note", lost ? "saved once there is a question" : "", true);
    }
}
