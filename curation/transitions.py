"""What moves a sample: revising, handing in, reviewing and reopening it, each inside the caller's transaction.

So several of them can be one step, done or not done. The caller's transaction must be the only writer.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from whyseg.curation import audit, leases
from whyseg.curation.rows import point, revision_of, row_of
from whyseg.curation.tables import ReviewRow, RevisionRow, SampleRow
from whyseg.curation.times import stamp
from whyseg.curation.visibility import require_open
from whyseg.schemas.errors import (
    CorruptStore,
    IllegalTransition,
    Incomplete,
    InvalidRecord,
    NotFound,
    StaleParent,
)
from whyseg.schemas.revision import Head, Review, Revision, State
from whyseg.schemas.sample import Sample


def standing(session: Session, sample_id: str) -> tuple[SampleRow, Revision]:
    """Return a sample's row and its newest revision, by one question; raises ``NotFound``."""
    joined = select(SampleRow, RevisionRow).join(RevisionRow, RevisionRow.id == SampleRow.head, isouter=True)
    found = session.execute(joined.where(SampleRow.id == sample_id)).one_or_none()
    if found is None:
        raise NotFound("sample", sample_id)
    row, head = found
    if head is None:
        raise CorruptStore(f"sample {row.id} points to revision {row.head}, which is not there")
    return row, revision_of(head)


def head_of(session: Session, sample_id: str) -> Head:
    """Return a sample as it stands; raises ``NotFound``."""
    row, revision = standing(session, sample_id)
    return Head(revision=revision, state=State(row.state))


def revise(
    session: Session,
    at: datetime,
    sample_id: str,
    sample: Sample,
    *,
    parent: str,
    author: str,
    edit: str | None = None,
    leased: bool = False,
) -> Head:
    """Make ``sample`` the newest revision, see `Store.revise`."""
    row, head = standing(session, sample_id)
    if edit is not None:
        same = RevisionRow.sample_id == sample_id, RevisionRow.edit == edit
        if done := session.scalar(select(RevisionRow).where(*same)):
            if (done.content, done.author) != (sample.content_hash(), author):
                raise InvalidRecord(f"edit {edit} of sample {sample_id} was another change, or another author's")
            return Head(revision=revision_of(done), state=State(row.state))
    if leased:
        leases.require(session, sample_id, author, at)
    if parent != head.id:
        raise StaleParent(sample_id, head.id, parent)
    if row.state == State.ACCEPTED:
        raise IllegalTransition(sample_id, row.state, "change it; reopen it first")
    if (sample.id, sample.size) != (sample_id, head.sample.size):
        expected = f"sample {sample_id} of size {head.sample.size}"
        raise InvalidRecord(
            f"the change is about another sample: expected {expected}, got {sample.id} of {sample.size}"
        )
    if (sample.split, sample.source_name) != (head.sample.split, head.sample.source_name):
        raise InvalidRecord(f"sample {sample_id}: split and source_name are its source's, and stay as they are")
    if sample == head.sample:
        return Head(revision=head, state=State(row.state))
    require_open(session, row, "change it")
    revision = Revision.make(sample, number=head.number + 1, parent=head.id, author=author, created_at=at, edit=edit)
    point(row, revision, State.DRAFT)
    session.add(row_of(revision))
    audit.append(
        session, revision.created_at, author, "revise", sample_id, revision=revision.id, state=State.DRAFT.value
    )
    return Head(revision=revision, state=State.DRAFT)


def submit(session: Session, at: datetime, sample_id: str, *, parent: str, author: str, leased: bool = False) -> Head:
    """Hand a sample in for review, see `Store.submit`."""
    row, head = standing(session, sample_id)
    if leased:
        leases.require(session, sample_id, author, at)
    if parent != head.id:
        raise StaleParent(sample_id, head.id, parent)
    if row.state == State.ACCEPTED:
        raise IllegalTransition(sample_id, row.state, "submit it")
    if problems := head.sample.missing():
        raise Incomplete(sample_id, problems)
    if row.state != State.SUBMITTED:
        _move(session, at, row, State.SUBMITTED, author, "submit", revision=head.id)
    return Head(revision=head, state=State.SUBMITTED)


def review(session: Session, at: datetime, decided: Review) -> Head:
    """Accept or reject a submitted revision, see `Store.review`."""
    row, head = standing(session, decided.sample_id)
    if decided.revision_id != head.id:
        raise StaleParent(decided.sample_id, head.id, decided.revision_id)
    if row.state != State.SUBMITTED:
        raise IllegalTransition(
            decided.sample_id, row.state, f"{decided.decision} it: only submitted samples are reviewed"
        )
    require_open(session, row, f"{decided.decision} it: a blind answer is compared, not reviewed")
    return decide(session, at, row, head, decided)


def decide(session: Session, at: datetime, row: SampleRow, head: Revision, decided: Review) -> Head:
    """Give a sample the state that a review of its newest revision says, whatever state it was in."""
    keys = {"revision_id": decided.revision_id, "sample_id": decided.sample_id}
    session.add(ReviewRow(id=decided.id, **keys, created_at=stamp(decided.created_at), body=decided.model_dump_json()))
    state = State.ACCEPTED if decided.decision == "accept" else State.REJECTED
    _move(session, at, row, state, decided.reviewer, decided.decision, revision=head.id, review=decided.content_hash())
    return Head(revision=head, state=state)


def reopen(session: Session, at: datetime, sample_id: str, *, author: str, reason: str) -> Head:
    """Unlock an accepted sample, see `Store.reopen`."""
    row, head = standing(session, sample_id)
    if row.state != State.ACCEPTED:
        raise IllegalTransition(sample_id, row.state, "reopen it: only accepted samples are locked")
    _move(session, at, row, State.DRAFT, author, "reopen", reason=reason)
    return Head(revision=head, state=State.DRAFT)


def _move(session: Session, at: datetime, row: SampleRow, state: State, actor: str, action: str, **detail: Any) -> None:
    row.state, row.updated_at = state.value, stamp(at)
    audit.append(session, at, actor, action, row.id, state=state.value, **detail)
