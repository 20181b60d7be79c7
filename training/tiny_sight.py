"""A vision tower that can see, before language is learnt: as large policies begin with one that was trained before.

Each token of a picture tells what lies in its cell: kind and colour by likeness to the words' embeddings, so that words
and what they name begin alike; the digits of the thing's box by linear heads, which are thrown away afterwards. Without
this first lesson a policy as small as ours spends its few minutes on learning how answers are written, and looks at
nothing.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image as PilImage
from torch.nn import functional
from transformers import AutoModelForImageTextToText

from whyseg.training.bars import without_bars
from whyseg.training.processors import load_processor
from whyseg.training.tiny_policy import CELL
from whyseg.training.world.dataset import World
from whyseg.training.world.scenes import Scene
from whyseg.training.world.shapes import COLOURS, KINDS

STEPS, BATCH, RATE = 200, 24, 2e-3
_RISE = 0.05  # share of the steps in which the rate rises
_SHARP = 4.0  # how much likeness to a word counts
_NAMES = (("", *KINDS), ("", *COLOURS))


@without_bars()
def learn_to_see(
    policy: Path,
    out: Path,
    world: World,
    *,
    steps: int = STEPS,
    seed: int = 0,
    told: Callable[[int, float], None] = lambda step, loss: None,
) -> None:
    """Train the vision tower of a policy's folder on scenes of a world, and write the policy to the folder ``out``.

    ``world.side`` is the policy's own canvas. The same seed gives the same weights on the same machine with the same
    library versions. ``told`` hears each step's number and loss.
    """
    torch.set_num_threads(1)  # the order of a sum, and with it the weights, would depend on the number of threads
    torch.manual_seed(seed)
    model = AutoModelForImageTextToText.from_pretrained(policy, local_files_only=True, dtype=torch.float32)
    processor = load_processor(policy, local_files_only=True)
    device = usual_device()
    model.to(device)
    tower, grid = model.model.visual, world.side // CELL
    words = [_embedded(model, processor.tokenizer, names) for names in (KINDS, COLOURS)]
    head = torch.nn.Linear(model.config.text_config.hidden_size, 2 + 4 * (world.side // 10 + 1 + 10)).to(device)
    optimiser = torch.optim.AdamW([*tower.parameters(), *head.parameters()], lr=RATE, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min(1.0, (step + 1) / (_RISE * steps), max(0.02, 2 - 2 * step / steps))
    )
    for step in range(steps):
        first = (seed * steps + step) * BATCH
        scenes = [world.scene(first + number) for number in range(BATCH)]
        pictures = [[PilImage.fromarray(scene.picture())] for scene in scenes]
        inputs = processor.image_processor(images=pictures, return_tensors="pt").to(device)
        features = tower(inputs["pixel_values"], grid_thw=inputs["image_grid_thw"]).pooler_output
        names, boxes = (
            torch.cat(parts).to(device) for parts in zip(*(cells(one, grid) for one in scenes), strict=True)
        )
        loss = _loss(features, words, head(features), names, boxes)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(tower.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        told(step + 1, float(loss.detach()))
    model.save_pretrained(out)
    processor.save_pretrained(out)


def usual_device() -> torch.device:
    """Return where a policy learns: on a GPU, where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _embedded(model: Any, tokenizer: Any, names: Iterable[str]) -> torch.Tensor:
    """Return the embedding of each word's first token, float32 (N, hidden)."""
    numbers = [tokenizer(f" {name}").input_ids[0] for name in names]
    embedded: torch.Tensor = model.get_input_embeddings().weight[numbers].detach().clone()
    return embedded


def _loss(
    features: torch.Tensor,
    words: Sequence[torch.Tensor],
    told: torch.Tensor,
    names: torch.Tensor,
    boxes: torch.Tensor,
) -> torch.Tensor:
    """Return how far the features (N, hidden) and what the heads tell are from the cells' names and boxes."""
    there = names[:, 0] > 0
    loss = torch.zeros(())
    for number, embedded in enumerate(words):
        # The first of the heads' numbers say that there is nothing.
        logits = torch.cat([told[:, number : number + 1], _SHARP * features @ functional.normalize(embedded).T], 1)
        loss = loss + functional.cross_entropy(logits, names[:, number])
    digits = told[there, len(words) :].reshape(int(there.sum()), 4, -1)
    tens, units = digits[..., :-10], digits[..., -10:]
    loss = loss + functional.cross_entropy(tens.flatten(0, 1), (boxes[there] // 10).flatten())
    return loss + functional.cross_entropy(units.flatten(0, 1), (boxes[there] % 10).flatten())


def cells(scene: Scene, grid: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return what lies in each cell, row by row: kind and colour, int64 (N, 2), and the box, int64 (N, 4).

    A cell belongs to the thing with most pixels in it, if these are a twentieth of it or more.
    """
    names, boxes = np.zeros((grid * grid, 2), np.int64), np.zeros((grid * grid, 4), np.int64)
    cell = scene.side // grid
    most = np.full(grid * grid, cell**2 / 20)
    for thing in scene.things:
        inside = thing.mask[: grid * cell, : grid * cell].reshape(grid, cell, grid, cell).sum((1, 3)).ravel()
        here = inside > most
        most[here] = inside[here]
        names[here] = _NAMES[0].index(thing.kind), _NAMES[1].index(thing.colour)
        boxes[here] = thing.box
    return torch.from_numpy(names), torch.from_numpy(boxes)
