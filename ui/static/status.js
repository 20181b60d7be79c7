// The line above the canvas: where one is, and what saves, encodes and segments.
import { el, icon, ICONS } from "./dom.js";

const SAVE = {
    saved: number => `saved r${number}`,
    saving: () => "saving…",
    offline: () => "kept in this browser, no connection",
    held: () => "not saved: needs your decision",
};
const STATES = { draft: "draft", submitted: "submitted", accepted: "accepted", rejected: "rejected" };

export class Status {
    constructor(stage, keys) {
        Object.assign(this, { stage, keys });
        const chip = name => (this[name] = el("span", { class: `ws-chip ws-chip-${name}`, hidden: true }));
        const step = (id, path) => (this[id] = el("button", { class: "ws-step", onclick: () => stage.act(id) }, icon(path)));
        this.place = el("span", { class: "ws-place" });
        this.file = el("span", { class: "ws-file" });
        this.user = el("button", { class: "ws-user" });
        this.story = el("button", { class: "ws-step", title: "History of this sample", "aria-pressed": "false", onclick: () => this.story.setAttribute("aria-pressed", stage.told.toggle()) }, icon(ICONS.history));
        this.help = el("button", { class: "ws-step", onclick: () => stage.act("help") }, icon(ICONS.help));
        this.root = el("div", { class: "ws-status" }, step("previous", ICONS.left), this.place, step("next", ICONS.right), this.file, chip("state"), chip("save"),
            el("span", { class: "ws-gap" }), chip("segmenter"), this.story, this.help);
        this.measures = ["zoom", "click", "encoder"].map(chip); // beside the tool's options
        this.name();
    }

    name() {
        for (const id of ["previous", "next", "help"]) this[id].title = this.keys.tip(id);
    }

    #set(name, text, title = "", tone = "") {
        const chip = this[name];
        Object.assign(chip, { textContent: text, title, hidden: !text });
        chip.dataset.tone = tone;
    }

    showSample({ state, position, total, previous, next, image }) {
        this.place.textContent = `${position} / ${total}`;
        Object.assign(this.file, { textContent: image.file_name, title: `${image.file_name}, ${image.width} × ${image.height}` });
        this.previous.disabled = !previous;
        this.next.disabled = !next;
        this.showState(state);
    }

    showState(state) {
        const tone = { submitted: "good", accepted: "good", rejected: "bad" }[state] ?? "";
        this.#set("state", STATES[state] ?? state, state === "accepted" ? "Locked: reopen it to change it" : "Where this sample stands", tone);
    }

    showSave(status, number, problem) {
        const signedOut = status === "offline" && problem?.status === 401;
        const text = signedOut ? "kept in this browser, signed out" : SAVE[status](number);
        this.#set("save", text, "Every change is kept in this browser at once and saved to the server a moment later", { saved: "good", saving: "", offline: "bad", held: "bad" }[status]);
    }

    showSegmenter({ name, model, reason }) {
        const text = { loading: "loading the model…", none: "no segmenter" }[name] ?? name;
        this.#set("segmenter", text, `${model}: ${reason}`, { loading: "busy", none: "bad" }[name] ?? "");
    }

    // One image's entry of the encoder's answer; null while it is not known.
    showEncoder(image) {
        if (!image) return this.#set("encoder", "");
        const seconds = image.seconds == null ? "" : ` ${image.seconds.toFixed(1)} s`;
        const text = { queued: "waiting for the encoder…", encoding: `encoding${seconds}…`, ready: "image ready", failed: "encoder failed" }[image.state] ?? "";
        const title = image.message || (image.state === "ready" ? `The image was encoded${seconds ? ` in${seconds}` : ""}: clicks are answered at once` : "Clicks wait until the image is encoded");
        this.#set("encoder", text, title, { ready: "good", failed: "bad" }[image.state] ?? "busy");
    }

    showClick({ total, wait = 0, model = 0 }) {
        this.#set("click", `click ${Math.round(total)} ms`, `From the click to the painted mask; the model took ${Math.round(model)} ms, waiting for it ${Math.round(wait)} ms`);
    }

    showUser({ user, role }, change, leave) {
        const out = el("button", { class: "ws-step ws-leave", title: "Sign out", onclick: leave }, icon(ICONS.leave));
        if (!this.user.parentNode) this.story.before(this.user, out);
        Object.assign(this.user, { textContent: user, title: `Signed in as ${user}, ${role}: change your password`, onclick: change });
    }

    showZoom(factor) {
        this.#set("zoom", `${factor < 0.1 ? (100 * factor).toFixed(1) : Math.round(100 * factor)} %`, "Screen pixels a picture pixel");
    }
}
