"""How far people agree: on masks by IoU, on type and depth by Krippendorff's alpha, with bootstrap intervals.

Written from K. Krippendorff, *Computing Krippendorff's Alpha-Reliability* (2011), whose notation the comments use. What
cannot be computed is None with a reason, never a NaN.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Literal

import numpy as np
import numpy.typing as npt

from whyseg.curation.boundary import boundary_iou
from whyseg.schemas import Mask, Record

Level = Literal["nominal", "ordinal", "interval", "ratio"]
Value = str | float
FloatArray = npt.NDArray[np.float64]
TIMES = 1000  # bootstrap resamples
CONFIDENCE = 0.95
_TOGETHER = 2**22  # numbers in the table of draws: 32 MB


class Estimate(Record):
    """A figure with its bootstrap interval of 95 %; where it is None, ``reason`` says why.

    ``count``: of how many things, such as pairs of masks or samples that two people answered.
    """

    value: float | None = None
    low: float | None = None
    high: float | None = None
    count: int = 0
    reason: str | None = None


class MaskAgreement(Record):
    """Several people's masks of one sample: ``iou[i][j]`` and ``boundary_iou[i][j]`` are those of ``people`` i and j.

    The means are over the pairs of different people.
    """

    people: tuple[str, ...]
    iou: tuple[tuple[float, ...], ...]
    boundary_iou: tuple[tuple[float, ...], ...]
    mean_iou: float | None
    mean_boundary_iou: float | None
    reason: str | None = None


def mask_agreement(masks: Mapping[str, Mask]) -> MaskAgreement:
    """Compare what several people drew on one image, each with each; two empty masks agree.

    Raises ``SizeMismatch`` when the masks' sizes differ.
    """
    people = tuple(masks)
    iou, edge = np.eye(len(people)), np.eye(len(people))
    for i, j in combinations(range(len(people)), 2):
        first, second = masks[people[i]], masks[people[j]]
        iou[i, j] = iou[j, i] = first.iou(second)
        edge[i, j] = edge[j, i] = boundary_iou(first, second)
    above = np.triu_indices(len(people), 1)
    several = len(people) > 1
    return MaskAgreement(
        people=people,
        iou=tuple(map(tuple, iou.tolist())),
        boundary_iou=tuple(map(tuple, edge.tolist())),
        mean_iou=float(iou[above].mean()) if several else None,
        mean_boundary_iou=float(edge[above].mean()) if several else None,
        reason=None if several else _lack(len(people)),
    )


def mean(values: Sequence[float], *, times: int = TIMES, seed: int = 0) -> Estimate:
    """Return the mean of values, one a sample, with its bootstrap interval over the samples."""
    if not values:
        return Estimate(reason="there are no values")
    table = np.asarray(values, np.float64)
    center = float(table.mean())
    if len(table) == 1:
        return Estimate(value=center, count=1, reason="one value has no interval")
    means = np.concatenate([draws @ table / len(table) for draws in resamples(len(table), times, seed)])
    low, high = percentiles(means)
    return Estimate(value=center, low=low, high=high, count=len(table))


def krippendorff_alpha(
    ratings: Sequence[Sequence[Value | None]], level: Level, *, times: int = TIMES, seed: int = 0
) -> Estimate:
    """Return Krippendorff's alpha of ratings[rater][sample], None where a rater gave no answer.

    1 is full agreement, 0 what chance would give, below 0 less than that. ``level``: nominal for what has no order,
    such as reasoning types; ordinal or interval for numbers such as depths; ratio for numbers above a true zero. The
    interval comes from resampling the samples. Meant for few different values: memory grows with their square. Raises
    ``ValueError`` when the raters' rows differ in length, or for a text where numbers are expected.
    """
    if len({len(row) for row in ratings}) > 1:
        raise ValueError(f"every rater has a row of one length, got {[len(row) for row in ratings]}")
    units = [[value for value in unit if value is not None] for unit in zip(*ratings, strict=True)]
    answers = [given for given in units if len(given) > 1]  # only values that can be paired count
    if not answers:
        return Estimate(reason=_lack(len(ratings)) if len(ratings) < 2 else "no sample was answered by two raters")
    values = sorted({value for given in answers for value in given}, key=_order)
    places = {value: place for place, value in enumerate(values)}
    counts = np.zeros((len(answers), len(values)))
    for unit, given in enumerate(answers):
        for value in given:
            counts[unit, places[value]] += 1
    if len(values) == 1:
        return Estimate(count=len(answers), reason="all answers are equal: no disagreement can be expected by chance")
    # o_ck of each unit: its ordered pairs of values, each unit as heavy as it has values
    pairs = counts[:, :, None] * counts[:, None, :] - counts[:, :, None] * np.eye(len(values))
    pairs = (pairs / (counts.sum(1) - 1)[:, None, None]).reshape(len(answers), -1)
    numbers = np.arange(len(values)) if level == "nominal" else np.array(values, np.float64)
    value = _alphas(pairs.sum(0)[None], numbers, level)[0]
    if len(answers) == 1:
        return Estimate(value=float(value), count=1, reason="one sample has no interval")
    drawn = np.concatenate([_alphas(draws @ pairs, numbers, level) for draws in resamples(len(answers), times, seed)])
    # A resample of equal answers alone has no alpha; it says nothing for or against.
    low, high = percentiles(drawn[~np.isnan(drawn)])
    return Estimate(value=float(value), low=low, high=high, count=len(answers))


def _alphas(coincidences: FloatArray, values: npt.NDArray[np.float64 | np.int64], level: Level) -> FloatArray:
    """Return the alpha of each coincidence matrix o_ck, (N, V × V); NaN where no disagreement is expected."""
    size = len(values)
    o = coincidences.reshape(-1, size, size)
    n_c = o.sum(2)
    n = n_c.sum(1)
    distance = _distances(n_c, values, level)
    observed = (o * distance).sum((1, 2))
    expected = (n_c[:, :, None] * n_c[:, None, :] * distance).sum((1, 2))
    alphas = np.full(len(o), np.nan)
    varied = expected > 0
    alphas[varied] = 1 - (n[varied] - 1) * observed[varied] / expected[varied]
    return alphas


def _distances(n_c: FloatArray, values: npt.NDArray[np.float64 | np.int64], level: Level) -> FloatArray:
    """Return the squared differences of values c and k, (N, V, V) or (1, V, V)."""
    c, k = values[:, None], values[None, :]
    if level == "nominal":
        return np.asarray(c != k, np.float64)[None]
    if level == "interval":
        return np.asarray((c - k) ** 2, np.float64)[None]
    if level == "ratio":
        total = np.abs(c) + np.abs(k)
        ratios: FloatArray = np.divide((c - k) ** 2, total**2, out=np.zeros(total.shape), where=total > 0)
        return ratios[None]
    # ordinal: how many values lie between c and k, half of either counted
    middles = np.cumsum(n_c, axis=1) - n_c / 2
    return np.asarray((middles[:, :, None] - middles[:, None, :]) ** 2, np.float64)


def resamples(count: int, times: int, seed: int) -> Iterator[FloatArray]:
    """Yield how often each of ``count`` things is drawn in each of ``times`` resamples, some rows at a time."""
    random = np.random.default_rng(seed)
    rows = max(1, _TOGETHER // count)
    for start in range(0, times, rows):
        some = min(rows, times - start)
        drawn = random.integers(count, size=(some, count)) + np.arange(some)[:, None] * count
        yield np.bincount(drawn.ravel(), minlength=some * count).reshape(some, count).astype(np.float64)


def percentiles(drawn: FloatArray) -> tuple[float, float]:
    """Return the interval of 95 % that lies in the middle of resampled figures."""
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return float(low), float(high)


def _order(value: Value) -> tuple[str, Value]:
    return ("", value) if isinstance(value, int | float) else ("text", value)


def _lack(people: int) -> str:
    return f"agreement needs at least two people, there {'is one' if people == 1 else 'are none'}"
