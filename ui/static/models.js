// The models' page: a picture and a question for the policy, its answers one by one, and what they vote for.
import { call, explain } from "./api.js";
import { AskedView } from "./asked_view.js";
import { PictureChoice } from "./asked_picture.js";
import { VoteCard } from "./asked_vote.js";
import { Bar } from "./bar.js";
import { el } from "./dom.js";

const POLL = 400; // milliseconds
const OUTSIDE = "The picture is not in the workspace: import it first.";
const askPath = id => `ask/${encodeURIComponent(id)}`;

export class ModelsPage {
    asked = null; // the question as the server told last
    pinned = null; // the answer that stays shown

    // `host`: {current(): the sample that is open in Annotate as the server told it, open(id): opens a sample there}
    constructor(host) {
        this.host = host;
        this.bar = new Bar();
        const failed = text => this.bar.tell("error", text);
        this.view = new AskedView();
        this.choice = new PictureChoice({ current: host.current, failed, picked: picture => this.#picked(picture) });
        this.vote = new VoteCard({ changed: settings => this.#revote(settings), look: clusters => this.view.look(clusters), take: () => this.#take() });
        this.policy = el("p", { class: "ws-policy", role: "status" });
        this.query = el("textarea", { rows: 2, maxlength: 4000, placeholder: "Ask for something without naming it: what in this picture …?", "aria-label": "Question", onkeydown: event => this.#key(event) });
        this.k = el("input", { type: "number", min: 1, max: 64, value: 8, "aria-label": "Answers" });
        this.temperature = el("input", { type: "number", min: 0, max: 2, step: 0.1, placeholder: "usual", "aria-label": "Temperature" });
        this.button = el("button", { class: "ws-main", title: "Ask (Ctrl+Enter)", onclick: () => this.#ask() }, "Ask");
        this.stop = el("button", { hidden: true, onclick: () => this.#cancel() }, "Stop");
        this.progress = el("span", { class: "ws-note", role: "status" });
        this.answers = el("ol", { class: "ws-answers" });
        this.list = el("section", { class: "ws-card", "aria-label": "Answers", hidden: true }, el("h3", {}, "Answers"), this.answers);
        const form = el("section", { class: "ws-card" }, el("h3", {}, "Question"), this.query, el("div", { class: "ws-models-line" },
            el("label", {}, "answers", this.k), el("label", {}, "temperature", this.temperature), el("span", { class: "ws-gap" }), this.stop, this.button), this.progress);
        this.root = el("div", { class: "ws-models", ondragover: event => event.preventDefault(), ondrop: event => this.#drop(event) },
            el("div", { class: "ws-models-picture" }, this.policy, this.view.root, this.bar.root), el("aside", { class: "ws-models-side" }, this.choice.root, form, this.vote.root, this.list));
    }

    // The tab was opened, or came back.
    async show() {
        try {
            const { policy, newest } = await call("GET", "ask");
            const runs = !["none", "loading"].includes(policy.name);
            this.policy.textContent = runs ? `${policy.name} · masks by ${policy.segmenter}` : policy.reason;
            this.policy.classList.toggle("ws-wrong", policy.name === "none");
            this.button.disabled = policy.name === "none";
            if (policy.name === "loading") setTimeout(() => this.root.offsetParent && this.show(), 4 * POLL);
            if (!this.asked && newest) await this.#follow(await call("GET", askPath(newest)), true);
            else if (!this.choice.chosen && this.host.current()) await this.choice.takeCurrent();
        } catch (error) {
            this.bar.tell("error", explain(error), [["Try again", () => this.show()]]);
        }
    }

    #picked(picture) {
        this.view.open(picture);
        if (this.asked?.question.image_id !== picture.id) this.#clear();
        else this.#showVote();
    }

    #clear() {
        this.asked = this.pinned = null;
        this.turn = {};
        this.vote.show(null);
        this.list.hidden = this.stop.hidden = true;
        this.progress.textContent = "";
    }

    // -- asking --

    #key(event) {
        if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.isComposing) this.#ask();
    }

    async #ask() {
        const query = this.query.value.trim(), { chosen } = this.choice;
        if (!chosen) return this.bar.tell("warning", "Choose a picture first.");
        if (!query) return this.bar.tell("warning", "Write a question first.");
        const temperature = this.temperature.value === "" ? null : Number(this.temperature.value);
        this.bar.clear();
        try {
            await this.#follow(await call("POST", "ask", { image_id: chosen.id, query, k: Number(this.k.value), temperature, settings: this.vote.settings }));
        } catch (error) {
            this.bar.tell("error", explain(error));
        }
    }

    // Shows how far a question is until it has ended; `restore`: with its picture and its words.
    async #follow(asked, restore = false) {
        this.#clear();
        const turn = this.turn;
        this.asked = asked;
        this.view.show([]);
        if (restore) {
            this.query.value = asked.question.query;
            this.k.value = asked.question.k;
            this.temperature.value = asked.question.temperature ?? "";
            this.vote.settings = asked.question.settings;
            await this.choice.chooseAsked(asked);
        }
        try {
            while (["waiting", "asking"].includes(asked.state)) {
                this.stop.hidden = false;
                this.progress.textContent = asked.state === "asking" ? `${asked.done} of ${asked.question.k} answers, ${Math.round(asked.seconds)} s…` : `waiting${asked.place ? `, ${asked.place} before it` : ""}…`;
                await new Promise(resolve => setTimeout(resolve, POLL));
                if (turn !== this.turn) return;
                asked = await call("GET", askPath(asked.id));
                if (turn !== this.turn) return;
            }
        } catch (error) {
            if (turn === this.turn) this.bar.tell("error", explain(error), [["Try again", () => this.#follow(this.asked)]]);
            return;
        }
        this.asked = asked;
        this.stop.hidden = true;
        this.progress.textContent = asked.state === "done" ? `${asked.answers.length} answers in ${asked.seconds.toFixed(1)} s by ${asked.policy}` : "";
        if (asked.state === "failed") this.bar.tell("error", `The policy has not answered: ${asked.problem}.`);
        if (asked.state === "cancelled") this.progress.textContent = `not asked any further: ${asked.problem}`;
        if (asked.state !== "done") return;
        this.list.hidden = false;
        this.answers.replaceChildren(...asked.answers.map((answer, k) => this.#answer(answer, k)));
        this.#showVote(asked.vote);
    }

    async #cancel() {
        try {
            await call("DELETE", askPath(this.asked.id));
        } catch (error) {
            this.bar.tell("error", explain(error));
        }
    }

    // -- what came --

    #answer({ text, thinking, problem, objects }, k) {
        const shown = objects.map((one, number) => ({ ...one, number: number + 1, chosen: true })), look = on => this.view.look(on ? shown : this.pinned);
        const pin = event => {
            const on = event.currentTarget.getAttribute("aria-pressed") !== "true";
            for (const other of this.answers.querySelectorAll("[aria-pressed]")) other.setAttribute("aria-pressed", "false");
            event.currentTarget.setAttribute("aria-pressed", on);
            this.pinned = on ? shown : null;
            look(on);
        };
        const named = objects.map(({ label, box, points }) => `${label || "object"}${box ? ` [${box.map(Math.round).join(", ")}]` : ""}${points.length ? ` at ${points.map(point => point.map(Math.round).join(", ")).join("; ")}` : ""}`);
        const says = problem ? `unreadable: ${problem}` : named.join(" · ") || "nothing there";
        return el("li", { onpointerenter: () => look(true), onpointerleave: () => look(false) },
            el("button", { class: problem ? "ws-wrong" : "", "aria-pressed": "false", title: "Keep it shown", onclick: pin }, el("span", { class: "ws-count" }, `${k + 1}`), el("span", { class: "ws-said" }, says)),
            el("details", {}, el("summary", {}, thinking.trim() ? "thinking" : "what it wrote"), el("pre", {}, thinking.trim() || text), thinking.trim() ? el("details", {}, el("summary", {}, "all that it wrote"), el("pre", {}, text)) : null));
    }

    #showVote(vote = this.vote.vote) {
        this.vote.show(vote, this.asked?.answers.length ?? 0, this.asked?.in_workspace ? "" : OUTSIDE);
        const clusters = vote?.clusters.map((one, k) => ({ ...one, number: k + 1 })) ?? [];
        this.view.show(clusters.filter(one => one.chosen && vote.outcome === "mask"));
    }

    // The newest settings count, however late an older vote comes.
    async #revote(settings) {
        const { asked } = this, ticket = (this.ticket = {});
        if (asked?.state !== "done") return;
        try {
            const vote = await call("POST", `${askPath(asked.id)}/vote`, { settings });
            if (ticket === this.ticket && asked === this.asked) this.#showVote(vote);
        } catch (error) {
            if (ticket === this.ticket) this.bar.tell("error", explain(error));
        }
    }

    async #take() {
        this.vote.take.disabled = true;
        try {
            const { sample_id: id } = await call("POST", `${askPath(this.asked.id)}/sample`, { settings: this.vote.settings });
            this.host.open(id);
        } catch (error) {
            this.bar.tell("error", explain(error));
        } finally {
            this.vote.take.disabled = false;
        }
    }

    #drop(event) {
        event.preventDefault();
        if (event.dataTransfer.files.length) this.choice.send(event.dataTransfer.files[0]);
    }
}
