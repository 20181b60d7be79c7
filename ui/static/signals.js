// What a model's answers say of the open sample: in words, in figures, and as pictures of what they saw.
import { el } from "./dom.js";
import { paintPreview } from "./paint.js";
import { layerOf } from "./rle.js";

const ELSEWHERE = 0.3; // an IoU with the target below which an answer is about another thing
const SEEN = "#ffe14d";
const FIGURES = [
    ["mean_iou", "Mean IoU", "over all answers; those that cannot be read count as 0"], ["best_iou", "Best IoU", "of the best answer"],
    ["pass_rate", "Pass rate", "share of answers with an IoU of at least 0.5"], ["agreement", "Agreement", "of the answers' vote"],
    ["vote_iou", "IoU of the vote", "what the answers see together, against what is annotated"],
    ["entropy", "Entropy", "of what the answers see, in bits: 0 when all see the same"],
    ["reprompted_iou", "Re-prompted IoU", "the segmenter's mask for the annotated boxes and points, against the annotated mask"],
];

export class SignalsCard {
    // `hover(mask)` shows what some answers saw on the picture, null nothing.
    constructor(hover) {
        this.hover = hover;
        this.about = el("p", { class: "ws-note" });
        this.words = el("p");
        this.figures = el("dl", { class: "ws-figures" });
        this.clusters = el("ul", { class: "ws-clusters" });
        this.root = el("section", { class: "ws-card ws-signals", "aria-label": "What the model says", hidden: true },
            el("h3", {}, "What the model says"), this.words, this.figures, this.clusters, this.about);
    }

    // `found`: {run, signals} as the server told; `revisions`: the sample's, newest first.
    show({ run, signals }, picture, revisions) {
        this.hover(null);
        this.root.hidden = !signals;
        if (!signals) return;
        const of = revisions.find(({ revision }) => revision === signals.revision_id), old = of && of !== revisions[0];
        this.about.textContent = `${signals.answers} answers of ${run.policy}, drawn by ${run.segmenter}${old ? `, about r${of.number}: the sample has changed since` : ""}.`;
        this.about.classList.toggle("ws-wrong", Boolean(old));
        this.words.textContent = inWords(signals);
        this.figures.replaceChildren(...FIGURES.flatMap(([name, text, title]) => [el("dt", { title }, text), el("dd", {}, figure(signals[name]))]));
        this.clusters.replaceChildren(...signals.clusters.map((cluster, i) => this.#cluster(cluster, i, picture)));
    }

    #cluster({ mask, label, votes, iou, chosen }, i, picture) {
        const canvas = el("canvas"), see = () => this.hover(mask), rest = () => this.hover(null);
        const title = `${label || "what they saw"}: ${count(votes, "vote")}, IoU ${iou.toFixed(2)} with the annotated target${chosen ? "; part of what the vote says" : ""}`;
        const button = el("button", { title, "aria-label": `Answers ${i + 1}: ${title}`, class: chosen ? "ws-chosen" : "", onpointerenter: see, onpointerleave: rest, onfocus: see, onblur: rest },
            canvas, el("span", { class: "ws-seen" }, `${votes} × ${label || "IoU"} ${iou.toFixed(2)}`));
        const layer = { key: 1, layer: layerOf(mask), colour: SEEN, active: false };
        requestAnimationFrame(() => canvas.clientWidth && picture.levels[0].width && paintPreview(canvas, picture, [layer], 0.55)); // 0 wide: closed meanwhile
        return el("li", {}, button);
    }
}

export const seenLayer = mask => ({ key: "seen", layer: layerOf(mask), colour: SEEN, active: true });

const figure = value => (value === null ? "–" : value.toFixed(2));
const count = (number, name) => `${number} ${name}${number === 1 ? "" : "s"}`;

function inWords({ answers, failed, empty, pass_rate: rate, vote_iou: vote, agreement }) {
    const right = Math.round(rate * answers);
    const told = [right === 0 ? "No answer finds the target" : right === answers ? "Every answer finds the target" : `${right} of ${answers} answers find the target`];
    if (agreement >= 0.5 && vote < ELSEWHERE) told.push("most agree on something else");
    if (empty) told.push(`${empty} see${empty === 1 ? "s" : ""} nothing`);
    if (failed) told.push(`${failed} cannot be read`);
    return `${told.join("; ")}.`;
}
