import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import block
from whyseg.curation.boundary import boundary, boundary_iou, boundary_width
from whyseg.schemas import Mask
from whyseg.schemas.errors import SizeMismatch
from whyseg.schemas.mask import BoolArray

SIZE = (12, 12)


def pixels(*rows: str) -> BoolArray:
    return np.array([[c == "#" for c in row] for row in rows])


def slow_boundary(mask: BoolArray, width: int) -> BoolArray:
    """Every pixel of the mask with a pixel of the background, or of the world around, at most ``width`` away."""
    height, breadth = mask.shape
    found = np.zeros_like(mask)
    for y, x in zip(*np.nonzero(mask), strict=True):
        square = [(j, i) for j in range(y - width, y + width + 1) for i in range(x - width, x + width + 1)]
        found[y, x] = any(not (0 <= j < height and 0 <= i < breadth) or not mask[j, i] for j, i in square)
    return found


def test_the_width_is_two_percent_of_the_diagonal_and_at_least_one() -> None:
    assert boundary_width((480, 640)) == 16  # the diagonal is 800
    assert boundary_width((6, 8)) == 1  # 0.2
    assert boundary_width((3000, 4000)) == 100  # 5000


def test_the_boundary_of_a_block_is_its_rim() -> None:
    whole = Mask.encode(pixels("......", ".####.", ".####.", ".####.", "......"))
    rim = pixels("......", ".####.", ".#..#.", ".####.", "......")
    assert (boundary(whole, 1).decode() == rim).all()
    assert boundary(whole, 2) == whole  # nothing is deeper than two pixels


def test_where_the_image_cuts_a_mask_there_is_boundary() -> None:
    assert (
        boundary(Mask.encode(np.ones((4, 5), bool)), 1).decode() == pixels("#####", "#...#", "#...#", "#####")
    ).all()


def test_a_hole_has_a_boundary() -> None:
    ring = np.ones((7, 7), bool)
    ring[3, 3] = False
    inner = boundary(Mask.encode(ring), 1).decode()[2:5, 2:5]
    assert (inner == pixels("###", "#.#", "###")).all()


def test_two_blocks_agree_less_at_the_edge_than_inside() -> None:
    # 6×6 blocks, the second one column to the right. IoU: 30 / 42. Rims of 20 pixels each share, of the rows on top and
    # at the bottom, 5 pixels each; of the sides none: the first's are columns 0 and 5, the second's 1 and 6. But each
    # side's column lies on the other's rows of top and bottom only. So 10 / (20 + 20 - 10).
    first, second = block(3, 3, 6, 6, SIZE), block(3, 4, 6, 6, SIZE)
    assert first.iou(second) == pytest.approx(30 / 42)
    assert boundary_iou(first, second) == pytest.approx(10 / 30)


def test_the_extremes() -> None:
    one, empty = block(3, 3, 6, 6, SIZE), Mask.empty(SIZE)
    assert boundary_iou(one, one) == boundary_iou(empty, empty) == 1.0
    assert boundary_iou(one, empty) == boundary_iou(one, block(0, 0, 2, 2, SIZE)) == 0.0
    with pytest.raises(SizeMismatch):
        boundary_iou(one, Mask.empty((3, 3)))


@given(st.integers(1, 14), st.integers(1, 14), st.integers(1, 5), st.integers(0, 2**32 - 1))
@settings(derandomize=True, max_examples=80, deadline=None)
def test_it_is_what_a_slow_search_and_repeated_erosion_find(height: int, breadth: int, width: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    mask = random.random((height, breadth)) < random.choice([0.3, 0.9, 0.98])
    found = boundary(Mask.encode(mask), width).decode()
    assert (found == slow_boundary(mask, width)).all()
    framed = cv2.copyMakeBorder(mask.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    eroded = cv2.erode(framed, np.ones((3, 3), np.uint8), iterations=width)[1:-1, 1:-1]
    assert (found == (mask & (eroded == 0))).all()
