"""How long the masks of 256 rollouts on one picture take, against `set_image` and predict for every rollout.

The baseline is what StAR's worker does: each rollout's picture goes through the encoder again, then its prompt through
the decoder. Two shapes of SAM 2.1 run: the packaged test model, whose encoder is small beside everything else, with all
256 rollouts both ways; and Hiera-T at 1024 pixels with random weights, of whose baseline ``--baseline`` rollouts are
run and the time for 256 is extrapolated, and marked so. Rollouts repeat each other: ``--distinct`` prompts of 256.
Times are this process's processor time, so that whatever else runs on the machine does not count.
"""

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import describe, line
from benchmarks.rows import Budget, Row, faster, options, show, write
from whyseg import data
from whyseg.curation.segmenters.crops import mask_of
from whyseg.curation.segmenters.sam2 import Sam2Segmenter
from whyseg.schemas import Box, Point, Prompt
from whyseg.training.mask_reward import Masks
from whyseg.training.world.dataset import World, samples

ROLLOUTS, SIDE = 256, 840


def prompts(distinct: int) -> list[Prompt]:
    """Return 256 prompts, a box and a point each, of so many different ones, in mixed order."""
    rng = np.random.default_rng(0)
    made = []
    for x, y, w, h in rng.integers((0, 0, 60, 60), (500, 500, 300, 300), (distinct, 4)).tolist():
        made.append(Prompt(points=(Point(x=x + w / 2, y=y + h / 2),), box=Box(x0=x, y0=y, x1=x + w, y1=y + h)))
    return [made[k] for k in rng.permutation(np.arange(ROLLOUTS) % distinct)]


def baseline(segmenter: Sam2Segmenter, picture: Any, asked: list[Prompt]) -> float:
    """Return the processor seconds that so many rollouts take one by one."""
    began = time.process_time()
    for prompt in asked:
        embedding = segmenter.embed(picture)
        mask_of(segmenter.propose(embedding, prompt)[0], embedding.size)
    return time.process_time() - began


def measured(segmenter: Sam2Segmenter, distinct: int, baseline_rollouts: int) -> dict[str, Any]:
    picture = next(samples(1, 0, World(side=SIDE))).image
    asked = prompts(distinct)
    baseline(segmenter, picture, asked[:1])  # warm
    began = time.process_time()
    masks = Masks(segmenter)
    found = masks.masks("picture", lambda: picture, asked)
    ours = time.process_time() - began
    assert len(found) == ROLLOUTS
    theirs = baseline(segmenter, picture, asked[:baseline_rollouts]) * ROLLOUTS / baseline_rollouts
    return {
        "rollouts": ROLLOUTS,
        "distinct": distinct,
        "encoded": masks.embedded,
        "decoded": masks.decoded,
        "cpu_seconds": round(ours, 3),
        "baseline_cpu_seconds": round(theirs, 3),
        "baseline_extrapolated_from": None if baseline_rollouts == ROLLOUTS else baseline_rollouts,
        "ratio": round(theirs / ours, 1),
    }


def random_hiera_tiny(folder: Path) -> Path:
    """Write SAM 2.1 Hiera-T's shape, transformers' default, with random weights."""
    from transformers import Sam2Config, Sam2Model

    Sam2Model(Sam2Config()).save_pretrained(folder)
    return folder


def rows_of(models: dict[str, Any]) -> list[Row]:
    """Return what was found as rows."""
    rows = []
    for name, runs in models.items():
        for run in runs:
            baseline = "encoding the picture for every rollout"
            if run["baseline_extrapolated_from"]:
                baseline += f", extrapolated from {run['baseline_extrapolated_from']}"
            rows.append(
                Row(
                    what=f"masks of {run['rollouts']} rollouts, {run['distinct']} different, {name}",
                    unit="s of processor time", value=run["cpu_seconds"], baseline=baseline,
                    **faster(run["cpu_seconds"], run["baseline_cpu_seconds"]), budget=Budget(of="ratio", at_least=10),
                )
            )  # fmt: skip
    return rows


def main() -> None:
    parser = options(__doc__, "mask_reward")
    parser.add_argument("--baseline", type=int, default=12, help="rollouts of the large model's baseline")
    parser.add_argument("--distinct", type=int, nargs="+", default=[256, 64])
    asked = parser.parse_args()
    machine, models = describe("torch", "transformers"), dict[str, Any]()
    tiny = Sam2Segmenter(data.path("models/tiny_sam2"), "tiny-test")
    models["tiny-test"] = [measured(tiny, distinct, ROLLOUTS) for distinct in asked.distinct]
    if not asked.quick:
        with tempfile.TemporaryDirectory() as folder:
            large = Sam2Segmenter(random_hiera_tiny(Path(folder)), "hiera-tiny, random weights")
            models["hiera-tiny 1024, random weights"] = [
                measured(large, distinct, asked.baseline) for distinct in asked.distinct
            ]
    rows = rows_of(models)
    print(line(machine))
    show(rows)
    write(asked.out, rows, machine, quick=asked.quick, models=models)


if __name__ == "__main__":
    main()
