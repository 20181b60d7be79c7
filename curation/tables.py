"""The database's rows: private to the store, which takes and returns records."""

from sqlalchemy import Double, ForeignKey, Index, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """The tables' common base; times are ISO 8601 texts in UTC of one width, so that they sort."""


class ImageRow(Base):
    """An image record; its pixels lie in the content-addressed folder."""

    __tablename__ = "images"
    id: Mapped[str] = mapped_column(primary_key=True)
    file_name: Mapped[str]
    added_at: Mapped[str]
    body: Mapped[str] = mapped_column(Text)  # the record as JSON


class SampleRow(Base):
    """The pointer of a sample: its newest revision and state, and what filters look at."""

    __tablename__ = "samples"
    id: Mapped[str] = mapped_column(primary_key=True)
    added: Mapped[int] = mapped_column(unique=True)  # 1, 2, 3 … in the order of adding
    image_id: Mapped[str] = mapped_column(ForeignKey("images.id"), index=True)
    head: Mapped[str]
    number: Mapped[int]
    state: Mapped[str]
    updated_at: Mapped[str]
    query: Mapped[str | None] = mapped_column(Text)
    reasoning_type: Mapped[str | None]
    depth: Mapped[int | None]
    instances: Mapped[int]
    no_target: Mapped[bool]
    # Ranks, the lowest first: see `rankings`, and `findings` for the last.
    unsolved: Mapped[float | None] = mapped_column(Double)
    disagreeing: Mapped[float | None] = mapped_column(Double)
    ambiguous: Mapped[float | None] = mapped_column(Double)
    boundary: Mapped[float | None] = mapped_column(Double)
    easiest: Mapped[float | None] = mapped_column(Double)
    proposed: Mapped[float | None] = mapped_column(Double)
    findings: Mapped[float | None] = mapped_column(Double)
    # A page is found by the numbers in `added` alone, within an index, and only then are its rows read.
    __table_args__ = (
        Index("samples_by_updated", "updated_at", "added"),
        Index("samples_by_state", "state", "added"),
        Index("samples_by_type", "reasoning_type", "depth", "added"),
        Index("samples_by_depth", "depth", "added"),
        Index("samples_by_no_target", "no_target", "added"),
        Index("samples_by_unsolved", "unsolved", "added"),
        Index("samples_by_disagreeing", "disagreeing", "added"),
        Index("samples_by_ambiguous", "ambiguous", "added"),
        Index("samples_by_boundary", "boundary", "added"),
        Index("samples_by_easiest", "easiest", "added"),
        Index("samples_by_proposed", "proposed", "added"),
        Index("samples_by_findings", "findings", "added"),
        Index("samples_counted", "state", "reasoning_type", "depth", "no_target", "instances"),
    )


class RevisionRow(Base):
    """One immutable revision; never updated, never deleted."""

    __tablename__ = "revisions"
    id: Mapped[str] = mapped_column(primary_key=True)
    sample_id: Mapped[str] = mapped_column(ForeignKey("samples.id", deferrable=True, initially="DEFERRED"))
    number: Mapped[int]
    parent: Mapped[str | None]
    content: Mapped[str]
    author: Mapped[str]
    created_at: Mapped[str]
    edit: Mapped[str | None]
    body: Mapped[str] = mapped_column(Text)  # the sample as JSON
    __table_args__ = (UniqueConstraint("sample_id", "number"), UniqueConstraint("sample_id", "edit"))


class ReviewRow(Base):
    """A review of a revision."""

    __tablename__ = "reviews"
    id: Mapped[str] = mapped_column(primary_key=True)
    sample_id: Mapped[str] = mapped_column(ForeignKey("samples.id"), index=True)
    revision_id: Mapped[str] = mapped_column(ForeignKey("revisions.id"))
    created_at: Mapped[str]
    body: Mapped[str] = mapped_column(Text)


class SuggestionRow(Base):
    """What a machine proposed for a sample."""

    __tablename__ = "suggestions"
    id: Mapped[str] = mapped_column(primary_key=True)
    sample_id: Mapped[str] = mapped_column(ForeignKey("samples.id"), index=True)
    created_at: Mapped[str]
    body: Mapped[str] = mapped_column(Text)


class FindingRow(Base):
    """What a check or a model run found."""

    __tablename__ = "findings"
    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(index=True)
    sample_id: Mapped[str | None] = mapped_column(ForeignKey("samples.id"), index=True)
    image_id: Mapped[str | None] = mapped_column(ForeignKey("images.id"), index=True)
    created_at: Mapped[str]
    body: Mapped[str] = mapped_column(Text)
    gone_at: Mapped[str | None]  # when a check no longer found it
    severity: Mapped[str]
    says: Mapped[str]  # the hash of message and evidence
    __table_args__ = (Index("findings_listed", "gone_at", "created_at", "id", "severity", "kind", "sample_id", "says"),)


class SetAsideRow(Base):
    """Somebody's word that a finding, as long as it says the same, is no mistake."""

    __tablename__ = "set_aside"
    finding_id: Mapped[str] = mapped_column(ForeignKey("findings.id"), primary_key=True)
    says: Mapped[str] = mapped_column(primary_key=True)
    reason: Mapped[str] = mapped_column(Text)
    by: Mapped[str]
    at: Mapped[str]


class ScoreRunRow(Base):
    """A run of a model over samples."""

    __tablename__ = "score_runs"
    id: Mapped[str] = mapped_column(primary_key=True)
    created_at: Mapped[str] = mapped_column(index=True)
    body: Mapped[str] = mapped_column(Text)  # the record as JSON


class SignalsRow(Base):
    """What a run's answers say about a sample; the columns are what lists are sorted by."""

    __tablename__ = "signals"
    run: Mapped[str] = mapped_column(ForeignKey("score_runs.id"), primary_key=True)
    sample_id: Mapped[str] = mapped_column(ForeignKey("samples.id"), primary_key=True)
    revision_id: Mapped[str] = mapped_column(ForeignKey("revisions.id"))
    mean_iou: Mapped[float] = mapped_column(Double)
    best_iou: Mapped[float] = mapped_column(Double)
    pass_rate: Mapped[float] = mapped_column(Double)
    agreement: Mapped[float] = mapped_column(Double)
    entropy: Mapped[float] = mapped_column(Double)
    vote_iou: Mapped[float] = mapped_column(Double)
    reprompted_iou: Mapped[float | None] = mapped_column(Double)
    body: Mapped[str] = mapped_column(Text)
    __table_args__ = (Index("signals_by_sample", "sample_id"),)


class ProposalRow(Base):
    """A change that a model run proposes; ``decision`` is null until a person has decided."""

    __tablename__ = "proposals"
    id: Mapped[str] = mapped_column(primary_key=True)
    sample_id: Mapped[str] = mapped_column(ForeignKey("samples.id"), index=True)
    revision_id: Mapped[str] = mapped_column(ForeignKey("revisions.id"))
    reason: Mapped[str]
    score: Mapped[float] = mapped_column(Double)
    created_at: Mapped[str]
    decision: Mapped[str | None] = mapped_column(Text)  # the record as JSON
    made: Mapped[str | None] = mapped_column(index=True)  # the revision that accepting it made
    body: Mapped[str] = mapped_column(Text)
    __table_args__ = (Index("proposals_listed", "score", "id"),)


class ReleaseRow(Base):
    """A release; never updated, never deleted."""

    __tablename__ = "releases"
    name: Mapped[str] = mapped_column(primary_key=True)
    created_at: Mapped[str]
    body: Mapped[str] = mapped_column(Text)  # the record as JSON


class ReleaseItemRow(Base):
    """One frozen revision of a release."""

    __tablename__ = "release_items"
    release: Mapped[str] = mapped_column(ForeignKey("releases.name"), primary_key=True)
    sample_id: Mapped[str] = mapped_column(ForeignKey("samples.id"), primary_key=True)
    image_id: Mapped[str] = mapped_column(ForeignKey("images.id"))
    revision_id: Mapped[str] = mapped_column(ForeignKey("revisions.id"))
    content: Mapped[str]
    split: Mapped[str]
    __table_args__ = (Index("release_items_by_image", "release", "split", "image_id", "sample_id"),)


class LeaseRow(Base):
    """A claim on a sample; whoever finds it expired may replace it."""

    __tablename__ = "leases"
    sample_id: Mapped[str] = mapped_column(ForeignKey("samples.id"), primary_key=True)
    holder: Mapped[str]
    token: Mapped[str]
    expires_at: Mapped[str]


class AssignmentRow(Base):
    """A sample that one person is to work on."""

    __tablename__ = "assignments"
    sample_id: Mapped[str] = mapped_column(ForeignKey("samples.id"), primary_key=True)
    user: Mapped[str] = mapped_column(ForeignKey("users.name"), index=True)
    by: Mapped[str]
    at: Mapped[str]


class GoldRow(Base):
    """An accepted sample that answers are measured against, as of one revision."""

    __tablename__ = "golds"
    sample_id: Mapped[str] = mapped_column(ForeignKey("samples.id"), primary_key=True)
    revision_id: Mapped[str] = mapped_column(ForeignKey("revisions.id"))
    by: Mapped[str]
    at: Mapped[str]


class AnswerRow(Base):
    """What makes a sample a blind answer to another; never updated, never deleted."""

    __tablename__ = "answers"
    sample_id: Mapped[str] = mapped_column(ForeignKey("samples.id"), primary_key=True)
    original_id: Mapped[str] = mapped_column(ForeignKey("samples.id"))
    original_revision: Mapped[str] = mapped_column(ForeignKey("revisions.id"))
    user: Mapped[str] = mapped_column(ForeignKey("users.name"), index=True)
    kind: Mapped[str]
    by: Mapped[str]
    at: Mapped[str]
    entry: Mapped[int]  # the audit log's newest number when it was handed out
    __table_args__ = (UniqueConstraint("original_id", "user"),)


class UserRow(Base):
    """Somebody who may sign in."""

    __tablename__ = "users"
    name: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)  # the name without its case
    role: Mapped[str]
    disabled: Mapped[bool]
    password: Mapped[str]  # its argon2 hash, with salt and parameters
    created_at: Mapped[str]


class SessionRow(Base):
    """Somebody who is signed in; the token itself is only in the browser's cookie."""

    __tablename__ = "sessions"
    digest: Mapped[str] = mapped_column(primary_key=True)
    user: Mapped[str] = mapped_column(ForeignKey("users.name"), index=True)
    seen_at: Mapped[str]
    expires_at: Mapped[str]


class AuditRow(Base):
    """One link of the audit chain."""

    __tablename__ = "audit"
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[str]
    actor: Mapped[str]
    action: Mapped[str]
    subject: Mapped[str] = mapped_column(index=True)
    detail: Mapped[str] = mapped_column(Text)
    previous: Mapped[str]
    hash: Mapped[str]
    __table_args__ = (Index("audit_by_actor", "actor", "action", "number"),)
