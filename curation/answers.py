"""Blind answers: the question of a sample, put to somebody who does not see what the sample holds.

An answer is an ordinary sample of its own, so that it is drawn, saved and handed in as any other. It begins with the
original's picture and question and nothing else, and with author and time of the original's first revision: who gets
it cannot tell it from a draft that somebody made in the app. Who handed it out, and when, is in its row and in the
audit log. See `visibility` for who sees it.
"""

import uuid
from collections.abc import Sequence
from datetime import datetime
from random import Random

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from whyseg.curation import audit
from whyseg.curation.assignments import active_user, assign_one, load, ordinary_sample
from whyseg.curation.rows import add_sample_rows, revision_of
from whyseg.curation.store import Store
from whyseg.curation.tables import AnswerRow, AssignmentRow, AuditRow, GoldRow, LeaseRow, RevisionRow, SampleRow
from whyseg.curation.times import stamp
from whyseg.schemas.answer import Answer, AnswerKind
from whyseg.schemas.errors import CorruptStore, IllegalTransition, InvalidRecord, NotFound, StaleParent
from whyseg.schemas.record import Record
from whyseg.schemas.revision import Head, Revision, State
from whyseg.schemas.sample import Sample

# Work on a sample; who has done so knows it.
WORK = ("revise", "submit", "accept", "reject", "reopen", "adopt", "accept_proposal", "dismiss_proposal")
_TOGETHER = 25  # samples that are handed out in one transaction: others write in between
ANSWERED = ("query", "instances", "ignore", "no_target", "reasoning_type", "hops", "depth")  # what adopting takes


class Skipped(Record):
    """A sample that was not handed out, to one person or (``user`` is None) to nobody, and why."""

    sample_id: str
    user: str | None
    reason: str


class HandedOut(Record):
    """What became of handing samples out."""

    answers: tuple[Answer, ...]
    skipped: tuple[Skipped, ...]


class Answers:
    """The blind answers of a workspace."""

    def __init__(self, store: Store, random: Random | None = None) -> None:
        self.store = store
        self._random = random or Random()

    def hand_out(
        self,
        sample_ids: Sequence[str],
        users: Sequence[str],
        *,
        by: str,
        kind: AnswerKind = "overlap",
        each: int | None = None,
    ) -> HandedOut:
        """Give every sample to all users, or to ``each`` of them: those with the least to do, by lot among equals.

        A sample without a question is left out; so is whoever has worked on it, reviewed it, is at it now, or has been
        given it before. Raises ``NotFound`` for an unknown sample or user, ``InvalidRecord`` for a disabled user, for a
        sample that is an answer itself, or, of kind "gold", for one that is not gold; nothing is handed out then.
        """
        ids = list(dict.fromkeys(sample_ids))
        with self.store.database.read() as session:
            names = list(dict.fromkeys(active_user(session, user) for user in users))
            busy = load(session)
            for sample_id in ids:
                original_revision(session, sample_id, kind)
        handing = _Handing(self.store, names, busy, by=by, kind=kind, each=each, random=self._random)
        for start in range(0, len(ids), _TOGETHER):
            with self.store.database.write() as session:
                for sample_id in ids[start : start + _TOGETHER]:
                    handing.hand_out(session, sample_id)
        return HandedOut(answers=tuple(handing.answers), skipped=tuple(handing.skipped))

    def get(self, sample_id: str) -> Answer:
        """Return what an answer is to; raises ``NotFound`` where the sample is none."""
        with self.store.database.read() as session:
            return answer_of(_row(session, sample_id))

    def of(self, original_id: str) -> list[tuple[Answer, State]]:
        """Return the answers to a sample and their states, in the order of handing out; raises ``NotFound``."""
        with self.store.database.read() as session:
            ordinary_sample(session, original_id)
            joined = select(AnswerRow, SampleRow.state).join(SampleRow, SampleRow.id == AnswerRow.sample_id)
            found = joined.where(AnswerRow.original_id == original_id).order_by(SampleRow.added)
            return [(answer_of(row), State(state)) for row, state in session.execute(found)]

    def adopt(self, answer_id: str, *, original_id: str, parent: str, author: str) -> Head:
        """Take what an answer holds as a new revision of its original, made on the revision ``parent``.

        The revision's ``edit`` names the answer's revision. Repeated, it is the same. Raises ``NotFound`` when it is
        no answer to that sample, ``IllegalTransition`` while it is not handed in, and as `Store.revise` does.
        """
        with self.store.database.read() as session:
            answer = _row(session, answer_id)
            if answer.original_id != original_id:
                raise NotFound(f"answer to sample {original_id}", answer_id)
            row = session.get_one(SampleRow, answer_id)
            if row.state != State.SUBMITTED:
                raise IllegalTransition(answer_id, row.state, "adopt it: only an answer that was handed in is adopted")
            taken, user = row.head, answer.user
        head, theirs = self.store.head(original_id), self.store.revision(taken).sample
        adopted = Sample.parse({**dict(head.sample), **{name: getattr(theirs, name) for name in ANSWERED}})
        edit = f"adopt:{taken}:{parent}"
        if head.revision.edit == edit and head.revision.author != author:
            raise StaleParent(original_id, head.revision.id, parent)  # another curator was faster with the same
        made = self.store.revise(original_id, adopted, parent=parent, author=author, edit=edit)
        if made.revision.edit == edit:
            detail = {"sample": answer_id, "adopted": taken, "user": user, "made": made.revision.id}
            with self.store.database.write() as session:
                logged = select(AuditRow.number).where(AuditRow.subject == original_id, AuditRow.action == "adopt")
                if session.scalar(logged.where(AuditRow.detail.contains(made.revision.id))) is None:
                    audit.append(session, self.store.clock(), author, "adopt", original_id, **detail)
        return made


class _Handing:
    """Handing out as it goes: what was given to whom so far."""

    def __init__(
        self,
        store: Store,
        names: list[str],
        busy: dict[str, int],
        *,
        by: str,
        kind: AnswerKind,
        each: int | None,
        random: Random,
    ) -> None:
        self.store, self.names, self.busy, self.random = store, names, busy, random
        self.by, self.kind, self.each = by, kind, each
        self.answers: list[Answer] = []
        self.skipped: list[Skipped] = []

    def hand_out(self, session: Session, sample_id: str) -> None:
        """Hand one sample out."""
        original = original_revision(session, sample_id, self.kind)
        if original.sample.query is None:
            self.skipped.append(Skipped(sample_id=sample_id, user=None, reason="it has no question"))
            return
        reasons = who_knows(session, sample_id, self.store.clock())
        able = [name for name in self.names if name not in reasons]
        lots = {name: (self.busy.get(name, 0), self.random.random()) for name in able}
        chosen = sorted(sorted(able, key=lots.__getitem__)[: self.each], key=self.names.index)
        for name in chosen:
            answer = hand_out_one(session, self.store, original, name, self.kind, self.by)
            assign_one(session, self.store, answer.sample_id, name, self.by)
            self.busy[name] = self.busy.get(name, 0) + 1
            self.answers.append(answer)
        if self.each is None or len(chosen) < self.each:
            told = [name for name in self.names if name in reasons]
            self.skipped += [Skipped(sample_id=sample_id, user=name, reason=reasons[name]) for name in told]


def original_revision(session: Session, sample_id: str, kind: AnswerKind) -> Revision:
    """Return what is handed out: a sample's newest revision, or the one that is gold.

    Raises ``NotFound``, and ``InvalidRecord`` when the sample is an answer, or is not gold.
    """
    row = ordinary_sample(session, sample_id)
    key = row.head
    if kind == "gold":
        gold = session.get(GoldRow, sample_id)
        if gold is None:
            raise InvalidRecord(f"sample {sample_id} is not gold: mark it before it is handed out as such")
        key = gold.revision_id
    found = session.get(RevisionRow, key)
    if found is None:
        raise CorruptStore(f"sample {sample_id} points to revision {key}, which is not there")
    return revision_of(found)


def who_knows(session: Session, sample_id: str, at: datetime) -> dict[str, str]:
    """Return who cannot answer a sample blindly, and why."""
    found: dict[str, str] = {}
    lease = session.get(LeaseRow, sample_id)
    if lease is not None and lease.expires_at > stamp(at):
        found[lease.holder] = "is at it now"
    assignment = session.get(AssignmentRow, sample_id)
    if assignment is not None:
        found[assignment.user] = "is to work on it"
    worked = select(AuditRow.actor).where(AuditRow.subject == sample_id, AuditRow.action.in_(WORK)).distinct()
    found |= dict.fromkeys(session.scalars(worked), "has worked on it")
    answered = select(AnswerRow.user).where(AnswerRow.original_id == sample_id)
    return found | dict.fromkeys(session.scalars(answered), "was given it before")


def hand_out_one(session: Session, store: Store, original: Revision, user: str, kind: AnswerKind, by: str) -> Answer:
    """Add a blind answer to a sample for somebody, without assigning it."""
    at = store.clock()
    entry = session.info["audit"][0] if "audit" in session.info else session.scalar(select(func.max(AuditRow.number)))
    sample = Sample.start(
        original.sample.image_id,
        original.sample.size,
        source="annotation",
        source_record=uuid.uuid4().hex,
        query=original.sample.query,
    )
    first = session.scalars(
        select(RevisionRow).where(RevisionRow.sample_id == original.sample.id, RevisionRow.number == 1)
    ).one()
    made = datetime.fromisoformat(first.created_at)
    revision = Revision.make(sample, number=1, parent=None, author=first.author, created_at=made)
    add_sample_rows(session, [revision])
    keys = {"original_id": original.sample.id, "original_revision": original.id, "user": user, "kind": kind, "by": by}
    answer = Answer.parse({"sample_id": sample.id, **keys, "at": at})
    session.add(AnswerRow(sample_id=sample.id, **keys, at=stamp(at), entry=entry or 0))
    audit.append(session, at, by, "add_sample", sample.id, revision=revision.id, state=State.DRAFT.value)
    audit.append(session, at, by, "hand_out", sample.id, answer=answer.content_hash(), user=user, kind=kind)
    return answer


def answer_of(row: AnswerRow) -> Answer:
    """Return the record of a row."""
    return Answer.parse({name: getattr(row, name) for name in Answer.model_fields})


def _row(session: Session, sample_id: str) -> AnswerRow:
    row = session.get(AnswerRow, sample_id)
    if row is None:
        raise NotFound("answer", sample_id)
    return row
