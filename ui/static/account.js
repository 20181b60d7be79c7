// One's own password, changed in a dialog: whoever does stays signed in here, and nowhere else.
import { call, explain } from "./api.js";
import { el } from "./dom.js";

export class Account {
    constructor({ user, role }) {
        const field = (name, label, complete) => el("label", {}, label, el("input", { name, type: "password", autocomplete: complete, required: true, maxlength: 1000 }));
        this.message = el("p", { class: "ws-help-message", role: "status" });
        this.save = el("button", { class: "ws-main" }, "Change password");
        this.form = el("form", { class: "ws-account", onsubmit: event => this.#submit(event) }, field("old", "Password", "current-password"),
            field("new", "New password", "new-password"), field("again", "New password again", "new-password"), el("footer", {}, this.message, this.save));
        const close = el("button", { class: "ws-close", title: "Close", onclick: () => this.root.close() }, "×");
        this.root = el("dialog", { class: "ws-dialog", "aria-label": "Your account", onclose: () => this.form.reset() },
            el("header", {}, el("h2", {}, `${user}, ${role}`), close), this.form);
        document.body.append(this.root);
    }

    open() {
        this.message.textContent = "";
        this.root.showModal();
    }

    async #submit(event) {
        event.preventDefault();
        const { old, new: wanted, again } = Object.fromEntries(new FormData(this.form));
        if (wanted !== again) return void (this.message.textContent = "The new password is not the same twice.");
        this.save.disabled = true;
        try {
            await call("PUT", "me/password", { old, new: wanted });
            this.form.reset();
            this.message.textContent = "Changed. Everywhere else you are signed out.";
        } catch (error) {
            this.message.textContent = error.kind === "wrong_login" ? "The password is wrong." : explain(error);
        } finally {
            this.save.disabled = false;
        }
    }
}
