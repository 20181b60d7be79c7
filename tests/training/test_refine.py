"""A walk through a benchmark in LISA's layout, with mistakes that the test makes."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.builders import block
from tests.cli.test_releases import run
from tests.pictures import encoded, pixels
from tests.training.test_edges import Knows
from whyseg.curation.drafting.template import TemplateDrafter
from whyseg.curation.formats.reasonseg import import_reasonseg
from whyseg.curation.proposals import Proposals
from whyseg.curation.releases import Releases
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Mask, Proposal, Revision, RevisionReason, ScoreRun
from whyseg.schemas.revision import State
from whyseg.training.candidates import Candidates
from whyseg.training.mask_reward import Masks
from whyseg.training.refine import Answers, Edges, Questions, RefineReport, Rule, Undrawn, refine
from whyseg.training.score import Stored, wanted
from whyseg.training.voting import Answer, Candidate

SIZE = (60, 60)
THING = block(10, 10, 31, 31, SIZE)  # what the segmenter sees wherever it is asked
OTHER = block(45, 45, 12, 12, SIZE)
RIGHT = [[10, 10], [40, 10], [40, 40], [10, 40]]  # rows and columns 10 to 40, as LISA draws them
ROUGH = [[8, 8], [42, 8], [42, 42], [8, 42]]
FILES = {
    "right": ("What would you stir sugar in with?", [("spoon", RIGHT)]),
    "rough": ("What do people eat soup with?", [("spoon", ROUGH)]),
    "leaky": ("Which spoon would you stir with?", [("spoon", RIGHT)]),
    "undrawn": ("What would you stir with?", []),
    "speck": ("What is farthest away?", [("bird", [[5, 5], [7, 5], [7, 7], [5, 7]])]),
}


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    folder = tmp_path / "lisa"
    folder.mkdir()
    for number, (name, (text, shapes)) in enumerate(FILES.items()):
        drawn = [{"label": label, "points": points} for label, points in shapes]
        (folder / f"{name}.jpg").write_bytes(encoded(pixels(*SIZE, seed=number), "JPEG"))
        (folder / f"{name}.json").write_text(json.dumps({"text": [text], "is_sentence": True, "shapes": drawn}))
    with Workspace.create(tmp_path / "w") as opened:
        import_reasonseg(opened, folder, author="ann")
        yield opened


def walk(workspace: Workspace, *rules: object) -> RefineReport:
    store = workspace.store
    usual = [Undrawn(store), Edges(store, Masks(Knows(THING, THING))), Questions(store, TemplateDrafter())]
    return refine(workspace, wanted(workspace, None), rules or usual)  # type: ignore[arg-type]


def open_ones(workspace: Workspace) -> dict[str, Proposal]:
    """Return the open proposals by the names of their samples' files and their reasons."""
    found = {}
    for one in Proposals(workspace.store).page().proposals:
        name = workspace.store.head(one.sample_id).sample.source_name.removesuffix(".json")
        found[f"{name}: {one.reason.value}"] = one
    return found


def test_each_mistake_is_proposed_to_be_mended_and_what_is_right_is_left(workspace: Workspace) -> None:
    report = walk(workspace)
    found = open_ones(workspace)
    assert found.keys() == {"rough: boundary", "leaky: query_rewrite", "undrawn: drop", "speck: drop"}
    assert (report.samples, report.found) == (5, {"boundary": 1, "query_rewrite": 1, "drop": 2})
    assert report.new == report.found
    edge = found["rough: boundary"]
    assert edge.instances is not None
    assert [(one.id, one.mask, one.label) for one in edge.instances] == [(1, THING, "spoon")]
    # 31² of 35² pixels; no pixel of one's two outer rings is in the other's.
    assert (edge.score, edge.made_by) == (1, "knows/one")
    assert "instance 1 (spoon): IoU 0.78, boundary IoU 0.00" in edge.says
    rewritten = found["leaky: query_rewrite"]
    assert rewritten.query is not None
    assert "spoon" not in rewritten.query.text
    assert rewritten.says == "The question: it says 'spoon', which is its answer."
    assert found["speck: drop"].says == "Only 9 pixels are annotated: nothing can be measured by them."
    assert found["undrawn: drop"].score == 0.5


def test_a_second_walk_adds_nothing_and_what_was_decided_stays_decided(workspace: Workspace) -> None:
    walk(workspace)
    proposals = Proposals(workspace.store)
    found = open_ones(workspace)
    proposals.dismiss(found["undrawn: drop"].id, author="cur")
    proposals.accept(found["speck: drop"].id, author="cur")
    assert proposals.accept(found["rough: boundary"].id, author="cur").state == State.DRAFT  # it has no type yet
    again = walk(workspace)
    assert set(again.new.values()) == {0}
    assert again.rejected == 1
    assert again.found == {"query_rewrite": 1, "drop": 1}  # the edge is mended
    assert open_ones(workspace).keys() == {"leaky: query_rewrite"}


def test_a_release_is_walked_through_as_it_was_frozen(workspace: Workspace) -> None:
    Releases(workspace).create("v1", author="ann", states="any")
    leaky = next(one for one in wanted(workspace, "v1") if one.revision.sample.source_name == "leaky.json")
    mended = leaky.revision.sample.model_copy(update={"query": None})
    workspace.store.revise(mended.id, mended, parent=leaky.revision.id, author="ann")
    report = refine(workspace, wanted(workspace, "v1"), [Questions(workspace.store, TemplateDrafter())])
    assert (report.samples, report.revised, report.found) == (4, 1, {})


def test_a_flagged_question_without_another_text_is_told(workspace: Workspace) -> None:
    report = walk(workspace, Questions(workspace.store, None))
    assert [flaw.reason for flaw in report.unmended] == ["it says 'spoon', which is its answer"]
    assert report.found == {}


def test_only_the_reasons_that_are_asked_for_are_kept(workspace: Workspace) -> None:
    store = workspace.store
    rules: list[Rule] = [Undrawn(store), Edges(store, Masks(Knows(THING, THING)))]
    report = refine(workspace, wanted(workspace, None), rules, reasons=[RevisionReason.BOUNDARY])
    assert report.found == {"boundary": 1}


def test_a_picture_that_is_gone_is_told_and_the_walk_goes_on(workspace: Workspace) -> None:
    first = wanted(workspace, None)[0].revision.sample
    workspace.blobs.path(first.image_id).unlink()
    report = walk(workspace)
    assert ([one.file for one in report.refused], report.samples) == ([first.id], 4)


def test_what_answers_agree_on_is_proposed_instead(workspace: Workspace, tmp_path: Path) -> None:
    def says(*masks: Mask) -> Answer:
        return Answer(objects=tuple(Candidate(mask=mask, label="it") for mask in masks))

    answers = {"right": says(OTHER), "rough": says(THING), "undrawn": says(OTHER)}
    lines = []
    for one in wanted(workspace, None):
        sample = one.revision.sample
        if answer := answers.get(sample.source_name.removesuffix(".json")):
            lines.append(Candidates(size=SIZE, answers=(answer,) * 8, sample_id=sample.id).line())
    (tmp_path / "c.jsonl").write_text("\n".join(lines) + "\n")
    run = ScoreRun(
        id="r", policy="p", segmenter="knows/one", samples=8, temperature=1, seed=0,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    walk(workspace, Answers(workspace.store, Stored(tmp_path / "c.jsonl"), Masks(Knows(THING, THING)), run))
    found = open_ones(workspace)
    assert found["right: wrong_target"].instances[0].mask == OTHER  # type: ignore[index]
    assert "undrawn: wrong_target" in found
    assert not any(key.startswith("rough: wrong") for key in found)


def test_the_command_walks_with_the_packaged_segmenter(workspace: Workspace) -> None:
    done = run("refine", "-w", str(workspace.path), "--segmenter", "tiny-test", "--json")
    assert done.code == 0, done.err
    told = json.loads(done.out)
    assert told["samples"] == 5
    assert (told["found"]["query_rewrite"], told["found"]["drop"]) == (1, 2)
    again = run("refine", "-w", str(workspace.path), "--reason", "drop", "--reason", "query_rewrite")
    assert again.out.splitlines()[-1] == f"{'all':<18}{3:>10}{0:>6}   of 5 samples"
    assert run("refine", "v9", "-w", str(workspace.path)).code == 1
    wrong = run("refine", "-w", str(workspace.path), "--split", "test")
    assert (wrong.code, wrong.err.startswith("whyseg: --split is a release's")) == (2, True)


def test_rules_may_be_anything_that_looks_at_a_revision(workspace: Workspace) -> None:
    seen: list[str] = []

    def rule(revision: Revision, item: object) -> list[Proposal]:
        seen.append(revision.sample.source_name)
        return []

    walk(workspace, rule)
    assert sorted(seen) == sorted(f"{name}.json" for name in FILES)
