"""How labelme turns its shapes into pixels: Pillow's drawing, with the sizes and corners that labelme gives it.

Seen in labelme 7: a polygon or an oriented rectangle is filled with its outline, a rectangle spans two corners, a
circle its centre and a point of its rim, a line is 10 pixels wide (with round joints where it has several parts), a
point is a disc of radius 5, and a mask carries its own pixels. Pillow cuts coordinates to whole numbers.
"""

import math

import numpy as np
from PIL import Image as PilImage
from PIL import ImageDraw

from whyseg.curation.formats.polygons import FloatArray, Patch, visible_box
from whyseg.schemas.errors import InvalidRecord
from whyseg.schemas.mask import BoolArray

POINTS = {  # how many points a shape of each type has; None: or more
    "polygon": (3, None),
    "rectangle": (2, 2),
    "oriented_rectangle": (4, 4),
    "circle": (2, 2),
    "line": (2, 2),
    "linestrip": (2, None),
    "point": (1, 1),
    "mask": (2, 2),
}
LARGEST_RADIUS = 2**17  # in pixels, longer than any picture; at eight times as much Pillow draws for a minute
_LINE_WIDTH = 10
_POINT_RADIUS = 5
_FARTHEST_PAINT = 12  # pixels beyond its points that a line or a point paints


def paint(kind: str, points: FloatArray, size: tuple[int, int], bitmap: BoolArray | None = None) -> Patch:
    """Return what a shape of a type in ``POINTS`` paints in an image of ``size`` (height, width).

    ``points``: (N, 2) of (x, y), as many as the type has. ``bitmap``: bool (h, w), a mask's own pixels. Raises
    ``InvalidRecord`` for a mask without them or with fewer than its corners span, and for a circle beyond all pictures.
    """
    if kind == "mask":
        return _placed(points, bitmap, size)
    if kind == "rectangle":
        points = np.stack([points.min(axis=0), points.max(axis=0)])
    elif kind in ("circle", "point"):
        radius = math.dist(points[0], points[1]) if kind == "circle" else _POINT_RADIUS
        if radius > LARGEST_RADIUS:
            raise InvalidRecord(f"a circle's radius is at most {LARGEST_RADIUS} pixels, got {radius:.0f}")
        points = np.stack([points[0] - radius, points[0] + radius])
    left, top, right, bottom = visible_box(reach(kind, points).astype(np.int64), size)
    # Where a polygon's edges cross a row Pillow rounds in single precision: farther left it may round otherwise.
    first = 0 if kind in ("polygon", "oriented_rectangle") else left
    picture = PilImage.new("L", (right - first, bottom - top))
    if right > left and bottom > top:
        _draw(ImageDraw.Draw(picture), kind, [tuple(point) for point in (points - [first, top]).tolist()])
    return Patch(left, top, np.asarray(picture, np.uint8)[:, left - first :].astype(bool))


def reach(kind: str, points: FloatArray) -> FloatArray:
    """Return points, float64 (N, 2), in whose box lies all that has to be drawn for a shape.

    Of a polygon these are its own. The box of a line begins at the image's corner: its own corners are rounded
    fractions, which may fall otherwise elsewhere.
    """
    if kind in ("polygon", "oriented_rectangle", "mask"):
        return points
    low, high = points.min(axis=0), points.max(axis=0)
    if kind == "circle" and len(points) == 2:
        radius = math.dist(points[0], points[1])
        low, high = np.minimum(low, points[0] - radius), np.maximum(high, points[0] + radius)
    if kind in ("line", "linestrip"):
        low = np.minimum(low, 0)
    return np.stack([low - _FARTHEST_PAINT, high + _FARTHEST_PAINT])


def _draw(draw: ImageDraw.ImageDraw, kind: str, points: list[tuple[float, float]]) -> None:
    if kind in ("circle", "point"):
        draw.ellipse(points, outline=1, fill=1)
    elif kind == "rectangle":
        draw.rectangle(points, outline=1, fill=1)
    elif kind == "line":
        draw.line(points, fill=1, width=_LINE_WIDTH)
    elif kind == "linestrip":
        draw.line(points, fill=1, width=_LINE_WIDTH, joint="curve")
    else:
        draw.polygon(points, outline=1, fill=1)


def _placed(corners: FloatArray, bitmap: BoolArray | None, size: tuple[int, int]) -> Patch:
    """Return a mask's pixels at its first corner, both corners included, without what lies outside the image."""
    if bitmap is None:
        raise InvalidRecord("a mask without its pixels")
    (left, top), (right, bottom) = corners.round().astype(np.int64).tolist()
    if (corners == np.trunc(corners)).all():  # fractional corners only place it
        if bitmap.shape[0] < bottom - top + 1 or bitmap.shape[1] < right - left + 1:
            got = f"{bitmap.shape[0]}×{bitmap.shape[1]}"
            raise InvalidRecord(
                f"a mask's pixels are {got} (height×width), its corners span {bottom - top + 1}×{right - left + 1}"
            )
        bitmap = bitmap[: max(0, bottom - top + 1), : max(0, right - left + 1)]
    bitmap = bitmap[max(0, -top) : max(0, size[0] - top), max(0, -left) : max(0, size[1] - left)]
    return Patch(min(max(0, left), size[1]), min(max(0, top), size[0]), bitmap)
