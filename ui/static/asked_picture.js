// Which picture is asked about: the open sample's, one found by its question, or a file that is dropped on the page.
import { API, call, explain, imageUrl } from "./api.js";
import { el } from "./dom.js";
import { Picture } from "./picture.js";

const FOUND = 12, WAIT = 250; // samples; milliseconds after the last letter
const LARGEST = 24_000_000; // bytes of a file, which become a third more on their way

const sentUrl = id => new URL(`ask/pictures/${encodeURIComponent(id)}`, API);

export class PictureChoice {
    chosen = null; // {id, name, url}

    // `current()`: the sample that is open in Annotate; `picked(picture)`: another one was chosen, and is decoded; `failed(text)`.
    constructor({ current, picked, failed }) {
        Object.assign(this, { current, picked, failed });
        this.name = el("span", { class: "ws-file" }, "no picture");
        this.search = el("input", { type: "search", placeholder: "Find by its question…", "aria-label": "Find a picture by its question", maxlength: 200, oninput: () => this.#later() });
        this.file = el("input", { type: "file", accept: "image/*", hidden: true, onchange: () => this.send(this.file.files[0]) });
        this.found = el("div", { class: "ws-found", hidden: true });
        this.root = el("section", { class: "ws-card" }, el("header", {}, el("h3", {}, "Picture"), this.name),
            el("div", { class: "ws-models-line" }, el("button", { title: "The picture that is open in Annotate", onclick: () => this.takeCurrent() }, "Open sample's"),
                el("button", { title: "Any picture; it is not added to the workspace. Or drop one on the page.", onclick: () => this.file.click() }, "File…"), this.file, this.search), this.found);
    }

    takeCurrent() {
        const found = this.current();
        if (found) return this.choose({ id: found.image.id, name: found.image.file_name, url: imageUrl(found.image.id) });
        this.failed("No sample is open in Annotate.");
    }

    // Shows a picture; what came of asking for an older one meanwhile is forgotten.
    async choose(chosen) {
        const ticket = (this.ticket = {});
        try {
            const picture = await Picture.load(chosen.id, undefined, chosen.url);
            if (ticket !== this.ticket) return void picture.close();
            this.chosen = chosen;
            this.name.textContent = chosen.name;
            this.name.title = chosen.name;
            this.picked(picture);
        } catch (error) {
            if (ticket === this.ticket) this.failed(explain(error));
        }
    }

    // The picture of a question that was asked before.
    chooseAsked({ question: { image_id: id, file_name: name }, in_workspace: known }) {
        return this.chosen?.id === id ? undefined : this.choose({ id, name: name || id, url: known ? imageUrl(id) : sentUrl(id) });
    }

    async send(file) {
        this.file.value = "";
        if (!file) return;
        if (file.size > LARGEST) return this.failed(`${file.name} has ${Math.round(file.size / 1e6)} MB, and a file may have ${LARGEST / 1e6}.`);
        try {
            const { image, in_workspace: known } = await call("POST", "ask/pictures", { name: file.name, data: await base64(file) });
            await this.choose({ id: image.id, name: file.name, url: known ? imageUrl(image.id) : sentUrl(image.id) });
        } catch (error) {
            this.failed(explain(error));
        }
    }

    #later() {
        clearTimeout(this.timer);
        this.timer = setTimeout(() => this.#look(), WAIT);
    }

    async #look() {
        const text = this.search.value.trim(), ticket = (this.looking = {});
        if (!text) return void (this.found.hidden = true);
        try {
            const { samples } = await call("GET", `samples?${new URLSearchParams({ text, limit: FOUND })}`);
            if (ticket !== this.looking) return;
            this.found.replaceChildren(...samples.map(one => this.#tile(one)), ...(samples.length ? [] : [el("span", { class: "ws-note" }, "No question has these words.")]));
            this.found.hidden = false;
        } catch (error) {
            if (ticket === this.looking) this.failed(explain(error));
        }
    }

    #tile({ image_id: id, query, file_name: name }) {
        const pick = () => {
            this.found.hidden = true;
            this.choose({ id, name, url: imageUrl(id) });
        };
        return el("button", { title: query ?? name, onclick: pick }, el("img", { src: new URL(`images/${encodeURIComponent(id)}/thumbnail?side=128`, API), alt: name, loading: "lazy" }));
    }
}

async function base64(file) {
    const url = await new Promise((resolve, reject) => {
        const reader = new FileReader();
        reader.onload = () => resolve(reader.result);
        reader.onerror = () => reject(reader.error);
        reader.readAsDataURL(file);
    });
    return url.slice(url.indexOf(",") + 1);
}
