"""What the Team tab's Work and Agreement show and do; nothing here needs a browser."""

from types import SimpleNamespace
from typing import Any

import pytest
from starlette.requests import Request

from tests.builders import block, complete
from tests.curation.test_answers import fill, fill_in
from whyseg.curation.agreement import mask_agreement
from whyseg.curation.answers import Answers, HandedOut, Skipped
from whyseg.curation.assignments import Assignments
from whyseg.curation.golds import Golds
from whyseg.curation.overlaps import Overlaps
from whyseg.curation.queries import SampleFilter
from whyseg.curation.visibility import Viewer
from whyseg.curation.workspace import Workspace
from whyseg.schemas.user import Role
from whyseg.ui import browse, team_agreement, team_work
from whyseg.ui.roles import Member

BASE = "http://127.0.0.1:7860"
FIELDS = ("", "any", "any", "any", "any")


@pytest.fixture
def filled(workspace: Workspace) -> Workspace:
    fill(workspace.store)
    return workspace


def asked_by(name: str, role: Role) -> Any:
    """An event's request, of somebody who is signed in."""
    scope = {"type": "http", "method": "POST", "path": "/app/", "headers": [], "member": Member(name, role)}
    return SimpleNamespace(request=Request(scope))


def work(workspace: Workspace) -> team_work.WorkSection:
    """The section without its components: to build them needs Gradio's event loop."""
    section = object.__new__(team_work.WorkSection)
    section.store = workspace.store
    section.assignments, section.answers = Assignments(workspace.store), Answers(workspace.store)
    section.golds = Golds(workspace.store)
    section.acts = {}
    return section


def test_browse_finds_what_is_assigned_to_me(filled: Workspace) -> None:
    Assignments(filled.store).assign([complete(1).id], "ben", by="cur")
    mine = browse.wanted("any", "any", "any", "", "ben", Viewer(name="ben"))
    assert mine == SampleFilter(assigned="ben", viewer=Viewer(name="ben"))
    assert browse.listing(filled.store, mine, "added", 1, BASE).ids == [complete(1).id]
    nobodys = browse.wanted("any", "any", "any", None, "")
    assert browse.listing(filled.store, nobodys, "added", 1, BASE).ids == [complete(0).id, complete(2).id]


def test_a_line_says_whose_a_sample_is_and_whether_it_is_gold(filled: Workspace) -> None:
    Assignments(filled.store).assign([complete(1).id], "ben", by="cur")
    found = work(filled).find(SampleFilter(), 9)
    assert (found.summary, found.number) == ("3 samples · page 1 of 1", 1)
    assert [text for text, _ in found.choices] == [
        "what keeps the drink warm? · 0.png · draft", "what keeps the drink warm? · 1.png · draft · → ben",
        "what keeps the drink warm? · 2.png · draft",
    ]  # fmt: skip
    (one,) = filled.store.page(SampleFilter(), limit=1).samples
    assert team_work.line(one, None, True).endswith(" · gold")


def test_what_was_left_out_is_said_once_with_its_number() -> None:
    skipped = [Skipped(sample_id=str(n), user="ann", reason="has worked on it") for n in range(3)]
    skipped += [Skipped(sample_id=str(n), user=None, reason="it has no question") for n in range(6)]
    said = team_work.told(HandedOut(answers=(), skipped=tuple(skipped)))
    assert said.startswith("0 handed out. Left out 9: ann has worked on it (×3); 0 it has no question; ")
    assert said.endswith("; and 2 more")


def test_only_curators_hand_out_and_see_the_agreement(filled: Workspace) -> None:
    ticked = [complete(0).id]
    event = SimpleNamespace(target=None)
    for role in (Role.ANNOTATOR, Role.REVIEWER):
        said = work(filled).act(*FIELDS, ticked, team_work.TICKED, ["ben"], 0, event, asked_by("ann", role))
        assert "does not allow this: assign samples" in said[0]
        section = object.__new__(team_agreement.AgreementSection)
        section.store, section.answers = filled.store, Answers(filled.store)
        section.overlaps = Overlaps(filled.store)
        request = asked_by("ann", role)
        assert "does not allow this" in section.show("worst", browse.NOTHING, event, request)[0]
        assert "does not allow this" in section.detail(complete(0).id, request)[-1]
        assert "does not allow this" in section.take(complete(0).id, "", complete(0).id, request)
    assert Answers(filled.store).of(complete(0).id) == []


def test_a_matrix_has_names_figures_and_colours() -> None:
    masks = mask_agreement({"ann": block(1, 1, 2, 3), "ben": block(1, 2, 2, 3)})
    assert team_agreement.matrix(masks, boundary=False) == {
        "headers": ["IoU", "ann", "ben"],
        "data": [["ann", "1.000", "0.500"], ["ben", "0.500", "1.000"]],
        "metadata": {
            "display_value": [["ann", "1.000", "0.500"], ["ben", "0.500", "1.000"]],
            # (150 + 28) / 2, (40 + 110) / 2, (40 + 60) / 2
            "styling": [
                ["", "background-color: rgb(28, 110, 60)", "background-color: rgb(89, 75, 50)"],
                ["", "background-color: rgb(89, 75, 50)", "background-color: rgb(28, 110, 60)"],
            ],
        },
    }


def test_the_rows_say_what_the_report_says(filled: Workspace) -> None:
    ben, _ = Answers(filled.store).hand_out([complete(0).id], ["ben", "cat"], by="cur").answers
    fill_in(filled.store, ben, left=2)
    overlaps = Overlaps(filled.store)
    report = overlaps.report()
    assert team_agreement.summary(report) == (
        "1 sample that two or more people answered · 1 pair of answers · 1 still open"
    )
    assert team_agreement.figures(report)[0][1:] == ["0.500", "", "1", "one value has no interval"]
    assert team_agreement.pair_row(report.people[0]) == ["ben", "importer (original)", "0.500", "", "0.500", "1"]
    found = overlaps.get(complete(0).id)
    types = "Function / purpose ×1, Commonsense ×1"
    assert team_agreement.item_row(found)[1:-1] == ["2", "cat", "0.500", "0.500", types, "1, 1"]
    (first, second) = team_agreement.pictures(found, BASE)
    assert first[1] == "importer (original) · Function / purpose · depth 1"
    assert second == (
        f"{BASE}/api/v1/revisions/{found.answers[1].revision_id}/picture?side=480", "ben · Commonsense · depth 1"
    )  # fmt: skip
