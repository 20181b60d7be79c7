// The page's own message bar: Gradio says nothing of what fails outside its events.
import { el } from "./dom.js";

const SECONDS = { info: 6, done: 3 }; // warnings and errors stay until they are closed or answered

export class Bar {
    root = el("div", { class: "ws-bar", role: "status", "aria-live": "polite", hidden: true });

    // actions: [[label, function], …]; a message of the same `topic` takes the older one's place, `clear(topic)` ends it.
    tell(kind, text, actions = [], topic = "") {
        clearTimeout(this.timer);
        this.topic = topic;
        const close = () => this.clear(topic);
        const buttons = actions.map(([label, act]) => el("button", { onclick: () => { close(); act(); } }, label));
        this.root.className = `ws-bar ws-${kind}`;
        this.root.replaceChildren(el("span", {}, text), ...buttons, el("button", { class: "ws-close", title: "Close", onclick: close }, "×"));
        this.root.hidden = false;
        if (SECONDS[kind] && !actions.length) this.timer = setTimeout(close, 1000 * SECONDS[kind]);
    }

    clear(topic) {
        if (topic !== undefined && topic !== this.topic) return;
        this.root.hidden = true;
    }
}
