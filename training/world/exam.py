"""How well a policy answers the world, beside what it would score without looking or without listening.

A figure of a small policy says little alone: a constant box scores, too. So the same answers are also compared with
other pictures' targets, and the same pictures are asked other questions: who scores as well there has not learnt what
the figure seems to say.
"""

from collections.abc import Sequence
from functools import partial
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from whyseg.schemas import Mask, Prompt, union
from whyseg.schemas.record import Record
from whyseg.training.answers import Answer, parse
from whyseg.training.mask_reward import Masks
from whyseg.training.policies import Policy
from whyseg.training.world.dataset import WorldItem

_TIMES = 1000  # resamplings of the questions
_TOKENS = 160
_SIDES = 24  # constant boxes tried
Prompts = tuple[Prompt, ...]
T = TypeVar("T")


class Figure(Record):
    """A mean over questions in [0, 1], with its 95 % bootstrap interval."""

    mean: float
    low: float
    high: float


class Exam(Record):
    """A policy's figures on the world. ``parsed``: the share of answers that could be read.

    ``box``: mean IoU of the union of the answer's boxes, as pixels, with that of the targets' boxes; ``mask``: gIoU of
    the masks that a segmenter makes of the answers. By condition: ``greedy``; ``other_question``: the same picture,
    asked the next sample's question; ``other_picture``: the answer to the next sample. For boxes also ``constant``: the
    best centred square, and ``random``: the next sample's target. ``by_type``: the greedy box IoU by reasoning type.
    """

    questions: int
    parsed: float
    box: dict[str, Figure]
    mask: dict[str, Figure]
    by_type: dict[str, float]


def examine(policy: Policy, items: Sequence[WorldItem], masks: Masks) -> Exam:
    """Ask a policy every item's question, greedily, and the next item's question about the same picture."""
    texts = [item.asked.text for item in items]
    given, parsed = _answers(policy, items, texts)
    swapped, _ = _answers(policy, items, _next(texts))
    conditions = {"greedy": given, "other_question": swapped, "other_picture": _next(given)}
    truths = [Mask.encode(_boxes([one.mask.box_xyxy for one in item.sample.instances], item)) for item in items]
    boxes = {name: _ious(_drawn(prompts, items), truths) for name, prompts in conditions.items()}
    squares = [[_square(share, item) for item in items] for share in np.linspace(0.1, 1, _SIDES)]
    boxes["constant"] = max((_ious(square, truths) for square in squares), key=lambda ious: float(np.mean(ious)))
    boxes["random"] = _ious(_next(truths), truths)
    targets = [item.sample.target() for item in items]
    pixels = {name: _ious(_segmented(masks, prompts, items), targets) for name, prompts in conditions.items()}
    kinds = sorted({str(item.sample.reasoning_type) for item in items})
    of_kind = {kind: [item.sample.reasoning_type == kind for item in items] for kind in kinds}
    return Exam(
        questions=len(items),
        parsed=parsed,
        box={name: _figure(ious) for name, ious in boxes.items()},
        mask={name: _figure(ious) for name, ious in pixels.items()},
        by_type={kind: round(float(boxes["greedy"][chosen].mean()), 4) for kind, chosen in of_kind.items()},
    )


def _answers(policy: Policy, items: Sequence[WorldItem], texts: Sequence[str]) -> tuple[list[Prompts], float]:
    """Return the prompts of each answer, in pixels, and the share of answers that could be read."""
    answers = policy.answer([item.image for item in items], texts, max_tokens=_TOKENS)
    found = [parse(text, policy.shape) for (text,) in answers]
    prompts = []
    for item, answer in zip(items, found, strict=True):
        things = answer.things if isinstance(answer, Answer) else ()
        asked = [thing.prompt(policy.frame, item.sample.size) for thing in things]
        prompts.append(tuple(prompt for prompt in asked if prompt))
    return prompts, sum(isinstance(answer, Answer) for answer in found) / len(found)


def _drawn(prompts: Sequence[Prompts], items: Sequence[WorldItem]) -> list[Mask]:
    """Return the union of each answer's boxes as pixels."""
    corners = [
        [(box.x0, box.y0, box.x1, box.y1) for box in (prompt.box for prompt in own) if box is not None]
        for own in prompts
    ]
    return [Mask.encode(_boxes(own, item)) for own, item in zip(corners, items, strict=True)]


def _segmented(masks: Masks, prompts: Sequence[Prompts], items: Sequence[WorldItem]) -> list[Mask]:
    found = []
    for own, item in zip(prompts, items, strict=True):
        made = masks.masks(item.sample.id, partial(np.asarray, item.image), own)
        found.append(union([mask for mask in made if mask], item.sample.size))
    return found


def _boxes(corners: Sequence[tuple[float, float, float, float]], item: WorldItem) -> npt.NDArray[np.bool_]:
    """Return bool (H, W): the pixels of half-open boxes (x0, y0, x1, y1), rounded to whole pixels."""
    pixels = np.zeros(item.sample.size, bool)
    for box in corners:
        x0, y0, x1, y1 = (max(0, round(value)) for value in box)
        pixels[y0:y1, x0:x1] = True
    return pixels


def _square(share: float, item: WorldItem) -> Mask:
    """Return the centred square of a share of the picture's sides."""
    height, width = item.sample.size
    across, down = width * share / 2, height * share / 2
    return Mask.encode(_boxes([(width / 2 - across, height / 2 - down, width / 2 + across, height / 2 + down)], item))


def _ious(answers: Sequence[Mask], targets: Sequence[Mask]) -> npt.NDArray[np.float64]:
    return np.array([answer.iou(target) for answer, target in zip(answers, targets, strict=True)])


def _figure(ious: npt.NDArray[np.float64]) -> Figure:
    rng = np.random.default_rng(0)
    means = ious[rng.integers(len(ious), size=(_TIMES, len(ious)))].mean(1)
    low, high = np.quantile(means, [0.025, 0.975])
    return Figure(mean=round(float(ious.mean()), 4), low=round(float(low), 4), high=round(float(high), 4))


def _next(values: Sequence[T]) -> list[T]:
    return [*values[1:], values[0]]
