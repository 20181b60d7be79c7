import numpy as np
import pytest

from tests.builders import block
from whyseg.schemas import Mask
from whyseg.schemas.errors import SizeMismatch
from whyseg.training.rewards.masks import SAM_R1_TIERS, STAR_TIERS, mask_iou, tiered

SIZE = (10, 20)


def test_ious_of_every_pair_and_none_where_there_is_no_mask() -> None:
    left, right = block(0, 0, 10, 10, SIZE), block(0, 10, 10, 10, SIZE)
    middle = block(0, 5, 10, 10, SIZE)  # shares 50 of 150 pixels with either
    predicted = [left, None, middle, Mask.empty(SIZE)]
    assert mask_iou(predicted, [left, right]).tolist() == [[1, 0], [0, 0], [1 / 3, 1 / 3], [0, 0]]


def test_nothing_on_either_side_is_a_matrix_without_pairs() -> None:
    assert mask_iou([], [block(0, 0, 1, 1, SIZE)]).shape == (0, 1)
    assert mask_iou([None], []).shape == (1, 0)


def test_a_mask_of_another_size_is_a_mistake() -> None:
    with pytest.raises(SizeMismatch, match="predicted mask 2"):
        mask_iou([None, block(0, 0, 1, 1)], [block(0, 0, 1, 1, SIZE)])


TIERS = [(1, 4, 5), (0.91, 4, 5), (0.9, 4, 4), (0.81, 4, 4), (0.8, 3, 3), (0.7, 2, 2), (0.51, 2, 2), (0.5, 0, 1)]


@pytest.mark.parametrize(("iou", "sam_r1", "star"), [*TIERS, (0.3, 0, 0), (0, 0, 0)])
def test_a_tier_begins_above_its_iou(iou: float, sam_r1: float, star: float) -> None:
    assert tiered(np.array([[iou]]), SAM_R1_TIERS).tolist() == [[sam_r1]]
    assert tiered(np.array([[iou]]), STAR_TIERS).tolist() == [[star]]


@pytest.mark.parametrize(("pixels", "star"), [(9, 4), (8, 3), (7, 2), (5, 1), (3, 0)])
def test_an_iou_of_exactly_a_tier_is_not_above_it(pixels: int, star: float) -> None:
    """9 of 10 pixels are 0.9 and not a hair more: division of whole numbers is rounded right."""
    iou = mask_iou([block(0, 0, 1, pixels, SIZE)], [block(0, 0, 1, 10, SIZE)])
    assert tiered(iou, STAR_TIERS).tolist() == [[star]]
