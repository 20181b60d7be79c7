"""Scoring 256 answers of 30 objects against 30, beside the same rewards pair by pair; milliseconds of one core.

    python -m benchmarks.reward_speed

The plain program compares every box, point and mask with every other in a loop, and assigns with the same scipy. Both
read the same texts and must come to the same accuracy.
"""

import json
import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from benchmarks.machine import describe, line
from benchmarks.rows import Row, faster, options, show, write
from whyseg.schemas import Mask
from whyseg.training.rewards.compose import Reward
from whyseg.training.targets import Target

ANSWERS, OBJECTS, SIDE = 256, 30, 840
Plain = dict[str, Any]
TIERS = ((0.9, 5), (0.8, 4), (0.7, 3), (0.5, 2), (0.3, 1))


def made_up(seed: int = 0) -> tuple[list[Plain], list[list[Plain]]]:
    """Return 30 objects, and 256 answers that name them in other orders, each a little off."""
    random = np.random.default_rng(seed)

    def thing(x: int, y: int) -> Plain:
        ys, xs = np.mgrid[:SIDE, :SIDE]
        mask = Mask.encode(np.hypot(xs - x - 45, ys - y - 45) < 44)
        return {"label": "it", "bbox_2d": [x, y, x + 90, y + 90], "point_2d": [x + 45, y + 45], "mask": mask}

    corners = random.integers(0, 740, (OBJECTS, 2)).tolist()
    known = {(dx, dy): [thing(x + dx, y + dy) for x, y in corners] for dx, dy in ((0, 0), (4, 8), (9, 9), (3, 2))}
    shifts = [list(known.values())[k] for k in random.integers(0, len(known), ANSWERS)]
    return known[(0, 0)], [[objects[k] for k in random.permutation(OBJECTS)] for objects in shifts]


def plain_accuracy(text: str, goals: Sequence[Plain], masks: Sequence[Mask] | None) -> float:
    """Return VisionReasoner's accuracy, StAR's where there are masks, comparing one pair after the other."""
    things = json.loads(text.partition("<answer>")[2].removesuffix("</answer>"))
    scores = np.zeros((len(things), len(goals)))
    for row, thing in enumerate(things):
        for column, goal in enumerate(goals):
            scores[row, column] = _pair(thing, goal)
            if masks is not None:
                iou = masks[row].iou(goal["mask"])
                scores[row, column] += next((value for limit, value in TIERS if iou > limit), 0)
    rows, columns = linear_sum_assignment(scores, maximize=True)
    return float(scores[rows, columns].sum() / max(scores.shape))


def _pair(thing: Plain, goal: Plain) -> float:
    (ax, ay, bx, by), (cx, cy, dx, dy) = thing["bbox_2d"], goal["bbox_2d"]
    width, height = min(bx, dx) - max(ax, cx) + 1, min(by, dy) - max(ay, cy) + 1
    common = max(width, 0) * max(height, 0)
    union = (bx - ax + 1) * (by - ay + 1) + (dx - cx + 1) * (dy - cy + 1) - common
    near = sum(abs(a - b) for a, b in zip(thing["bbox_2d"], goal["bbox_2d"], strict=True)) / 4 < 10
    (x, y), point = thing["point_2d"], goal["point_2d"]
    there = math.dist((x, y), point) < 30 and ax <= x <= bx and ay <= y <= by
    return float(common / union > 0.5) + float(near) + float(there)


def timed(work: Callable[[], list[float]]) -> tuple[float, list[float]]:
    """Return the milliseconds of this process's core, the best of three, and what came out."""
    best, found = math.inf, list[float]()
    for _ in range(3):
        start = time.process_time()
        found = work()
        best = min(best, 1e3 * (time.process_time() - start))
    return best, found


def compare(name: str, goals: list[Plain], answers: list[list[Plain]], target: Target) -> Plain:
    """Score all answers both ways."""
    reward = Reward.of(name)
    bare = [[{key: value for key, value in one.items() if key != "mask"} for one in answer] for answer in answers]
    texts = [f"<think>They are here.</think><answer>{json.dumps(answer)}</answer>" for answer in bare]
    masks = [[one["mask"] for one in answer] if reward.needs_masks else None for answer in answers]
    pairs = list(zip(texts, masks, strict=True))
    ours, found = timed(lambda: [reward.score(text, target, own).terms["accuracy"] for text, own in pairs])
    plain, expected = timed(lambda: [plain_accuracy(text, goals, own) for text, own in pairs])
    assert np.allclose(found, expected), f"{name}: both should come to the same accuracy"
    print(f"{name:<20} {ours:8.1f} ms for all terms, pair by pair {plain:8.1f} ms for the accuracy alone")
    return {"preset": name, "ours_ms": round(ours, 1), "pair_by_pair_ms": round(plain, 1)}


def rows_of(rows: list[Plain]) -> list[Row]:
    """Return what was found as rows."""
    what = f"rewards of {ANSWERS} answers of {OBJECTS} objects, {{preset}}"
    return [
        Row(
            what=what.format(preset=row["preset"]), value=row["ours_ms"],
            baseline="pair by pair, the accuracy alone", **faster(row["ours_ms"], row["pair_by_pair_ms"]),
        )
        for row in rows
    ]  # fmt: skip


def main() -> None:
    asked = options(__doc__, "reward_speed").parse_args()
    goals, answers = made_up()
    instances = [{"rle": goal["mask"], "bbox_2d": goal["bbox_2d"], "point_2d": goal["point_2d"]} for goal in goals]
    target = Target.from_json({"size": (SIDE, SIDE), "instances": instances})
    rows = [compare(name, goals, answers, target) for name in ("vision_reasoner_7b", "star_7b_stage1")]
    machine = describe("numpy", "scipy", "pycocotools")
    print(line(machine))
    show(rows_of(rows))
    write(asked.out, rows_of(rows), machine, quick=asked.quick, answers=ANSWERS, objects=OBJECTS, presets=rows)


if __name__ == "__main__":
    main()
