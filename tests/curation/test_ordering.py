"""Samples are listed by what the checks found and by what a model's answers say of them as they stand."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select, update

from tests.builders import block, filled_workspace
from tests.proposed import add_proposal, add_signals
from whyseg.curation.finding_pages import Findings
from whyseg.curation.findings import finding_row
from whyseg.curation.migrations.versions import m0008_ranks as migration
from whyseg.curation.migrations.versions import m0009_words as words
from whyseg.curation.ordering import Order
from whyseg.curation.proposals import Proposals
from whyseg.curation.queries import SampleFilter
from whyseg.curation.rankings import RANKS, rank_problems, unranked
from whyseg.curation.store import Store
from whyseg.curation.tables import SampleRow
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Finding

EARLY, LATE = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with filled_workspace(tmp_path / "w", samples=4) as made:
        yield made


@pytest.fixture
def store(workspace: Workspace) -> Store:
    return workspace.store


@pytest.fixture
def ids(store: Store) -> list[str]:
    """Four samples in the order of adding."""
    return [one.id for one in store.page(SampleFilter()).samples]


def listed(store: Store, ids: list[str], order: Order, proposed: bool | None = None) -> list[int]:
    """The places in ``ids`` of the samples of a page."""
    return [ids.index(one.id) for one in store.page(SampleFilter(proposed=proposed), order=order).samples]


@pytest.mark.parametrize(
    ("order", "figure", "first"),
    [("unsolved", "best_iou", 1), ("disagreeing", "vote_iou", 1), ("boundary", "reprompted_iou", 1),
     ("ambiguous", "entropy", 2), ("easiest", "mean_iou", 2)],
)  # fmt: skip
def test_signals_sort_samples_and_what_was_not_scored_comes_last(
    store: Store, ids: list[str], order: Order, figure: str, first: int
) -> None:
    add_signals(store, ids[1], figures={figure: 0.2})
    add_signals(store, ids[2], figures={figure: 0.7})
    assert listed(store, ids, order) == [first, 3 - first, 0, 3]


def test_the_newest_run_counts_and_only_for_the_revision_that_it_scored(store: Store, ids: list[str]) -> None:
    add_signals(store, ids[3], run="late", at=LATE, figures={"best_iou": 0.1})
    add_signals(store, ids[3], run="early", at=EARLY, figures={"best_iou": 0.9})
    add_signals(store, ids[2], run="early", at=EARLY, figures={"best_iou": 0.5})
    assert listed(store, ids, "unsolved") == [3, 2, 0, 1]
    head = store.head(ids[3])
    store.revise(ids[3], head.sample.model_copy(update={"no_target": True}), parent=head.revision.id, author="ann")
    assert listed(store, ids, "unsolved") == [2, 0, 1, 3]


def test_the_worst_findings_come_first_then_the_most(store: Store, ids: list[str]) -> None:
    said = [(0, "info"), (1, "warning"), (2, "warning"), (2, "info"), (3, "error")]
    for number, (place, severity) in enumerate(said):
        told = {"id": str(number), "kind": "odd", "severity": severity, "message": "odd", "created_at": EARLY}
        store.add_finding(Finding.parse({**told, "sample_id": ids[place]}))
    gone = {"id": "gone", "kind": "odd", "severity": "error", "message": "odd", "created_at": EARLY, "gone_at": LATE}
    with store.database.write() as session:
        session.add(finding_row(Finding.parse({**gone, "sample_id": ids[0]})))
    assert listed(store, ids, "findings") == [3, 2, 1, 0]


def test_a_finding_counts_while_it_is_open_and_nobody_has_set_it_aside(store: Store, ids: list[str]) -> None:
    def told(key: str, place: int | None, severity: str) -> Finding:
        about = {"sample_id": ids[place]} if place is not None else {"image_id": store.head(ids[0]).sample.image_id}
        said = {"id": key, "kind": "odd", "severity": severity, "message": "odd", "created_at": EARLY}
        return Finding.parse({**said, **about})

    error, warning, info, picture = (
        told("a", 1, "error"),
        told("b", 2, "warning"),
        told("c", 3, "info"),
        told("d", None, "error"),
    )
    findings = Findings(store)
    store.settle_findings([error, warning, info, picture], ["odd"])
    orders = [listed(store, ids, "findings")]
    findings.set_aside("a", reason="it is right", by="ann")
    orders.append(listed(store, ids, "findings"))
    findings.bring_back("a", by="ann")
    store.settle_findings([error, told("b", 2, "info"), told("e", 2, "info"), info], ["odd"])
    orders.append(listed(store, ids, "findings"))
    store.settle_findings([info], ["odd"])
    orders.append(listed(store, ids, "findings"))
    store.settle_findings([info, warning], ["odd"])
    orders.append(listed(store, ids, "findings"))
    # by severity; without the error; two of a kind before one; the rest gone; one open again
    assert orders == [[1, 2, 3, 0], [2, 3, 0, 1], [1, 2, 3, 0], [3, 0, 1, 2], [2, 3, 0, 1]]
    head = store.head(ids[2])
    store.revise(ids[2], head.sample.model_copy(update={"no_target": True}), parent=head.revision.id, author="ann")
    assert listed(store, ids, "findings") == [2, 3, 0, 1]  # until the checks look again
    with store.database.write() as session:
        assert list(rank_problems(session)) == []
        session.execute(update(SampleRow).where(SampleRow.id == ids[3]).values(findings=0))
        assert [what for what, _ in rank_problems(session)] == [f"sample {ids[3]}"]


def test_the_migration_sorts_by_the_findings_that_are_there(store: Store, ids: list[str]) -> None:
    said = [("a", 1, "error"), ("b", 1, "info"), ("c", 2, "warning"), ("d", 3, "error")]
    for key, place, severity in said:
        told = {"id": key, "kind": "odd", "severity": severity, "message": "odd", "created_at": EARLY}
        store.add_finding(Finding.parse({**told, "sample_id": ids[place]}))
    Findings(store).set_aside("d", reason="it is right", by="ann")
    kept = select(SampleRow.findings).order_by(SampleRow.added)
    with store.database.write() as session:
        session.execute(update(SampleRow).values(findings=None))
        words._fill(session.connection())
        # an error and one more: 0 less 2; a warning: a million less 1
        assert list(session.scalars(kept)) == [None, -2, 999_999, None]
        assert list(rank_problems(session)) == []


def test_samples_with_an_open_proposal_are_found_the_surest_first(store: Store, ids: list[str]) -> None:
    add_proposal(store, ids[1], block(0, 0, 2, 2), score=0.4)
    add_proposal(store, ids[2], block(0, 0, 2, 2), score=0.6)
    add_proposal(store, ids[2], block(0, 0, 3, 3), score=0.1)
    other = add_proposal(store, ids[3], block(0, 0, 2, 2), score=0.9)
    assert listed(store, ids, "proposed") == [3, 2, 1, 0]
    assert listed(store, ids, "proposed", proposed=True) == [3, 2, 1]
    assert listed(store, ids, "added", proposed=False) == [0]
    Proposals(store).dismiss(other.id, author="rea")
    head = store.head(ids[2])
    store.revise(ids[2], head.sample.model_copy(update={"no_target": True}), parent=head.revision.id, author="ann")
    page = store.page(SampleFilter(proposed=True), order="proposed")
    assert (page.total, [one.id for one in page.samples]) == (1, [ids[1]])


def test_the_migration_ranks_what_is_there(store: Store, ids: list[str]) -> None:
    add_signals(store, ids[1], run="late", at=LATE, figures={"best_iou": 0.3, "entropy": 0.7})
    add_signals(store, ids[1], run="early", at=EARLY)
    add_signals(store, ids[2], run="late", at=LATE)
    add_proposal(store, ids[1], block(0, 0, 2, 2), score=0.4)
    add_proposal(store, ids[1], block(0, 0, 3, 3), score=0.6)
    add_proposal(store, ids[2], block(0, 0, 2, 2))
    head = store.head(ids[2])
    store.revise(ids[2], head.sample.model_copy(update={"no_target": True}), parent=head.revision.id, author="ann")
    kept = select(SampleRow.id, *(getattr(SampleRow, name) for name in RANKS)).order_by(SampleRow.added)
    with store.database.write() as session:
        before = session.execute(kept).all()
        session.execute(update(SampleRow).values(unranked()))
        migration._fill(session.connection())
        assert session.execute(kept).all() == before
        assert list(rank_problems(session)) == []
    # of the late run best_iou as it is, entropy and, as by default, mean_iou from the highest; the surest proposal
    assert before[1] == (ids[1], 0.3, 0.4, -0.7, None, -0.5, -0.6)
    assert [tuple(row) for row in before[2:]] == [(key, *[None] * 6) for key in ids[2:]]
