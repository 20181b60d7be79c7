// Somebody else saved the sample first: both versions side by side, and a choice. Nothing is given up before it is made.
import { el } from "./dom.js";
import { IGNORE } from "./layers.js";
import { paintPreview } from "./paint.js";
import { area, layerOf } from "./rle.js";
import { colourOf } from "./sample.js";

const TYPES = { function_purpose: "function / purpose", commonsense: "commonsense", comparative_relational: "comparative / relational", compositional: "compositional" };

// Resolves with the record that is kept: mine, theirs, or the server's merge of both.
export function decide({ mine, theirs, theirsNumber, merged, conflicts, picture }) {
    return new Promise(resolve => {
        const choose = record => () => {
            dialog.close();
            dialog.remove();
            resolve(record);
        };
        const both = [["Mine", mine, theirs], [`Theirs (r${theirsNumber})`, theirs, mine]].map(([title, record, other]) => version(title, record, other));
        const button = (text, title, record, main) => el("button", { title, class: main ? "ws-main" : "", onclick: choose(record) }, text);
        const dialog = el("dialog", { class: "ws-dialog ws-conflict", "aria-label": "Two versions", oncancel: event => event.preventDefault() },
            el("header", {}, el("h2", {}, "Somebody else changed this sample while you worked on it")),
            el("div", { class: "ws-versions" }, both.map(one => one.root)),
            merged && el("section", {}, el("h3", {}, "Merge"), summary(conflicts)),
            el("footer", {}, merged && button("Merge", "Take every change of both; where both changed one thing, mine", merged, true),
                button("Keep mine", "Save my version over theirs; theirs stays in the history", mine, !merged),
                button("Take theirs", "Go on with their version; mine is given up", theirs)));
        document.body.append(dialog);
        dialog.showModal();
        both.forEach(one => paintPreview(one.canvas, picture, entriesOf(one.record), 0.45));
        // An open dialog is closed by a second Escape whatever is said to the first.
        dialog.addEventListener("close", () => dialog.isConnected && dialog.showModal());
    });
}

function summary(conflicts) {
    if (!conflicts.length) return el("p", {}, "The two versions change different things: a merge keeps all of them.");
    return [el("p", {}, "Both versions changed these; a merge takes mine there, and everything else from whoever changed it:"),
        el("ul", {}, conflicts.map(one => el("li", {}, one)))];
}

function version(title, record, other) {
    const canvas = el("canvas"), rows = texts(record), others = new Map(texts(other));
    const list = rows.flatMap(([name, text]) => {
        const differs = others.get(name) !== text;
        return [el("dt", {}, name), el("dd", { class: differs ? "ws-differs" : "" }, text || "–")];
    });
    return { record, canvas, root: el("article", {}, el("h3", {}, title), canvas, el("dl", {}, list)) };
}

function texts({ query, reasoning_type, hops, depth, no_target, instances }) {
    return [
        ["Question", query?.text ?? ""],
        ["Paraphrases", query?.alternates.join(" · ") ?? ""],
        ["Type", TYPES[reasoning_type] ?? ""],
        ["Hops", hops.length ? hops.join(" → ") : depth ? `depth ${depth}` : ""],
        ["Instances", no_target ? "no target" : instances.map(described).join(", ")],
    ];
}

const described = ({ id, label, mask }) => `${id}${label && ` ${label}`} (${area(mask).toLocaleString("en")} px)`;

const entriesOf = ({ instances, ignore }) => [
    ...(ignore ? [{ key: IGNORE, layer: layerOf(ignore), colour: "#ffffff", active: false }] : []),
    ...instances.map(({ id, mask }) => ({ key: id, layer: layerOf(mask), colour: colourOf(id), active: false })),
];
