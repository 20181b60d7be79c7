import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from whyseg.curation.segmenters.base import BoolArray, FloatArray
from whyseg.curation.segmenters.enlarge import LogitsProposal, fitted, mask_runs, pixels_of


def whole(crop: tuple[tuple[int, int, int, int], BoolArray], size: tuple[int, int]) -> BoolArray:
    (x, y, width, height), pixels = crop
    mask = np.zeros(size, bool)
    mask[y : y + height, x : x + width] = pixels
    return mask


def crop(field: FloatArray, size: tuple[int, int]) -> tuple[tuple[int, int, int, int], BoolArray]:
    box, runs = mask_runs(field, size)
    assert (runs[1:] > 0).all()  # no run of length 0 but the first
    assert runs.sum() == box[2] * box[3]
    return pixels_of(box, runs)


def interpolated(logits: FloatArray, size: tuple[int, int]) -> FloatArray:
    """torch's bilinear interpolation, the one that SAM and SAM 2 postprocess with."""
    given = torch.from_numpy(logits)[None, None]
    enlarged = torch.nn.functional.interpolate(given, size, mode="bilinear", align_corners=False)[0, 0]
    return np.asarray(enlarged.numpy(), np.float32)


@given(
    seed=st.integers(0, 10_000),
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    size=st.tuples(st.integers(1, 300), st.integers(1, 300)),
)
@settings(max_examples=60, deadline=None)
def test_enlarging_equals_torchs_interpolation_but_where_that_is_zero(
    seed: int, shape: tuple[int, int], size: tuple[int, int]
) -> None:
    rng = np.random.default_rng(seed)
    logits = (rng.normal(size=shape) - rng.uniform(0, 2)).astype(np.float32)
    expected = interpolated(logits, size)
    mask = whole(crop(np.ascontiguousarray(logits.T), size), size)
    clear = np.abs(expected) > 1e-4  # nearer to the threshold the two may round differently
    np.testing.assert_array_equal(mask[clear], expected[clear] > 0)


def test_the_box_is_tight_and_the_pixels_are_in_column_order() -> None:
    logits = np.full((8, 8), -1, np.float32)
    logits[2:4, 5] = 3
    (x, y, width, height), pixels = crop(np.ascontiguousarray(logits.T), (80, 160))
    assert pixels.shape == (height, width)
    assert pixels.flags.f_contiguous
    assert pixels.any(0).all()
    assert pixels[[0, -1]].any(1).all()
    mask = interpolated(logits, (80, 160)) > 0
    ys, xs = np.nonzero(mask)
    assert (x, y, x + width, y + height) == (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)


def test_a_mask_of_no_pixel_has_an_empty_box() -> None:
    bbox, pixels = crop(np.full((8, 8), -1, np.float32), (80, 160))
    assert bbox == (0, 0, 0, 0)
    assert pixels.size == 0


def test_a_sample_between_two_pixels_of_a_smaller_image_may_leave_no_pixel() -> None:
    logits = np.full((9, 9), -9, np.float32)
    logits[4, 3] = 0.1  # pixels of a 4 × 4 image lie at samples 0.625, 2.875, 5.125, 7.375: none near (3, 4)
    assert crop(np.ascontiguousarray(logits.T), (4, 4))[0] == (0, 0, 0, 0)


@pytest.mark.parametrize("size", [(480, 640), (427, 640), (1000, 333), (50, 2000), (30, 20), (1, 4000)])
def test_masks_of_padded_images_go_by_way_of_the_padded_square(size: tuple[int, int]) -> None:
    """As SAM's postprocess_masks: to 1024 × 1024, cut to the resized image, then to the image."""
    rng = np.random.default_rng(1)
    logits = interpolated(rng.normal(size=(24, 24)).astype(np.float32), (256, 256))
    height, width = fitted(size, 1024)
    expected = interpolated(np.ascontiguousarray(interpolated(logits, (1024, 1024))[:height, :width]), size)
    mask = whole(LogitsProposal(0.5, logits, size, padded_side=1024).crop(), size)
    clear = np.abs(expected) > 1e-4
    np.testing.assert_array_equal(mask[clear], expected[clear] > 0)


def test_sides_are_rounded_as_sam_rounds_them() -> None:
    # 427 · 1024 / 640 = 683.2; 333 · 1024 / 1000 = 340.99; 1 · 1024 / 4000 = 0.256, and no image has no row
    assert fitted((427, 640), 1024) == (683, 1024)
    assert fitted((1000, 333), 1024) == (1024, 341)
    assert fitted((1, 4000), 1024) == (1, 1024)
