"""Rollouts into rewards: what TRL calls after sampling, one function a term so that each has its own curve."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from whyseg.schemas import Mask, union
from whyseg.training.answers import Answer
from whyseg.training.data import TrainData
from whyseg.training.mask_reward import Masks
from whyseg.training.presets import Preset
from whyseg.training.rewards.compose import Reward, Scored

RIGHT, GOOD = 0.5, 0.3  # IoU above which StAR calls an answer right, and above which its mask earns anything


@dataclass(frozen=True)
class Rollout:
    """One sampled answer: which row it answers, its text, the masks of its objects, its rewards.

    ``iou``: of the union of its masks with the union of the target's; None where no masks are made.
    """

    row: int
    text: str
    masks: tuple[Mask | None, ...]
    scored: Scored
    iou: float | None


class Scorer:
    """Scores batches of rollouts; ``batch`` holds those of the last one, in the order in which they came.

    ``shown`` gets each batch with the number of the update that follows.
    """

    def __init__(
        self,
        preset: Preset,
        data: TrainData,
        masks: Masks | None,
        shown: Callable[[int, Sequence[Rollout]], None] = lambda update, rollouts: None,
    ) -> None:
        self.reward = Reward.of(preset)
        if self.reward.needs_masks and masks is None:
            raise ValueError(f"{preset.name} rewards masks: give a segmenter")
        self.preset, self.data, self.batch = preset, data, list[Rollout]()
        self._masks = masks if self.reward.needs_masks else None
        self._shown, self._completions = shown, None

    def functions(self) -> list[Callable[..., list[float]]]:
        """Return a reward function for each term, named after it; their weights are in them."""
        return [self._function(name) for name in self.reward.maxima]

    def judged(self) -> list[tuple[bool, bool]]:
        """Return for each rollout of the last batch whether it is right, and whether its mask is of any use."""
        return [(bool(one.iou and one.iou > RIGHT), bool(one.iou and one.iou > GOOD)) for one in self.batch]

    def score(self, rows: Sequence[int], texts: Sequence[str]) -> list[Rollout]:
        """Score answers; those to the same row share one embedding of its picture."""
        found: dict[int, Rollout] = {}
        groups: dict[int, list[int]] = {}
        for place, row in enumerate(rows):
            groups.setdefault(row, []).append(place)
        for row, places in groups.items():
            scored = self._group(row, [texts[place] for place in places])
            found.update(zip(places, scored, strict=True))
        return [found[place] for place in range(len(rows))]

    def _group(self, row: int, texts: list[str]) -> list[Rollout]:
        """Score the answers to one row, identical ones once."""
        target, frame = self.data.rows[row].target, self.preset.frame
        distinct = list(dict.fromkeys(texts))
        answers = [self.reward.read(text) for text in distinct]
        things = [answer.things if isinstance(answer, Answer) else () for answer in answers]
        prompts = [thing.prompt(frame, target.size) for one in things for thing in one]
        made: list[Mask | None] = []
        if self._masks:
            image = self.data.rows[row].image
            made = self._masks.masks(image, lambda: self.data.picture(row), prompts)
        whole = union([one.mask for one in target.instances if one.mask], target.size) if self._masks else None
        known, start = {}, 0
        for text, answer, one in zip(distinct, answers, things, strict=True):
            own = tuple(made[start : start + len(one)]) if self._masks else ()
            start += len(one)
            scored = self.reward.score(text, target, own, frame=frame)
            iou = union([mask for mask in own if mask], target.size).iou(whole) if whole else None
            iou = 0.0 if whole and not isinstance(answer, Answer) else iou  # no answer is no empty answer
            known[text] = Rollout(row, text, own, scored, iou)
        return [known[text] for text in texts]

    def _function(self, name: str) -> Callable[..., list[float]]:
        def term(completions: Any, row: list[int], **more: Any) -> list[float]:
            if completions is not self._completions:  # the first of the terms that is asked about this batch
                self._completions = completions
                self._take(completions, row, more)
            return [rollout.scored.terms[name] for rollout in self.batch]

        term.__name__ = name
        return term

    def _take(self, completions: Any, rows: list[int], more: dict[str, Any]) -> None:
        began = time.perf_counter()
        self.batch = self.score(rows, [answer[0]["content"] for answer in completions])
        tell = more["log_metric"]
        tell("reward_seconds", time.perf_counter() - began)
        ious = [one.iou for one in self.batch if one.iou is not None]
        if ious:
            tell("rollouts/iou", sum(ious) / len(ious))
            tell("rollouts/right", sum(right for right, _ in self.judged()) / len(ious))
        self._shown(more["trainer_state"].global_step, self.batch)
