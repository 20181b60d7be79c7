"""What a policy's texts say of a picture: read, with a mask for each object that they name."""

from collections.abc import Callable, Hashable, Sequence

from whyseg.curation.asking import LONGEST_TEXT, AskedAnswer, AskedObject
from whyseg.schemas import Mask, Prompt
from whyseg.training.answers import Answer as Read
from whyseg.training.answers import parse
from whyseg.training.mask_reward import Masks
from whyseg.training.pictures import RgbArray
from whyseg.training.policies import Policy
from whyseg.training.voting import Answer, Candidate


def seen(
    texts: Sequence[str],
    policy: Policy,
    masks: Masks,
    key: Hashable,
    picture: Callable[[], RgbArray],
    size: tuple[int, int],
) -> list[AskedAnswer]:
    """Return what texts say of a picture of ``size`` (height, width), in their order; see `Masks.scored`."""
    read = [parse(text, policy.shape) for text in texts]
    things = [thing for one in read if isinstance(one, Read) for thing in one.things]
    prompts = [thing.prompt(policy.frame, size) for thing in things]
    found = iter(zip(things, prompts, masks.scored(key, picture, prompts), strict=True))
    answers = []
    for one in read:
        text = one.text.encode("utf-8", "replace").decode()[:LONGEST_TEXT]
        if not isinstance(one, Read):
            answers.append(AskedAnswer(text=text, problem=one.reason))
            continue
        objects = []
        for _ in one.things:
            thing, prompt, made = next(found)
            mask, score = made or (Mask.empty(size), 0.0)
            objects.append(_object(thing.label, prompt, mask, score))
        answers.append(AskedAnswer(text=text, thinking=one.thinking, objects=tuple(objects)))
    return answers


def ballot(answer: AskedAnswer) -> Answer:
    """Return an answer as a vote takes it."""
    if answer.problem is not None:
        return Answer(parsed=False)
    objects = (Candidate(mask=o.mask, score=o.score, label=o.label, box=o.box) for o in answer.objects)
    return Answer(objects=tuple(objects))


def _object(label: str | None, prompt: Prompt | None, mask: Mask, score: float) -> AskedObject:
    box, points = (prompt.box, prompt.points) if prompt else (None, ())
    corners = (box.x0, box.y0, box.x1, box.y1) if box else None
    dots = tuple((point.x, point.y) for point in points)
    return AskedObject(label=label, box=corners, points=dots, mask=mask, score=score)
