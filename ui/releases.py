"""The releases: what each holds, and what came, went and changed between two of them, with pictures.

Text of users goes into components that show it as text alone: gallery captions, tables of type ``str``, text boxes.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import gradio as gr

from whyseg.curation.release_diff import Change, changes
from whyseg.curation.releases import Releases
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Release, ReleaseItem
from whyseg.schemas.errors import WhysegError
from whyseg.ui.browse import QUIET, base_url
from whyseg.ui.roles import Verb, may, member, require
from whyseg.ui.routes.releases import Comparisons
from whyseg.ui.seen import build_seen

HEADERS = ["release", "samples", "images", "train", "validation", "test", "frozen", "by", "on (UTC)", "hash", "notes"]
DIFFERENCES = ["question", "question before", "what differs", "masks' IoU", "split", "sample"]
KINDS = ("changed", "added", "removed")
FROZEN = {"accepted": "accepted samples", "any": "samples of any state"}
PAGE_SIZE = 24  # samples; of a changed one there are two pictures
COLUMNS = 6
SIDE = 320  # pixels of a picture's longest side
NOTHING: dict[str, Any] = {"fields": [], "number": 1, "names": []}


class Comparison(NamedTuple):
    """A page of what differs between two releases, as the components show it."""

    summary: str
    pictures: list[tuple[str, str]]
    rows: list[list[str]]
    page: str
    number: int
    counts: dict[str, int]


def row(release: Release) -> list[str]:
    """Return a release as a row below `HEADERS`."""
    return [
        release.name,
        str(release.samples),
        str(release.images),
        *(str(count) for count in release.splits.values()),
        FROZEN[release.states],
        release.author,
        f"{release.created_at:%Y-%m-%d %H:%M}",
        release.hash.removeprefix("sha256:")[:12],
        str(len(release.notes) or ""),
    ]


def details(release: Release) -> str:
    """Return what the table has no room for: the whole hash, and the notes."""
    return "\n".join([f"{release.name}: {release.hash}", *(f"• {note}" for note in release.notes)])


def chosen(names: Sequence[str], before: str | None, after: str | None) -> tuple[str | None, str | None]:
    """Return the two releases to compare: those that were chosen where they are there, else the last two."""
    default = names[-2] if len(names) > 1 else None
    return (before if before in names else default), (after if after in names else names[-1] if names else None)


def comparison(
    workspace: Workspace, comparisons: Comparisons, before: str, after: str, kind: str, number: int, base: str
) -> Comparison:
    """Return page ``number`` (from 1; past the end means the last) of a kind of difference, with absolute URLs."""
    found = comparisons.get(before, after)
    counts = {name: len(getattr(found, name)) for name in KINDS}
    last = max(1, -(-counts[kind] // PAGE_SIZE))
    number = min(max(1, number), last)
    wanted = slice((number - 1) * PAGE_SIZE, number * PAGE_SIZE)
    pictures: list[tuple[str, str]] = []
    rows: list[list[str]] = []
    if kind == "changed":
        for change in changes(workspace, found.changed[wanted]):
            pictures += changed_pictures(change, base)
            rows.append(changed_row(change))
    else:
        items = getattr(found, kind)[wanted]
        for item, revision in zip(items, Releases(workspace).revisions(items), strict=True):
            query = revision.sample.query.text if revision.sample.query else "no question"
            pictures.append((picture(item, base), f"{query} · {item.split}"))
            rows.append([query, "", "", "", item.split, item.sample_id])
    shown = " · ".join(f"{count} {name}" for name, count in counts.items())
    return Comparison(f"{shown} · {found.same} the same", pictures, rows, f"page {number} of {last}", number, counts)


def changed_pictures(change: Change, base: str) -> list[tuple[str, str]]:
    """Return a changed sample's pictures, before and after, each with the line below it."""
    what = f"masks' IoU {change.iou:.3f}" if change.iou not in (None, 1) else differing(change)
    return [(picture(change.before, base), "before"), (picture(change.after, base), f"after · {what}")]


def changed_row(change: Change) -> list[str]:
    """Return a changed sample as a row below `DIFFERENCES`."""
    before, after = (query or "no question" for query in change.queries)
    iou = "" if change.iou is None else f"{change.iou:.3f}"
    sides = dict.fromkeys((change.before.split, change.after.split))
    return [after, before if before != after else "", differing(change), iou, " → ".join(sides), change.sample_id]


def differing(change: Change) -> str:
    """Say in which fields a sample differs."""
    return ", ".join("split" if name == "side" else name.replace("_", " ") for name in change.fields)


def picture(item: ReleaseItem, base: str) -> str:
    """Return the absolute URL of an item's picture with its masks: Gradio leaves those to the browser."""
    return f"{base}/api/v1/revisions/{item.revision_id}/picture?side={SIDE}"


class ReleasesTab:
    """The tab's components, and what fills them."""

    def __init__(self, workspace: Workspace) -> None:
        """Build the tab inside the current Blocks context."""
        self.workspace = workspace
        self.releases, self.comparisons = Releases(workspace), Comparisons(workspace)
        self.seen = build_seen()
        with gr.Row(elem_id="ws-release-form") as self.form:
            self.name = gr.Textbox(
                label="New release", placeholder="v1", max_lines=1, max_length=64, elem_id="ws-release-name"
            )
            self.states = gr.Radio(
                [("accepted samples", "accepted"), ("all samples, drafts too", "any")],
                value="accepted", label="Freeze", elem_id="ws-release-states", min_width=320,
            )  # fmt: skip
            self.create = gr.Button("Create release", variant="primary", elem_id="ws-release-create", scale=0)
            self.told = gr.Textbox(
                show_label=False, container=False, interactive=False, elem_id="ws-release-told", lines=1, max_lines=6
            )
        self.table = gr.Dataframe(
            headers=HEADERS, datatype="str", interactive=False, wrap=True, show_label=False, buttons=[],
            max_height=260, elem_id="ws-releases",
        )  # fmt: skip
        with gr.Row(elem_id="ws-release-compare"):
            self.before = gr.Dropdown([], label="Compare", elem_id="ws-release-before", min_width=140)
            self.after = gr.Dropdown([], label="with", elem_id="ws-release-after", min_width=140)
            self.kind = gr.Radio(list(KINDS), value="changed", label="Show", elem_id="ws-release-kind", min_width=400)
        with gr.Row(elem_id="ws-release-pages"):
            self.back = gr.Button("‹ Page before", elem_id="ws-release-page-before", scale=0, min_width=120)
            self.next = gr.Button("Next page ›", elem_id="ws-release-page-after", scale=0, min_width=120)
            self.summary = gr.Textbox(
                show_label=False, container=False, interactive=False, elem_id="ws-release-summary", max_lines=1
            )
        self.gallery = gr.Gallery(
            columns=COLUMNS, height="auto", allow_preview=False, show_label=False, object_fit="contain",
            buttons=[], visible=False, elem_id="ws-release-pictures",
        )  # fmt: skip
        self.rows = gr.Dataframe(
            headers=DIFFERENCES, datatype="str", interactive=False, wrap=True, show_label=False, buttons=[],
            visible=False, elem_id="ws-release-rows",
        )  # fmt: skip
        self.details = gr.Textbox(label="Hashes and notes", interactive=False, elem_id="ws-release-details", lines=2)
        self.shown = gr.JSON(NOTHING, visible=False)  # which page of what the gallery shows

    def show(
        self,
        before: str | None,
        after: str | None,
        kind: str,
        shown: dict[str, Any],
        event: gr.EventData,
        request: gr.Request,
    ) -> Any:
        """Return what the components show after a choice, a turned page, a new release, or opening the tab."""
        try:
            return self._show(before, after, kind, shown, event.target, base_url(request.request))
        except WhysegError as error:
            return [gr.skip()] * 3 + [str(error)] + [gr.skip()] * 5

    def _show(
        self, before: str | None, after: str | None, kind: str, shown: dict[str, Any], target: object, base: str
    ) -> Any:
        releases = {release.name: release for release in self.releases.all()}
        names = list(releases)
        if names != shown["names"]:  # there is a new release: show what it brings
            before = after = None
        before, after = chosen(names, before, after)
        fields = [before, after, kind]
        step = -1 if target is self.back else 1 if target is self.next else 0
        number = int(shown["number"]) + step if fields == shown["fields"] else 1
        found = Comparison("two releases can be compared", [], [], "", 1, dict.fromkeys(KINDS, 0))
        if before and after:
            found = comparison(self.workspace, self.comparisons, before, after, kind, number, base)
        choices = [(f"{name} ({found.counts[name]})", name) for name in KINDS]
        summary = found.summary + (f" · {found.page}" if found.page else "")
        told = [details(releases[name]) for name in dict.fromkeys((before, after)) if name]
        return [
            [row(release) for release in reversed(releases.values())],
            gr.Dropdown(names, value=before),
            gr.Dropdown(names, value=after),
            summary,
            gr.Radio(choices, value=kind),
            gr.Gallery(found.pictures, selected_index=None, visible=bool(found.pictures)),
            gr.Dataframe(found.rows, visible=bool(found.rows)),
            "\n".join(told),
            {"fields": fields, "number": found.number, "names": names},
        ]

    def freeze(self, name: str, states: Any, request: gr.Request) -> tuple[str, Any]:
        """Create a release; return what to say about it, and what stays in the field."""
        try:
            who = member(request.request)
            require(who, Verb.RELEASE)
            made = self.releases.create(name.strip(), author=who.name, states=states)
        except WhysegError as error:
            return str(error), gr.skip()
        return f"{made.name}: {made.samples} samples of {made.images} images are frozen", ""

    def wire(self, blocks: gr.Blocks) -> None:
        """Connect the form, which only those see who may use it, the choices and the pages."""
        blocks.load(_form, None, self.form, **QUIET)
        choices = [self.before, self.after, self.kind]
        outputs = [
            self.table, self.before, self.after, self.summary, self.kind, self.gallery, self.rows, self.details,
            self.shown,
        ]  # fmt: skip
        # One event for all that changes what is shown: of two, the reply to the older could come last and stay.
        triggers = [
            self.seen.select,
            *(field.input for field in choices),
            self.back.click,
            self.next.click,
            self.told.change,
        ]
        gr.on(triggers, self.show, [*choices, self.shown], outputs, trigger_mode="always_last", **QUIET)
        gr.on(
            [self.create.click, self.name.submit],
            self.freeze,
            [self.name, self.states],
            [self.told, self.name],
            **QUIET,
        )


def _form(request: gr.Request) -> gr.Row:
    return gr.Row(visible=may(member(request.request).role, Verb.RELEASE))
