"""Rings through pixel centres, and the two rules that paint them: OpenCV's in LISA, Pillow's in labelme."""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image as PilImage
from PIL import ImageDraw

from whyseg.curation.formats import labelme_shapes, lisa
from whyseg.curation.formats.polygons import Patch, cut, defects, merged, trace_pixels
from whyseg.schemas import Mask
from whyseg.schemas.errors import InvalidRecord

BITMAPS = arrays.arrays(np.bool_, st.tuples(st.integers(1, 11), st.integers(1, 11)))
LOADED = settings(max_examples=200, derandomize=True, deadline=None)


def bitmap(*rows: str) -> npt.NDArray[np.bool_]:
    return np.array([[character == "#" for character in row] for row in rows])


def text(pixels: npt.NDArray[Any]) -> list[str]:
    return ["".join("#" if pixel else "." for pixel in row) for row in pixels]


def points(*pairs: tuple[float, float]) -> npt.NDArray[np.float64]:
    return np.array(pairs, np.float64)


def whole(patch: Patch, size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    canvas = np.zeros(size, bool)
    canvas[patch.window] = patch.pixels
    return canvas


def by_lisas_calls(polygons: list[Any], size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Paint lists of (x, y) as LISA does: one polygon over the other on the whole picture."""
    canvas = np.zeros(size, np.uint8)
    for polygon in polygons:
        corners: Any = np.array([polygon], dtype=np.int32)
        cv2.polylines(canvas, corners, True, 1, 1)
        cv2.fillPoly(canvas, corners, 1)
    return canvas.astype(bool)


def by_lisa(mask: Mask) -> npt.NDArray[np.bool_]:
    return by_lisas_calls([ring.astype(float).tolist() for ring in trace_pixels(cut(mask))], mask.size)


def by_labelme(mask: Mask) -> npt.NDArray[np.bool_]:
    canvas = np.zeros(mask.size, bool)
    for ring in trace_pixels(cut(mask)):
        one = PilImage.new("L", mask.size[::-1])
        ImageDraw.Draw(one).polygon([tuple(point) for point in ring.astype(float).tolist()], outline=1, fill=1)
        canvas |= np.array(one, bool)
    return canvas


@given(BITMAPS)
@LOADED
def test_lisa_and_labelme_paint_exactly_the_mask_that_was_traced(pixels: npt.NDArray[np.bool_]) -> None:
    mask = Mask.encode(pixels)
    rings = trace_pixels(cut(mask))
    assert all(ring.dtype == np.int32 and len(ring) >= 3 for ring in rings)
    assert text(by_lisa(mask)) == text(pixels)
    assert text(by_labelme(mask)) == text(pixels)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.9, 0.98])
def test_larger_noise_with_hundreds_of_parts_and_holes_is_exact_too(share: float) -> None:
    pixels = np.random.default_rng(7).random((90, 120)) < share
    mask = Mask.encode(pixels)
    assert (by_lisa(mask) == pixels).all()
    assert (by_labelme(mask) == pixels).all()


@pytest.mark.parametrize(
    ("rows", "parts"),
    [
        (("....", ".#..", "...."), 1),  # a single pixel: its vertex three times
        (("####",), 1),  # a line of one pixel's width, along two borders of the image
        (("#...", ".#..", "..#."), 1),  # pixels that touch at their corners
        (("#.#", ".#.", "#.#"), 1),  # the same, branching
        (("##..##", "##..##"), 2),
        (("#####", "#...#", "#.#.#", "#...#", "#####"), 2),  # a ring, and an island in its hole
        (("#####", "#.#.#", "#####", "#.#.#", "#####"), 1),  # four holes
        ((".#.", "#.#", ".#."), 1),  # a hole that corners alone enclose
        (("###", "###", "###"), 1),
    ],
)
def test_shapes_with_a_catch(rows: tuple[str, ...], parts: int) -> None:
    mask = Mask.encode(bitmap(*rows))
    assert len(trace_pixels(cut(mask))) == parts
    assert tuple(text(by_lisa(mask))) == rows
    assert tuple(text(by_labelme(mask))) == rows


def test_a_hole_is_reached_over_a_bridge_to_the_left() -> None:
    # A 5×5 square with the middle pixel missing. OpenCV goes round it from (0, 0) counter-clockwise on the screen; the
    # hole's contour is the diamond (1, 2), (2, 1), (3, 2), (2, 3); from its leftmost pixel (1, 2) the run goes on to
    # (0, 2), where the way leaves the outer contour and comes back to it.
    mask = Mask.encode(bitmap("#####", "#####", "##.##", "#####", "#####"))
    (ring,) = trace_pixels(cut(mask))
    expected = [(0, 0), (0, 2), (1, 2), (2, 1), (3, 2), (2, 3), (1, 2), (0, 2), (0, 4), (4, 4), (4, 0)]
    assert [tuple(point) for point in ring.tolist()] == expected


def test_an_empty_mask_has_no_rings() -> None:
    assert trace_pixels(cut(Mask.empty((3, 4)))) == []


def test_lisa_cuts_coordinates_and_paints_the_outline_too() -> None:
    # 1.9 is cut to 1 and 3.9 to 3, so columns 1–3 and rows 1–2; -0.9 is cut to 0.
    patch = lisa.paint(points((1.9, 1.9), (3.9, 1.2), (3.1, 2.9), (1.0, 2.5)), (4, 6))
    assert text(whole(patch, (4, 6))) == ["......", ".###..", ".###..", "......"]
    assert text(whole(lisa.paint(points((-0.9, 0), (1, 0), (1, 0)), (1, 3)), (1, 3))) == ["##."]


def test_the_larger_polygon_is_painted_first_whatever_the_order_of_the_file() -> None:
    small = lisa.paint(points((1, 1), (2, 1), (2, 2), (1, 2)), (4, 5))  # 4 pixels
    large = lisa.paint(points((0, 0), (3, 0), (3, 3), (0, 3)), (4, 5))  # 16 pixels
    for patches, ignored in (([small, large], [True, False]), ([large, small], [False, True])):
        (target,), region = lisa.overlay(patches, ignored, (4, 5))
        assert text(whole(target, (4, 5))) == ["####.", "#..#.", "#..#.", "####."]
        assert text(whole(region, (4, 5))) == [".....", ".##..", ".##..", "....."]
    (target,), region = lisa.overlay([small, large], [False, True], (4, 5))
    assert (target.area, region.area) == (4, 12)
    targets, region = lisa.overlay([small, large], [False, False], (4, 5))
    assert [patch.area for patch in targets] == [4, 16]
    assert region.area == 0


def test_labels_are_read_as_lisa_reads_them() -> None:
    assert lisa.skips("FLAG")
    assert not lisa.skips("flags")
    assert lisa.ignores("Please IGNORE this")
    assert not lisa.ignores("target")


@given(st.lists(st.tuples(st.floats(-30, 40), st.floats(-30, 40)), min_size=3, max_size=8))
@LOADED
def test_painting_a_cut_out_is_painting_the_picture(corners: list[tuple[float, float]]) -> None:
    size, some = (9, 12), points(*corners)
    assert text(whole(lisa.paint(some, size), size)) == text(by_lisas_calls([corners], size))
    for kind in ("polygon", "linestrip"):
        picture = PilImage.new("L", size[::-1])
        if kind == "polygon":
            ImageDraw.Draw(picture).polygon(corners, outline=1, fill=1)
        else:
            ImageDraw.Draw(picture).line(corners, fill=1, width=10, joint="curve")
        assert text(whole(labelme_shapes.paint(kind, some, size), size)) == text(np.array(picture))


@given(st.tuples(*[st.floats(-20, 90)] * 4))
@LOADED
def test_circles_lines_and_points_in_a_cut_out_are_those_in_the_picture(values: tuple[float, ...]) -> None:
    x0, y0, x1, y1 = values
    size, some = (60, 70), points((x0, y0), (x1, y1))
    for kind in ("circle", "line", "rectangle", "point"):
        picture = PilImage.new("L", size[::-1])
        draw = ImageDraw.Draw(picture)
        if kind == "circle":
            radius = float(np.hypot(x1 - x0, y1 - y0))
            draw.ellipse((x0 - radius, y0 - radius, x0 + radius, y0 + radius), outline=1, fill=1)
        elif kind == "point":
            draw.ellipse((x0 - 5, y0 - 5, x0 + 5, y0 + 5), outline=1, fill=1)
        elif kind == "line":
            draw.line([(x0, y0), (x1, y1)], fill=1, width=10)
        else:
            draw.rectangle((min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)), outline=1, fill=1)
        given = some[:1] if kind == "point" else some
        assert text(whole(labelme_shapes.paint(kind, given, size), size)) == text(np.array(picture)), kind


def test_a_polygon_far_to_the_right_is_rounded_as_it_is_there() -> None:
    # Where the long edges cross row 12 Pillow's single precision tells (4, 12) to be in or out by the polygon's place.
    corners, size = points((20, 30), (12, 37), (3, 7)), (41, 5080)
    near = labelme_shapes.paint("polygon", corners, size)
    far = labelme_shapes.paint("polygon", corners + np.array([5039, 0]), size)
    picture = PilImage.new("L", size[::-1])
    ImageDraw.Draw(picture).polygon([(x + 5039, y) for x, y in corners.tolist()], outline=1, fill=1)
    assert text(whole(far, size)) == text(np.array(picture))
    differing = np.argwhere(whole(far, size)[:, 5039:] != whole(near, size)[:, :41])
    assert [tuple(pixel) for pixel in differing.tolist()] == [(12, 4)]


def test_a_circle_of_labelme_spans_its_rim() -> None:
    # Centre (3, 3) and rim (3, 1): radius 2, columns and rows 1–5, the corners off.
    patch = labelme_shapes.paint("circle", points((3, 3), (3, 1)), (7, 7))
    expected = [".......", "..###..", ".#####.", ".#####.", ".#####.", "..###..", "......."]
    assert text(whole(patch, (7, 7))) == expected


def test_a_mask_of_labelme_lies_between_its_corners_and_is_cut_at_the_borders() -> None:
    pixels = bitmap("#.#", ".#.")
    inside = labelme_shapes.paint("mask", points((1, 1), (3, 2)), (4, 5), pixels)
    assert text(whole(inside, (4, 5))) == [".....", ".#.#.", "..#..", "....."]
    outside = labelme_shapes.paint("mask", points((-1, 3), (1, 4)), (4, 5), pixels)
    assert text(whole(outside, (4, 5))) == [".....", ".....", ".....", ".#..."]
    assert labelme_shapes.paint("mask", points((90, 90), (92, 91)), (4, 5), pixels).area == 0
    fractional = labelme_shapes.paint("mask", points((0.6, 0.4), (9.5, 9.5)), (4, 5), pixels)
    assert text(whole(fractional, (4, 5))) == [".#.#.", "..#..", ".....", "....."]
    with pytest.raises(InvalidRecord, match=r"2×3 \(height×width\), its corners span 2×4"):
        labelme_shapes.paint("mask", points((1, 1), (4, 2)), (4, 5), pixels)
    with pytest.raises(InvalidRecord, match="without its pixels"):
        labelme_shapes.paint("mask", points((1, 1), (4, 2)), (4, 5))


@given(BITMAPS, st.integers(0, 3), st.integers(0, 3), st.integers(0, 3), st.integers(0, 3))
@LOADED
def test_a_patch_is_the_mask_of_its_pixels(
    pixels: npt.NDArray[np.bool_], left: int, top: int, right: int, bottom: int
) -> None:
    framed = np.pad(pixels, ((top, bottom), (left, right)))
    assert Patch(left, top, pixels).mask(framed.shape) == Mask.encode(framed)


def test_patches_join() -> None:
    joined = merged([Patch(1, 2, bitmap("#.", "##")), Patch(2, 1, bitmap("#", "."))])
    assert (joined.left, joined.top, text(joined.pixels)) == (1, 1, [".#", "#.", "##"])


def test_polygons_that_leave_the_image_or_meet_themselves_are_found() -> None:
    polygons = [
        points((0, 0), (6, 0), (6, 4), (0, 4)),  # as large as the image
        points((0, 0), (6.5, 0), (3, 3)),
        points((1, -0.5), (3, 0), (3, 3)),
        points((0, 0), (4, 4), (4, 0), (0, 4)),  # crosses itself
        points((0, 0), (4, 0), (2, 2), (4, 4), (0, 4), (2, 2)),  # touches itself at (2, 2)
        points((2, 2), (2, 2), (2, 2)),
        points((0, 1), (1, 2), (1, 2)),
    ]
    assert defects(polygons, (4, 6)) == ([1, 2], [3, 4, 6])
