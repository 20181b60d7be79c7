"""What rewards pay for answers that look at nothing: the floor above which a curve means that something was learnt.

    python -m benchmarks.reward_floor [--samples 300]

Samples are the world's, drawn with seed 0. Masks are the target's own for the right answer and filled boxes for the
others, which is kinder than a segmenter is to a box that fits nothing. Single-object presets see the samples with one
instance, those without a reward for it no question that nothing answers.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from whyseg.schemas import Mask
from whyseg.training.answers import Answer, Thing
from whyseg.training.frames import Frame
from whyseg.training.presets import Preset, load_preset
from whyseg.training.rewards.compose import Reward
from whyseg.training.targets import Target
from whyseg.training.world.dataset import World, samples

PRESETS = ("seg_zero_3b", "sam_r1_7b", "vision_reasoner_7b", "star_7b_stage1", "star_7b_stage2", "world_cpu")
FRAME = Frame("canvas_840")
Box = tuple[float, float, float, float]
Effort = Callable[[Target, np.random.Generator], list[Box]]


def whole(target: Target, rng: np.random.Generator) -> list[Box]:
    return [(0, 0, 840, 840)]


def middle(target: Target, rng: np.random.Generator) -> list[Box]:
    return [(210, 210, 630, 630)]


def random_boxes(target: Target, rng: np.random.Generator) -> list[Box]:
    """As many as there are, each of the size of one of the target's, anywhere."""
    found: list[Box] = []
    for box in right(target, rng):
        width, height = box[2] - box[0], box[3] - box[1]
        x, y = rng.uniform(0, 840 - width), rng.uniform(0, 840 - height)
        found.append((x, y, x + width, y + height))
    return found


def grid(target: Target, rng: np.random.Generator) -> list[Box]:
    return [(x, y, x + 84, y + 84) for x in range(0, 840, 84) for y in range(0, 840, 84)]


def nothing(target: Target, rng: np.random.Generator) -> list[Box]:
    return []


def right(target: Target, rng: np.random.Generator) -> list[Box]:
    boxes = [FRAME.from_pixels(instance.box, target.size).tolist() for instance in target.instances]
    return [(x1, y1, x2, y2) for x1, y1, x2, y2 in boxes]


def right_and_100_more(target: Target, rng: np.random.Generator) -> list[Box]:
    return right(target, rng) + grid(target, rng)


def off_by_9(target: Target, rng: np.random.Generator) -> list[Box]:
    return [(x1 + 9, y1 + 9, x2 + 9, y2 + 9) for x1, y1, x2, y2 in right(target, rng)]


EFFORTS: dict[str, Effort] = {
    "the whole picture": whole,
    "a box in the middle": middle,
    "as many random boxes of the right sizes": random_boxes,
    "a grid of 100 boxes": grid,
    "an empty list": nothing,
    "the right boxes and 100 more": right_and_100_more,
    "the right boxes, off by 9 pixels": off_by_9,
    "the right boxes and points": right,
}


def reply(preset: Preset, boxes: Sequence[Box], points: Sequence[tuple[float, float]]) -> str:
    """Write an answer in the preset's shape; points are the boxes' centres where there are no others."""
    centres = [((x1 + x2) / 2, (y1 + y2) / 2) for x1, y1, x2, y2 in boxes]
    used = list(points) or centres
    data: Any
    if preset.policy.answer == "single":
        both = used if len(used) > 1 else used * 2
        data = {"bbox": boxes[0], "points_1": both[0], "points_2": both[1]} if boxes else {}
    else:
        data = [{"label": "it", "bbox_2d": box, "point_2d": dot} for box, dot in zip(boxes, used, strict=True)]
    return f"<think>I see it.</think><answer>{json.dumps(data)}</answer>"


def mask_of(thing: Thing, size: tuple[int, int]) -> Mask:
    pixels = np.zeros(size, bool)
    if thing.box is not None:
        x1, y1, x2, y2 = np.clip(np.round(FRAME.to_pixels(thing.box, size)), 0, max(size)).astype(int).tolist()
        pixels[y1:y2, x1:x2] = True
    return Mask.encode(pixels)


def worth(reward: Reward, target: Target, name: str, rng: np.random.Generator) -> float:
    boxes = EFFORTS[name](target, rng)
    exact = name == "the right boxes and points"
    count = 2 if reward.spec.single_object else 1
    dots = [dot for one in target.instances for dot in one.points[:count]] if exact else []
    points = [(x, y) for x, y in FRAME.from_pixels(np.reshape(dots, (-1, 2)), target.size).tolist()]
    text = reply(reward.preset, boxes, points)
    read = reward.read(text)
    things = read.things if isinstance(read, Answer) else ()
    masks = [one.mask for one in target.instances] if exact else [mask_of(thing, target.size) for thing in things]
    return reward.score(text, target, masks, frame=FRAME).total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=300)
    count = parser.parse_args().samples
    targets = [Target.from_sample(item.sample) for item in samples(count, 0, World())]
    start = time.process_time()
    print(f"{'':<42}", *(f"{name.removesuffix('b'):>18}" for name in PRESETS))
    scored = 0
    for effort in EFFORTS:
        cells = []
        for name in PRESETS:
            reward, rng = Reward.of(load_preset(name)), np.random.default_rng(1)
            fitting = [
                target
                for target in targets
                if (target.instances or reward.spec.no_target)
                and (len(target.instances) == 1 or not reward.spec.single_object)
            ]
            values = [worth(reward, target, effort, rng) for target in fitting]
            scored += len(values)
            cells.append(f"{np.mean(values):.2f} of {reward.maximum:g}")
        print(f"{effort:<42}", *(f"{cell:>18}" for cell in cells), flush=True)
    print(f"{scored} answers in {time.process_time() - start:.1f} s of one core")


if __name__ == "__main__":
    main()
