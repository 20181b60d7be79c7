"""The first lesson: the vision tower learns what lies in each cell, and nothing else of the policy changes."""

from functools import partial
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from whyseg.training.tiny_policy import make_policy
from whyseg.training.tiny_sight import cells, learn_to_see
from whyseg.training.world.dataset import PLAIN
from whyseg.training.world.scenes import Scene, Thing


def test_a_cell_belongs_to_the_thing_with_most_pixels_in_it() -> None:
    masks = np.zeros((2, 112, 112), bool)
    masks[0, 0:28, 14:35] = True  # 14 columns in the first cell, 7 in the second
    masks[1, 0:28, 36:56] = True  # 20 columns of the second cell
    things = tuple(Thing(*words, "plain", "small", {"": mask}) for words, mask in zip(_WORDS, masks, strict=True))
    names, boxes = cells(Scene(112, things, 0), 4)
    # "" is 0, circle 1, square 2; red 1, green 2.
    assert names[:3].tolist() == [[1, 1], [2, 2], [0, 0]]
    assert boxes[1].tolist() == [36, 0, 56, 28]
    assert not names[2:].any()


_WORDS = (("circle", "red"), ("square", "green"))


def _hear(heard: list[float], step: int, loss: float) -> None:
    heard.append(loss)


def test_only_the_tower_learns_and_the_seed_decides(tmp_path: Path) -> None:
    make_policy(tmp_path / "raw")
    losses: dict[str, list[float]] = {"one": [], "two": []}
    for name, heard in losses.items():
        learn_to_see(tmp_path / "raw", tmp_path / name, PLAIN, steps=8, told=partial(_hear, heard))
    assert losses["one"] == losses["two"]
    # ln 12 kinds + ln 7 colours + ln 12 tens + ln 10 units = 9.2
    assert losses["one"][-1] < losses["one"][0]
    raw, one = (load_file(tmp_path / name / "model.safetensors") for name in ("raw", "one"))
    changed = {key for key in raw if not torch.equal(raw[key], one[key])}
    assert changed
    assert all(".visual." in key or key.startswith("visual.") for key in changed)
