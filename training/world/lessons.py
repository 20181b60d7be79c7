"""What a policy should say to the world's questions: the hops as thinking, and the targets as boxes and points."""

import json
from collections.abc import Iterator

from whyseg.schemas import Sample
from whyseg.schemas.errors import InvalidRecord
from whyseg.training.frames import Frame
from whyseg.training.prompts import Message, messages
from whyseg.training.targets import Target
from whyseg.training.world.dataset import samples

STYLE = "world"


def reply(sample: Sample, frame: Frame) -> str:
    """Return the right answer to a sample of the world as the ``list_label`` shape writes it.

    Coordinates are rounded to whole numbers of the frame.
    """
    target = Target.from_sample(sample)
    things = [
        {
            "label": instance.label,
            "bbox_2d": _whole(frame, instance.box, sample.size),
            "point_2d": _whole(frame, instance.points[0], sample.size),
        }
        for instance in target.instances
    ]
    answer = json.dumps(things, separators=(",", ":"), ensure_ascii=False)
    return f"<think>{' '.join(sample.hops)}</think><answer>{answer}</answer>"


def conversation(sample: Sample, *, evaluation: bool = False) -> list[Message]:
    """Return what the policy is asked about a sample, in training or in evaluation."""
    if sample.query is None:
        raise InvalidRecord(f"sample {sample.id} has no question")
    return messages(STYLE, sample.query.text, evaluation=evaluation)


def texts(n: int, seed: int, frame: Frame) -> Iterator[str]:
    """Yield the questions and right answers of ``n`` samples: what a tokenizer for the world learns from."""
    for item in samples(n, seed):
        yield from (str(message["content"]) for message in conversation(item.sample))
        yield reply(item.sample, frame)


def _whole(frame: Frame, xy: tuple[float, ...], size: tuple[int, int]) -> list[int]:
    return [round(value) for value in frame.from_pixels(xy, size).tolist()]
