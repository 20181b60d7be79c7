"""How far people agree: over all, pair by pair, against gold, and sample by sample with the answers side by side.

Text of users goes into components that show it as text alone: gallery captions, tables of type ``str``, text boxes.
"""

from typing import Any

import gradio as gr

from whyseg.curation.agreement import Estimate, MaskAgreement
from whyseg.curation.answers import Answers
from whyseg.curation.guidance import guidance
from whyseg.curation.overlaps import AgreementReport, Given, GoldScore, Overlap, Overlaps, PairAgreement
from whyseg.curation.workspace import Workspace
from whyseg.schemas.errors import UsageError, WhysegError
from whyseg.ui.browse import NOTHING, QUIET, base_url, page_number, picked
from whyseg.ui.roles import Verb, member, require

FIGURES = ["agreement", "value", "95 % interval", "over", "remark"]
PAIRS = ["who", "with whom", "IoU", "95 % interval", "boundary IoU", "samples"]
GOLD = ["who", "gold items", "IoU", "95 % interval", "boundary IoU", "right type", "right depth"]
ITEMS = ["question", "answers", "still open", "IoU", "boundary IoU", "types", "depths", "sample"]
ORDERS = [("those on which people agree least", "worst"), ("as they were handed out", "added")]
PAGE_SIZE = 20
SIDE = 480  # pixels of a picture's longest side
LOW, HIGH = (150, 40, 40), (28, 110, 60)  # red, green: the colours of IoU 0 and 1, dark enough for light text


def figure(value: float | None) -> str:
    """Return a figure as the tables show it.

    >>> figure(0.5), figure(None)
    ('0.500', '–')
    """
    return "–" if value is None else f"{value:.3f}"


def interval(estimate: Estimate) -> str:
    """Return an estimate's interval as the tables show it."""
    return "" if estimate.low is None or estimate.high is None else f"{estimate.low:.3f} … {estimate.high:.3f}"


def figures(report: AgreementReport) -> list[list[str]]:
    """Return the figures over all samples as rows below `FIGURES`."""
    named = {
        "masks: IoU, mean of the samples' means": report.iou,
        "masks: boundary IoU": report.boundary_iou,
        "reasoning type: alpha (nominal)": report.type_alpha,
        "depth: alpha (ordinal)": report.depth_alpha,
        "no target: alpha (nominal)": report.no_target_alpha,
    }
    return [[name, figure(one.value), interval(one), str(one.count), one.reason or ""] for name, one in named.items()]


def pair_row(pair: PairAgreement) -> list[str]:
    """Return a pair of people as a row below `PAIRS`."""
    return [
        *pair.people, figure(pair.iou.value), interval(pair.iou), figure(pair.boundary_iou.value), str(pair.iou.count),
    ]  # fmt: skip


def gold_row(score: GoldScore) -> list[str]:
    """Return somebody's score against gold as a row below `GOLD`."""
    shares = f"{score.right_type:.0%}", f"{score.right_depth:.0%}"
    values = figure(score.iou.value), interval(score.iou), figure(score.boundary_iou.value)
    return [score.user, str(score.count), *values, *shares]


def item_row(overlap: Overlap) -> list[str]:
    """Return a sample as a row below `ITEMS`."""
    done = [one for one in overlap.answers if one.counts]
    waiting = [one.user for one in overlap.answers if one.revision_id is None]
    types = [guidance().types[one.reasoning_type].name for one in done if one.reasoning_type]
    return [
        overlap.query or "",
        str(len(done)),
        ", ".join(waiting),
        figure(overlap.masks.mean_iou),
        figure(overlap.masks.mean_boundary_iou),
        ", ".join(f"{name} ×{types.count(name)}" for name in dict.fromkeys(types)),
        ", ".join(str(one.depth) for one in done if one.depth),
        overlap.sample_id,
    ]


def matrix(masks: MaskAgreement, boundary: bool) -> dict[str, Any]:
    """Return who against whom as a table's value, coloured from red (0) to green (1)."""
    values = masks.boundary_iou if boundary else masks.iou
    rows = [[name, *(figure(value) for value in row)] for name, row in zip(masks.people, values, strict=True)]
    styles = [["", *(f"background-color: {colour(value)}" for value in row)] for row in values]
    title = "boundary IoU" if boundary else "IoU"
    return {"headers": [title, *masks.people], "data": rows, "metadata": {"display_value": rows, "styling": styles}}


def colour(value: float) -> str:
    """Return the colour of a figure from 0 to 1.

    >>> colour(0), colour(1)
    ('rgb(150, 40, 40)', 'rgb(28, 110, 60)')
    """
    mixed = (round(low + (high - low) * value) for low, high in zip(LOW, HIGH, strict=True))
    return f"rgb({', '.join(map(str, mixed))})"


def pictures(overlap: Overlap, base: str) -> list[tuple[str, str]]:
    """Return the answers' pictures with the line below each."""
    return [
        (f"{base}/api/v1/revisions/{one.revision_id}/picture?side={SIDE}", caption(one))
        for one in overlap.answers
        if one.revision_id
    ]


def caption(given: Given) -> str:
    """Return the line below an answer's picture."""
    parts = [given.label]
    if given.kind == "gold":
        parts.append("gold")
    parts.append(guidance().types[given.reasoning_type].name if given.reasoning_type else "no type")
    parts.append(f"depth {given.depth}" if given.depth else "no depth")
    parts += ["no target"] * given.no_target + [f"asked otherwise: {given.query}"] * given.reworded
    return " · ".join(parts)


def summary(report: AgreementReport) -> str:
    """Return the report's counts as a line."""
    items = f"{report.items} sample{'s' * (report.items != 1)} that two or more people answered"
    parts = [items, f"{report.pairs} pair{'s' * (report.pairs != 1)} of answers", f"{report.open} still open"]
    return " · ".join(parts + [f"{report.reworded} left out: the question was reworded"] * bool(report.reworded))


class AgreementSection:
    """The section's components, and what fills them."""

    def __init__(self, workspace: Workspace) -> None:
        """Build the section inside the current Blocks context."""
        self.store = workspace.store
        self.overlaps, self.answers = Overlaps(self.store), Answers(self.store)
        self.summary = gr.Textbox(
            show_label=False, container=False, interactive=False, elem_id="ws-agree-summary", max_lines=2
        )
        self.figures = _table(FIGURES, "ws-agree-figures")
        with gr.Row(elem_id="ws-agree-people"):
            self.pairs = _table(PAIRS, "ws-agree-pairs", max_height=260)
            self.gold = _table(GOLD, "ws-agree-gold", max_height=260)
        with gr.Row(elem_id="ws-agree-pages"):
            self.order = gr.Radio(ORDERS, value="worst", label="Samples", elem_id="ws-agree-order", min_width=480)
            self.back = gr.Button("‹ Page before", elem_id="ws-agree-page-before", scale=0, min_width=120)
            self.next = gr.Button("Next page ›", elem_id="ws-agree-page-after", scale=0, min_width=120)
            self.again = gr.Button("Compare again", elem_id="ws-agree-again", scale=0, min_width=130)
            self.page = gr.Textbox(
                show_label=False, container=False, interactive=False, elem_id="ws-agree-page", max_lines=1
            )
        self.items = _table(ITEMS, "ws-agree-items", max_height=320)
        with gr.Row(elem_id="ws-agree-matrices"):
            self.iou = _table(["IoU"], "ws-agree-iou")
            self.edge = _table(["boundary IoU"], "ws-agree-boundary")
        self.gallery = gr.Gallery(
            columns=4, height="auto", allow_preview=True, show_label=False, object_fit="contain", buttons=[],
            elem_id="ws-agree-pictures",
        )  # fmt: skip
        with gr.Row(elem_id="ws-agree-adopt-row"):
            self.answer = gr.Dropdown([], label="Take as the sample's next revision", elem_id="ws-agree-answer")
            self.adopt = gr.Button("Adopt", variant="primary", elem_id="ws-agree-adopt", scale=0, min_width=120)
            self.told = gr.Textbox(
                show_label=False, container=False, interactive=False, elem_id="ws-agree-told", lines=1, max_lines=3
            )
        self.shown = gr.JSON(NOTHING, visible=False)
        self.chosen = gr.Textbox(visible=False)  # the sample whose answers are shown
        self.parent = gr.Textbox(visible=False)  # its newest revision, as it was then

    def show(self, order: Any, shown: dict[str, Any], event: gr.EventData, request: gr.Request) -> Any:
        """Return what the tables show."""
        try:
            require(member(request.request), Verb.ASSIGN)
            report = self.overlaps.report()
            step = -1 if event.target is self.back else 1 if event.target is self.next else 0
            number = max(1, page_number([order], shown, step))
            total = self.overlaps.count()
            last = max(1, -(-total // PAGE_SIZE))
            number = min(number, last)
            _, found = self.overlaps.page(order=order, offset=(number - 1) * PAGE_SIZE, limit=PAGE_SIZE)
        except WhysegError as error:
            return [str(error)] + [gr.skip()] * 6
        return [
            summary(report),
            figures(report),
            [pair_row(pair) for pair in report.people],
            [gold_row(score) for score in report.gold],
            [item_row(one) for one in found],
            f"{total} with answers · page {number} of {last}",
            {"fields": [order], "number": number, "ids": [one.sample_id for one in found]},
        ]

    def choose(self, shown: dict[str, Any], event: gr.SelectData) -> str:
        """Return the sample that was chosen in the table."""
        return picked(shown["ids"], event.index)

    def detail(self, sample_id: str, request: gr.Request) -> Any:
        """Return the matrices and the pictures of a sample's answers, and which can be adopted."""
        try:
            require(member(request.request), Verb.ASSIGN)
            if not sample_id:
                raise UsageError("choose a sample in the table")
            found = self.overlaps.get(sample_id)
            parent = self.store.head(sample_id).revision.id
        except WhysegError as error:
            return [gr.skip()] * 5 + [str(error)]
        done = [(one.user, one.sample_id) for one in found.answers if one.revision_id and not one.original]
        return [
            matrix(found.masks, boundary=False),
            matrix(found.masks, boundary=True),
            gr.Gallery(pictures(found, base_url(request.request)), selected_index=None),
            gr.Dropdown(done, value=None),
            parent,
            found.masks.reason or "",
        ]

    def take(self, sample_id: str, parent: str, answer: str | None, request: gr.Request) -> str:
        """Adopt an answer, on the revision that the sample was at when it was chosen; return what to say about it."""
        try:
            who = member(request.request)
            require(who, Verb.ASSIGN)
            if not sample_id or not answer:
                raise UsageError("choose a sample, and whose answer to take")
            made = self.answers.adopt(answer, original_id=sample_id, parent=parent, author=who.name)
        except WhysegError as error:
            return str(error)
        return f"adopted: the sample is at r{made.revision.number}, a {made.state.value}"

    def wire(self, shown: Any, tabs: gr.Tabs) -> None:
        """Connect the order, the pages, the table of samples, and adopting.

        The report is made when it is looked at, and not before: of many samples that takes a while.
        """
        outputs = [self.summary, self.figures, self.pairs, self.gold, self.items, self.page, self.shown]
        triggers = [shown, self.order.input, self.back.click, self.next.click, self.again.click]
        gr.on(triggers, self.show, [self.order, self.shown], outputs, trigger_mode="always_last", **QUIET)
        chosen = self.items.select(self.choose, self.shown, self.chosen, **QUIET)
        details = [self.iou, self.edge, self.gallery, self.answer, self.parent, self.told]
        chosen.then(self.detail, self.chosen, details, **QUIET)
        self.adopt.click(self.take, [self.chosen, self.parent, self.answer], self.told, trigger_mode="once", **QUIET)


def _table(headers: list[str], elem_id: str, **options: Any) -> gr.Dataframe:
    return gr.Dataframe(
        headers=headers, datatype="str", interactive=False, wrap=True, show_label=False, buttons=[], elem_id=elem_id,
        **options,
    )  # fmt: skip
