"""Hand-worked numbers on one row of ten pixels; where the target is, `#` marks."""

import numpy as np
import pytest

from tests.training.answers import ROW, row, sample
from whyseg.schemas import Mask, Sample
from whyseg.schemas.errors import SizeMismatch, UsageError
from whyseg.training.metrics import Prediction, box_iou, overlap, score_answer
from whyseg.training.protocols import PROTOCOLS, protocol_of

NAMES = ("lisa", "seg_zero", "vision_reasoner", "star")


def answer(mask: Mask | None, *, failed: bool = False) -> Prediction:
    return Prediction(sample_id="x", mask=mask, failed=failed)


def counted(one: Sample, prediction: Prediction, name: str) -> tuple[int, int, float]:
    score = score_answer(one, prediction, protocol_of(name))
    return score.intersection, score.union, score.iou


# target ####······, answer ··#####···: I = 2, U = 4 + 5 − 2 = 7
@pytest.mark.parametrize(
    ("name", "iou"), [("lisa", 2 / 7.00001), ("seg_zero", 2 / 7), ("vision_reasoner", 2 / 7), ("star", 2 / 7)]
)
def test_a_plain_overlap_counts_alike_but_for_epsilon(name: str, iou: float) -> None:
    one = sample(row("####······"))
    assert counted(one, answer(row("··#####···")), name) == (2, 7, iou)


# ignored ·····##··· : LISA takes pixels 5 and 6 out of the answer, U = 4 + 3 − 2 = 5; the others add them to the
# target, which is then ####·##···, I = 2 + 2, U = 4 + 2 + 5 − 4 = 7.
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("lisa", (2, 5, 2 / 5.00001)),
        ("seg_zero", (4, 7, 4 / 7)),
        ("vision_reasoner", (4, 7, 4 / 7)),
        ("star", (4, 7, 4 / 7)),
    ],
)
def test_an_ignore_region_is_left_out_or_counts_as_target(name: str, expected: tuple[int, int, float]) -> None:
    one = sample(row("####······"), ignore=row("·····##···"))
    assert counted(one, answer(row("··#####···")), name) == expected


def test_an_ignore_region_that_lies_on_the_target_takes_it_away() -> None:
    one = sample(row("####······"), ignore=row("##········"))
    # target and answer without pixels 0 and 1: ··##······ and ···###····
    assert counted(one, answer(row("·#·###····")), "lisa") == (1, 4, 1 / 4.00001)


@pytest.mark.parametrize(("name", "iou"), [("lisa", 1.0), ("seg_zero", 0.0), ("vision_reasoner", 0.0), ("star", 1.0)])
def test_an_empty_union_is_right_or_wrong(name: str, iou: float) -> None:
    one = sample(no_target=True)
    assert counted(one, answer(None), name) == (0, 0, iou)
    assert counted(one, answer(Mask.empty(ROW)), name) == (0, 0, iou)
    assert score_answer(one, answer(None), protocol_of(name)).boundary_iou == iou


@pytest.mark.parametrize("name", NAMES)
def test_pixels_where_nothing_is_to_be_found_are_wrong(name: str) -> None:
    assert counted(sample(no_target=True), answer(row("##········")), name) == (0, 2, 0.0)


@pytest.mark.parametrize("name", NAMES)
def test_a_failure_has_no_intersection_and_the_target_as_union(name: str) -> None:
    one = sample(row("####······"))
    found = score_answer(one, answer(row("####······"), failed=True), protocol_of(name))
    assert (found.intersection, found.union, found.iou, found.boundary_iou) == (0, 4, 0.0, 0.0)
    assert (found.failed, found.empty) == (True, False)


@pytest.mark.parametrize(("name", "union"), [("lisa", 3), ("seg_zero", 6), ("vision_reasoner", 6), ("star", 6)])
def test_the_union_of_a_failure_is_the_protocols_own_target(name: str, union: int) -> None:
    one = sample(row("####······"), ignore=row("···###····"))
    assert counted(one, answer(None, failed=True), name) == (0, union, 0.0)


@pytest.mark.parametrize("name", NAMES)
def test_a_failure_where_nothing_is_to_be_found_goes_by_the_rule_for_empty_unions(name: str) -> None:
    found = score_answer(sample(no_target=True), answer(None, failed=True), protocol_of(name))
    assert (found.union, found.iou) == (0, PROTOCOLS[name].empty)
    assert not found.empty  # and so no right answer to a question without a target


def test_the_target_is_the_union_of_the_instances() -> None:
    one = sample(row("##········"), row("·##·······"))
    assert counted(one, answer(row("###·······")), "star") == (3, 3, 1.0)


def test_boundary_iou_looks_at_the_edges_alone() -> None:
    # 30 × 30: d = max(1, round(0.02 × 42.4)) = 1. Target: 10 × 10 at (0, 0), the picture's border being an edge of it:
    # a ring of 36. Answer: the same with 11 columns: a ring of 38. Both: the left column 10, top and bottom 8 each of
    # columns 1–8, column 9 only top and bottom 2 (it is inside the answer): 10 + 16 + 2 = 28, union 36 + 38 − 28 = 46.
    mask = [Mask.encode(np.array([[y < 10 and x < w for x in range(30)] for y in range(30)])) for w in (10, 11)]
    one = sample(mask[0], size=(30, 30))
    assert score_answer(one, answer(mask[1]), protocol_of("star")).boundary_iou == 28 / 46


def test_boundary_iou_leaves_the_ignore_region_out_where_the_protocol_does() -> None:
    one = sample(row("####······"), ignore=row("······####"))
    found = {name: score_answer(one, answer(row("####····##")), protocol_of(name)).boundary_iou for name in NAMES}
    assert found == {"lisa": 1.0, "seg_zero": 6 / 8, "vision_reasoner": 6 / 8, "star": 6 / 8}


def test_the_box_is_the_answers_own_else_that_of_its_mask() -> None:
    one = sample(row("####······"))  # box (0, 0, 4, 1)
    masked = score_answer(one, answer(row("··#####···")), protocol_of("star"))
    assert masked.box_iou == 2 / 7  # (2, 0, 7, 1)
    boxed = Prediction(sample_id="x", mask=row("··#####···"), boxes=((8, 0, 9, 1), (1, 0, 4, 1)))
    assert score_answer(one, boxed, protocol_of("star")).box_iou == 3 / 4  # the better of the two
    assert score_answer(one, answer(None), protocol_of("star")).box_iou == 0
    assert score_answer(sample(row("#·········"), row("·#········")), boxed, protocol_of("star")).box_iou is None
    assert score_answer(sample(no_target=True), boxed, protocol_of("star")).box_iou is None


def test_boxes_without_an_area_overlap_nothing() -> None:
    assert box_iou((1, 1, 1, 1), (1, 1, 1, 1)) == 0
    assert box_iou((0, 0, 4, 4), (2, 2, 2, 6)) == 0
    assert box_iou((0, 0, 4, 4), (4, 0, 8, 4)) == 0


def test_a_mask_of_another_size_is_refused_with_both_sizes() -> None:
    with pytest.raises(SizeMismatch, match=r"the prediction for sample .* size 2×2 .* image's 1×10"):
        score_answer(sample(row("#·········")), answer(Mask.empty((2, 2))), protocol_of("lisa"))


def test_an_unknown_protocol_is_wrong_use_and_those_there_are_are_named() -> None:
    with pytest.raises(UsageError, match="no protocol 'coco'; there are lisa, seg_zero, vision_reasoner, star"):
        protocol_of("coco")


def test_overlap_agrees_with_counting_pixels() -> None:
    random = np.random.default_rng(0)
    for _ in range(50):
        p, t, g = random.random((3, 17, 13)) < random.random((3, 1, 1))
        found = overlap(Mask.encode(p), Mask.encode(t), Mask.encode(g))
        assert found == (int((p & t & ~g).sum()), int(((p | t) & ~g).sum()))
