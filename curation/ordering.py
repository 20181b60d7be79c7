"""The orders in which samples are listed: by time, by what the checks found, by what a model's answers say."""

from typing import Literal

from sqlalchemy import ColumnElement, Select, case, func, select

from whyseg.curation.findings import holds
from whyseg.curation.tables import FindingRow, SampleRow, SetAsideRow

Order = Literal[
    "added", "updated", "proposed", "findings", "unsolved", "disagreeing", "ambiguous", "boundary", "easiest"
]
_RANK = {"error": 0, "warning": 1, "info": 2}


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
    if order == "findings":
        return _by_findings(chosen)
    return chosen.order_by(getattr(SampleRow, order).nulls_last(), SampleRow.added)


def is_proposed() -> ColumnElement[bool]:
    """Return as a condition that a proposal about the sample as it stands waits for a decision."""
    return SampleRow.proposed.is_not(None)


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
