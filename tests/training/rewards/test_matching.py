from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from whyseg.training.rewards.matching import matched


def test_the_best_assignment_counts_not_the_greedy_one() -> None:
    # greedy takes 3 and is left with 0; 2 + 2 is better: 4 / 2
    assert matched(np.array([[3.0, 2.0], [2.0, 0.0]])) == 2


@pytest.mark.parametrize(
    ("scores", "value"),
    [
        ([[3.0, 0.0, 0.0]], 1),  # one prediction, three instances: 3 / 3
        ([[3.0], [3.0], [0.0]], 1),  # three predictions, one instance: two are too many
        ([[0.0, 0.0], [0.0, 0.0]], 0),
        ([[1.0, 1.0], [1.0, 1.0]], 1),  # a tie: either way 2 / 2
    ],
)
def test_what_is_missing_or_too_many_costs_by_the_larger_count(scores: list[list[float]], value: float) -> None:
    assert matched(np.array(scores)) == value


def test_without_predictions_or_instances_nothing_matches() -> None:
    for shape in [(0, 0), (0, 3), (3, 0)]:
        assert matched(np.zeros(shape)) == 0


@given(st.integers(1, 4), st.integers(1, 4), st.randoms(use_true_random=False))
def test_it_is_the_best_of_all_assignments(rows: int, columns: int, random: object) -> None:
    rng = np.random.default_rng(random.getrandbits(32))  # type: ignore[attr-defined]
    scores = rng.integers(0, 4, (rows, columns)).astype(float)
    wide = scores if rows <= columns else scores.T
    best = max(sum(wide[i, j] for i, j in enumerate(order)) for order in permutations(range(wide.shape[1]), len(wide)))
    assert matched(scores) == best / max(rows, columns)
    assert matched(scores[::-1]) == matched(scores[:, ::-1]) == matched(scores)
