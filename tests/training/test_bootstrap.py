import pytest

from whyseg.training.bootstrap import FIGURES, compare, figures, intervals
from whyseg.training.metrics import Score


def score(number: int, inter: int, joined: int, *, picture: int | None = None, **more: object) -> Score:
    iou = inter / joined if joined else 1.0
    image = str(number if picture is None else picture)
    fields = {"sample_id": str(number), "image_id": image, "intersection": inter, "union": joined, "iou": iou}
    return Score.parse({**fields, "boundary_iou": iou / 2, **more})


def test_figures_are_means_and_sums() -> None:
    # IoUs 1/2, 1/4, 1: mean 7/12. ΣI = 1 + 5 + 0 = 6 and ΣU = 2 + 20 + 0 = 22: 6/22. Boxes: 0.6 and 0.5, of which
    # 0.5 is not above one half. No-target: one of one. Tokens: (10 + 30) / 2.
    scores = [
        score(1, 1, 2, box_iou=0.6, tokens=10),
        score(2, 5, 20, box_iou=0.5, tokens=30),
        score(3, 0, 0, no_target=True, empty=True),
    ]
    found = figures(scores)
    assert list(found) == list(FIGURES)
    assert found == pytest.approx(
        {
            "giou": 7 / 12,
            "ciou": 6 / 22,
            "boundary_iou": 7 / 24,
            "box_accuracy": 0.5,
            "no_target_accuracy": 1.0,
            "mean_tokens": 20.0,
        }
    )


def test_a_figure_that_nothing_tells_about_is_none() -> None:
    found = figures([score(1, 0, 0)])
    assert (found["giou"], found["ciou"]) == (1.0, None)
    assert found["box_accuracy"] is found["no_target_accuracy"] is found["mean_tokens"] is None
    assert intervals([]) == dict.fromkeys(FIGURES)


def test_a_failure_is_no_right_answer_to_a_question_without_a_target() -> None:
    scores = [score(1, 0, 0, no_target=True, failed=True), score(2, 0, 0, no_target=True, empty=True)]
    assert figures(scores)["no_target_accuracy"] == 0.5


def test_intervals_hold_the_figure_and_are_the_same_every_time() -> None:
    scores = [score(number, number, 20) for number in range(20)]
    found = intervals(scores)
    low, high = found["giou"] or (0, 0)
    # The mean is 0.475, its standard error 0.2883 / √20 = 0.0645: about 0.475 ± 0.126.
    assert low == pytest.approx(0.349, abs=0.02)
    assert high == pytest.approx(0.601, abs=0.02)
    assert intervals(scores) == found
    assert found["box_accuracy"] is None


def test_one_picture_has_no_interval_whatever_the_number_of_its_questions() -> None:
    assert intervals([score(number, number, 10, picture=0) for number in range(9)])["giou"] is None


def test_questions_on_one_picture_are_drawn_together() -> None:
    # Five pictures, ten questions each with one and the same IoU: as uncertain as five questions, not as fifty.
    together = [score(10 * picture + k, picture, 4, picture=picture) for picture in range(5) for k in range(10)]
    single = [score(picture, picture, 4) for picture in range(5)]
    assert intervals(together)["giou"] == pytest.approx(intervals(single)["giou"])


def test_two_runs_are_compared_sample_by_sample() -> None:
    before = [score(number, 2, 10) for number in range(12)]
    after = [score(number, 5 if number < 9 else 1, 10) for number in range(12)]
    found = compare(before, after)
    assert found is not None
    # gIoU: (9 × 0.3 − 3 × 0.1) / 12 = 0.2; cIoU: (45 + 3 − 24) / 120 = 0.2
    assert (found.n, found.better, found.worse, found.equal) == (12, 9, 3, 0)
    assert (found.giou, found.ciou) == pytest.approx((0.2, 0.2))
    low, high = found.intervals["giou"] or (0, 0)
    assert 0 < low < 0.2 < high < 0.3
    # Of the 4,096 ways to sign the differences, those as far from 0: |Σ| ≥ 2.4 of at most 3.0. Flipping the signs of
    # the three against the others costs 0 to 0.6, one of the nine costs 0.6: Σ = ±3.0, 2.8, 2.6, 2.4 (none of the
    # nine flipped; 8 ways), ±2.4 with one of nine and all three for (9 ways): 2 × 17 / 4096 = 0.0083.
    assert found.p_value == pytest.approx(0.0083, abs=0.008)


def test_equal_runs_differ_in_nothing() -> None:
    scores = [score(number, number, 10) for number in range(8)]
    found = compare(scores, scores)
    assert found is not None
    assert (found.giou, found.p_value, found.equal, found.intervals["giou"]) == (0.0, 1.0, 8, (0.0, 0.0))


def test_only_what_both_runs_have_is_compared_and_a_sample_twice_in_its_order() -> None:
    before = [score(1, 1, 10), score(1, 2, 10), score(2, 3, 10)]
    after = [score(1, 2, 10), score(1, 2, 10), score(3, 3, 10)]
    found = compare(before, after)
    assert found is not None
    assert (found.n, found.better, found.equal, found.unmatched) == (2, 1, 1, 2)
    assert found.p_value is None  # one picture alone
    assert compare(before[2:], after[2:]) is None
