"""Questions about the samples: filters, pages, neighbours and counts."""

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import Field
from sqlalchemy import ColumnElement, case, func, or_, select
from sqlalchemy.orm import Session

from whyseg.curation.ordering import Order as Order
from whyseg.curation.ordering import is_proposed, sorted_by
from whyseg.curation.tables import AnswerRow, AssignmentRow, ImageRow, ReleaseRow, RevisionRow, SampleRow
from whyseg.curation.visibility import Viewer, hidden, hidden_answers, open_originals
from whyseg.schemas.errors import NotFound
from whyseg.schemas.record import Record, Utc
from whyseg.schemas.revision import State
from whyseg.schemas.sample import MAX_DEPTH, ReasoningType


class SampleFilter(Record):
    """Which samples; what is None does not restrict. ``text`` is looked for in question and file name, in any case.

    ``assigned``: to whom; "" for those that are assigned to nobody. ``proposed``: whether a change to them waits for a
    decision. ``viewer``: who looks, see `visibility`.
    """

    state: State | None = None
    reasoning_type: ReasoningType | None = None
    depth: Annotated[int, Field(ge=1, le=MAX_DEPTH)] | None = None
    no_target: bool | None = None
    image_id: str | None = None
    text: str | None = None
    assigned: str | None = None
    proposed: bool | None = None
    viewer: Viewer | None = None


class SampleSummary(Record):
    """A sample as lists show it."""

    id: str
    image_id: str
    state: State
    number: int
    query: str | None
    reasoning_type: ReasoningType | None
    depth: int | None
    instances: int
    no_target: bool
    file_name: str
    updated_at: Utc


class Page(Record):
    """Some of the samples that match, and how many match."""

    total: int
    samples: tuple[SampleSummary, ...]


class Place(Record):
    """Where a sample stands in the order of adding: its neighbours' ids, and position 1 … total."""

    previous: str | None
    next: str | None
    position: int
    total: int


class Stats(Record):
    """Counts over the whole workspace.

    ``matrix[type][depth]`` counts samples, ``accepted[type][depth]`` those that are accepted; "none" stands for what is
    not set.
    """

    images: int
    samples: int
    revisions: int
    instances: int
    no_target: int
    releases: int
    states: dict[str, int]
    matrix: dict[str, dict[str, int]]
    accepted: dict[str, dict[str, int]]


def conditions(session: Session, wanted: SampleFilter) -> list[ColumnElement[bool]]:
    """Return a filter as conditions on the samples' table."""
    found: list[ColumnElement[bool]] = []
    for name in ("state", "reasoning_type", "depth", "no_target", "image_id"):
        value = getattr(wanted, name)
        if value is not None:
            found.append(getattr(SampleRow, name) == value)
    if wanted.text:
        # SQLite's LIKE ignores the case of ASCII by itself, at a tenth of the price of comparing lower(…).
        plain = wanted.text.isascii() and session.get_bind().dialect.name == "sqlite"
        query, name = (
            getattr(column, "contains" if plain else "icontains")(wanted.text, autoescape=True)
            for column in (SampleRow.query, ImageRow.file_name)
        )
        found.append(query | SampleRow.image_id.in_(select(ImageRow.id).where(name)))
    if wanted.assigned:
        found.append(SampleRow.id.in_(select(AssignmentRow.sample_id).where(AssignmentRow.user == wanted.assigned)))
    elif wanted.assigned is not None:
        found.append(SampleRow.id.not_in(select(AssignmentRow.sample_id)))
    if wanted.proposed is not None:
        found.append(is_proposed() if wanted.proposed else ~is_proposed())
    return found


def seen(viewer: Viewer | None) -> list[ColumnElement[bool]]:
    """Return as conditions that a viewer's lists hold a sample."""
    return [SampleRow.id.not_in(ids) for ids in hidden(viewer)]


def page(session: Session, wanted: SampleFilter, order: Order, offset: int, limit: int) -> Page:
    """Return a page of the samples that match, in an order of `ordering.sorted_by`."""
    where = conditions(session, wanted)
    chosen = select(SampleRow.id).where(*where, *seen(wanted.viewer))
    ids = list(session.scalars(sorted_by(chosen, order).offset(offset).limit(limit)))
    found = select(SampleRow, ImageRow.file_name).join(ImageRow, ImageRow.id == SampleRow.image_id)
    rows = {row.id: (row, name) for row, name in session.execute(found.where(SampleRow.id.in_(ids)))}
    total = _count(session, *where) - _count_among(session, hidden(wanted.viewer), *where)
    return Page(total=total, samples=tuple(_summary(*rows[key]) for key in ids))


def _summary(row: SampleRow, file_name: str) -> SampleSummary:
    values = {name: getattr(row, name) for name in SampleSummary.model_fields if name != "file_name"}
    return SampleSummary.model_validate({**values, "file_name": file_name})


def place(session: Session, sample_id: str, viewer: Viewer | None = None) -> Place:
    """Return where a sample stands.

    An answer that is still open stands where its original does, which its user does not see meanwhile: nothing tells
    it from other samples. Raises ``NotFound`` for an unknown sample.
    """
    row = session.get(SampleRow, sample_id)
    if row is None:
        raise NotFound("sample", sample_id)
    standing: dict[str, str] = {}  # original → answer
    if viewer:
        pairs = open_originals(viewer).add_columns(AnswerRow.sample_id)
        standing = {original: answer for original, answer in session.execute(pairs)}
    own = next((original for original, answer in standing.items() if answer == sample_id), None)
    here = session.get_one(SampleRow, own).added if own else row.added
    gone: list[Any] = [hidden_answers(viewer), list(standing.values())]
    before, after = SampleRow.added < here, SampleRow.added > here
    ids = select(SampleRow.id).where(*(SampleRow.id.not_in(some) for some in gone)).limit(1)
    previous = session.scalar(ids.where(before).order_by(SampleRow.added.desc()))
    following = session.scalar(ids.where(after).order_by(SampleRow.added))
    return Place(
        previous=previous and standing.get(previous, previous),
        next=following and standing.get(following, following),
        position=here - _count_among(session, gone, before),  # numbered without gaps, and never deleted
        total=(session.scalar(select(func.max(SampleRow.added))) or 0) - _count_among(session, gone),
    )


def _count(session: Session, *where: ColumnElement[bool]) -> int:
    return session.scalar(select(func.count()).select_from(SampleRow).where(*where)) or 0


def _count_among(session: Session, ids: Sequence[Any], *where: ColumnElement[bool]) -> int:
    """Count those of a few samples that match: each is looked up by its id, whatever indices the conditions have."""
    return _count(session, or_(*(SampleRow.id.in_(some) for some in ids)), *_unindexed(where))


def _unindexed(where: Sequence[ColumnElement[bool]]) -> list[ColumnElement[bool]]:
    return [case((condition, 1), else_=0) == 1 for condition in where]


def stats(session: Session, revisions: int) -> Stats:
    """Count everything but blind answers, in a few grouped queries."""
    states = {state: count for state, count in _counted(session, SampleRow.state)}
    answers = SampleRow.id.in_(hidden_answers(None))
    instances, theirs = (
        session.scalar(select(func.sum(SampleRow.instances)).where(*where)) or 0 for where in ([], [answers])
    )
    no_target = SampleRow.no_target.is_(True)
    among = select(func.count()).select_from(RevisionRow).where(RevisionRow.sample_id.in_(hidden_answers(None)))
    return Stats(
        images=session.scalar(select(func.count()).select_from(ImageRow)) or 0,
        samples=sum(states.values()),
        revisions=revisions - (session.scalar(among) or 0),
        instances=instances - theirs,
        no_target=_count(session, no_target) - _count_among(session, [hidden_answers(None)], no_target),
        releases=session.scalar(select(func.count()).select_from(ReleaseRow)) or 0,
        states={state.value: states.get(state.value, 0) for state in State},
        matrix=_matrix(session),
        accepted=_matrix(session, SampleRow.state == State.ACCEPTED.value),
    )


def _matrix(session: Session, *where: ColumnElement[bool]) -> dict[str, dict[str, int]]:
    matrix: dict[str, dict[str, int]] = {}
    for kind, depth, count in _counted(session, SampleRow.reasoning_type, SampleRow.depth, where=where):
        matrix.setdefault(kind or "none", {})[str(depth or "none")] = count
    return matrix


def _counted(session: Session, *by: Any, where: Sequence[ColumnElement[bool]] = ()) -> list[Any]:
    """Count samples by some columns; the blind answers are counted by themselves and taken off."""
    counts = {
        tuple(row[:-1]): row[-1] for row in session.execute(select(*by, func.count()).where(*where).group_by(*by))
    }
    among = select(*by, func.count()).where(SampleRow.id.in_(hidden_answers(None)), *_unindexed(where)).group_by(*by)
    for row in session.execute(among):
        counts[tuple(row[:-1])] -= row[-1]
    return [(*key, count) for key, count in counts.items() if count]
