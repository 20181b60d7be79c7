"""The orders in which samples are listed: by time, by what the checks found, by what a model's answers say."""

from typing import Literal

from sqlalchemy import ColumnElement, Select

from whyseg.curation.tables import SampleRow

Order = Literal[
    "added", "updated", "proposed", "findings", "unsolved", "disagreeing", "ambiguous", "boundary", "easiest"
]


def sorted_by(chosen: Select[int], order: Order) -> Select[int]:
    """Return a selection of samples in an order; what the order says nothing of comes last, as it was added.

    ``updated``: the last changed first. ``proposed``: by the surest proposal that is open. ``findings``: by the worst
    open finding, then their number. The others begin with the lowest ``best_iou`` (unsolved), ``vote_iou``
    (disagreeing) or ``reprompted_iou`` (boundary), or the highest ``entropy`` (ambiguous) or ``mean_iou`` (easiest), of
    the newest run that scored the sample as it stands.
    """
    if order == "added":
        return chosen.order_by(SampleRow.added)
    if order == "updated":
        return chosen.order_by(SampleRow.updated_at.desc(), SampleRow.added.desc())
    return chosen.order_by(getattr(SampleRow, order).nulls_last(), SampleRow.added)


def is_proposed() -> ColumnElement[bool]:
    """Return as a condition that a proposal about the sample as it stands waits for a decision."""
    return SampleRow.proposed.is_not(None)
