// The changes that a model proposes to the open sample: which, why, how sure it is, and what is decided about them.
import { call } from "./api.js";
import { el } from "./dom.js";
import { plainly } from "./finding_parts.js";

export const proposalPath = id => `proposals/${encodeURIComponent(id)}`;

// Whether a change to a sample waits for a decision; a server that does not answer says so elsewhere.
export const isProposed = id => call("GET", `proposals?${new URLSearchParams({ sample_id: id, limit: 1 })}`).then(({ total }) => total > 0, () => false);

// What the sample becomes by a proposal; a dropped one shows nothing.
export function changedBy({ reason, instances, query }, sample) {
    const now = reason === "drop" ? [] : instances ?? sample.instances;
    return { ...sample, instances: now, no_target: instances ? !now.length : sample.no_target, query: query ?? sample.query };
}

export function takes({ reason, instances, query }) {
    if (reason === "drop") return "Drop the sample";
    if (!instances) return "Accept the new question";
    return query ? "Accept mask and question" : "Accept the model's mask";
}

export class ProposalCards {
    list = [];

    // `choose(proposal)`: show it; `act(id)`: "take", "dismiss" or "fix", what the buttons do with the chosen one.
    constructor(choose, act) {
        this.choose = choose;
        const button = (id, key, title, main) => el("button", { "data-act": id, title: `${title} (${key.toUpperCase()})`, class: main ?? "", onclick: () => act(id) });
        this.take = button("take", "a", "Change the sample as proposed, and hand it in", "ws-main");
        this.dismiss = button("dismiss", "d", "It is no improvement: it does not come back");
        this.dismiss.textContent = "Dismiss";
        this.fix = button("fix", "f", "Open it on the annotation page");
        this.buttons = el("div", { class: "ws-proposal-acts" }, this.take, this.dismiss, this.fix);
        this.items = el("ol", { class: "ws-proposals" });
        this.count = el("span", { class: "ws-count" });
        this.root = el("section", { class: "ws-card ws-proposed", "aria-label": "Proposed changes", hidden: true },
            el("header", {}, el("h3", {}, "Proposed changes"), this.count), this.items, this.buttons);
    }

    // `scored`: whether a model says anything at all, so that the question can be fixed from here; `state`: of the sample.
    show(list, scored, state) {
        this.list = list;
        this.root.hidden = !list.length && !scored;
        this.count.textContent = list.length || "none";
        this.fix.textContent = state === "accepted" ? "Reopen and fix…" : "Fix the question";
        this.items.replaceChildren(...list.map(one => this.#item(one)));
        this.mark(null);
    }

    #item(proposal) {
        const { id, reason, says, made_by: by, score } = proposal;
        return el("li", { "data-proposal": id }, el("button", { title: "Show before and after", onclick: () => this.choose(proposal) },
            el("span", {}, el("b", {}, plainly(reason)), el("span", { class: "ws-count" }, ` ${Math.round(100 * score)} % sure`)),
            el("span", { class: "ws-says" }, says), el("span", { class: "ws-count ws-by" }, by)));
    }

    // Which one stands beside the sample; null for none.
    mark(proposal) {
        for (const item of this.items.children) item.classList.toggle("ws-active", item.dataset.proposal === proposal?.id);
        this.take.hidden = this.dismiss.hidden = !proposal;
        if (proposal) this.take.textContent = takes(proposal);
    }

    beside(proposal, by) {
        const { list } = this, place = list.findIndex(one => one.id === proposal?.id);
        return list.length ? list[(place + by + list.length) % list.length] : null;
    }
}
