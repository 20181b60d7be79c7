// What a reasoning type or a depth means: one line, and on demand all of it with examples.
import { el } from "./dom.js";

const example = (word, { picture, question, answer, hops, why }) => el("li", { class: why ? "ws-not" : "ws-good" },
    el("b", {}, word), el("i", {}, ` “${question}”`), el("p", {}, `${picture} ${answer}: ${hops.join(" → ")}`), why && el("p", {}, why));

// `guide`: {name, line, meaning, good: [example, example], bad: example}; `lead` stands before the line.
export function guideOf({ line, meaning, good, bad }, lead = "") {
    return el("details", { class: "ws-guide" }, el("summary", {}, lead && el("b", {}, `${lead}: `), line), el("p", {}, meaning),
        el("ul", {}, good.map(one => example("Good", one)), example("Not", bad)));
}

// Shows a guide in a place of the form; one that is shown already stays as it is, opened or not. Without a guide `text` is shown.
export function showGuide(place, guide, text = "") {
    if (!place || (guide && place.guide === guide)) return;
    place.guide = guide;
    place.replaceChildren(guide ? guideOf(guide) : text);
}
