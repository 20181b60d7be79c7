"""Where a segmenter draws an annotated thing's edge elsewhere: a rule that needs no policy.

Each instance's box and deepest pixel go to the segmenter, and its box alone. What comes back says something about the
edge only if it is the same thing (IoU with the annotation) and the segmenter is sure of it: it draws the same from the
box alone, and rates its own mask highly. Then an edge that lies elsewhere (boundary IoU) is proposed.
"""

from collections.abc import Callable
from typing import Annotated

from pydantic import Field

from whyseg.curation.boundary import boundary_iou
from whyseg.curation.segmenters.base import RgbArray
from whyseg.schemas import Box, Instance, Mask, Origin, Point, Prompt, Sample
from whyseg.schemas.record import Record
from whyseg.training.mask_reward import Masks
from whyseg.training.signals import iou
from whyseg.training.targets import TargetInstance

Share = Annotated[float, Field(ge=0, le=1)]


class EdgeLimits(Record):
    """When an edge counts as drawn elsewhere, by the figures of `Edge`; the documentation says what speaks for them."""

    same: Share = 0.6  # below, the segmenter means another thing, and says nothing of this one's edge
    edge: Share = 0.7  # from here on the edges are alike
    steady: Share = 0.95  # below, the segmenter draws something else when it is told less
    sure: Share = 0.9  # below, it does not trust its own mask
    least: Annotated[int, Field(ge=1)] = 64  # pixels: a smaller thing is all edge


LIMITS = EdgeLimits()


class Edge(Record):
    """An instance as it is annotated and as the segmenter draws it.

    ``iou`` (outside the ignore region) and ``boundary_iou``: of the two masks. ``steady``: the IoU of the segmenter's
    masks with and without the point. ``sure``: its own estimate of its mask's IoU.
    """

    before: Instance
    after: Instance
    iou: Share
    boundary_iou: Share
    steady: Share
    sure: float

    def lies_elsewhere(self, limits: EdgeLimits) -> bool:
        """Say whether the same thing is drawn with another edge, surely."""
        same = self.iou >= limits.same and self.boundary_iou < limits.edge
        return same and self.steady >= limits.steady and self.sure >= limits.sure


def edges_elsewhere(
    sample: Sample, masks: Masks, picture: Callable[[], RgbArray], limits: EdgeLimits = LIMITS
) -> list[Edge]:
    """Return the instances whose edge the segmenter draws elsewhere.

    ``picture`` gives the pixels, uint8 (H, W, 3), see `Masks.scored`. Raises ``ModelFailed`` as the segmenter does.
    """
    some = [one for one in sample.instances if one.mask.area >= limits.least]
    prompts = [prompt_of(one.mask) for one in some]
    drawn = masks.scored(sample.image_id, picture, [*prompts, *(Prompt(box=prompt.box) for prompt in prompts)])
    found = []
    for one, prompt, full, less in zip(some, prompts, drawn, drawn[len(some) :], strict=False):
        if full is None or less is None:
            continue
        mask, sure = full
        edge = Edge(
            before=one,
            after=redrawn(one, mask, prompt, masks.segmenter.model),
            iou=iou(mask, one.mask, sample.ignore),
            boundary_iou=boundary_iou(mask, one.mask),
            steady=mask.iou(less[0]),
            sure=sure,
        )
        found.append(edge)
    return [edge for edge in found if edge.lies_elsewhere(limits)]


def prompt_of(mask: Mask) -> Prompt:
    """Return what a mask that has pixels is prompted with: its box and its deepest pixel."""
    target = TargetInstance.of_mask(mask)
    x0, y0, x1, y1 = target.box
    (x, y), *_ = target.points
    return Prompt(box=Box(x0=x0, y0=y0, x1=x1, y1=y1), points=(Point(x=x, y=y),))


def redrawn(instance: Instance, mask: Mask, prompt: Prompt, model: str) -> Instance:
    """Return an instance with the mask that a segmenter made of a prompt."""
    origin = Origin(kind="model", model=model)
    changes = {"mask": mask, "prompt": prompt, "outline": (), "origin": origin}
    return instance.model_copy(update=changes)
