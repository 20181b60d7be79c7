"""What samples are sorted by, as columns of their own: derived from signals and proposals, and kept with them.

A rank is what an order begins with, the lowest first; None comes last. It speaks of a sample as it stands: another
revision takes the ranks away. What the findings make of it is kept in `findings`, and stays until they are settled.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from whyseg.curation.findings import finding_ranks
from whyseg.curation.tables import ProposalRow, SampleRow, ScoreRunRow, SignalsRow

# What each order of signals begins with: a figure, and whether the largest come first.
FIGURES = {
    "unsolved": ("best_iou", False),
    "disagreeing": ("vote_iou", False),
    "ambiguous": ("entropy", True),
    "boundary": ("reprompted_iou", False),
    "easiest": ("mean_iou", True),
}
RANKS = (*FIGURES, "proposed")
_TOGETHER = 500  # samples that one question names

Ranks = dict[str, float | None]


def rank(session: Session, sample_ids: Sequence[str]) -> None:
    """Write the ranks of some samples as their signals and proposals say; what the session holds goes out first."""
    session.flush()
    for start in range(0, len(sample_ids), _TOGETHER):
        found = derived(session, sample_ids[start : start + _TOGETHER])
        session.execute(update(SampleRow), [{"id": key, **ranks} for key, ranks in found.items()])


def unranked() -> Ranks:
    """Return the ranks of a sample of which nothing is known."""
    return dict.fromkeys(RANKS)


def derived(session: Session, sample_ids: Sequence[str]) -> dict[str, Ranks]:
    """Return the ranks of a few samples, by the newest run that scored them as they stand and their open proposals."""
    found = {key: unranked() for key in sample_ids}
    for row in session.execute(_newest_last(sample_ids)):
        for name, (figure, largest) in FIGURES.items():
            value = getattr(row, figure)
            found[row.sample_id][name] = -value if largest and value is not None else value
    for key, score in session.execute(_surest(sample_ids)):
        found[key]["proposed"] = -score
    return found


def rank_problems(session: Session) -> Iterator[tuple[str, str]]:
    """Yield which samples are sorted by something else than what is known of them, as (what, message)."""
    names = (*RANKS, "findings")
    columns = [getattr(SampleRow, name) for name in names]
    rows = session.execute(select(SampleRow.id, *columns).order_by(SampleRow.added)).all()
    for start in range(0, len(rows), _TOGETHER):
        some = {row.id: row._asdict() for row in rows[start : start + _TOGETHER]}
        findings = finding_ranks(session, list(some))
        for key, ranks in derived(session, list(some)).items():
            expected = {**ranks, "findings": findings[key]}
            differing = [name for name in names if some[key][name] != expected[name]]
            if differing:
                yield f"sample {key}", f"is not sorted by what is known of it: {', '.join(differing)}"


def _newest_last(sample_ids: Sequence[str]) -> Any:
    current = (SampleRow.id == SignalsRow.sample_id) & (SampleRow.head == SignalsRow.revision_id)
    figures = [getattr(SignalsRow, figure) for figure, _ in FIGURES.values()]
    asked = select(SignalsRow.sample_id, *figures).join(ScoreRunRow, ScoreRunRow.id == SignalsRow.run)
    asked = asked.join(SampleRow, current).where(SignalsRow.sample_id.in_(sample_ids))
    return asked.order_by(ScoreRunRow.created_at, ScoreRunRow.id.desc())


def _surest(sample_ids: Sequence[str]) -> Any:
    current = (SampleRow.id == ProposalRow.sample_id) & (SampleRow.head == ProposalRow.revision_id)
    asked = select(ProposalRow.sample_id, func.max(ProposalRow.score)).join(SampleRow, current)
    where = ProposalRow.decision.is_(None), ProposalRow.sample_id.in_(sample_ids)
    return asked.where(*where).group_by(ProposalRow.sample_id)
