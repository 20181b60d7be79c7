"""The audit log as it is looked at: filters, pages, and every entry one click from its sample.

Text of users goes into components that show it as text alone: tables of type ``str`` and text boxes.
"""

import json
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import gradio as gr

from whyseg.curation.audit_pages import AuditFilter, AuditLine, actions, audit_page
from whyseg.curation.database import Database
from whyseg.curation.times import moment
from whyseg.curation.workspace import Workspace
from whyseg.schemas.errors import WhysegError
from whyseg.ui.browse import ANY, NOTHING, OPEN, QUIET, page_number, picked
from whyseg.ui.roles import manages

HEADERS = ["no.", "chain", "when (UTC)", "who", "what", "about", "detail"]
PAGE_SIZE = 40
HASH = re.compile(r"(sha256:[0-9a-f]{8})[0-9a-f]{56}")
DETAIL_LENGTH = 300  # characters of an entry's detail that the table shows


class AuditListing(NamedTuple):
    """A page of the log as the components show it; ``ids`` are the samples of its rows, "" where there is none."""

    rows: list[list[str]]
    ids: list[str]
    summary: str
    number: int


def listing(database: Database, wanted: AuditFilter, number: int) -> AuditListing:
    """Return page ``number`` (from 1; past the end means the last) of the entries that match."""
    number = max(1, number)
    page = audit_page(database, wanted, offset=(number - 1) * PAGE_SIZE, limit=PAGE_SIZE)
    last = max(1, -(-page.total // PAGE_SIZE))
    if number > last:
        return listing(database, wanted, last)
    broken = [str(line.number) for line in page.entries if not line.verified]
    chain = f"entries {', '.join(broken)} do not fit the chain: run whyseg verify" if broken else "the chain holds here"
    shown = f"{page.total} entr{'y' if page.total == 1 else 'ies'}" if page.total else "no entry matches"
    return AuditListing(
        rows=[row(line) for line in page.entries],
        ids=[line.sample_id or "" for line in page.entries],
        summary=f"{shown} · page {number} of {last}" + (f" · {chain}" if page.entries else ""),
        number=number,
    )


def row(line: AuditLine) -> list[str]:
    """Return an entry as a row below `HEADERS`."""
    detail = HASH.sub(r"\1…", json.dumps(line.detail, ensure_ascii=False)[1:-1].replace('"', ""))
    return [
        str(line.number),
        "✓" if line.verified else "does not fit",
        line.at[:19].replace("T", " "),
        line.actor,
        line.action.replace("_", " "),
        line.subject,
        detail if len(detail) <= DETAIL_LENGTH else f"{detail[:DETAIL_LENGTH]}…",
    ]


class AuditSection:
    """The section's components, and what fills them."""

    def __init__(self, workspace: Workspace) -> None:
        """Build the section inside the current Blocks context."""
        self.database = workspace.store.database
        with gr.Row(elem_id="ws-audit-filters"):
            self.actor = gr.Textbox("", label="Who", max_lines=1, max_length=200, elem_id="ws-audit-actor")
            self.action = gr.Dropdown([(ANY, ANY)], value=ANY, label="What", elem_id="ws-audit-action", min_width=140)
            self.subject = gr.Textbox(
                label="About", placeholder="a sample's id, user:NAME, …", max_lines=1, max_length=200, scale=2,
                elem_id="ws-audit-subject",
            )  # fmt: skip
            self.since = gr.Textbox(
                label="From (UTC)", placeholder="2026-01-31", max_lines=1, max_length=40, elem_id="ws-audit-since"
            )
            self.until = gr.Textbox(
                label="To before (UTC)", placeholder="2026-02-01", max_lines=1, max_length=40, elem_id="ws-audit-until"
            )
        with gr.Row(elem_id="ws-audit-pages"):
            self.newer = gr.Button("‹ Newer", elem_id="ws-audit-newer", scale=0, min_width=120)
            self.older = gr.Button("Older ›", elem_id="ws-audit-older", scale=0, min_width=120)
            self.summary = gr.Textbox(
                show_label=False, container=False, interactive=False, elem_id="ws-audit-count", max_lines=1
            )
        self.table = gr.Dataframe(
            headers=HEADERS, datatype="str", interactive=False, wrap=True, show_label=False, buttons=[],
            elem_id="ws-audit-table",
        )  # fmt: skip
        self.shown = gr.JSON(NOTHING, visible=False)  # which page of what the table shows, and its samples' ids
        self.chosen = gr.Textbox(visible=False)

    def show(
        self,
        actor: str,
        action: str,
        subject: str,
        since: str,
        until: str,
        shown: dict[str, Any],
        event: gr.EventData,
        request: gr.Request,
    ) -> Any:
        """Return what the components show after a filter has changed, a page was turned, or the section was opened."""
        fields = [actor, action, subject, since, until]
        step = -1 if event.target is self.newer else 1 if event.target is self.older else 0
        try:
            manages(request.request)
            found = listing(self.database, wanted(fields), page_number(fields, shown, step))
            known = actions(self.database)
        except WhysegError as error:
            return gr.skip(), str(error), gr.skip(), gr.skip()
        choices = [(ANY, ANY), *((name.replace("_", " "), name) for name in known)]
        now = {"fields": fields, "number": found.number, "ids": found.ids}
        return found.rows, found.summary, gr.Dropdown(choices=choices), now  # what was chosen meanwhile stays

    def wire(self, shown: Any, tabs: gr.Tabs) -> None:
        """Connect filters, pages and rows; ``tabs`` turns to the annotation page when a row's sample is chosen."""
        fields = [self.actor, self.action, self.subject, self.since, self.until]
        typed = [field.submit for field in fields if field is not self.action]
        left = [field.blur for field in fields if field is not self.action]
        # One event for all that changes the list: of two, the reply to the older could come last and stay.
        triggers = [shown, *typed, *left, self.action.input, self.newer.click, self.older.click]
        outputs = [self.table, self.summary, self.action, self.shown]
        gr.on(triggers, self.show, [*fields, self.shown], outputs, trigger_mode="always_last", **QUIET)
        chosen = self.table.select(_pick, self.shown, [self.chosen, tabs], **QUIET)
        chosen.then(None, self.chosen, None, js=OPEN, **QUIET)


def wanted(fields: Sequence[str | None]) -> AuditFilter:
    """Return the filter that the fields stand for; raises ``InvalidRecord`` for what is no time."""
    actor, action, subject, since, until = ((field or "").strip() for field in fields)  # None before it was shown
    return AuditFilter(
        actor=actor or None,
        action=None if action == ANY else action,
        subject=subject or None,
        since=moment(since) if since else None,
        until=moment(until) if until else None,
    )


def _pick(shown: dict[str, Any], event: gr.SelectData) -> tuple[str, Any]:
    sample = picked(shown["ids"], event.index)
    return sample, gr.Tabs(selected="annotate") if sample else gr.skip()
