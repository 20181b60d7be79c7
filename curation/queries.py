"""Questions about the samples: filters, pages, neighbours and counts."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from whyseg.curation.tables import ImageRow, ReleaseRow, SampleRow
from whyseg.schemas.errors import NotFound
from whyseg.schemas.record import Record, Utc
from whyseg.schemas.revision import State
from whyseg.schemas.sample import MAX_DEPTH, ReasoningType

Order = Literal["added", "updated"]


class SampleFilter(Record):
    """Which samples; what is None does not restrict. ``text`` is looked for in question and file name, in any case."""

    state: State | None = None
    reasoning_type: ReasoningType | None = None
    depth: Annotated[int, Field(ge=1, le=MAX_DEPTH)] | None = None
    no_target: bool | None = None
    image_id: str | None = None
    text: str | None = None


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
    return found


def page(session: Session, wanted: SampleFilter, order: Order, offset: int, limit: int) -> Page:
    """Return a page of the samples that match: in the order of adding, or the last changed first."""
    where = conditions(session, wanted)
    by = SampleRow.added if order == "added" else SampleRow.updated_at.desc()
    rows = session.execute(
        select(SampleRow, ImageRow.file_name)
        .join(ImageRow, ImageRow.id == SampleRow.image_id)
        .where(*where)
        .order_by(by)
        .offset(offset)
        .limit(limit)
    )
    total = session.scalar(select(func.count()).select_from(SampleRow).where(*where)) or 0
    return Page(total=total, samples=tuple(_summary(row, file_name) for row, file_name in rows))


def _summary(row: SampleRow, file_name: str) -> SampleSummary:
    values = {name: getattr(row, name) for name in SampleSummary.model_fields if name != "file_name"}
    return SampleSummary.model_validate({**values, "file_name": file_name})


def place(session: Session, sample_id: str) -> Place:
    """Return where a sample stands.

    Raises ``NotFound`` for an unknown sample.
    """
    row = session.get(SampleRow, sample_id)
    if row is None:
        raise NotFound("sample", sample_id)
    before, after = SampleRow.added < row.added, SampleRow.added > row.added
    return Place(
        previous=session.scalar(select(SampleRow.id).where(before).order_by(SampleRow.added.desc()).limit(1)),
        next=session.scalar(select(SampleRow.id).where(after).order_by(SampleRow.added).limit(1)),
        position=row.added,  # numbered without gaps, and never deleted
        total=session.scalar(select(func.max(SampleRow.added))) or 0,
    )


def stats(session: Session, revisions: int) -> Stats:
    """Count everything, in a few grouped queries."""
    states = dict(_counted(session, SampleRow.state))
    return Stats(
        images=session.scalar(select(func.count()).select_from(ImageRow)) or 0,
        samples=sum(states.values()),
        revisions=revisions,
        instances=session.scalar(select(func.sum(SampleRow.instances))) or 0,
        no_target=session.scalar(select(func.count()).select_from(SampleRow).where(SampleRow.no_target)) or 0,
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
    return list(session.execute(select(*by, func.count()).where(*where).group_by(*by)))
