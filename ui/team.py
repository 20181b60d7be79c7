"""The *Team* tab: who the team is and what it does, for those who manage it.

In team mode only curators see it, and only they are answered: that it is not shown to others keeps nothing from them,
so every event of a section asks for the role itself (`roles.manages`).
"""

from typing import Any, Protocol

import gradio as gr

from whyseg.curation.people import Throughput
from whyseg.curation.workspace import Workspace
from whyseg.ui.browse import QUIET
from whyseg.ui.roles import Verb, may, member
from whyseg.ui.seen import build_seen
from whyseg.ui.team_agreement import AgreementSection
from whyseg.ui.team_audit import AuditSection
from whyseg.ui.team_people import PeopleSection
from whyseg.ui.team_work import WorkSection


class Section(Protocol):
    """A part of the tab; it builds its components when it is made, inside the current Blocks context."""

    def wire(self, shown: Any, tabs: gr.Tabs) -> None:
        """Connect the components: ``shown`` is the event of being looked at, ``tabs`` the page's outermost tabs."""
        ...


class TeamTab:
    """The tab's sections."""

    def __init__(self, workspace: Workspace, throughput: Throughput) -> None:
        """Build the tab inside the current Blocks context."""
        self.sections: list[tuple[gr.HTML, Section]] = []
        with gr.Tabs(elem_id="ws-team"):
            with gr.Tab("People", elem_id="ws-team-people"):
                self.sections.append((build_seen(), PeopleSection(workspace, throughput)))
            with gr.Tab("Work", elem_id="ws-team-work"):
                self.sections.append((build_seen(), WorkSection(workspace)))
            with gr.Tab("Agreement", elem_id="ws-team-agreement"):
                self.sections.append((build_seen(), AgreementSection(workspace)))
            with gr.Tab("Audit", elem_id="ws-team-audit"):
                self.sections.append((build_seen(), AuditSection(workspace)))

    def wire(self, blocks: gr.Blocks, tab: gr.Tab, tabs: gr.Tabs) -> None:
        """Connect the sections, and have the tab shown to whoever manages the team; ``tab`` is this one of ``tabs``."""
        for seen, section in self.sections:
            section.wire(seen.select, tabs)  # each waits until it is looked at, for some have much to count
        blocks.load(_shown, None, tab, **QUIET)


def _shown(request: gr.Request) -> gr.Tab:
    return gr.Tab(visible=may(member(request.request).role, Verb.ADMINISTER))
