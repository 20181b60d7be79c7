"""A change to a sample that a model run proposes and a person decides on."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, model_validator

from whyseg.schemas.errors import InvalidRecord
from whyseg.schemas.record import Record, Utc
from whyseg.schemas.sample import Instance, Query


class RevisionReason(StrEnum):
    """Why a sample is to be revised: ReasonSeg-R's kinds of correction, as whyseg reads them."""

    WRONG_TARGET = "wrong_target"
    MISSING_INSTANCE = "missing_instance"
    BOUNDARY = "boundary"
    QUERY_REWRITE = "query_rewrite"
    DROP = "drop"


class Decision(Record):
    """What became of a proposal; ``revision_id``: the revision that accepting it made, None where it made none."""

    accepted: bool
    by: str
    at: Utc
    revision_id: str | None = None


class Proposal(Record):
    """A change to one revision of a sample: other instances, another question, or to drop it.

    ``id`` follows from sample, revision, reason and what is proposed, so the same proposal made twice is one. ``says``:
    why, in words for people. ``made_by``: the policy and the segmenter behind it. ``score`` (0 … 1) sorts: how sure the
    maker is. ``instances`` replaces all instances, ``query`` the question; what is None stays. ``state`` is ``stale``
    when the sample has been revised since.
    """

    id: str
    sample_id: str
    revision_id: str
    reason: RevisionReason
    says: Annotated[str, Field(min_length=1, max_length=1000)]
    instances: tuple[Instance, ...] | None = None
    query: Query | None = None
    made_by: str
    score: Annotated[float, Field(ge=0, le=1)]
    created_at: Utc
    decision: Decision | None = None
    state: Literal["open", "accepted", "dismissed", "stale"] = "open"

    @model_validator(mode="after")
    def _something(self) -> "Proposal":
        changes = self.instances is not None or self.query is not None
        if changes == (self.reason is RevisionReason.DROP):
            raise InvalidRecord(f"a proposal changes instances or the query, or drops the sample; {self.id} is neither")
        return self
