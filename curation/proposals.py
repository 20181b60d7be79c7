"""Proposals in the database: changes to samples that a model run proposes and a person accepts or dismisses."""

import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.orm import Session

from whyseg.curation import audit, transitions
from whyseg.curation.findings import settle_findings
from whyseg.curation.queries import seen
from whyseg.curation.rankings import rank
from whyseg.curation.rows import revision_of
from whyseg.curation.signals import MODEL_FINDINGS
from whyseg.curation.store import Store
from whyseg.curation.tables import ProposalRow, RevisionRow, SampleRow
from whyseg.curation.times import stamp
from whyseg.curation.visibility import Viewer, answer_row
from whyseg.schemas import Decision, Head, Instance, Proposal, Query, Revision, RevisionReason, Sample, union
from whyseg.schemas.canonical import content_hash
from whyseg.schemas.errors import IllegalTransition, NotFound, StaleParent
from whyseg.schemas.record import Record
from whyseg.schemas.revision import Comment, Reason, Review, State

ProposalState = Literal["open", "accepted", "dismissed", "stale"]
SAME = 0.9  # the IoU of targets from which two proposals draw the same: sampled again, masks differ by some pixels
_TOGETHER = 200  # proposals that are written in one transaction: others write in between
_ACCEPTED = ProposalRow.decision.startswith('{"accepted":true')  # a record's JSON has its fields in their order
_RANKED = (ProposalRow.score.desc(), ProposalRow.id)


def propose(
    revision: Revision,
    reason: RevisionReason,
    says: str,
    *,
    instances: Sequence[Instance] | None = None,
    query: Query | None = None,
    made_by: str,
    score: float,
    at: datetime,
) -> Proposal:
    """Return a proposal to change a revision; its id follows from what is proposed, whoever proposes it and when.

    Raises ``InvalidRecord`` when it proposes nothing, or to drop the sample and something else.
    """
    drawn = None if instances is None else tuple(instances)
    known = {"sample_id": revision.sample.id, "revision_id": revision.id, "reason": reason, "says": says}
    made = Proposal.parse(
        {"id": "", **known, "instances": drawn, "query": query, "made_by": made_by, "score": score, "created_at": at}
    )
    return made.model_copy(update={"id": identity(made)})


def identity(proposal: Proposal) -> str:
    """Return the id that a proposal must have: 24 hexadecimal characters of the hash of what it proposes."""
    proposed: dict[str, Any] = {
        "sample_id": proposal.sample_id,
        "revision_id": proposal.revision_id,
        "reason": proposal.reason.value,
        "instances": None if proposal.instances is None else [_plain(one) for one in proposal.instances],
        "query": None if proposal.query is None else _plain(proposal.query),
    }
    return content_hash(proposed).removeprefix("sha256:")[:24]


def proposed_sample(before: Sample, proposal: Proposal) -> Sample:
    """Return what a sample becomes by a proposal: as it is but for what is proposed, and itself for a dropped one.

    Raises ``InvalidRecord`` when no sample can hold that.
    """
    changes: dict[str, Any] = {}
    if proposal.instances is not None:
        changes = {"instances": proposal.instances, "no_target": not proposal.instances}
    if proposal.query is not None:
        changes["query"] = proposal.query
    return Sample.parse({**dict(before), **changes})


class ProposalPage(Record):
    """Some of the proposals that match, best score first, and how many match.

    ``reasons`` counts those of each reason, as if no reason had been asked for.
    """

    total: int
    reasons: dict[str, int]
    proposals: tuple[Proposal, ...]


class Proposals:
    """The proposals about a store's samples; what was decided stays decided."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def add(self, proposals: Iterable[Proposal]) -> int:
        """Keep proposals; return how many are new. Known ones stay as they are, decided ones decided.

        One that says nearly the same as a known one, see `alike`, is not new. Raises ``NotFound`` for a revision that
        its sample does not have, ``InvalidRecord`` for a change that the sample cannot hold.
        """
        wanted = list({proposal.id: proposal for proposal in proposals}.values())
        new = 0
        for start in range(0, len(wanted), _TOGETHER):
            some = wanted[start : start + _TOGETHER]
            with self.store.database.write() as session:
                asked = select(ProposalRow.id).where(ProposalRow.id.in_([one.id for one in some]))
                known = set(session.scalars(asked))
                for proposal in some:
                    if proposal.id not in known and not _said_before(session, proposal):
                        session.add(_new_row(session, proposal))
                        new += 1
                rank(session, list({one.sample_id for one in some if one.id not in known}))
        return new

    def get(self, proposal_id: str) -> Proposal:
        """Return a proposal; raises ``NotFound``."""
        with self.store.database.read() as session:
            row = _row(session, proposal_id)
            return proposal_of(row, session.get_one(SampleRow, row.sample_id).head)

    def of(self, sample_id: str) -> list[Proposal]:
        """Return the proposals about a sample, open ones first, the best score first; raises ``NotFound``."""
        with self.store.database.read() as session:
            sample = session.get(SampleRow, sample_id)
            if sample is None:
                raise NotFound("sample", sample_id)
            found = select(ProposalRow).where(ProposalRow.sample_id == sample_id).order_by(*_RANKED)
            proposals = [proposal_of(row, sample.head) for row in session.scalars(found)]
        return sorted(proposals, key=lambda proposal: proposal.state != "open")

    def page(
        self,
        *,
        state: ProposalState | None = "open",
        reason: RevisionReason | None = None,
        sample_id: str | None = None,
        viewer: Viewer | None = None,
        offset: int = 0,
        limit: int = 50,
    ) -> ProposalPage:
        """Return a page of the proposals of a state, or of all, as a viewer sees them; see `visibility`.

        ``sample_id``: those about that sample alone.
        """
        where = [*seen(viewer), *([_is(state)] if state else [])]
        where += [ProposalRow.sample_id == sample_id] if sample_id is not None else []
        only = [ProposalRow.reason == reason.value] if reason else []
        with self.store.database.read() as session:
            joined = select(ProposalRow.reason, func.count()).join(SampleRow, SampleRow.id == ProposalRow.sample_id)
            counts = {row[0]: row[1] for row in session.execute(joined.where(*where).group_by(ProposalRow.reason))}
            asked = select(ProposalRow, SampleRow.head).join(SampleRow, SampleRow.id == ProposalRow.sample_id)
            found = asked.where(*where, *only).order_by(*_RANKED).offset(offset).limit(limit)
            proposals = tuple(proposal_of(row, head) for row, head in session.execute(found))
        reasons: dict[str, int] = {one.value: counts[one.value] for one in RevisionReason if one.value in counts}
        total = reasons.get(reason.value, 0) if reason else sum(reasons.values())
        return ProposalPage(total=total, reasons=reasons, proposals=proposals)

    def accept(self, proposal_id: str, *, author: str) -> Head:
        """Change the sample as proposed, all of it or nothing, and return how it stands then.

        An accepted sample is reopened for it. The changed one is handed in when it is complete, and a draft otherwise;
        a dropped one is rejected, with a comment, and what else is proposed for it is dismissed. The model's findings
        about it are gone. Accepted again, by whomever,
        it returns what was made the first time. Raises ``NotFound``, ``StaleParent`` when the sample was revised since,
        ``IllegalTransition`` when it was dismissed, or the sample is a blind answer.
        """
        with self.store.database.write() as session:
            at = self.store.clock()
            row = _row(session, proposal_id)
            sample, head = transitions.standing(session, row.sample_id)
            if row.decision is not None:
                return _decided_before(session, row, sample, head)
            if answer_row(session, row.sample_id) is not None:
                action = "change it as proposed: a blind answer is its user's own"
                raise IllegalTransition(row.sample_id, sample.state, action)
            if row.revision_id != head.id:
                raise StaleParent(row.sample_id, head.id, row.revision_id)
            proposal = Proposal.parse(row.body)
            if sample.state == State.ACCEPTED:
                why = f"a proposal was accepted: {proposal.says}"
                transitions.reopen(session, at, row.sample_id, author=author, reason=why)
            dropped = proposal.reason is RevisionReason.DROP
            made = (_drop if dropped else _change)(session, at, sample, head, proposal, author)
            made_id = made.revision.id if made.revision.id != head.id else None
            settle_findings(session, [], MODEL_FINDINGS, at, samples=[row.sample_id])
            _decide(session, row, Decision(accepted=True, by=author, at=at, revision_id=made_id))
            if dropped:
                for other in _open_beside(session, row):
                    _decide(session, other, Decision(accepted=False, by=author, at=at))
            return made

    def dismiss(self, proposal_id: str, *, author: str) -> Proposal:
        """Decide that a proposal is not followed; again it is the same, by whomever.

        Raises ``NotFound``, ``IllegalTransition`` when it was accepted.
        """
        with self.store.database.write() as session:
            row = _row(session, proposal_id)
            sample = session.get_one(SampleRow, row.sample_id)
            decision = _decision(row)
            if decision and decision.accepted:
                raise IllegalTransition(
                    row.sample_id, sample.state, f"dismiss proposal {row.id}: {decision.by} has accepted it"
                )
            if decision is None:
                _decide(session, row, Decision(accepted=False, by=author, at=self.store.clock()))
            return proposal_of(row, sample.head)


def proposal_of(row: ProposalRow, head: str) -> Proposal:
    """Return the record of a row; ``head``: the sample's newest revision."""
    decision = _decision(row)
    state: ProposalState = "open" if row.revision_id == head else "stale"
    if decision:
        state = "accepted" if decision.accepted else "dismissed"
    return Proposal.parse(row.body).model_copy(update={"decision": decision, "state": state})


def vouched(proposal: Proposal) -> str:
    """Return the hash by which the audit log vouches for a decided proposal."""
    return proposal.model_copy(update={"state": "open"}).content_hash()


def alike(one: Proposal, other: Proposal) -> bool:
    """Tell whether two proposals are one to a person: reason and question alike, the targets' IoU at least `SAME`."""
    if (one.revision_id, one.reason) != (other.revision_id, other.reason) or _text(one) != _text(other):
        return False
    if one.instances is None or other.instances is None:
        return one.instances is other.instances
    if len(one.instances) != len(other.instances) or not one.instances:
        return len(one.instances) == len(other.instances)
    size = one.instances[0].mask.size
    drawn, known = (union([each.mask for each in some.instances or ()], size) for some in (one, other))
    return drawn.iou(known) >= SAME


def _text(proposal: Proposal) -> str | None:
    return proposal.query.text if proposal.query else None


def _said_before(session: Session, proposal: Proposal) -> bool:
    about = ProposalRow.sample_id == proposal.sample_id, ProposalRow.revision_id == proposal.revision_id
    known = session.scalars(select(ProposalRow.body).where(*about, ProposalRow.reason == proposal.reason.value))
    return any(alike(proposal, Proposal.parse(body)) for body in known)


def _plain(record: Record) -> dict[str, Any]:
    return record.model_dump(mode="json", exclude_defaults=True)


def _new_row(session: Session, proposal: Proposal) -> ProposalRow:
    revision = session.get(RevisionRow, proposal.revision_id)
    if revision is None or revision.sample_id != proposal.sample_id:
        raise NotFound(f"revision of sample {proposal.sample_id}", proposal.revision_id)
    proposed_sample(revision_of(revision).sample, proposal)
    columns = {name: getattr(proposal, name) for name in ("id", "sample_id", "revision_id", "score")}
    body = proposal.model_dump_json(exclude={"decision", "state"})
    return ProposalRow(**columns, reason=proposal.reason.value, created_at=stamp(proposal.created_at), body=body)


def _is(state: ProposalState) -> ColumnElement[bool]:
    if state == "accepted":
        return _ACCEPTED
    if state == "dismissed":
        return and_(ProposalRow.decision.is_not(None), ~_ACCEPTED)
    newest = ProposalRow.revision_id == SampleRow.head
    return and_(ProposalRow.decision.is_(None), newest if state == "open" else ~newest)


def _row(session: Session, proposal_id: str) -> ProposalRow:
    row = session.get(ProposalRow, proposal_id)
    if row is None:
        raise NotFound("proposal", proposal_id)
    return row


def _decision(row: ProposalRow) -> Decision | None:
    return None if row.decision is None else Decision.parse(row.decision)


def _decided_before(session: Session, row: ProposalRow, sample: SampleRow, head: Revision) -> Head:
    decision = _decision(row)
    if decision is None or not decision.accepted:
        who = decision.by if decision else "somebody"
        raise IllegalTransition(row.sample_id, sample.state, f"accept proposal {row.id}: {who} has dismissed it")
    made = session.get_one(RevisionRow, decision.revision_id) if decision.revision_id else None
    return Head(revision=revision_of(made) if made else head, state=State(sample.state))


def _change(session: Session, at: datetime, sample: SampleRow, head: Revision, proposal: Proposal, author: str) -> Head:
    changed = proposed_sample(head.sample, proposal)
    edit = f"proposal:{proposal.id}"
    made = transitions.revise(session, at, sample.id, changed, parent=head.id, author=author, edit=edit)
    if changed.missing():
        return made
    return transitions.submit(session, at, sample.id, parent=made.revision.id, author=author)


def _drop(session: Session, at: datetime, sample: SampleRow, head: Revision, proposal: Proposal, author: str) -> Head:
    review = Review(
        id=uuid.uuid4().hex,
        sample_id=sample.id,
        revision_id=head.id,
        reviewer=author,
        decision="reject",
        reasons=(Reason.OTHER,),
        comments=(Comment(text=f"Dropped: {proposal.says}"),),
        created_at=at,
    )
    return transitions.decide(session, at, sample, head, review)


def _open_beside(session: Session, row: ProposalRow) -> list[ProposalRow]:
    """Return the proposals for the same revision that nobody has decided on."""
    same = ProposalRow.sample_id == row.sample_id, ProposalRow.revision_id == row.revision_id
    return list(session.scalars(select(ProposalRow).where(*same, ProposalRow.decision.is_(None))))


def _decide(session: Session, row: ProposalRow, decision: Decision) -> None:
    row.decision, row.made = decision.model_dump_json(), decision.revision_id
    rank(session, [row.sample_id])
    decided = Proposal.parse(row.body).model_copy(update={"decision": decision})
    detail = {"proposal": row.id, "reason": row.reason, "decision": vouched(decided)}
    action = "accept_proposal" if decision.accepted else "dismiss_proposal"
    audit.append(session, decision.at, decision.by, action, row.sample_id, **detail)
