"""Drafted questions: what a drafter is shown, what it proposes, and what a critic says about it."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, model_validator

from whyseg.schemas.errors import InvalidRecord
from whyseg.schemas.mask import Mask, Side
from whyseg.schemas.record import Record
from whyseg.schemas.sample import MAX_DEPTH, ReasoningType, Text

Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]


class SceneObject(Record):
    """A labelled object of a picture: half-open ``box`` (x0, y0, x1, y1) and ``area`` in pixels."""

    label: Annotated[str, Field(max_length=200)]
    box: tuple[int, int, int, int]
    area: Annotated[int, Field(ge=1)]
    target: bool = False
    mask: Mask | None = None

    @property
    def centre(self) -> tuple[float, float]:
        """The middle (x, y) of the box."""
        return (self.box[0] + self.box[2]) / 2, (self.box[1] + self.box[3]) / 2


class Scene(Record):
    """What is known of a sample's picture: its ``size`` (height, width), the targets and the other labelled objects."""

    size: tuple[Side, Side]
    objects: tuple[SceneObject, ...]

    @property
    def targets(self) -> tuple[SceneObject, ...]:
        """The objects that the question must be about."""
        return tuple(thing for thing in self.objects if thing.target)

    @property
    def others(self) -> tuple[SceneObject, ...]:
        """The objects that must not answer it."""
        return tuple(thing for thing in self.objects if not thing.target)


class Usage(Record):
    """What an answer cost: tokens in and out, and money where a price is known, in the price's currency."""

    prompt_tokens: Count = 0
    completion_tokens: Count = 0
    cost: Annotated[float, Field(ge=0)] = 0.0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            cost=self.cost + other.cost,
        )


class QueryDraft(Record):
    """A question that a machine proposes.

    ``reasoning_type`` and ``depth`` are what was asked for, ``hops`` what was written; a critic says whether they
    agree. ``label``: the answer in the drafter's words. ``prompt_hash`` covers everything the drafter was told beside
    the picture. ``tokens``: those of the whole reply, which drafts of one reply share. ``meaning``: the question as
    canonical JSON, where the drafter can state it so that a program can answer it.
    """

    text: Text
    is_sentence: bool = True
    reasoning_type: ReasoningType
    depth: Annotated[int, Field(ge=1, le=MAX_DEPTH)]
    hops: Annotated[tuple[Text, ...], Field(min_length=1, max_length=8)]
    label: Annotated[str, Field(max_length=200)]
    drafter: str
    model: str
    prompt_hash: str
    tokens: Count = 0
    meaning: str = ""


class DraftProblem(Record):
    """Why there is no draft: an outcome, not a bug.

    ``declined``: the drafter knows of no such question. ``refused``: the model would not. ``parse_failure``: its reply
    was no question; ``text`` holds the reply. ``unanswered``: no usable reply after all tries.
    """

    kind: Literal["declined", "refused", "parse_failure", "unanswered"]
    reason: str
    text: Annotated[str, Field(max_length=20_000)] = ""


class Drafted(Record):
    """A drafter's answer: drafts, or why there are none, and what it took."""

    drafts: tuple[QueryDraft, ...] = ()
    problem: DraftProblem | None = None
    usage: Usage = Usage()

    @model_validator(mode="after")
    def _either(self) -> "Drafted":
        if bool(self.drafts) == (self.problem is not None):
            raise InvalidRecord(f"either drafts or a problem, got {len(self.drafts)} drafts and {self.problem!r}")
        return self

    @classmethod
    def without(cls, problem: DraftProblem, usage: Usage | None = None) -> "Drafted":
        """Build the answer that has no draft."""
        return cls(problem=problem, usage=usage or Usage())


class Fault(StrEnum):
    """What a critic looks for."""

    LEAK = "leak"  # the question names its answer
    AMBIGUOUS = "ambiguous"  # more than the target fits
    UNANSWERABLE = "unanswerable"  # the picture does not tell
    WRONG_TYPE = "wrong_type"
    WRONG_DEPTH = "wrong_depth"


class Mark(Record):
    """A fault that was found, why, and by whom: ``rules`` or a model's name."""

    fault: Fault
    reason: str
    by: str = "rules"


class Critique(Record):
    """A critic's marks, none for a good draft.

    ``solved``: the share p of a solver's tries that found the target; ``learnability``: 1 − 2|p − 0.5|, the reward that
    a self-play proposer gets for questions that are neither hopeless nor trivial for the solver.
    """

    marks: tuple[Mark, ...] = ()
    solved: Share | None = None
    learnability: Share | None = None

    @property
    def faults(self) -> frozenset[Fault]:
        """The kinds of faults that were found."""
        return frozenset(mark.fault for mark in self.marks)
