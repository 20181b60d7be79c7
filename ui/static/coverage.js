// What there is of each reasoning type and depth, against what is wanted: a matrix whose cells filter the list below it.
import { call, explain } from "./api.js";
import { el } from "./dom.js";

const DEPTHS = ["1", "2", "3", "4"], NONE = "none";
const MOST = 1_000_000; // samples that a cell may want

const count = (matrix, type, depth) => matrix[type]?.[depth] ?? 0;

export class Coverage {
    // `types`: {code: {name}}; `choose({type, depth})` filters the list, each "any" where it does not restrict.
    constructor(types, choose) {
        Object.assign(this, { types, choose });
        this.note = el("p", { class: "ws-note ws-wrong", role: "status" });
        this.sum = el("span", { class: "ws-note" });
        this.table = el("table");
        this.root = el("details", { class: "ws-coverage", open: true }, el("summary", {}, el("b", {}, "Coverage "), this.sum), this.table, this.note);
    }

    async show() {
        try {
            const [stats, { role }] = await Promise.all([call("GET", "stats"), call("GET", "info")]);
            this.mayAsk = role === "curator";
            this.#fill(stats);
        } catch (error) {
            this.note.textContent = explain(error);
        }
    }

    #fill(stats) {
        const missing = stats.targets.reduce((sum, cell) => sum + cell.missing, 0);
        this.note.textContent = "";
        this.sum.textContent = stats.targets.length ? `accepted + in work / wanted; ${missing ? `${missing} missing` : "nothing is missing"}` : "accepted + in work; nobody has said how many are wanted";
        const head = el("tr", {}, el("th"), DEPTHS.map(depth => el("th", { scope: "col" }, `depth ${depth}`)), el("th", { scope: "col" }, "no depth"));
        const rows = [...Object.entries(this.types).map(([code, { name }]) => [code, name]), [NONE, "no type"]];
        this.table.replaceChildren(head, ...rows.map(([type, name]) => el("tr", { "data-type": type }, el("th", { scope: "row" }, name),
            [...DEPTHS, NONE].map(depth => this.#cell(stats, type, depth)))));
    }

    #cell(stats, type, depth) {
        const accepted = count(stats.accepted, type, depth), all = count(stats.matrix, type, depth), inWork = all - accepted;
        const wanted = stats.targets.find(cell => cell.reasoning_type === type && String(cell.depth) === depth)?.wanted ?? 0;
        const real = type !== NONE && depth !== NONE, share = wanted ? Math.min(1, accepted / wanted) : 0, more = wanted ? Math.min(1, all / wanted) : 0;
        const place = el("td", { "data-depth": depth, class: wanted ? (accepted >= wanted ? "ws-reached" : "ws-short") : "" });
        place.style.setProperty("--done", `${100 * share}%`);
        place.style.setProperty("--more", `${100 * more}%`);
        const text = `${accepted}${inWork ? ` + ${inWork}` : ""}`, words = `${accepted} accepted, ${inWork} in work${wanted ? `, ${wanted} wanted` : ""}`;
        place.append(real ? el("button", { class: "ws-cell", title: `${words}: show them`, onclick: () => this.choose({ type, depth }) }, text) : el("span", { class: "ws-cell", title: words }, text));
        if (real && (wanted || this.mayAsk)) place.append(this.mayAsk
            ? el("button", { class: "ws-target", title: "How many accepted samples are wanted", onclick: () => this.#ask(place, type, depth, wanted) }, `/ ${wanted || "–"}`)
            : el("span", { class: "ws-target" }, `/ ${wanted}`));
        return place;
    }

    // A field in the target's place: Enter sets it, Escape or leaving it lets it be.
    #ask(place, type, depth, wanted) {
        const input = el("input", { type: "number", min: 0, max: MOST, step: 1, value: wanted, class: "ws-target", "aria-label": `Wanted at depth ${depth}` });
        let left = false;
        const leave = () => {
            if (!left) this.show();
            left = true;
        };
        input.addEventListener("blur", leave);
        input.addEventListener("keydown", async ({ key }) => {
            if (key === "Escape") return leave();
            if (key !== "Enter" || !input.reportValidity()) return;
            left = true;
            try {
                this.#fill(await call("PUT", "targets", { reasoning_type: type, depth: Number(depth), target: Number(input.value) }));
            } catch (error) {
                await this.show();
                this.note.textContent = explain(error);
            }
        });
        place.lastChild.replaceWith(input);
        input.focus();
        input.select();
    }
}
