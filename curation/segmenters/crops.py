"""A candidate mask as it travels: the run lengths of its bounding box's pixels."""

import time

import numpy as np
from pycocotools import mask as coco

from whyseg.curation.segmenters.base import Proposal
from whyseg.schemas import Mask
from whyseg.schemas.errors import InvalidRecord
from whyseg.schemas.record import Record


class Crop(Record):
    """A candidate: COCO run lengths of the pixels of a box (x, y, width, height), and the model's estimate of its IoU.

    A mask of no pixel is one background pixel at (0, 0).
    """

    score: float
    bbox: tuple[int, int, int, int]
    counts: str


def mask_from_crop(size: tuple[int, int], bbox: tuple[int, int, int, int], counts: str) -> Mask:
    """Return the mask of an image of ``size`` (height, width) from the run lengths of its box (x, y, width, height).

    Raises ``InvalidRecord`` when the box leaves the image or the run lengths are not the box's.
    """
    x, y, width, height = bbox
    inside = Mask(size=(height, width), counts=counts).decode()
    if x < 0 or y < 0 or x + width > size[1] or y + height > size[0]:
        raise InvalidRecord(f"crop {width}×{height} at {x},{y} leaves the {size[1]}×{size[0]} image (width×height)")
    pixels = np.zeros(size, bool, "F")
    pixels[y : y + height, x : x + width] = inside
    return Mask.encode(pixels)


def encode_crop(proposal: Proposal) -> tuple[Crop, float, float]:
    """Return a proposal's crop, and the seconds that enlarging and encoding it took."""
    start = time.monotonic()
    bbox, pixels = proposal.crop()
    enlarged = time.monotonic()
    if not pixels.size:
        bbox, pixels = (0, 0, 1, 1), np.zeros((1, 1), bool)
    counts = coco.encode(np.asfortranarray(pixels).view(np.uint8))["counts"].decode()
    encoded = time.monotonic()
    return Crop(score=proposal.score, bbox=bbox, counts=counts), enlarged - start, encoded - enlarged
