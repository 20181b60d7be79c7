"""What needs a GPU otherwise: its scripts at tiny size on a CPU, the larger policy of the world, and their parts."""

import json
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import pytest

from benchmarks.parts import ROOT, Parts

GRPO = {"grpo_rest", "grpo", "grpo_rest_sam_r1_tiers", "grpo_rest_plain_iou", "grpo_rest_kl", "grpo_rest_no_labels"}


def parts(folder: Path, minutes: float = 1) -> Parts:
    """Parts that are Python one-liners."""
    return Parts([sys.executable, "-c"], minutes, folder / "logs")


def test_a_part_that_fails_is_noted_with_its_last_line_and_the_next_one_runs(tmp_path: Path) -> None:
    own = parts(tmp_path)
    assert not own.run("first", "print('working'); raise SystemExit('no such kernel')")
    assert own.run("second", "print('well')")
    assert own.failed == {"first": "exit code 1: no such kernel"}
    assert set(own.seconds) == {"second"}
    assert (tmp_path / "logs" / "second.log").read_text() == "well\n"
    with pytest.raises(SystemExit, match=r"^failed: first$"):
        own.finish()


def test_a_part_is_cut_off_with_its_budget_and_what_no_longer_fits_is_left_out(tmp_path: Path) -> None:
    own = parts(tmp_path, minutes=1.2 / 60)
    assert not own.run("long", "import time; time.sleep(60)")
    assert not own.run("next", "print('never')")
    assert own.left_out["long"].startswith("cut off after 1 s")
    assert own.left_out["next"] == "0 s of the budget were left, the like took 0 s"
    own.finish()  # a budget that is spent is no failure
    patient = parts(tmp_path, minutes=1)
    assert not patient.run("too long", "print('never')", needs=61)
    assert patient.left_out == {"too long": "60 s of the budget were left, the like took 61 s"}


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_what_a_presets_step_costs_is_measured_at_tiny_size(tmp_path: Path) -> None:
    results, logs = tmp_path / "found.json", tmp_path / "logs"
    command = [sys.executable, "-m", "benchmarks.gpu_train", "--tiny", "--tokens", "4", "--presets", "star_7b_stage2"]
    subprocess.run([*command, "--out", str(results), "--logs", str(logs)], cwd=ROOT, check=True)
    found = json.loads(results.read_text())
    one = found["presets"]["star_7b_stage2"]
    # Eight rollouts of four tokens, four of them kept; sixteen prompts a step, each with its rollouts and its update.
    assert (one["n"], one["keep"], one["completion_tokens"], one["a_step_of_prompts"]) == (8, 4, 4, 16)
    assert min(one["rollout_s"], one["update_s"], one["tokens_a_second"]) > 0
    assert one["step_s_extrapolated"] > 15 * one["rollout_s"]
    assert (found["tiny"], found["failed"], found["left_out"]) == (True, {}, {})


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_comparison_on_the_world_runs_at_tiny_size_and_has_the_rows_that_went_well(tmp_path: Path) -> None:
    from benchmarks import world_gpu
    from whyseg.training.presets import load_preset

    given = Namespace(out=tmp_path / "runs", results=tmp_path / "found.json", updates=1, seed=0, questions=2, tiny=True)
    made = ["sft", "grpo_rest", "sft_longer", "grpo_rest_plain_iou", "grpo_rest_kl"]
    for name in made:
        world_gpu.part(name, given)
    # What is there is not made again; the others fail, and are named.
    told = world_gpu.every(given, Parts([sys.executable, "-c", "raise SystemExit('tried')"], 1, tmp_path))
    assert json.loads(given.results.read_text()) == json.loads(json.dumps(told))
    assert set(world_gpu.variants(load_preset("world_gpu"))) == GRPO
    assert list(told["policies"]) == ["sft", "grpo_rest", "sft_longer", "grpo_rest_plain_iou", "grpo_rest_kl"]
    assert told["failed"] == dict.fromkeys(GRPO - set(made), "exit code 1: tried")
    # One update of one prompt with four rollouts; two steps of lessons.
    assert {told["took"][name]["rollouts"] for name in GRPO & set(made)} == {4}
    assert told["took"]["sft_longer"]["steps"] == 2
    assert all("greedy_mask_gain" in told["policies"][name] for name in made[1:])
    assert set(told["chance"]) == {"constant", "random"}


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_without_a_policy_to_start_from_the_rows_are_left_out_and_the_results_say_why(tmp_path: Path) -> None:
    from benchmarks import world_gpu

    given = Namespace(out=tmp_path / "runs", results=tmp_path / "found.json", updates=1, seed=0, questions=2, tiny=True)
    own = Parts([sys.executable, "-c", "raise SystemExit('CUDA error')"], 1, tmp_path)
    world_gpu.every(given, own)
    told = json.loads(given.results.read_text())
    assert told["failed"] == {"sft": "exit code 1: CUDA error"}
    assert told["left_out"] == {"sft_longer": "it needs grpo_rest"} | dict.fromkeys(GRPO, "it needs sft")
    assert told["policies"] == {}


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_larger_policy_has_tens_of_millions_of_weights_and_both_ways_of_training_take_it(tmp_path: Path) -> None:
    import numpy as np
    from safetensors.numpy import load_file

    from benchmarks import world_gpu
    from whyseg.training.presets import load_preset
    from whyseg.training.tiny_policy import make_policy

    start = tmp_path / "policy"
    make_policy(start, "gpu")
    assert 20e6 < world_gpu.weights_of(start) < 60e6
    data = world_gpu.data_of(tmp_path, 0, tiny=True)
    preset = world_gpu.small(load_preset("world_gpu"))
    world_gpu.trained(start, data, tmp_path / "run", preset, updates=1, seed=0)
    world_gpu.taught(start, tmp_path / "taught", 0, 0, tiny=True)
    folders = (start, tmp_path / "run" / "policy", tmp_path / "taught")
    before, rewarded, taught = (load_file(folder / "model.safetensors") for folder in folders)
    for after in (rewarded, taught):
        assert {name: one.shape for name, one in after.items()} == {name: one.shape for name, one in before.items()}
        assert all(np.isfinite(one).all() for one in after.values())
    # Lessons leave the tower as it is. Random answers all earn the same, and move nothing.
    language = {name for name in before if "visual" not in name}
    assert {name for name in before if not np.array_equal(before[name], taught[name])} == language
