"""The packaged policy, and on it the proof in short: it looks, it listens, and rewards that mean something move it.

`benchmarks/world_cpu.py` is the proof itself, over hundreds of questions that are held out and several seeds.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.world_cpu import HELD_OUT, TRAINED_ON, Dealt, asked, interval, train
from whyseg import data
from whyseg.training.launch import masks_of
from whyseg.training.policies import TINY_WORLD, open_policy
from whyseg.training.presets import Preset, load_preset
from whyseg.training.scoring import Scorer
from whyseg.training.world.dataset import PLAIN, samples
from whyseg.training.world.exam import Exam, examine
from whyseg.training.world.export import write_world

FOLDER = data.path("models/tiny_policy")


@pytest.fixture(scope="module")
def exam() -> Exam:
    """Forty-eight questions about scenes that nothing was learnt from."""
    return examine(open_policy(TINY_WORLD), list(samples(48, 2**31 + 17, PLAIN)), masks_of("tiny-test", "cpu"))


def test_the_packaged_policy_is_what_its_facts_say() -> None:
    facts = json.loads((FOLDER / "model.json").read_text())
    found = {name: hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() for name in facts["sha256"]}
    assert found == facts["sha256"]
    assert {path.name for path in FOLDER.iterdir()} == {*found, "model.json"}


def test_supervised_warm_up_beats_the_best_constant_box_by_far(exam: Exam) -> None:
    assert exam.parsed > 0.9
    assert exam.box["greedy"].low > exam.box["constant"].high + 0.2
    assert exam.box["greedy"].low > exam.box["random"].high + 0.2


def test_the_warmed_up_policy_looks_at_its_picture(exam: Exam) -> None:
    assert exam.box["greedy"].low > exam.box["other_picture"].high + 0.2
    assert exam.mask["greedy"].low > exam.mask["other_picture"].high + 0.2


def test_the_warmed_up_policy_listens_to_its_question(exam: Exam) -> None:
    assert exam.box["greedy"].mean > exam.box["other_question"].mean + 0.15


def few_questions(out: Path, scorer: type[Scorer]) -> list[float]:
    """Train six updates on four questions; return the mean IoU of each update's sampled answers."""
    plain = load_preset("world_cpu").plain()
    plain["grpo"] |= {"n": 16, "keep": 8, "prompts_per_step": 4, "max_completion_tokens": 64, "lr": 3e-4}
    write_world(out / "data", 4, 5, PLAIN)
    train(FOLDER, out / "data", out / "run", Preset.parse(plain), scorer, updates=6, seed=0)
    return [json.loads(line)["rollouts/iou"] for line in (out / "run" / "curves.jsonl").read_text().splitlines()]


def test_rewards_raise_the_answers_that_they_are_for(tmp_path: Path) -> None:
    meant = few_questions(tmp_path, Scorer)
    assert np.mean(meant[-2:]) > meant[0] + 0.1, meant


@pytest.mark.slow
def test_rewards_that_mean_nothing_raise_nothing(tmp_path: Path) -> None:
    dealt = few_questions(tmp_path, Dealt)
    assert np.mean(dealt[-2:]) < dealt[0] + 0.05, dealt


def sixty_updates(out: Path, scorer: type[Scorer]) -> dict[str, dict[str, list[float]]]:
    """Train on 480 questions; return what the policy then scores on 120 others, each."""
    write_world(out / "data", 480, TRAINED_ON, PLAIN)
    train(FOLDER, out / "data", out / "run", load_preset("world_cpu"), scorer, updates=60, seed=0)
    return asked(out / "run" / "policy", list(samples(120, HELD_OUT, PLAIN)), masks_of("tiny-test", "cpu"))


@pytest.fixture(scope="module")
def meant(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, list[float]]]:
    return sixty_updates(tmp_path_factory.mktemp("meant"), Scorer)


@pytest.mark.slow
def test_sixty_updates_on_other_questions_do_no_harm_to_those_that_were_held_out(
    meant: dict[str, dict[str, list[float]]],
) -> None:
    before = asked(FOLDER, list(samples(120, HELD_OUT, PLAIN)), masks_of("tiny-test", "cpu"))
    gain = interval(np.subtract(meant["samples"]["mask"], before["samples"]["mask"]))
    # 0.03 was seen, with an interval that holds 0; the benchmark shows the gain, after 150.
    assert gain["mean"] > -0.03, gain


@pytest.mark.slow
def test_rewards_that_mean_something_beat_dealt_ones_on_questions_that_were_held_out(
    meant: dict[str, dict[str, list[float]]], tmp_path: Path
) -> None:
    dealt = sixty_updates(tmp_path, Dealt)
    for answers in ("samples", "greedy"):  # +0.15 [0.10, 0.20] and +0.20 [0.11, 0.28] were seen
        gain = interval(np.subtract(meant[answers]["mask"], dealt[answers]["mask"]))
        assert gain["low"] > 0, (answers, gain)
