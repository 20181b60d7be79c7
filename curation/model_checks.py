"""What `verify` asks of score runs, signals and proposals: that they are whole, and decided as the audit log says."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from whyseg.curation.proposals import identity, proposal_of, vouched
from whyseg.curation.tables import ProposalRow, RevisionRow, ScoreRunRow, SignalsRow
from whyseg.schemas import Proposal, ScoreRun, Signals

_PROPOSAL = ("id", "sample_id", "revision_id", "score")
_SIGNALS = (
    "run", "sample_id", "revision_id", "mean_iou", "best_iou", "pass_rate", "agreement", "entropy", "vote_iou",
    "reprompted_iou",
)  # fmt: skip


def proposal_problems(session: Session, logged: set[str]) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with the proposals, as (what, message); takes decisions from what the log vouches for."""
    asked = select(ProposalRow, RevisionRow.sample_id).outerjoin(RevisionRow, RevisionRow.id == ProposalRow.revision_id)
    for row, owner in session.execute(asked.order_by(ProposalRow.id).execution_options(yield_per=200)):
        what = f"proposal {row.id}"
        try:
            proposal = Proposal.parse(row.body)
            decided = proposal_of(row, row.revision_id)
        except ValueError as error:
            yield what, f"cannot be read: {error}"
            continue
        if identity(proposal) != row.id:
            yield what, "was changed: its id does not follow from it"
        if _differs(row, proposal, _PROPOSAL) or row.reason != proposal.reason.value:
            yield what, "its list entry differs from it"
        if owner != row.sample_id:
            yield what, f"names revision {row.revision_id}, which is none of sample {row.sample_id}"
        if decided.decision is None:
            continue
        if row.made != decided.decision.revision_id or (row.made and session.get(RevisionRow, row.made) is None):
            yield what, f"names revision {row.made} as what it made, which is not so"
        key = vouched(decided)
        if key not in logged:
            yield what, "its decision is not the one in the audit log"
        logged.discard(key)


def signal_problems(session: Session) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with score runs and their signals, as (what, message)."""
    for run in session.scalars(select(ScoreRunRow).order_by(ScoreRunRow.id)):
        try:
            if ScoreRun.parse(run.body).id != run.id:
                yield f"score run {run.id}", "its list entry differs from it"
        except ValueError as error:
            yield f"score run {run.id}", f"cannot be read: {error}"
    asked = select(SignalsRow, RevisionRow.sample_id).outerjoin(RevisionRow, RevisionRow.id == SignalsRow.revision_id)
    ordered = asked.order_by(SignalsRow.run, SignalsRow.sample_id).execution_options(yield_per=200)
    for row, owner in session.execute(ordered):
        what = f"signals of sample {row.sample_id} in run {row.run}"
        try:
            signals = Signals.parse(row.body)
        except ValueError as error:
            yield what, f"cannot be read: {error}"
            continue
        if _differs(row, signals, _SIGNALS):
            yield what, "their list entry differs from them"
        if owner != row.sample_id:
            yield what, f"name revision {row.revision_id}, which is none of that sample"


def _differs(row: Any, record: Any, names: tuple[str, ...]) -> bool:
    return any(getattr(row, name) != getattr(record, name) for name in names)
