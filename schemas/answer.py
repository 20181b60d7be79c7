"""Who is to work on what: assignments, blind answers and gold items."""

from typing import Literal

from whyseg.schemas.record import Record, Utc

AnswerKind = Literal["overlap", "gold"]


class Assignment(Record):
    """A sample that one person is to work on."""

    sample_id: str
    user: str
    by: str
    at: Utc


class Gold(Record):
    """An accepted sample, as of one revision, that answers are measured against."""

    sample_id: str
    revision_id: str
    by: str
    at: Utc


class Answer(Record):
    """A sample of its own, in which ``user`` answers the question of another without seeing what that one holds.

    ``original_revision``: the original as it was when the answer was handed out, by ``by`` at ``at``.
    """

    sample_id: str
    original_id: str
    original_revision: str
    user: str
    kind: AnswerKind
    by: str
    at: Utc
