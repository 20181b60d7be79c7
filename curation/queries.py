"""Questions about the samples: filters, pages, neighbours and counts."""

from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple

from pydantic import Field
from sqlalchemy import ColumnElement, Select, case, func, or_, select
from sqlalchemy.orm import Session, aliased

from whyseg.curation.ordering import Order as Order
from whyseg.curation.ordering import is_proposed, sorted_by
from whyseg.curation.searching import Found, holding
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
        found.append(SampleRow.added.in_(holding(session, wanted.text)))
    if wanted.assigned:
        found.append(SampleRow.id.in_(select(AssignmentRow.sample_id).where(AssignmentRow.user == wanted.assigned)))
    elif wanted.assigned is not None:
        found.append(SampleRow.added.not_in(_numbers(select(AssignmentRow.sample_id))))
    if wanted.proposed is not None:
        found.append(is_proposed() if wanted.proposed else ~is_proposed())
    return found


def seen(viewer: Viewer | None) -> list[ColumnElement[bool]]:
    """Return as conditions that a viewer's lists hold a sample."""
    return _not_among(SampleRow.added, viewer)


def _not_among(number: Any, viewer: Viewer | None) -> list[ColumnElement[bool]]:
    return [number.not_in(_numbers(ids)) for ids in hidden(viewer)]


def _numbers(ids: Any) -> Select[int]:
    """Return the numbers of a few samples: what is compared with them need not read whole rows."""
    other = aliased(SampleRow)
    return select(other.added).where(other.id.in_(ids))


def page(session: Session, wanted: SampleFilter, order: Order, offset: int, limit: int) -> Page:
    """Return a page of the samples that match, in an order of `ordering.sorted_by`."""
    where = conditions(session, wanted)
    total = _matching(session, wanted, where) - _count_among(session, hidden(wanted.viewer), *where)
    if offset >= total:
        return Page(total=total, samples=())
    if order == "added" and (found := _found_alone(session, wanted)) is not None:
        # A search gives its samples in the order of adding, and only as many as are asked for.
        number = found.subquery().c[0]
        chosen = select(number).where(*_not_among(number, wanted.viewer)).order_by(number)
    else:
        if order != "added" and (offset + limit) * _last(session) < total * total:
            # So many match that the page is met sooner by walking along the order than by sorting them.
            where = _unindexed(where)
        chosen = sorted_by(select(SampleRow.added).where(*where, *seen(wanted.viewer)), order)
    numbers = list(session.scalars(chosen.offset(offset).limit(limit)))
    asked = select(SampleRow, ImageRow.file_name).join(ImageRow, ImageRow.id == SampleRow.image_id)
    rows = {row.added: (row, name) for row, name in session.execute(asked.where(SampleRow.added.in_(numbers)))}
    return Page(total=total, samples=tuple(_summary(*rows[number]) for number in numbers))


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
        total=_last(session) - _count_among(session, gone),
    )


def _last(session: Session) -> int:
    return session.scalar(select(func.max(SampleRow.added))) or 0


def _matching(session: Session, wanted: SampleFilter, where: Sequence[ColumnElement[bool]]) -> int:
    """Count the samples that match, whoever looks."""
    found = _found_alone(session, wanted)
    if found is None:
        return _count(session, *where)
    return session.scalar(select(func.count()).select_from(found.subquery())) or 0


def _found_alone(session: Session, wanted: SampleFilter) -> Found | None:
    """Return what a text finds, where nothing else is asked of samples."""
    if not wanted.text or wanted != SampleFilter(text=wanted.text, viewer=wanted.viewer):
        return None
    return holding(session, wanted.text)


def _count(session: Session, *where: ColumnElement[bool]) -> int:
    return session.scalar(select(func.count()).select_from(SampleRow).where(*where)) or 0


def _count_among(session: Session, ids: Sequence[Any], *where: ColumnElement[bool]) -> int:
    """Count those of a few samples that match: each is looked up by its id, whatever indices the conditions have."""
    return _count(session, or_(*(SampleRow.id.in_(some) for some in ids)), *_unindexed(where))


def _unindexed(where: Sequence[ColumnElement[bool]]) -> list[ColumnElement[bool]]:
    return [case((condition, 1), else_=0) == 1 for condition in where]


def stats(session: Session, revisions: int) -> Stats:
    """Count everything but blind answers; of the samples, all in one pass through an index."""
    counted = _counted(session)
    among = select(func.count()).select_from(RevisionRow).where(RevisionRow.sample_id.in_(hidden_answers(None)))
    return Stats(
        images=session.scalar(select(func.count()).select_from(ImageRow)) or 0,
        samples=sum(one.samples for one in counted),
        revisions=revisions - (session.scalar(among) or 0),
        instances=sum(one.instances for one in counted),
        no_target=sum(one.samples for one in counted if one.no_target),
        releases=session.scalar(select(func.count()).select_from(ReleaseRow)) or 0,
        states={state.value: sum(one.samples for one in counted if one.state == state) for state in State},
        matrix=_matrix(counted),
        accepted=_matrix([one for one in counted if one.state == State.ACCEPTED]),
    )


class _Counted(NamedTuple):
    """How many samples are alike in some ways, and how many objects they have."""

    state: str
    reasoning_type: str | None
    depth: int | None
    no_target: bool
    samples: int
    instances: int


def _matrix(counted: Sequence[_Counted]) -> dict[str, dict[str, int]]:
    matrix: dict[str, dict[str, int]] = {}
    for one in counted:
        row = matrix.setdefault(one.reasoning_type or "none", {})
        depth = str(one.depth or "none")
        row[depth] = row.get(depth, 0) + one.samples
    return matrix


def _counted(session: Session) -> list[_Counted]:
    """Count the samples that are alike; the blind answers are counted by themselves and taken off."""
    by = SampleRow.state, SampleRow.reasoning_type, SampleRow.depth, SampleRow.no_target
    asked = select(*by, func.count(), func.sum(SampleRow.instances)).group_by(*by)
    answers = asked.where(SampleRow.id.in_(hidden_answers(None)))
    theirs = {tuple(row[:4]): row[4:] for row in session.execute(answers)}
    found = []
    for row in session.execute(asked):
        samples, instances = theirs.get(tuple(row[:4]), (0, 0))
        found.append(_Counted(*row[:4], row[4] - samples, row[5] - instances))
    return [one for one in found if one.samples]
