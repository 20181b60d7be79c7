"""One answer beside its target: what every term looks at."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from whyseg.schemas import Mask
from whyseg.training.answers import Answer, ParseFailure, Reply, Thing
from whyseg.training.frames import Frame
from whyseg.training.presets import RewardSpec
from whyseg.training.rewards.geometry import CANVAS, FloatArray
from whyseg.training.targets import Target


@dataclass(frozen=True)
class Case:
    """A reply, what it says, and its target; boxes and points in the canvas, what is missing NaN."""

    spec: RewardSpec
    reply: Reply
    answer: Answer | ParseFailure
    target: Target
    frame: Frame
    masks: Sequence[Mask | None]
    labelled: bool

    @property
    def things(self) -> tuple[Thing, ...]:
        """What the answer names; nothing where it could not be read."""
        return self.answer.things if isinstance(self.answer, Answer) else ()

    @property
    def rightly_empty(self) -> bool:
        """Whether the answer says, in a readable way, that nothing is there, and nothing is."""
        empty = isinstance(self.answer, Answer) and not self.answer.things and not self.target.instances
        return self.spec.no_target and empty

    @property
    def soft(self) -> bool:
        """Whether the ablation "soft accuracy" is on."""
        return self.spec.accuracy == "soft"

    def boxes(self) -> FloatArray:
        """Return the predicted boxes, float64 (M, 4)."""
        return self._placed([thing.box or (np.nan,) * 4 for thing in self.things], 4)

    def points(self) -> FloatArray:
        """Return the first point of each prediction, float64 (M, 2)."""
        return self._placed([thing.points[0] if thing.points else (np.nan,) * 2 for thing in self.things], 2)

    def target_boxes(self) -> FloatArray:
        """Return the target's boxes, float64 (N, 4)."""
        return self._targets([instance.box for instance in self.target.instances], 4)

    def target_points(self) -> FloatArray:
        """Return the first point of each of the target's instances, float64 (N, 2)."""
        return self._targets([instance.points[0] for instance in self.target.instances], 2)

    def two_points(self) -> FloatArray:
        """Return all points of the first prediction, float64 (P, 2)."""
        return self._placed(self.things[0].points if self.things else (), 2)

    def two_target_points(self) -> FloatArray:
        """Return all points of the target's first instance, float64 (P, 2)."""
        return self._targets(self.target.instances[0].points[:2], 2)

    def _placed(self, values: Sequence[Sequence[float]], count: int) -> FloatArray:
        width, height = self.frame.extent(self.target.size)  # straight to the canvas: there and back would round
        return _scaled(values, count, width, height)

    def _targets(self, values: Sequence[Sequence[float]], count: int) -> FloatArray:
        height, width = self.target.size
        return _scaled(values, count, width, height)


def _scaled(values: Sequence[Sequence[float]], count: int, width: float, height: float) -> FloatArray:
    scale = np.array([CANVAS / width, CANVAS / height] * (count // 2))
    return np.asarray(np.reshape(np.asarray(values, np.float64), (-1, count)) * scale)
