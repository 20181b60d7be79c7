"""Pictures as a policy sees them: squashed to its canvas, in training and in evaluation alike."""

import numpy as np
import numpy.typing as npt
from PIL import Image as PilImage

RgbArray = npt.NDArray[np.uint8]


def squashed(pixels: RgbArray, canvas: int | None) -> RgbArray:
    """Return a picture, uint8 (H, W, 3), squashed to (canvas, canvas) by bilinear interpolation; None leaves it."""
    if canvas is None or pixels.shape[:2] == (canvas, canvas):
        return pixels
    resized = PilImage.fromarray(pixels).resize((canvas, canvas), PilImage.Resampling.BILINEAR)
    return np.asarray(resized)
