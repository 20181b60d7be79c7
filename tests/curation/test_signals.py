from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.builders import block, filled_workspace
from whyseg.curation.checks import check_workspace
from whyseg.curation.finding_pages import Findings
from whyseg.curation.queries import SampleFilter
from whyseg.curation.signals import MODEL_FINDINGS, SignalStore, settle_model_findings
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Finding, Query, ScoreRun, Signals, content_hash
from whyseg.schemas.errors import NotFound
from whyseg.schemas.signals import AnswerCluster

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with filled_workspace(tmp_path / "w", 3) as opened:
        yield opened


def ids(workspace: Workspace) -> list[str]:
    return [one.id for one in workspace.store.page(SampleFilter()).samples]


def run(name: str, hours: int = 0) -> ScoreRun:
    at = NOON + timedelta(hours=hours)
    return ScoreRun(id=name, policy="p", segmenter="s", samples=4, temperature=1, seed=0, created_at=at)


def signals(workspace: Workspace, run_id: str, sample_id: str, *, agreement: float = 0.5) -> Signals:
    cluster = AnswerCluster(mask=block(0, 0, 2, 2), votes=2, ratio=0.5, iou=0.25, chosen=True)
    return Signals(
        run=run_id, sample_id=sample_id, revision_id=workspace.store.head(sample_id).revision.id, answers=4, failed=1,
        empty=1, mean_iou=0.1, best_iou=0.25, pass_rate=0, agreement=agreement, entropy=1.5, vote_iou=0.25,
        clusters=(cluster,), created_at=NOON,
    )  # fmt: skip


def finding(workspace: Workspace, kind: str, sample_id: str, message: str = "it is wrong") -> Finding:
    evidence = {"revision": workspace.store.head(sample_id).revision.id, "message": message}
    key = content_hash([kind, sample_id])
    return Finding(
        id=key, kind=kind, severity="warning", message=message, sample_id=sample_id, evidence=evidence, created_at=NOON
    )


def test_the_newest_run_that_scored_a_sample_speaks_of_it(workspace: Workspace) -> None:
    store, (one, two, three) = SignalStore(workspace.store), ids(workspace)
    for name, hours in (("late", 2), ("early", 1)):
        store.add_run(run(name, hours))
    early, late = signals(workspace, "early", one), signals(workspace, "late", one)
    store.add([late, early, signals(workspace, "early", two)])
    assert [one.id for one in store.runs()] == ["late", "early"]
    assert store.newest(one) == (run("late", 2), late)
    assert store.newest(two) == (run("early", 1), signals(workspace, "early", two))
    assert store.newest(three) is None
    assert store.scored("early") == {one, two}
    assert store.scored("none") == set()


def test_what_a_run_said_first_of_a_sample_stays(workspace: Workspace) -> None:
    store, sample_id = SignalStore(workspace.store), ids(workspace)[0]
    store.add_run(run("r"))
    store.add_run(run("r", 5))
    store.add([signals(workspace, "r", sample_id)])
    store.add([signals(workspace, "r", sample_id, agreement=0.75)])
    found = store.newest(sample_id)
    assert found is not None
    assert (found[0].created_at, found[1].agreement) == (NOON, 0.5)
    with pytest.raises(NotFound):
        store.add([signals(workspace, "unknown", sample_id)])


def test_only_the_models_findings_about_the_samples_that_were_scored_are_settled(workspace: Workspace) -> None:
    one, two, _ = ids(workspace)
    workspace.store.add_finding(finding(workspace, "empty_mask", one))
    first = [finding(workspace, "too_easy", one), finding(workspace, "ambiguous", two)]
    assert settle_model_findings(workspace.store, [one, two], first).new == 2
    # "two" is not scored again: what was said of it stays, what is said of it now is passed over.
    second = [finding(workspace, "wrong_target", one), finding(workspace, "boundary", two)]
    settled = settle_model_findings(workspace.store, [one], second)
    assert (settled.new, settled.gone) == (1, 1)
    found = {(one.kind, one.sample_id) for one in workspace.store.findings()}
    assert found == {("empty_mask", one), ("wrong_target", one), ("ambiguous", two)}


def test_another_runs_figures_do_not_bring_back_what_somebody_set_aside(workspace: Workspace) -> None:
    sample_id = ids(workspace)[0]
    known = finding(workspace, "wrong_target", sample_id)
    settle_model_findings(workspace.store, [sample_id], [known])
    Findings(workspace.store).set_aside(known.id, reason="it is right", by="cara")
    settle_model_findings(workspace.store, [sample_id], [finding(workspace, "wrong_target", sample_id, "0.2 of it")])
    (still,) = workspace.store.findings()
    assert (still.set_aside is not None, still.message) == (True, "it is wrong")
    # Of another revision nobody has judged anything.
    head = workspace.store.head(sample_id)
    changed = head.sample.model_copy(update={"query": Query(text="which?")})
    workspace.store.revise(sample_id, changed, parent=head.revision.id, author="ann")
    settle_model_findings(workspace.store, [sample_id], [finding(workspace, "wrong_target", sample_id)])
    (again,) = workspace.store.findings()
    assert again.set_aside is None


def test_a_check_ends_what_a_model_said_of_an_older_revision(workspace: Workspace) -> None:
    one, two, _ = ids(workspace)
    both = [finding(workspace, "wrong_target", key) for key in (one, two)]
    settle_model_findings(workspace.store, [one, two], both)
    head = workspace.store.head(one)
    changed = head.sample.model_copy(update={"query": Query(text="which?")})
    workspace.store.revise(one, changed, parent=head.revision.id, author="ann")
    report = check_workspace(workspace)
    assert [found.sample_id for found in report.findings if found.kind in MODEL_FINDINGS] == [two]
    assert report.gone == 1
