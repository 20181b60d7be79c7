"""The list of findings: what it holds, in which order, and how one is set aside."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from tests.builders import Clock, block, filled_workspace, instance
from whyseg.curation.checks import check_workspace
from whyseg.curation.finding_pages import FindingFilter, Findings
from whyseg.curation.migrations.versions import m0006_set_aside_findings as migration
from whyseg.curation.queries import SampleFilter
from whyseg.curation.store import Store
from whyseg.curation.tables import FindingRow
from whyseg.curation.verify import verify
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Finding, Sample
from whyseg.schemas.errors import InvalidRecord, NotFound


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return filled_workspace(tmp_path / "w", samples=3)


@pytest.fixture
def clock(workspace: Workspace) -> Clock:
    turned = Clock()
    workspace.store = Store(workspace.store.database.engine.url, clock=turned)
    return turned


def add(workspace: Workspace, key: str, **fields: Any) -> Finding:
    values = {"kind": "tiny_mask", "severity": "warning", "message": key, "created_at": Clock().time, **fields}
    finding = Finding.parse({"id": key, **values})
    workspace.store.add_finding(finding)
    return finding


def listed(workspace: Workspace, *, order: Any = "severity", **wanted: Any) -> list[str]:
    page = Findings(workspace.store).page(FindingFilter.parse(wanted), order=order)
    assert page.total == len(page.findings)
    return [one.finding.id for one in page.findings]


def samples_of(workspace: Workspace) -> list[str]:
    return [one.id for one in workspace.store.page(SampleFilter()).samples]


def test_the_worst_come_first_and_among_these_the_newest(workspace: Workspace) -> None:
    later = Clock().time + timedelta(hours=1)
    add(workspace, "old warning")
    add(workspace, "new info", severity="info", kind="common_question", created_at=later)
    add(workspace, "new warning", created_at=later)
    add(workspace, "old error", severity="error", kind="empty_mask")
    assert listed(workspace) == ["old error", "new warning", "old warning", "new info"]
    assert listed(workspace, order="newest") == ["new info", "new warning", "old error", "old warning"]
    assert listed(workspace, kind="tiny_mask") == ["new warning", "old warning"]
    page = Findings(workspace.store).page(FindingFilter(kind="tiny_mask", severity="error"), limit=1)
    assert (page.total, page.findings) == (0, ())
    assert page.kinds == {"empty_mask": 1}  # as if no kind were asked for
    assert page.severities == {"warning": 2}  # as if no severity were


def test_a_finding_about_an_image_opens_its_first_sample(workspace: Workspace) -> None:
    first = samples_of(workspace)[1]
    sample = workspace.store.head(first).sample
    workspace.store.add_sample(Sample.start(sample.image_id, sample.size, source="x", source_record="y"), author="ann")
    add(workspace, "f", image_id=sample.image_id)
    [found] = Findings(workspace.store).page(FindingFilter()).findings
    assert (found.opens, found.file_name, found.finding.sample_id) == (first, "1.png", None)


def test_what_is_set_aside_stays_so_until_it_says_something_else(workspace: Workspace, clock: Clock) -> None:
    [key, *_] = samples_of(workspace)
    findings = Findings(workspace.store)

    def mask(width: int) -> None:
        head = workspace.store.head(key)
        changed = head.sample.model_copy(update={"instances": (instance(1, block(0, 0, 2, width)),)})
        workspace.store.revise(key, changed, parent=head.revision.id, author="ann")
        check_workspace(workspace)

    mask(3)  # 6 pixels: tiny
    [finding] = listed(workspace, kind="tiny_mask")
    clock.advance(60)
    aside = findings.set_aside(finding, reason=" a bead ", by="rea").finding.set_aside
    assert aside
    assert (aside.reason, aside.by, aside.at) == ("a bead", "rea", clock.time)
    assert findings.set_aside(finding, reason="another", by="abe").finding.set_aside == aside  # the first one stays
    assert listed(workspace, kind="tiny_mask") == []
    assert listed(workspace, kind="tiny_mask", set_aside=True) == [finding]
    assert check_workspace(workspace).set_aside == 1
    assert listed(workspace, kind="tiny_mask") == []  # the checks find it again, and it stays aside

    mask(2)  # 4 pixels: another mask, nobody has judged it
    assert listed(workspace, kind="tiny_mask") == [finding]
    mask(4)  # 8 pixels
    assert listed(workspace, kind="tiny_mask") == [finding]
    mask(3)  # as it was judged
    assert listed(workspace, kind="tiny_mask") == []

    assert findings.bring_back(finding, by="rea").finding.set_aside is None
    findings.bring_back(finding, by="rea")  # it is back
    assert listed(workspace, kind="tiny_mask") == [finding]
    told = [entry for entry in workspace.store.audit_log(subject=key) if entry.detail.get("finding") == finding]
    assert [(entry.actor, entry.action) for entry in told] == [("rea", "set_aside"), ("rea", "bring_back")]
    assert told[0].detail["reason"] == "a bead"
    assert [problem for problem in verify(workspace) if "audit" in problem.what] == []


def test_gone_ones_are_listed_where_they_are_asked_for(workspace: Workspace) -> None:
    finding = add(workspace, "f")
    workspace.store.settle_findings([], ["tiny_mask"])
    assert listed(workspace) == []
    assert listed(workspace, gone=True) == [finding.id]


@pytest.mark.parametrize("reason", ["", "  ", "x" * 1001])
def test_a_reason_that_is_none_sets_nothing_aside(workspace: Workspace, reason: str) -> None:
    add(workspace, "f")
    with pytest.raises(InvalidRecord, match="reason"):
        Findings(workspace.store).set_aside("f", reason=reason, by="rea")
    assert listed(workspace) == ["f"]


def test_a_finding_that_is_not_there_is_not_found(workspace: Workspace) -> None:
    with pytest.raises(NotFound, match="no finding f"):
        Findings(workspace.store).get("f")
    with pytest.raises(NotFound, match="no finding f"):
        Findings(workspace.store).bring_back("f", by="rea")


def test_two_at_once_set_a_finding_aside_once(workspace: Workspace) -> None:
    add(workspace, "f")
    findings = Findings(workspace.store)
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda number: findings.set_aside("f", reason=str(number), by=f"p{number}"), range(8)))
    assert len({one.finding.set_aside for one in done}) == 1
    assert [entry.action for entry in workspace.store.audit_log() if entry.action == "set_aside"] == ["set_aside"]


def test_the_migration_reads_severity_and_words_out_of_what_is_there(workspace: Workspace) -> None:
    finding = add(workspace, "f", severity="error", evidence={"instance": 1})
    with workspace.store.database.write() as session:
        session.execute(update(FindingRow).values(severity="warning", says=""))
        migration._fill(session.connection())
        row = session.get_one(FindingRow, "f")
        assert (row.severity, row.says) == ("error", finding.says())
