"""Scenes: a few things that do not touch, on a ground whose colour tells where a pixel is."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from whyseg.schemas.errors import UsageError
from whyseg.schemas.mask import BoolArray
from whyseg.training.world.shapes import COLOURS, KINDS, PATTERNS, draw_regions, paint

SIDE = 112
T = TypeVar("T")
SIZES = ("small", "large")
_HALF = {"small": (10.0, 12.5), "large": (18.0, 21.0)}  # pixels from a thing's centre to its end, at side 112
_APART = 3  # pixels between two things' boxes, at side 112


@dataclass(frozen=True, eq=False)
class Thing:
    """One thing of a scene. ``regions``: its parts by name, bool (H, W) each, "" for what has no name."""

    kind: str
    colour: str
    pattern: str
    size: str
    regions: dict[str, BoolArray]

    @cached_property
    def mask(self) -> BoolArray:
        """Its pixels, bool (H, W)."""
        mask: BoolArray = np.logical_or.reduce(list(self.regions.values()))
        return mask

    @cached_property
    def box(self) -> tuple[int, int, int, int]:
        """The half-open bounding box (x0, y0, x1, y1) in pixels."""
        across, down = np.flatnonzero(self.mask.any(0)), np.flatnonzero(self.mask.any(1))
        return int(across[0]), int(down[0]), int(across[-1]) + 1, int(down[-1]) + 1

    @property
    def centre(self) -> tuple[float, float]:
        """The middle of its box, (x, y) in pixels."""
        x0, y0, x1, y1 = self.box
        return (x0 + x1) / 2, (y0 + y1) / 2

    @property
    def length(self) -> int:
        """The longer side of its box in pixels."""
        x0, y0, x1, y1 = self.box
        return max(x1 - x0, y1 - y0)

    @property
    def name(self) -> str:
        """What a person would call it: "red cup"."""
        return f"{self.colour} {self.kind}"


@dataclass(frozen=True, eq=False)
class Scene:
    """Things on a square of ``side`` pixels; ``seed`` decides what else is seen: shades and noise."""

    side: int
    things: tuple[Thing, ...]
    seed: int

    def picture(self) -> npt.NDArray[np.uint8]:
        """Paint the scene: uint8 (side, side, 3), RGB.

        Red rises from left to right and green from top to bottom: a small vision tower without absolute positions
        could otherwise learn how large a thing is, but never where.
        """
        rng = np.random.default_rng(self.seed)
        low, high = rng.uniform(85, 105, 2), rng.uniform(225, 245, 2)
        ramps = low + np.linspace(0, 1, self.side)[:, None] * (high - low)
        image = np.empty((self.side, self.side, 3))
        image[..., 0] = ramps[:, 0]
        image[..., 1] = ramps[:, 1, None]
        image[..., 2] = rng.uniform(205, 225)
        for thing in self.things:
            colour = np.clip(COLOURS[thing.colour] + rng.uniform(-14, 14, 3), 0, 255)
            paint(image, thing.regions, colour, thing.pattern)
        image += rng.integers(-4, 5, image.shape, np.int8)
        return np.clip(image, 0, 255).astype(np.uint8)


def make_scene(
    seed: int,
    *,
    side: int = SIDE,
    count: tuple[int, int] = (3, 6),
    kinds: Sequence[str] = tuple(KINDS),
    colours: Sequence[str] = tuple(COLOURS),
    patterns: Sequence[str] = PATTERNS,
    sizes: Sequence[str] = SIZES,
    pools: tuple[int, int, int] = (4, 3, 2),
    grid: int = 0,
) -> Scene:
    """Make a scene of ``count`` (fewest, most) things; the same seed makes the same one.

    A scene draws from two to ``pools`` of the kinds, colours and patterns only, so that things resemble each other and
    a question must tell them apart. ``grid``: that many cells a side, each with room for a small thing or for none;
    0: things stand anywhere.
    """
    rng = np.random.default_rng(seed)
    for _ in range(100):
        sorts = [_few(rng, names, most) for names, most in zip((kinds, colours, patterns), pools, strict=True)]
        wanted = int(rng.integers(count[0], count[1] + 1))
        things = _in_cells(rng, side, wanted, sorts, grid) if grid else _place(rng, side, wanted, sorts, sizes)
        if len(things) >= count[0]:
            return Scene(side, things, seed)
    raise UsageError(f"{count[0]} things find no room in a scene of {side} pixels")


def _place(
    rng: np.random.Generator, side: int, wanted: int, sorts: Sequence[Sequence[str]], sizes: Sequence[str]
) -> tuple[Thing, ...]:
    """Place things of the given kinds, colours and patterns where they have room, at most as many as wanted."""
    things = list[Thing]()
    boxes = list[tuple[float, float, float, float]]()
    gap = _APART * side / SIDE
    for _ in range(60):
        if len(things) == wanted:
            break
        kind, colour, pattern = (one_of(rng, names) for names in sorts)
        # Of several large things few find room, and the last ones never.
        size = one_of(rng, sizes) if sum(one.size == "large" for one in things) < 3 else sizes[0]
        half = rng.uniform(*_HALF[size]) * side / SIDE
        x, y = (rng.uniform(half + 1, side - half - 1) for _ in range(2))
        box = (x - half - gap, y - half - gap, x + half, y + half)
        if all(x0 >= box[2] or box[0] >= x1 or y0 >= box[3] or box[1] >= y1 for x0, y0, x1, y1 in boxes):
            boxes.append(box)
            things.append(Thing(kind, colour, pattern, size, draw_regions(kind, (x, y), half, side)))
    return tuple(things)


def _in_cells(
    rng: np.random.Generator, side: int, wanted: int, sorts: Sequence[Sequence[str]], grid: int
) -> tuple[Thing, ...]:
    """Place small things in cells of a grid, each cell's thing anywhere within it."""
    cell, things = side / grid, list[Thing]()
    for number in rng.permutation(grid * grid)[:wanted]:
        kind, colour, pattern = (one_of(rng, names) for names in sorts)
        half = min(rng.uniform(*_HALF["small"]) * side / SIDE, 0.45 * cell)
        row, column = divmod(int(number), grid)
        x, y = ((place + 0.5) * cell + rng.uniform(-1, 1) * (cell / 2 - half) for place in (column, row))
        things.append(Thing(kind, colour, pattern, "small", draw_regions(kind, (x, y), half, side)))
    return tuple(things)


def one_of(rng: np.random.Generator, choices: Sequence[T]) -> T:
    """Return one of the choices at random."""
    return choices[int(rng.integers(len(choices)))]


def _few(rng: np.random.Generator, names: Sequence[str], most: int) -> list[str]:
    """Return two or more of the names in random order, or the only one."""
    number = int(rng.integers(min(2, len(names)), min(most, len(names)) + 1))
    return [names[i] for i in rng.permutation(len(names))[:number]]
