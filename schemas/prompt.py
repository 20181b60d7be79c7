"""What a person gives a segmenter: points and a box."""

from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from whyseg.schemas.errors import InvalidRecord
from whyseg.schemas.record import Record

FARTHEST = 1e7  # in pixels, far outside any image; beyond it models overflow


def _plain(value: float) -> float:
    return value + 0.0  # −0 becomes 0: equal points have equal hashes


Coordinate = Annotated[float, Field(ge=-FARTHEST, le=FARTHEST), AfterValidator(_plain)]


class Point(Record):
    """A click at (x, y) in pixels of the upright image; whole numbers are pixel centres, (0, 0) the top-left one."""

    x: Coordinate
    y: Coordinate
    positive: bool = True


class Box(Record):
    """A box (x0, y0)–(x1, y1) in the same coordinates as `Point`, with x0 < x1 and y0 < y1."""

    x0: Coordinate
    y0: Coordinate
    x1: Coordinate
    y1: Coordinate

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not (self.x0 < self.x1 and self.y0 < self.y1):
            raise InvalidRecord(f"a box needs x0 < x1 and y0 < y1, got {self.x0},{self.y0},{self.x1},{self.y1}")
        return self


class Prompt(Record):
    """Points in the order they were given, and at most one box; what a segmenter answers with masks."""

    points: tuple[Point, ...] = ()
    box: Box | None = None

    def __bool__(self) -> bool:
        return bool(self.points) or self.box is not None

    def require_inside(self, size: tuple[int, int]) -> None:
        """Raise ``InvalidRecord`` unless the points lie on the image (``size``: height, width) and the box meets it."""
        height, width = size
        for point in self.points:
            if not (-0.5 <= point.x <= width - 0.5 and -0.5 <= point.y <= height - 0.5):
                raise InvalidRecord(
                    f"point {point.x:g},{point.y:g} is outside the {width}×{height} image (width×height)"
                )
        if self.box and not (
            self.box.x1 > -0.5 and self.box.y1 > -0.5 and self.box.x0 < width - 0.5 and self.box.y0 < height - 0.5
        ):
            raise InvalidRecord(f"the box lies outside the {width}×{height} image (width×height)")
