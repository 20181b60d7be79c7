"""Mistakes on request: what annotators and models get wrong, planted where the truth is known."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np

from whyseg.schemas import Mask
from whyseg.schemas.mask import BoolArray
from whyseg.training.world.questions import Asked
from whyseg.training.world.scenes import one_of
from whyseg.training.world.steps import run
from whyseg.training.world.wording import question

ErrorKind = Literal["wrong_instance", "shifted_mask", "coarse_mask", "ambiguous_query"]


@dataclass(frozen=True, eq=False)
class Planted:
    """A mistake: its kind, and what stands in the sample in the place of the truth."""

    kind: ErrorKind
    label: str = ""  # of the wrong instance
    masks: tuple[BoolArray, ...] = ()
    query: tuple[str, bool] | None = None  # text, and whether it is a sentence
    hops: tuple[str, ...] = ()

    def changed(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Return the fields of a sample that the mistake changes, as they are with it."""
        if self.query:
            text, is_sentence = self.query
            return {
                "query": {**fields["query"], "text": text, "is_sentence": is_sentence},
                "hops": self.hops,
                "depth": len(self.hops),
            }
        instances = [
            {**one, "mask": Mask.encode(mask)} for one, mask in zip(fields["instances"], self.masks, strict=True)
        ]
        if self.label:
            instances = [{**instances[0], "label": self.label}]
        return {"instances": instances}


def plant(rng: np.random.Generator, asked: Asked) -> Planted | None:
    """Plant a mistake of a random kind that the sample allows; None where nothing answers the question."""
    makers = list(_MAKERS)
    for i in rng.permutation(len(makers)):
        if planted := makers[int(i)](rng, asked):
            return planted
    return None


def _wrong_instance(rng: np.random.Generator, asked: Asked) -> Planted | None:
    """Take a thing that does not answer the question for the one that does."""
    others = [thing for thing in asked.scene.things if thing not in asked.found]
    if len(asked.found) != 1 or not others or asked.steps[-1].what == "part":
        return None
    other = one_of(rng, others)
    return Planted("wrong_instance", label=other.name, masks=(other.mask,))


def _shifted_mask(rng: np.random.Generator, asked: Asked) -> Planted | None:
    """Move every mask by a quarter to a half of its size, all the same way."""
    if not asked.found:
        return None
    angle, share = rng.uniform(0, 2 * np.pi), rng.uniform(0.25, 0.5)
    masks = []
    for target in asked.targets:
        reach = share * np.sqrt(target.mask.sum())
        matrix = np.array([[1, 0, round(reach * np.cos(angle))], [0, 1, round(reach * np.sin(angle))]], float)
        height, width = target.mask.shape
        moved = cv2.warpAffine(target.mask.astype(np.uint8), matrix, (width, height), flags=cv2.INTER_NEAREST)
        masks.append(moved.astype(bool))
    moved_well = all(
        mask.any() and not np.array_equal(mask, target.mask) for mask, target in zip(masks, asked.targets, strict=True)
    )
    return Planted("shifted_mask", masks=tuple(masks)) if moved_well else None


def _coarse_mask(rng: np.random.Generator, asked: Asked) -> Planted | None:
    """Fill the box around every mask, a few pixels too wide."""
    if not asked.found:
        return None
    masks = []
    for target in asked.targets:
        ys, xs = np.nonzero(target.mask)
        wider = round(rng.uniform(0.05, 0.15) * max(np.ptp(xs), np.ptp(ys)) + 1)
        mask = np.zeros_like(target.mask)
        mask[max(0, ys.min() - wider) : ys.max() + 1 + wider, max(0, xs.min() - wider) : xs.max() + 1 + wider] = True
        masks.append(mask)
    return Planted("coarse_mask", masks=tuple(masks))


def _ambiguous_query(rng: np.random.Generator, asked: Asked) -> Planted | None:
    """Ask without the last step, so that more things fit than the masks show."""
    steps, last = asked.steps[:-1], asked.steps[-1]
    if not steps or not asked.found or not (last.keeps or last.what == "extreme"):
        return None
    fits = run(asked.scene, steps) or ()
    if len(fits) <= len(asked.found):
        return None
    return Planted("ambiguous_query", query=question(rng, steps, "", plural=False), hops=asked.hops[:-1])


_MAKERS: tuple[Callable[[np.random.Generator, Asked], Planted | None], ...] = (
    _wrong_instance, _shifted_mask, _coarse_mask, _ambiguous_query,
)  # fmt: skip
