// The keys of the review page: what each does, and the panel that says so.
import { el } from "./dom.js";

const KEYS = [
    ["y", "accept", "accept the sample"], ["n", "reject", "reject it, with at least one reason"], ["f", "fix", "change it yourself, then accept"],
    ["a", "take", "accept the change that is proposed"], ["d", "dismiss", "dismiss the change that is proposed"], ["p", "proposal", "the next change that is proposed"],
    ["c", "remark", "write a remark; a click pins one to a pixel"], ["x", "difference", "show what differs, or two pictures"],
    ["j", "next", "the next sample"], ["k", "previous", "the sample before"], ["0", "fit", "fit the picture"], ["?", "help", "this panel"],
];
const REASONS = ["1–9", "tick a reason for rejecting"];

export const ACTS = Object.fromEntries(KEYS.map(([key, act]) => [key, act]));

export function keysPanel() {
    const rows = [...KEYS.slice(0, 2), REASONS, ...KEYS.slice(2)].map(row => [row[0].toUpperCase(), row.at(-1)]);
    const close = el("button", { class: "ws-close", title: "Close", onclick: () => root.close() }, "×");
    const root = el("dialog", { class: "ws-dialog ws-review-keys", "aria-label": "Keys of the review" },
        el("header", {}, el("h2", {}, "Keys"), close),
        ...rows.map(([key, does]) => el("div", { class: "ws-key-row" }, el("span", {}, does), el("span", {}, el("kbd", {}, key)))));
    document.body.append(root);
    return root;
}
