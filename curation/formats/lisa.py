"""How LISA paints the polygons of its ReasonSeg files: its own rule, pixel by pixel.

LISA (``utils/data_processing.py``) cuts the coordinates to whole numbers, draws each polygon's closed line one pixel
wide, fills it by the even-odd rule, and paints the polygons from the largest to the smallest, each over what is there:
255 where the label says ignore, 1 for every other one. "flag" is not painted.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from whyseg.curation.formats.polygons import FloatArray, IntArray, Patch, merged, visible_box

SKIPPED = "flag"
_TARGET, _IGNORE = 1, 255


def skips(label: str) -> bool:
    """Tell whether LISA passes over shapes of this label."""
    return label.lower() == SKIPPED


def ignores(label: str) -> bool:
    """Tell whether shapes of this label mark pixels that do not count."""
    return "ignore" in label.lower()


def paint(points: FloatArray | IntArray, size: tuple[int, int]) -> Patch:
    """Return what a polygon, (N, 2) of (x, y) with N ≥ 1 and coordinates below 2³¹, paints in an image of ``size``."""
    corners = points.astype(np.int32)
    left, top, right, bottom = visible_box(corners, size)
    canvas = np.zeros((bottom - top, right - left), np.uint8)
    if canvas.size:
        moved = corners - np.array([left, top], np.int32)
        cv2.polylines(canvas, [moved], True, 1, 1)
        cv2.fillPoly(canvas, [moved], 1)
    return Patch(left, top, canvas.astype(bool))


def overlay(patches: Sequence[Patch], ignored: Sequence[bool], size: tuple[int, int]) -> tuple[list[Patch], Patch]:
    """Paint patches over each other; return what of each target one is target in the end, and all that is ignored.

    ``ignored`` tells the ignored patches from the targets. Those of equal area, whose order LISA leaves to its sort,
    are painted last one first.
    """
    nothing = Patch(0, 0, np.zeros((0, 0), bool))
    targets = [patch for patch, ignore in zip(patches, ignored, strict=True) if not ignore]
    if len(targets) == len(patches):
        return targets, nothing
    canvas = np.zeros(size, np.uint8)
    areas = [patch.area for patch in patches]
    for i in np.argsort(areas, kind="stable")[::-1].tolist():
        canvas[patches[i].window][patches[i].pixels] = _IGNORE if ignored[i] else _TARGET
    kept = [Patch(one.left, one.top, one.pixels & (canvas[one.window] == _TARGET)) for one in targets]
    region = merged([patch for patch, ignore in zip(patches, ignored, strict=True) if ignore])
    return kept, Patch(region.left, region.top, canvas[region.window] == _IGNORE)
