"""Voting over several answers beside one greedy answer, on held-out questions of the plain world.

    python -m benchmarks.voting_world [--policy tiny-world ...] [--questions 200] [--temperatures 0.5 1.0]

A policy answers each question once greedily and 32 times at each temperature (top-p 0.9); the first 4, 8, 16 and all
32 are voted on as StAR does, and with the limits on IoU and votes that `whyseg score` uses. The figures are gIoU of the
packaged tiny SAM 2's masks; differences to greedy are paired by question, with 95 % bootstrap intervals. Beside them
stand the mean of single samples, and the best of 32 by the truth, which no vote can exceed by much.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import describe, line
from benchmarks.world_cpu import HELD_OUT, interval
from whyseg.curation.reading import Item
from whyseg.schemas import Mask, union
from whyseg.training.candidates import Candidates
from whyseg.training.launch import masks_of
from whyseg.training.policies import open_policy
from whyseg.training.predict import Predictor, Sampling
from whyseg.training.voting import Settings, vote
from whyseg.training.world.dataset import PLAIN, WorldItem, samples

RESULTS = Path(__file__).parent / "results" / "voting_world.json"
MOST, COUNTS, TOKENS, TOGETHER = 32, (4, 8, 16, 32), 96, 16
SETTINGS = {"star": Settings(), "loose": Settings(iou=0.5, mode="consensus")}


def item_of(one: WorldItem) -> Item:
    return Item(one.sample, one.record, one.png, one.record.file_name, None)


def direct(candidates: Candidates, place: int) -> Mask:
    return union([one.mask for one in candidates.answers[place].objects], candidates.size)


def asked(name: str, items: list[WorldItem], sampling: Sampling) -> list[Candidates]:
    masks = masks_of("tiny-test", None)
    predictor = Predictor(open_policy(name), masks, sampling)
    together = TOGETHER if sampling.k == 1 else 1
    found = []
    for start in range(0, len(items), together):
        found += predictor.answer([item_of(one) for one in items[start : start + together]])
    return found


def one_policy(name: str, items: list[WorldItem], temperatures: list[float]) -> dict[str, Any]:
    truths = [item.sample.target() for item in items]
    first = asked(name, items, Sampling.of(1, max_tokens=TOKENS))
    greedy = np.array([direct(one, 0).iou(truth) for one, truth in zip(first, truths, strict=True)])
    told: dict[str, Any] = {"policy": name, "greedy": interval(greedy), "votes": []}
    for temperature in temperatures:
        began = time.perf_counter()
        found = asked(name, items, Sampling.of(MOST, max_tokens=TOKENS, temperature=temperature))
        own = np.array(
            [[direct(one, k).iou(truth) for k in range(MOST)] for one, truth in zip(found, truths, strict=True)]
        )
        told["votes"].append({"temperature": temperature, "k": 1, "single": interval(own.mean(1))})
        told["votes"].append({"temperature": temperature, "k": MOST, "best": interval(own.max(1))})
        for rule, settings in SETTINGS.items():
            for count in COUNTS:
                voted = np.array(
                    [
                        (vote(one.answers[:count], one.size, settings).mask or Mask.empty(one.size)).iou(truth)
                        for one, truth in zip(found, truths, strict=True)
                    ]
                )
                row = {"temperature": temperature, "k": count, "rule": rule, "vote": interval(voted)}
                told["votes"].append(row | {"gain": interval(voted - greedy)})
        print(f"{name}, temperature {temperature}: {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
    return told


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.voting_world", description=__doc__.split("\n")[0])
    parser.add_argument("--policy", nargs="+", default=["tiny-world"])
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--temperatures", type=float, nargs="+", default=[0.5, 1.0])
    parser.add_argument("--results", type=Path, default=RESULTS)
    given = parser.parse_args()
    items = list(samples(given.questions, HELD_OUT, PLAIN))
    found = [one_policy(name, items, given.temperatures) for name in given.policy]
    machine = describe("numpy", "torch", "transformers")
    told = {"machine": machine, "questions": given.questions, "policies": found}
    given.results.write_text(json.dumps(told, indent=1) + "\n")
    for one in found:
        print(json.dumps(one["policy"]), one["greedy"])
        for row in one["votes"]:
            print(row)
    print(line(machine), file=sys.stderr)


if __name__ == "__main__":
    main()
