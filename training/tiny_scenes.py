"""Coloured shapes with their masks: what the packaged test model (`tiny_sam2`) learns from and is measured on."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from whyseg.curation.segmenters.base import BoolArray, RgbArray

SIDE = 128
MIN_AREA = 250  # pixels: what is smaller has fewer than sixteen cells of the model's 32 × 32 grid of logits
_CONTRAST = 80.0  # distance in RGB between a shape's colour and what it lies on


@dataclass(frozen=True, eq=False)
class Scene:
    """A picture, uint8 (128, 128, 3) RGB, and its nameable regions, bool (T, 128, 128): objects and their parts."""

    image: RgbArray
    targets: BoolArray


def draw_scene(rng: np.random.Generator, *, plain: bool = False) -> Scene:
    """Draw two or three shapes over a dull, sometimes shaded ground; many have a part of another colour.

    A click on a part may mean the part or the whole. ``plain``: always three shapes on white, none with a part.
    """
    image = np.full((SIDE, SIDE, 3), 235.0) if plain else _ground(rng)
    wholes: list[BoolArray] = []
    parts: list[BoolArray] = []
    for _ in range(3 if plain else int(rng.integers(2, 4))):
        half = rng.uniform(11, 24, 2) if plain else rng.uniform(11, 28, 2)
        centre = rng.uniform(half, SIDE - half)
        whole = _shape(rng, centre, half)
        _paint(rng, image, whole)
        wholes, parts = [mask & ~whole for mask in wholes], [mask & ~whole for mask in parts]
        wholes.append(whole)
        if not plain and rng.random() < 0.6 and half.min() > 14:
            part = _shape(rng, centre + rng.uniform(-0.3, 0.3, 2) * half, half * rng.uniform(0.45, 0.65)) & whole
            _paint(rng, image, part)
            parts.append(part)
    image += rng.normal(0, rng.uniform(0, 6), image.shape)
    targets = [mask for mask in wholes + parts if mask.sum() >= MIN_AREA]
    if not targets:
        return draw_scene(rng, plain=plain)
    return Scene(np.clip(image, 0, 255).astype(np.uint8), np.stack(targets))


def pick(rng: np.random.Generator, region: BoolArray) -> tuple[float, float]:
    """Return a pixel (x, y) of a region that is not empty: as often its deepest as any."""
    if rng.random() < 0.5:
        depth = cv2.distanceTransform(np.pad(region, 1).astype(np.uint8), cv2.DIST_L2, 3)[1:-1, 1:-1]
        y, x = np.unravel_index(int(depth.argmax()), depth.shape)
    else:
        ys, xs = np.nonzero(region)
        i = int(rng.integers(len(ys)))
        y, x = ys[i], xs[i]
    return float(x), float(y)


def _ground(rng: np.random.Generator) -> npt.NDArray[np.float64]:
    ground: npt.NDArray[np.float64] = np.tile(rng.uniform(40, 245) + rng.uniform(-25, 25, 3), (SIDE, SIDE, 1))
    if rng.random() < 0.5:
        return ground
    across, down = np.meshgrid(np.linspace(-1, 1, SIDE), np.linspace(-1, 1, SIDE))
    slopes = rng.uniform(-90, 90, (2, 3)) * rng.random()
    ground += across[..., None] * slopes[0] + down[..., None] * slopes[1]
    return ground


def _shape(rng: np.random.Generator, centre: npt.NDArray[np.float64], half: npt.NDArray[np.float64]) -> BoolArray:
    """Return bool (128, 128): an ellipse, a rectangle, a triangle or a polygon, half of them turned."""
    kind = rng.integers(4)
    turn = rng.uniform(0, np.pi) if rng.random() < 0.5 else 0.0
    if kind == 0:
        angles, radii = np.linspace(0, 2 * np.pi, 48, endpoint=False), np.ones(48)
    elif kind == 1:
        angles, radii = np.pi / 4 + np.arange(4) * np.pi / 2, np.full(4, 2**0.5)
    elif kind == 2:
        angles, radii = -np.pi / 2 + np.arange(3) * 2 * np.pi / 3, np.full(3, 1.25)
    else:
        corners = int(rng.integers(5, 9))
        angles, radii = np.arange(corners) * 2 * np.pi / corners, rng.uniform(0.6, 1.1, corners)
    outline = np.stack([np.cos(angles), np.sin(angles)], 1) * radii[:, None] * half
    spin = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    canvas = np.zeros((SIDE, SIDE), np.uint8)
    cv2.fillPoly(canvas, [np.round(outline @ spin.T + centre).astype(np.int32)], 1)
    return canvas.astype(bool)


def _paint(rng: np.random.Generator, image: npt.NDArray[np.float64], region: BoolArray) -> None:
    """Fill a region with a colour that stands out from what lies there and around it."""
    around = cv2.dilate(region.astype(np.uint8), np.ones((7, 7), np.uint8)).astype(bool)
    there = image[around][::7]
    colour = rng.uniform(0, 255, 3)
    for _ in range(12):
        if len(there) == 0 or np.linalg.norm(there - colour, axis=1).min() > _CONTRAST:
            break
        colour = rng.uniform(0, 255, 3)
    image[region] = colour
