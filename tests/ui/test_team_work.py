"""What the Team tab's Work finds; nothing here needs a browser."""

from types import SimpleNamespace
from typing import Any

from starlette.requests import Request

from tests.builders import complete
from tests.curation.test_answers import fill
from whyseg.curation.assignments import Assignments
from whyseg.curation.golds import Golds
from whyseg.curation.queries import SampleFilter
from whyseg.curation.users import Users
from whyseg.curation.workspace import Workspace
from whyseg.schemas.user import Role
from whyseg.ui import browse, team_work
from whyseg.ui.roles import Member


def shown(workspace: Workspace) -> Any:
    """What the section's components get, for a curator; to build them needs Gradio's event loop."""
    section = object.__new__(team_work.WorkSection)
    section.store, section.users = workspace.store, Users(workspace.store.database)
    section.assignments, section.golds = Assignments(workspace.store), Golds(workspace.store)
    section.back = section.next = None
    scope = {"type": "http", "method": "POST", "path": "/app/", "headers": [], "member": Member("cur", Role.CURATOR)}
    asked: Any = SimpleNamespace(request=Request(scope))
    event: Any = SimpleNamespace(target="the tab")
    return section.show("", "any", "any", "any", "any", [], browse.NOTHING, event, asked)


def test_what_is_assigned_to_somebody_who_is_kept_out_can_be_found_and_taken_back(workspace: Workspace) -> None:
    fill(workspace.store)
    work = Assignments(workspace.store)
    work.assign([complete(1).id], "ben", by="cur")
    Users(workspace.store.database).set_disabled("ben", True, author="cur")
    _, _, people, menu, _ = shown(workspace)
    assert "ben" not in [name for _, name in people.choices]  # who is given something to do
    assert ("ben", "ben") in menu.choices  # whose work is looked for
    found = workspace.store.page(SampleFilter(assigned="ben")).samples
    assert work.assign([sample.id for sample in found], None, by="cur") == 1


def test_a_line_of_the_list_says_the_state_whatever_the_question_says(workspace: Workspace) -> None:
    fill(workspace.store)
    (one,) = workspace.store.page(SampleFilter(), limit=1).samples
    turned = one.model_copy(update={"query": "x\u202ey"})
    assert team_work.line(turned, None, False) == "\u2068x\u202ey\u2069 · 0.png · draft"
