"""What the tiny policy learns in its warm-up, beside what it would score without looking or without listening.

    python -m benchmarks.warm_up [--seeds 0 1] [--questions 128]

For each seed a policy is made, learns to see and to answer the plain world, and is examined on scenes that it has not
seen: IoU of its boxes, gIoU of the packaged tiny SAM 2's masks, with 95 % bootstrap intervals.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.machine import describe, line
from whyseg.curation.segmenters import weights
from whyseg.curation.segmenters.sam2 import Sam2Segmenter
from whyseg.training.local_policy import LocalPolicy
from whyseg.training.mask_reward import Masks
from whyseg.training.policies import PolicyCard
from whyseg.training.presets import load_preset
from whyseg.training.tiny_policy import make_policy
from whyseg.training.warm_up import on_world
from whyseg.training.world.dataset import PLAIN, samples
from whyseg.training.world.exam import examine

RESULTS = Path(__file__).parent / "results" / "warm_up.json"
HELD_OUT = 2**31  # the seed of the exam's scenes


def one(seed: int, questions: int, folder: Path) -> dict[str, Any]:
    began, busy = time.perf_counter(), time.process_time()
    make_policy(folder / "untrained", seed=seed)
    on_world(folder / "untrained", folder / "warm", side=PLAIN.side, seed=seed, told=print_now)
    seconds, processor = time.perf_counter() - began, time.process_time() - busy
    model = weights.find("tiny-test")
    masks = Masks(Sam2Segmenter(weights.here(model) or weights.pull(model), model.name))
    items = list(samples(questions, HELD_OUT, PLAIN))
    exams = {}
    for name in ("untrained", "warm"):
        policy = LocalPolicy.load(str(folder / name), PolicyCard(preset=load_preset("world_cpu")))
        exams[name] = examine(policy, items, masks).plain()
    return {"seed": seed, "seconds": round(seconds), "processor_seconds": round(processor), "exams": exams}


def print_now(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.warm_up", description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--questions", type=int, default=128)
    given = parser.parse_args()
    runs = []
    for seed in given.seeds:
        with tempfile.TemporaryDirectory() as folder:
            runs.append(one(seed, given.questions, Path(folder)))
        print(json.dumps(runs[-1], indent=1))
    machine = describe("numpy", "torch", "transformers")
    RESULTS.write_text(json.dumps({"machine": machine, "runs": runs}, indent=1) + "\n")
    print(line(machine))


if __name__ == "__main__":
    main()
