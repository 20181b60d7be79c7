"""What `verify` says of proposals and signals that somebody changed behind the store's back."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.behind import copied, tamper
from tests.builders import block, filled_workspace, instance
from whyseg.curation.proposals import Proposals, propose
from whyseg.curation.queries import SampleFilter
from whyseg.curation.signals import SignalStore
from whyseg.curation.verify import verify
from whyseg.curation.workspace import Workspace
from whyseg.schemas import RevisionReason, ScoreRun, Signals

AT = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with an accepted, a dismissed and an open proposal, and signals of one sample."""
    made = tmp_path_factory.mktemp("whole") / "w"
    with filled_workspace(made, samples=3) as workspace:
        store, proposals = workspace.store, Proposals(workspace.store)
        heads = [store.head(row.id).revision for row in store.page(SampleFilter()).samples]
        drawn = [instance(1, block(1, 1, 2, 3))]
        edge = RevisionReason.BOUNDARY
        made_ones = [propose(one, edge, "look", instances=drawn, made_by="m", score=0.5, at=AT) for one in heads]
        proposals.add(made_ones)
        proposals.accept(made_ones[0].id, author="cur")
        proposals.dismiss(made_ones[1].id, author="cur")
        run = ScoreRun(id="r", policy="p", segmenter="s", samples=8, temperature=1, seed=0, created_at=AT)
        figures = dict.fromkeys(("mean_iou", "best_iou", "pass_rate", "agreement", "entropy", "vote_iou"), 0.5)
        keys = {"run": "r", "sample_id": heads[2].sample.id, "revision_id": heads[2].id, "created_at": AT}
        signals = SignalStore(store)
        signals.add_run(run)
        signals.add([Signals.parse({**keys, **figures, "answers": 8, "failed": 0, "empty": 0})])
    return made


@pytest.fixture
def path(whole: Path, tmp_path: Path) -> Path:
    return copied(whole, tmp_path / "w")


def problems(path: Path) -> list[str]:
    with Workspace.open(path) as workspace:
        return [problem.message for problem in verify(workspace)]


def test_what_was_decided_as_the_log_says_is_whole(path: Path) -> None:
    assert problems(path) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            "UPDATE proposals SET score = 0.9 WHERE decision IS NULL",
            ["its list entry differs from it", "is not sorted by what is known of it: proposed"],
        ),
        (
            'UPDATE proposals SET body = replace(body, \'"label":""\', \'"label":"cup"\') WHERE decision IS NULL',
            ["was changed: its id does not follow from it"],
        ),
        (
            "UPDATE proposals SET decision = replace(decision, 'cur', 'eve') WHERE made IS NULL",
            ["its decision is not the one in the audit log", "is in the audit log, but gone"],
        ),
        (
            "UPDATE proposals SET decision = NULL WHERE made IS NULL",
            ["is not sorted by what is known of it: proposed", "is in the audit log, but gone"],
        ),
        (
            "UPDATE proposals SET made = NULL WHERE made IS NOT NULL",
            ["names revision None as what it made, which is not so"],
        ),
        ("UPDATE proposals SET body = '{' WHERE decision IS NULL", ["cannot be read"]),
        (
            "UPDATE signals SET best_iou = 1",
            ["their list entry differs from them", "is not sorted by what is known of it: unsolved"],
        ),
        (
            "UPDATE samples SET easiest = -1, ambiguous = NULL WHERE unsolved = 0.5",
            ["is not sorted by what is known of it: ambiguous, easiest"],
        ),
        ("UPDATE score_runs SET body = '{'", ["cannot be read"]),
    ],
)
def test_what_was_changed_behind_the_store_is_told(path: Path, change: str, told: list[str]) -> None:
    tamper(path, change)
    found = problems(path)
    assert len(found) == len(told)
    assert all(one.startswith(wanted) for one, wanted in zip(found, told, strict=True))
