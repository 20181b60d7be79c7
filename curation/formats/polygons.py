"""Masks as polygons for readers that paint outlines too, and patches: what a shape paints, cut to where it paints.

Such readers (OpenCV in LISA, Pillow in labelme) take a vertex for a pixel, not for a corner between pixels, and paint
the pixels of the line between two vertices besides the inside. So the rings here run through the centres of a mask's
boundary pixels. A ring has no holes: each is reached over a bridge, a line there and back over the mask's own pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import shapely
from pycocotools import mask as coco

from whyseg.curation.formats.geometry import pixels_of
from whyseg.schemas import Mask
from whyseg.schemas.mask import BoolArray

IntArray = npt.NDArray[np.int32]
FloatArray = npt.NDArray[np.float64]
FEWEST = 3  # vertices; readers refuse polygons with less


@dataclass(frozen=True, eq=False)
class Patch:
    """What a shape paints: bool (h, w), whose first pixel lies at (``left``, ``top``) of the image, all inside it."""

    left: int
    top: int
    pixels: BoolArray

    @property
    def area(self) -> int:
        """The number of pixels painted."""
        return int(np.count_nonzero(self.pixels))

    @property
    def window(self) -> tuple[slice, slice]:
        """Rows and columns of the image that the patch covers."""
        height, width = self.pixels.shape
        return slice(self.top, self.top + height), slice(self.left, self.left + width)

    def same(self, other: "Patch") -> bool:
        """Tell whether another patch lies at the same place and has the same pixels."""
        return (self.left, self.top) == (other.left, other.top) and np.array_equal(self.pixels, other.pixels)

    def mask(self, size: tuple[int, int]) -> Mask:
        """Return the patch as a mask of ``size`` (height, width), in time that follows the patch, not the image."""
        height, width = self.pixels.shape
        columns = np.zeros((width, height + 2), bool)
        columns[:, 1:-1] = self.pixels.T
        line = columns.ravel()
        column, row = np.divmod(np.flatnonzero(line[1:] != line[:-1]), height + 2)
        bounds = (self.left + column) * size[0] + self.top + row
        # A run that goes on at the top of the next column ends and starts at one place.
        goes_on = np.flatnonzero(bounds[1:] == bounds[:-1])
        bounds = np.delete(bounds, np.concatenate([goes_on, goes_on + 1]))
        pixels = size[0] * size[1]
        if not len(bounds) or bounds[-1] != pixels:
            bounds = np.append(bounds, pixels)
        runs = np.diff(bounds, prepend=0).tolist()
        rle = coco.frPyObjects({"counts": runs, "size": list(size)}, *size)
        return Mask(size=size, counts=rle["counts"].decode())


def merged(patches: Sequence[Patch]) -> Patch:
    """Return the patch of every pixel in any of them; raises ``ValueError`` for none."""
    if len(patches) == 1:
        return patches[0]
    left, top = min(patch.left for patch in patches), min(patch.top for patch in patches)
    right = max(patch.left + patch.pixels.shape[1] for patch in patches)
    bottom = max(patch.top + patch.pixels.shape[0] for patch in patches)
    pixels = np.zeros((bottom - top, right - left), bool)
    for patch in patches:
        rows, columns = patch.window
        pixels[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] |= patch.pixels
    return Patch(left, top, pixels)


def visible_box(points: npt.NDArray[Any], size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return the box (left, top, right, bottom) of integer points' pixels that lie in an image of (height, width).

    Half-open; empty, with right = left or bottom = top, where none does. On a side where the points leave the image it
    ends with the image: what is painted within the box, moved there, is clipped exactly as in the image.
    """
    low, high = points.min(axis=0), points.max(axis=0)
    left, top = (int(min(max(0, low[axis]), size[1 - axis])) for axis in (0, 1))
    right, bottom = (int(max(0, min(high[axis] + 1, size[1 - axis]))) for axis in (0, 1))
    return left, top, max(left, right), max(top, bottom)


def defects(polygons: Sequence[npt.NDArray[Any]], size: tuple[int, int]) -> tuple[list[int], list[int]]:
    """Return the indices of the polygons that leave an image of (height, width), and of those that meet themselves.

    Polygons: arrays (N, 2) of (x, y), finite, N ≥ 3. Two edges that cross, or touch elsewhere than where they follow
    each other, make a polygon meet itself; one that encloses nothing does not.
    """
    outside, crossing = [], []
    for i, polygon in enumerate(polygons):
        if polygon.min() < 0 or polygon[:, 0].max() > size[1] or polygon[:, 1].max() > size[0]:
            outside.append(i)
        ring = shapely.linearrings(polygon)
        if not shapely.is_valid(shapely.polygons(ring)) and shapely.area(shapely.envelope(ring)):
            crossing.append(i)
    return outside, crossing


def cut(mask: Mask) -> Patch:
    """Return a mask cut to its bounding box; an empty patch for an empty mask."""
    x0, y0, x1, y1 = mask.box_xyxy
    return Patch(x0, y0, np.ascontiguousarray(pixels_of(mask)[y0:y1, x0:x1]))


def trace_pixels(patch: Patch) -> list[IntArray]:
    """Return rings through the centres of a patch's boundary pixels, one for each part.

    int32 (N, 2) of (x, y) in the image, N ≥ 3. Pixels that touch at a side or a corner are one part. Filled by the
    even-odd rule and with their lines painted, the rings together give exactly the patch.
    """
    if not patch.pixels.any():
        return []
    pixels = patch.pixels.astype(np.uint8)
    contours, hierarchy = _contours(pixels, cv2.CHAIN_APPROX_SIMPLE)
    if (hierarchy[:, 3] >= 0).any():
        chains, hierarchy = _contours(pixels, cv2.CHAIN_APPROX_NONE)  # the same ones, with every pixel
        parents, rows = hierarchy[:, 3].tolist(), pixels.tobytes()
        holes: dict[int, list[IntArray]] = {}
        for chain, parent in zip(chains, parents, strict=True):
            if parent >= 0:
                holes.setdefault(parent, []).append(chain)
        contours = [
            _bridged(chains[i], holes[i], rows, pixels.shape[1]) if i in holes else contours[i]
            for i, parent in enumerate(parents)
            if parent < 0
        ]
    return [_at_least_three(contour) + np.array([patch.left, patch.top], np.int32) for contour in contours]


def _contours(pixels: npt.NDArray[np.uint8], method: int) -> tuple[list[IntArray], npt.NDArray[np.int32]]:
    """Return OpenCV's contours, (N, 2) each, and (next, previous, first hole, part) of each: -1 where there is none."""
    found, hierarchy = cv2.findContours(pixels, cv2.RETR_CCOMP, method)
    contours = [np.asarray(contour, np.int32).reshape(-1, 2) for contour in found]
    return contours, np.asarray(hierarchy, np.int32).reshape(-1, 4)


def _bridged(outer: IntArray, holes: list[IntArray], rows: bytes, width: int) -> IntArray:
    """Join the contours of a part's holes with its outer one: a closed chain of pixels.

    Each hole's bridge leads from the leftmost pixel of its contour to the left, over the part's pixels, to the first
    one that has none at its left. That one belongs to the outer contour or to a hole that begins farther left, so the
    bridges form a tree. ``rows``: the pixels as bytes, row by row.
    """
    holes = [np.roll(hole, -int(hole[:, 0].argmin()), axis=0) for hole in holes]
    holes.sort(key=lambda hole: (int(hole[0, 0]), int(hole[0, 1])))
    chain = np.concatenate([outer, *holes])
    keys = chain[:, 1].astype(np.int64) * width + chain[:, 0]
    order = np.argsort(keys, kind="stable")  # the same pixel: contours that are joined already come first
    starts = np.cumsum([len(outer), *map(len, holes)])
    landings = [_landing(rows, key, width) for key in keys[starts[:-1]].tolist()]
    ends = order[np.searchsorted(keys, landings, sorter=order)]
    # Only where a contour turns, or a bridge begins or ends, is a vertex needed.
    after = np.arange(1, len(chain) + 1)
    after[starts - 1] = [0, *starts[:-1]]
    step = chain[after] - chain
    needed = np.empty(len(chain), bool)
    needed[after] = (step[after] != step).any(axis=1)
    needed[[0, *starts[:-1], *ends]] = True
    place = np.cumsum(needed) - 1
    firsts, ends = [*place[starts[:-1]].tolist(), int(place[-1]) + 1], place[ends]
    chain = chain[needed]
    chain = np.concatenate([chain, chain[np.stack([firsts[:-1], ends], axis=1).ravel()]])  # for the ways back
    following = [*range(1, firsts[0]), 0]
    for first, stop in pairwise(firsts):
        following += [*range(first + 1, stop), first]
    for i, end in enumerate(ends.tolist()):
        here = firsts[-1] + 2 * i
        following += [here + 1, following[end]]
        following[firsts[i + 1] - 1], following[end] = here, firsts[i]
    path, at = [0], following[0]
    while at:
        path.append(at)
        at = following[at]
    return chain[path]


def _landing(rows: bytes, key: int, width: int) -> int:
    """Return the first pixel of the run, from the left, in which the pixel ``key`` (y · width + x) lies."""
    return rows.rfind(b"\0", key - key % width, key) + 1 or key - key % width


def _at_least_three(ring: IntArray) -> IntArray:
    return ring if len(ring) >= FEWEST else np.concatenate([ring, np.repeat(ring[-1:], FEWEST - len(ring), axis=0)])
