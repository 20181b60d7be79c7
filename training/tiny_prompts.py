"""Batches of scenes, the prompts that a person would give on them, and a model's answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from whyseg.curation.segmenters.base import BoolArray
from whyseg.curation.segmenters.sam2 import MEAN, STD, decode_all
from whyseg.training.tiny_scenes import SIDE, draw_scene, pick

TARGETS = 3  # prompted regions a scene


@dataclass(frozen=True, eq=False)
class Batch:
    """B pictures with three targets each, so R = 3 B rows.

    ``pixels``: float32 (B, 3, 128, 128), normalised. ``targets``: bool (R, 128, 128). ``others``: bool (R, 128, 128),
    what belongs to the picture's other regions only.
    """

    pixels: torch.Tensor
    targets: BoolArray
    others: BoolArray


def draw_batch(rng: np.random.Generator, scenes: int, plain: float = 0.0) -> Batch:
    """Draw scenes, that share of them plain, and three targets of each, repeated where a scene has fewer."""
    images, targets, others = [], [], []
    for _ in range(scenes):
        scene = draw_scene(rng, plain=bool(rng.random() < plain))
        chosen = scene.targets[np.resize(rng.permutation(len(scene.targets)), TARGETS)]
        images.append(scene.image)
        targets.append(chosen)
        others.append(scene.targets.any(0) & ~chosen)
    pixels = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255
    pixels = (pixels - torch.tensor(MEAN).view(1, 3, 1, 1)) / torch.tensor(STD).view(1, 3, 1, 1)
    return Batch(pixels, np.concatenate(targets), np.concatenate(others))


class Prompts:
    """The prompts of a batch's rows so far: clicks, boxes (R, 4), and the logits (R, h, w) that they refine."""

    def __init__(self) -> None:
        self.points: list[torch.Tensor] = []
        self.labels: list[torch.Tensor] = []
        self.boxes: torch.Tensor | None = None
        self.previous: torch.Tensor | None = None

    def click(self, at: Sequence[tuple[float, float]], positive: Sequence[bool]) -> None:
        """Add one point a row."""
        self.points.append(torch.tensor(at, dtype=torch.float32))
        self.labels.append(torch.tensor(positive, dtype=torch.long))

    @property
    def lone(self) -> bool:
        """Whether the rows are ambiguous: one point and nothing else."""
        return len(self.points) == 1 and self.boxes is None and self.previous is None

    def inputs(self) -> dict[str, torch.Tensor]:
        """Return the model's arguments; every row is a picture of its own, as previous logits go by picture."""
        given: dict[str, torch.Tensor] = {}
        if self.points:
            given["input_points"] = torch.stack(self.points, 1)[:, None]
            given["input_labels"] = torch.stack(self.labels, 1)[:, None]
        if self.boxes is not None:
            given["input_boxes"] = self.boxes[:, None]
        if self.previous is not None:
            given["input_masks"] = self.previous[:, None]
        return given


def boxes_around(masks: BoolArray) -> torch.Tensor:
    """Return float32 (R, 4): x0, y0, x1, y1, half a pixel outside the outermost pixels' centres."""
    found = []
    for mask in masks:
        ys, xs = np.nonzero(mask)
        found.append([xs.min() - 0.5, ys.min() - 0.5, xs.max() + 0.5, ys.max() + 0.5])
    return torch.tensor(np.array(found), dtype=torch.float32)


def first_prompts(rng: np.random.Generator, batch: Batch, *, outside: bool = True) -> Prompts:
    """Draw what a person begins with: a click; a box; a box and clicks; if ``outside``, also clicks in and out."""
    prompts = Prompts()
    share = 0.15 if outside else 0.0
    kind = str(rng.choice(["click", "box", "both", "outside"], p=[0.35, 0.25, 0.4 - share, share]))
    if kind in ("box", "both"):
        boxes = boxes_around(batch.targets)
        prompts.boxes = boxes + torch.from_numpy(rng.normal(0, 1.0, boxes.shape)).float()
    clicks = {"click": 1, "box": 0}.get(kind) if kind in ("click", "box") else int(rng.integers(1, 3))
    for _ in range(clicks or 0):
        prompts.click([pick(rng, target) for target in batch.targets], [True] * len(batch.targets))
    if kind == "outside":
        regions = [
            other if other.any() and rng.random() < 0.7 else ~target
            for target, other in zip(batch.targets, batch.others, strict=True)
        ]
        prompts.click([pick(rng, region) for region in regions], [False] * len(regions))
    return prompts


def correct(rng: np.random.Generator, prompts: Prompts, batch: Batch, logits: torch.Tensor, *, keep: bool) -> None:
    """Add the click that a person would: on a missing pixel, or a negative one on a pixel too many.

    ``logits``: (R, h, w) of the masks that the person looks at; ``keep``: whether the next answer refines them.
    """
    at, positive = [], []
    for got, wanted in zip(binary(logits[:, None])[:, 0].numpy(), batch.targets, strict=True):
        missing, surplus = wanted & ~got, got & ~wanted
        positive.append(bool(missing.sum() >= surplus.sum()))
        region = missing if positive[-1] else surplus
        at.append(pick(rng, region if region.any() else wanted))
    prompts.click(at, positive)
    prompts.previous = logits.detach().clamp(-32, 32) if keep else None


def binary(logits: torch.Tensor) -> torch.Tensor:
    """Return logits (R, K, h, w) as bool masks (R, K, 128, 128)."""
    return functional.interpolate(logits.detach(), (SIDE, SIDE), mode="bilinear", align_corners=False) > 0


def ious(masks: torch.Tensor, targets: BoolArray) -> torch.Tensor:
    """Return (R, K): the IoU of bool masks (R, K, S, S) with targets (R, S, S)."""
    wanted = torch.from_numpy(targets)[:, None]
    return (masks & wanted).sum((2, 3)) / (masks | wanted).sum((2, 3)).clamp(min=1)


def picture_features(model: Any, pixels: torch.Tensor) -> list[torch.Tensor]:
    """Return the pictures' embeddings, with gradients, each repeated for its three targets."""
    maps = model.get_image_features(pixels, return_dict=True).fpn_hidden_states
    maps = [*maps[:-1], maps[-1] + model.no_memory_embedding]
    return [
        feature.permute(1, 2, 0).reshape(len(pixels), -1, *size).repeat_interleave(TARGETS, 0)
        for feature, size in zip(maps, model.backbone_feature_sizes, strict=True)
    ]


def answer(model: Any, features: list[torch.Tensor], prompts: Prompts) -> tuple[torch.Tensor, torch.Tensor]:
    """Return logits (R, 4, h, w) and scores (R, 4)."""
    logits, scores = decode_all(model, image_embeddings=features, **prompts.inputs())
    return logits[:, 0], scores[:, 0]


def best(values: torch.Tensor, scores: torch.Tensor, *, lone: bool) -> torch.Tensor:
    """Return the row of ``values`` (R, 4, …) of the best scored candidate: of three for a lone click, else of four."""
    first = 1 if lone else 0
    return values[torch.arange(len(values)), scores[:, first:].argmax(1) + first]
