"""A candidate mask as it travels: the run lengths of its bounding box's pixels."""

import time

import numpy as np
from pycocotools import mask as coco

from whyseg.curation.segmenters.base import Proposal
from whyseg.curation.segmenters.enlarge import LogitsProposal
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


def mask_of(proposal: Proposal, size: tuple[int, int]) -> Mask:
    """Return a proposal's mask of the image of ``size`` (height, width); of SAM's proposals no picture is made."""
    if not isinstance(proposal, LogitsProposal):
        crop, _, _ = encode_crop(proposal)
        return mask_from_crop(size, crop.bbox, crop.counts)
    (x, y, _, height), runs = proposal.runs()
    if not len(runs):
        return Mask.empty(size)
    ends = np.cumsum(runs)
    starts, ends = ends[: len(ends) // 2 * 2 : 2], ends[1::2]
    columns = (ends - 1) // height - starts // height + 1  # how many columns of the box a stretch of pixels lies in
    first = np.repeat(starts // height, columns)
    column = first + np.arange(len(first)) - np.repeat(np.cumsum(columns) - columns, columns)
    top = np.maximum(np.repeat(starts, columns), column * height) - column * height
    bottom = np.minimum(np.repeat(ends, columns), (column + 1) * height) - column * height
    at = (x + column) * size[0] + y
    bounds = np.stack([at + top, at + bottom], axis=1).ravel()
    whole = np.diff(bounds, prepend=0, append=size[0] * size[1])
    rle = coco.frPyObjects({"size": list(size), "counts": whole.tolist()}, *size)
    return Mask(size=size, counts=rle["counts"].decode())


def encode_crop(proposal: Proposal) -> tuple[Crop, float, float]:
    """Return a proposal's crop, and the seconds that enlarging and encoding it took."""
    start = time.monotonic()
    if isinstance(proposal, LogitsProposal):  # its runs cost a third of its pixels
        bbox, runs = proposal.runs()
        enlarged = time.monotonic()
        rle = (
            coco.frPyObjects({"size": [bbox[3], bbox[2]], "counts": runs.tolist()}, bbox[3], bbox[2])
            if bbox[2]
            else None
        )
    else:
        bbox, pixels = proposal.crop()
        enlarged = time.monotonic()
        rle = coco.encode(np.asfortranarray(pixels).view(np.uint8)) if pixels.size else None
    if rle is None:
        bbox, rle = (0, 0, 1, 1), Mask.empty((1, 1)).coco()
    crop = Crop(score=proposal.score, bbox=bbox, counts=rle["counts"].decode())
    return crop, enlarged - start, time.monotonic() - enlarged
