"""A policy of stated accuracy on the world: it knows what was painted, never what was annotated."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from whyseg.schemas import Box, Mask, Point, Prompt
from whyseg.schemas.mask import BoolArray
from whyseg.training.candidates import Candidates
from whyseg.training.mask_reward import Masks
from whyseg.training.targets import TargetInstance
from whyseg.training.voting import Answer, Candidate
from whyseg.training.world.dataset import WorldItem
from whyseg.training.world.steps import run

_JITTER = 0.03  # of a box's sides: the standard deviation of each edge, once for a question and once for an answer
Edges = npt.NDArray[np.float64]
_SHIFT = (0.3, 0.8)  # of a box's sides: how far a wrong box lies beside the thing


class SimulatedPolicy:
    """Answers right with a probability of ``accuracy``; boxes and points become masks by a segmenter, as a model's do.

    Right is to name everything that answers the question as it is *asked*: where a question was planted ambiguous, one
    of the things that fit it, each as likely as the other. Wrong answers are in equal parts another thing of the scene,
    a box that lies beside the right one, and nothing at all; where nothing answers, they name some thing. Every edge of
    a box is off by 3 % of its side (standard deviation) in all answers to a question alike, and by 3 % in each anew: a
    model repeats some of its mistakes, and a vote cannot average these out.
    """

    def __init__(self, masks: Masks, accuracy: float, seed: int) -> None:
        self.masks, self.accuracy, self.seed = masks, accuracy, seed

    def candidates(self, item: WorldItem, k: int = 16) -> Candidates:
        """Return ``k`` answers to an item's question; the same ones for the same seed and number."""
        rng = np.random.default_rng([self.seed, item.number])
        habit = rng.normal(0, _JITTER, 4)
        told = [self._answer(item, rng, habit) for _ in range(k)]
        prompts = [prompt for answer in told for prompt, _ in answer]
        found = iter(self.masks.scored(item.sample.image_id, lambda: item.image, prompts))
        answers = []
        for answer in told:
            objects = []
            for prompt, label in answer:
                mask, score = next(found) or (Mask.empty(item.sample.size), 0.0)
                box = prompt.box
                corners = (box.x0, box.y0, box.x1, box.y1) if box else None
                objects.append(Candidate(mask=mask, score=score, label=label, box=corners))
            answers.append(Answer(objects=tuple(objects)))
        return Candidates(size=item.sample.size, answers=tuple(answers), sample_id=item.sample.id)

    def _answer(self, item: WorldItem, rng: np.random.Generator, habit: Edges) -> list[tuple[Prompt, str]]:
        right = self._right(item, rng)
        if rng.random() < self.accuracy:
            return [(_prompt(mask, rng, habit), label) for mask, label in right]
        others = [(thing.mask, thing.name) for thing in item.asked.scene.things if thing not in item.asked.found]
        if not right:
            mask, label = _one(others, rng)
            return [(_prompt(mask, rng, habit), label)]
        way = int(rng.integers(3))
        if way == 0 and others:
            mask, label = _one(others, rng)
            return [(_prompt(mask, rng, habit), label)]
        if way == 1 or (way == 0 and not others):
            return [(_prompt(mask, rng, habit, shifted=True), label) for mask, label in right]
        return []

    def _right(self, item: WorldItem, rng: np.random.Generator) -> list[tuple[BoolArray, str]]:
        asked = item.asked
        if item.planted and item.planted.kind == "ambiguous_query":
            fits = run(asked.scene, asked.steps[:-1]) or ()
            return [_one([(thing.mask, thing.name) for thing in fits], rng)]
        return [(target.mask, target.label) for target in asked.targets]


def _one(some: Sequence[tuple[BoolArray, str]], rng: np.random.Generator) -> tuple[BoolArray, str]:
    return some[int(rng.integers(len(some)))]


def _prompt(mask: BoolArray, rng: np.random.Generator, habit: Edges, *, shifted: bool = False) -> Prompt:
    """Return a thing's box and deepest pixel, as a model would say them: a little off, or beside it."""
    target = TargetInstance.of_mask(Mask.encode(mask))
    x0, y0, x1, y1 = target.box
    width, height = x1 - x0, y1 - y0
    left, top, right, bottom = (habit + rng.normal(0, _JITTER, 4)) * (width, height, width, height)
    (x, y), dx, dy = target.points[0], 0.0, 0.0
    if shifted:
        angle, share = rng.uniform(0, 2 * np.pi), rng.uniform(*_SHIFT)
        dx, dy = share * width * np.cos(angle), share * height * np.sin(angle)
    rows, columns = mask.shape
    x, y = float(np.clip(x + dx, 0, columns - 1)), float(np.clip(y + dy, 0, rows - 1))
    x0, x1, y0, y1 = x0 + left + dx, x1 + right + dx, y0 + top + dy, y1 + bottom + dy
    return Prompt(box=Box(x0=x0, y0=y0, x1=max(x1, x0 + 1), y1=max(y1, y0 + 1)), points=(Point(x=x, y=y),))
