"""The list of findings as it is looked at: filtered, counted, a page at a time; and what people set aside."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal

from sqlalchemy import ColumnElement, Select, case, func, or_, select
from sqlalchemy.orm import Session

from whyseg.curation import audit
from whyseg.curation.findings import finding_of, holds, selected, weigh
from whyseg.curation.queries import seen
from whyseg.curation.store import Store
from whyseg.curation.tables import FindingRow, ImageRow, SampleRow, SetAsideRow
from whyseg.curation.times import stamp
from whyseg.curation.visibility import Viewer, hidden
from whyseg.schemas import Finding, SetAside
from whyseg.schemas.errors import NotFound
from whyseg.schemas.record import Record

Severity = Literal["info", "warning", "error"]
Order = Literal["severity", "newest"]
_RANK = {"error": 0, "warning": 1, "info": 2}


class FindingFilter(Record):
    """Which findings; what is None does not restrict.

    Those that are gone or set aside are left out unless ``gone`` or ``set_aside`` asks for them as well. ``viewer``:
    who looks, see `visibility`.
    """

    kind: str | None = None
    severity: Severity | None = None
    sample_id: str | None = None
    gone: bool = False
    set_aside: bool = False
    viewer: Viewer | None = None


class Listed(Record):
    """A finding in a list.

    ``opens``: the sample that shows it, of a finding about an image the first one of that; None where there is none.
    ``query`` and ``file_name`` are that sample's.
    """

    finding: Finding
    opens: str | None
    query: str | None
    file_name: str | None

    def as_json(self) -> dict[str, Any]:
        """Return the finding with the rest beside its own fields."""
        plain = self.plain()
        return {**plain.pop("finding"), **plain}


class FindingPage(Record):
    """Some of the findings that match, and how many do.

    ``kinds`` counts those of each kind as if the filter named none, ``severities`` as if it named no severity.
    """

    total: int
    kinds: dict[str, int]
    severities: dict[str, int]
    findings: tuple[Listed, ...]


class Findings:
    """The findings of a store, as people go through them."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def page(
        self, wanted: FindingFilter, *, order: Order = "severity", offset: int = 0, limit: int = 50
    ) -> FindingPage:
        """Return a page: the worst first and among these the newest, or all the newest first."""
        newest = FindingRow.created_at.desc(), FindingRow.id
        by = newest if order == "newest" else (case(_RANK, value=FindingRow.severity, else_=3), *newest)
        named = {name: value for name in ("kind", "severity") if (value := getattr(wanted, name)) is not None}
        where, chosen = _conditions(wanted), [getattr(FindingRow, name) == value for name, value in named.items()]
        with self.store.database.read() as session:
            # Only keys are sorted, all within an index; a page's texts are few.
            keys = select(FindingRow.id).where(*where, *chosen).order_by(*by).offset(offset).limit(limit)
            ids = list(session.scalars(keys))
            rows = {row.id: row for row in session.execute(_columns().where(FindingRow.id.in_(ids)))}
            counts = _counts(session, where)
            return FindingPage(
                total=sum(_summed(counts, "kind", named, named).values()),
                kinds=_summed(counts, "kind", named, {"severity"}),
                severities=_summed(counts, "severity", named, {"kind"}),
                findings=tuple(_listed(session, [rows[key] for key in ids], wanted.viewer)),
            )

    def get(self, finding_id: str, viewer: Viewer | None = None) -> Listed:
        """Return a finding, gone or not; raises ``NotFound``, also when the viewer does not see what it is about."""
        with self.store.database.read() as session:
            return _one(session, finding_id, viewer)

    def set_aside(self, finding_id: str, *, reason: str, by: str, viewer: Viewer | None = None) -> Listed:
        """Take a finding off the list until it says something else; the first one who does so is remembered.

        Raises ``NotFound``, ``InvalidRecord`` for a reason that is none.
        """
        with self.store.database.write() as session:
            found = _one(session, finding_id, viewer).finding
            if found.set_aside is None:
                at = self.store.clock()
                word = SetAside.parse({"reason": reason, "by": by, "at": at})
                says = found.says()
                row = SetAsideRow(finding_id=finding_id, says=says, reason=word.reason, by=by, at=stamp(word.at))
                session.add(row)
                self._log(session, "set_aside", found, by, reason=word.reason)
                weigh(session, [found.sample_id])
            return _one(session, finding_id, viewer)

    def bring_back(self, finding_id: str, *, by: str, viewer: Viewer | None = None) -> Listed:
        """Put a finding on the list again; nothing happens to one that is there. Raises ``NotFound``."""
        with self.store.database.write() as session:
            found = _one(session, finding_id, viewer).finding
            if found.set_aside is not None:
                session.delete(session.get_one(SetAsideRow, (finding_id, found.says())))
                self._log(session, "bring_back", found, by)
                weigh(session, [found.sample_id])
            return _one(session, finding_id, viewer)

    def _log(self, session: Session, action: str, found: Finding, by: str, **detail: str) -> None:
        subject = found.sample_id or found.image_id or found.id
        audit.append(session, self.store.clock(), by, action, subject, finding=found.id, kind=found.kind, **detail)


def _conditions(wanted: FindingFilter) -> list[ColumnElement[bool]]:
    """Return a filter as conditions, but for kind and severity."""
    found = [FindingRow.sample_id == wanted.sample_id] if wanted.sample_id is not None else []
    if not wanted.gone:
        found.append(FindingRow.gone_at.is_(None))
    if not wanted.set_aside:
        found.append(~select(SetAsideRow.at).where(holds()).correlate(FindingRow).exists())
    return [*found, *_seen(wanted.viewer)]


def _seen(viewer: Viewer | None) -> list[ColumnElement[bool]]:
    """Return as conditions that a viewer's lists hold what a finding is about."""
    return [or_(FindingRow.sample_id.is_(None), FindingRow.sample_id.not_in(ids)) for ids in hidden(viewer)]


def _columns() -> Select[*tuple[Any, ...]]:
    return selected().add_columns(FindingRow.id, FindingRow.sample_id, FindingRow.image_id)


def _counts(session: Session, where: Sequence[ColumnElement[bool]]) -> list[dict[str, Any]]:
    """Count the findings of each kind and severity."""
    by = FindingRow.kind, FindingRow.severity
    counted = select(*by, func.count().label("count")).where(*where).group_by(*by).order_by(*by)
    return [dict(row) for row in session.execute(counted).mappings()]


def _summed(
    counts: Sequence[dict[str, Any]], by: str, named: Mapping[str, str], held: Collection[str]
) -> dict[str, int]:
    """Sum counts by kind or severity, over those that are as ``named`` says in what is ``held``."""
    found: dict[str, int] = {}
    for one in counts:
        if all(one[name] == value for name, value in named.items() if name in held):
            found[one[by]] = found.get(one[by], 0) + one["count"]
    return found


def _one(session: Session, finding_id: str, viewer: Viewer | None) -> Listed:
    rows = session.execute(_columns().where(FindingRow.id == finding_id, *_seen(viewer))).all()
    if not rows:
        raise NotFound("finding", finding_id)
    return _listed(session, rows, viewer)[0]


def _listed(session: Session, rows: Sequence[Any], viewer: Viewer | None) -> list[Listed]:
    images = {row.image_id for row in rows if not row.sample_id}
    first = (
        select(SampleRow.image_id, func.min(SampleRow.added).label("added"))
        .where(SampleRow.image_id.in_(images), *seen(viewer))
        .group_by(SampleRow.image_id)
        .subquery()
    )
    placed = select(SampleRow.image_id, SampleRow.id).join(first, first.c.added == SampleRow.added)
    opens: dict[str, str] = dict(session.execute(placed).all()) if images else {}
    ids = {row.sample_id or opens.get(row.image_id) for row in rows}
    texts = select(SampleRow.id, SampleRow.query, ImageRow.file_name).join(ImageRow, ImageRow.id == SampleRow.image_id)
    told = {row.id: row for row in session.execute(texts.where(SampleRow.id.in_(ids)))}
    found = []
    for row in rows:
        key = row.sample_id or opens.get(row.image_id)
        sample = told.get(key)
        found.append(
            Listed(
                finding=finding_of(row),
                opens=key,
                query=sample.query if sample else None,
                file_name=sample.file_name if sample else None,
            )
        )
    return found
