// What the page uses. The desk is made once a page and moves, with all it holds, into whichever shell Gradio shows.
import { Desk } from "./desk.js";
import { Fixing } from "./fixing.js";
import { ReviewPage } from "./review.js";

let desk = null, panel = null, drafting = null, review = null, fixing = null;

// The running desk, for tests and measurements.
export const current = () => desk;

// In the canvas' shell, again for every new one: `host` is {guides, depths, fill()}.
export function mount(slot, host) {
    const first = desk === null;
    desk ??= new Desk({ guides: host.guides, depths: host.depths, fill: () => desk.host.fill() });
    desk.host = host;
    slot.replaceChildren(desk.stage.root);
    if (panel) mountPanel(panel);
    if (drafting) mountDrafts(drafting);
    if (first) desk.start();
}

export function mountPanel(slot) {
    panel = slot;
    if (desk) slot.replaceChildren(desk.stage.panel.root);
}

// In the drafts' shell, below the form.
export function mountDrafts(slot) {
    drafting = slot;
    if (desk) slot.replaceChildren(desk.drafts.root);
}

// What the form's fields are to show, in their order.
export const fields = () => desk.form.values;

// Opens a sample by its id.
export const open = id => desk.open(id);

// In the review tab's shell: `host` is {reasons, types}.
export function mountReview(slot, host) {
    review ??= new ReviewPage({ ...host, fix: (id, done) => (fixing ??= new Fixing(desk)).start(id, done) });
    slot.replaceChildren(review.root);
}

// The running review page, for tests.
export const reviewing = () => review;

export const showReview = () => review?.show();
