// The findings' page: what looks wrong in any sample, the worst first, each one click from its sample; and runs of the checks.
import { API, call, explain } from "./api.js";
import { Bar } from "./bar.js";
import { el } from "./dom.js";
import { chip, findingPath, judging, plainly } from "./finding_parts.js";

const PAGE = 40, POLL = 400; // findings; milliseconds
const ORDERS = [["severity", "worst first"], ["newest", "newest first"]];

export class FindingsPage {
    offset = 0;

    // `open(finding)`: the sample on the annotation page, at that finding.
    constructor(open) {
        this.open = open;
        this.bar = new Bar();
        const select = name => el("select", { "aria-label": name, onchange: () => this.#from(0) });
        const tick = text => {
            const box = el("input", { type: "checkbox", onchange: () => this.#from(0) });
            return [box, el("label", {}, box, text)];
        };
        [this.kind, this.severity, this.order] = ["Kind", "Severity", "Order"].map(select);
        this.order.replaceChildren(...ORDERS.map(([value, text]) => el("option", { value }, text)));
        const [aside, asideLabel] = tick("also set aside"), [gone, goneLabel] = tick("also gone");
        Object.assign(this, { aside, gone });
        this.count = el("span", { class: "ws-count", role: "status" });
        this.before = el("button", { title: "Page before", onclick: () => this.#from(this.offset - PAGE) }, "‹");
        this.after = el("button", { title: "Next page", onclick: () => this.#from(this.offset + PAGE) }, "›");
        this.check = el("button", { class: "ws-main", onclick: () => this.#check() }, "Check now");
        this.ran = el("span", { class: "ws-note", role: "status" });
        this.list = el("ul", { class: "ws-finding-cards" });
        this.root = el("div", { class: "ws-findings-page" },
            el("div", { class: "ws-findings-line" }, this.kind, this.severity, this.order, asideLabel, goneLabel, el("span", { class: "ws-gap" }), this.ran, this.check),
            el("div", { class: "ws-findings-line" }, this.count, this.before, this.after), this.list, this.bar.root);
    }

    // The tab was opened, or came back.
    async show() {
        await Promise.all([this.load(), this.#follow()]);
    }

    async #from(offset) {
        this.offset = Math.max(0, offset);
        await this.load();
    }

    async load() {
        const ticket = (this.ticket = {}), asked = { kind: this.kind.value, severity: this.severity.value, set_aside: this.aside.checked, gone: this.gone.checked };
        try {
            const query = new URLSearchParams({ ...asked, order: this.order.value, offset: this.offset, limit: PAGE });
            const { total, kinds, severities, findings } = await call("GET", `findings?${query}`);
            if (ticket !== this.ticket) return;
            if (!findings.length && total) return this.#from(PAGE * Math.floor((total - 1) / PAGE)); // the last page has shrunk away
            fill(this.kind, "any kind", kinds, plainly);
            fill(this.severity, "any severity", severities, name => name);
            this.count.textContent = total ? `${this.offset + 1}–${this.offset + findings.length} of ${total}` : "Nothing is found here.";
            this.before.disabled = !this.offset;
            this.after.disabled = this.offset + findings.length >= total;
            this.list.replaceChildren(...findings.map(finding => this.#card(finding)));
        } catch (error) {
            if (ticket === this.ticket) this.bar.tell("error", explain(error), [["Try again", () => this.load()]]);
        }
    }

    #card(finding) {
        const { id, opens, message, query, file_name: file, image_id: image } = finding;
        const open = () => opens && this.open(finding);
        return el("li", { "data-finding": id, class: finding.set_aside || finding.gone_at ? "ws-set-aside" : "" },
            el("button", { class: "ws-finding-picture", disabled: !opens, title: opens ? "Open the sample at this finding" : "No sample shows it", onclick: open },
                (opens || image) && el("img", { src: new URL(`${findingPath(id)}/picture?side=256`, API), alt: "", loading: "lazy" })),
            el("div", {}, el("p", {}, chip(finding)), el("p", {}, message), el("p", { class: "ws-note" }, [file, query].filter(Boolean).join(" · ")),
                judging(finding, { changed: () => this.load(), failed: text => this.bar.tell("error", text) })));
    }

    // -- runs of the checks --

    async #check() {
        this.check.disabled = true;
        try {
            await call("POST", "checks");
        } catch (error) {
            if (error.kind !== "already_running") this.bar.tell("error", explain(error)); // that run is followed as well
        }
        await this.#follow();
    }

    // Shows how far a run is until it has ended, and then what it has found.
    async #follow() {
        const turn = (this.turn = {});
        let ran = false;
        try {
            for (;;) {
                const { running, last } = await call("GET", "checks");
                if (turn !== this.turn) return;
                this.check.disabled = running !== null;
                this.ran.textContent = running ? `${running.part || "checking"} ${running.done} / ${running.total}, for ${running.by}…` : told(last);
                if (!running) break;
                ran = true;
                await new Promise(resolve => setTimeout(resolve, POLL));
                if (this.root.offsetParent === null) return; // nobody looks
            }
        } catch (error) {
            this.check.disabled = false;
            return this.bar.tell("error", explain(error));
        }
        if (ran) await this.load();
    }
}

function told(last) {
    if (!last) return "not checked since the server was started";
    const when = new Date(last.started_at).toLocaleTimeString([], { timeStyle: "short" });
    if (last.problem) return `the checks failed at ${when}: ${last.problem}`;
    const left = last.left_out.length ? `; left out: ${last.left_out.map(({ check, reason }) => `${plainly(check)} (${reason})`).join(", ")}` : "";
    return `${last.checked} samples checked at ${when} for ${last.by}: ${last.new} new, ${last.gone} gone${left}`;
}

// Fills a choice with what there is, and keeps what was chosen.
function fill(select, any, counts, name) {
    const { value } = select, known = Object.entries(value && !(value in counts) ? { ...counts, [value]: 0 } : counts);
    select.replaceChildren(el("option", { value: "" }, any), ...known.map(([key, count]) => el("option", { value: key }, `${name(key)} (${count})`)));
    select.value = value;
}
