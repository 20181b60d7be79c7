// What the page uses. The desk is made once a page and moves, with all it holds, into whichever shell Gradio shows.
import { Coverage } from "./coverage.js";
import { Desk } from "./desk.js";
import { FindingsPage } from "./findings.js";
import { Fixing, turnTo } from "./fixing.js";
import { isProposed } from "./proposals.js";
import { ModelsPage } from "./models.js";
import { ReviewPage } from "./review.js";
import { whenSeen } from "./seen.js";

export { whenSeen };

let aimed = null; // the sample at which the review is to open
let desk = null, panel = null, drafting = null, noticed = null, review = null, fixing = null, findings = null, coverage = null, models = null, cell = null;

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
    if (noticed) mountNoticed(noticed);
    if (first) desk.start().then(() => models?.root.offsetParent && models.show()); // which takes the sample that is open now
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

// In the shell of the open sample's findings, above the form.
export function mountNoticed(slot) {
    noticed = slot;
    if (desk) slot.replaceChildren(desk.findings.root);
}

// What the form's fields are to show, in their order.
export const fields = () => desk.form.values;

// A page that asks the server anew whenever its tab is chosen.
function shown(page, show = page => page.show()) {
    whenSeen(page.root, () => show(page));
    return page;
}

// Opens a sample by its id.
export const open = id => desk.open(id);

// In the review tab's shell: `host` is {reasons, types}.
export function mountReview(slot, host) {
    review ??= shown(new ReviewPage({ ...host, fix: (id, done) => (fixing ??= new Fixing(desk)).start(id, done) }), page => {
        const aim = aimed;
        aimed = null;
        page.show(aim);
    });
    slot.replaceChildren(review.root);
}

// The running review page, for tests.
export const reviewing = () => review;

// In the findings tab's shell: `host` is {kinds}, the kinds of a model's findings. A click on one of these opens the review at the
// change that is proposed, where there is one; on another, its sample on the annotation page.
export function mountFindings(slot, host) {
    findings ??= shown(new FindingsPage(async finding => {
        if (host.kinds.includes(finding.kind) && (await isProposed(finding.opens))) {
            aimed = finding.opens;
            turnTo("Review");
        } else {
            turnTo("Annotate");
            desk.openAt(finding.opens, finding.id);
        }
    }));
    slot.replaceChildren(findings.root);
}

// In the models tab's shell; what a policy answered becomes a sample on the annotation page.
export function mountModels(slot) {
    models ??= shown(new ModelsPage({
        current: () => desk?.found ?? null,
        open: id => {
            turnTo("Annotate");
            desk.open(id);
        },
    }));
    slot.replaceChildren(models.root);
}

// In the coverage's shell, above the list of samples: `host` is {types, picked(): Gradio takes `picked` for the list's filters}.
export function mountCoverage(slot, host) {
    coverage ??= shown(new Coverage(host.types, chosen => {
        cell = chosen;
        coverage.host.picked();
    }));
    coverage.host = host;
    slot.replaceChildren(coverage.root);
}

// The reasoning type and the depth that were chosen in the matrix.
export const picked = () => [cell.type, cell.depth];
