from collections.abc import Sequence
from itertools import permutations

import numpy as np
import pytest

from tests.builders import block
from whyseg.curation.agreement import Estimate, Level, krippendorff_alpha, mask_agreement, mean
from whyseg.schemas import Mask

_: None = None
# K. Krippendorff, Computing Krippendorff's Alpha-Reliability (2011), section D: four observers, twelve units.
PUBLISHED = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, _, _, _],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, _, 3],
    [_, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, _],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, _],
]
LEVELS: tuple[Level, ...] = ("nominal", "ordinal", "interval", "ratio")


def slow_alpha(ratings: Sequence[Sequence[float | None]], level: Level) -> float:
    """One minus observed over expected disagreement, pair by pair of values."""
    units = [[row[u] for row in ratings if row[u] is not None] for u in range(len(ratings[0]))]
    paired = [[value for value in unit if value is not None] for unit in units if len(unit) > 1]
    everything = sorted(value for unit in paired for value in unit)

    def distance(c: float, k: float) -> float:
        if level == "nominal":
            return float(c != k)
        if level == "interval":
            return (c - k) ** 2
        if level == "ratio":
            return ((c - k) / (c + k)) ** 2
        low, high = min(c, k), max(c, k)
        between = sum(low <= value <= high for value in everything)
        return (between - (everything.count(low) + everything.count(high)) / 2) ** 2 if c != k else 0.0

    n = len(everything)
    observed = sum(distance(c, k) / (len(unit) - 1) for unit in paired for c, k in permutations(unit, 2)) / n
    expected = sum(distance(c, k) for c, k in permutations(everything, 2)) / (n * (n - 1))
    return 1 - observed / expected


@pytest.mark.parametrize(
    ("level", "published"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849), ("ratio", 0.797)]
)
def test_alpha_is_the_published_one(level: Level, published: float) -> None:
    found = krippendorff_alpha(PUBLISHED, level)
    assert found.value is not None
    assert round(found.value, 3) == published
    assert found.value == pytest.approx(slow_alpha(PUBLISHED, level))
    assert found.count == 11  # the last unit but for one has no second value


def test_alpha_of_two_observers_is_the_published_one() -> None:
    # The same paper, section B: ten units, two values; nominal alpha 0.095.
    first, second = [0, 1, 0, 0, 0, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]
    found = krippendorff_alpha([first, second], "nominal")
    assert found.value == pytest.approx(0.095, abs=0.0005)


@pytest.mark.parametrize("level", LEVELS)
def test_alpha_is_what_a_slow_count_of_pairs_gives(level: Level) -> None:
    random = np.random.default_rng(7)
    for _round in range(30):
        table = random.integers(1, 5, (random.integers(2, 5), 9))
        ratings = [[None if random.random() < 0.3 else int(value) for value in row] for row in table]
        found = krippendorff_alpha(ratings, level, times=2)
        assert found.value == pytest.approx(slow_alpha(ratings, level))


def test_texts_have_an_alpha_and_their_names_do_not_matter() -> None:
    names = {1: "function_purpose", 2: "commonsense", 3: "comparative", 4: "compositional", 5: "other"}
    named = [[names[value] if value else None for value in row] for row in PUBLISHED]
    assert krippendorff_alpha(named, "nominal").value == pytest.approx(0.743, abs=0.0005)
    with pytest.raises(ValueError, match="could not convert"):
        krippendorff_alpha(named, "interval")


def test_the_same_seed_gives_the_same_interval_around_the_value() -> None:
    first, second = (krippendorff_alpha(PUBLISHED, "ordinal", seed=1) for _round in range(2))
    assert first == second
    assert first.low is not None
    assert first.high is not None
    assert first.value is not None
    assert 0 < first.low < first.value < first.high <= 1


@pytest.mark.parametrize(
    ("ratings", "reason"),
    [
        ([], "there are none"),
        ([[1, 2]], "there is one"),
        ([[], []], "no sample was answered by two"),
        ([[1, _], [_, 2]], "no sample was answered by two"),
        ([[1, 1], [1, 1]], "all answers are equal"),
    ],
)
def test_what_cannot_be_computed_is_none_with_a_reason(ratings: list[list[int | None]], reason: str) -> None:
    found = krippendorff_alpha(ratings, "nominal")
    assert found.value is found.low is found.high is None
    assert found.reason
    assert reason in found.reason


def test_one_sample_has_an_alpha_and_no_interval() -> None:
    # One unit of two different values: n = 2, observed = expected disagreement.
    assert krippendorff_alpha([[1], [2]], "nominal") == Estimate(
        value=0.0, count=1, reason="one sample has no interval"
    )


def test_full_agreement_is_one() -> None:
    found = krippendorff_alpha([[1, 2, 3, 1], [1, 2, 3, 1]], "ordinal")
    assert (found.value, found.low, found.high) == (1.0, 1.0, 1.0)


def test_rows_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match=r"one length, got \[1, 2\]"):
        krippendorff_alpha([[1], [1, 2]], "nominal")


def test_masks_are_compared_each_with_each() -> None:
    masks = {"ann": block(1, 1, 2, 2), "bob": block(1, 1, 2, 4), "cyd": Mask.empty((6, 8))}
    found = mask_agreement(masks)
    # ann lies in bob: 4 of 8 pixels; nothing is deeper than a pixel, so the boundaries are the masks
    assert found.people == ("ann", "bob", "cyd")
    assert found.iou == ((1.0, 0.5, 0.0), (0.5, 1.0, 0.0), (0.0, 0.0, 1.0))
    assert found.boundary_iou == found.iou
    assert found.mean_iou == found.mean_boundary_iou == pytest.approx(0.5 / 3)


@pytest.mark.parametrize("people", [0, 1])
def test_masks_of_fewer_than_two_people_have_no_mean(people: int) -> None:
    found = mask_agreement({f"p{k}": block(1, 1, 2, 2) for k in range(people)})
    assert (found.mean_iou, found.mean_boundary_iou, len(found.iou)) == (None, None, people)
    assert found.reason


def test_two_people_who_both_drew_nothing_agree() -> None:
    found = mask_agreement({"ann": Mask.empty((6, 8)), "bob": Mask.empty((6, 8))})
    assert (found.mean_iou, found.mean_boundary_iou) == (1.0, 1.0)


def test_a_mean_comes_with_its_interval() -> None:
    found = mean([0.0, 1.0] * 50)
    assert found.value == 0.5
    assert found.low is not None
    assert found.high is not None
    # the standard error of 100 coin flips is 0.05; 1.96 of them on either side
    assert found.low == pytest.approx(0.402, abs=0.02)
    assert found.high == pytest.approx(0.598, abs=0.02)
    assert mean([0.25] * 3) == Estimate(value=0.25, low=0.25, high=0.25, count=3)
    assert mean([0.25]) == Estimate(value=0.25, count=1, reason="one value has no interval")
    assert mean([]) == Estimate(reason="there are no values")
