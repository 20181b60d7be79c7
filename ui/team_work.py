"""Who is to work on what: samples are found, ticked, and assigned, handed out as blind answers, or marked as gold.

Text of users goes into components that show it as text alone: choices of a list, text boxes.
"""

import uuid
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import gradio as gr

from whyseg.curation.answers import Answers, HandedOut
from whyseg.curation.assignments import Assignments
from whyseg.curation.golds import Golds
from whyseg.curation.guidance import guidance
from whyseg.curation.queries import SampleFilter, SampleSummary
from whyseg.curation.users import Users
from whyseg.curation.workspace import Workspace
from whyseg.schemas import State
from whyseg.schemas.errors import UsageError, WhysegError
from whyseg.schemas.sample import MAX_DEPTH
from whyseg.ui.browse import ANY, NOTHING, QUIET, isolated, page_number, wanted
from whyseg.ui.roles import Member, Verb, member, require

PAGE_SIZE = 24
MOST = 1000  # samples at a time
NOBODY = "nobody"
TICKED, ALL = "those that are ticked", "all that match"
REASONS_SHOWN = 5


class Found(NamedTuple):
    """A page of the samples that match, as the components show it: choices of (text, id)."""

    choices: list[tuple[str, str]]
    summary: str
    number: int


def line(sample: SampleSummary, user: str | None, gold: bool) -> str:
    """Return a sample as a line of the list."""
    parts = [isolated(sample.query or "no question"), isolated(sample.file_name), sample.state.value]
    return " · ".join(parts + ([f"→ {user}"] if user else []) + (["gold"] if gold else []))


def told(done: HandedOut) -> str:
    """Say what became of handing out."""
    people = sorted({one.user for one in done.answers})
    said = f"{len(done.answers)} handed out" + (f" to {', '.join(people)}" if people else "")
    reasons = [f"{one.user or one.sample_id} {one.reason}" for one in done.skipped]
    several = {reason: reasons.count(reason) for reason in reasons}
    shown = [reason + (f" (×{count})" if count > 1 else "") for reason, count in several.items()]
    more = len(shown) - REASONS_SHOWN
    left_out = "; ".join(shown[:REASONS_SHOWN]) + (f"; and {more} more" if more > 0 else "")
    return said + (f". Left out {len(done.skipped)}: {left_out}" if reasons else "")


class WorkSection:
    """The section's components, and what fills them."""

    def __init__(self, workspace: Workspace) -> None:
        """Build the section inside the current Blocks context."""
        self.store = workspace.store
        self.users = Users(self.store.database)
        self.assignments, self.answers, self.golds = Assignments(self.store), Answers(self.store), Golds(self.store)
        with gr.Row(elem_id="ws-work-filters"):
            self.text = gr.Textbox("", label="Text in question or file name", elem_id="ws-work-text", scale=2)
            self.state = _choice("State", [state.value for state in State], "ws-work-state")
            types = [(guide.name, kind.value) for kind, guide in guidance().types.items()]
            self.type = _choice("Reasoning type", types, "ws-work-type")
            self.depth = _choice("Depth", [str(depth) for depth in range(1, MAX_DEPTH + 1)], "ws-work-depth")
            self.assigned = _choice("Assigned to", [(NOBODY, "")], "ws-work-assigned")
        with gr.Row(elem_id="ws-work-pages"):
            self.back = gr.Button("‹ Page before", elem_id="ws-work-page-before", scale=0, min_width=120)
            self.next = gr.Button("Next page ›", elem_id="ws-work-page-after", scale=0, min_width=120)
            self.summary = gr.Textbox(
                show_label=False, container=False, interactive=False, elem_id="ws-work-summary", max_lines=1
            )
        self.samples = gr.CheckboxGroup([], label="Samples", elem_id="ws-work-samples")
        with gr.Row(elem_id="ws-work-whom"):
            self.which = gr.Radio([TICKED, ALL], value=TICKED, label="Take", elem_id="ws-work-which", min_width=280)
            self.each = gr.Number(
                0, label="each to so many of them (0: to all)", precision=0, minimum=0, maximum=100,
                elem_id="ws-work-each", scale=0, min_width=220,
            )  # fmt: skip
        self.people = gr.CheckboxGroup([], label="People", elem_id="ws-work-people")
        with gr.Row(elem_id="ws-work-acts"):
            self.acts = {
                self._button("Assign", "assign", "primary"): self._assign,
                self._button("Take back", "unassign"): self._unassign,
                self._button("Hand out blind", "overlap", "primary"): self._overlap,
                self._button("Mark as gold", "gold"): self._mark,
                self._button("No longer gold", "ungold"): self._unmark,
                self._button("Hand out gold", "hand-gold"): self._hand_gold,
            }
        self.told = gr.Textbox(
            show_label=False, container=False, interactive=False, elem_id="ws-work-told", lines=1, max_lines=6
        )
        self.shown = gr.JSON(NOTHING, visible=False)
        self.done = gr.Textbox(visible=False)  # changes when the list does

    @staticmethod
    def _button(text: str, key: str, variant: Any = "secondary") -> gr.Button:
        return gr.Button(text, elem_id=f"ws-work-{key}", variant=variant, scale=0, min_width=130)

    def find(self, chosen: SampleFilter, number: int) -> Found:
        """Return page ``number`` (from 1; past the end means the last) of the samples that match."""
        number = max(1, number)
        page = self.store.page(chosen, offset=(number - 1) * PAGE_SIZE, limit=PAGE_SIZE)
        last = max(1, -(-page.total // PAGE_SIZE))
        if number > last:
            return self.find(chosen, last)
        ids = [sample.id for sample in page.samples]
        whose, gold = self.assignments.of(ids), self.golds.among(ids)
        choices = [(line(one, whose.get(one.id), one.id in gold), one.id) for one in page.samples]
        shown = "no sample matches" if not page.total else f"{page.total} sample{'s' * (page.total != 1)}"
        return Found(choices, f"{shown} · page {number} of {last}", number)

    def show(
        self,
        text: str,
        state: str,
        kind: str,
        depth: str,
        assigned: str,
        people: list[str],
        shown: dict[str, Any],
        event: gr.EventData,
        request: gr.Request,
    ) -> Any:
        """Return what list, people and menus show."""
        fields = [text, state, kind, depth, assigned]
        try:
            require(member(request.request), Verb.ASSIGN)
            step = -1 if event.target is self.back else 1 if event.target is self.next else 0
            found = self.find(_wanted(*fields), page_number(fields, shown, step))
            users = self.users.list()
            active = [user for user in users if not user.disabled]
            busy = self.assignments.load()
        except WhysegError as error:
            return [gr.skip(), str(error), gr.skip(), gr.skip(), gr.skip()]
        ids, names = [key for _, key in found.choices], [user.name for user in active]
        labels = [(f"{user.name} ({user.role.value}, {busy.get(user.name, 0)} to do)", user.name) for user in active]
        return [
            # What was ticked while the same list came again stays ticked.
            gr.CheckboxGroup(found.choices) if ids == shown["ids"] else gr.CheckboxGroup(found.choices, value=[]),
            found.summary,
            gr.CheckboxGroup(labels) if set(people or []) <= set(names) else gr.CheckboxGroup(labels, value=[]),
            # Those who are kept out too: what is theirs is offered to nobody until it is taken back.
            gr.Dropdown([(ANY, ANY), (NOBODY, ""), *((user.name, user.name) for user in users)]),
            {"fields": fields, "number": found.number, "ids": ids},
        ]

    def act(
        self,
        text: str,
        state: str,
        kind: str,
        depth: str,
        assigned: str,
        ticked: list[str],
        which: str,
        people: list[str],
        each: float | None,
        event: gr.EventData,
        request: gr.Request,
    ) -> Any:
        """Do what the pressed button says to the samples that are meant; return what to say about it."""
        try:
            who = member(request.request)
            require(who, Verb.ASSIGN)
            ids = list(ticked or [])
            if which == ALL:
                page = self.store.page(_wanted(text, state, kind, depth, assigned), limit=MOST)
                ids = [sample.id for sample in page.samples]
                if page.total > MOST:
                    raise UsageError(f"{page.total} samples match; at most {MOST} at a time: narrow the choice")
            if not ids:
                raise UsageError("tick some samples first, or take all that match")
            said = self._act(event.target)(ids, list(people or []), int(each or 0) or None, who)
        except WhysegError as error:
            return str(error), gr.skip()
        return said, uuid.uuid4().hex

    def _act(self, target: Any) -> Callable[[list[str], list[str], int | None, Member], str]:
        return next(act for button, act in self.acts.items() if button is target)

    def _assign(self, ids: list[str], people: list[str], each: int | None, who: Member) -> str:
        changed = self.assignments.deal(ids, _some(people), by=who.name)
        return f"{changed} of {len(ids)} samples have changed hands"

    def _unassign(self, ids: list[str], people: list[str], each: int | None, who: Member) -> str:
        return f"{self.assignments.assign(ids, None, by=who.name)} of {len(ids)} samples are nobody's now"

    def _overlap(self, ids: list[str], people: list[str], each: int | None, who: Member) -> str:
        return told(self.answers.hand_out(ids, _some(people), by=who.name, each=each))

    def _mark(self, ids: list[str], people: list[str], each: int | None, who: Member) -> str:
        return f"{self.golds.mark(ids, by=who.name)} of {len(ids)} samples are gold from now on"

    def _unmark(self, ids: list[str], people: list[str], each: int | None, who: Member) -> str:
        gold = sorted(self.golds.among(ids))
        for sample_id in gold:
            self.golds.unmark(sample_id, by=who.name)
        return f"{len(gold)} of {len(ids)} samples are gold no longer"

    def _hand_gold(self, ids: list[str], people: list[str], each: int | None, who: Member) -> str:
        return told(self.answers.hand_out(ids, _some(people), by=who.name, each=each, kind="gold"))

    def wire(self, shown: Any, tabs: gr.Tabs) -> None:
        """Connect the filters, the pages and the buttons; it fills when it is looked at."""
        fields = [self.text, self.state, self.type, self.depth, self.assigned]
        outputs = [self.samples, self.summary, self.people, self.assigned, self.shown]
        chosen = [self.text.change, *(field.input for field in fields[1:])]
        triggers = [shown, *chosen, self.back.click, self.next.click, self.done.change]
        gr.on(triggers, self.show, [*fields, self.people, self.shown], outputs, trigger_mode="always_last", **QUIET)
        inputs = [*fields, self.samples, self.which, self.people, self.each]
        gr.on([button.click for button in self.acts], self.act, inputs, [self.told, self.done], **QUIET)


def _wanted(text: str | None, state: str, kind: str, depth: str, assigned: str) -> SampleFilter:
    """Return the filter; answers are never among what is handed out."""
    return wanted(state, kind, depth, text, None if assigned == ANY else assigned)


def _some(people: list[str]) -> list[str]:
    if not people:
        raise UsageError("choose some people first")
    return people


def _choice(label: str, values: Sequence[Any], elem_id: str) -> gr.Dropdown:
    return gr.Dropdown([(ANY, ANY), *values], value=ANY, label=label, elem_id=elem_id, min_width=120)
