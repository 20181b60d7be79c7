"""What a policy should say: the hops as thinking, and boxes and points that reach full reward."""

import pytest

from whyseg.training.answers import Answer, parse
from whyseg.training.frames import Frame
from whyseg.training.rewards.compose import Reward
from whyseg.training.targets import Target
from whyseg.training.world.dataset import World, samples
from whyseg.training.world.lessons import conversation, reply, texts

FRAME = Frame("canvas_112")


def test_a_right_answer_is_read_as_the_samples_targets() -> None:
    for item in samples(25, 0, World(side=224)):
        answer = parse(reply(item.sample, FRAME), "list_label")
        assert isinstance(answer, Answer)
        assert [thing.label for thing in answer.things] == [one.label for one in item.sample.instances]
        for thing, instance in zip(answer.things, item.sample.instances, strict=True):
            # 224 pixels on a canvas of 112: halves, rounded to whole numbers.
            assert thing.box == pytest.approx([value / 2 for value in instance.mask.box_xyxy], abs=0.5)
        assert answer.thinking == " ".join(item.sample.hops)


def test_a_right_answer_has_the_highest_reward() -> None:
    reward = Reward.of("world_cpu")
    for item in samples(25, 3):
        target = Target.from_sample(item.sample)
        masks = [one.mask for one in item.sample.instances]
        scored = reward.score(reply(item.sample, FRAME), target, masks, frame=FRAME)
        assert scored.total == reward.maximum, (item.asked.text, scored)


def test_the_question_is_put_as_the_prompt_of_the_world_does() -> None:
    (item,) = samples(1, 0)
    (message,) = conversation(item.sample)
    assert message["content"] == item.asked.text.lower().rstrip(".")
    asked, answered = texts(1, 0, FRAME)
    assert (asked, answered) == (message["content"], reply(item.sample, FRAME))
