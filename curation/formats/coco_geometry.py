"""COCO's segmentations as masks: polygons by pycocotools' own rule, run lengths as they are.

pycocotools' C code trusts what it gets: far coordinates make it allocate gigabytes, wrong run lengths make it write
beyond its buffers. So everything is checked before it is called, and with that it never sees what it cannot hold.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from pycocotools import mask as coco

from whyseg.schemas import Box, Mask
from whyseg.schemas.errors import InvalidRecord, InvalidRle, SizeMismatch
from whyseg.schemas.prompt import FARTHEST

_SCALE = 5  # pycocotools walks along an outline in fifths of a pixel, 16 bytes a step
MAX_STEPS = 2**22  # of all outlines of an annotation: 838,860 pixels of length
_NUMBERS = {int, float}

Polygon = npt.NDArray[np.float64]  # (N, 2), (x, y) in continuous pixel coordinates: pixel i spans [i, i + 1)


def mask_from_segmentation(segmentation: Any, size: tuple[int, int]) -> tuple[Mask | None, list[str]]:
    """Return the mask that ``COCO.annToMask`` gives for an image of ``size`` (height, width), and what is odd about it.

    ``segmentation``: polygons [[x0, y0, x1, y1, …], …], or run lengths {"size": [height, width], "counts": a list or
    COCO's text}. Parts of fewer than three points are left out; the mask is None when no part is left. Raises
    ``InvalidRecord`` for what is neither, is of another size, or holds NaN, infinity or numbers too far away.
    """
    if isinstance(segmentation, dict):
        return _from_runs(segmentation, size), []
    if isinstance(segmentation, list):
        return _from_polygons(segmentation, size)
    raise InvalidRecord(f"a segmentation is a list of polygons or run lengths, got {_shown(segmentation)}")


def box_from_bbox(bbox: Any) -> Box | None:
    """Return COCO's [x, y, width, height] as a box; None for anything else, and for a box of no area."""
    if not isinstance(bbox, list) or len(bbox) != 4 or not set(map(type, bbox)) <= _NUMBERS:
        return None
    if not all(abs(value) <= FARTHEST / 2 for value in bbox) or bbox[2] <= 0 or bbox[3] <= 0:
        return None
    x, y, width, height = map(float, bbox)
    return Box(x0=x, y0=y, x1=x + width, y1=y + height) if x < x + width and y < y + height else None


def _from_runs(segmentation: dict[str, Any], size: tuple[int, int]) -> Mask:
    given, counts = segmentation.get("size"), segmentation.get("counts")
    if not isinstance(given, list) or len(given) != 2 or set(map(type, given)) != {int}:
        raise InvalidRle(f"run lengths need size [height, width], got {_shown(given)}")
    if not all(0 <= side < 2**31 for side in given):
        raise InvalidRle(f"run lengths of size {_shown(given)}: no picture has it")
    if tuple(given) != size:
        raise SizeMismatch("run lengths", size, (given[0], given[1]))
    if isinstance(counts, list):
        counts = _compressed(counts, size)
    if not isinstance(counts, str):
        raise InvalidRle(f"run lengths are a list of numbers or COCO's text, got {_shown(counts)}")
    return Mask.parse({"size": size, "counts": counts})


def _compressed(counts: list[Any], size: tuple[int, int]) -> str:
    pixels = size[0] * size[1]
    if not set(map(type, counts)) <= {int} or not all(0 <= run <= pixels for run in counts):
        raise InvalidRle(f"run lengths are whole numbers from 0 to {pixels}, got {_shown(counts)}")
    if sum(counts) != pixels:
        raise InvalidRle(f"run lengths cover {sum(counts)} pixels, the size {size[0]}×{size[1]} has {pixels}")
    packed: bytes = coco.frPyObjects({"size": list(size), "counts": counts}, *size)["counts"]
    return packed.decode()


def _from_polygons(parts: list[Any], size: tuple[int, int]) -> tuple[Mask | None, list[str]]:
    remarks = []
    checked = [_checked(part) for part in parts]
    if odd := sum(len(part) % 2 for part in parts):
        remarks.append(f"{odd} of {len(parts)} outlines end in an x without its y, which is left out")
    kept = [part for part in checked if len(part) >= 6]
    if len(kept) < len(parts):
        remarks.append(f"{len(parts) - len(kept)} of {len(parts)} outlines have fewer than 3 points and are left out")
    if not kept:
        return None, remarks
    if sum(_most_steps(part) for part in kept) > MAX_STEPS and sum(_steps(_points(part)) for part in kept) > MAX_STEPS:
        raise InvalidRecord(f"the outlines are longer than {MAX_STEPS // _SCALE} pixels")
    height, width = size
    if any(min(part) < 0 or max(part[::2]) > width or max(part[1::2]) > height for part in kept):
        remarks.append(f"an outline leaves the {width}×{height} picture (width×height)")
    # A ring alone is valid exactly where a polygon of it is, and is made in half the time.
    if not all(shapely.is_valid(shapely.linearrings(_points(part + part[:2]))) for part in kept):
        remarks.append("an outline crosses or touches itself, or has no area")
    return Mask.of_coco(coco.merge(coco.frPyObjects(kept, height, width))), remarks


def _checked(part: Any) -> list[float]:
    """Return an outline x0, y0, x1, y1, … of finite numbers that are not too far away, without an x that has no y."""
    if not isinstance(part, list) or not set(map(type, part)) <= _NUMBERS:
        raise InvalidRecord(f"an outline is a flat list of numbers x0, y0, x1, y1, …, got {_shown(part)}")
    # NaN is neither below nor above anything: it is found in the sum, whose terms are near by then.
    if part and not (-FARTHEST <= min(part) and max(part) <= FARTHEST and math.isfinite(sum(part))):
        wrong = next(value for value in part if not abs(value) <= FARTHEST)
        finite = isinstance(wrong, int) or math.isfinite(wrong)
        what = f"farther away than {FARTHEST:g} pixels" if finite else "no finite number"
        raise InvalidRecord(f"a coordinate is {what}: {_shown(wrong)}")
    return part if len(part) % 2 == 0 else part[:-1]


def _points(part: list[float]) -> Polygon:
    return np.array(part, np.float64).reshape(-1, 2)


def _most_steps(part: list[float]) -> float:
    """Return what `_steps` cannot be above: no edge is longer than the outline is wide or high."""
    return len(part) // 2 * ((max(part) - min(part)) * _SCALE + 2)


def _steps(polygon: Polygon) -> int:
    """Return how many steps pycocotools takes around a polygon."""
    lengths = np.abs(np.diff(polygon, axis=0, append=polygon[:1])).max(axis=1)
    return int((lengths * _SCALE + 2).sum())


def _shown(value: Any, depth: int = 2) -> str:
    """Return a short text for anything that a JSON file may hold."""
    if isinstance(value, int) and value.bit_length() > 64:
        return f"an integer of {value.bit_length()} bits"
    if isinstance(value, list) and depth:
        return f"[{', '.join(_shown(one, depth - 1) for one in value[:4])}{', …' if len(value) > 4 else ''}]"
    return repr(value)[:60] if isinstance(value, str | int | float | None) else type(value).__name__
