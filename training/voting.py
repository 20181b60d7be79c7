"""Mask-level majority voting over several sampled answers to one question, as StAR's evaluation does it.

1. An answer that could not be read abstains; the others are *valid*. Without any, there is no answer at all.
2. An answer that names no object is a vote for "nothing there"; from ``no_object`` of the valid ones on, the mask is
   empty.
3. How many objects there are is the most frequent number above 0; of equally frequent ones the first that came.
4. Candidates are taken in the order in which they came: each joins the first cluster whose *first* member it overlaps
   with an IoU of at least ``iou``, or opens one.
5. A cluster's votes are the distinct answers in it; those with fewer than ``votes`` of the valid ones drop out, unless
   all would.
6. The clusters are ordered by (votes, mean score), and as many as there are objects are chosen.
7. A cluster's mask is that of its member with the highest (score, area): "best"; or every pixel that at least
   ``pixels`` of the members' scores vote for: "consensus". Scores that are all 0 or less count alike.
8. The result is the union of the chosen masks.

Masks stay run lengths throughout, so that 32 answers on a picture of 8 megapixels take milliseconds: areas rule most
pairs out, and a consensus is counted over the stretches between run ends, not over pixels.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from pycocotools import mask as coco

from whyseg.curation.asking import Cluster as Cluster
from whyseg.curation.asking import Settings as Settings
from whyseg.curation.asking import Vote as Vote
from whyseg.schemas import Mask, Record, union
from whyseg.schemas.errors import SizeMismatch
from whyseg.schemas.mask import runs_from_counts

_ROUNDING = 1e-9  # a pixel with exactly the share that is wanted must not fail for a rounding error
GRID: dict[str, tuple[Any, ...]] = {  # what StAR's own sweep goes through
    "no_object": (0.5, 0.6, 0.7),
    "iou": (0.75, 0.8, 0.85),
    "votes": (0.1, 0.15, 0.2, 0.25),
    "mode": ("best", "consensus"),
    "pixels": (0.5, 0.6, 0.7),
}


class Candidate(Record):
    """One object of an answer: its mask, the segmenter's score, and the answer's own label and box for it.

    ``box``: half-open (x0, y0, x1, y1) in pixels of the original picture.
    """

    mask: Mask
    score: float = 1.0
    label: str | None = None
    box: tuple[float, float, float, float] | None = None


class Answer(Record):
    """One sampled answer; ``parsed`` is False where it could not be read, and then its objects do not count."""

    parsed: bool = True
    objects: tuple[Candidate, ...] = ()


def vote(answers: Sequence[Answer], size: tuple[int, int], settings: Settings | None = None) -> Vote:
    """Return what answers about a picture of ``size`` (height, width) amount to.

    Raises ``SizeMismatch`` for a candidate of another size. To vote several times on the same answers use `Ballots`.
    """
    return Ballots(answers, size).vote(settings or Settings())


def settings_of(grid: dict[str, tuple[Any, ...]] | None = None) -> Iterator[Settings]:
    """Yield the settings of a grid, `GRID` by default; ``pixels`` varies with the consensus alone."""
    names = GRID if grid is None else grid
    seen = set()
    for values in _product(list(names.items())):
        if values.get("mode", "best") == "best":
            values.pop("pixels", None)
        settings = Settings.parse(values)
        if settings not in seen:
            seen.add(settings)
            yield settings


def _product(names: list[tuple[str, tuple[Any, ...]]]) -> Iterator[dict[str, Any]]:
    if not names:
        yield {}
        return
    (name, values), rest = names[0], names[1:]
    for value in values:
        for others in _product(rest):
            yield {name: value, **others}


class Ballots:
    """The answers to one question, prepared for any number of votes with different settings."""

    def __init__(self, answers: Sequence[Answer], size: tuple[int, int]) -> None:
        self.size = size
        valid = [(number, answer) for number, answer in enumerate(answers) if answer.parsed]
        for number, answer in valid:
            for place, one in enumerate(answer.objects):
                if one.mask.size != size:
                    raise SizeMismatch(f"object {place} of answer {number}", size, one.mask.size)
        self.valid = len(valid)
        counts = [len(answer.objects) for _, answer in valid]
        self.no_object_votes = counts.count(0)
        self.count = max(Counter(filter(None, counts)).items(), key=lambda item: item[1], default=(0, 0))[0]
        self._members = [(number, place) for number, answer in valid for place in range(len(answer.objects))]
        self._candidates = [one for _, answer in valid for one in answer.objects]
        self._clusters: dict[float, list[list[int]]] = {}
        self._consensus: dict[tuple[tuple[int, ...], float], Mask] = {}

    def vote(self, settings: Settings) -> Vote:
        """Return what the answers amount to under some settings."""
        facts: dict[str, Any] = {"valid": self.valid, "no_object_votes": self.no_object_votes, "count": self.count}
        if not self.valid:
            return Vote(outcome="failed", mask=None, agreement=0.0, clusters=(), **facts)
        clusters = self._ranked(settings)
        empty_share = self.no_object_votes / self.valid
        if empty_share >= settings.no_object:
            empty = Mask.empty(self.size)
            return Vote(outcome="no_object", mask=empty, agreement=empty_share, clusters=tuple(clusters), **facts)
        chosen = [one for one in clusters if one.ratio >= settings.votes] or clusters
        chosen = chosen[: self.count]
        return Vote(
            outcome="mask",
            mask=union([one.mask for one in chosen], self.size),
            agreement=sum(one.ratio for one in chosen) / len(chosen),
            clusters=tuple(
                one.model_copy(update={"chosen": any(one is other for other in chosen)}) for one in clusters
            ),
            **facts,
        )

    def _ranked(self, settings: Settings) -> list[Cluster]:
        clusters = [self._cluster(members, settings) for members in self._grouped(settings.iou)]
        return sorted(clusters, key=lambda one: (one.votes, one.score), reverse=True)

    def _grouped(self, threshold: float) -> list[list[int]]:
        """Return the candidates' numbers in clusters, in the order of their first members."""
        if threshold not in self._clusters:
            groups: list[list[int]] = []
            for number in range(len(self._candidates)):
                home = next((group for group in groups if self._alike(number, group[0], threshold)), None)
                if home is None:
                    groups.append([number])
                else:
                    home.append(number)
            self._clusters[threshold] = groups
        return self._clusters[threshold]

    def _alike(self, one: int, other: int, threshold: float) -> bool:
        first, second = self._candidates[one].mask, self._candidates[other].mask
        smaller, larger = sorted((first.area, second.area))
        if not larger or smaller < threshold * larger - 1:  # no IoU is above the areas' ratio; less 1 for rounding
            return threshold <= 0
        if first.counts == second.counts:
            return True
        return bool(coco.iou([first.coco()], [second.coco()], [0])[0][0] >= threshold)

    def _cluster(self, members: list[int], settings: Settings) -> Cluster:
        some = [self._candidates[number] for number in members]
        labels = Counter(one.label for one in some if one.label is not None)
        votes = len({self._members[number][0] for number in members})
        if settings.mode == "best":
            mask = max(some, key=lambda one: (one.score, one.mask.area)).mask
        else:
            key = (tuple(members), settings.pixels)
            if key not in self._consensus:
                self._consensus[key] = consensus(
                    [one.mask for one in some], [one.score for one in some], settings.pixels
                )
            mask = self._consensus[key]
        return Cluster(
            mask=mask,
            label=labels.most_common(1)[0][0] if labels else "",
            votes=votes,
            ratio=votes / self.valid,
            score=sum(one.score for one in some) / len(some),
            members=tuple(self._members[number] for number in members),
        )


def consensus(masks: Sequence[Mask], weights: Sequence[float], share: float) -> Mask:
    """Return the pixels that at least ``share`` of the weights vote for; weights that are all 0 or less count alike.

    ``masks``: at least one, all of one size.

    >>> half = consensus([Mask(size=(1, 3), counts="021"), Mask(size=(1, 3), counts="12")], [1, 1], 0.5)
    >>> half.decode().tolist()
    [[True, True, True]]
    """
    size = masks[0].size
    if len({mask.counts for mask in masks}) == 1:
        return masks[0]
    given = np.asarray(weights, np.float64)
    if (given <= 0).all():
        given = np.ones(len(masks))
    ends = [np.cumsum(runs_from_counts(mask.counts)) for mask in masks]
    starts = np.unique(np.concatenate([np.zeros(1, np.int64), *ends]))[:-1]  # of stretches that no mask changes within
    voted: npt.NDArray[np.float64] = np.zeros(len(starts))
    for weight, own in zip(given, ends, strict=True):
        voted += weight * (np.searchsorted(own, starts, side="right") & 1)  # odd: within a run of the object
    total = float(given.sum())
    inside = voted / total >= share - _ROUNDING if total > 0 else voted >= share * total
    return _from_stretches(starts, inside, size)


def _from_stretches(starts: npt.NDArray[np.int64], inside: npt.NDArray[np.bool_], size: tuple[int, int]) -> Mask:
    """Return the mask of stretches down the columns, by where each starts and whether it belongs to the object."""
    changes = np.flatnonzero(np.concatenate([[True], inside[1:] != inside[:-1]]))
    runs = np.diff(np.append(starts[changes], size[0] * size[1])).tolist()
    rle = coco.frPyObjects({"size": list(size), "counts": [0, *runs] if inside[0] else runs}, *size)
    return Mask(size=size, counts=rle["counts"].decode())
