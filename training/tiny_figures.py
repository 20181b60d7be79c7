"""How well the packaged test model does on scenes it has not seen, beside what chance would score."""

from typing import Any

import numpy as np
import torch

from whyseg.curation.segmenters.base import BoolArray
from whyseg.training.tiny_prompts import (
    TARGETS,
    Batch,
    Prompts,
    answer,
    best,
    binary,
    boxes_around,
    correct,
    draw_batch,
    ious,
    picture_features,
)
from whyseg.training.tiny_scenes import pick

HELD_OUT = 2**32  # the seed of these scenes; training draws from the seeds that its command line takes
Figures = dict[str, dict[str, float]]


@torch.inference_mode()
def measure(model: Any, scenes: int = 100) -> Figures:
    """Return mean IoUs over three prompted regions a scene.

    For a click in a region, its box, and both: of the best scored candidate, of the single mask, of a random candidate,
    and of the candidate nearest to the region. For corrections of the best scored candidate: after one and two clicks
    where it errs, with the previous logits and without. For chance: the filled box, the best constant mask, and the
    best scored candidate for the same prompts on other pictures.
    """
    rng = np.random.default_rng(HELD_OUT)
    batch = draw_batch(rng, scenes)
    features = picture_features(model, batch.pixels)
    at = [pick(rng, target) for target in batch.targets]
    figures: Figures = {}
    for name, clicked, boxed in (("click", True, False), ("box", False, True), ("click and box", True, True)):
        figures[name] = _answered(model, features, batch, _prompts(batch, at, clicked, boxed))
    figures["corrected"] = _corrected(model, features, batch, at)
    strange = [feature.roll(TARGETS, 0) for feature in features]
    figures["chance"] = {
        "filled box": _mean_iou(_filled(batch.targets), batch),
        "constant mask": max(_mean_iou(_constant(batch.targets, share), batch) for share in (0.05, 0.1, 0.15, 0.2)),
        "other picture": _answered(model, strange, batch, _prompts(batch, at, True, False))["best scored"],
    }
    return figures


def _prompts(batch: Batch, at: list[tuple[float, float]], clicked: bool, boxed: bool) -> Prompts:
    prompts = Prompts()
    if clicked:
        prompts.click(at, [True] * len(at))
    if boxed:
        prompts.boxes = boxes_around(batch.targets)
    return prompts


def _answered(model: Any, features: list[torch.Tensor], batch: Batch, prompts: Prompts) -> dict[str, float]:
    logits, scores = answer(model, features, prompts)
    true = ious(binary(logits), batch.targets)
    candidates = true[:, 1:] if prompts.lone else true
    return {
        "best scored": _rounded(best(true, scores, lone=prompts.lone)),
        "single mask": _rounded(true[:, 0]),
        "random candidate": _rounded(candidates),
        "nearest candidate": _rounded(candidates.max(1).values),
    }


def _corrected(
    model: Any, features: list[torch.Tensor], batch: Batch, at: list[tuple[float, float]]
) -> dict[str, float]:
    found = {}
    for keep, name in ((True, "with logits"), (False, "without")):
        rng = np.random.default_rng(HELD_OUT + 1)
        prompts = _prompts(batch, at, True, False)
        logits, scores = answer(model, features, prompts)
        shown = best(logits, scores, lone=True)
        for count in ("one click", "two clicks"):
            correct(rng, prompts, batch, shown, keep=keep)
            logits, scores = answer(model, features, prompts)
            shown = best(logits, scores, lone=False)
            found[f"{count} {name}"] = _rounded(ious(binary(shown[:, None]), batch.targets))
    return found


def _filled(targets: BoolArray) -> BoolArray:
    boxes = np.zeros_like(targets)
    for box, target in zip(boxes, targets, strict=True):
        ys, xs = np.nonzero(target)
        box[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1] = True
    return boxes


def _constant(targets: BoolArray, share: float) -> BoolArray:
    """Return the mask, the same for all, of the pixels that are oftenest in a target: that share of the picture."""
    often = targets.mean(0)
    return np.broadcast_to(often >= np.quantile(often, 1 - share), targets.shape)


def _mean_iou(masks: BoolArray, batch: Batch) -> float:
    return _rounded(ious(torch.from_numpy(np.ascontiguousarray(masks))[:, None], batch.targets))


def _rounded(values: torch.Tensor) -> float:
    return round(float(values.mean()), 3)
