"""Near-duplicates: pictures that show the same, and questions that ask the same.

A picture's fingerprint is taken from its upright pixels, reduced to 32×32: two hashes of the grey picture, 64 bits each
(the signs of its lowest DCT frequencies about their median; whether each of 8×8 places is darker than its right
neighbour), and the colours of 8×8 places. Two pictures are near-duplicates when at most `MAX_BITS` of the 128 bits
differ, and the colours correlate by `MIN_COLOUR` or their grey values by `MIN_GREY` (a copy without colour). The hashes
are fast and find candidates; on pictures of little content, such as drawn shapes, they collide, and the colours decide.

``python -m benchmarks.similarity`` measures what this finds and what it takes for the same; its table is in
``docs/log.md``.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from whyseg.curation.images import RgbArray
from whyseg.schemas.errors import UsageError

MAX_BITS = 20
MIN_COLOUR = 0.8
MIN_GREY = 0.95
FLAT = 2.0  # grey levels: below this deviation a JPEG's noise decides about the hashes
READ_SIDE = 64  # pixels of the longest side that a fingerprint needs
_SIDE, _PLACES = 32, 8
FINGERPRINT = np.dtype([("dct", "<u8"), ("gradient", "<u8"), ("colours", "u1", (_PLACES, _PLACES, 3)), ("flat", "?")])
Fingerprints = npt.NDArray[Any]  # (N,) of FINGERPRINT

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_ROWS, _COLUMNS = 256, 4096  # pairs that are compared at once: their XOR is 8 MB
_CHECKED = 20_000  # candidates whose colours are compared at once

MIN_TEXT = 0.9  # normalised similarity from which two questions are near-duplicates
_TEXTS = 512


def fingerprint(pixels: RgbArray) -> Fingerprints:
    """Return the fingerprint of upright pixels, uint8 (H, W, 3) RGB: an array of shape () and dtype `FINGERPRINT`."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    grey = cv2.resize(grey, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    waves = cv2.dct(grey)[:8, :8].ravel()
    waves[0] = -np.inf  # the mean brightness says nothing
    steps = cv2.resize(grey, (_PLACES + 1, _PLACES), interpolation=cv2.INTER_AREA)
    made = np.zeros((), FINGERPRINT)
    made["dct"] = _bits(waves > np.median(waves[1:]))
    made["gradient"] = _bits((steps[:, 1:] > steps[:, :-1]).ravel())
    made["colours"] = cv2.resize(pixels, (_PLACES, _PLACES), interpolation=cv2.INTER_AREA)
    made["flat"] = grey.std() < FLAT
    return made


def links(prints: Fingerprints) -> list[tuple[int, int]]:
    """Return pairs (i, j), i < j, of near-duplicates that connect every group of them, one less than it has members.

    A group is whatever pairs of near-duplicates join, directly or over others. A flat picture is like no other.
    """
    kept = np.flatnonzero(~prints["flat"])
    found = _Links(prints[kept])
    for top in range(0, len(kept), _ROWS):
        for left in range(top, len(kept), _COLUMNS):
            found.compare(top, left)
    return [(int(kept[i]), int(kept[j])) for i, j in found.pairs]


def groups(keys: Sequence[str], pairs: Sequence[tuple[int, int]]) -> list[list[str]]:
    """Return the keys in groups as the pairs of their places join them; whatever no pair names stands alone."""
    joined = _Joined(len(keys))
    for i, j in pairs:
        joined.join(i, j)
    found: defaultdict[int, list[str]] = defaultdict(list)
    for key, label in zip(keys, joined.labels.tolist(), strict=True):
        found[label].append(key)
    return list(found.values())


class NearText(NamedTuple):
    """Two texts by their places, the first before the second, and their normalised similarity in [0, 1]."""

    first: int
    second: int
    similarity: float


def near_queries(texts: Sequence[str], minimum: float = MIN_TEXT) -> list[NearText]:
    """Return the pairs of texts that are nearly the same, whatever their case and white space.

    Similarity: 1 - d / (length of both), d the fewest insertions and deletions that turn one into the other. Texts that
    are equal are paired with the first of them alone, and only that is compared with others. Raises ``UsageError``
    without the extra ``similarity``.
    """
    try:
        from rapidfuzz.distance import Indel
        from rapidfuzz.process import cdist
    except ImportError as error:
        raise UsageError("near-duplicate questions need rapidfuzz: pip install 'whyseg[similarity]'") from error
    first: dict[str, int] = {}
    found = []
    for place, text in enumerate(texts):
        same = first.setdefault(" ".join(text.casefold().split()), place)
        if same != place:
            found.append(NearText(same, place, 1.0))
    plain = sorted(first, key=len)
    lengths = np.array([len(text) for text in plain])
    cutoff = minimum - 1e-6  # rounding must not lose those that are exactly as similar
    for top in range(0, len(plain), _TEXTS):
        rows = plain[top : top + _TEXTS]
        # 2·shorter / (shorter + longer) is the most that two lengths allow, so a longer text is too long from here on
        end = int(np.searchsorted(lengths, len(rows[-1]) * (2 / minimum - 1), side="right"))
        scores = cdist(
            rows, plain[top:end], scorer=Indel.normalized_similarity, score_cutoff=cutoff, dtype=np.float32, workers=-1
        )
        for i, j in zip(*np.nonzero(np.triu(scores, 1)), strict=True):
            low, high = sorted((first[rows[i]], first[plain[top + j]]))
            found.append(NearText(low, high, float(scores[i, j])))
    return sorted(found)


def _bits(flags: npt.NDArray[np.bool_]) -> np.uint64:
    return np.packbits(flags).view("<u8")[0]  # type: ignore[no-any-return]


class _Joined:
    """Which of N things belong together; ``labels`` (N,) always has one value a group."""

    def __init__(self, count: int) -> None:
        self.labels = np.arange(count)
        self._members: dict[int, list[int]] = {}

    def join(self, i: int, j: int) -> bool:
        """Join the groups of two things; False when they are one already."""
        a, b = int(self.labels[i]), int(self.labels[j])
        if a == b:
            return False
        first, second = self._members.pop(a, [i]), self._members.pop(b, [j])
        if len(first) < len(second):
            a, first, second = b, second, first
        self.labels[second] = a
        first.extend(second)
        self._members[a] = first
        return True


class _Links:
    """Compares fingerprints tile by tile; pairs within a group that is known already cost next to nothing."""

    def __init__(self, prints: Fingerprints) -> None:
        self.dct, self.gradient = prints["dct"].copy(), prints["gradient"].copy()
        self.colours = prints["colours"].reshape(-1, _PLACES**2, 3)
        self.joined = _Joined(len(prints))
        self.pairs: list[tuple[int, int]] = []

    def compare(self, top: int, left: int) -> None:
        """Compare a tile's rows with its columns."""
        rows, columns = self.dct[top : top + _ROWS, None], self.dct[None, left : left + _COLUMNS]
        near = np.flatnonzero(np.bitwise_count(rows ^ columns) <= MAX_BITS)
        i, j = near // columns.shape[1] + top, near % columns.shape[1] + left
        i, j = i[i < j], j[i < j]
        bits = np.bitwise_count(self.dct[i] ^ self.dct[j]) + np.bitwise_count(self.gradient[i] ^ self.gradient[j])
        i, j = i[bits <= MAX_BITS], j[bits <= MAX_BITS]
        while len(i):
            apart = self.joined.labels[i] != self.joined.labels[j]
            i, j = i[apart], j[apart]
            self._check(i[:_CHECKED], j[:_CHECKED])
            i, j = i[_CHECKED:], j[_CHECKED:]

    def _check(self, i: npt.NDArray[np.int64], j: npt.NDArray[np.int64]) -> None:
        first, second = self.colours[i].astype(np.float32), self.colours[j].astype(np.float32)
        alike = _correlation(first, second) >= MIN_COLOUR
        alike |= _correlation(first @ _LUMA, second @ _LUMA) >= MIN_GREY
        for a, b in zip(i[alike].tolist(), j[alike].tolist(), strict=True):
            if self.joined.join(a, b):
                self.pairs.append((a, b))


def _correlation(first: npt.NDArray[np.float32], second: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return Pearson's correlation of the rows of two arrays of one shape (N, …); 0 for a row without variation."""
    a, b = (x.reshape(len(x), x[0].size if len(x) else 1) for x in (first, second))
    a, b = a - a.mean(1, keepdims=True), b - b.mean(1, keepdims=True)
    scale = np.sqrt((a * a).sum(1) * (b * b).sum(1))
    return np.divide((a * b).sum(1), scale, out=np.zeros(len(a), np.float32), where=scale > 0)  # type: ignore[no-any-return]
