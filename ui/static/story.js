// What happened to a sample, in one line of time, newest first; saves by one person in a row are one line.
import { el } from "./dom.js";

const WORDS = {
    add_sample: "added", submit: "submitted", accept: "accepted", reject: "rejected", reopen: "reopened", set_aside: "finding set aside",
    bring_back: "finding brought back", accept_proposal: "proposed change accepted", dismiss_proposal: "proposed change dismissed",
};

export const when = at => new Date(at).toLocaleString([], { dateStyle: "short", timeStyle: "short" });
export const words = codes => codes.join(", ").replaceAll("_", " ");

// What the sample was last sent back for, null when it has been handed in since: {by, action, reasons, comments, reason}.
export function sentBack(history) {
    const last = history.find(({ action }) => ["submit", "accept", "reject", "reopen"].includes(action));
    return last && (last.action === "reject" || last.action === "reopen") ? last : null;
}

// Remarks in a list; pins of the same numbers are drawn on the picture. `look([x, y])` shows the pixel of one.
export const remarks = (comments, look) => el("ol", { class: "ws-remarks" }, comments.map(({ text, pin }) => el("li", { class: pin ? "ws-pinned" : "" },
    pin && look ? el("button", { title: "Show where", onclick: () => look(pin) }, text) : text)));

export const pinsOf = comments => comments.map(({ pin }, i) => pin && { x: pin[0], y: pin[1], number: i + 1, old: true }).filter(Boolean);

export class Story {
    // `choose(revision)`: somebody wants to compare with a revision; without it revisions are only told.
    constructor(choose = null) {
        this.choose = choose;
        this.list = el("ol", { class: "ws-history" });
        this.root = el("section", { class: "ws-card ws-story" }, el("h3", {}, "History"), this.list);
    }

    show(history, compared = null) {
        const newest = history.find(one => one.number)?.revision;
        this.list.replaceChildren(...grouped(history).map(group => this.#item(group, newest, compared)));
    }

    #item(group, newest, compared) {
        const [last] = group, active = group.some(one => one.revision === compared) && last.action === "revise";
        const line = last.action === "revise" || last.action === "add_sample" ? this.#saves(group, newest) : [told(last)];
        return el("li", { class: active ? "ws-active" : "" }, line);
    }

    #saves(group, newest) {
        const [last] = group, first = group.at(-1), numbers = group.length > 1 ? `r${first.number}–r${last.number}` : `r${last.number}`;
        const changes = [...new Set([...group].reverse().flatMap(one => one.changes))].join(", ");
        const verb = last.action === "add_sample" ? " · added" : "", line = this.#revision(last, `${numbers} · ${last.by} · ${when(last.at)}${verb}`, newest);
        const more = this.choose && group.length > 1 && el("details", {}, el("summary", {}, `${group.length} saves`),
            group.map(one => this.#revision(one, `r${one.number} · ${when(one.at)} · ${one.changes.join(", ")}`, newest)));
        return [line, changes && el("p", {}, changes), more];
    }

    #revision({ revision }, text, newest) {
        if (!this.choose) return el("p", { class: "ws-revision" }, text);
        const isNewest = revision === newest, title = isNewest ? "The newest version" : "Compare the newest version with this one";
        return el("button", { disabled: isNewest, title, onclick: () => this.choose(revision) }, text);
    }
}

function told({ action, by, at, reasons, comments, reason }) {
    const kind = { accept: "ws-accepted", reject: "ws-rejected" }[action] ?? "";
    const why = reasons.length ? `: ${words(reasons)}` : reason ? `: ${action.endsWith("_proposal") ? words([reason]) : reason}` : "";
    return el("div", {}, el("p", { class: kind }, `${WORDS[action] ?? action.replaceAll("_", " ")} by ${by}, ${when(at)}${why}`), comments.length > 0 && remarks(comments));
}

// Runs of one person's saves, and everything else by itself.
function grouped(history) {
    const groups = [];
    for (const event of history) {
        const [before] = groups.at(-1) ?? [];
        if (event.action === "revise" && before?.action === "revise" && before.by === event.by) groups.at(-1).push(event);
        else groups.push([event]);
    }
    return groups;
}
