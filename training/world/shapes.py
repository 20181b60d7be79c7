"""What stands in a scene: eleven kinds of things as outlines of unit size, their named parts, colours and patterns."""

from collections.abc import Mapping

import cv2
import numpy as np
import numpy.typing as npt

from whyseg.schemas.mask import BoolArray

Outline = npt.NDArray[np.float64]  # (N, 2), x and y in [-1, 1]
Region = tuple[tuple[Outline, ...], tuple[Outline, ...]]  # what is filled, and what is cut out of it

COLOURS: Mapping[str, tuple[int, int, int]] = {
    "red": (215, 30, 35),
    "green": (25, 140, 45),
    "blue": (25, 45, 190),
    "yellow": (245, 220, 30),
    "orange": (240, 125, 15),
    "black": (25, 25, 28),
}
PATTERNS = ("plain", "striped", "dotted")


def _disc(x: float, y: float, width: float, height: float, start: float = 0, end: float = 2) -> Outline:
    """Return an ellipse, or the sector between two angles in units of pi, clockwise from the right."""
    angles = np.linspace(start * np.pi, end * np.pi, 40, endpoint=end - start != 2)
    return np.stack([x + width * np.cos(angles), y + height * np.sin(angles)], 1)


def _block(left: float, top: float, right: float, bottom: float) -> Outline:
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]])


def _corners(*points: tuple[float, float]) -> Outline:
    return np.array(points, float)


def _star() -> Outline:
    angles = -np.pi / 2 + np.arange(10) * np.pi / 5
    radii = np.where(np.arange(10) % 2 == 0, 1.0, 0.45)
    return np.stack([radii * np.cos(angles), radii * np.sin(angles)], 1)


def _filled(*outlines: Outline) -> Region:
    return outlines, ()


_CUP = _corners((-0.95, -0.75), (0.45, -0.75), (0.3, 0.85), (-0.8, 0.85))
# By kind: regions by name; "" is what has no name of its own. Regions of a kind do not share pixels: the first counts.
KINDS: Mapping[str, Mapping[str, Region]] = {
    "circle": {"": _filled(_disc(0, 0, 0.95, 0.95))},
    "square": {"": _filled(_block(-0.85, -0.85, 0.85, 0.85))},
    "triangle": {"": _filled(_corners((0, -0.95), (1, 0.85), (-1, 0.85)))},
    "star": {"": _filled(_star())},
    "cross": {"": _filled(_block(-0.32, -0.95, 0.32, 0.95), _block(-0.95, -0.32, 0.95, 0.32))},
    "cup": {
        "": _filled(_CUP),
        "handle": ((_disc(0.42, -0.05, 0.55, 0.55),), (_disc(0.42, -0.05, 0.27, 0.27),)),
    },
    "key": {
        "": _filled(_block(-0.1, -0.17, 1, 0.17), _block(0.45, 0.17, 0.65, 0.55), _block(0.8, 0.17, 1, 0.55)),
        "bow": ((_disc(-0.5, 0, 0.5, 0.5),), (_disc(-0.5, 0, 0.2, 0.2),)),
    },
    "hammer": {
        "head": _filled(_block(-0.85, -0.95, 0.85, -0.35)),
        "handle": _filled(_block(-0.2, -0.35, 0.2, 1)),
    },
    "umbrella": {
        "canopy": _filled(_disc(0, 0, 1, 0.9, 1, 2)),
        "handle": ((_block(-0.13, 0, 0.13, 0.7), _disc(0.22, 0.62, 0.35, 0.35, 0, 1)), (_disc(0.22, 0.6, 0.09, 0.14),)),
    },
    "lamp": {
        "shade": _filled(_corners((-0.45, -0.95), (0.45, -0.95), (0.9, -0.05), (-0.9, -0.05))),
        "": _filled(_block(-0.14, -0.05, 0.14, 0.75), _disc(0, 0.95, 0.6, 0.35, 1, 2)),
    },
    "chair": {
        "back": _filled(_block(-0.75, -1, -0.4, 0.05)),
        "": _filled(
            _block(-0.75, 0.05, 0.75, 0.35), _block(-0.75, 0.35, -0.5, 1), _block(0.5, 0.35, 0.75, 1)
        ),
    },
}  # fmt: skip
SHAPES = ("circle", "square", "triangle", "star", "cross")
TOOLS = ("cup", "key", "hammer", "umbrella", "lamp", "chair")


def draw_regions(kind: str, centre: tuple[float, float], half: float, side: int) -> dict[str, BoolArray]:
    """Return a kind's regions, bool (side, side) each, ``half`` pixels from the centre (x, y) to where it ends."""
    taken = np.zeros((side, side), np.uint8)
    regions = {}
    for name, (filled, cut) in KINDS[kind].items():
        canvas = np.zeros((side, side), np.uint8)
        for outlines, value in ((filled, 1), (cut, 0)):
            for outline in outlines:
                cv2.fillPoly(canvas, [np.round((outline * half + centre) * 16).astype(np.int32)], value, shift=4)
        canvas[taken > 0] = 0
        taken |= canvas
        regions[name] = canvas.astype(bool)
    return regions


def paint(
    image: npt.NDArray[np.float64], regions: Mapping[str, BoolArray], colour: npt.NDArray[np.float64], pattern: str
) -> None:
    """Paint a thing's regions into an image, float (H, W, 3): its colour, its pattern in white, its parts paler."""
    height, width = image.shape[:2]
    step = max(6, round(width / 19))
    across, down = np.arange(width), np.arange(height)[:, None]
    if pattern == "striped":
        inked = (across + down) % step < step / 2.6
    elif pattern == "dotted":
        inked = ((across % step - step / 2) ** 2 + (down % step - step / 2) ** 2) < (step / 3.4) ** 2
    else:
        inked = np.zeros((height, width), bool)
    for number, region in enumerate(regions.values()):
        image[region] = colour if number == 0 else 0.68 * colour + 0.32 * 255
        image[region & inked] = 0.25 * colour + 0.75 * 255
