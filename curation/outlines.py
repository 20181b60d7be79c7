"""Outlines: the rings around a mask's pixels, fewer vertices for people to drag, and back to pixels.

A ring is an array (N, 2) of (x, y) in continuous coordinates, where pixel i spans [i, i + 1); its last vertex joins its
first. Several rings together enclose a pixel by the even-odd rule, so parts and holes need no order.

The rule for pixels, the same in ``ui/static``: pixel (i, j) belongs to the mask when an odd number of edges cross its
column's centre line x = i + 0.5 at or above its centre y = j + 0.5. An edge, written from its left end (x0, y0) to its
right end (x1, y1), crosses the line when x0 <= i + 0.5 < x1, at y0 + (i + 0.5 - x0) * (y1 - y0) / (x1 - x0).
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from whyseg.schemas import Mask, Record, Ring
from whyseg.schemas.errors import InvalidRecord
from whyseg.schemas.mask import counts_from_runs, runs_from_counts

RingArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
MAX_SIMPLIFIED = 100_000  # vertices: noise of that many takes 4 s, and the time grows with their square
FARTHEST = 1e9  # in pixels; beyond it a double no longer tells pixels of a 65,535 px picture apart along a long edge


class Outline(Record):
    """A mask's rings, the IoU that they keep of it, and how many vertices they have."""

    rings: tuple[Ring, ...]
    iou: float
    vertices: int


def trace(mask: Mask) -> list[RingArray]:
    """Return the rings along the pixel edges of a mask; ``rasterize`` gives back exactly the mask.

    float64 (N, 2) each, whole numbers, a vertex at each turn and nowhere else. The object is on the right-hand side of
    every edge on the screen: around parts the rings go clockwise, around holes counter-clockwise. No ring meets itself;
    pixels that touch at a corner alone are different rings, or one ring and a hole that touches it there.
    """
    starts, ends = _horizontal_edges(mask)
    # The corners' vertical partners: down each column line they pair up, first with second, third with fourth. Where
    # two pixels touch at a corner it counts twice, in either order: rings that so come to share it are split there.
    corners = np.concatenate([starts, ends])
    order = np.lexsort((corners[:, 1], corners[:, 0]))
    partner = np.empty(len(corners), np.int64)
    partner[order[0::2]], partner[order[1::2]] = order[1::2], order[0::2]
    following = partner[len(starts) :].tolist()  # the next edge: it begins where the vertical one from this edge leads
    rings: list[RingArray] = []
    seen = [False] * len(starts)
    for first in range(len(starts)):
        edges = []
        edge = first
        while not seen[edge]:
            seen[edge] = True
            edges.append(edge)
            edge = following[edge]
        if edges:
            rings += _split(np.stack([starts[edges], ends[edges]], axis=1).reshape(-1, 2))
    return rings


def _horizontal_edges(mask: Mask) -> tuple[IntArray, IntArray]:
    """Return the starts and ends (x, y) of the longest horizontal edges, the object on their right-hand side."""
    height = mask.size[0]
    bounds = np.concatenate([[0], np.cumsum(runs_from_counts(mask.counts))])
    begin, end = bounds[1:-1:2], bounds[2::2]  # the object's runs, down the columns; one may go on in the next column
    first, last = begin // height, (end - 1) // height
    columns = last - first + 1
    run = np.repeat(np.arange(len(begin)), columns)
    x = first[run] + np.arange(len(run)) - np.repeat(np.cumsum(columns) - columns, columns)
    top = np.where(x == first[run], begin[run] - x * height, 0)
    bottom = np.where(x == last[run], end[run] - x * height, height)
    # Unit edges, and where the row, the side or the neighbourhood changes.
    is_top = np.repeat([1, 0], len(x))
    x, y = np.concatenate([x, x]), np.concatenate([top, bottom])
    order = np.lexsort((x, is_top, y))
    x, y, is_top = x[order], y[order], is_top[order]
    new = np.ones(len(x) + 1, bool)
    new[1:-1] = (np.diff(x) != 1) | (np.diff(y) != 0) | (np.diff(is_top) != 0)
    left, right = np.stack([x, y], axis=1)[new[:-1]], np.stack([x + 1, y], axis=1)[new[1:]]
    goes_right = is_top[new[:-1], None] == 1
    return np.where(goes_right, left, right), np.where(goes_right, right, left)


def _split(ring: IntArray) -> list[RingArray]:
    """Cut a ring at the vertices that it visits twice, into rings that do not."""
    points = [tuple(point) for point in ring.tolist()]
    if len(set(points)) == len(points):
        return [ring.astype(np.float64)]
    rings = []
    path: list[tuple[int, ...]] = []
    place: dict[tuple[int, ...], int] = {}
    for point in points:
        if point in place:
            loop = path[place[point] :]
            del path[place[point] :]
            for visited in loop:
                del place[visited]
            rings.append(loop)
        place[point] = len(path)
        path.append(point)
    return [np.array(loop, np.float64) for loop in [*rings, path]]


def rasterize(rings: Iterable[Sequence[Sequence[float]] | npt.NDArray[Any]], size: tuple[int, int]) -> Mask:
    """Return the mask of ``size`` (height, width) whose pixel centres the rings enclose by the even-odd rule.

    Vertices may lie outside the image; a ring of fewer than three vertices encloses nothing. Raises ``InvalidRecord``
    for coordinates that are not finite or farther than 1e9 pixels away.
    """
    height, width = size
    arrays = [np.asarray(ring, np.float64).reshape(-1, 2) for ring in rings]
    arrays = [array for array in arrays if len(array) >= 3]
    if not arrays:
        return Mask.empty(size)
    begin, end = np.concatenate(arrays), np.concatenate([np.roll(array, -1, axis=0) for array in arrays])
    if not (np.abs(begin) <= FARTHEST).all():
        raise InvalidRecord(f"an outline's coordinates must be finite and at most {FARTHEST:g}")
    swap = begin[:, 0] > end[:, 0]
    (x0, y0), (x1, y1) = np.where(swap[:, None], end, begin).T, np.where(swap[:, None], begin, end).T
    # Columns whose centre line the edge crosses: x0 <= i + 0.5 < x1.
    first = np.clip(np.ceil(x0 - 0.5), 0, width).astype(np.int64)
    count = np.clip(np.ceil(x1 - 0.5), 0, width).astype(np.int64) - first
    edge = np.repeat(np.arange(len(count)), count)
    column = first[edge] + np.arange(len(edge)) - np.repeat(np.cumsum(count) - count, count)
    y = y0[edge] + (column + 0.5 - x0[edge]) * (y1[edge] - y0[edge]) / (x1[edge] - x0[edge])
    row = np.clip(np.ceil(y - 0.5), 0, height).astype(np.int64)
    # Every column has an even number of crossings, so the sorted positions are the runs' bounds.
    bounds = np.sort(column * height + row)
    runs = np.diff(bounds, prepend=0, append=height * width)
    return Mask(size=size, counts=counts_from_runs(runs))


def simplify(rings: Sequence[npt.NDArray[Any]], tolerance: float) -> list[RingArray]:
    """Return rings of fewer vertices, none farther than about ``tolerance`` pixels from the given ones.

    Parts and holes stay what they are: no ring vanishes or crosses another (GEOS' topology-preserving Douglas-Peucker).
    Raises ``InvalidRecord`` for more than 100,000 vertices.
    """
    if not tolerance or not rings:
        return [np.asarray(ring, np.float64) for ring in rings]
    vertices = sum(map(len, rings))
    if vertices > MAX_SIMPLIFIED:
        raise InvalidRecord(f"an outline of {vertices} vertices is too ragged to simplify: at most {MAX_SIMPLIFIED}")
    # Each ring as a polygon of its own, holes too: the simplifier looks at the rings' lines alone, all of them at once.
    polygons = shapely.multipolygons([shapely.polygons(ring) for ring in rings])
    simple = shapely.simplify(polygons, tolerance, preserve_topology=True)
    return [shapely.get_coordinates(polygon)[:-1] for polygon in shapely.get_parts(simple)]


def outline(mask: Mask, tolerance: float = 0.0) -> Outline:
    """Trace a mask and simplify its outline; at ``tolerance`` 0 (pixels) it is exact."""
    rings = simplify(trace(mask), tolerance)
    kept = rasterize(rings, mask.size).iou(mask)
    return Outline(
        rings=tuple(tuple(map(tuple, ring.tolist())) for ring in rings), iou=kept, vertices=sum(map(len, rings))
    )
