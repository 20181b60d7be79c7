from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import pytest

from tests.fakes import FakeSegmenter
from tests.training.answers import row, sample
from whyseg.schemas import Box, Mask, Point, Prompt, Revision, Sample, Signals
from whyseg.schemas.errors import SizeMismatch
from whyseg.training.candidates import Candidates
from whyseg.training.mask_reward import Masks
from whyseg.training.signals import reprompt, signals_of
from whyseg.training.voting import Answer, Candidate

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LEFT, RIGHT = row("####······"), row("······####")


def says(*masks: Mask, box: tuple[float, float, float, float] | None = None) -> Answer:
    return Answer(objects=tuple(Candidate(mask=mask, label="it", box=box) for mask in masks))


LOST = Answer(parsed=False)


def revision(of: Sample) -> Revision:
    return Revision.make(of, number=1, parent=None, author="ann", created_at=NOON)


def signals(of: Sample, answers: Sequence[Answer], reprompted: Sequence[Mask | None] = ()) -> Signals:
    candidates = Candidates(size=of.size, answers=tuple(answers), sample_id=of.id)
    return signals_of(candidates, revision(of), reprompted, run="r", at=NOON)


def test_signals_of_mixed_answers() -> None:
    answers = [
        says(LEFT),
        says(LEFT),
        says(row("###·······")),  # 3 of 4 pixels: 0.75, the same thing as LEFT
        says(RIGHT),
        says(),
        LOST,
        says(LEFT, RIGHT),  # 4 of 8: 0.5
        says(LEFT),
    ]
    found = signals(sample(LEFT), answers, [row("#####·····")])
    # IoUs: 1, 1, 0.75, 0, 0, 0, 0.5, 1: the sum is 4.25, five of the eight reach 0.5.
    assert (found.mean_iou, found.best_iou, found.pass_rate) == (4.25 / 8, 1, 5 / 8)
    assert (found.answers, found.failed, found.empty) == (8, 1, 1)
    # LEFT has the votes of five answers of the seven that can be read, RIGHT those of two.
    assert [(one.votes, one.chosen, one.iou) for one in found.clusters] == [(5, True, 1), (2, False, 0)]
    assert found.agreement == pytest.approx(5 / 7)
    assert (found.vote_iou, found.box_iou, found.reprompted_iou) == (1, 1, 0.8)
    # {LEFT} 4, {RIGHT} 1, both 1, nothing 1, unreadable 1: ½·1 + 4·(⅛·3) = 2 bits.
    assert found.entropy == 2


def test_answers_that_all_say_the_same_have_no_entropy() -> None:
    assert signals(sample(LEFT), [says(LEFT)] * 4).entropy == 0
    assert signals(sample(LEFT), [says()] * 4).entropy == 0
    # Four outcomes, each once: 2 bits.
    assert signals(sample(LEFT), [says(LEFT), says(RIGHT), says(), LOST]).entropy == 2


def test_a_no_target_sample_is_answered_rightly_by_nothing() -> None:
    found = signals(sample(no_target=True), [says(), says(), says(), says(LEFT)])
    assert (found.mean_iou, found.pass_rate, found.agreement, found.vote_iou) == (0.75, 0.75, 0.75, 1)
    assert (found.box_iou, found.reprompted_iou) == (None, None)


def test_answers_none_of_which_can_be_read_are_worth_nothing() -> None:
    found = signals(sample(no_target=True), [LOST, LOST])
    assert (found.mean_iou, found.best_iou, found.agreement, found.vote_iou, found.failed) == (0, 0, 0, 0, 2)
    assert found.clusters == ()


def test_the_ignore_region_does_not_count() -> None:
    # Outside the last five pixels: the answer has 4, the target 4, all shared.
    found = signals(sample(LEFT, ignore=row("·····#####")), [says(row("####·#####"))])
    assert found.mean_iou == 1


def test_the_vote_has_the_median_of_the_boxes_that_answers_gave() -> None:
    # Edges 0, 1, 5 and 4, 5, 9: the medians 1 and 5. (1, 5) and the annotated (0, 4) share 3 of 5 pixels.
    boxes = [(0, 0, 4, 1), (1, 0, 5, 1), (5, 0, 9, 1)]
    found = signals(sample(LEFT), [says(LEFT, box=box) for box in boxes])
    assert (found.box_iou, found.vote_iou) == (0.6, 1)


def test_an_instance_that_no_thing_of_the_vote_meets_counts_nothing() -> None:
    assert signals(sample(LEFT, RIGHT), [says(LEFT)] * 3).box_iou == 0.5


def test_only_the_eight_largest_clusters_are_kept() -> None:
    size = (1, 40)
    things = [Mask.encode(np.arange(40)[None] // 4 == k) for k in range(10)]
    found = signals(sample(things[0], size=size), [says(*things)])
    assert len(found.clusters) == 8


def test_a_mask_of_another_size_is_a_bug_of_the_caller_and_named() -> None:
    with pytest.raises(SizeMismatch):
        signals(sample(LEFT, size=(1, 10)), [says(Mask.empty((2, 5)))])


def test_the_segmenter_is_prompted_with_box_and_deepest_pixel_of_each_instance() -> None:
    segmenter, pixels = FakeSegmenter(), np.zeros((1, 10, 3), np.uint8)
    found = reprompt(sample(row("···####···"), row("··········")), Masks(segmenter), lambda: pixels)
    asked = [prompt for prompt, _ in segmenter.asked]
    # Half-open box; of equally deep pixels in one row the middle ones, the first of which is 4.
    (point,) = asked[0].points
    assert (asked[0].box, point.y, 3 <= point.x <= 6) == (Box(x0=3, y0=0, x1=7, y1=1), 0, True)
    assert (len(asked), found[1]) == (1, None)
    # The fake answers a click with a disc of radius 8 around it: the whole row.
    assert found[0] == row("##########")
    assert asked[0] == Prompt(box=asked[0].box, points=(Point(x=point.x, y=0),))
