import pytest

from tests.fakes import FakeSegmenter
from tests.pictures import pixels
from tests.training.scripted import ScriptedPolicy, said
from whyseg.curation.asking import Settings
from whyseg.schemas.errors import UsageError
from whyseg.training.answer_picture import BOX, behind, draw_answer
from whyseg.training.asker import PolicyAsker, require_askable
from whyseg.training.mask_reward import Masks
from whyseg.training.predict import Sampling


def asker(policy: ScriptedPolicy, portion: int | None = 4) -> PolicyAsker:
    return PolicyAsker(policy, Masks(FakeSegmenter(radii=(8.0,))), portion=portion)


def test_a_question_is_asked_in_portions_and_each_is_told() -> None:
    policy, told = ScriptedPolicy(lambda query, number: said()), list[int]()
    assert len(asker(policy).ask("a", pixels(30, 40), "what?", k=10, told=told.append)) == 10
    assert (told, len(policy.asked)) == ([0, 4, 8, 10], 3)
    policy, told = ScriptedPolicy(lambda query, number: said()), []
    asker(policy, None).ask("a", pixels(30, 40), "what?", k=10, told=told.append)
    assert (told, len(policy.asked)) == ([0, 10], 1)  # a server samples all at once
    policy, told = ScriptedPolicy(lambda query, number: said()), []
    asker(policy).sampled("a", pixels(30, 40), "what?", Sampling(k=10, temperature=0), told.append)
    assert len(policy.asked) == 1  # greedy answers are all the same one


def test_who_is_told_may_end_it() -> None:
    class Enough(Exception):
        """It is."""

    def told(done: int) -> None:
        if done == 4:
            raise Enough

    policy = ScriptedPolicy(lambda query, number: said())
    with pytest.raises(Enough):
        asker(policy).ask("a", pixels(30, 40), "what?", k=64, told=told)
    assert len(policy.asked) == 1


def test_answers_have_boxes_and_points_in_pixels_and_failures_as_values() -> None:
    texts = [
        '<think>why</think><answer>[{"bbox_2d": [2, 3, 30, 20], "point_2d": [9, 8]}, {"point_2d": 1}]</answer>',
        "\ud800?",
    ]
    policy = ScriptedPolicy(lambda query, number: texts[number])
    read, failed = asker(policy).ask("a", pixels(30, 40), "what?", k=2)
    one, nowhere = read.objects
    assert (read.thinking, one.box, one.points) == ("why", (2, 3, 30, 20), ((9, 8),))
    assert (nowhere.box, nowhere.points, nowhere.mask.area, nowhere.score) == (None, (), 0, 0)
    assert (failed.text, failed.objects, bool(failed.problem)) == ("??", (), True)  # half a pair is no text
    vote = asker(policy).vote([read, failed], (30, 40), Settings())
    assert (vote.valid, vote.count, len(behind([read, failed], vote))) == (1, 2, 2)


def test_a_drawing_has_the_mask_and_boxes_that_reach_the_edge() -> None:
    policy = ScriptedPolicy(lambda query, number: said((-5, -5, 100, 20)))
    (answer,) = asker(policy).ask("a", pixels(30, 40), "what?", k=1)
    picture = pixels(30, 40)
    drawn = draw_answer(picture, None, answer.objects)
    assert drawn.shape == picture.shape
    assert (drawn[19] == BOX).all()  # the box's last row, from edge to edge
    assert (drawn[25] == picture[25]).all()
    assert (drawn[8, 20] == picture[8, 20]).all()  # no mask was given


def test_a_policy_of_which_nothing_is_known_needs_a_preset() -> None:
    with pytest.raises(UsageError, match="give --policy-preset"):
        require_askable("Some/Model", None, None)
    with pytest.raises(UsageError, match="no-such"):
        require_askable("Some/Model", "no-such", None)
    require_askable("Some/Model", "vision_reasoner_7b", "http://localhost:8000/v1")
