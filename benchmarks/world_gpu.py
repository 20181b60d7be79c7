"""What SFT, GRPO, REST, mask tiers, KL and labels each give a policy of tens of millions of weights, on a GPU.

    python -m benchmarks.world_gpu [--out FOLDER] [--updates 20] [--seed 0] [--questions 400]

One policy is warmed up on the plain world; every row goes on from it. GRPO's rows are `world_gpu` with one line changed
and sample as many rollouts each; SFT alone goes on with lessons for as many seconds as GRPO with REST took. All are
asked the same held-out questions, as in `benchmarks.world_cpu`: masks and boxes, greedy and sampled, differences paired
by question with 95 % bootstrap intervals. What ``--out`` holds is not made again.

``--tiny`` runs the same with the CPU's policy, untrained, and a rollout or two: a check of this script, no measurement.
"""

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.machine import describe, line
from benchmarks.world_cpu import HELD_OUT, ROWS, START, TRAINED_ON, Figures, chance, interval, kept, say, table
from whyseg.curation.reading import open_data
from whyseg.training import launch
from whyseg.training.frames import Frame
from whyseg.training.mask_reward import Masks
from whyseg.training.presets import Preset, load_preset
from whyseg.training.run import RunFolder
from whyseg.training.settings import Machine
from whyseg.training.tiny_policy import make_policy
from whyseg.training.warm_up import BATCH, lessons_of, on_world, warm_up
from whyseg.training.world.dataset import PLAIN, WorldItem, samples
from whyseg.training.world.export import write_world

RESULTS = Path(__file__).parent / "results" / "world_gpu.json"
SFT, LESSONS, TRIED = "sft_longer", 5000, 20  # lessons that the warm-up did not have; steps that tell a step's seconds
LESSON_SEED = 2_000_000
SAM_R1 = ((0.8, 4.0), (0.7, 3.0), (0.5, 2.0))


def variants(preset: Preset) -> dict[str, Preset]:
    """Return the rows of GRPO: the preset with REST as it is, and with one thing changed."""
    grpo, reward = preset.grpo, preset.reward

    def with_grpo(**changed: Any) -> Preset:
        return preset.model_copy(update={"grpo": grpo.model_copy(update=changed)})

    def with_reward(**changed: Any) -> Preset:
        return preset.model_copy(update={"reward": reward.model_copy(update=changed)})

    return {
        "grpo_rest": preset,
        "grpo": with_grpo(keep=grpo.n),
        "grpo_rest_sam_r1_tiers": with_reward(tiers=SAM_R1),
        "grpo_rest_plain_iou": with_reward(accuracy="soft"),
        "grpo_rest_kl": with_grpo(beta=0.01),
        "grpo_rest_no_labels": with_reward(label=False),
    }


def small(preset: Preset) -> Preset:
    """Return a preset that samples next to nothing, for ``--tiny``."""
    few = {"n": 4, "keep": 2, "prompts_per_step": 1, "max_completion_tokens": 8}
    return preset.model_copy(update={"grpo": preset.grpo.model_copy(update=few)})


def started(out: Path, seed: int, tiny: bool) -> Path:
    """Return the folder of the policy that all rows begin from."""
    folder = out / START
    if not folder.exists():
        out.mkdir(parents=True, exist_ok=True)
        raw = folder if tiny else out / "untrained"
        make_policy(raw, "cpu" if tiny else "gpu", seed=seed)
        if not tiny:
            on_world(raw, folder, side=PLAIN.side, seed=seed, told=say)
    return folder


def trained(start: Path, data: Path, out: Path, preset: Preset, updates: int, seed: int) -> float:
    """Train a row, unless its run is there; the seconds that it took."""
    if not (out / "policy").exists():
        cuda = torch.cuda.is_available()
        machine = Machine(cuda=cuda, bf16=cuda)
        launch.start(preset, open_data(str(data)), out, machine=machine, policy=str(start), updates=updates, seed=seed)
    record = RunFolder.of(out).read()
    assert record.finished_at is not None
    return (record.finished_at - record.created_at).total_seconds()


def taught(start: Path, out: Path, seconds: float, seed: int, tiny: bool) -> int:
    """Go on with lessons for so many seconds, unless that was done; the number of steps."""
    note = out / "steps"
    if not note.exists():
        lessons = lessons_of(samples(2 * BATCH if tiny else LESSONS, LESSON_SEED, PLAIN), Frame(f"canvas_{PLAIN.side}"))
        began = time.perf_counter()
        warm_up(start, lessons, out, steps=1 if tiny else TRIED, seed=seed)
        steps = 2 if tiny else max(TRIED, int(seconds / (time.perf_counter() - began) * TRIED))
        warm_up(start, lessons, out, steps=steps, seed=seed)
        note.write_text(str(steps))
    return int(note.read_text())


def rows(
    out: Path, items: Sequence[WorldItem], masks: Masks, updates: int, seed: int, tiny: bool
) -> tuple[dict[str, Figures], dict[str, Any]]:
    """Make, train and ask the policies of all rows; return their figures, and what each took."""
    start, data = started(out, seed, tiny), out / "data"
    if not data.exists():
        write_world(data, 4 if tiny else ROWS, TRAINED_ON + seed, PLAIN)
    found, took = {START: kept(out / f"{START}.json", start, items, masks)}, dict[str, Any]()
    preset = load_preset("world_gpu")
    for name, one in variants(small(preset) if tiny else preset).items():
        seconds = trained(start, data, out / name, one, updates, seed)
        rollouts = updates * one.grpo.n * one.grpo.prompts_per_step
        took[name] = {"seconds": round(seconds, 1), "updates": updates, "rollouts": rollouts}
        found[name] = kept(out / f"{name}.json", out / name / "policy", items, masks)
        say(f"{name}: {seconds:.0f} s")
    steps = taught(start, out / SFT, took["grpo_rest"]["seconds"], seed, tiny)
    took[SFT] = {"steps": steps, "seconds": took["grpo_rest"]["seconds"]}
    found[SFT] = kept(out / f"{SFT}.json", out / SFT, items, masks)
    return found, took


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.world_gpu", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("build/world_gpu"))
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--updates", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--questions", type=int, default=400)
    parser.add_argument("--tiny", action="store_true")
    given = parser.parse_args()
    if not (given.tiny or torch.cuda.is_available()):
        raise SystemExit("no GPU here; --tiny checks the script on a CPU")
    items = list(samples(given.questions, HELD_OUT, PLAIN))
    masks = launch.masks_of("tiny-test", None)
    found, took = rows(given.out, items, masks, given.updates, given.seed, given.tiny)
    blind = {name: {kind: interval(own) for kind, own in one.items()} for name, one in chance(items, masks).items()}
    machine = describe("numpy", "torch", "transformers", "trl")
    machine["gpu"] = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    facts = {"questions": given.questions, "updates": given.updates, "seed": given.seed, "took": took}
    told = {"machine": machine, **facts, "chance": blind, "policies": table([found])}
    given.results.write_text(json.dumps(told, indent=1) + "\n")
    print(f"{'':<26}{'greedy mask':>12}{'gain':>26}{'sampled mask':>14}")
    for name, one in told["policies"].items():
        gain = one.get("greedy_mask_gain")
        between = f"{gain['mean']:+.3f} [{gain['low']:+.3f}, {gain['high']:+.3f}]" if gain else ""
        print(f"{name:<26}{one['greedy_mask']['mean']:>12.3f}{between:>26}{one['samples_mask']['mean']:>14.3f}")
    say(line(machine))


if __name__ == "__main__":
    main()
