import re
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.builders import block, complete, instance
from tests.pictures import encoded
from tests.test_docs import ROOT
from whyseg.curation.checks import CHECKS, SET_CHECKS, CheckReport, check_workspace
from whyseg.curation.images import examine
from whyseg.curation.releases import Releases
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Finding, Query, Sample, Split


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.create(tmp_path / "w")


def add(
    workspace: Workspace, picture: int, *, quality: int = 95, record: str = "", split: Split | None = None
) -> Sample:
    """Add a sample with a picture of made-up blocks; another JPEG ``quality`` is another file that shows the same."""
    blocks = np.random.default_rng(picture).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    data = encoded(np.kron(blocks, np.ones((10, 10, 1), np.uint8)), "JPEG", quality=quality)
    image, _ = examine(data, f"{picture}.jpg")
    workspace.blobs.put(data)
    made = Sample.start(image.id, image.size, source="test", source_record=record, split=split)
    workspace.store.add_samples([image], [made], author="ann")
    return made


def change(workspace: Workspace, made: Sample, **fields: object) -> Sample:
    head = workspace.store.head(made.id)
    changed = head.sample.model_copy(update=fields)
    return workspace.store.revise(made.id, changed, parent=head.revision.id, author="ann").sample


def kinds(report: CheckReport) -> list[str]:
    return sorted(finding.kind for finding in report.findings)


def test_a_workspace_without_mistakes_has_no_findings(workspace: Workspace) -> None:
    for number in range(3):
        made = add(workspace, number)
        full = complete().model_copy(update={"instances": (instance(1, block(5, 5, 9, 9, made.size), "cup"),)})
        change(workspace, made, **{name: getattr(full, name) for name in ("query", "instances", "hops", "depth")})
        change(workspace, workspace.store.head(made.id).sample, reasoning_type=full.reasoning_type)
    report = check_workspace(workspace)
    assert (report.checked, report.findings, report.new, report.gone, report.left_out) == (3, (), 0, 0, ())


def test_a_second_run_adds_nothing(workspace: Workspace) -> None:
    made = add(workspace, 1)
    change(workspace, made, instances=(instance(1, block(0, 0, 0, 0, made.size)),), query=Query(text="which?"))
    first, second = check_workspace(workspace), check_workspace(workspace)
    assert kinds(first) == ["empty_mask", "missing_hops", "missing_type"]
    assert (first.new, second.new, second.gone) == (3, 0, 0)
    assert second.findings == first.findings


def test_what_was_mended_is_gone_and_stays_in_the_history(workspace: Workspace) -> None:
    made = add(workspace, 1)
    small = instance(1, block(0, 0, 2, 3, made.size))
    change(workspace, made, instances=(small,))
    (before,) = check_workspace(workspace).findings
    change(workspace, made, instances=(instance(1, block(0, 0, 9, 9, made.size)),))
    report = check_workspace(workspace)
    assert (report.findings, report.new, report.gone) == ((), 0, 1)
    (gone,) = workspace.store.findings(made.id, gone=True)
    assert gone.gone_at
    assert gone.model_copy(update={"gone_at": None}) == before
    assert check_workspace(workspace).gone == 0
    change(workspace, made, instances=(small,))
    report = check_workspace(workspace)
    assert (report.findings, report.new) == ((before,), 1)


def test_a_finding_whose_figures_changed_is_the_same_finding(workspace: Workspace) -> None:
    made = add(workspace, 1)
    change(workspace, made, instances=(instance(1, block(0, 0, 2, 3, made.size)),))
    (before,) = check_workspace(workspace).findings
    change(workspace, made, instances=(instance(1, block(0, 0, 2, 4, made.size)),))
    report = check_workspace(workspace)
    (after,) = report.findings
    assert (report.new, after.id, after.created_at) == (0, before.id, before.created_at)
    assert after.message == "the mask of instance 1 has 8 pixels"


def test_the_same_finding_twice_in_a_run_is_one(workspace: Workspace) -> None:
    made = add(workspace, 1)
    values = {"id": "f", "kind": "tiny_mask", "severity": "info", "message": "tiny", "sample_id": made.id}
    one = Finding.parse({**values, "created_at": "2026-01-01T00:00:00Z"})
    assert workspace.store.settle_findings([one, one], ["tiny_mask"]).new == 1
    assert workspace.store.findings() == [one]


def test_findings_of_others_stay_open(workspace: Workspace) -> None:
    made = add(workspace, 1)
    values = {"id": "f", "kind": "polygon", "severity": "info", "message": "crosses itself", "sample_id": made.id}
    theirs = Finding.parse({**values, "created_at": "2026-01-01T00:00:00Z"})
    workspace.store.add_finding(theirs)
    report = check_workspace(workspace)
    assert (report.findings, report.gone) == ((theirs,), 0)


def test_near_duplicates_and_leaks_are_found_in_real_pictures(workspace: Workspace) -> None:
    one = add(workspace, 1, split="train")
    two = add(workspace, 1, quality=60, split="test")
    add(workspace, 2, split="train")
    change(workspace, one, query=Query(text="What keeps the drink warm?"))
    change(workspace, two, query=Query(text="What keeps the drinks warm?"))
    report = check_workspace(workspace)
    found = [(f.kind, f.sample_id) for f in report.findings if not f.kind.startswith("missing")]
    assert sorted(found) == [
        ("near_duplicate_image", two.id),
        ("near_duplicate_question", two.id),
        ("split_leak", one.id),
    ]


def test_the_splits_of_a_release_heal_a_leak_of_the_sources(workspace: Workspace) -> None:
    add(workspace, 1, split="train")
    add(workspace, 1, quality=60, split="test")
    assert "split_leak" in kinds(check_workspace(workspace))
    Releases(workspace).create("v1", author="ann", states="any")  # puts both in test
    assert kinds(check_workspace(workspace)) == ["near_duplicate_image"]


def test_without_rapidfuzz_one_check_is_left_out_and_its_findings_stay(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    for record in ("1", "2"):
        change(workspace, add(workspace, 1, record=record), query=Query(text="What keeps the drink warm?"))
    before = check_workspace(workspace)
    assert "near_duplicate_question" in kinds(before)
    monkeypatch.setitem(sys.modules, "rapidfuzz.distance", None)
    report = check_workspace(workspace)
    assert [left.check for left in report.left_out] == ["near_duplicate_question"]
    assert "whyseg[similarity]" in report.left_out[0].reason
    assert report.findings == before.findings


def test_a_lost_picture_leaves_only_the_checks_of_pictures_out(workspace: Workspace) -> None:
    made = add(workspace, 1)
    change(workspace, made, query=Query(text="which?"))
    next((workspace.path / "images").glob("??/*")).unlink()
    report = check_workspace(workspace)
    assert kinds(report) == ["missing_hops", "missing_type"]
    assert {left.check for left in report.left_out} == {check.name for check in SET_CHECKS}
    assert "1.jpg" in report.left_out[0].reason


def test_every_check_is_on_its_page_with_its_severity() -> None:
    page = (ROOT / "docs" / "checks.md").read_text()
    listed = re.findall(r"^\| `([a-z_]+)` \| (\w+) \|", page, flags=re.MULTILINE)
    assert sorted(listed) == sorted((check.name, check.severity) for check in (*CHECKS, *SET_CHECKS))
