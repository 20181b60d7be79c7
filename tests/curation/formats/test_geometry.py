import io

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image as PilImage

from whyseg.curation.formats.geometry import deepest_pixel, mask_png, pixels_of
from whyseg.schemas import Mask
from whyseg.schemas.mask import BoolArray


@settings(derandomize=True, max_examples=60, deadline=None)
@given(arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=9)))
def test_pixels_and_png_are_those_of_the_mask(found: BoolArray) -> None:
    assert np.array_equal(pixels_of(Mask.encode(found)), found)
    png = PilImage.open(io.BytesIO(mask_png(found)))
    assert png.mode == "L"
    assert np.array_equal(np.asarray(png), found * 255)


def test_long_runs_are_filled_one_by_one() -> None:
    found = np.zeros((300, 200), bool)
    found[40:90, 20:120] = True
    found[60:70, 30:40] = False
    found[-1, -1] = True
    for mask in (found, ~found, found & False, found | True):
        assert np.array_equal(pixels_of(Mask.encode(mask)), mask)


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((0, 0, 5, 5), (2, 2)),  # in the corner of the picture, whose border counts as outside
        ((2, 1, 9, 4), (5, 2)),  # 7×3: row 2 from x = 3 to 7 is deepest, 5 is its middle
        ((4, 4, 5, 5), (4, 4)),
        ((0, 3, 10, 5), (4, 3)),  # all of the inner pixels are equal; of the four nearest to the middle the first
    ],
)
def test_the_deepest_pixel_is_in_the_middle(box: tuple[int, int, int, int], expected: tuple[int, int]) -> None:
    mask = np.zeros((8, 10), bool)
    mask[box[1] : box[3], box[0] : box[2]] = True
    assert deepest_pixel(mask, box) == expected


@settings(derandomize=True, max_examples=60, deadline=None)
@given(arrays(bool, (9, 11)).filter(np.any), st.booleans())
def test_the_deepest_pixel_is_inside_and_as_deep_as_any_to_two_percent(mask: BoolArray, large: bool) -> None:
    found = np.kron(mask, np.ones((7, 7), bool)) if large else mask
    x, y = deepest_pixel(found, Mask.encode(found).box_xyxy)
    exact = cv2.distanceTransform(np.pad(found, 1).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    assert found[y, x]
    assert exact[y, x] >= 0.95 * exact.max()


def test_an_empty_mask_has_no_deepest_pixel() -> None:
    with pytest.raises(ValueError, match="empty"):
        deepest_pixel(np.zeros((3, 3), bool), (0, 0, 0, 0))
