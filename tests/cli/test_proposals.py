"""``whyseg proposals``: deciding over a terminal."""

import json
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.builders import block, filled_workspace, instance
from tests.cli.test_releases import run
from whyseg.curation.proposals import Proposals, propose
from whyseg.curation.queries import SampleFilter
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Query, RevisionReason
from whyseg.schemas.revision import State

AT = datetime(2026, 1, 1, tzinfo=UTC)
EDGE, LEAK, DROP = RevisionReason.BOUNDARY, RevisionReason.QUERY_REWRITE, RevisionReason.DROP


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A workspace of two samples; two proposals are about the first, one about the second."""
    with filled_workspace(tmp_path / "w", 2) as workspace:
        page = workspace.store.page(SampleFilter())
        first, second = (workspace.store.head(one.id).revision for one in page.samples)
        drawn = [instance(1, block(1, 1, 2, 3))]
        query = Query(text="what holds it?")
        Proposals(workspace.store).add(
            [
                propose(first, EDGE, "the edge\x1b[2J", instances=drawn, made_by="tiny", score=0.9, at=AT),
                propose(first, LEAK, "it leaks", query=query, made_by="rules", score=0.5, at=AT),
                propose(second, DROP, "nothing is drawn", made_by="rules", score=1, at=AT),
            ]
        )
    return tmp_path / "w"


def listed(folder: Path, *words: str) -> list[str]:
    page = json.loads(run("proposals", "list", "-w", str(folder), "--json", *words).out)
    return [one["id"] for one in page["proposals"]]


def test_proposals_are_listed_accepted_and_dismissed_by_their_ids(folder: Path) -> None:
    drop, edge, leak = listed(folder)
    shown = run("proposals", "list", "-w", str(folder)).out
    assert shown.splitlines()[-1] == "3 of 3 proposals (1 boundary, 1 query_rewrite, 1 drop)"
    assert "the edge\\x1b[2J" in shown  # what a model writes does not steer the terminal
    assert listed(folder, "--reason", "drop") == [drop]
    assert run("proposals", "list", "--limit", "9" * 20, "-w", str(folder)).code == 2
    done = run("proposals", "dismiss", edge, "-w", str(folder))
    assert (done.code, done.out.split(":")[0]) == (0, f"{edge} dismissed")
    done = run("proposals", "accept", drop, leak, "no such", "-w", str(folder), "--json")
    assert done.code == 1
    told = json.loads(done.out)
    assert [one["is"] for one in told["decided"]] == ["r1, rejected", "r2, draft"]
    assert told["refused"] == [{"id": "no such", "reason": "no proposal no such"}]
    assert (listed(folder), listed(folder, "--state", "any")) == ([], [drop, edge, leak])
    with Workspace.open(folder) as workspace:
        assert workspace.store.stats().states[State.REJECTED] == 1


def test_a_proposal_is_shown_with_what_it_changes(folder: Path) -> None:
    drop, edge, leak = listed(folder)
    shown = run("proposals", "show", leak, "-w", str(folder)).out.splitlines()
    assert shown[0] == "query_rewrite, open, score 0.50, by rules"
    assert shown[2:] == ["before: no question", "after:  what holds it?", "changes: question"]
    # The first sample has no instance yet, so the targets before and after share nothing.
    assert "IoU of the targets before and after: 0.0000" in run("proposals", "show", edge, "-w", str(folder)).out
    assert json.loads(run("proposals", "show", drop, "-w", str(folder), "--json").out)["reason"] == "drop"
    wrong = run("proposals", "show", edge, "-w", str(folder), "--out", str(folder / "p.gif"))
    assert (wrong.code, wrong.err) == (2, "whyseg: --out is a PNG file, got p.gif\n")


def test_a_proposal_is_drawn_before_beside_after(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from whyseg.curation import images

    class Read:
        pixels = np.full((6, 8, 3), 90, np.uint8)

    monkeypatch.setattr(images, "read_upright", lambda data, name: Read)  # the builder's pictures are made-up bytes
    done = run("proposals", "show", listed(folder)[1], "-w", str(folder), "--out", str(folder / "p.png"))
    assert done.code == 0, done.err
    drawn = cv2.imread(str(folder / "p.png"))
    assert drawn is not None
    assert drawn.shape[1] >= 16
