"""What SFT, GRPO, REST, mask tiers, KL and labels each give a policy of tens of millions of weights, on a GPU.

    python -m benchmarks.world_gpu [--out FOLDER] [--minutes 12] [--updates 20] [--seed 0] [--questions 200]

One policy is warmed up on the plain world; every row goes on from it. GRPO's rows are `world_gpu` with one line changed
and sample as many rollouts each; SFT alone goes on with lessons for as many seconds as GRPO with REST took. All are
asked the same held-out questions, as in `benchmarks.world_cpu`: masks and boxes, greedy and sampled, differences paired
by question with 95 % bootstrap intervals.

Each row is a process of its own, and the results are written after each. A row that fails or no longer fits into
``--minutes`` is written down with the reason; what it printed lies in ``--out``. What is there is not made again, so
that a second call goes on where the first ran out of time.

``--tiny`` runs the same with the CPU's policy, untrained, and a rollout or two: a check of this script, no measurement.
"""

import argparse
import json
import math
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from benchmarks.machine import describe, line
from benchmarks.parts import Parts
from benchmarks.world_cpu import HELD_OUT, ROWS, START, TRAINED_ON, Figures, chance, interval, kept, say, table
from whyseg.curation.reading import open_data
from whyseg.training import launch
from whyseg.training.frames import Frame
from whyseg.training.presets import Preset, load_preset
from whyseg.training.run import lines
from whyseg.training.settings import Machine
from whyseg.training.tiny_policy import make_policy
from whyseg.training.warm_up import BATCH, lessons_of, on_world, warm_up
from whyseg.training.world.dataset import PLAIN, samples
from whyseg.training.world.export import write_world

RESULTS = Path(__file__).parent / "results" / "world_gpu.json"
REST, SFT = "grpo_rest", "sft_longer"
LESSONS, TRIED = 5000, 20  # lessons that the warm-up did not have; steps that tell a step's seconds
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
        REST: preset,
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
        raw, made = out / "untrained", out / "making"
        for left in (raw, made):
            shutil.rmtree(left, ignore_errors=True)
        make_policy(raw, "cpu" if tiny else "gpu", seed=seed)
        if tiny:
            raw.rename(made)
        else:
            on_world(raw, made, side=PLAIN.side, seed=seed, told=say)
        made.rename(folder)
    return folder


def data_of(out: Path, seed: int, tiny: bool) -> Path:
    data = out / "data"
    if not data.exists():
        write_world(data, 4 if tiny else ROWS, TRAINED_ON + seed, PLAIN)
    return data


def trained(start: Path, data: Path, out: Path, preset: Preset, updates: int, seed: int) -> float:
    """Train a row, or go on with a run that was cut off; the seconds from its first to its last update."""
    cuda = torch.cuda.is_available()
    machine = Machine(cuda=cuda, bf16=cuda)
    if (out / "run.json").exists():
        launch.resume(out, told=say)
    else:
        launch.start(preset, open_data(str(data)), out, machine=machine, policy=str(start), updates=updates, seed=seed)
    steps = [float(entry["step_time"]) for entry in lines(out / "curves.jsonl")]
    return sum(steps)


def taught(start: Path, out: Path, seconds: float, seed: int, tiny: bool) -> int:
    """Go on with lessons for so many seconds; the number of steps."""
    lessons = lessons_of(samples(2 * BATCH if tiny else LESSONS, LESSON_SEED, PLAIN), Frame(f"canvas_{PLAIN.side}"))
    times: list[float] = []
    tried = 2 if tiny else TRIED
    warm_up(start, lessons, out, steps=tried, seed=seed, told=lambda step, loss: times.append(time.perf_counter()))
    each = (times[-1] - times[0]) / (tried - 1)  # loading and the first step's warming up not counted
    steps = 2 if tiny else max(TRIED, int(seconds / each))
    warm_up(start, lessons, out, steps=steps, seed=seed)
    return steps


def part(name: str, given: argparse.Namespace) -> None:
    """Make, train and ask one policy in this process; its figures and what it took go to the folder."""
    out, seed, tiny = given.out, given.seed, given.tiny
    out.mkdir(parents=True, exist_ok=True)
    items, masks = list(samples(given.questions, HELD_OUT, PLAIN)), launch.masks_of("tiny-test", None)
    start = started(out, seed, tiny)
    if name == START:
        blind = chance(items, masks)
        told = {one: {kind: interval(own) for kind, own in figures.items()} for one, figures in blind.items()}
        took, policy = {"chance": told, "parameters": weights_of(start)}, start
    elif name == SFT:
        seconds = took_of(out, REST)["seconds"]
        took, policy = {"steps": taught(start, out / SFT, seconds, seed, tiny), "seconds": seconds}, out / SFT
    else:
        preset = load_preset("world_gpu")
        one = variants(small(preset) if tiny else preset)[name]
        seconds = trained(start, data_of(out, seed, tiny), out / name, one, given.updates, seed)
        rollouts = given.updates * one.grpo.n * one.grpo.prompts_per_step
        took = {"seconds": round(seconds, 1), "updates": given.updates, "rollouts": rollouts}
        policy = out / name / "policy"
    kept(out / f"{name}.json", policy, items, masks)
    (out / f"{name}.took.json").write_text(json.dumps(took))


def weights_of(policy: Path) -> int:
    """Return how many weights a model's files hold."""
    with safe_open(policy / "model.safetensors", "np") as held:
        return sum(math.prod(held.get_slice(name).get_shape()) for name in held.keys())


def took_of(out: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / f"{name}.took.json").read_text())
    return found


def results(given: argparse.Namespace, done: Sequence[str], parts: Parts) -> dict[str, Any]:
    """Return what is known so far, as the result file says it."""
    machine = describe("numpy", "torch", "transformers", "trl")
    machine["gpu"] = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    took = {name: took_of(given.out, name) for name in done}
    begun = took.pop(START, {})
    figures: dict[str, Figures] = {name: json.loads((given.out / f"{name}.json").read_text()) for name in done}
    facts = {"questions": given.questions, "updates": given.updates, "seed": given.seed, "tiny": given.tiny}
    policies = table([figures]) if figures else {}
    return {"machine": machine, **facts, **begun, "took": took, **parts.notes(), "policies": policies}


def every(given: argparse.Namespace, parts: Parts) -> dict[str, Any]:
    """Make all rows, one after the other, each in its own process; the results are written after each."""
    settings = ["--out", str(given.out), "--updates", str(given.updates), "--seed", str(given.seed)]
    settings += ["--questions", str(given.questions), *["--tiny"] * given.tiny]
    done: list[str] = []
    longest, told = 0.0, dict[str, Any]()
    for name in (START, REST, SFT, *(name for name in variants(load_preset("world_gpu")) if name != REST)):
        wanted = {START: None, SFT: REST}.get(name, START)
        if wanted is not None and wanted not in done:
            parts.leave_out(name, f"it needs {wanted}")
        elif (given.out / f"{name}.took.json").exists() or parts.run(name, "--part", name, *settings, needs=longest):
            done.append(name)
            longest = max(longest, parts.seconds.get(name, 0.0) if name != START else 0.0)
        told = results(given, done, parts)
        given.results.write_text(json.dumps(told, indent=1) + "\n")
    return told


def show(told: dict[str, Any]) -> None:
    print(f"{'':<26}{'greedy mask':>12}{'gain':>26}{'sampled mask':>14}")
    for name, one in told["policies"].items():
        gain = one.get("greedy_mask_gain")
        between = f"{gain['mean']:+.3f} [{gain['low']:+.3f}, {gain['high']:+.3f}]" if gain else ""
        print(f"{name:<26}{one['greedy_mask']['mean']:>12.3f}{between:>26}{one['samples_mask']['mean']:>14.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.world_gpu", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("build/world_gpu"))
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--minutes", type=float, default=12, help="for all of it")
    parser.add_argument("--updates", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--part", help="this row alone, in this process")
    given = parser.parse_args()
    if not (given.tiny or torch.cuda.is_available()):
        raise SystemExit("no GPU here; --tiny checks the script on a CPU")
    given.out, given.results = given.out.resolve(), given.results.resolve()
    if given.part:
        return part(given.part, given)
    parts = Parts.of("world_gpu", given.minutes, given.out)
    told = every(given, parts)
    show(told)
    say(line(told["machine"]))
    parts.finish()


if __name__ == "__main__":
    main()
