"""Boundary IoU: how well two masks agree along their edges, whatever the size of what lies inside.

B. Cheng, R. Girshick, P. Dollár, A. C. Berg, A. Kirillov: *Boundary IoU: Improving Object-Centric Image Segmentation
Evaluation*, CVPR 2021, equation 2. A mask's boundary region is every pixel of it within ``d`` pixels of its contour;
boundary IoU is the IoU of two boundary regions. As in the authors' program: ``d`` is 2 % of the image's diagonal,
rounded, and at least 1; distances are the chessboard's (``d`` erosions by a 3×3 square); and what is outside the image
is background, so that where the image's border cuts a mask there is boundary too.

For masks without an interior pixel, such as thin or small ones, it equals the mask IoU. The authors average the smaller
of mask and boundary IoU where whole instances are compared, since the boundary alone says nothing of the inside.
"""

import cv2
import numpy as np

from whyseg.schemas import Mask

SHARE = 0.02  # of the diagonal


def boundary_width(size: tuple[int, int], share: float = SHARE) -> int:
    """Return ``d`` in pixels for an image of ``size`` (height, width)."""
    return max(1, round(share * float(np.hypot(*size))))


def boundary(mask: Mask, width: int) -> Mask:
    """Return the pixels of a mask whose chessboard distance to a pixel outside of it is at most ``width``."""
    if not mask.area:
        return mask
    x0, y0, x1, y1 = mask.box_xyxy
    pixels = mask.decode()
    # A frame of background around the box: beyond it there is nothing else, in the image and outside of it.
    crop = np.pad(pixels[y0:y1, x0:x1].astype(np.uint8), 1)
    distance = cv2.distanceTransform(crop, cv2.DIST_C, 3)[1:-1, 1:-1]
    pixels[y0:y1, x0:x1] &= distance <= width
    return Mask.encode(pixels)


def boundary_iou(first: Mask, second: Mask, share: float = SHARE) -> float:
    """Return the boundary IoU of two masks of one image, in [0, 1]; two empty masks have 1.

    Raises ``SizeMismatch`` when the sizes differ.
    """
    width = boundary_width(first.size, share)
    return boundary(first, width).iou(boundary(second, width))
