"""A preset's reward: its terms, weighed and added up."""

from collections.abc import Callable, Sequence
from math import fsum
from typing import Self

import numpy as np

from whyseg.schemas import Mask
from whyseg.schemas.errors import UsageError
from whyseg.schemas.record import Record
from whyseg.training.answers import Answer, ParseFailure, Reply, understand
from whyseg.training.frames import Frame
from whyseg.training.presets import PairName, Preset, RewardSpec, TermName, load_preset
from whyseg.training.rewards import formats, geometry, masks
from whyseg.training.rewards.case import Case
from whyseg.training.rewards.geometry import FloatArray
from whyseg.training.rewards.matching import matched
from whyseg.training.targets import Target


class Scored(Record):
    """What an answer is worth: each term with its weight in it, and their sum."""

    preset: str
    frame: str
    terms: dict[str, float]
    total: float


class Reward:
    """The reward of a preset. ``maximum``: what a perfect answer has."""

    def __init__(self, preset: Preset) -> None:
        self.preset = preset
        self.spec = preset.reward
        self.needs_masks = self.spec.needs_masks
        self.maxima: dict[str, float] = {
            name: weight * term_maximum(name, self.spec) for name, weight in self.spec.active_terms().items()
        }
        self.maximum = fsum(self.maxima.values())

    @classmethod
    def of(cls, preset: Preset | str) -> Self:
        """Return the reward of a preset, or of the one with that name or file."""
        return cls(load_preset(preset) if isinstance(preset, str) else preset)

    def read(self, text: str) -> Answer | ParseFailure:
        """Read an answer as `score` does, without repairs: the form is rewarded. Masks are of its things, in order."""
        return self._understood(Reply.read(text, repair=False))

    def score(
        self, text: str, target: Target, masks: Sequence[Mask | None] | None = None, *, frame: Frame | None = None
    ) -> Scored:
        """Return what an answer is worth; whatever the text, the result is a value.

        ``masks``: one for each thing that `read` finds, in order, None where the segmenter made none; wanted where
        ``needs_masks``, else not looked at, nor where the answer could not be read. ``frame``: the policy's, by default
        the preset's. Raises ``UsageError`` for masks or a target that the preset cannot be scored with.

        >>> box = {"bbox_2d": [10, 10, 50, 50], "point_2d": [30, 30]}
        >>> target = Target.from_json({"size": [840, 840], "instances": [box]})
        >>> text = '<think>a cup</think><answer>[{"bbox_2d": [10, 10, 50, 50], "point_2d": [30, 60]}]</answer>'
        >>> Reward.of("vision_reasoner_7b").score(text, target).terms
        {'thinking_format': 1.0, 'answer_format': 2.0, 'accuracy': 2.0, 'non_repeat': 1.0}
        """
        frame = frame or self.preset.frame
        self.require_fitting(target)
        reply = Reply.read(text, repair=False)
        answer = self._understood(reply)
        labelled = self.preset.policy.answer == "list_label"
        case = Case(self.spec, reply, answer, target, frame, self._fitting(answer, masks), labelled)
        terms: dict[str, float] = {
            name: weight * _TERMS[name](case) for name, weight in self.spec.active_terms().items()
        }
        total = min(fsum(terms.values()), self.maximum)  # weights such as 0.1 may add up to a hair more
        return Scored(preset=self.preset.name, frame=frame.name, terms=terms, total=total)

    def require_fitting(self, target: Target) -> None:
        """Raise ``UsageError`` for a target that this preset's answers cannot be compared with."""
        name, count = self.preset.name, len(target.instances)
        if self.spec.single_object and count != 1:
            raise UsageError(f"{name} takes targets of one instance, got {count}")
        if "point_l1" in self.maxima and len(target.instances[0].points) < 2:
            raise UsageError(f"{name} compares two points, but the target has one and no mask to take another from")
        if self.needs_masks and not target.has_masks:
            raise UsageError(f"{name} compares masks, but the target has an instance without one (rle)")

    def _understood(self, reply: Reply) -> Answer | ParseFailure:
        return understand(reply, self.preset.policy.answer, repair=False, soft=self.spec.format == "soft")

    def _fitting(self, answer: Answer | ParseFailure, masks: Sequence[Mask | None] | None) -> Sequence[Mask | None]:
        count = len(answer.things) if isinstance(answer, Answer) else 0
        if not self.needs_masks or not count:
            return ()
        if masks is None or len(masks) != count:
            got = "none" if masks is None else len(masks)
            raise UsageError(f"{self.preset.name} needs a mask for each of the {count} predicted objects, got {got}")
        return masks


def term_maximum(name: TermName, spec: RewardSpec) -> float:
    """Return the largest value of a term, before its weight."""
    highest = spec.tiers[0][1] if spec.tiers else 0.0
    if name == "accuracy":
        return fsum(highest if part == "mask" else 1.0 for part in spec.active_pair())
    return {"answer_format": 2.0, "mask_iou": highest}.get(name, 1.0)


def fields_of(spec: RewardSpec, labelled: bool) -> tuple[formats.Field, ...]:
    """Return the fields that an answer's items are to have after the ablations."""
    geometry: dict[str, tuple[formats.Field, ...]] = {"both": ("bbox", "point"), "box": ("bbox",), "points": ("point",)}
    return (*geometry[spec.geometry], *(("label",) if labelled and spec.label else ()))


def _thinking_format(case: Case) -> float:
    return formats.thinking_format(case.reply.text)


def _segmentation_format(case: Case) -> float:
    return formats.segmentation_format(case.reply.data, fields_of(case.spec, False), soft=case.spec.format == "soft")


def _answer_format(case: Case) -> float:
    if case.rightly_empty and case.reply.data == []:
        return 2.0
    return formats.answer_format(case.reply.data, fields_of(case.spec, case.labelled))


def _non_repeat(case: Case) -> float:
    return formats.non_repeat(case.reply.thinking)


def _bbox_iou(case: Case) -> float:
    return _one(geometry.bbox_iou(case.boxes(), case.target_boxes(), soft=case.soft))


def _bbox_l1(case: Case) -> float:
    return _one(geometry.bbox_l1(case.boxes(), case.target_boxes(), soft=case.soft))


def _point_l1(case: Case) -> float:
    box = case.boxes()[0] if case.things and case.spec.geometry == "both" else None
    return geometry.two_points(case.two_points(), case.two_target_points(), box, soft=case.soft)


def _mask_iou(case: Case) -> float:
    return _one(masks.tiered(_ious(case), case.spec.tiers))


def _accuracy(case: Case) -> float:
    """Hungarian matching over the parts of a pair; the full value where rightly nothing is named."""
    if case.rightly_empty:
        return term_maximum("accuracy", case.spec)
    if not case.things or not case.target.instances:
        return 0.0
    return matched(np.sum([_PARTS[part](case) for part in case.spec.active_pair()], axis=0))


def _count_bonus(case: Case) -> float:
    """StAR's: 1 when as many things are named as there are; none of either counts where no-target samples are taken."""
    same = len(case.things) == len(case.target.instances)
    return float(same and (bool(case.things) or case.rightly_empty))


def _part_point(case: Case) -> FloatArray:
    boxes = case.boxes() if case.spec.geometry == "both" else None
    return geometry.point(case.points(), case.target_points(), boxes, soft=case.soft)


def _ious(case: Case) -> FloatArray:
    return masks.mask_iou(case.masks, [instance.mask for instance in case.target.instances if instance.mask])


def _one(matrix: FloatArray) -> float:
    return float(matrix[0, 0]) if matrix.size else 0.0


_TERMS: dict[TermName, Callable[[Case], float]] = {
    "thinking_format": _thinking_format,
    "segmentation_format": _segmentation_format,
    "answer_format": _answer_format,
    "bbox_iou": _bbox_iou,
    "bbox_l1": _bbox_l1,
    "point_l1": _point_l1,
    "mask_iou": _mask_iou,
    "accuracy": _accuracy,
    "count_bonus": _count_bonus,
    "non_repeat": _non_repeat,
}
_PARTS: dict[PairName, Callable[[Case], FloatArray]] = {
    "mask": lambda case: masks.tiered(_ious(case), case.spec.tiers),
    "bbox_iou": lambda case: geometry.bbox_iou(case.boxes(), case.target_boxes(), soft=case.soft),
    "bbox_l1": lambda case: geometry.bbox_l1(case.boxes(), case.target_boxes(), soft=case.soft),
    "point": _part_point,
}
