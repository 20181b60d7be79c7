"""Train the packaged test model: a SAM 2 of 0.37 M parameters that has learnt coloured shapes, and nothing else.

It exists so that whatever needs a promptable segmenter can be tried and tested without a download: its masks depend on
the picture and on the prompt, its candidates differ, its scores mean something, and a corrective click with the
previous logits helps. ``python -m whyseg.training.tiny_sam2 OUT`` writes config.json, model.safetensors and model.json;
the same seed with the same library versions gives the same weights.

The recipe follows SAM (Kirillov et al. 2023, arXiv:2304.02643, appendix A): the loss of the best of three masks for
ambiguity, a score regressed to the mask's IoU, further clicks where the mask errs, each refining the previous logits.
A network this narrow finds its prompts only with help: plain scenes and another loss first, and an initialisation by
which a prompt attends to the place it names.
"""

import argparse
import json
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from whyseg.curation.segmenters.base import BoolArray
from whyseg.curation.segmenters.weights import sha256_of
from whyseg.training.tiny_figures import Figures, measure
from whyseg.training.tiny_prompts import (
    Batch,
    answer,
    best,
    binary,
    correct,
    draw_batch,
    first_prompts,
    ious,
    picture_features,
)
from whyseg.training.tiny_scenes import SIDE

HIDDEN = 64
STEPS, BATCH, RATE = 6000, 8, 2e-3
WARM, MIXED = 400, 1200  # steps: until the first all scenes are plain, until the second ever fewer, then one in ten


def warm_loss_of(logits: torch.Tensor, scores: torch.Tensor, targets: BoolArray) -> torch.Tensor:
    """Return the loss of the first steps: all four masks alike, object and ground weighing the same, scores ignored.

    Without equal weights the masks become empty and stay so; with the best of three the heads would divide the objects
    among them by colour and never look at the prompt.
    """
    crossed, dice, wanted = _mask_losses(logits, targets)
    inside, outside = ((crossed * part).sum((2, 3)) / part.sum((2, 3)).clamp(min=1) for part in (wanted, 1 - wanted))
    return (inside + outside + dice).mean()


def loss_of(logits: torch.Tensor, scores: torch.Tensor, targets: BoolArray) -> torch.Tensor:
    """Return the loss of four masks a row: of the single mask, of the best of the other three, of all four's scores."""
    crossed, dice, _ = _mask_losses(logits, targets)
    each = 10 * crossed.mean((2, 3)) + dice
    # The small share of all three keeps a head alive that is never the best.
    masks = each[:, 0] + each[:, 1:].min(1).values + 0.05 * each[:, 1:].mean(1)
    return masks.mean() + 2 * functional.mse_loss(scores, ious(binary(logits), targets))


def _mask_losses(logits: torch.Tensor, targets: BoolArray) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return cross-entropy (R, 4, h, w), Dice loss (R, 4) and the targets' share of each cell (R, 4, h, w)."""
    wanted = functional.interpolate(torch.from_numpy(targets)[:, None].float(), logits.shape[-2:], mode="area")
    wanted = wanted.expand_as(logits)
    crossed = functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    inside = logits.sigmoid()
    dice = 1 - (2 * (inside * wanted).sum((2, 3)) + 1) / (inside.sum((2, 3)) + wanted.sum((2, 3)) + 1)
    return crossed, dice, wanted


def build(seed: int) -> Any:
    """Build the untrained model."""
    from transformers import Sam2Config, Sam2Model

    torch.manual_seed(seed)
    cell = SIDE // 4
    backbone = {
        "model_type": "sam2_hiera_det_model",
        "image_size": [SIDE, SIDE],
        "hidden_size": 16,
        "num_attention_heads": 1,
        "embed_dim_per_stage": [16, 32, 64, 80],
        "num_attention_heads_per_stage": [1, 2, 4, 5],
        "blocks_per_stage": [1, 1, 2, 1],
        "window_size_per_stage": [8, 4, 8, 4],
        "global_attention_blocks": [3],
        "window_positional_embedding_background_size": [7, 7],
    }
    vision = {
        "backbone_config": backbone,
        "backbone_channel_list": [80, 64, 32, 16],
        "backbone_feature_sizes": [[cell, cell], [cell // 2, cell // 2], [cell // 4, cell // 4]],
        "fpn_hidden_size": HIDDEN,
    }
    prompt = {"hidden_size": HIDDEN, "image_size": SIDE, "patch_size": 16, "mask_input_channels": 16}
    decoder = {"hidden_size": HIDDEN, "mlp_dim": 2 * HIDDEN, "num_attention_heads": 4, "iou_head_hidden_dim": 32}
    model = Sam2Model(Sam2Config(vision_config=vision, prompt_encoder_config=prompt, mask_decoder_config=decoder))
    with torch.no_grad():
        _initialise(model)
    return model.eval()  # nothing differs in training mode but that the decoder would hide three masks


def _initialise(model: Any) -> None:
    # With transformers' initial scale of 0.02 a network this narrow never comes to heed its prompts.
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Linear):
            torch.nn.init.xavier_uniform_(module.weight)
        elif isinstance(module, torch.nn.Conv2d | torch.nn.ConvTranspose2d):
            torch.nn.init.kaiming_uniform_(module.weight, a=5**0.5)
        elif isinstance(module, torch.nn.Embedding):
            prompted = name.endswith(("point_embed", "not_a_point_embed"))
            torch.nn.init.normal_(module.weight, std=0.3 if prompted else 1.0)
    # One positional code for prompts and picture, as in SAM, but four times as coarse: as wide as an object.
    code = model.shared_image_embedding.positional_embedding
    code.mul_(0.25)
    model.prompt_encoder.shared_embedding.positional_embedding.copy_(code)
    for name, module in model.mask_decoder.named_modules():
        if "cross_attn" in name.rsplit(".", 1)[-1] or name.endswith("final_attn_token_to_image"):
            module.q_proj.weight.mul_(1.5)
            module.k_proj.weight.copy_(module.q_proj.weight)  # so equal places attend to each other


def train(steps: int, seed: int, told: Callable[[int, float], None] = lambda step, loss: None) -> Any:
    """Train a model; ``told`` hears every step's number and loss."""
    torch.set_num_threads(1)  # the order of a sum, and with it the weights, would depend on the number of threads
    model = build(seed)
    rng = np.random.default_rng(seed)
    optimiser = torch.optim.AdamW(model.parameters(), lr=RATE)

    def rate(step: int) -> float:
        return float(min(1.0, step / 50, 0.5 + 0.5 * np.cos(np.pi * max(0.0, 2 * step / steps - 1))))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, rate)
    for step in range(steps):
        batch = draw_batch(rng, BATCH, plain=min(1.0, max(0.1, 1 - (step - WARM) / (MIXED - WARM))))
        loss = _episode(model, rng, batch, step)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        told(step + 1, float(loss.detach()))
    return model


def _episode(model: Any, rng: np.random.Generator, batch: Batch, step: int) -> torch.Tensor:
    """Return the mean loss of one to three rounds: a first prompt, then corrections."""
    features = picture_features(model, batch.pixels)
    prompts = first_prompts(rng, batch, outside=step >= MIXED)
    rounds = int(rng.choice([1, 2, 3], p=[0.5, 0.3, 0.2])) if step >= MIXED else 1
    losses = []
    for turn in range(rounds):
        logits, scores = answer(model, features, prompts)
        loss = loss_of if step >= WARM else warm_loss_of
        losses.append(loss(logits, scores, batch.targets))
        if turn + 1 < rounds:  # the person refines what stands first, or picks what is nearest
            liked = scores.detach() if rng.random() < 0.5 else ious(binary(logits), batch.targets)
            correct(rng, prompts, batch, best(logits, liked, lone=prompts.lone), keep=bool(rng.random() < 0.75))
    return torch.stack(losses).mean()


def save(model: Any, folder: Path, *, steps: int, seed: int, figures: Figures) -> None:
    """Write config.json and model.safetensors, and model.json: what they are, their SHA-256, how well they do."""
    model.save_pretrained(folder)
    versions = {name: version(name) for name in ("numpy", "opencv-python-headless", "torch", "transformers")}
    facts = {
        "name": "tiny-test",
        "what": "a SAM 2 of 0.37 M parameters that knows coloured shapes only, for trials and tests",
        "license": "Apache-2.0",
        "command": f"python -m whyseg.training.tiny_sam2 OUT --steps {steps} --seed {seed}",
        "versions": versions,
        "sha256": {name: sha256_of(folder / name) for name in ("config.json", "model.safetensors")},
        "mean_iou_on_held_out_scenes": figures,
    }
    (folder / "model.json").write_text(json.dumps(facts, indent=2) + "\n")


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, measure and write the model."""
    parser = argparse.ArgumentParser(prog="python -m whyseg.training.tiny_sam2", description=__doc__.split("\n")[0])
    parser.add_argument("out", type=Path, metavar="OUT", help="the folder to write")
    parser.add_argument("--steps", type=int, default=STEPS, help="default %(default)s: a quarter of an hour")
    parser.add_argument("--seed", type=int, default=0, help="default %(default)s")
    given = parser.parse_args(arguments)
    started = time.monotonic()
    losses: deque[float] = deque(maxlen=100)

    def told(step: int, loss: float) -> None:
        losses.append(loss)
        if step % 100 == 0 or step == given.steps:
            mean = sum(losses) / len(losses)
            print(f"step {step} of {given.steps}: loss {mean:.3f}, {time.monotonic() - started:.0f} s", file=sys.stderr)

    model = train(given.steps, given.seed, told)
    figures = measure(model)
    save(model, given.out, steps=given.steps, seed=given.seed, figures=figures)
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
