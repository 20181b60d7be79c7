"""What one answer to one question is worth: pixels in common, boundary IoU, box IoU; see `protocols` for the rules."""

from typing import Annotated

from pycocotools import mask as coco
from pydantic import Field

from whyseg.curation.boundary import boundary, boundary_width
from whyseg.schemas import Mask, Record, Sample, union
from whyseg.schemas.errors import SizeMismatch
from whyseg.schemas.sample import ReasoningType
from whyseg.training.protocols import Protocol

Box = tuple[float, float, float, float]
BOX_RIGHT = 0.5  # a box is right above this IoU


class Prediction(Record):
    """Somebody's answer to a sample's question.

    ``mask``: None for the empty answer. ``failed``: no answer could be read. ``boxes``: half-open (x0, y0, x1, y1) in
    pixels of the original picture, one an object. ``tokens``: how long the response was. ``text``: the response.
    """

    sample_id: str
    mask: Mask | None = None
    failed: bool = False
    boxes: tuple[Box, ...] = ()
    tokens: Annotated[int, Field(ge=0)] | None = None
    text: str | None = None


class Score(Record):
    """A sample's numbers under one protocol, as they are kept in ``samples.jsonl``.

    ``intersection`` and ``union`` count pixels; ``iou`` and ``boundary_iou`` lie in [0, 1]. ``box_iou``: the best IoU
    of a predicted box with the target's, None unless the sample has exactly one instance with pixels. ``empty``: the
    answer was read, and holds no pixel.
    """

    sample_id: str
    image_id: str
    source_name: str = ""
    reasoning_type: ReasoningType | None = None
    depth: int | None = None
    no_target: bool = False
    failed: bool = False
    empty: bool = False
    intersection: int
    union: int
    iou: float
    boundary_iou: float
    box_iou: float | None = None
    tokens: int | None = None


class Truth:
    """What counts as right for a sample under a protocol: the target's pixels, and the region that does not count."""

    def __init__(self, sample: Sample, protocol: Protocol) -> None:
        self.sample, self.protocol = sample, protocol
        self.target, self.ignore = sample.target(), sample.ignore
        if self.ignore is not None and protocol.ignore == "target":
            self.target, self.ignore = union([self.target, self.ignore], sample.size), None

    def counts(self, answer: Mask | None) -> tuple[int, int, float]:
        """Return I, U and the IoU of an answer, None being a failure.

        Raises ``SizeMismatch`` when its mask is not of the picture's size.
        """
        size = self.sample.size
        if answer is not None and answer.size != size:
            raise SizeMismatch(f"the prediction for sample {self.sample.id}", size, answer.size)
        intersection, joined = overlap(answer or Mask.empty(size), self.target, self.ignore)
        iou = intersection / (joined + self.protocol.epsilon) if joined else self.protocol.empty
        return intersection, joined, iou


def score_answer(sample: Sample, prediction: Prediction, protocol: Protocol) -> Score:
    """Return what a prediction is worth; raises ``SizeMismatch`` when its mask is not of the picture's size."""
    answer = answer_of(prediction, sample.size)
    truth = Truth(sample, protocol)
    intersection, joined, iou = truth.counts(answer)
    edge = 0.0 if joined else protocol.empty
    return Score(
        sample_id=sample.id,
        image_id=sample.image_id,
        source_name=sample.source_name,
        reasoning_type=sample.reasoning_type,
        depth=sample.depth,
        no_target=sample.no_target,
        failed=answer is None,
        empty=answer is not None and not answer.area,
        intersection=intersection,
        union=joined,
        iou=iou,
        boundary_iou=_boundary_iou(answer, truth.target, truth.ignore) if answer is not None and joined else edge,
        box_iou=_box_iou(sample, prediction, answer),
        tokens=prediction.tokens,
    )


def answer_of(prediction: Prediction, size: tuple[int, int]) -> Mask | None:
    """Return the mask that a prediction gives for a picture of ``size``; None for a failure."""
    return None if prediction.failed else prediction.mask or Mask.empty(size)


def overlap(answer: Mask, target: Mask, ignore: Mask | None = None) -> tuple[int, int]:
    """Return |P ∩ T| and |P ∪ T| in pixels outside the ignore region; nothing is unpacked.

    >>> import numpy as np
    >>> row = lambda *pixels: Mask.encode(np.array([pixels]))
    >>> overlap(row(1, 1, 1, 0), row(0, 1, 1, 1)), overlap(row(1, 1, 1, 0), row(0, 1, 1, 1), row(1, 0, 1, 0))
    ((2, 4), (1, 2))
    """
    both = coco.merge([answer.coco(), target.coco()], intersect=True)
    either = coco.merge([answer.coco(), target.coco()])
    counted = [int(coco.area(pixels)) for pixels in (both, either)]
    if ignore is not None:
        hidden = [coco.merge([pixels, ignore.coco()], intersect=True) for pixels in (both, either)]
        counted = [area - int(coco.area(pixels)) for area, pixels in zip(counted, hidden, strict=True)]
    return counted[0], counted[1]


def box_iou(one: Box, other: Box) -> float:
    """Return the IoU of two half-open boxes (x0, y0, x1, y1), in [0, 1]; 0 where neither has an area.

    >>> box_iou((0, 0, 2, 2), (1, 0, 3, 2)) == 2 / 6
    True
    """
    width = max(0.0, min(one[2], other[2]) - max(one[0], other[0]))
    height = max(0.0, min(one[3], other[3]) - max(one[1], other[1]))
    areas = sum(max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1]) for box in (one, other))
    joined = areas - width * height
    return width * height / joined if joined > 0 else 0.0


def _boundary_iou(answer: Mask, target: Mask, ignore: Mask | None) -> float:
    """Return the boundary IoU of two masks, one of which has pixels outside the ignore region."""
    if ignore is not None and ignore.area:
        kept = ~ignore.decode()
        answer, target = Mask.encode(answer.decode() & kept), Mask.encode(target.decode() & kept)
    width = boundary_width(target.size)
    return boundary(answer, width).iou(boundary(target, width))


def _box_iou(sample: Sample, prediction: Prediction, answer: Mask | None) -> float | None:
    """Return the best IoU of a predicted box, else of the mask's, with the box of the one instance there is."""
    shown = [instance.mask for instance in sample.instances if instance.mask.area]
    if len(shown) != 1:
        return None
    boxes = prediction.boxes or ((answer.box_xyxy,) if answer is not None and answer.area else ())
    return max((box_iou(box, shown[0].box_xyxy) for box in boxes), default=0.0)
