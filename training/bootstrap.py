"""How sure a figure is: bootstrap intervals of an evaluation, and of the difference between two on the same samples.

What is drawn, with replacement, is pictures: questions on one picture are no independent trials. Percentile intervals
of 95 % over 1,000 resamples, always from the same seed. The difference of two runs is tested by a permutation test as
well: where the runs are alike, it does not matter which of a picture's two answers belongs to which run.
"""

from collections.abc import Sequence

import numpy as np

from whyseg.curation.agreement import TIMES, FloatArray, percentiles, resamples
from whyseg.schemas import Record
from whyseg.training.metrics import BOX_RIGHT, Score

FIGURES = ("giou", "ciou", "boundary_iou", "box_accuracy", "no_target_accuracy", "mean_tokens")
Interval = tuple[float, float]
_TOGETHER = 2**22  # signs in memory at once


class Comparison(Record):
    """The second run's figures less the first's, on the samples that both answered.

    ``p_value``: of gIoU, two-sided; ``better``, ``worse`` and ``equal`` count samples by IoU. ``unmatched``: samples
    that only one of the runs has.
    """

    n: int
    giou: float
    ciou: float | None
    intervals: dict[str, Interval | None]
    p_value: float | None
    better: int
    worse: int
    equal: int
    unmatched: int = 0


def figures(scores: Sequence[Score]) -> dict[str, float | None]:
    """Return the figures of an evaluation, in `FIGURES`' order; None where there is nothing to divide by.

    gIoU and boundary IoU are means over samples, cIoU is ΣI / ΣU, the accuracies are shares of the samples that have a
    box, or no target.
    """
    above, below = _sums(scores)
    ratios = _ratios(above.sum(0), below.sum(0))
    return {name: None if np.isnan(value) else float(value) for name, value in zip(FIGURES, ratios, strict=True)}


def intervals(scores: Sequence[Score], *, times: int = TIMES, seed: int = 0) -> dict[str, Interval | None]:
    """Return the figures' bootstrap intervals; None for a figure that fewer than two pictures say something about."""
    above, below = _sums(scores)
    if not len(above):
        return dict.fromkeys(FIGURES)
    drawn = np.concatenate([_ratios(d @ above, d @ below) for d in resamples(len(above), times, seed)])
    told = (below > 0).sum(0) > 1
    return {name: _interval(drawn[:, k]) if told[k] else None for k, name in enumerate(FIGURES)}


def compare(first: Sequence[Score], second: Sequence[Score], *, times: int = TIMES, seed: int = 0) -> Comparison | None:
    """Compare two runs sample by sample; None when they share none.

    A sample that stands several times in the data is compared first with first, second with second.
    """
    one, other = _keyed(first), _keyed(second)
    shared = [key for key in one if key in other]
    if not shared:
        return None
    before, after = [one[key] for key in shared], [other[key] for key in shared]
    (above, below), (above2, below2) = _sums(before), _sums(after)
    gap = _ratios(above2.sum(0), below2.sum(0)) - _ratios(above.sum(0), below.sum(0))
    kept: dict[str, Interval | None] = {"giou": None, "ciou": None}
    if len(above) > 1:
        gaps = [
            _ratios(d @ above2, d @ below2) - _ratios(d @ above, d @ below) for d in resamples(len(above), times, seed)
        ]
        drawn = np.concatenate(gaps)
        kept = {name: _interval(drawn[:, FIGURES.index(name)]) for name in kept}
    ious = np.array([[a.iou, b.iou] for a, b in zip(before, after, strict=True)])
    ciou = gap[FIGURES.index("ciou")]
    return Comparison(
        n=len(shared),
        giou=float(gap[0]),
        ciou=None if np.isnan(ciou) else float(ciou),
        intervals=kept,
        p_value=_p_value((above2 - above)[:, 0], times, seed),
        better=int((ious[:, 1] > ious[:, 0]).sum()),
        worse=int((ious[:, 1] < ious[:, 0]).sum()),
        equal=int((ious[:, 1] == ious[:, 0]).sum()),
        unmatched=len(one) + len(other) - 2 * len(shared),
    )


def _p_value(differences: FloatArray, times: int, seed: int) -> float | None:
    """Return how often swapping pictures' answers at random gives a sum as far from 0 as this one, itself counted."""
    if len(differences) < 2:
        return None
    random, tolerance = np.random.default_rng(seed), 1e-12 * float(np.abs(differences).sum())
    wanted, reached, rows = abs(differences.sum()) - tolerance, 0, max(1, _TOGETHER // len(differences))
    for start in range(0, times, rows):
        signs = random.choice([-1.0, 1.0], (min(rows, times - start), len(differences)))
        reached += int((np.abs(signs @ differences) >= wanted).sum())
    return (1 + reached) / (1 + times)


def _keyed(scores: Sequence[Score]) -> dict[tuple[str, int], Score]:
    seen: dict[str, int] = {}
    keyed = {}
    for score in scores:
        number = seen[score.sample_id] = seen.get(score.sample_id, 0) + 1
        keyed[score.sample_id, number] = score
    return keyed


def _sums(scores: Sequence[Score]) -> tuple[FloatArray, FloatArray]:
    """Return what is divided, and by what, a row for each picture and a column for each of `FIGURES`."""
    pictures = {image: row for row, image in enumerate(dict.fromkeys(score.image_id for score in scores))}
    above = np.zeros((len(pictures), len(FIGURES)))
    below = np.zeros((len(pictures), len(FIGURES)))
    for score in scores:
        row = pictures[score.image_id]
        boxed = score.box_iou is not None
        right = score.box_iou is not None and score.box_iou > BOX_RIGHT
        told = score.tokens is not None
        above[row] += (
            score.iou,
            score.intersection,
            score.boundary_iou,
            right,
            score.no_target and score.empty,
            score.tokens or 0,
        )
        below[row] += (1, score.union, 1, boxed, score.no_target, told)
    return above, below


def _ratios(above: FloatArray, below: FloatArray) -> FloatArray:
    ratios: FloatArray = np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0)
    return ratios


def _interval(drawn: FloatArray) -> Interval | None:
    known = drawn[~np.isnan(drawn)]
    return percentiles(known) if len(known) else None
