"""Drafting for a workspace: which samples, what is kept, and going on after a stop."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from tests.builders import instance
from tests.pictures import encoded
from whyseg.curation.drafting.accepting import draft_of
from whyseg.curation.drafting.base import RgbArray
from whyseg.curation.drafting.bulk import draft_all
from whyseg.curation.drafting.scenes import scene_of
from whyseg.curation.drafting.template import TemplateDrafter
from whyseg.curation.workspace import Workspace
from whyseg.schemas import (
    Drafted,
    DraftProblem,
    Fault,
    Image,
    Instance,
    Mask,
    Query,
    QueryDraft,
    ReasoningType,
    Sample,
    Scene,
    Usage,
)
from whyseg.schemas.errors import DrafterUnavailable

SIZE = (60, 120)
PURPOSE, COMPARING = ReasoningType.FUNCTION_PURPOSE, ReasoningType.COMPARATIVE_RELATIONAL


def labelled(number: int, label: str, x: int) -> Instance:
    bitmap = np.zeros(SIZE, bool)
    bitmap[20:40, x : x + 20] = True
    return instance(number, Mask.encode(bitmap), label)


def picture(workspace: Workspace, number: int) -> Image:
    data = encoded(np.full((*SIZE, 3), number, np.uint8))
    key = workspace.blobs.put(data)
    image = Image(id=key, height=60, width=120, format="PNG", byte_size=len(data), file_name=f"{number}.png")
    workspace.store.add_image(image, author="ann")
    return image


def added(workspace: Workspace, image: Image, key: str, *instances: Instance, query: str | None = None) -> Sample:
    sample = Sample.start(
        image.id,
        SIZE,
        source="coco",
        source_record=key,
        instances=[one.plain() for one in instances],
        query=Query(text=query).plain() if query else None,
    )
    return workspace.store.add_sample(sample, author="ann").sample


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace.create(tmp_path / "w") as made:
        yield made


@dataclass
class FakeDrafter:
    """Answers every request with one draft, and by sample's label with a problem; counts what it was asked."""

    problems: dict[str, DraftProblem] = field(default_factory=dict)
    looks: bool = True
    name: str = "fake"
    model: str = "one"
    asked: list[tuple[str, ReasoningType, int, int]] = field(default_factory=list)
    stop_after: int | None = None
    meet: threading.Barrier | None = None
    fatal: str = ""

    def prompt_hash(self, reasoning_type: ReasoningType, depth: int, n: int) -> str:
        return f"{reasoning_type.value} {depth} {n}"

    def draft(self, image: RgbArray, scene: Scene, *, reasoning_type: ReasoningType, depth: int, n: int) -> Drafted:
        label = scene.targets[0].label
        self.asked.append((label, reasoning_type, depth, int(image[0, 0, 0])))
        if self.meet:
            self.meet.wait(10)
        if label == self.fatal or (self.stop_after is not None and len(self.asked) > self.stop_after):
            raise DrafterUnavailable("stopped")
        usage = Usage(prompt_tokens=100, completion_tokens=10, cost=0.5)
        if label in self.problems:
            return Drafted.without(self.problems[label], usage)
        made = QueryDraft(
            text=f"Which {label} is the largest?",
            reasoning_type=reasoning_type,
            depth=depth,
            hops=("Look.",) * depth,
            label=label,
            drafter=self.name,
            model=self.model,
            prompt_hash=self.prompt_hash(reasoning_type, depth, n),
        )
        return Drafted(drafts=(made,), usage=usage)


def test_only_samples_with_masks_and_labels_and_without_a_question_are_drafted_for(workspace: Workspace) -> None:
    image = picture(workspace, 7)
    wanted = added(workspace, image, "1", labelled(1, "umbrella", 0))
    added(workspace, image, "2", labelled(1, "car", 30), query="What drives?")
    added(workspace, image, "3", labelled(1, "", 60))
    added(workspace, image, "4")
    drafter = FakeDrafter()
    report = draft_all(workspace, drafter, [(PURPOSE, 1)], n=2)
    assert (report.drafted, report.drafts, report.failed) == (1, 1, [])
    assert drafter.asked == [("umbrella", PURPOSE, 1, 7)]  # it saw the picture's own pixels
    (kept,) = workspace.store.suggestions(wanted.id)
    draft, critique = draft_of(kept)
    assert draft.text == "Which umbrella is the largest?"
    assert critique.faults >= {Fault.LEAK}
    assert kept.model == "fake:one"
    assert workspace.store.head(wanted.id).sample == wanted  # a suggestion changes no sample


def test_a_repeated_run_skips_what_has_drafts_and_another_prompt_or_model_does_not(workspace: Workspace) -> None:
    image = picture(workspace, 0)
    for k in range(3):
        added(workspace, image, str(k), labelled(1, "umbrella", 20 * k))
    assert draft_all(workspace, FakeDrafter(), [(PURPOSE, 1)]).drafted == 3
    again = draft_all(workspace, FakeDrafter(), [(PURPOSE, 1)])
    assert (again.drafted, again.skipped) == (0, 3)
    assert draft_all(workspace, FakeDrafter(), [(PURPOSE, 2)]).drafted == 3
    assert draft_all(workspace, FakeDrafter(model="two"), [(PURPOSE, 1)]).drafted == 3


def test_a_run_that_is_stopped_goes_on_where_it_was(workspace: Workspace) -> None:
    image = picture(workspace, 0)
    for k in range(4):
        added(workspace, image, str(k), labelled(1, f"thing {k}", 20 * k))
    with pytest.raises(DrafterUnavailable):
        draft_all(workspace, FakeDrafter(stop_after=2), [(PURPOSE, 1)])
    rest = FakeDrafter()
    assert draft_all(workspace, rest, [(PURPOSE, 1)]).skipped == 2
    assert [asked[0] for asked in rest.asked] == ["thing 2", "thing 3"]


def test_what_was_answered_at_the_time_of_an_error_is_kept(workspace: Workspace) -> None:
    """Both requests are under way when one of them fails for good."""
    image = picture(workspace, 0)
    good = added(workspace, image, "1", labelled(1, "umbrella", 0))
    added(workspace, image, "2", labelled(1, "fatal", 40))
    drafter = FakeDrafter(meet=threading.Barrier(2), fatal="fatal")
    with pytest.raises(DrafterUnavailable):
        draft_all(workspace, drafter, [(PURPOSE, 1)], concurrency=2)
    assert len(workspace.store.suggestions(good.id)) == 1


def test_a_limit_counts_new_samples(workspace: Workspace) -> None:
    image = picture(workspace, 0)
    for k in range(3):
        added(workspace, image, str(k), labelled(1, "umbrella", 20 * k))
    assert draft_all(workspace, FakeDrafter(), [(PURPOSE, 1)], limit=2).drafted == 2
    assert draft_all(workspace, FakeDrafter(), [(PURPOSE, 1)], limit=2).drafted == 1


def test_outcomes_are_counted_and_what_failed_is_named_and_tried_again_next_time(workspace: Workspace) -> None:
    image = picture(workspace, 0)
    samples = [added(workspace, image, label, labelled(1, label, 30 * k)) for k, label in enumerate(("a", "b", "c"))]
    problems = {
        "a": DraftProblem(kind="declined", reason="no such question"),
        "b": DraftProblem(kind="parse_failure", reason="no JSON"),
    }
    report = draft_all(workspace, FakeDrafter(problems), [(PURPOSE, 1)])
    assert report.plain() == {
        "drafted": 1, "drafts": 1, "marked": 1, "declined": 1, "skipped": 0,
        "failed": [{"sample_id": samples[1].id, "kind": "parse_failure", "reason": "no JSON"}],
        "tokens": {"prompt": 300, "completion": 30}, "cost": 1.5,
    }  # fmt: skip
    assert draft_all(workspace, FakeDrafter(), [(PURPOSE, 1)]).drafted == 2


def test_where_the_drafter_declines_the_other_types_and_depths_are_tried_in_turn(workspace: Workspace) -> None:
    added(workspace, picture(workspace, 0), "1", labelled(1, "a", 0))
    drafter = FakeDrafter({"a": DraftProblem(kind="declined", reason="no such question")})
    assert draft_all(workspace, drafter, [(PURPOSE, 1), (COMPARING, 2)]).declined == 1
    assert {asked[1:3] for asked in drafter.asked} == {(PURPOSE, 1), (COMPARING, 2)}


def test_as_many_samples_as_asked_are_drafted_for_at_the_same_time(workspace: Workspace) -> None:
    """Each of three requests waits for two others; one after another they would wait for ever."""
    image = picture(workspace, 0)
    for k in range(3):
        added(workspace, image, str(k), labelled(1, "umbrella", 20 * k))
    drafter = FakeDrafter(meet=threading.Barrier(3))
    assert draft_all(workspace, drafter, [(PURPOSE, 1)], concurrency=3).drafted == 3


def test_a_picture_that_is_gone_fails_its_samples_only(workspace: Workspace) -> None:
    lost, kept = picture(workspace, 1), picture(workspace, 2)
    gone = added(workspace, lost, "1", labelled(1, "umbrella", 0))
    added(workspace, kept, "2", labelled(1, "umbrella", 0))
    workspace.blobs.path(lost.id).unlink()
    report = draft_all(workspace, FakeDrafter(), [(PURPOSE, 1)])
    assert report.drafted == 1
    assert [failure["sample_id"] for failure in report.failed] == [gone.id]


def test_the_scene_holds_the_other_samples_objects_once_and_no_target_twice(workspace: Workspace) -> None:
    image = picture(workspace, 0)
    mine = added(workspace, image, "1", labelled(1, "umbrella", 0))
    added(workspace, image, "2", labelled(1, "parasol", 0), labelled(2, "car", 40))  # the same pixels as mine
    added(workspace, image, "3", labelled(1, "car", 41))  # one pixel beside the car: IoU 19 / 21 = 0.90
    added(workspace, picture(workspace, 1), "4", labelled(1, "dog", 80))
    scene = scene_of(workspace.store, mine)
    assert [(thing.label, thing.target) for thing in scene.objects] == [("umbrella", True), ("car", False)]


def test_the_template_drafter_works_on_a_workspace(workspace: Workspace) -> None:
    image = picture(workspace, 0)
    wanted = added(workspace, image, "1", labelled(1, "umbrella", 0))
    added(workspace, image, "2", labelled(1, "car", 60), query="What drives?")
    report = draft_all(workspace, TemplateDrafter(), [(PURPOSE, 1)])
    assert (report.drafted, report.drafts, report.marked) == (1, 1, 0)
    draft, _ = draft_of(workspace.store.suggestions(wanted.id)[0])
    assert draft.text == "Which is the thing in this picture that keeps the rain off whoever walks below?"
