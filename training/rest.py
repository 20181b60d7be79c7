"""REST, StAR's rollout expansion: many rollouts of a prompt are sampled, few are learned from (arXiv:2603.14382).

Of each prompt's n rollouts, ranked by total reward, the best floor(keep / 2) and the worst keep − floor(keep / 2)
remain, and advantages are normalised over those that remain. Ties keep the order of sampling, and no rollout is kept
twice; StAR's own code can keep one twice where all rewards are equal.
"""

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Rule = Literal["star", "abs_advantage"]
RULES: tuple[Rule, ...] = get_args(Rule)
EPSILON = 1e-4  # what TRL adds to a group's standard deviation
HARD_ACCURACY = 0.25  # at most this share of a prompt's rollouts right: a hard prompt, for `scaled_for_difficulty`


def kept_rollouts(rewards: FloatArray, keep: int, rule: Rule = "star") -> IntArray:
    """Return which of each prompt's rollouts are learned from: int64 (P, keep), ascending.

    ``rewards``: (P, n), total rewards, or anything that rises with them such as a group's advantages. ``"star"``: the
    best and the worst half; ``"abs_advantage"``: those farthest from their group's mean. Raises ``ValueError`` for a
    ``keep`` outside [2, n] and for rewards that are not finite.

    >>> kept_rollouts(np.array([[3.0, 0.0, 7.0, 1.0, 5.0, 1.0]]), 4).tolist()
    [[1, 2, 4, 5]]
    """
    count = rewards.shape[1]
    if not 2 <= keep <= count:
        raise ValueError(f"of {count} rollouts 2 to {count} can be kept, got {keep}")
    if not np.isfinite(rewards).all():
        raise ValueError("a rollout's reward is not finite")
    if rule == "star":
        best_first = np.argsort(-rewards, axis=1, kind="stable")
        best = keep // 2
        chosen = np.concatenate([best_first[:, :best], best_first[:, count - (keep - best) :]], axis=1)
    else:
        distance = np.abs(rewards - rewards.mean(1, keepdims=True))
        chosen = np.argsort(-distance, axis=1, kind="stable")[:, :keep]
    return np.sort(chosen, axis=1).astype(np.int64)


def normalised(rewards: FloatArray) -> FloatArray:
    """Return group-relative advantages (P, m): (r − mean) / (std + 1e-4), the standard deviation unbiased, as TRL's."""
    spread = rewards.std(1, ddof=1, keepdims=True)
    return np.asarray((rewards - rewards.mean(1, keepdims=True)) / (spread + EPSILON))


def advantages_of_kept(advantages: FloatArray, kept: IntArray) -> FloatArray:
    """Return the kept rollouts' advantages (P, keep), normalised over the kept, from those over all (P, n).

    An advantage A = (r − mean) / S with S = std + 1e-4 is affine in the reward, and the advantages' own deviation is
    std / S = 1 − 1e-4 / S. So the rewards need not be known: (A − mean of the kept) / (their std + 1e-4 / S) is what
    `normalised` gives for the kept rewards, but for rounding.
    """
    chosen = np.take_along_axis(advantages, kept, axis=1)
    epsilon = np.clip(1 - advantages.std(1, ddof=1, keepdims=True), 0, 1)
    spread = chosen.std(1, ddof=1, keepdims=True)
    return np.asarray((chosen - chosen.mean(1, keepdims=True)) / (spread + epsilon))


def scaled_for_difficulty(advantages: FloatArray, good: npt.NDArray[np.bool_], accuracy: Sequence[float]) -> FloatArray:
    """Return advantages (P, m) with those of good answers to hard prompts raised: StAR's option, off in its presets.

    ``accuracy``: the share of each prompt's rollouts that are right; where it is at most 0.25, positive advantages of
    rollouts that are ``good`` (bool (P, m): a mask score of at least 1) are multiplied by 2^(1 − accuracy).

    >>> scaled_for_difficulty(np.array([[1.0, -1.0]]), np.array([[True, True]]), [0.0]).tolist()
    [[2.0, -1.0]]
    """
    share = np.asarray(accuracy, np.float64)[:, None]
    raised = (share <= HARD_ACCURACY) & good & (advantages > 0)
    return np.where(raised, advantages * 2 ** (1 - share), advantages)
