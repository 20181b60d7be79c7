"""What GRPO adds to a warmed-up policy on the world, on a CPU, beside what it adds when its rewards mean nothing.

    python -m benchmarks.world_cpu [--policy FOLDER] [--updates 50] [--seeds 0] [--questions 200]

From one warmed-up policy (made here unless given) three are trained by `world_cpu` on the plain world: with REST as the
preset says, with all rollouts kept, and with REST on rewards that were dealt out anew within each prompt's rollouts.
Each is asked the same held-out questions: greedily, eight times at temperature 1, and about another picture. The
figures are gIoU of the packaged tiny SAM 2's masks and IoU of the boxes, differences paired by question, all with 95 %
bootstrap intervals.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import numpy.typing as npt

from benchmarks.machine import describe, line
from whyseg.curation.reading import open_data
from whyseg.schemas import Mask, union
from whyseg.training import launch, trainer
from whyseg.training.answers import Answer, parse
from whyseg.training.local_policy import LocalPolicy
from whyseg.training.mask_reward import Masks
from whyseg.training.policies import PolicyCard
from whyseg.training.presets import Preset, load_preset
from whyseg.training.scoring import Scorer
from whyseg.training.settings import Machine
from whyseg.training.world.dataset import PLAIN, WorldItem, samples
from whyseg.training.world.export import write_world

RESULTS = Path(__file__).parent / "results" / "world_cpu.json"
HELD_OUT, TRAINED_ON = 2**31 + 1, 11  # seeds of scenes; the warm-up has others
ROWS, SAMPLES, TOKENS, TIMES = 1200, 8, 128, 2000
FloatArray = npt.NDArray[np.float64]


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


def train(start: Path, data: Path, out: Path, preset: Preset, scorer: type[Scorer], updates: int, seed: int) -> float:
    """Train from a warmed-up policy; the seconds that it took."""
    began = time.perf_counter()
    with patch.object(trainer, "Scorer", scorer):
        launch.start(
            preset, open_data(str(data)), out, machine=Machine(), policy=str(start), updates=updates, seed=seed
        )
    return time.perf_counter() - began


def asked(folder: Path, items: Sequence[WorldItem], masks: Masks) -> dict[str, dict[str, FloatArray]]:
    """Ask a policy; per condition the masks' and the boxes' IoU of every question, samples as their mean."""
    policy = LocalPolicy.load(str(folder), PolicyCard(preset=load_preset("world_cpu")))
    images, queries = [item.image for item in items], [item.asked.text for item in items]
    greedy = policy.answer(images, queries, max_tokens=TOKENS)
    sampled = policy.answer(images, queries, k=SAMPLES, temperature=1.0, max_tokens=TOKENS)
    conditions = {"greedy": greedy, "sampled": sampled, "other_picture": [*greedy[1:], greedy[0]]}
    found: dict[str, dict[str, FloatArray]] = {}
    for name, answers in conditions.items():
        pairs = [ious(policy, item, texts, masks) for item, texts in zip(items, answers, strict=True)]
        found[name] = {"mask": np.array([mask for mask, _ in pairs]), "box": np.array([box for _, box in pairs])}
    return found


def ious(policy: LocalPolicy, item: WorldItem, texts: Sequence[str], masks: Masks) -> tuple[float, float]:
    """Return the mean IoU of answers' masks, and of the union of their boxes, with the target's."""
    size, target = item.sample.size, item.sample.target()
    truth = drawn([one.mask.box_xyxy for one in item.sample.instances], size)
    prompts = []
    for text in texts:
        answer = parse(text, policy.shape)
        things = answer.things if isinstance(answer, Answer) else ()
        prompts.append([prompt for thing in things if (prompt := thing.prompt(policy.frame, size))])
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


def chance(items: Sequence[WorldItem]) -> dict[str, FloatArray]:
    """Return the boxes' IoU of the best centred square for all, and of another question's right box."""
    truths = [drawn([one.mask.box_xyxy for one in item.sample.instances], item.sample.size) for item in items]
    side = PLAIN.side
    squares = [drawn([(k, k, side - k, side - k)], (side, side)) for k in range(0, side // 2, 4)]
    constant = max((np.array([square.iou(t) for t in truths]) for square in squares), key=lambda v: float(v.mean()))
    moved = [*truths[1:], truths[0]]
    return {"constant": constant, "random": np.array([a.iou(b) for a, b in zip(moved, truths, strict=True)])}


def interval(values: FloatArray) -> dict[str, float]:
    drawn_means = values[np.random.default_rng(0).integers(len(values), size=(TIMES, len(values)))].mean(1)
    low, high = np.quantile(drawn_means, [0.025, 0.975])
    return {"mean": round(float(values.mean()), 4), "low": round(float(low), 4), "high": round(float(high), 4)}


def table(found: dict[str, dict[str, dict[str, FloatArray]]]) -> dict[str, Any]:
    """Return the figures of every policy, and how it differs from the warmed-up one, question by question."""
    told: dict[str, Any] = {}
    for name, conditions in found.items():
        told[name] = {}
        for condition, kinds in conditions.items():
            for kind, values in kinds.items():
                told[name][f"{condition}_{kind}"] = interval(values)
                if name != "sft":
                    less = values - found["sft"][condition][kind]
                    told[name][f"{condition}_{kind}_gain"] = interval(less)
    return told


def one(start: Path, updates: int, seed: int, items: Sequence[WorldItem], say: Callable[[str], None]) -> dict[str, Any]:
    masks = launch.masks_of("tiny-test", None)
    found, seconds = {"sft": asked(start, items, masks)}, {}
    with tempfile.TemporaryDirectory() as made:
        data = Path(made) / "data"
        write_world(data, ROWS, TRAINED_ON, PLAIN)
        for name, (preset, scorer) in variants(load_preset("world_cpu")).items():
            out = Path(made) / name
            seconds[name] = round(train(start, data, out, preset, scorer, updates, seed))
            found[name] = asked(out / "policy", items, masks)
            say(f"{name}, seed {seed}: {seconds[name]} s, {json.dumps(table(found)[name])}")
    return {"seed": seed, "updates": updates, "seconds": seconds, "policies": table(found)}


def warmed(folder: Path) -> Path:
    from whyseg.training.tiny_policy import make_policy
    from whyseg.training.warm_up import on_world

    make_policy(folder / "untrained", seed=0)
    on_world(folder / "untrained", folder / "warm", side=PLAIN.side, seed=0)
    return folder / "warm"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.world_cpu", description=__doc__.split("\n")[0])
    parser.add_argument("--policy", type=Path)
    parser.add_argument("--updates", type=int, default=50)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--questions", type=int, default=200)
    given = parser.parse_args()

    def say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    items = list(samples(given.questions, HELD_OUT, PLAIN))
    with tempfile.TemporaryDirectory() as folder:
        start = given.policy or warmed(Path(folder))
        runs = [one(start, given.updates, seed, items, say) for seed in given.seeds]
    blind = {name: interval(values) for name, values in chance(items).items()}
    machine = describe("numpy", "torch", "transformers", "trl")
    told = {"machine": machine, "questions": given.questions, "box_chance": blind, "runs": runs}
    RESULTS.write_text(json.dumps(told, indent=1) + "\n")
    print(json.dumps(told, indent=1))
    print(line(machine), file=sys.stderr)


if __name__ == "__main__":
    main()
