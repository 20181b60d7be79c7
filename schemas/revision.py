"""What happens to a sample: revisions, states, reviews, suggestions and findings."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from whyseg.schemas.canonical import content_hash
from whyseg.schemas.errors import InvalidRecord
from whyseg.schemas.image import Sha256
from whyseg.schemas.record import Record, Utc
from whyseg.schemas.sample import Sample


class State(StrEnum):
    """Where a sample stands: ``draft → submitted → accepted | rejected → submitted …``."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


class Revision(Record):
    """One immutable state of a sample.

    ``content`` is the content hash of the sample alone; ``id`` that of everything else in the revision with ``content``
    in the sample's place, so it covers parent, author and time. ``edit`` names the very edit, so that a save repeated
    after a lost reply is recognised.
    """

    id: str
    content: str
    sample: Sample
    number: Annotated[int, Field(ge=1)]
    parent: str | None
    author: str
    created_at: Utc
    edit: str | None = None

    @classmethod
    def make(
        cls,
        sample: Sample,
        *,
        number: int,
        parent: str | None,
        author: str,
        created_at: datetime,
        edit: str | None = None,
    ) -> Self:
        """Build a revision; its hashes are computed here."""
        content = sample.content_hash()
        draft = cls.model_construct(
            id="",
            content=content,
            sample=sample,
            number=number,
            parent=parent,
            author=author,
            created_at=created_at.astimezone(UTC),
            edit=edit,
        )
        return cls.model_validate({**dict(draft), "id": draft.derived_id()})

    def derived_id(self) -> str:
        """Return the hash that ``id`` must be."""
        return content_hash(self.model_dump(mode="json", exclude={"id", "sample"}, exclude_defaults=True))

    @model_validator(mode="after")
    def _numbered(self) -> Self:
        if (self.parent is None) != (self.number == 1):
            raise InvalidRecord(f"revision {self.number} of sample {self.sample.id}: only the first has no parent")
        return self


class Head(Record):
    """A sample as it stands now: its newest revision and its state."""

    revision: Revision
    state: State

    @property
    def sample(self) -> Sample:
        """The sample of the newest revision."""
        return self.revision.sample


class Reason(StrEnum):
    """Why a reviewer rejects."""

    WRONG_TARGET = "wrong_target"
    MISSING_INSTANCE = "missing_instance"
    EXTRA_INSTANCE = "extra_instance"
    BOUNDARY = "boundary"
    AMBIGUOUS_QUERY = "ambiguous_query"
    LEAKS_ANSWER = "leaks_answer"
    WRONG_TYPE = "wrong_type"
    WRONG_DEPTH = "wrong_depth"
    BAD_IMAGE = "bad_image"
    DUPLICATE = "duplicate"
    OTHER = "other"


class Comment(Record):
    """A reviewer's remark, pinned to a pixel (x, y) where it speaks of one."""

    text: Annotated[str, Field(min_length=1, max_length=4000)]
    pin: tuple[float, float] | None = None


class Review(Record):
    """A decision on one revision."""

    id: str
    sample_id: str
    revision_id: str
    reviewer: str
    decision: Literal["accept", "reject"]
    reasons: tuple[Reason, ...] = ()
    comments: tuple[Comment, ...] = ()
    created_at: Utc

    @model_validator(mode="after")
    def _reasoned(self) -> Self:
        if self.decision == "reject" and not self.reasons:
            raise InvalidRecord("a rejection names at least one reason")
        if self.decision == "accept" and self.reasons:
            raise InvalidRecord(f"an acceptance has no reasons, got {[reason.value for reason in self.reasons]}")
        return self


class Suggestion(Record):
    """What a machine proposed, kept beside whatever people made of it: a mask (an RLE) or a query (a text and more)."""

    id: str
    sample_id: str
    kind: Literal["mask", "query"]
    value: dict[str, Any]
    model: str
    score: float | None = None
    created_at: Utc


class SetAside(Record):
    """Somebody's word that a finding is no mistake, and why."""

    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]
    by: str
    at: Utc


class Finding(Record):
    """Something a check or a model run says about a sample or an image.

    ``evidence`` is plain JSON: where it is and what else it names. ``gone_at``: when its cause was no longer found.
    ``set_aside`` holds as long as message and evidence stay what they were.
    """

    id: str
    kind: str
    severity: Literal["info", "warning", "error"]
    message: str
    sample_id: str | None = None
    image_id: Sha256 | None = None
    evidence: dict[str, Any] = Field(default_factory=dict)
    created_at: Utc
    gone_at: Utc | None = None
    set_aside: SetAside | None = None

    def says(self) -> str:
        """Return the hash of what is said: message and evidence."""
        return content_hash([self.message, self.evidence])


class Lease(Record):
    """A short-lived claim of one person on one sample; ``token`` proves it."""

    sample_id: str
    holder: str
    token: str
    expires_at: Utc


class AuditEntry(Record):
    """One change of state, chained to the one before it by ``previous``; ``hash`` covers everything else here."""

    number: Annotated[int, Field(ge=1)]
    at: Utc
    actor: str
    action: str
    subject: str
    detail: dict[str, Any] = Field(default_factory=dict)
    previous: str
    hash: str

    def derived_hash(self) -> str:
        """Return the hash that ``hash`` must be."""
        return content_hash(self.model_dump(mode="json", exclude={"hash"}, exclude_defaults=True))
