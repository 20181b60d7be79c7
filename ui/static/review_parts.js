// The parts of the review page: the queue, the question with what changed in it, reasons and remarks, and the history.
import { call, imageUrl } from "./api.js";
import { el } from "./dom.js";
import { area } from "./rle.js";

const PAGE = 50;
const PROPOSED = "proposed"; // not a state: samples of any state to which a change is proposed
const STATES = [["submitted", "submitted"], [PROPOSED, "proposed changes"], ["rejected", "rejected"], ["accepted", "accepted"], ["draft", "draft"], ["", "any state"]];
const ORDERS = [
    ["added", "oldest first"], ["updated", "last changed first"], ["proposed", "surest proposal first"], ["findings", "worst findings first"],
    ["unsolved", "never solved first"], ["disagreeing", "model disagrees first"], ["ambiguous", "ambiguous first"],
    ["boundary", "worst boundary first"], ["easiest", "easiest first"],
];

export class Queue {
    ids = [];
    offset = 0;

    constructor(open, types) {
        this.open = open;
        const chosen = before => () => {
            before?.();
            this.#from(0);
        };
        const select = (name, options, before) => el("select", { "aria-label": name, onchange: chosen(before) }, options.map(([value, text]) => el("option", { value }, text)));
        this.state = select("State", STATES, () => { this.order.value = this.state.value === PROPOSED ? PROPOSED : "added"; });
        this.type = select("Reasoning type", [["", "any type"], ...Object.entries(types).map(([code, { name }]) => [code, name])]);
        this.order = select("Order", ORDERS);
        this.text = el("input", { type: "search", placeholder: "text or file name", "aria-label": "Text", onchange: () => this.#from(0) });
        this.count = el("span", { class: "ws-count" });
        this.before = el("button", { onclick: () => this.#from(this.offset - PAGE) }, "‹");
        this.after = el("button", { onclick: () => this.#from(this.offset + PAGE) }, "›");
        this.list = el("ul", { class: "ws-queue" });
        this.root = el("nav", { class: "ws-review-queue", "aria-label": "Queue" }, el("div", { class: "ws-queue-filters" }, this.state, this.type, this.order, this.text),
            el("div", { class: "ws-queue-line" }, this.count, this.before, this.after), this.list);
    }

    async #from(offset) {
        this.offset = Math.max(0, offset);
        await this.load();
        if (this.ids.length) this.open(this.ids[0]);
    }

    async load() {
        const ticket = (this.ticket = {}), proposed = this.state.value === PROPOSED;
        const filter = { state: proposed ? "" : this.state.value, proposed: proposed || "", reasoning_type: this.type.value, text: this.text.value.trim() };
        const asked = new URLSearchParams({ ...filter, order: this.order.value, offset: this.offset, limit: PAGE });
        const { samples, total } = await call("GET", `samples?${asked}`);
        if (ticket !== this.ticket) return;
        this.ids = samples.map(sample => sample.id);
        this.count.textContent = total ? `${this.offset + 1}–${this.offset + samples.length} of ${total}` : "none";
        this.before.disabled = !this.offset;
        this.after.disabled = this.offset + samples.length >= total;
        this.list.replaceChildren(...samples.map(sample => this.#item(sample)));
        this.mark(this.marked);
    }

    #item({ id, image_id, query, file_name, number, state }) {
        const picture = el("img", { src: `${imageUrl(image_id)}/thumbnail?side=160`, alt: "", loading: "lazy" });
        return el("li", { "data-id": id }, el("button", { onclick: () => this.open(id) }, picture,
            el("span", { class: "ws-queue-text" }, query ?? file_name), el("span", { class: "ws-count" }, `r${number} ${state}`)));
    }

    mark(id) {
        this.marked = id;
        for (const item of this.list.children) {
            item.classList.toggle("ws-active", item.dataset.id === id);
            if (item.dataset.id === id) item.scrollIntoView({ block: "nearest" });
        }
    }

    // Turns to the samples to which a change is proposed.
    turnToProposed() {
        [this.state, this.order].forEach(choice => { choice.value = PROPOSED; });
        [this.type, this.text].forEach(choice => { choice.value = ""; });
        this.offset = 0;
    }

    beside(id, by) {
        const place = this.ids.indexOf(id);
        return place < 0 ? null : this.ids[place + by] ?? null;
    }
}

export class Question {
    constructor(types) {
        this.types = types;
        this.list = el("dl");
        this.note = el("p", { class: "ws-note ws-wrong ws-old-hops", role: "status", hidden: true }, "The question changed and its hops did not: they were written for the question before.");
        this.root = el("section", { class: "ws-card ws-question" }, this.list, this.note);
    }

    // Rows that the older version has otherwise are marked, with what they were.
    show(sample, older) {
        const before = new Map(older ? this.#rows(older) : []), asks = one => one.query?.text ?? "", steps = one => one.hops.join("\n");
        this.note.hidden = !older || !sample.hops.length || asks(older) === asks(sample) || steps(older) !== steps(sample);
        this.list.replaceChildren(...this.#rows(sample).flatMap(([name, text]) => {
            const was = before.get(name), differs = older && was !== text;
            return [el("dt", {}, name), el("dd", { class: differs ? "ws-differs" : "" }, text || "–", differs && el("s", {}, was || "–"))];
        }));
    }

    #rows({ query, reasoning_type: type, hops, depth, no_target, instances, ignore }) {
        return [
            ["Question", query?.text ?? ""], ["Paraphrases", query?.alternates.join(" · ") ?? ""], ["Type", type ? this.types[type].name : ""],
            ["Hops", hops.length ? hops.map((hop, i) => `${i + 1}. ${hop}`).join("  ") : depth ? `depth ${depth}` : ""],
            ["Instances", no_target ? "no target" : instances.map(({ id, label, mask }) => `${id}${label && ` ${label}`} (${area(mask).toLocaleString("en")} px)`).join(", ")],
            ["Ignore", ignore ? `${area(ignore).toLocaleString("en")} px` : ""],
        ];
    }
}

export class Remarks {
    constructor(reasons, changed) {
        this.changed = changed;
        this.boxes = reasons.map(([code, text], i) => {
            const box = el("input", { type: "checkbox", value: code });
            return { box, root: el("label", {}, box, text, i < 9 && el("kbd", {}, i + 1)) };
        });
        this.list = el("ol", { class: "ws-remarks" });
        this.earlier = el("ol", { class: "ws-remarks ws-earlier" });
        this.root = el("section", { class: "ws-card" }, el("div", { class: "ws-reasons" }, this.boxes.map(one => one.root)),
            el("p", { class: "ws-note ws-how" }, "Click a pixel of the newest version, or press C, to write a remark."), this.list, this.earlier);
    }

    start(reviews) {
        for (const { box } of this.boxes) box.checked = false;
        this.remarks = [];
        this.list.replaceChildren();
        this.old = reviews.flatMap(review => review.comments.map(comment => ({ ...comment, reviewer: review.reviewer })));
        this.earlier.replaceChildren(...this.old.map(({ text, reviewer }, i) => el("li", { value: i + 1 }, el("b", {}, `${reviewer}: `), text)));
    }

    toggle(index) {
        const one = this.boxes[index];
        if (one) one.box.checked = !one.box.checked;
    }

    add(pin) {
        const input = el("input", { type: "text", maxlength: 4000, placeholder: pin ? "What is wrong here?" : "Remark", "aria-label": "Remark" });
        const remark = { pin, input }, bin = el("button", { title: "Delete", onclick: () => this.#drop(remark) }, "×");
        remark.root = el("li", {}, input, bin);
        this.remarks.push(remark);
        this.list.append(remark.root);
        this.changed();
        input.focus();
    }

    #drop(remark) {
        this.remarks = this.remarks.filter(other => other !== remark);
        remark.root.remove();
        this.changed();
    }

    draft() {
        const comments = this.remarks.map(({ pin, input }) => ({ pin, text: input.value.trim() })).filter(comment => comment.text);
        return { reasons: this.boxes.filter(({ box }) => box.checked).map(({ box }) => box.value), comments };
    }

    pins() {
        const old = (this.old ?? []).map(({ pin }, i) => pin && { x: pin[0], y: pin[1], number: i + 1, old: true });
        return [...old, ...this.remarks.map(({ pin }, i) => pin && { x: pin[0], y: pin[1], number: i + 1, old: false })].filter(Boolean);
    }
}
