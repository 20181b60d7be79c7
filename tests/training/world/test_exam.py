"""An exam tells a policy that looks and listens from those that do one of the two, or neither."""

from collections.abc import Callable, Sequence

import pytest

from tests.fakes import FakeSegmenter
from whyseg.training.answers import Shape
from whyseg.training.frames import Frame
from whyseg.training.mask_reward import Masks
from whyseg.training.pictures import RgbArray
from whyseg.training.world.dataset import PLAIN, WorldItem, samples
from whyseg.training.world.exam import Exam, examine
from whyseg.training.world.lessons import reply

ITEMS = list(samples(40, 21, PLAIN))
FRAME = Frame("canvas_112")


class FakePolicy:
    """Answers as a function of picture and question."""

    name, style, frame = "fake", "world", FRAME
    shape: Shape = "list_label"

    def __init__(self, says: Callable[[RgbArray, str], str]) -> None:
        self.says = says

    def answer(
        self, images: Sequence[RgbArray], queries: Sequence[str], *, k: int = 1, temperature: float = 0.0,
        top_p: float = 1.0, seed: int = 0, max_tokens: int = 1024,
    ) -> list[list[str]]:  # fmt: skip
        return [[self.says(image, query)] * k for image, query in zip(images, queries, strict=True)]


def item_of(image: RgbArray) -> WorldItem:
    return next(item for item in ITEMS if item.image is image)


def exam_of(says: Callable[[RgbArray, str], str]) -> Exam:
    return examine(FakePolicy(says), ITEMS, Masks(FakeSegmenter()))


def test_whoever_knows_answers_best_and_falls_with_another_question() -> None:
    def knows(image: RgbArray, query: str) -> str:
        item = item_of(image)
        return reply(item.sample, FRAME) if query == item.asked.text else "<think></think><answer>[]</answer>"

    exam = exam_of(knows)
    assert exam.box["greedy"].mean == 1
    assert exam.parsed == 1
    assert exam.box["other_question"].mean < 0.1
    assert exam.box["other_picture"].mean == exam.box["random"].mean < 0.2
    assert exam.by_type == dict.fromkeys(exam.by_type, 1.0)
    assert set(exam.mask) == {"greedy", "other_question", "other_picture"}


def test_whoever_does_not_listen_scores_the_same_for_any_question() -> None:
    exam = exam_of(lambda image, query: reply(item_of(image).sample, FRAME))
    assert exam.box["greedy"] == exam.box["other_question"]


def test_whoever_does_not_look_scores_no_more_than_the_constant_box() -> None:
    middle = '<think>x</think><answer>[{"label":"x","bbox_2d":[28,28,84,84],"point_2d":[56,56]}]</answer>'
    exam = exam_of(lambda image, query: middle)
    assert 0 < exam.box["greedy"].mean <= exam.box["constant"].mean
    assert exam.box["greedy"] == exam.box["other_picture"]


def test_an_answer_that_cannot_be_read_has_no_box() -> None:
    exam = exam_of(lambda image, query: "I see nothing")
    assert (exam.parsed, exam.box["greedy"].mean, exam.mask["greedy"].mean) == (0, 0, 0)


def test_the_interval_lies_around_the_mean() -> None:
    exam = exam_of(lambda image, query: reply(ITEMS[0].sample, FRAME))
    figure = exam.box["greedy"]
    assert 0 <= figure.low < figure.mean < figure.high <= 1
    # One of 40 answers is right at least, so the mean is 1/40 = 0.025 or more.
    assert figure.mean >= 0.025 - 1e-4
    assert exam.questions == pytest.approx(40)
