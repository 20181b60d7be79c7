import cv2
import numpy as np
import numpy.typing as npt
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from whyseg.curation.outlines import MAX_SIMPLIFIED, outline, rasterize, simplify, trace
from whyseg.schemas import Mask
from whyseg.schemas.errors import InvalidRecord

Pixels = npt.NDArray[np.bool_]


def mask_of(*rows: str) -> Mask:
    return Mask.encode(np.array([[c == "#" for c in row] for row in rows]))


def rings_of(mask: Mask) -> list[list[tuple[int, ...]]]:
    return [[tuple(map(int, point)) for point in ring] for ring in trace(mask)]


def signed_area(ring: npt.NDArray[np.float64]) -> float:
    x, y = ring.T
    return float((x * np.roll(y, -1) - np.roll(x, -1) * y).sum() / 2)


pixels = hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12))


def test_one_pixel_is_a_square_along_its_edges() -> None:
    assert rings_of(mask_of("...", "..#")) == [[(2, 1), (3, 1), (3, 2), (2, 2)]]


def test_an_empty_mask_has_no_rings() -> None:
    assert trace(Mask.empty((3, 4))) == []
    assert rasterize([], (3, 4)) == Mask.empty((3, 4))


def test_a_hole_is_a_ring_that_goes_the_other_way_round() -> None:
    outer, hole = trace(mask_of("###", "#.#", "###"))
    assert (signed_area(outer), signed_area(hole)) == (9, -1)


def test_pixels_that_touch_at_a_corner_are_different_rings() -> None:
    assert sorted(rings_of(mask_of("#.", ".#"))) == [
        [(0, 0), (1, 0), (1, 1), (0, 1)],
        [(1, 1), (2, 1), (2, 2), (1, 2)],
    ]


def test_an_object_that_meets_itself_at_a_corner_is_a_ring_and_a_hole() -> None:
    # The object's 7 pixels run round the middle from (1, 0) to (0, 1), which touch at the corner (1, 1).
    rings = trace(mask_of(".##", "#.#", "###"))
    assert sorted(map(signed_area, rings)) == [-1, 8]
    assert all(shapely.is_valid(shapely.polygons(ring)) for ring in rings)


def test_a_full_image_has_its_border_as_the_only_ring() -> None:
    assert rings_of(Mask.encode(np.ones((2, 5), bool))) == [[(0, 0), (5, 0), (5, 2), (0, 2)]]


@settings(max_examples=300)
@given(pixels)
def test_tracing_and_rasterising_gives_back_every_pixel(array: Pixels) -> None:
    mask = Mask.encode(array)
    assert rasterize(trace(mask), mask.size) == mask


@given(pixels)
def test_rings_are_simple_and_their_areas_add_up(array: Pixels) -> None:
    rings = trace(Mask.encode(array))
    areas = [signed_area(ring) for ring in rings]
    assert sum(areas) == array.sum()
    parts = cv2.connectedComponents(array.astype(np.uint8), connectivity=4)[0] - 1
    assert sum(area > 0 for area in areas) == parts
    for ring in rings:
        assert len({tuple(point) for point in ring}) == len(ring)
        turns = np.diff(np.concatenate([ring, ring[:2]]), axis=0)
        assert ((turns[:-1] == 0) != (turns[1:] == 0)).all()  # horizontal and vertical edges take turns


@pytest.mark.parametrize("density", [0.02, 0.5, 0.98])
def test_a_large_mask_of_many_parts_and_holes_is_traced_exactly(density: float) -> None:
    mask = Mask.encode(np.random.default_rng(3).random((157, 211)) < density)
    assert rasterize(trace(mask), mask.size) == mask


coordinate = st.floats(-30, 40, allow_nan=False)
ring = st.lists(st.tuples(coordinate, coordinate), min_size=3, max_size=8)


@settings(max_examples=200)
@given(st.lists(ring, min_size=1, max_size=3))
def test_a_pixel_belongs_to_the_mask_when_the_rings_enclose_its_centre(rings: list[list[tuple[float, float]]]) -> None:
    height, width = 9, 11
    expected = np.zeros((height, width), bool)
    for j in range(height):
        for i in range(width):
            crossings = 0
            for points in rings:
                for a, b in zip(points, points[1:] + points[:1], strict=True):
                    (x0, y0), (x1, y1) = (b, a) if a[0] > b[0] else (a, b)
                    crossings += x0 <= i + 0.5 < x1 and y0 + (i + 0.5 - x0) * (y1 - y0) / (x1 - x0) <= j + 0.5
            expected[j, i] = crossings % 2
    np.testing.assert_array_equal(rasterize(rings, (height, width)).decode(), expected)


def test_a_polygon_is_filled_as_geometry_says() -> None:
    # A triangle whose edges pass no pixel centre; shapely judges each centre.
    triangle = [(0.3, 0.2), (9.1, 2.7), (3.6, 8.9)]
    polygon = shapely.Polygon(triangle)
    expected = [[polygon.contains(shapely.Point(i + 0.5, j + 0.5)) for i in range(10)] for j in range(10)]
    np.testing.assert_array_equal(rasterize([triangle], (10, 10)).decode(), expected)


def test_vertices_outside_the_image_are_fine() -> None:
    assert rasterize([[(-100, -100), (100, -100), (100, 100), (-100, 100)]], (4, 6)).area == 24
    assert rasterize([[(-9, 1), (2, 1), (2, 99), (-9, 99)]], (4, 6)) == mask_of("......", "##....", "##....", "##....")


def test_a_ring_inside_a_ring_is_a_hole_and_lines_enclose_nothing() -> None:
    square, inner = [(0, 0), (4, 0), (4, 4), (0, 4)], [(1, 1), (3, 1), (3, 3), (1, 3)]
    assert rasterize([square, inner, [(0, 0), (4, 4)]], (4, 4)) == mask_of("####", "#..#", "#..#", "####")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e300])
def test_a_coordinate_that_is_no_place_is_refused(value: float) -> None:
    with pytest.raises(InvalidRecord, match="finite"):
        rasterize([[(0, 0), (value, 1), (1, 1)]], (4, 4))


def test_simplifying_keeps_every_part_and_hole_and_most_pixels() -> None:
    yy, xx = np.mgrid[:200, :300]
    disc = np.hypot(yy - 100, xx - 100) < 80
    mask = Mask.encode((disc & (np.hypot(yy - 100, xx - 100) > 30)) | (np.hypot(yy - 100, xx - 250) < 20))
    exact, simple = outline(mask), outline(mask, 1.0)
    assert exact.iou == 1.0
    assert len(simple.rings) == len(exact.rings) == 3
    assert simple.vertices < exact.vertices / 5
    assert simple.iou > 0.98
    assert simple.iou == rasterize(simple.rings, mask.size).iou(mask)


@settings(max_examples=50)
@given(pixels, st.floats(0.1, 5))
def test_simplified_rings_do_not_cross(array: Pixels, tolerance: float) -> None:
    rings = trace(Mask.encode(array))
    simple = simplify(rings, tolerance)
    assert len(simple) == len(rings)
    polygons = [shapely.polygons(ring) for ring in simple]
    assert all(shapely.is_valid(polygon) for polygon in polygons)
    assert not any(a.overlaps(b) for a in polygons for b in polygons)


def test_an_outline_too_ragged_to_simplify_is_refused_but_traced() -> None:
    # A chessboard's pixels touch at corners alone: 320 × 320 / 2 squares of four vertices are 204,800.
    board = Mask.encode(np.indices((320, 320)).sum(axis=0) % 2)
    assert outline(board).vertices == 204_800 > MAX_SIMPLIFIED
    with pytest.raises(InvalidRecord, match="too ragged"):
        outline(board, 1.0)
