"""Checks of what was drawn: masks, and the outlines and prompts that made them."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import shapely

from whyseg.curation.checking.base import Remark
from whyseg.schemas import Instance, Sample
from whyseg.schemas.errors import InvalidRecord

MIN_AREA = 16  # pixels: a square of 4×4, where a boundary that is one pixel off leaves an IoU of 0.25 to 0.44
MAX_SHARE = 0.95  # of the image's pixels


def empty_mask(sample: Sample) -> Iterator[Remark]:
    """An instance has no pixel."""
    for instance in sample.instances:
        if not instance.mask.area:
            yield Remark(f"the mask of {_named(instance)} is empty", _key(instance), {"instance": instance.id})


def tiny_mask(sample: Sample) -> Iterator[Remark]:
    """An instance has a few pixels only."""
    for instance in sample.instances:
        if 0 < instance.mask.area < MIN_AREA:
            yield _masked(instance, f"the mask of {_named(instance)} has {instance.mask.area} pixels")


def full_frame_mask(sample: Sample) -> Iterator[Remark]:
    """An instance covers nearly the whole picture."""
    for instance in sample.instances:
        share = instance.mask.area / (sample.size[0] * sample.size[1])
        if share >= MAX_SHARE:
            yield _masked(instance, f"the mask of {_named(instance)} covers {share:.0%} of the picture")


def outside_picture(sample: Sample) -> Iterator[Remark]:
    """An outline or a prompt leaves the picture; a mask itself cannot, its size is the picture's."""
    height, width = sample.size
    for instance in sample.instances:
        for ring in instance.outline:
            for x, y in ring:
                if not (0 <= x <= width and 0 <= y <= height):
                    yield Remark(
                        f"the outline of {_named(instance)} leaves the {width}×{height} picture (width×height)",
                        f"outline {instance.id}",
                        {"instance": instance.id, "point": [x, y]},
                    )
                    break
            else:
                continue
            break
        try:
            instance.prompt.require_inside(sample.size)
        except InvalidRecord as error:
            yield Remark(f"a prompt of {_named(instance)}: {error}", f"prompt {instance.id}", {"instance": instance.id})


def broken_outline(sample: Sample) -> Iterator[Remark]:
    """An outline crosses or touches itself, or encloses nothing."""
    for instance in sample.instances:
        for number, ring in enumerate(instance.outline):
            why, point = _ring_problem(np.asarray(ring, np.float64).reshape(-1, 2))
            if why:
                where = {"instance": instance.id, "ring": number}
                evidence = where if point is None else {**where, "point": point}
                yield Remark(f"the outline of {_named(instance)} {why}", f"{instance.id} {number}", evidence)


def _ring_problem(ring: npt.NDArray[np.float64]) -> tuple[str, list[float] | None]:
    if len(np.unique(ring, axis=0)) < 3:
        return "has fewer than 3 different points", None
    polygon = shapely.Polygon(ring)
    if polygon.is_valid:
        return "", None
    if not shapely.make_valid(polygon).area:  # the ring's own area is signed: that of an 8 is 0
        return "encloses nothing", ring[0].tolist()
    # GEOS names the place in brackets: "Self-intersection[3.5 2]"
    place = shapely.is_valid_reason(polygon).rpartition("[")[2].rstrip("]").split()
    return "crosses or touches itself", [float(value) for value in place]


def _masked(instance: Instance, message: str) -> Remark:
    return Remark(message, _key(instance), {"instance": instance.id, "box": list(instance.mask.box_xyxy)})


def _key(instance: Instance) -> str:
    return str(instance.id)


def _named(instance: Instance) -> str:
    return f"instance {instance.id} ({instance.label})" if instance.label else f"instance {instance.id}"
