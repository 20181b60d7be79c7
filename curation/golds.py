"""Gold items: accepted samples that answers are measured against; marked by hand, handed out by hand or by *next*."""

import hashlib
from collections.abc import Sequence

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from whyseg.curation import audit
from whyseg.curation.answers import hand_out_one, original_revision, who_knows
from whyseg.curation.assignments import assign_one, ordinary_sample
from whyseg.curation.store import Store
from whyseg.curation.tables import AnswerRow, AuditRow, GoldRow, SampleRow
from whyseg.curation.times import stamp
from whyseg.schemas.answer import Gold
from whyseg.schemas.errors import IllegalTransition, NotFound
from whyseg.schemas.revision import State

ITSELF = "whyseg"  # who hands out what nobody did by hand


class Golds:
    """The gold items of a workspace; every change is in the audit log, about the sample."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def mark(self, sample_ids: Sequence[str], *, by: str) -> int:
        """Mark accepted samples as gold, as they stand; return how many were not gold in this revision before.

        Raises ``NotFound``, ``IllegalTransition`` for a sample that is not accepted, ``InvalidRecord`` for an answer;
        nothing is marked then.
        """
        marked = 0
        with self.store.database.write() as session:
            for sample_id in dict.fromkeys(sample_ids):
                row = ordinary_sample(session, sample_id)
                if row.state != State.ACCEPTED:
                    raise IllegalTransition(sample_id, row.state, "mark it as gold: only accepted samples are gold")
                known = session.get(GoldRow, sample_id)
                if known is not None and known.revision_id == row.head:
                    continue
                at = self.store.clock()
                values = {"revision_id": row.head, "by": by, "at": stamp(at)}
                session.merge(GoldRow(sample_id=sample_id, **values))
                audit.append(session, at, by, "mark_gold", sample_id, gold=row.head)
                marked += 1
        return marked

    def unmark(self, sample_id: str, *, by: str) -> None:
        """Make a sample no longer gold; answers that were given stay. Raises ``NotFound`` when it is not gold."""
        with self.store.database.write() as session:
            if session.get(GoldRow, sample_id) is None:
                raise NotFound("gold item", sample_id)
            session.execute(delete(GoldRow).where(GoldRow.sample_id == sample_id))
            audit.append(session, self.store.clock(), by, "unmark_gold", sample_id)

    def among(self, sample_ids: Sequence[str]) -> set[str]:
        """Return which of some samples are gold."""
        with self.store.database.read() as session:
            return set(session.scalars(select(GoldRow.sample_id).where(GoldRow.sample_id.in_(sample_ids))))

    def page(self, *, offset: int = 0, limit: int = 50) -> tuple[int, list[Gold]]:
        """Return how many gold items there are, and some of them in the order of adding."""
        with self.store.database.read() as session:
            total = session.scalar(select(func.count()).select_from(GoldRow)) or 0
            joined = select(GoldRow).join(SampleRow, SampleRow.id == GoldRow.sample_id).order_by(SampleRow.added)
            return total, [_record(row) for row in session.scalars(joined.offset(offset).limit(limit))]


def due_gold(session: Session, store: Store, user: str, every: int) -> str | None:
    """Hand a gold item to somebody when it is time; return the answer's id, or None.

    It is time when they have handed in ``every`` samples since they were last given one, and have none at hand.
    """
    given = select(AnswerRow, SampleRow.state).join(SampleRow, SampleRow.id == AnswerRow.sample_id)
    rows = session.execute(given.where(AnswerRow.user == user, AnswerRow.kind == "gold")).all()
    if any(state != State.SUBMITTED for _, state in rows):
        return None
    last = max((row.entry for row, _ in rows), default=0)
    submitted = select(func.count()).select_from(AuditRow).where(AuditRow.actor == user, AuditRow.action == "submit")
    if (session.scalar(submitted.where(AuditRow.number > last)) or 0) < every:
        return None
    for sample_id in _in_turn(session, user, {row.original_id for row, _ in rows}):
        if user not in who_knows(session, sample_id, store.clock()):
            original = original_revision(session, sample_id, "gold")
            answer = hand_out_one(session, store, original, user, "gold", ITSELF)
            assign_one(session, store, answer.sample_id, user, ITSELF)  # as those are that a curator hands out
            return answer.sample_id
    return None


def _in_turn(session: Session, user: str, known: set[str]) -> list[str]:
    """Return the gold items that somebody has not had: first those that few have had, in an order of their own."""
    counted = (
        select(AnswerRow.original_id, func.count()).where(AnswerRow.kind == "gold").group_by(AnswerRow.original_id)
    )
    times = {key: count for key, count in session.execute(counted)}
    free = [key for key in session.scalars(select(GoldRow.sample_id)) if key not in known]
    return sorted(free, key=lambda key: (times.get(key, 0), hashlib.sha256(f"{user}\n{key}".encode()).digest()))


def _record(row: GoldRow) -> Gold:
    return Gold.parse({name: getattr(row, name) for name in Gold.model_fields})
