"""The list of samples: filters, pages, pictures and a table; choosing one opens it on the annotation page.

Text of users goes into components that show it as text alone: gallery captions, tables of type ``str``, text boxes.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import gradio as gr
from fastapi import Request

from whyseg.curation.guidance import guidance
from whyseg.curation.queries import SampleFilter, SampleSummary
from whyseg.curation.store import Store
from whyseg.curation.visibility import Viewer
from whyseg.schemas import ReasoningType, State
from whyseg.schemas.sample import MAX_DEPTH
from whyseg.ui.annotate import MODULE, guides
from whyseg.ui.roles import member
from whyseg.ui.seen import build_seen
from whyseg.ui.sight import viewer

PAGE_SIZE = 24
ANY = "any"
THUMBNAIL = 320  # pixels of the longest side
HEADERS = ["file", "state", "question", "type", "depth", "instances", "revision", "changed"]
ORDERS = [("as added", "added"), ("last changed first", "updated")]
# The shell's own event `picked` exists because its quoted name stands in this text.
MATRIX = f"""{MODULE}.then(page => page.mountCoverage(element, {{
    types: props.guides, picked: () => trigger("picked"),
}}));"""
PICKED = f"async () => (await {MODULE}).picked()"
OPEN = f"async id => {{ if (id) await (await {MODULE}).open(id); }}"
FIRST_STRONG, POP = "\u2068", "\u2069"  # Unicode's isolation of a part of a line
CLOSING = dict.fromkeys([0x2066, 0x2067, 0x2068, 0x2069])  # what could end the isolation before its end
NOTHING: dict[str, Any] = {"fields": [], "number": 1, "ids": []}
# A page of the list stays in the browser; an event of this page neither waits in Gradio's queue nor shows its spinner.
QUIET: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}


class Listing(NamedTuple):
    """A page of the list as the components show it."""

    pictures: list[tuple[str, str]]
    rows: list[list[str]]
    ids: list[str]
    summary: str
    number: int


def wanted(
    state: str,
    reasoning_type: str,
    depth: str,
    text: str | None,
    assigned: str | None = None,
    viewer: Viewer | None = None,
) -> SampleFilter:
    """Return the filter that the fields stand for; ``assigned``: to whom, "" for nobody."""
    return SampleFilter(
        state=None if state == ANY else State(state),
        reasoning_type=None if reasoning_type == ANY else ReasoningType(reasoning_type),
        depth=None if depth == ANY else int(depth),
        text=(text or "").strip() or None,
        assigned=assigned,
        viewer=viewer,
    )


def listing(store: Store, chosen: SampleFilter, order: Any, number: int, base: str) -> Listing:
    """Return page ``number`` (from 1; past the end means the last) of the samples that match, with absolute URLs."""
    number = max(1, number)
    page = store.page(chosen, order=order, offset=(number - 1) * PAGE_SIZE, limit=PAGE_SIZE)
    last = max(1, -(-page.total // PAGE_SIZE))
    if number > last:
        return listing(store, chosen, order, last, base)
    shown = "no sample matches" if not page.total else f"{page.total} sample{'s' * (page.total != 1)}"
    return Listing(
        pictures=[(thumbnail(base, sample.image_id), caption(sample)) for sample in page.samples],
        rows=[row(sample) for sample in page.samples],
        ids=[sample.id for sample in page.samples],
        summary=f"{shown} · page {number} of {last}",
        number=number,
    )


def caption(sample: SampleSummary) -> str:
    """Return the line below a sample's picture."""
    target = "no target" if sample.no_target else f"{sample.instances} instance{'s' * (sample.instances != 1)}"
    return f"{isolated(sample.query or sample.file_name)} · {sample.state.value} · {target}"


def isolated(text: str) -> str:
    """Return a user's text so that none of its marks for writing from right to left reach what stands beside it.

    >>> isolated("a cup"), len(isolated("כוס"))
    ('a cup', 5)
    """
    return text if text.isascii() else f"{FIRST_STRONG}{text.translate(CLOSING)}{POP}"


def row(sample: SampleSummary) -> list[str]:
    """Return a sample as a row below `HEADERS`."""
    return [
        sample.file_name,
        sample.state.value,
        sample.query or "",
        guidance().types[sample.reasoning_type].name if sample.reasoning_type else "",
        str(sample.depth or ""),
        "no target" if sample.no_target else str(sample.instances),
        f"r{sample.number}",
        f"{sample.updated_at:%Y-%m-%d %H:%M}",
    ]


def thumbnail(base: str, image_id: str) -> str:
    """Return a thumbnail's absolute URL: Gradio leaves those to the browser, and copies whatever else it is given."""
    return f"{base}/api/v1/images/{image_id}/thumbnail?side={THUMBNAIL}"


def base_url(request: Request) -> str:
    """Return the address, without a slash at its end, under which the browser sees this server."""
    path = str(request.scope.get("root_path", "")).removesuffix("/app").rstrip("/")
    scheme = request.headers.get("x-forwarded-proto", request.url.scheme).partition(",")[0].strip()
    return f"{scheme}://{request.headers.get('host', request.url.netloc)}{path}"


def page_number(fields: Sequence[Any], shown: dict[str, Any], step: int) -> int:
    """Return which page to show, ``step`` pages from the one that is shown; the first when the fields have changed."""
    return int(shown["number"]) + step if list(fields) == shown["fields"] else 1


def picked(ids: Sequence[str], index: Any) -> str:
    """Return the sample that was chosen: by its place in the gallery, or by (row, column) in the table."""
    place = index[0] if isinstance(index, list | tuple) else index
    return ids[place] if isinstance(place, int) and 0 <= place < len(ids) else ""


class BrowseTab:
    """The tab's components, and what fills them."""

    def __init__(self, store: Store) -> None:
        """Build the tab inside the current Blocks context."""
        self.store = store
        self.seen = build_seen()
        self.matrix = gr.HTML(
            html_template="<div></div>",
            js_on_load=MATRIX,
            apply_default_css=False,
            elem_id="ws-matrix",
            guides=guides(),
        )
        with gr.Row(elem_id="ws-filters"):
            self.text = gr.Textbox(label="Text in question or file name", elem_id="ws-filter-text", scale=2)
            self.state = _choice("State", [state.value for state in State], "ws-filter-state")
            types = [(guide.name, kind.value) for kind, guide in guidance().types.items()]
            self.type = _choice("Reasoning type", types, "ws-filter-type")
            self.depth = _choice("Depth", [str(depth) for depth in range(1, MAX_DEPTH + 1)], "ws-filter-depth")
            self.mine = gr.Checkbox(label="Assigned to me", elem_id="ws-filter-mine", container=False, min_width=130)
            self.order = gr.Dropdown(ORDERS, value="added", label="Order", elem_id="ws-filter-order", min_width=120)
        with gr.Row(elem_id="ws-pages"):
            self.before = gr.Button("‹ Page before", elem_id="ws-page-before", scale=0, min_width=120)
            self.after = gr.Button("Next page ›", elem_id="ws-page-after", scale=0, min_width=120)
            self.summary = gr.Textbox(
                show_label=False, container=False, interactive=False, elem_id="ws-count", max_lines=1
            )
        with gr.Tabs():
            with gr.Tab("Pictures"):
                self.gallery = gr.Gallery(
                    columns=6, height="auto", allow_preview=False, show_label=False, object_fit="contain",
                    buttons=[], elem_id="ws-gallery",
                )  # fmt: skip
            with gr.Tab("Table"):
                self.table = gr.Dataframe(
                    headers=HEADERS, datatype="str", interactive=False, wrap=True, show_label=False, buttons=[],
                    elem_id="ws-table",
                )  # fmt: skip
        self.shown = gr.JSON(NOTHING, visible=False)  # which page of what the list shows, and its samples' ids
        self.chosen = gr.Textbox(visible=False)

    def show(
        self,
        text: str,
        state: str,
        kind: str,
        depth: str,
        mine: bool,
        order: str,
        shown: dict[str, Any],
        event: gr.EventData,
        request: gr.Request,
    ) -> Any:
        """Return what the components show after a field has changed, a page was turned, or the tab was opened."""
        fields = [text, state, kind, depth, mine, order]
        step = -1 if event.target is self.before else 1 if event.target is self.after else 0
        number = page_number(fields, shown, step)
        who = member(request.request)
        chosen = wanted(state, kind, depth, text, who.name if mine else None, viewer(who))
        found = listing(self.store, chosen, order, number, base_url(request.request))
        now = {"fields": fields, "number": found.number, "ids": found.ids}
        return gr.Gallery(found.pictures, selected_index=None), found.rows, found.summary, now

    def wire(self, tabs: gr.Tabs) -> None:
        """Connect fields, pages and choices; ``tabs`` turns to the annotation page when a sample is chosen."""
        fields = [self.text, self.state, self.type, self.depth, self.mine, self.order]
        # One event for all that changes the list: of two, the reply to the older could come last and stay.
        triggers = [self.seen.select, *(field.change for field in fields), self.before.click, self.after.click]
        outputs = [self.gallery, self.table, self.summary, self.shown]
        gr.on(triggers, self.show, [*fields, self.shown], outputs, trigger_mode="always_last", **QUIET)
        self.matrix.picked(None, None, [self.type, self.depth], js=PICKED, **QUIET)
        for component in (self.gallery, self.table):
            chosen = component.select(_pick, self.shown, [self.chosen, tabs], **QUIET)
            chosen.then(None, self.chosen, None, js=OPEN, **QUIET)


def _pick(shown: dict[str, Any], event: gr.SelectData) -> tuple[str, gr.Tabs]:
    return picked(shown["ids"], event.index), gr.Tabs(selected="annotate")


def _choice(label: str, values: Sequence[Any], elem_id: str) -> gr.Dropdown:
    return gr.Dropdown([(ANY, ANY), *values], value=ANY, label=label, elem_id=elem_id, min_width=120)
