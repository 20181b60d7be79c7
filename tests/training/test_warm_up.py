"""The warm-up learns from the answers' tokens alone, and the same seed leads to the same weights."""

from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from whyseg.schemas.errors import UsageError
from whyseg.training.frames import Frame
from whyseg.training.processors import load_processor
from whyseg.training.tiny_policy import make_policy
from whyseg.training.warm_up import Lesson, encoded, lessons_of, warm_up
from whyseg.training.world.dataset import PLAIN, samples

FRAME = Frame("canvas_112")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("policy")
    make_policy(path)
    return path


@pytest.fixture(scope="module")
def lessons() -> list[Lesson]:
    return lessons_of(samples(24, 5, PLAIN), FRAME)


def test_only_the_answers_are_learnt(folder: Path, lessons: list[Lesson]) -> None:
    processor = load_processor(folder)
    inputs = encoded(processor, lessons[:6])
    for ids, labels, lesson in zip(inputs["input_ids"], inputs["labels"], lessons, strict=False):
        learnt = ids[labels != -100]
        assert torch.equal(learnt, labels[labels != -100])
        assert processor.tokenizer.decode(learnt) == lesson.answer + "<|im_end|>"


def _hear(heard: list[float], step: int, loss: float) -> None:
    heard.append(loss)


def test_the_loss_falls_and_the_same_seed_gives_the_same_weights(
    folder: Path, lessons: list[Lesson], tmp_path: Path
) -> None:
    losses: dict[str, list[float]] = {}
    for name, seed in (("one", 0), ("two", 0), ("other", 1)):
        heard = losses.setdefault(name, [])
        warm_up(
            folder,
            lessons,
            tmp_path / name,
            steps=12,
            seed=seed,
            batch=4,
            told=partial(_hear, heard),
        )
    assert losses["one"] == losses["two"] != losses["other"]
    # Guessing among 912 tokens costs ln 912 = 6.8, and logits with a variance of 1 half a nat more.
    assert losses["one"][0] == pytest.approx(7.3, abs=0.5)
    assert losses["one"][-1] < 4
    one, two = (load_file(tmp_path / name / "model.safetensors") for name in ("one", "two"))
    assert all(torch.equal(one[key], two[key]) for key in one)


def test_the_warm_policy_is_a_folder_like_the_one_before(folder: Path, lessons: list[Lesson], tmp_path: Path) -> None:
    warm_up(folder, lessons, tmp_path / "warm", steps=1, batch=2)
    kept = {path.name for path in folder.iterdir()}
    assert {path.name for path in (tmp_path / "warm").iterdir()} == kept
    assert (tmp_path / "warm" / "tokenizer.json").read_bytes() == (folder / "tokenizer.json").read_bytes()


def test_every_second_question_is_put_as_in_evaluation() -> None:
    lessons = lessons_of(samples(60, 5, PLAIN), FRAME)
    ends = [lesson.messages[-1]["content"].endswith("?") for lesson in lessons]
    assert any(ends[::2])
    assert not any(ends[1::2])


def test_fewer_lessons_than_a_batch_are_refused(folder: Path, lessons: list[Lesson], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a batch of 25 rows needs as many lessons, got 24"):
        warm_up(folder, lessons, tmp_path / "warm", steps=1, batch=25)
    assert not (tmp_path / "warm").exists()
