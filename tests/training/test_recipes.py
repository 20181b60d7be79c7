from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.training.comparing import Pictured, question
from whyseg.schemas import Split
from whyseg.schemas.errors import UsageError
from whyseg.training import launch, warm_up
from whyseg.training.policies import PolicyCard, card_of
from whyseg.training.presets import load_preset
from whyseg.training.recipes import Grpo, Sft
from whyseg.training.run import RECORD

PRESET = load_preset("world_cpu")
SPLITS: tuple[Split | None, ...] = ("train", None, "test", "train")
DATA = Pictured("v1", *(question(number) for number in range(1, 5)), splits=SPLITS)


class Learning:
    """Stands for `warm_up`: remembers the lessons, and writes a file in the place of a model."""

    def __init__(self, *, killed: bool = False) -> None:
        self.killed, self.calls = killed, list[tuple[str, Sequence[warm_up.Lesson], dict[str, Any]]]()

    def __call__(self, policy: Path, lessons: Sequence[warm_up.Lesson], out: Path, **settings: Any) -> None:
        self.calls.append((str(policy), lessons, settings))
        out.mkdir(parents=True)
        if self.killed:
            raise KeyboardInterrupt
        (out / "model").write_text("weights")


def quiet(text: str) -> None:
    """Say nothing."""


def test_the_rows_for_training_become_lessons_with_the_answers_that_the_masks_give(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learning = Learning()
    monkeypatch.setattr(warm_up, "warm_up", learning)
    Sft(PRESET, updates=7).train(DATA, "bare", 5, tmp_path / "runs" / "first-5", quiet)
    ((policy, lessons, settings),) = learning.calls
    assert (policy, settings) == ("bare", {"steps": 7, "seed": 5, "rate": warm_up.RATE})
    assert len(lessons) == 3  # the third is of the test
    # Pixels 0 … 3 of 10 on a canvas of 112: 4 × 11.2 is 44.8, half a pixel in 1 is 56 of 112.
    assert '"bbox_2d":[0,0,45,112]' in lessons[0].answer
    assert lessons[0].image.shape == (112, 112, 3)
    found = card_of(tmp_path / "runs" / "first-5")
    assert found is not None
    assert found[1].preset == PRESET


def test_a_policy_that_speaks_already_is_taught_at_a_fifth_of_the_rate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learning = Learning()
    monkeypatch.setattr(warm_up, "warm_up", learning)
    Sft(PRESET, policy="warm", updates=7).train(DATA, "warm", 5, tmp_path / "runs" / "first-5", quiet)
    assert learning.calls[0][2]["rate"] == pytest.approx(0.002)  # of 0.01


def test_what_is_learnt_is_not_learnt_again_and_what_was_cut_off_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "runs" / "first-0"
    monkeypatch.setattr(warm_up, "warm_up", Learning(killed=True))
    with pytest.raises(KeyboardInterrupt):
        Sft(PRESET).train(DATA, "bare", 0, folder, quiet)
    assert list(folder.parent.iterdir()) == []
    learning = Learning()
    monkeypatch.setattr(warm_up, "warm_up", learning)
    for _ in range(2):
        Sft(PRESET).train(DATA, "bare", 0, folder, quiet)
    assert len(learning.calls) == 1


def test_supervised_training_is_for_the_worlds_policies_and_begins_with_one_that_sees_alone() -> None:
    with pytest.raises(UsageError, match="star_7b_stage1 is of"):
        Sft(load_preset("star_7b_stage1"))
    assert not Sft(PRESET).speaks
    assert Sft(PRESET, "bare").speaks


def test_grpo_starts_from_a_model_goes_on_with_adapters_and_resumes_what_was_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = list[tuple[str, Any, Any]]()
    monkeypatch.setattr(
        launch, "start", lambda *_, policy, continues, **more: calls.append(("start", policy, continues))
    )
    monkeypatch.setattr(launch, "resume", lambda folder, told: calls.append(("resume", folder, None)))
    whole, adapters = tmp_path / "whole", tmp_path / "adapters"
    for run, base in ((whole, None), (adapters, "base")):
        (run / "policy").mkdir(parents=True)
        card = PolicyCard(preset=PRESET, base=base)
        (run / "policy" / "policy.json").write_text(card.model_dump_json())
    folder = tmp_path / "runs" / "first-0"
    for start in ("model", str(whole), str(adapters)):
        Grpo(PRESET).train(DATA, start, 0, folder, quiet)
    folder.mkdir(parents=True)
    (folder / RECORD).write_text("{}")
    Grpo(PRESET).train(DATA, "model", 0, folder, quiet)
    assert calls == [
        ("start", "model", None),
        ("start", str(whole / "policy"), None),
        ("start", None, adapters),
        ("resume", folder, None),
    ]


def test_what_both_start_from_is_what_was_given_else_the_presets_own(tmp_path: Path) -> None:
    assert Grpo(PRESET, "given").begin(0, tmp_path / "s", quiet) == "given"
    star = load_preset("star_7b_stage1")
    assert Grpo(star).begin(0, tmp_path / "s", quiet) == star.policy.model
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "config.json").write_text("{}")
    assert Grpo(PRESET).begin(0, tmp_path / "made", quiet) == str(tmp_path / "made")  # made before
