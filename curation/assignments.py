"""Assignments: which sample is whose to work on. *Next* goes by them; they lock nothing."""

from collections.abc import Sequence

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from whyseg.curation import audit
from whyseg.curation.store import Store
from whyseg.curation.tables import AnswerRow, AssignmentRow, SampleRow, UserRow
from whyseg.curation.times import stamp
from whyseg.curation.users import key_of
from whyseg.schemas.answer import Assignment
from whyseg.schemas.errors import InvalidRecord, NotFound
from whyseg.schemas.revision import State

OPEN = (State.DRAFT.value, State.REJECTED.value)  # what is still to be worked on


class Assignments:
    """The assignments of a workspace; every change is in the audit log, about the sample."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def assign(self, sample_ids: Sequence[str], user: str | None, *, by: str) -> int:
        """Make samples somebody's to work on, or nobody's; return how many have changed hands.

        Raises ``NotFound`` for an unknown sample or user, ``InvalidRecord`` for a disabled user and for a blind answer,
        which stays with whom it was handed to; nothing is assigned then.
        """
        with self.store.database.write() as session:
            name = active_user(session, user) if user is not None else None
            changed = 0
            for sample_id in dict.fromkeys(sample_ids):
                ordinary_sample(session, sample_id)
                changed += assign_one(session, self.store, sample_id, name, by)
            return changed

    def deal(self, sample_ids: Sequence[str], users: Sequence[str], *, by: str) -> int:
        """Deal samples out among users, each to whoever has the least to do; returns and raises as `assign` does."""
        with self.store.database.write() as session:
            busy = load(session)
            left = {name: busy.get(name, 0) for name in (active_user(session, user) for user in users)}
            changed = 0
            for sample_id in dict.fromkeys(sample_ids):
                ordinary_sample(session, sample_id)
                name = min(left, key=left.__getitem__)  # of equals the first
                left[name] += 1
                changed += assign_one(session, self.store, sample_id, name, by)
            return changed

    def load(self) -> dict[str, int]:
        """Return how many open samples are assigned to each user who has any."""
        with self.store.database.read() as session:
            return load(session)

    def page(self, user: str | None = None, *, offset: int = 0, limit: int = 50) -> tuple[int, list[Assignment]]:
        """Return how many assignments somebody has, or all have, and some of them in the samples' order of adding."""
        where = [AssignmentRow.user == user] if user is not None else []
        with self.store.database.read() as session:
            total = session.scalar(select(func.count()).select_from(AssignmentRow).where(*where)) or 0
            joined = select(AssignmentRow).join(SampleRow, SampleRow.id == AssignmentRow.sample_id).where(*where)
            rows = session.scalars(joined.order_by(SampleRow.added).offset(offset).limit(limit))
            return total, [_record(row) for row in rows]

    def of(self, sample_ids: Sequence[str]) -> dict[str, str]:
        """Return whose those of some samples are that are assigned."""
        with self.store.database.read() as session:
            found = select(AssignmentRow).where(AssignmentRow.sample_id.in_(sample_ids))
            return {row.sample_id: row.user for row in session.scalars(found)}


def assign_one(session: Session, store: Store, sample_id: str, user: str | None, by: str) -> bool:
    """Write an assignment and its audit entry; False when it is so already."""
    row = session.get(AssignmentRow, sample_id)
    if (row.user if row else None) == user:
        return False
    at = store.clock()
    if user is None:
        session.execute(delete(AssignmentRow).where(AssignmentRow.sample_id == sample_id))
    elif row is None:
        session.add(AssignmentRow(sample_id=sample_id, user=user, by=by, at=stamp(at)))
    else:
        row.user, row.by, row.at = user, by, stamp(at)
    audit.append(session, at, by, "assign", sample_id, user=user)
    return True


def active_user(session: Session, name: str) -> str:
    """Return a user's name as it is kept; raises ``NotFound``, and ``InvalidRecord`` for one who is kept out."""
    row = session.scalar(select(UserRow).where(UserRow.key == key_of(name)))
    if row is None:
        raise NotFound("user", name)
    if row.disabled:
        raise InvalidRecord(f"user {row.name} is disabled, and can be given nothing to do")
    return row.name


def ordinary_sample(session: Session, sample_id: str) -> SampleRow:
    """Return a sample's row; raises ``NotFound``, and ``InvalidRecord`` for a blind answer."""
    row = session.get(SampleRow, sample_id)
    if row is None:
        raise NotFound("sample", sample_id)
    if session.get(AnswerRow, sample_id) is not None:
        raise InvalidRecord(f"sample {sample_id} is a blind answer: it stays with whom it was handed to")
    return row


def load(session: Session) -> dict[str, int]:
    """Return how much each user still has to do: open samples that are assigned to them."""
    found = select(AssignmentRow.user, func.count()).join(SampleRow, SampleRow.id == AssignmentRow.sample_id)
    rows = session.execute(found.where(SampleRow.state.in_(OPEN)).group_by(AssignmentRow.user))
    return {user: count for user, count in rows}


def _record(row: AssignmentRow) -> Assignment:
    return Assignment.parse({name: getattr(row, name) for name in Assignment.model_fields})
