import pytest

from whyseg.schemas.errors import UsageError
from whyseg.training.frames import Frame

SIZE = (480, 640)  # height, width


def test_original_pixels_are_themselves() -> None:
    assert Frame("pixels").extent(SIZE) == (640, 480)
    assert Frame("pixels").to_pixels((12.5, 3), SIZE).tolist() == [12.5, 3]


def test_a_canvas_squashes_each_side_by_its_own_factor() -> None:
    # x: 320 × 840/640 = 420; y: 120 × 840/480 = 210
    assert Frame("canvas_840").from_pixels((320, 120), SIZE).tolist() == [420, 210]
    assert Frame("canvas_840").to_pixels((420, 210), SIZE).tolist() == [320, 120]


def test_the_grid_reaches_from_0_to_1000_on_both_sides() -> None:
    assert Frame("grid_1000").to_pixels([[0, 0], [1000, 1000]], SIZE).tolist() == [[0, 0], [640, 480]]


def test_boxes_are_scaled_corner_by_corner() -> None:
    # x by 1000/640 = 1.5625, y by 1000/480
    assert Frame("grid_1000").from_pixels((64, 48, 128, 96), SIZE).tolist() == [100, 100, 200, 200]


def test_many_boxes_at_once_and_none_at_all() -> None:
    assert Frame("canvas_840").to_pixels([[[840, 840, 840, 840]]], SIZE).shape == (1, 1, 4)
    assert Frame("canvas_840").to_pixels([], SIZE).shape == (0,)


@pytest.mark.parametrize(
    "name", ["", "canvas", "canvas_0", "canvas_-3", "canvas_8e2", "grid_999", "canvas_８４０", "a\n"]
)
def test_any_other_name_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="a frame is pixels, grid_1000 or canvas_N"):
        Frame.parse(name)


def test_space_around_a_name_does_not_count() -> None:
    assert Frame.parse(" grid_1000\n") == Frame("grid_1000")
