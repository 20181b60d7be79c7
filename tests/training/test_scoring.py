"""Rollouts into rewards: by terms, in the order of the batch, a row's answers sharing one embedding."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.fakes import FakeSegmenter
from tests.training.tiny_run import DrawnData, preset
from whyseg.training.data import TrainData, prepare
from whyseg.training.mask_reward import Masks
from whyseg.training.scoring import Rollout, Scorer


@pytest.fixture
def data(tmp_path: Path) -> TrainData:
    return prepare(DrawnData(5), preset(), tmp_path)  # the fifth question has no answer


def answer(*boxes: tuple[int, int, int, int], thinking: str = "a box") -> str:
    things = [
        {"label": "box", "bbox_2d": list(box), "point_2d": [(box[0] + box[2]) // 2, (box[1] + box[3]) // 2]}
        for box in boxes
    ]
    return f"<think>{thinking}</think><answer>{json.dumps(things)}</answer>"


def called(scorer: Scorer, rows: list[int], texts: list[str]) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Call every reward function on one batch, as TRL does."""
    completions = [[{"role": "assistant", "content": text}] for text in texts]
    told: dict[str, float] = {}
    more: dict[str, Any] = {"trainer_state": SimpleNamespace(global_step=7), "log_metric": told.__setitem__}
    return {function.__name__: function(completions, rows, **more) for function in scorer.functions()}, told


def test_each_term_has_a_function_and_they_add_up_to_the_score(data: TrainData) -> None:
    segmenter = FakeSegmenter()
    scorer = Scorer(preset(), data, Masks(segmenter))
    target = data.rows[0].target.instances[0].box
    right = answer(tuple(int(edge) for edge in target))  # type: ignore[arg-type]
    rows, texts = [0, 1, 0, 4], [right, right, "no idea", answer()]
    terms, told = called(scorer, rows, texts)
    assert set(terms) == {"thinking_format", "answer_format", "non_repeat", "accuracy", "count_bonus"}
    for place, rollout in enumerate(scorer.batch):
        assert rollout.row == rows[place]
        assert rollout.text == texts[place]
        assert sum(values[place] for values in terms.values()) == pytest.approx(rollout.scored.total)
    assert terms["thinking_format"] == [1, 1, 0, 1]
    # Nothing is there and nothing was named: full format 2, accuracy 8, count 1.
    assert [terms[name][3] for name in ("answer_format", "accuracy", "count_bonus")] == [2, 8, 1]
    assert segmenter.embedded == 2
    assert told["rollouts/iou"] == pytest.approx(sum(one.iou or 0 for one in scorer.batch) / 4)


def test_a_batch_is_scored_once_however_many_terms_ask(data: TrainData) -> None:
    segmenter, seen = FakeSegmenter(), list[tuple[int, int]]()
    scorer = Scorer(preset(), data, Masks(segmenter), lambda update, batch: seen.append((update, len(batch))))
    texts = [answer((10, 10, 40, 40))] * 3 + [answer((10, 10, 40, 40), (50, 50, 70, 70))]
    called(scorer, [0] * 4, texts)
    assert seen == [(7, 4)]
    assert len(segmenter.asked) == 2  # the same box in all four, and another one
    called(scorer, [0] * 4, texts)
    assert len(seen) == 2


def test_a_wrong_answer_to_a_question_without_an_answer_is_not_right(data: TrainData) -> None:
    scorer = Scorer(preset(), data, Masks(FakeSegmenter()))
    batch = scorer.score([4, 4, 4], [answer(), "nothing at all", answer((10, 10, 40, 40))])
    assert [one.iou for one in batch] == [1.0, 0.0, 0.0]
    scorer.batch = batch
    assert scorer.judged() == [(True, True), (False, False), (False, False)]


@pytest.mark.parametrize("text", ["", "<think></think><answer>[{}]</answer>", "\ud800", answer((5, 5, 5, 5)) * 50])
def test_whatever_is_answered_gets_a_reward(data: TrainData, text: str) -> None:
    scorer = Scorer(preset(), data, Masks(FakeSegmenter()))
    (rollout,) = scorer.score([0], [text])
    assert isinstance(rollout, Rollout)
    assert 0 <= rollout.scored.total <= scorer.reward.maximum


def test_a_preset_that_rewards_masks_wants_a_segmenter(data: TrainData) -> None:
    with pytest.raises(ValueError, match="tiny rewards masks"):
        Scorer(preset(), data, None)
