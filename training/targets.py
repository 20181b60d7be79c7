"""What an answer is compared with: a sample's instances as boxes, points and masks, in original pixels."""

from typing import Annotated, Any, Self

import cv2
import numpy as np
from pydantic import Field, model_validator

from whyseg.curation.formats.geometry import deepest_pixel, pixels_of
from whyseg.schemas import Mask, Sample
from whyseg.schemas.errors import InvalidRecord, SizeMismatch
from whyseg.schemas.mask import Side
from whyseg.schemas.prompt import FARTHEST
from whyseg.schemas.record import Record
from whyseg.training.answers import Corners, Xy

Coordinate = Annotated[float, Field(ge=-FARTHEST, le=FARTHEST)]


class TargetInstance(Record):
    """One object that an answer should find, in pixels of the original image.

    ``box``: half-open (x1, y1, x2, y2) = (xmin, ymin, xmax + 1, ymax + 1). ``points``: the deepest pixel (x, y) and,
    where a mask is known, a second one. ``mask`` is None where a source gives boxes and points only.
    """

    mask: Mask | None = None
    box: Corners
    points: Annotated[tuple[Xy, ...], Field(min_length=1)]
    label: str = ""

    @classmethod
    def of_mask(cls, mask: Mask, label: str = "") -> Self:
        """Take box and points from a mask; raise ``InvalidRecord`` for an empty one.

        The first point is the deepest pixel: the one farthest from any pixel outside. The second is the deepest of
        those farther from the first than the median pixel is, as Seg-Zero's training sets are made.
        """
        if not mask.area:
            raise InvalidRecord("an instance's mask is empty")
        x1, y1, x2, y2 = mask.box_xyxy
        return cls(mask=mask, box=(x1, y1, x2, y2), points=two_points(mask), label=label)


class Target(Record):
    """The instances that answer a question, and the (height, width) of their image; no instance: nothing answers it."""

    size: tuple[Side, Side]
    instances: tuple[TargetInstance, ...] = ()

    @model_validator(mode="after")
    def _one_size(self) -> Self:
        for number, instance in enumerate(self.instances, 1):
            if instance.mask is not None and instance.mask.size != self.size:
                raise SizeMismatch(f"instance {number}", self.size, instance.mask.size)
        return self

    @property
    def has_masks(self) -> bool:
        """Whether every instance has its mask."""
        return all(instance.mask is not None for instance in self.instances)

    @classmethod
    def from_sample(cls, sample: Sample) -> Self:
        """Return the target of a sample; raise ``InvalidRecord`` when it has none, or an instance without a pixel."""
        if not sample.instances and not sample.no_target:
            raise InvalidRecord(f"sample {sample.id} has no instance and is not marked as no-target")
        for instance in sample.instances:
            if not instance.mask.area:
                raise InvalidRecord(f"sample {sample.id}: the mask of instance {instance.id} is empty")
        found = tuple(TargetInstance.of_mask(instance.mask, instance.label) for instance in sample.instances)
        return cls(size=sample.size, instances=found)

    @classmethod
    def from_json(cls, data: Any) -> Self:
        """Read ``{"size": [h, w], "instances": [{"rle", "bbox_2d", "point_2d", "points", "label"}]}``.

        Coordinates are original pixels and may be fractions. An instance has an ``rle``, or ``bbox_2d`` and
        ``point_2d`` (or ``points``, a list of several); what is missing is taken from the mask. Raises
        ``InvalidRecord`` for anything else.

        >>> Target.from_json({"size": [9, 9], "instances": [{"bbox_2d": [1, 1, 5, 6], "point_2d": [3, 3.5]}]}).size
        (9, 9)
        """
        if not isinstance(data, dict):
            raise InvalidRecord(f"a target is an object with size and instances, got {type(data).__name__}")
        given = TargetJson.parse(data)
        found = []
        for number, instance in enumerate(given.instances, 1):
            if instance.rle is not None and instance.rle.size != given.size:
                raise SizeMismatch(f"instance {number}", given.size, instance.rle.size)
            try:
                found.append(instance.read())
            except InvalidRecord as error:
                raise InvalidRecord(f"instance {number}: {error}") from error
        return cls(size=given.size, instances=tuple(found))


def two_points(mask: Mask) -> tuple[Xy, Xy]:
    """Return the two points (x, y) of a mask that is not empty, by the rule of `TargetInstance.of_mask`.

    Of equally deep second points the farthest from the first is taken, of those the first in reading order; a mask
    whose pixels are all equally far has its first point twice.
    """
    x0, y0, x1, y1 = mask.box_xyxy
    pixels = pixels_of(mask)
    x, y = deepest_pixel(pixels, mask.box_xyxy)
    padded = np.zeros((y1 - y0 + 2, x1 - x0 + 2), np.uint8)
    padded[1:-1, 1:-1] = pixels[y0:y1, x0:x1]
    depth = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_5)
    ys, xs = np.nonzero(padded)
    far = (xs - 1 + x0 - x) ** 2 + (ys - 1 + y0 - y) ** 2
    outer = np.flatnonzero(far > np.median(far))
    if not len(outer):
        return (x, y), (x, y)
    deep = depth[ys[outer], xs[outer]]
    deepest = outer[deep == deep.max()]  # of millions of pixels a few: only these are put in order
    best = deepest[np.lexsort((xs[deepest], ys[deepest], -far[deepest]))[0]]
    return (x, y), (int(xs[best]) - 1 + x0, int(ys[best]) - 1 + y0)


class InstanceJson(Record):
    """An instance as `Target.from_json` takes it; null is as good as left out."""

    rle: Mask | None = None
    bbox_2d: tuple[Coordinate, Coordinate, Coordinate, Coordinate] | None = None
    point_2d: tuple[Coordinate, Coordinate] | None = None
    points: tuple[tuple[Coordinate, Coordinate], ...] | None = None
    label: str | None = None

    def read(self) -> TargetInstance:
        """Return the instance; raise ``InvalidRecord`` where box or point are neither given nor in a mask."""
        derived = TargetInstance.of_mask(self.rle) if self.rle is not None else None
        box = self.bbox_2d or (derived.box if derived else None)
        points = self.points or ((self.point_2d,) if self.point_2d else ())
        if derived and len(points) < 2:
            points = (*points, derived.points[1]) if points else derived.points
        if box is None or not points:
            raise InvalidRecord("neither rle, nor both bbox_2d and point_2d")
        if not (box[0] < box[2] and box[1] < box[3]):
            raise InvalidRecord(f"bbox_2d is [x1, y1, x2, y2] with x1 < x2 and y1 < y2, got {list(box)}")
        return TargetInstance(mask=self.rle, box=box, points=points, label=self.label or "")


class TargetJson(Record):
    """A target as `Target.from_json` takes it."""

    size: tuple[Side, Side]
    instances: tuple[InstanceJson, ...]
