"""What GRPO adds to a warmed-up policy on the world, on a CPU, beside what it adds when its rewards mean nothing.

    python -m benchmarks.world_cpu [--out FOLDER] [--updates 150] [--seeds 0 1 2] [--questions 200]

For each seed a policy is warmed up, and from it three are trained by `world_cpu` on the plain world: with REST as the
preset says, with all rollouts kept, and with REST on rewards that were dealt out anew within each prompt's rollouts.
Each is asked the same held-out questions: greedily, eight times at temperature 1, and about another question's picture.
The figures are gIoU of the packaged tiny SAM 2's masks and IoU of the boxes, beside those of answers that look at
nothing; differences are paired by question, all with 95 % bootstrap intervals. What ``--out`` holds is not made again.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import numpy.typing as npt
import torch

from benchmarks.machine import describe, line
from whyseg.curation.blobs import write_atomically
from whyseg.curation.reading import open_data
from whyseg.schemas import Box, Mask, Prompt, union
from whyseg.training import launch, trainer
from whyseg.training.answers import Answer, parse
from whyseg.training.local_policy import LocalPolicy
from whyseg.training.mask_reward import Masks
from whyseg.training.policies import PolicyCard
from whyseg.training.presets import Preset, load_preset
from whyseg.training.scoring import Scorer
from whyseg.training.settings import Machine
from whyseg.training.tiny_policy import make_policy
from whyseg.training.warm_up import on_world
from whyseg.training.world.dataset import PLAIN, WorldItem, samples
from whyseg.training.world.export import write_world

RESULTS = Path(__file__).parent / "results" / "world_cpu.json"
HELD_OUT, TRAINED_ON = 2**31 + 1, 11  # seeds of scenes; the warm-up has others
ROWS, SAMPLES, TOKENS, TIMES = 1200, 8, 128, 2000
START = "sft"
AT_ONCE = 1024  # sequences that a GPU samples together
FloatArray = npt.NDArray[np.float64]
Figures = dict[str, dict[str, list[float]]]  # per condition the IoU of masks and of boxes, question by question
Prompts = Sequence[Sequence[Sequence[Prompt]]]  # per question, per answer


class Dealt(Scorer):
    """Rewards of a prompt's rollouts, dealt out among them at random: as many of each, with no meaning."""

    def _take(self, completions: Any, rows: list[int], more: dict[str, Any]) -> None:
        super()._take(completions, rows, more)
        rng = np.random.default_rng(more["trainer_state"].global_step)
        places = np.arange(len(rows))
        for row in set(rows):
            own = places[np.array(rows) == row]
            places[own] = rng.permutation(own)
        self.batch = [self.batch[place] for place in places]


def variants(preset: Preset) -> dict[str, tuple[Preset, type[Scorer]]]:
    kept = preset.grpo.model_copy(update={"keep": preset.grpo.n})
    return {
        "grpo_rest": (preset, Scorer),
        "grpo": (preset.model_copy(update={"grpo": kept}), Scorer),
        "grpo_rest_shuffled_rewards": (preset, Dealt),
    }


def train(start: Path, data: Path, out: Path, preset: Preset, scorer: type[Scorer], updates: int, seed: int) -> None:
    """Train from a warmed-up policy, or go on with a run that was cut off."""
    with patch.object(trainer, "Scorer", scorer):
        if (out / "run.json").exists():
            launch.resume(out, told=say)
            return
        given = open_data(str(data))
        launch.start(preset, given, out, machine=Machine(), policy=str(start), updates=updates, seed=seed)


def asked(folder: Path, items: Sequence[WorldItem], masks: Masks) -> Figures:
    """Ask a policy; per condition the masks' and the boxes' IoU of every question, samples as their mean."""
    together = AT_ONCE if torch.cuda.is_available() else 32
    policy = LocalPolicy.load(str(folder), PolicyCard(preset=load_preset("world_cpu")), batch=together)
    images, queries = [item.image for item in items], [item.asked.text for item in items]
    conditions = {
        "greedy": policy.answer(images, queries, max_tokens=TOKENS),
        "samples": policy.answer(images, queries, k=SAMPLES, temperature=1.0, max_tokens=TOKENS),
        "other_picture": policy.answer([*images[1:], images[0]], queries, max_tokens=TOKENS),
    }
    return {name: scored(prompts_of(policy, items, answers), items, masks) for name, answers in conditions.items()}


def prompts_of(policy: LocalPolicy, items: Sequence[WorldItem], answers: Sequence[Sequence[str]]) -> Prompts:
    """Return what answers point at, in pixels; an answer that cannot be read points at nothing."""
    return [
        [
            [prompt for thing in answer.things if (prompt := thing.prompt(policy.frame, item.sample.size))]
            if isinstance(answer := parse(text, policy.shape), Answer)
            else []
            for text in texts
        ]
        for item, texts in zip(items, answers, strict=True)
    ]


def scored(prompts: Prompts, items: Sequence[WorldItem], masks: Masks) -> dict[str, list[float]]:
    """Return per question the mean IoU of its answers' masks, and of the union of their boxes, with the target's."""
    pairs = [ious(item, own, masks) for item, own in zip(items, prompts, strict=True)]
    return {"mask": [mask for mask, _ in pairs], "box": [box for _, box in pairs]}


def ious(item: WorldItem, prompts: Sequence[Sequence[Prompt]], masks: Masks) -> tuple[float, float]:
    size, target = item.sample.size, item.sample.target()
    truth = drawn([one.mask.box_xyxy for one in item.sample.instances], size)
    made = iter(masks.masks(item.sample.id, lambda: item.image, [prompt for own in prompts for prompt in own]))
    unions = [union([mask for _ in own if (mask := next(made))], size) for own in prompts]
    boxes = [drawn([(p.box.x0, p.box.y0, p.box.x1, p.box.y1) for p in own if p.box], size) for own in prompts]
    return float(np.mean([one.iou(target) for one in unions])), float(np.mean([one.iou(truth) for one in boxes]))


def drawn(boxes: Sequence[Sequence[float]], size: tuple[int, int]) -> Mask:
    pixels = np.zeros(size, bool)
    for box in boxes:
        x0, y0, x1, y1 = (max(0, round(value)) for value in box)
        pixels[y0:y1, x0:x1] = True
    return Mask.encode(pixels)


def chance(items: Sequence[WorldItem], masks: Masks) -> dict[str, dict[str, list[float]]]:
    """Return what answers score that look at nothing: the best centred square for all, and another question's box."""
    side = PLAIN.side
    squares = [boxed((k, k, side - k, side - k)) for k in range(0, side // 2, 4)]
    tried = [scored([[[square]]] * len(items), items, masks) for square in squares]
    truths = [[[boxed(one.mask.box_xyxy) for one in item.sample.instances]] for item in items]
    return {
        "constant": max(tried, key=lambda one: float(np.mean(one["mask"]))),
        "random": scored([*truths[1:], truths[0]], items, masks),
    }


def boxed(corners: Sequence[float]) -> Prompt:
    x0, y0, x1, y1 = corners
    return Prompt(box=Box(x0=x0, y0=y0, x1=x1, y1=y1))


def interval(values: Sequence[float] | FloatArray) -> dict[str, float]:
    own = np.asarray(values, np.float64)
    means = own[np.random.default_rng(0).integers(len(own), size=(TIMES, len(own)))].mean(1)
    low, high = np.quantile(means, [0.025, 0.975])
    return {"mean": round(float(own.mean()), 4), "low": round(float(low), 4), "high": round(float(high), 4)}


def table(seeds: Sequence[dict[str, Figures]]) -> dict[str, Any]:
    """Return the figures of every policy, and how it differs from the warmed-up one, question by question.

    A question's figure is its mean over the seeds, so intervals are those of questions; ``seeds`` has each seed's own.
    """
    told: dict[str, Any] = {}
    for name, conditions in seeds[0].items():
        told[name] = {}
        for condition in conditions:
            for kind in ("mask", "box"):
                own = np.array([seed[name][condition][kind] for seed in seeds])
                told[name][f"{condition}_{kind}"] = interval(own.mean(0)) | {"seeds": own.mean(1).round(4).tolist()}
                if name != START:
                    less = own - np.array([seed[START][condition][kind] for seed in seeds])
                    gain = interval(less.mean(0)) | {"seeds": less.mean(1).round(4).tolist()}
                    told[name][f"{condition}_{kind}_gain"] = gain
    return told


def one(out: Path, updates: int, seed: int, items: Sequence[WorldItem], masks: Masks) -> dict[str, Figures]:
    """Make, train and ask the policies of a seed; what the folder holds already is taken from there."""
    start = out / START
    if not start.exists():
        out.mkdir(parents=True, exist_ok=True)
        make_policy(out / "untrained", seed=seed)
        on_world(out / "untrained", start, side=PLAIN.side, seed=seed, told=say)
    data = out / "data"
    if not data.exists():
        write_world(data, ROWS, TRAINED_ON + seed, PLAIN)
    found = {START: kept(out / f"{START}.json", start, items, masks)}
    for name, (preset, scorer) in variants(load_preset("world_cpu")).items():
        began = time.perf_counter()
        train(start, data, out / name, preset, scorer, updates, seed)
        found[name] = kept(out / f"{name}.json", out / name / "policy", items, masks)
        say(f"seed {seed}, {name}: {time.perf_counter() - began:.0f} s")
    return found


def kept(path: Path, policy: Path, items: Sequence[WorldItem], masks: Masks) -> Figures:
    if not path.exists():
        write_atomically(path, json.dumps(asked(policy, items, masks)).encode())
    figures: Figures = json.loads(path.read_text())
    return figures


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.world_cpu", description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("build/world_cpu"))
    parser.add_argument("--updates", type=int, default=150)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--questions", type=int, default=200)
    given = parser.parse_args()
    items = list(samples(given.questions, HELD_OUT, PLAIN))
    masks = launch.masks_of("tiny-test", None)
    seeds = [one(given.out / f"seed-{seed}", given.updates, seed, items, masks) for seed in given.seeds]
    blind = {
        name: {kind: interval(values) for kind, values in figures.items()}
        for name, figures in chance(items, masks).items()
    }
    machine = describe("numpy", "torch", "transformers", "trl")
    facts = {"questions": given.questions, "updates": given.updates, "seeds": given.seeds}
    told = {"machine": machine, **facts, "chance": blind, "policies": table(seeds)}
    RESULTS.write_text(json.dumps(told, indent=1) + "\n")
    print(json.dumps(told, indent=1))
    say(line(machine))


if __name__ == "__main__":
    main()
