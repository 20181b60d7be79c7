// What findings look like wherever they are shown: their words, their place on the picture, and how one is set aside.
import { call, explain } from "./api.js";
import { el } from "./dom.js";
import { layerOf } from "./rle.js";

export const plainly = kind => kind.replaceAll("_", " ");
export const findingPath = id => `findings/${encodeURIComponent(id)}`;
const REASON_LENGTH = 1000;

const numbers = (list, count) => Array.isArray(list) && list.length === count && list.every(Number.isFinite);

// The pixel [x, y] of the picture that a finding is about, null where its evidence names none; anybody may have written that.
export function placeOf({ evidence }, instances) {
    if (numbers(evidence.point, 2)) return evidence.point;
    if (numbers(evidence.box, 4)) return [(evidence.box[0] + evidence.box[2]) / 2, (evidence.box[1] + evidence.box[3]) / 2];
    const named = instances.find(({ id }) => id === evidence.instance), layer = named && layerOf(named.mask);
    return layer?.w ? [layer.x + layer.w / 2, layer.y + layer.h / 2] : null;
}

export const chip = ({ severity, kind }) => [el("span", { class: `ws-severity ws-${severity}` }, severity), el("b", {}, plainly(kind))];

// The line that sets a finding aside or brings it back. `changed(finding)` gets it as it is then, `failed(text)` why it is as it was.
export function judging(finding, { changed, failed }) {
    const root = el("div", { class: "ws-judging" }), { set_aside: aside, gone_at: gone } = finding;
    const send = async (method, body) => {
        root.inert = true;
        try {
            changed(await call(method, `${findingPath(finding.id)}/set-aside`, body));
        } catch (error) {
            failed(explain(error));
        } finally {
            root.inert = false;
        }
    };
    const ask = () => {
        const input = el("input", { type: "text", maxlength: REASON_LENGTH, placeholder: "Why is it no mistake?", "aria-label": "Reason" });
        const done = () => input.value.trim() && send("PUT", { reason: input.value.trim() });
        input.addEventListener("keydown", event => {
            if (event.key === "Enter" && !event.isComposing) done();
            if (event.key === "Escape") rest();
        });
        root.replaceChildren(input, el("button", { onclick: done }, "Set aside"), el("button", { onclick: rest }, "Cancel"));
        input.focus();
    };
    const rest = () => {
        if (aside) {
            const when = new Date(aside.at).toLocaleDateString([], { dateStyle: "medium" });
            root.replaceChildren(el("span", { class: "ws-note" }, `set aside by ${aside.by}, ${when}: ${aside.reason}`), el("button", { onclick: () => send("DELETE") }, "Bring back"));
        } else root.replaceChildren(...(gone ? [el("span", { class: "ws-note" }, "gone")] : [el("button", { title: "It is no mistake: take it off the list, with a reason", onclick: ask }, "Set aside…")]));
    };
    rest();
    return root;
}
