"""Asking a policy about a picture: the protocol between the pages, which know no policy, and training, which has them.

A policy answers one question several times; a segmenter makes masks of the boxes and points in each answer; a vote says
what the answers amount to. An answer that cannot be read is a value like any other.
"""

from collections.abc import Callable, Hashable, Sequence
from typing import Annotated, Literal, Protocol

from pydantic import Field

from whyseg.curation.images import RgbArray
from whyseg.schemas import Mask, Record

Share = Annotated[float, Field(ge=0, le=1)]
MOST_ANSWERS = 64  # to one question
HIGHEST_TEMPERATURE = 2.0
LONGEST_TEXT = 100_000  # characters of an answer that are kept


class Settings(Record):
    """What a vote goes by; the defaults are StAR's. Each is a share in [0, 1]."""

    no_object: Share = 0.5
    iou: Share = 0.85
    votes: Share = 0.2
    mode: Literal["best", "consensus"] = "best"
    pixels: Share = 0.5


class Cluster(Record):
    """Candidates that mean the same thing.

    ``members``: (answer, object) of each, counted from 0; ``votes``: distinct answers; ``ratio``: of the valid ones;
    ``score``: the mean. ``chosen``: its mask is part of the result.
    """

    mask: Mask
    label: str = ""
    votes: int
    ratio: float
    score: float
    members: tuple[tuple[int, int], ...]
    chosen: bool = False


class Vote(Record):
    """What the answers amount to.

    ``outcome``: "failed" when no answer could be read, and ``mask`` is None; "no_object" when nothing is there, and
    the mask is empty. ``agreement``, in [0, 1]: the mean share of the valid answers behind each chosen cluster, or
    behind "nothing there"; 0 when it failed. ``count``: how many objects most answers see. ``clusters``: best first.
    """

    outcome: Literal["mask", "no_object", "failed"]
    mask: Mask | None
    agreement: float
    valid: int
    no_object_votes: int
    count: int
    clusters: tuple[Cluster, ...]


class AskedObject(Record):
    """One object of an answer, in pixels of the upright picture.

    ``box``: half-open (x0, y0, x1, y1); ``points``: (x, y), whole numbers at pixel centres; both as the policy gave
    them, not clipped. ``score``: the segmenter's, of the mask that it made of them.
    """

    label: str | None = None
    box: tuple[float, float, float, float] | None = None
    points: tuple[tuple[float, float], ...] = ()
    mask: Mask
    score: float


class AskedAnswer(Record):
    """One answer: the whole text, the thinking in it, and its objects; ``problem`` says why it could not be read."""

    text: str
    thinking: str = ""
    problem: str | None = None
    objects: tuple[AskedObject, ...] = ()


class Asker(Protocol):
    """A policy with its segmenter, ready to be asked; one question at a time."""

    @property
    def name(self) -> str:
        """Which policy answers."""

    @property
    def segmenter(self) -> str:
        """Which model makes masks of its boxes and points."""

    def ask(
        self,
        key: Hashable,
        pixels: RgbArray,
        query: str,
        *,
        k: int,
        temperature: float | None = None,
        told: Callable[[int], None] = lambda done: None,
    ) -> tuple[AskedAnswer, ...]:
        """Return ``k`` answers to a question about a picture, uint8 (H, W, 3), upright, which ``key`` names.

        ``temperature``: None is what suits ``k``. ``told`` hears how many answers there are, and may raise to end it.
        Raises ``WhysegError`` as the policy and the segmenter do.
        """

    def vote(self, answers: Sequence[AskedAnswer], size: tuple[int, int], settings: Settings) -> Vote:
        """Return what answers about a picture of ``size`` (height, width) amount to; asks nothing again."""

    def close(self) -> None:
        """Give back what it holds."""
