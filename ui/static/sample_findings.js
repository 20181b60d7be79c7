// The findings of one sample, beside its form or its review; one click shows the place.
import { call } from "./api.js";
import { el } from "./dom.js";
import { chip, judging } from "./finding_parts.js";

const MOST = 50;

export class SampleFindings {
    id = null;
    findings = [];

    // `look(finding)` shows where it is.
    constructor(look) {
        this.look = look;
        this.count = el("span", { class: "ws-count" });
        this.note = el("p", { class: "ws-note ws-wrong", role: "status" });
        this.list = el("ul", { class: "ws-finding-list" });
        this.root = el("section", { class: "ws-findings", "aria-label": "Findings of this sample", hidden: true },
            el("header", {}, el("h3", {}, "Findings"), this.count), this.note, this.list);
    }

    // Shows those of a sample; `wanted` is the id of the one that somebody came for.
    async show(id, wanted = null) {
        if (id !== this.id) this.#list([]);
        this.id = id;
        try {
            const query = new URLSearchParams({ sample_id: id, set_aside: true, limit: MOST });
            const { findings } = await call("GET", `findings?${query}`);
            if (id !== this.id) return;
            this.#list(findings);
            const found = findings.find(one => one.id === wanted);
            if (found) this.#go(found);
        } catch {
            if (id === this.id) this.#list([]); // the sample is there without them
        }
    }

    #list(findings) {
        const open = findings.filter(one => !one.set_aside).length, aside = findings.length - open;
        this.findings = findings;
        this.note.textContent = "";
        this.count.textContent = `${open || "none open"}${aside ? `, ${aside} set aside` : ""}`;
        this.root.hidden = !findings.length;
        this.list.replaceChildren(...findings.map(finding => this.#item(finding)));
    }

    #item(finding) {
        const replace = now => this.#list(this.findings.map(one => (one.id === now.id ? now : one)));
        return el("li", { class: finding.set_aside ? "ws-set-aside" : "", "data-finding": finding.id },
            el("button", { class: "ws-finding-text", title: "Show where", onclick: () => this.#go(finding) }, chip(finding), el("span", {}, finding.message)),
            judging(finding, { changed: replace, failed: text => { this.note.textContent = text; } }));
    }

    #go(finding) {
        for (const item of this.list.children) {
            item.classList.toggle("ws-active", item.dataset.finding === finding.id);
            if (item.dataset.finding === finding.id) item.scrollIntoView({ block: "nearest" });
        }
        this.look(finding);
    }
}
