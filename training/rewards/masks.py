"""Terms that look at masks: the IoU of what a segmenter makes of an answer, in tiers."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from pycocotools import mask as coco

from whyseg.schemas import Mask
from whyseg.schemas.errors import SizeMismatch

FloatArray = npt.NDArray[np.float64]
Tiers = Sequence[tuple[float, float]]
SAM_R1_TIERS: Tiers = ((0.8, 4), (0.7, 3), (0.5, 2))
STAR_TIERS: Tiers = ((0.9, 5), (0.8, 4), (0.7, 3), (0.5, 2), (0.3, 1))


def mask_iou(predicted: Sequence[Mask | None], target: Sequence[Mask]) -> FloatArray:
    """Return the IoU (M, N), in [0, 1], of predicted masks and the target's; None and an empty mask have 0.

    Raises ``SizeMismatch`` when a predicted mask has not the target's size.
    """
    iou = np.zeros((len(predicted), len(target)))
    rows = [row for row, mask in enumerate(predicted) if mask is not None]
    found = [mask for row in rows if (mask := predicted[row]) is not None]
    if not target or not found:
        return iou
    for row, mask in zip(rows, found, strict=True):
        if mask.size != target[0].size:
            raise SizeMismatch(f"predicted mask {row + 1}", target[0].size, mask.size)
    iou[rows] = coco.iou([mask.coco() for mask in found], [mask.coco() for mask in target], [0] * len(target))
    return iou


def tiered(iou: FloatArray, tiers: Tiers) -> FloatArray:
    """Return what IoUs are worth: of each the value of the highest tier whose IoU it is above, else 0.

    SAM-R1: above 0.8 4, 0.7 3, 0.5 2. StAR: above 0.9 5, 0.8 4, 0.7 3, 0.5 2, 0.3 1. ``tiers``: the highest first.

    >>> tiered(np.array([0.81, 0.8, 0.5]), SAM_R1_TIERS).tolist()
    [4.0, 3.0, 0.0]
    """
    return np.select([iou > limit for limit, _ in tiers], [value for _, value in tiers], 0.0)
