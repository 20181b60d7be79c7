"""A mask: COCO compressed run lengths and a size, the only canonical form of pixels that whyseg keeps.

Run lengths go down the columns and alternate background, object, background, …; COCO writes them as ASCII, five bits a
character, each run but the first three as the difference to the run two before it. A mask has exactly one such text:
the first run may be 0, no other is, so equal pixels have equal records and equal hashes.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Annotated, Any, Self

import numpy as np
import numpy.typing as npt
from pycocotools import mask as coco
from pydantic import Field, ValidationInfo, field_validator

from whyseg.schemas.errors import InvalidRle, SizeMismatch
from whyseg.schemas.record import Record

BoolArray = npt.NDArray[np.bool_]
Side = Annotated[int, Field(ge=1, le=65_535)]
MAX_PIXELS = 2**28  # 268 megapixels: no picture that whyseg takes in is larger, and decoding stays below 300 MB


def runs_from_counts(counts: str) -> npt.NDArray[np.int64]:
    """Decode COCO's text into run lengths.

    Returns int64 (R,): background, object, background, … down the columns. Raises ``InvalidRle`` for characters outside
    COCO's alphabet and for a text that ends inside a number.
    """
    if not counts:
        raise InvalidRle("run lengths are empty")
    codes = np.frombuffer(counts.encode("ascii", "replace"), np.uint8).astype(np.int64) - 48
    if codes.min() < 0 or codes.max() > 63 or not counts.isascii():
        raise InvalidRle(f"run lengths hold a character outside COCO's alphabet '0'–'o': {counts[:40]!r}")
    last = (codes & 32) == 0  # a number ends where the continuation bit is clear
    if not last[-1]:
        raise InvalidRle("run lengths end inside a number")
    ends = np.flatnonzero(last)
    starts = np.concatenate([[0], ends[:-1] + 1])
    if (ends - starts).max() > 6:
        raise InvalidRle("run lengths hold a number of more than 35 bits")
    place = np.arange(len(codes)) - np.repeat(starts, ends - starts + 1)
    values = np.add.reduceat((codes & 31) << (5 * place), starts)
    negative = (codes[ends] & 16) != 0
    values[negative] -= np.int64(1) << (5 * (ends - starts + 1)[negative])
    runs = values.copy()  # from the fourth on, a run is written as the difference to the one two before it
    runs[2::2] = np.cumsum(values[2::2])
    runs[1::2] = np.cumsum(values[1::2])
    return runs


def counts_from_runs(runs: Sequence[int] | npt.NDArray[np.int64]) -> str:
    """Encode run lengths (background first) as COCO's text."""
    text = []
    for i, run in enumerate(runs):
        x = int(run) - (int(runs[i - 2]) if i > 2 else 0)
        more = True
        while more:
            low = x & 31
            x >>= 5
            more = x != -1 if low & 16 else x != 0
            text.append(chr((low | 32 if more else low) + 48))
    return "".join(text)


def canonical_counts(counts: str, size: tuple[int, int]) -> str:
    """Return the one text for these pixels: no run of length 0 but the first.

    Raises ``InvalidRle`` when a run is negative or the runs do not add up to height × width.
    """
    runs = runs_from_counts(counts)
    if runs.min() < 0:
        raise InvalidRle(f"run lengths hold a negative run: {counts[:40]!r}")
    if runs.sum() != size[0] * size[1]:
        raise InvalidRle(f"run lengths cover {runs.sum()} pixels, the size {size[0]}×{size[1]} has {size[0] * size[1]}")
    if (runs[1:] > 0).all():
        # A number may also be written longer than needed; such texts are written anew, for pycocotools reads some
        # of them differently.
        return counts if _shortest(counts) else counts_from_runs(runs)
    values = np.arange(len(runs)) % 2
    kept = runs > 0
    lengths, values = runs[kept], values[kept]
    first = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]]))
    merged = np.add.reduceat(lengths, first)
    return counts_from_runs(np.concatenate([[0], merged]) if values[0] else merged)


def _shortest(counts: str) -> bool:
    """Say whether every number of a valid text is written with as few characters as it needs."""
    codes = np.frombuffer(counts.encode(), np.uint8).astype(np.int64) - 48
    ends = np.flatnonzero((codes & 32) == 0)
    longer = ends[np.diff(ends, prepend=-1) > 1]  # the last character of each number of several
    last, negative = codes[longer] & 31, (codes[longer - 1] & 16) != 0
    return not (((last == 0) & ~negative) | ((last == 31) & negative)).any()


class Mask(Record):
    """Pixels of an upright image: ``size`` (height, width) and COCO's compressed ``counts``.

    Any COCO text of these pixels is accepted; the record holds the canonical one.

    >>> Mask.encode(np.array([[0, 1], [0, 1]], bool))
    Mask(size=(2, 2), counts='22')
    """

    size: tuple[Side, Side]
    counts: str

    @field_validator("size")
    @classmethod
    def _decodable(cls, size: tuple[int, int]) -> tuple[int, int]:
        if size[0] * size[1] > MAX_PIXELS:
            raise InvalidRle(f"size {size[0]}×{size[1]} is over {MAX_PIXELS} pixels")
        return size

    @field_validator("counts")
    @classmethod
    def _canonical(cls, counts: str, info: ValidationInfo) -> str:
        return canonical_counts(counts, info.data["size"]) if "size" in info.data else counts

    @classmethod
    def encode(cls, array: npt.NDArray[Any]) -> Self:
        """Build a mask from an array (H, W); whatever is not zero belongs to the object."""
        if array.ndim != 2:
            raise InvalidRle(f"a mask is an array of shape (height, width), got {array.shape}")
        rle = coco.encode(np.asfortranarray(array != 0, dtype=np.uint8))
        return cls(size=array.shape, counts=rle["counts"].decode())

    @classmethod
    def of_coco(cls, rle: dict[str, Any]) -> Self:
        """Build a mask from what pycocotools itself has just made: ``size`` [height, width] and ``counts``, bytes.

        Made of sound outlines or masks, for an image that has a record, they are canonical already and not read again,
        which takes ten times as long as making them. Run lengths from anywhere else go through the constructor.
        """
        height, width = rle["size"]
        return cls.model_construct(size=(height, width), counts=rle["counts"].decode())

    @classmethod
    def empty(cls, size: tuple[int, int]) -> Self:
        """Build the mask of no pixel."""
        return cls(size=size, counts=counts_from_runs([size[0] * size[1]]))

    def decode(self) -> BoolArray:
        """Return bool (H, W)."""
        return coco.decode(self.coco()).astype(bool)  # type: ignore[no-any-return]

    def coco(self) -> dict[str, Any]:
        """Return pycocotools' form: ``size`` as a list, ``counts`` as bytes."""
        return {"size": list(self.size), "counts": self.counts.encode()}

    @cached_property
    def area(self) -> int:
        """The number of pixels."""
        return int(coco.area(self.coco()))

    @property
    def box_xyxy(self) -> tuple[int, int, int, int]:
        """The half-open bounding box (x0, y0, x1, y1) in pixels; (0, 0, 0, 0) when empty."""
        x, y, w, h = (int(v) for v in coco.toBbox(self.coco()))
        return (x, y, x + w, y + h) if self.area else (0, 0, 0, 0)

    def iou(self, other: "Mask") -> float:
        """Return intersection over union in [0, 1]; two empty masks have 1.

        Raises ``SizeMismatch`` when the sizes differ.
        """
        if other.size != self.size:
            raise SizeMismatch("mask", self.size, other.size)
        if not self.area and not other.area:
            return 1.0
        return float(coco.iou([self.coco()], [other.coco()], [0])[0][0])


def union(masks: Sequence[Mask], size: tuple[int, int]) -> Mask:
    """Return the mask of every pixel in any of the masks.

    Raises ``SizeMismatch`` when one has another size.
    """
    for mask in masks:
        if mask.size != size:
            raise SizeMismatch("mask", size, mask.size)
    if not masks:
        return Mask.empty(size)
    return Mask.of_coco(coco.merge([mask.coco() for mask in masks]))
