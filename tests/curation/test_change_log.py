from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.builders import block, instance
from tests.cli.test_releases import run
from tests.frozen import SIZE, accept, add, revised
from whyseg.curation.change_log import BY_HAND, change_log, markdown
from whyseg.curation.proposals import Proposals, propose
from whyseg.curation.releases import Releases
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Query, RevisionReason, Sample
from whyseg.schemas.errors import NotFound, UsageError

AT = datetime(2026, 1, 1, tzinfo=UTC)
EDGE, LEAK, DROP = RevisionReason.BOUNDARY, RevisionReason.QUERY_REWRITE, RevisionReason.DROP


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """Release v1 of samples 0 to 4, and v2.

    Between them 0 got another edge, and by hand another question; 1 another question; 2 was changed by hand; 3 was
    dropped; 4 stayed; 5 came.
    """
    with Workspace.create(tmp_path_factory.mktemp("log") / "w") as workspace:
        samples = [add(workspace, number) for number in range(5)]
        for sample in samples:
            accept(workspace, sample)
        Releases(workspace).create("v1", author="ann")
        # 24 pixels, moved by two columns: 16 in common, 32 in either.
        moved = [instance(1, block(2, 5, 4, 6, SIZE))]
        agree(workspace, samples[0], EDGE, "the edge", instances=moved)
        accept(workspace, revised(workspace, samples[0], "what now?"))
        agree(workspace, samples[1], LEAK, "it says <b>'1'</b>", query=Query(text="which | of *these*?"))
        accept(workspace, samples[1])
        workspace.store.reopen(samples[2].id, author="ann", reason="look again")
        accept(workspace, revised(workspace, samples[2], "what else?"))
        agree(workspace, samples[3], DROP, "nothing is visible")
        accept(workspace, add(workspace, 5))
        Releases(workspace).create("v2", author="ann")
        yield workspace


def agree(workspace: Workspace, sample: Sample, reason: RevisionReason, says: str, **proposed: object) -> None:
    revision = workspace.store.head(sample.id).revision
    made = propose(revision, reason, says, made_by="tiny", score=0.5, at=AT, **proposed)  # type: ignore[arg-type]
    proposals = Proposals(workspace.store)
    proposals.add([made])
    proposals.accept(made.id, author="cur")


def test_every_change_says_why_and_who_accepted_it(workspace: Workspace) -> None:
    log = change_log(workspace, "v1", "v2")
    entries = {entry.name: entry for entry in log.entries}
    assert (log.same, log.reasons) == (1, {"boundary": 1, "query_rewrite": 1, "drop": 1, BY_HAND: 2})
    both = entries["0.png"]
    assert (both.kind, both.fields, both.iou) == ("changed", ("query", "instances"), 0.5)
    told = [(step.number, step.by, step.reason, step.changes) for step in both.steps]
    assert told == [(2, "cur", EDGE, ("instance 1: mask",)), (3, "bob", None, ("question",))]
    assert both.reasons() == ("boundary", BY_HAND)
    rewritten = entries["1.png"].steps[0]
    assert (rewritten.reason, rewritten.by, rewritten.made_by) == (LEAK, "cur", "tiny")
    assert entries["2.png"].reasons() == (BY_HAND,)
    gone = entries["3.png"]
    assert (gone.kind, gone.reasons(), gone.steps[0].says) == ("removed", ("drop",), "nothing is visible")
    assert (entries["5.png"].kind, entries["5.png"].reasons()) == ("added", ())


def test_a_change_log_is_a_page_in_which_texts_mean_nothing_to_markdown(workspace: Workspace) -> None:
    page = markdown(change_log(workspace, "v1", "v2"))
    assert page.startswith("# Changes from v1 to v2\n\n3 changed, 1 added, 1 removed, 1 the same.")
    assert "| query\\_rewrite | 1 |" in page
    assert "question: what is 1? → which \\| of \\*these\\*?" in page
    assert "proposed by tiny: it says \\<b\\>'1'\\</b\\>" in page
    assert "r3, by hand: bob, " in page
    assert "  * dropped, drop: accepted by cur, " in page


def test_the_later_release_is_named_last(workspace: Workspace) -> None:
    with pytest.raises(UsageError, match="name the earlier one first"):
        change_log(workspace, "v2", "v1")
    with pytest.raises(NotFound):
        change_log(workspace, "v1", "v3")
    nothing = change_log(workspace, "v1", "v1")
    assert (nothing.entries, nothing.reasons, nothing.same) == ((), {}, 5)


def test_the_command_writes_a_page(workspace: Workspace, tmp_path: Path) -> None:
    out = tmp_path / "CHANGES.md"
    done = run("release", "changes", "v1", "v2", "-w", str(workspace.path), "--out", str(out))
    assert done.code == 0, done.err
    assert done.out == "5 samples differ, 1 are the same: 1 boundary, 1 query_rewrite, 1 drop, 2 by hand\n"
    assert out.read_text() == markdown(change_log(workspace, "v1", "v2"))
