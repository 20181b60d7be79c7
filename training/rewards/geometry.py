"""Terms that compare boxes and points; matrices of M predictions × N target instances.

All coordinates are float64 in the canvas of 840 × 840, boxes (x1, y1, x2, y2), points (x, y). What a prediction lacks
is NaN, and compares as wrong. ``soft`` is Seg-Zero's ablation "soft accuracy", in our reading: the IoU itself, and for
a distance d with limit t the line 1 − d / 2t, at least 0, so that the limit is worth a half.
"""

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
CANVAS = 840  # the side of the canvas that the limits are of
BOX_IOU = 0.5  # above it a box is right
BOX_L1 = 10.0  # pixels: below it, too
POINT = 30.0  # pixels between VisionReasoner's point and the target's
TWO_POINTS = 100.0  # pixels, the mean of Seg-Zero's two


def box_iou(predicted: FloatArray, target: FloatArray) -> FloatArray:
    """Return the IoU (M, N), in [0, 1], of boxes (M, 4) and (N, 4), as the papers' code counts it.

    Sides have one pixel more than the difference of their corners. A box whose corners are swapped has no area.

    >>> box_iou(np.array([[0.0, 0, 9, 9]]), np.array([[0.0, 0, 9, 4], [10, 0, 19, 9]])).tolist()
    [[0.5, 0.0]]
    """
    sides = np.clip(
        np.minimum(predicted[:, None, 2:], target[None, :, 2:])
        - np.maximum(predicted[:, None, :2], target[None, :, :2])
        + 1,
        0,
        None,
    )
    common = sides.prod(-1)
    areas = [np.clip(boxes[:, 2:] - boxes[:, :2] + 1, 0, None).prod(-1) for boxes in (predicted, target)]
    union = areas[0][:, None] + areas[1][None] - common
    return np.asarray(np.divide(common, union, out=np.zeros_like(common), where=union > 0))


def box_distance(predicted: FloatArray, target: FloatArray) -> FloatArray:
    """Return the mean |difference| (M, N), in pixels, of the four coordinates of boxes (M, 4) and (N, 4).

    >>> box_distance(np.array([[0.0, 0, 10, 10]]), np.array([[4.0, 0, 10, 14]])).tolist()
    [[2.0]]
    """
    return np.asarray(np.abs(predicted[:, None] - target[None]).mean(-1))


def point_distance(predicted: FloatArray, target: FloatArray) -> FloatArray:
    """Return the Euclidean distance (M, N), in pixels, of points (M, 2) and (N, 2).

    >>> point_distance(np.array([[0.0, 0]]), np.array([[3.0, 4]])).tolist()
    [[5.0]]
    """
    return np.asarray(np.hypot(*np.moveaxis(predicted[:, None] - target[None], -1, 0)))


def inside(points: FloatArray, boxes: FloatArray) -> BoolArray:
    """Say of each of the points (M, 2) whether it lies in the box of its row (M, 4); the edges belong to the box."""
    return np.asarray(((points >= boxes[:, :2]) & (points <= boxes[:, 2:])).all(-1))


def bbox_iou(predicted: FloatArray, target: FloatArray, *, soft: bool = False) -> FloatArray:
    """Return 1 where the boxes' IoU is above 0.5, else 0: (M, N)."""
    iou = box_iou(predicted, target)
    return iou if soft else (iou > BOX_IOU).astype(np.float64)


def bbox_l1(predicted: FloatArray, target: FloatArray, *, soft: bool = False) -> FloatArray:
    """Return 1 where the boxes' coordinates differ by less than 10 pixels on average, else 0: (M, N)."""
    return _near(box_distance(predicted, target), BOX_L1, soft)


def point(
    predicted: FloatArray, target: FloatArray, boxes: FloatArray | None = None, *, soft: bool = False
) -> FloatArray:
    """Return 1 where a point is less than 30 pixels from the target's and in its own predicted box, else 0: (M, N).

    VisionReasoner's and StAR's. ``boxes``: the predicted ones (M, 4); None where none are asked for.
    """
    near = _near(point_distance(predicted, target), POINT, soft)
    return near if boxes is None else near * inside(predicted, boxes)[:, None]


def two_points(
    predicted: FloatArray, target: FloatArray, box: FloatArray | None = None, *, soft: bool = False
) -> float:
    """Return 1 when both points are in the predicted box and less than 100 pixels off on average, else 0.

    Seg-Zero's point reward. ``predicted`` and ``target``: (2, 2), paired the nearer of the two ways; ``box``: (4,),
    None where none is asked for. Fewer than two points: 0.

    >>> two_points(np.array([[0.0, 0], [50, 0]]), np.array([[50.0, 0], [0, 99]]), np.array([0.0, 0, 60, 60]))
    1.0
    """
    if len(predicted) != 2 or len(target) != 2:
        return 0.0
    if box is not None and not inside(predicted, np.stack([box, box])).all():
        return 0.0
    distance = point_distance(predicted, target)
    mean = min(distance[0, 0] + distance[1, 1], distance[0, 1] + distance[1, 0]) / 2
    return float(_near(np.array(mean), TWO_POINTS, soft))


def _near(distance: FloatArray, limit: float, soft: bool) -> FloatArray:
    if not soft:
        return (distance < limit).astype(np.float64)
    return np.nan_to_num(np.clip(1 - distance / (2 * limit), 0, 1))
