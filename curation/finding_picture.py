"""Where a finding is, drawn: the sample's masks, and what the evidence names."""

import math
from typing import Any

import cv2
import numpy as np

from whyseg.curation.images import RgbArray
from whyseg.curation.report import overlay
from whyseg.schemas import Finding, Sample

PLACE = (255, 214, 10)
SMALL = 0.12  # of the picture's longest side: what is smaller gets a circle around it
_GAP = 4


def draw_finding(pixels: RgbArray, sample: Sample | None, finding: Finding, *, side: int) -> RgbArray:
    """Return a copy, at most ``side`` pixels long, with masks, and a box or circle where the evidence is.

    ``pixels``: uint8 (H, W, 3), RGB, of the whole picture, maybe reduced. Of evidence that names an instance its own
    mask alone is drawn. What evidence holds besides is not drawn.
    """
    instances = sample.instances if sample else ()
    named = [one for one in instances if one.id == finding.evidence.get("instance")]
    drawn = overlay(pixels, [one.mask for one in named or instances], [], side=side)
    if sample is None:
        return drawn
    scale = drawn.shape[1] / sample.size[1]
    if point := _numbers(finding.evidence.get("point"), 2):
        _mark(drawn, [point[0], point[1], point[0], point[1]], scale)
    elif box := _numbers(finding.evidence.get("box"), 4):
        _mark(drawn, box, scale)
    elif named and named[0].mask.area:
        _mark(drawn, list(named[0].mask.box_xyxy), scale)
    return drawn


def beside(one: RgbArray, other: RgbArray, *, side: int) -> RgbArray:
    """Return two pictures next to each other, together at most ``side`` pixels wide."""
    height = min(one.shape[0], other.shape[0])
    parts = [cv2.resize(part, (max(1, round(part.shape[1] * height / part.shape[0])), height)) for part in (one, other)]
    both = np.hstack([parts[0], np.zeros((height, _GAP, 3), np.uint8), parts[1]])
    scale = min(1.0, side / max(both.shape[:2]))
    size = max(1, round(both.shape[1] * scale)), max(1, round(both.shape[0] * scale))
    return cv2.resize(both, size, interpolation=cv2.INTER_AREA).astype(np.uint8)


def _mark(drawn: RgbArray, box: list[float], scale: float) -> None:
    """Draw a half-open box (x0, y0, x1, y1) of the picture, or around a small one a circle, into a reduced copy."""
    height, width = drawn.shape[:2]
    x0, y0, x1, y1 = (
        min(max(value * scale, 0.0), limit - 1.0) for value, limit in zip(box, (width, height) * 2, strict=True)
    )
    reach = SMALL * max(height, width)
    for colour, thick in (((0, 0, 0), 4), (PLACE, 2)):
        if max(x1 - x0, y1 - y0) < reach:
            centre = round((x0 + x1) / 2), round((y0 + y1) / 2)
            cv2.circle(drawn, centre, round(reach), colour, thick, cv2.LINE_AA)
        else:
            cv2.rectangle(drawn, (round(x0), round(y0)), (round(x1), round(y1)), colour, thick)


def _numbers(found: Any, count: int) -> list[float] | None:
    """Return evidence as numbers where it is that many; anybody may have written it."""
    if not isinstance(found, list) or len(found) != count:
        return None
    if not all(isinstance(value, int | float) and math.isfinite(value) for value in found):
        return None
    return [float(value) for value in found]
