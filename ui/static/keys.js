// Every key in one table: it drives the handler, the help panel and the tooltips. Keys are named as `keyName` does.
const STORAGE = "whyseg.keys";

// `hold`: acts as long as the key is down. `typing`: acts in a text field too, for it writes no character there.
export const ACTIONS = [
    { id: "smart", group: "Tools", label: "Smart click", keys: ["s"] },
    { id: "brush", group: "Tools", label: "Brush", keys: ["b"] },
    { id: "eraser", group: "Tools", label: "Eraser", keys: ["e"] },
    { id: "polygon", group: "Tools", label: "Polygon; on a mask: its outline", keys: ["p"] },
    { id: "move", group: "Tools", label: "Move the picture, take up a mask", keys: ["v", "h"] },
    { id: "ignore", group: "Tools", label: "Paint the ignore region, or objects again", keys: ["i"] },
    { id: "smaller", group: "Tools", label: "Smaller brush", keys: ["["] },
    { id: "larger", group: "Tools", label: "Larger brush", keys: ["]"] },
    { id: "candidate1", group: "Masks", label: "First candidate", keys: ["1"] },
    { id: "candidate2", group: "Masks", label: "Second candidate", keys: ["2"] },
    { id: "candidate3", group: "Masks", label: "Third candidate", keys: ["3"] },
    { id: "candidate4", group: "Masks", label: "Fourth candidate", keys: ["4"] },
    { id: "nextCandidate", group: "Masks", label: "Next candidate", keys: ["Tab"] },
    { id: "accept", group: "Masks", label: "Finish the instance, or close the polygon", keys: ["Enter"] },
    { id: "back", group: "Masks", label: "Take back the newest prompt or corner", keys: ["Backspace"] },
    { id: "delete", group: "Masks", label: "Delete the corner, or the instance in work", keys: ["Delete"] },
    { id: "cancel", group: "Masks", label: "Drop what is begun; leave the text field", keys: ["Escape"], typing: true },
    { id: "label", group: "Masks", label: "Label the instance in work", keys: ["l"] },
    { id: "undo", group: "Masks", label: "Undo", keys: ["Ctrl+z"] },
    { id: "redo", group: "Masks", label: "Redo", keys: ["Ctrl+Shift+z", "Ctrl+y"] },
    { id: "pan", group: "View", label: "Drag moves the picture, while held", keys: ["Space"], hold: true },
    { id: "fit", group: "View", label: "Fit the picture", keys: ["f"] },
    { id: "actual", group: "View", label: "100 %: one pixel on one pixel", keys: ["0"] },
    { id: "zoomIn", group: "View", label: "Zoom in", keys: ["+", "="] },
    { id: "zoomOut", group: "View", label: "Zoom out", keys: ["-"] },
    { id: "peek", group: "View", label: "Hide the masks, while held", keys: ["q"], hold: true },
    { id: "previous", group: "Samples", label: "Previous sample", keys: ["a"] },
    { id: "next", group: "Samples", label: "Next sample", keys: ["d"] },
    { id: "question", group: "Samples", label: "Write the question", keys: ["w"] },
    { id: "save", group: "Samples", label: "Save now (it saves by itself)", keys: ["Ctrl+s"], typing: true },
    { id: "submit", group: "Samples", label: "Submit", keys: ["Ctrl+Enter"], typing: true },
    { id: "skip", group: "Samples", label: "Skip: the next sample, nothing submitted", keys: ["Ctrl+Space"] },
    { id: "help", group: "Samples", label: "This help", keys: ["?", "F1"] },
];

const BROWSERS_OWN = ["Ctrl+w", "Ctrl+t", "Ctrl+n", "Ctrl+Shift+w", "Ctrl+Shift+t", "Ctrl+Shift+n", "Ctrl+Tab", "Ctrl+Shift+Tab", "F5", "F11", "F12", "Ctrl+r"];
const MODIFIERS = ["Control", "Shift", "Alt", "Meta", "AltGraph", "CapsLock", "Dead", "Process", "Unidentified"];
const TEXT = "textarea, select, [contenteditable]:not([contenteditable=false]), input:not([type=radio], [type=checkbox], [type=range], [type=button])";

// "Ctrl+Shift+z", "Tab", "?", or null for a modifier alone. What AltGr types is the character alone; Shift is named where it
// does not already make another character; letters of other scripts have the name of the key's place.
export function keyName(event) {
    let { key } = event;
    if (!key || MODIFIERS.includes(key)) return null;
    const altGr = event.getModifierState?.("AltGraph") ?? false;
    if (key === " ") key = "Space";
    else if (key.length === 1 && key > "~" && /^Key[A-Z]$/.test(event.code)) key = event.code[3];
    const single = key.length === 1, letter = single && /[a-z]/i.test(key);
    if (single) key = key.toLowerCase();
    const ctrl = (event.ctrlKey || event.metaKey) && !altGr, alt = event.altKey && !altGr;
    const shift = event.shiftKey && (letter || !single);
    return `${ctrl ? "Ctrl+" : ""}${alt ? "Alt+" : ""}${shift ? "Shift+" : ""}${key}`;
}

export const isTyping = element => Boolean(element?.closest?.(TEXT));

export const shown = name => name.split("+").map((part, i, all) => (part || (i === all.length - 1 ? "+" : null))).filter(Boolean)
    .map(part => (part.length === 1 ? part.toUpperCase() : part)).join(" ");

// Which key does what for this person: the table, with what was remapped in this browser.
export class Keys {
    constructor(storage = localStorage) {
        this.storage = storage;
        try {
            this.own = JSON.parse(storage.getItem(STORAGE) ?? "{}");
        } catch {
            this.own = {}; // what is not ours to read is not ours to keep
        }
    }

    of(id) {
        return this.own[id] ?? ACTIONS.find(action => action.id === id).keys;
    }

    action(name) {
        return ACTIONS.find(({ id }) => this.of(id).includes(name)) ?? null;
    }

    // Gives an action a key in place of its key number `at`; returns why not, or null.
    assign(id, at, name) {
        if (BROWSERS_OWN.includes(name)) return `The browser keeps ${shown(name)} for itself.`;
        if ((name.length === 1 || name === "Space") && ACTIONS.find(action => action.id === id).typing) return "This acts while you type, so it needs Ctrl or Alt.";
        const other = this.action(name);
        if (other && other.id !== id) return `${shown(name)} is already “${other.label}”. Give that another key first.`;
        const keys = [...this.of(id)];
        keys[at] = name;
        this.own = { ...this.own, [id]: [...new Set(keys)] };
        this.storage.setItem(STORAGE, JSON.stringify(this.own));
        return null;
    }

    reset() {
        this.own = {};
        this.storage.removeItem(STORAGE);
    }

    // For tooltips: "Brush (B)".
    tip(id, text = ACTIONS.find(action => action.id === id).label) {
        return `${text} (${this.of(id).map(shown).join(", ")})`;
    }
}

// Listens to the whole page. `host`: {root, ready(): whether keys act now, act(id, pressed): whether it did something}.
export function listen(keys, host) {
    const held = new Map(); // physical key → action that is held
    const release = code => {
        if (held.has(code)) host.act(held.get(code), false);
        held.delete(code);
    };
    addEventListener("keydown", event => {
        if (event.isComposing || event.keyCode === 229 || event.defaultPrevented || !host.ready()) return;
        const name = keyName(event), action = name && keys.action(name);
        if (!action || (isTyping(event.target) && !action.typing)) return;
        // These three work a button that has the focus.
        const free = event.target === host.root || event.target === document.body;
        if (!free && ["Space", "Enter", "Tab", "Shift+Enter", "Shift+Tab"].includes(name)) return;
        if (action.hold && event.repeat) return event.preventDefault();
        if (host.act(action.id, true) === false) return;
        event.preventDefault();
        if (action.hold) held.set(event.code, action.id);
    });
    addEventListener("keyup", event => release(event.code));
    addEventListener("blur", () => [...held.keys()].forEach(release));
}
