"""The orders in which samples are listed: by time, by what the checks found, by what a model's answers say."""

from typing import Any, Literal

from sqlalchemy import ColumnElement, Select, case, func, select

from whyseg.curation.findings import holds
from whyseg.curation.tables import FindingRow, ProposalRow, SampleRow, ScoreRunRow, SetAsideRow, SignalsRow

Order = Literal[
    "added", "updated", "proposed", "findings", "unsolved", "disagreeing", "ambiguous", "boundary", "easiest"
]
_RANK = {"error": 0, "warning": 1, "info": 2}
# What each order of signals begins with: a figure, and whether the largest come first.
_FIGURES = {
    "unsolved": ("best_iou", False),
    "disagreeing": ("vote_iou", False),
    "ambiguous": ("entropy", True),
    "boundary": ("reprompted_iou", False),
    "easiest": ("mean_iou", True),
}


def sorted_by(chosen: Select[str], order: Order) -> Select[str]:
    """Return a selection of samples' ids in an order; what the order says nothing of comes last, as it was added.

    ``updated``: the last changed first. ``proposed``: by the surest proposal that is open. ``findings``: by the worst
    open finding, then their number. The others begin with the lowest ``best_iou`` (unsolved), ``vote_iou``
    (disagreeing) or ``reprompted_iou`` (boundary), or the highest ``entropy`` (ambiguous) or ``mean_iou`` (easiest), of
    the newest run that scored the sample as it stands.
    """
    if order == "added":
        return chosen.order_by(SampleRow.added)
    if order == "updated":
        return chosen.order_by(SampleRow.updated_at.desc())
    if order == "proposed":
        best = select(func.max(ProposalRow.score)).where(_open_proposal()).correlate(SampleRow).scalar_subquery()
        return chosen.order_by(best.desc().nulls_last(), SampleRow.added)
    if order == "findings":
        return _by_findings(chosen)
    name, largest = _FIGURES[order]
    figure = _newest(name)
    return chosen.order_by((figure.desc() if largest else figure).nulls_last(), SampleRow.added)


def is_proposed() -> ColumnElement[bool]:
    """Return as a condition that a proposal about the sample as it stands waits for a decision."""
    return select(ProposalRow.id).where(_open_proposal()).correlate(SampleRow).exists()


def _open_proposal() -> ColumnElement[bool]:
    current = (ProposalRow.sample_id == SampleRow.id) & (ProposalRow.revision_id == SampleRow.head)
    return current & ProposalRow.decision.is_(None)


def _by_findings(chosen: Select[str]) -> Select[str]:
    aside = select(SetAsideRow.at).where(holds()).correlate(FindingRow).exists()
    rank = case(_RANK, value=FindingRow.severity, else_=len(_RANK))
    found = (
        select(FindingRow.sample_id, func.min(rank).label("worst"), func.count().label("number"))
        .where(FindingRow.gone_at.is_(None), FindingRow.sample_id.is_not(None), ~aside)
        .group_by(FindingRow.sample_id)
        .subquery()
    )
    joined = chosen.outerjoin(found, found.c.sample_id == SampleRow.id)
    return joined.order_by(found.c.worst.nulls_last(), found.c.number.desc().nulls_last(), SampleRow.added)


def _newest(name: str) -> Any:
    """Return a figure of the newest run that scored a sample's newest revision, looked up sample by sample."""
    return (
        select(getattr(SignalsRow, name))
        .join(ScoreRunRow, ScoreRunRow.id == SignalsRow.run)
        .where(SignalsRow.sample_id == SampleRow.id, SignalsRow.revision_id == SampleRow.head)
        .order_by(ScoreRunRow.created_at.desc(), ScoreRunRow.id)
        .limit(1)
        .correlate(SampleRow)
        .scalar_subquery()
    )
