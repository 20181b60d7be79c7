"""From a decoder's logits to the pixels of a mask, in the column order that run lengths want."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from whyseg.curation.segmenters.base import BoolArray, FloatArray

IntArray = npt.NDArray[np.int64]
BoundingBox = tuple[int, int, int, int]  # (x, y, width, height)


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

    def crop(self) -> tuple[BoundingBox, BoolArray]:
        """Return ((x, y, width, height), bool (height, width) in column order): the mask within the box it fills."""
        return pixels_of(*self.runs())

    def runs(self) -> tuple[BoundingBox, IntArray]:
        """Return ((x, y, width, height), run lengths): the mask within the box it fills, as `mask_runs` does."""
        field = np.ascontiguousarray(self.logits.T)
        if self.padded_side:
            # In two steps, as SAM's own postprocess_masks does; one step straight to the image agrees to IoU 0.94 only.
            side = self.padded_side
            height, width = fitted(self.size, side)
            field = cv2.resize(field, (side, side), interpolation=cv2.INTER_LINEAR)[:width, :height].astype(np.float32)
        return mask_runs(field, self.size)


def fitted(size: tuple[int, int], side: int) -> tuple[int, int]:
    """Return (height, width) of an image whose longer side becomes ``side``, rounded as SAM rounds, 1 at least."""
    scale = side / max(size)
    return max(1, int(size[0] * scale + 0.5)), max(1, int(size[1] * scale + 0.5))


def mask_runs(field: FloatArray, size: tuple[int, int]) -> tuple[BoundingBox, IntArray]:
    """Enlarge a field of logits to an image by bilinear interpolation and keep what is above 0, as run lengths.

    ``field``: float32 (w, h), transposed, covering exactly the image of ``size`` (height, width). The same pixels as
    ``torch.nn.functional.interpolate(mode="bilinear", align_corners=False) > 0``: down a column of pixels that is
    linear between samples, so where it changes sign is computed, and no picture is made. Returns ((x, y, width,
    height), int64 (R,)): the box that the mask fills, and in it runs of background, object, background, … down the
    columns, none of length 0 but the first; (0, 0, 0, 0) and no run when no pixel is above 0.
    """
    height, width = size
    x0, x1 = _reach(np.flatnonzero(field.max(1) > 0), len(field), width)
    samples = np.flatnonzero(field.max(0) > 0)
    if not len(samples):
        return (0, 0, 0, 0), np.zeros(0, np.int64)
    first, last = max(0, samples[0] - 1), min(field.shape[1], samples[-1] + 2)
    near = np.ascontiguousarray(field[:, first:last])
    columns = cv2.resize(near, (last - first, width), interpolation=cv2.INTER_LINEAR)[x0:x1]
    inside = columns > 0
    column, sample = np.nonzero(inside[:, 1:] != inside[:, :-1])
    before, after = columns[column, sample].astype(np.float64), columns[column, sample + 1].astype(np.float64)
    zero = (first + sample + before / (before - after) + 0.5) * (height / field.shape[1]) - 0.5  # in rows of pixels
    row = np.where(after > before, np.floor(zero) + 1, np.ceil(zero)).astype(np.int64).clip(0, height)
    # A column enters and leaves the mask in turn, at its top and bottom edge where the outermost samples are inside.
    bounds = [
        column * height + row,
        np.flatnonzero(inside[:, 0]) * height,
        np.flatnonzero(inside[:, -1]) * height + height,
    ]
    starts, ends = np.sort(np.concatenate(bounds)).reshape(-1, 2).T
    starts, ends = starts[ends > starts], ends[ends > starts]
    if not len(starts):  # the only sample above 0 lies between pixels
        return (0, 0, 0, 0), np.zeros(0, np.int64)
    column = starts // height
    x, y = int(column[0]), int((starts - column * height).min())
    w, h = int(column[-1]) + 1 - x, int((ends - column * height).max()) - y
    starts, ends = (at - column * height - y + (column - x) * h for at in (starts, ends))
    apart = np.concatenate([[True], starts[1:] > ends[:-1], [True]])  # else they join over the columns' edge
    inner = np.stack([starts[apart[:-1]], ends[apart[1:]]], axis=1).ravel()
    runs = np.diff(inner, prepend=0, append=w * h)
    return (x0 + x, y, w, h), runs if runs[-1] else runs[:-1]


def pixels_of(box: BoundingBox, runs: IntArray) -> tuple[BoundingBox, BoolArray]:
    """Return a box with its run lengths turned into pixels, bool (height, width) in column order."""
    inside = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return box, inside.reshape(box[2], box[3]).T


def _reach(samples: npt.NDArray[np.intp], count: int, pixels: int) -> tuple[int, int]:
    """Return the half-open range of pixels that samples above 0 can make positive, along one side."""
    if not len(samples):
        return 0, 0
    # A pixel lies between two samples, so none is above 0 farther than one sample from one that is.
    return (
        max(0, int((samples[0] - 0.5) * pixels / count) - 1),
        min(pixels, int((samples[-1] + 1.5) * pixels / count) + 2),
    )
