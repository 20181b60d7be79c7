"""A critic that asks a model: two yes/no questions a candidate, and a solver's success rate.

The questions are those of StAR's self-play: does the thing in the picture fit the query, and does its description fit
the query's text? Only a candidate with two yes fits.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from PIL import Image as PilImage

from whyseg.curation.drafting import prompts
from whyseg.curation.drafting.base import RgbArray
from whyseg.curation.drafting.critic import judge
from whyseg.schemas import Critique, Fault, Mark, Mask, QueryDraft, Scene, SceneObject, Usage, union

SYSTEM = "You check questions about photographs. Answer with yes or no, and nothing else."
SEEN = """\
In the first picture one thing is outlined in magenta; the second shows it larger. Somebody asks about the photograph:
{query}
Is the outlined thing an answer to that question? Yes or no."""
DESCRIBED = """\
Somebody asks about a photograph: {query}
Could the answer be a thing that is described as "{label}"? Yes or no."""
MOST_CANDIDATES = 8  # beside the targets: the largest others
TOKENS = 8
SOLVED_IOU = 0.5
_YES_OR_NO = re.compile(r"\b(yes|no)\b", re.IGNORECASE)

Solver = Callable[[RgbArray, str], Mask | None]


@runtime_checkable
class Asker(Protocol):
    """A model that replies to a text with pictures."""

    model: str

    def ask(self, system: str, text: str, pictures: Sequence[PilImage.Image], *, tokens: int) -> tuple[str, Usage]:
        """Return the reply, empty where there is none, and what it took."""
        ...


@dataclass(frozen=True)
class ModelCritic:
    """Judges by the rules, then by a model's answers; what a model leaves open is no fault."""

    asker: Asker

    def judge(self, draft: QueryDraft, scene: Scene, image: RgbArray) -> tuple[Critique, Usage]:
        """Return the marks of rules and model, and what the model took; each kind of fault is marked once by each."""
        marks, usage = list(judge(draft, scene).marks), Usage()
        missed, rivals = [], []
        others = sorted(scene.others, key=lambda thing: -thing.area)[:MOST_CANDIDATES]
        for thing in (*scene.targets, *others):
            fits, spent = self._fits(draft, scene, thing, image)
            usage = usage + spent
            if thing.target and fits is False:
                missed.append(thing.label)
            if not thing.target and fits:
                rivals.append(thing.label)
        if missed:
            marks.append(self._mark(Fault.UNANSWERABLE, "the model does not see that it is answered by", missed))
        if rivals:
            marks.append(self._mark(Fault.AMBIGUOUS, "to the model it fits as well", rivals))
        return Critique(marks=tuple(marks)), usage

    def _mark(self, fault: Fault, text: str, labels: list[str]) -> Mark:
        return Mark(fault=fault, reason=f"{text} {', '.join(sorted(set(labels)))}", by=self.asker.model)

    def _fits(self, draft: QueryDraft, scene: Scene, thing: SceneObject, image: RgbArray) -> tuple[bool | None, Usage]:
        """Say whether a thing answers a draft: two yes; None where no answer is a clear no and not both are yes."""
        alone = thing.model_copy(update={"target": True})
        shown = prompts.pictures(image, Scene(size=scene.size, objects=(alone,)))
        seen, usage = self.asker.ask(SYSTEM, SEEN.format(query=draft.text), shown, tokens=TOKENS)
        if yes(seen) is False:
            return False, usage
        text = DESCRIBED.format(query=draft.text, label=thing.label)
        described, more = self.asker.ask(SYSTEM, text, (), tokens=TOKENS)
        answers = yes(seen), yes(described)
        return (False if answers[1] is False else True if all(answers) else None), usage + more


def yes(reply: str) -> bool | None:
    """Read a reply: None when it says neither yes nor no, or both.

    >>> yes("Yes, it does."), yes("**No**"), yes("Yes and no"), yes("")
    (True, False, None, None)
    """
    said = {word.lower() for word in _YES_OR_NO.findall(reply)}
    return said == {"yes"} if len(said) == 1 else None


def learnability(solved: float) -> float:
    """Return 1 − 2|p − 0.5| of a solver's success rate: 1 at one half, 0 where it always or never succeeds.

    >>> learnability(0.5), learnability(0.25), learnability(1.0)
    (1.0, 0.5, 0.0)
    """
    return 1 - 2 * abs(solved - 0.5)


def tried(critique: Critique, draft: QueryDraft, scene: Scene, image: RgbArray, solver: Solver, tries: int) -> Critique:
    """Return a critique with the share of a solver's tries that reach an IoU of 0.5 with the target, all in one mask.

    Every target needs its mask; raises ``ValueError`` when one has none.
    """
    masks = [thing.mask for thing in scene.targets if thing.mask is not None]
    if not masks or len(masks) < len(scene.targets):
        raise ValueError(f"{len(scene.targets)} targets with {len(masks)} masks, expected a mask each")
    target = union(masks, scene.size)
    answers = [solver(image, draft.text) for _ in range(tries)]
    solved = sum(answer is not None and answer.iou(target) >= SOLVED_IOU for answer in answers) / tries
    return critique.model_copy(update={"solved": solved, "learnability": learnability(solved)})
