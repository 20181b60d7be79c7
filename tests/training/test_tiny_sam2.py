"""The packaged test model: it is what it says it is, and it segments what it was made for."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from whyseg import data
from whyseg.curation.segmenters.base import BoolArray, Proposal
from whyseg.curation.segmenters.sam2 import Sam2Segmenter
from whyseg.curation.segmenters.weights import sha256_of
from whyseg.schemas import Box, Point, Prompt
from whyseg.training.tiny_figures import measure
from whyseg.training.tiny_sam2 import main, train
from whyseg.training.tiny_scenes import MIN_AREA, SIDE, Scene, draw_scene

FOLDER = data.path("models/tiny_sam2")


@pytest.fixture(scope="module")
def segmenter() -> Sam2Segmenter:
    return Sam2Segmenter(FOLDER, "tiny-test", device="cpu")


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    rng = np.random.default_rng(2**33)  # neither trained on nor measured on by the script
    return [draw_scene(rng) for _ in range(40)]


def full(proposal: Proposal) -> BoolArray:
    (x, y, width, height), pixels = proposal.crop()
    mask = np.zeros((SIDE, SIDE), bool)
    mask[y : y + height, x : x + width] = pixels
    return mask


def iou(one: BoolArray, other: BoolArray) -> float:
    return float((one & other).sum() / max(1, (one | other).sum()))


def box_of(mask: BoolArray) -> Box:
    ys, xs = np.nonzero(mask)
    return Box(x0=xs.min() - 0.5, y0=ys.min() - 0.5, x1=xs.max() + 0.5, y1=ys.max() + 0.5)


def inner_point(mask: BoolArray) -> Point:
    """The pixel that lies deepest: the last one that erosion leaves."""
    import cv2

    depth = cv2.distanceTransform(np.pad(mask, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
    y, x = np.unravel_index(int(depth.argmax()), depth.shape)
    return Point(x=int(x), y=int(y))


def test_the_files_are_those_that_were_measured() -> None:
    facts = json.loads((FOLDER / "model.json").read_text())
    assert facts["sha256"] == {name: sha256_of(FOLDER / name) for name in ("config.json", "model.safetensors")}
    assert facts["license"] == "Apache-2.0"
    assert (FOLDER / "model.safetensors").stat().st_size < 1_600_000


def test_what_is_written_of_it_beats_chance_clearly() -> None:
    figures = json.loads((FOLDER / "model.json").read_text())["mean_iou_on_held_out_scenes"]
    chance = max(figures["chance"].values())
    assert figures["box"]["best scored"] > chance + 0.05
    assert figures["click"]["best scored"] > figures["chance"]["other picture"] + 0.3
    for prompt in ("click", "box", "click and box"):
        assert figures[prompt]["best scored"] >= figures[prompt]["random candidate"]


def test_boxes_on_scenes_it_has_not_seen_are_segmented(segmenter: Sam2Segmenter, scenes: list[Scene]) -> None:
    found, filled = [], []
    for scene in scenes:
        embedding = segmenter.embed(scene.image)
        for target in scene.targets:
            box = box_of(target)
            found.append(iou(full(segmenter.propose(embedding, Prompt(box=box))[0]), target))
            whole = np.zeros((SIDE, SIDE), bool)
            whole[int(box.y0 + 1) : int(box.y1 + 1), int(box.x0 + 1) : int(box.x1 + 1)] = True
            filled.append(iou(whole, target))
    assert np.mean(found) > 0.72
    assert np.mean(found) > np.mean(filled)


def test_a_click_and_the_best_score_beat_a_random_candidate(segmenter: Sam2Segmenter, scenes: list[Scene]) -> None:
    first, every = [], []
    for scene in scenes:
        embedding = segmenter.embed(scene.image)
        for target in scene.targets:
            proposals = segmenter.propose(embedding, Prompt(points=(inner_point(target),)))
            found = [iou(full(proposal), target) for proposal in proposals]
            first.append(found[0])
            every.append(np.mean(found))
    assert np.mean(first) > 0.6
    assert np.mean(first) > np.mean(every) + 0.01


def test_a_corrective_click_with_the_previous_logits_raises_the_iou(
    segmenter: Sam2Segmenter, scenes: list[Scene]
) -> None:
    before, after = [], []
    for scene in scenes:
        embedding = segmenter.embed(scene.image)
        for target in scene.targets:
            click = inner_point(target)
            shown = segmenter.propose(embedding, Prompt(points=(click,)))[0]
            missing, surplus = target & ~full(shown), full(shown) & ~target
            if max(missing.sum(), surplus.sum()) < 20:
                continue
            positive = bool(missing.sum() >= surplus.sum())
            fix = inner_point(missing if positive else surplus).model_copy(update={"positive": positive})
            again = segmenter.propose(embedding, Prompt(points=(click, fix)), shown.logits)[0]
            before.append(iou(full(shown), target))
            after.append(iou(full(again), target))
    assert len(before) > 20
    assert np.mean(after) > np.mean(before) + 0.02


def test_scenes_hold_ambiguous_clicks_and_no_tiny_target() -> None:
    rng = np.random.default_rng(5)
    drawn = [draw_scene(rng) for _ in range(60)]
    nested = [bool((scene.targets.sum(0) > 1).any()) for scene in drawn]
    assert 0.2 < np.mean(nested) < 0.8
    assert min(int(mask.sum()) for scene in drawn for mask in scene.targets) >= MIN_AREA


def test_the_same_seed_draws_the_same_scene() -> None:
    first, second = (draw_scene(np.random.default_rng(9)) for _ in range(2))
    np.testing.assert_array_equal(first.image, second.image)
    np.testing.assert_array_equal(first.targets, second.targets)


@pytest.mark.slow
def test_training_lowers_the_loss_and_is_the_same_for_the_same_seed() -> None:
    losses: list[float] = []
    model = train(60, 3, lambda step, loss: losses.append(loss))
    assert np.mean(losses[-10:]) < 0.8 * np.mean(losses[:10])
    again = train(60, 3)
    for (name, one), other in zip(model.state_dict().items(), again.state_dict().values(), strict=True):
        assert torch.equal(one, other), name


@pytest.mark.slow
def test_the_script_writes_a_model_that_loads_and_states_its_hashes(tmp_path: Path) -> None:
    main([str(tmp_path), "--steps", "2", "--seed", "1"])
    facts = json.loads((tmp_path / "model.json").read_text())
    assert facts["command"] == "python -m whyseg.training.tiny_sam2 OUT --steps 2 --seed 1"
    assert facts["sha256"]["model.safetensors"] == sha256_of(tmp_path / "model.safetensors")
    assert len(load_file(tmp_path / "model.safetensors")) > 100
    network = Sam2Segmenter(tmp_path, "fresh", device="cpu").network
    assert measure(network, scenes=4)["chance"] == measure(network, scenes=4)["chance"]
