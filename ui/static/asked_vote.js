// What the answers amount to: clusters with their votes, and the settings, which vote again as they are moved.
import { el } from "./dom.js";
import { area } from "./rle.js";
import { colourOf } from "./sample.js";

const SHARES = [
    ["no_object", "nothing there from", "From this share of votes for nothing, nothing it is"], ["iou", "same thing from IoU", "From this IoU with a cluster's first mask, a mask joins it"],
    ["votes", "votes needed", "The share of the answers that a cluster needs"], ["pixels", "pixels needed", "The share of scores that a pixel needs in a consensus"],
];
const DEFAULTS = { no_object: 0.5, iou: 0.85, votes: 0.2, mode: "best", pixels: 0.5 }; // StAR's
const OUTCOMES = { mask: "", no_object: "Nothing in the picture answers it", failed: "No answer could be read" };

export class VoteCard {
    vote = null;

    // `changed(settings)`: vote by these; `look(clusters)`: show them, null what is chosen; `take()`: make a sample of it.
    constructor({ changed, look, take }) {
        Object.assign(this, { changed, look });
        this.outcome = el("p", { class: "ws-outcome", role: "status" });
        this.list = el("ul", { class: "ws-ballots" });
        this.mode = el("select", { "aria-label": "A cluster's mask", onchange: () => this.#moved() }, el("option", { value: "best" }, "best member's mask"), el("option", { value: "consensus" }, "consensus of pixels"));
        this.sliders = Object.fromEntries(SHARES.map(([name, text, title]) => [name, this.#slider(name, text, title)]));
        const usual = el("button", { title: "StAR's settings", onclick: () => { this.settings = DEFAULTS; this.changed(this.settings); } }, "Usual");
        this.take = el("button", { class: "ws-main", title: "A draft of this picture with the question and the chosen masks", onclick: take }, "Take as a new sample");
        this.root = el("section", { class: "ws-card ws-vote", "aria-label": "Vote", hidden: true }, el("h3", {}, "Vote"), this.outcome, this.list,
            el("div", { class: "ws-shares" }, Object.values(this.sliders).map(one => one.label)), el("div", { class: "ws-models-line" }, this.mode, usual, el("span", { class: "ws-gap" }), this.take));
        this.settings = DEFAULTS;
    }

    get settings() {
        const shares = Object.entries(this.sliders).map(([name, { input }]) => [name, Number(input.value)]);
        return { ...Object.fromEntries(shares), mode: this.mode.value };
    }

    set settings(given) {
        for (const [name, slider] of Object.entries(this.sliders)) {
            slider.input.value = given[name];
            slider.value.textContent = Number(given[name]).toFixed(2);
        }
        this.mode.value = given.mode;
        this.#fit();
    }

    // `taking`: why no sample can be made of it, empty where one can.
    show(vote, asked, taking) {
        this.vote = vote;
        this.root.hidden = !vote;
        if (!vote) return;
        const unread = asked - vote.valid, agreed = `${Math.round(100 * vote.agreement)} % agreement`;
        this.outcome.textContent = [OUTCOMES[vote.outcome], vote.outcome === "failed" ? "" : agreed, unread ? `${unread} of ${asked} unreadable` : ""].filter(Boolean).join(" · ");
        const nothing = vote.no_object_votes ? [this.#row({ label: "nothing there", votes: vote.no_object_votes, ratio: vote.no_object_votes / vote.valid, chosen: vote.outcome === "no_object" }, "#9aa3b2", "")] : [];
        this.list.replaceChildren(...vote.clusters.map((one, k) => this.#row(one, colourOf(k + 1), `score ${one.score.toFixed(2)} · ${area(one.mask)} px`, [{ ...one, number: k + 1 }])), ...nothing);
        this.take.disabled = vote.outcome === "failed" || Boolean(taking);
        this.take.title = taking || "A draft of this picture with the question and the chosen masks";
    }

    #row({ label, votes, ratio, chosen }, colour, more, clusters = null) {
        const bar = el("span", { class: "ws-votes" });
        bar.style.width = `${100 * ratio}%`;
        bar.style.background = colour;
        return el("li", { class: chosen ? "ws-chosen" : "", title: chosen ? "Chosen" : "Not chosen", onpointerenter: () => this.look(clusters), onpointerleave: () => this.look(null) },
            el("span", { class: "ws-cluster-name" }, label || "object"), el("span", { class: "ws-votes-line" }, bar), el("span", { class: "ws-count" }, `${votes}`), el("span", { class: "ws-note" }, more));
    }

    #slider(name, text, title) {
        const value = el("output", {}), input = el("input", { type: "range", min: 0, max: 1, step: 0.01, "aria-label": text, "data-setting": name, oninput: () => { value.textContent = Number(input.value).toFixed(2); this.#moved(); } });
        return { input, value, label: el("label", { title }, el("span", {}, text), input, value) };
    }

    #moved() {
        this.#fit();
        this.changed(this.settings);
    }

    #fit() {
        this.sliders.pixels.label.hidden = this.mode.value === "best"; // it matters for a consensus alone
    }
}
