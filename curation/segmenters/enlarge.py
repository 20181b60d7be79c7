"""From a decoder's logits to the pixels of a mask, in the column order that run lengths want."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from whyseg.curation.segmenters.base import BoolArray, FloatArray

_BLOCK = 128  # columns at a time: a block of floats stays in the processor's cache, the whole picture's would not


@dataclass(frozen=True, eq=False)
class LogitsProposal:
    """A candidate whose pixels are enlarged from its logits when they are asked for.

    ``size``: (height, width) of the image. ``padded_side``: the side of the square whose top left the resized image
    filled and whose right or bottom was padding (SAM); None when the logits cover the image exactly (SAM 2).
    """

    score: float
    logits: FloatArray
    size: tuple[int, int]
    padded_side: int | None = None

    def crop(self) -> tuple[tuple[int, int, int, int], BoolArray]:
        """Return ((x, y, width, height), bool (height, width) in column order): the mask within the box it fills."""
        field = np.ascontiguousarray(self.logits.T)
        if self.padded_side:
            # In two steps, as SAM's own postprocess_masks does; one step straight to the image agrees to IoU 0.94 only.
            side = self.padded_side
            height, width = fitted(self.size, side)
            field = cv2.resize(field, (side, side), interpolation=cv2.INTER_LINEAR)[:width, :height].astype(np.float32)
        return mask_crop(field, self.size)


def fitted(size: tuple[int, int], side: int) -> tuple[int, int]:
    """Return (height, width) of an image whose longer side becomes ``side``, rounded as SAM rounds, 1 at least."""
    scale = side / max(size)
    return max(1, int(size[0] * scale + 0.5)), max(1, int(size[1] * scale + 0.5))


def mask_crop(field: FloatArray, size: tuple[int, int]) -> tuple[tuple[int, int, int, int], BoolArray]:
    """Enlarge a field of logits to an image by bilinear interpolation and keep what is above 0.

    ``field``: float32 (w, h), transposed, covering exactly the image of ``size`` (height, width). Equal to
    ``torch.nn.functional.interpolate(mode="bilinear", align_corners=False) > 0``. Returns ((x, y, width, height), bool
    (height, width) in column order): the box that the mask fills, and the pixels in it; (0, 0, 0, 0) and an empty array
    when no pixel is above 0.
    """
    height, width = size
    x0, x1 = _reach(np.flatnonzero(field.max(1) > 0), len(field), width)
    y0, y1 = _reach(np.flatnonzero(field.max(0) > 0), field.shape[1], height)
    wide = cv2.resize(field, (field.shape[1], width), interpolation=cv2.INTER_LINEAR)
    mask = np.empty((x1 - x0, y1 - y0), np.uint8)
    for start in range(x0, x1, _BLOCK):
        stop = min(start + _BLOCK, x1)
        block = cv2.resize(wide[start:stop], (height, stop - start), interpolation=cv2.INTER_LINEAR)
        np.greater(block[:, y0:y1], 0, out=mask[start - x0 : stop - x0].view(bool))
    y, x, h, w = cv2.boundingRect(mask) if mask.size else (0, 0, 0, 0)
    if not w:
        return (0, 0, 0, 0), np.zeros((0, 0), bool, "F")
    return (x0 + x, y0 + y, w, h), np.asfortranarray(mask[x : x + w, y : y + h].view(bool).T)


def _reach(samples: npt.NDArray[np.intp], count: int, pixels: int) -> tuple[int, int]:
    """Return the half-open range of pixels that samples above 0 can make positive, along one side."""
    if not len(samples):
        return 0, 0
    # A pixel lies between two samples, so none is above 0 farther than one sample from one that is.
    return (
        max(0, int((samples[0] - 0.5) * pixels / count) - 1),
        min(pixels, int((samples[-1] + 1.5) * pixels / count) + 2),
    )
