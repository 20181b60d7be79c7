import numpy as np
import pytest

from whyseg.training.rewards.geometry import bbox_iou, bbox_l1, box_distance, box_iou, inside, point, two_points

NAN = float("nan")


def array(*rows: tuple[float, ...]) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.array(rows, np.float64)


@pytest.mark.parametrize(
    ("predicted", "target", "iou"),
    [
        ((0, 0, 9, 9), (0, 0, 9, 9), 1),
        ((0, 0, 9, 9), (0, 0, 9, 4), 0.5),  # 10 × 5 of 10 × 10
        ((0, 0, 9, 9), (9, 9, 18, 18), 1 / 199),  # they share one pixel: 1 / (100 + 100 − 1)
        ((0, 0, 9, 9), (10, 0, 19, 9), 0),
        ((0, 0, 0, 0), (0, 0, 0, 0), 1),  # a box of one pixel
        ((0.5, 0, 9.5, 9), (0, 0, 9, 9), 95 / 105),  # 9.5 × 10 / (100 + 100 − 95)
        ((9, 9, 0, 0), (0, 0, 9, 9), 0),  # corners swapped: no area
        ((9, 9, 0, 0), (9, 9, 0, 0), 0),
        ((4, 0, 3, 9), (0, 0, 9, 9), 0),
        ((NAN, 0, 9, 9), (0, 0, 9, 9), 0),
        ((-1e7, -1e7, 1e7, 1e7), (0, 0, 9, 9), 100 / (2e7 + 1) ** 2),
    ],
)
def test_iou_counts_pixels_and_a_box_turned_round_has_none(
    predicted: tuple[float, ...], target: tuple[float, ...], iou: float
) -> None:
    assert box_iou(array(predicted), array(target))[0, 0] == pytest.approx(iou, rel=1e-12)


def test_the_iou_must_be_above_a_half() -> None:
    # of a target 10 × 10: 10 × 5 is 0.5, 10 × 6 is 0.6
    boxes = array((0, 0, 9, 4), (0, 0, 9, 5))
    assert bbox_iou(boxes, array((0, 0, 9, 9))).tolist() == [[0], [1]]
    assert bbox_iou(boxes, array((0, 0, 9, 9)), soft=True).tolist() == [[0.5], [0.6]]


def test_boxes_must_differ_by_less_than_ten_pixels_on_average() -> None:
    # 40 / 4 = 10 is too much, 39 / 4 is not; soft: 1 − 10/20, 1 − 9.75/20
    boxes = array((10, 10, 110, 110), (10, 10, 110, 109), (100, 0, 200, 200))
    target = array((0, 0, 100, 100))
    assert bbox_l1(boxes, target).tolist() == [[0], [1], [0]]
    assert bbox_l1(boxes, target, soft=True).tolist() == [[0.5], [0.5125], [0]]
    assert box_distance(boxes, target).tolist() == [[10], [9.75], [75]]


def test_a_point_must_be_nearer_than_30_pixels_and_in_its_own_box() -> None:
    # 18² + 24² = 30²: exactly 30 is too far
    points = array((18, 24), (18, 23), (18, 23), (NAN, NAN))
    boxes = array((0, 0, 50, 50), (0, 0, 50, 50), (0, 0, 50, 22), (0, 0, 50, 50))
    assert point(points, array((0, 0)), boxes).tolist() == [[0], [1], [0], [0]]
    assert point(points, array((0, 0))).tolist() == [[0], [1], [1], [0]]
    assert point(points, array((0, 0)), np.full((4, 4), NAN)).sum() == 0
    assert point(points[:1], array((0, 0)), boxes[:1], soft=True).tolist() == [[0.5]]


def test_a_boxs_edges_belong_to_it() -> None:
    box = (10, 20, 30, 40)
    points = array((10, 20), (30, 40), (9.999, 20), (30, 40.001))
    assert inside(points, array(box, box, box, box)).tolist() == [True, True, False, False]


def test_two_points_are_paired_the_nearer_way_and_their_mean_counts() -> None:
    box = np.array([0.0, 0, 400, 400])
    target = array((0, 0), (300, 0))
    assert two_points(array((300, 0), (0, 0)), target, box) == 1  # the other way round: both exact
    assert two_points(array((0, 199), (300, 0)), target, box) == 1  # (199 + 0) / 2 < 100
    assert two_points(array((0, 200), (300, 0)), target, box) == 0  # exactly 100
    assert two_points(array((0, 200), (300, 0)), target, box, soft=True) == 0.5


def test_two_points_need_both_points_and_the_box_they_lie_in() -> None:
    target = array((0, 0), (50, 0))
    both = array((0, 0), (50, 0))
    assert two_points(both, target, np.array([0.0, 0, 49, 49])) == 0  # the second is outside
    assert two_points(both, target, np.full(4, NAN)) == 0
    assert two_points(both, target) == 1  # no box is asked for
    assert two_points(both[:1], target, np.array([0.0, 0, 60, 60])) == 0
    assert two_points(both, target[:1], np.array([0.0, 0, 60, 60])) == 0
