"""Coordinate frames: in which numbers a policy says where something is.

The frame is a declared property of a policy, never guessed from the values: Qwen2.5-VL answers in pixels of the picture
that it was given (``canvas_840`` where that was squashed to 840 × 840), Qwen3-VL on a grid from 0 to 1000.
"""

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from whyseg.schemas.errors import UsageError

FloatArray = npt.NDArray[np.float64]
_NAME = re.compile(r"pixels|grid_1000|canvas_([1-9][0-9]{0,4})", re.ASCII)


@dataclass(frozen=True)
class Frame:
    """A frame: ``pixels`` (of the original image), ``canvas_N`` (squashed to N × N), ``grid_1000`` (0–1000 a side).

    x runs to the right, y down, from the top-left corner. Frames are scaled into each other and nothing is rounded:
    x in the frame = x in pixels × the frame's width / the image's width. Raises ``UsageError`` for any other name.

    >>> Frame("canvas_840").from_pixels((100, 50), size=(100, 200)).tolist()
    [420.0, 420.0]
    """

    name: str

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise UsageError(f"a frame is pixels, grid_1000 or canvas_N with N up to 99999, got {self.name[:60]!r}")

    @classmethod
    def parse(cls, text: str) -> "Frame":
        """Return the frame of a name; raise ``UsageError`` for a name that is none."""
        return cls(text.strip())

    def extent(self, size: tuple[int, int]) -> tuple[float, float]:
        """Return (width, height): how far coordinates reach for an image of ``size`` (height, width) in pixels."""
        if self.name == "pixels":
            return float(size[1]), float(size[0])
        side = float(self.name.rpartition("_")[2])
        return side, side

    def to_pixels(self, xy: npt.ArrayLike, size: tuple[int, int]) -> FloatArray:
        """Bring points (…, 2) or boxes (…, 4) of this frame into pixels of an image of ``size`` (height, width).

        Returns float64 of the same shape, in the order x, y or x1, y1, x2, y2.
        """
        width, height = self.extent(size)
        return _scaled(xy, size[1] / width, size[0] / height)

    def from_pixels(self, xy: npt.ArrayLike, size: tuple[int, int]) -> FloatArray:
        """Bring points (…, 2) or boxes (…, 4) in pixels of an image of ``size`` (height, width) into this frame."""
        width, height = self.extent(size)
        return _scaled(xy, width / size[1], height / size[0])


def _scaled(xy: npt.ArrayLike, x: float, y: float) -> FloatArray:
    values = np.asarray(xy, np.float64)
    return np.asarray(values * np.tile((x, y), values.shape[-1] // 2))
