"""REST's arithmetic, against values worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from whyseg.training.rest import Rule, advantages_of_kept, kept_rollouts, normalised, scaled_for_difficulty


def kept(rewards: list[float], keep: int, rule: Rule = "star") -> list[int]:
    return list(kept_rollouts(np.array([rewards], float), keep, rule)[0].tolist())


def test_the_best_and_the_worst_half_by_reward_are_kept() -> None:
    # Best first: 5 (9.0), 2 (7.0), 0, 3, 4, 1 (0.5).
    assert kept([4.0, 0.5, 7.0, 3.0, 2.0, 9.0], 4) == [1, 2, 4, 5]


def test_of_an_odd_number_one_more_of_the_worst_is_kept() -> None:
    # floor(3 / 2) = 1 best (5), 2 worst (4, 1).
    assert kept([4.0, 0.5, 7.0, 3.0, 2.0, 9.0], 3) == [1, 4, 5]


def test_ties_keep_the_order_of_sampling() -> None:
    # Ranked: 1 (2.0), then the ones 0, 2, 3, 5 in their order, then 4 (0.0): two best are 1, 0, two worst 5, 4.
    assert kept([1.0, 2.0, 1.0, 1.0, 0.0, 1.0], 4) == [0, 1, 4, 5]


def test_where_all_rewards_are_equal_the_first_and_the_last_are_kept_and_none_twice() -> None:
    assert kept([3.0] * 6, 4) == [0, 1, 4, 5]
    assert kept([3.0] * 5, 5) == [0, 1, 2, 3, 4]


def test_the_other_rule_keeps_those_farthest_from_the_mean() -> None:
    # Mean 7.7: distances 7.7, 1.3, 1.8, 2.3, 2.3; the best and the two worst are 3, 1 and 0.
    rewards = [0.0, 9.0, 9.5, 10.0, 10.0]
    assert kept(rewards, 3, "abs_advantage") == [0, 3, 4]
    assert kept(rewards, 3) == [0, 1, 3]
    assert kept([5.0] * 4, 2, "abs_advantage") == [0, 1]


def test_each_prompt_is_ranked_by_itself() -> None:
    rewards = np.array([[1.0, 2.0, 3.0, 4.0], [40.0, 30.0, 20.0, 10.0]])
    assert kept_rollouts(rewards, 2).tolist() == [[0, 3], [0, 3]]


@pytest.mark.parametrize("keep", [1, 5, 0, -2])
def test_too_few_or_too_many_are_refused(keep: int) -> None:
    with pytest.raises(ValueError, match=r"of 4 rollouts 2 to 4 can be kept"):
        kept([1.0, 2.0, 3.0, 4.0], keep)


def test_a_reward_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="not finite"):
        kept([1.0, float("nan"), 3.0], 2)


def test_advantages_are_those_of_the_kept_rewards_alone() -> None:
    rewards = np.array([[4.0, 0.5, 7.0, 3.0, 2.0, 9.0]])
    rows = kept_rollouts(rewards, 4)
    # Kept 0.5, 7, 2, 9: mean 4.625; squares 17.015625 + 5.640625 + 6.890625 + 19.140625 = 48.6875; / 3 = 16.229167;
    # root 4.028544. So (0.5 − 4.625) / 4.028644 = −1.023918, and so on.
    worked = [-1.023918, 0.589528, -0.651584, 1.085973]
    assert advantages_of_kept(normalised(rewards), rows)[0] == pytest.approx(worked, abs=1e-5)
    assert normalised(np.take_along_axis(rewards, rows, 1))[0] == pytest.approx(worked, abs=1e-5)


@given(st.lists(st.floats(0, 14, width=32), min_size=4, max_size=40), st.integers(2, 4))
def test_renormalising_advantages_is_normalising_rewards(rewards: list[float], keep: int) -> None:
    given_rewards = np.array([rewards])
    rows = kept_rollouts(given_rewards, keep)
    got = advantages_of_kept(normalised(given_rewards).astype(np.float32).astype(float), rows)
    expected = normalised(np.take_along_axis(given_rewards, rows, 1))
    # Single precision leaves an error of 1e-7 in a group's advantages, which rewards that hardly differ magnify.
    spread = float(given_rewards.std(ddof=1))
    own = float(np.take_along_axis(given_rewards, rows, 1).std(ddof=1))
    assert np.abs(got - expected).max() <= 1e-5 * (1 + spread / (own + 1e-4)) + 1e-6


@given(st.lists(st.integers(0, 3), min_size=2, max_size=30), st.data())
def test_no_rollout_is_kept_twice_and_none_that_is_left_out_beats_a_best_one(
    rewards: list[int], data: st.DataObject
) -> None:
    keep = data.draw(st.integers(2, len(rewards)))
    rows = kept([float(reward) for reward in rewards], keep)
    assert len(set(rows)) == keep
    left = [rewards[row] for row in range(len(rewards)) if row not in rows]
    ranked = sorted((rewards[row] for row in rows), reverse=True)
    if left:
        assert min(ranked[: keep // 2], default=99) >= max(left)
        assert max(ranked[keep // 2 :]) <= min(left)


def test_good_answers_to_hard_prompts_weigh_more() -> None:
    advantages = np.array([[1.0, 0.5, -1.5], [1.0, 0.5, -1.5]])
    good = np.array([[True, False, True], [True, True, True]])
    # 2^(1 − 0.25) = 1.681793; the second prompt is not hard.
    scaled = scaled_for_difficulty(advantages, good, [0.25, 0.5])
    assert scaled.ravel().tolist() == pytest.approx([1.681793, 0.5, -1.5, 1.0, 0.5, -1.5], abs=1e-6)
