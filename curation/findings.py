"""Findings in the database: open until what they speak of is gone, or somebody sets them aside; never deleted."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, case, func, insert, select, update
from sqlalchemy.orm import Session

from whyseg.curation.tables import FindingRow, SampleRow, SetAsideRow
from whyseg.curation.times import stamp
from whyseg.schemas import Finding, SetAside
from whyseg.schemas.record import Record

_TOGETHER = 1000  # rows that are written at once
_ASKED = 500  # samples that one question names
_SEVERITIES = {"error": 0, "warning": 1, "info": 2}
_MANY = 1_000_000.0  # more findings than a sample has


class Settled(Record):
    """What became of findings when all was looked at again: how many are new or open again, and how many are gone."""

    new: int
    gone: int


def finding_row(finding: Finding) -> FindingRow:
    """Return the row of a record."""
    return FindingRow(**_columns(finding))


def read_findings(session: Session, sample_id: str | None, *, gone: bool) -> list[Finding]:
    """Return the findings about a sample, or all, newest first, also those set aside; with ``gone`` also gone ones."""
    found = selected().order_by(FindingRow.created_at.desc(), FindingRow.id)
    if sample_id is not None:
        found = found.where(FindingRow.sample_id == sample_id)
    if not gone:
        found = found.where(FindingRow.gone_at.is_(None))
    return [finding_of(row) for row in session.execute(found)]


def selected() -> Select[*tuple[Any, ...]]:
    """Return a question for findings with what sets them aside, whose rows `finding_of` takes."""
    columns = FindingRow.body, FindingRow.gone_at, SetAsideRow.reason, SetAsideRow.by, SetAsideRow.at
    return select(*columns).outerjoin(SetAsideRow, holds())


def holds() -> ColumnElement[bool]:
    """Return as a condition that a finding still says what it was set aside for."""
    return and_(SetAsideRow.finding_id == FindingRow.id, SetAsideRow.says == FindingRow.says)


def finding_of(row: Row[Any]) -> Finding:
    """Return the record of a row."""
    changes: dict[str, Any] = {}
    if row.gone_at:
        changes["gone_at"] = datetime.fromisoformat(row.gone_at)
    if row.at:
        changes["set_aside"] = SetAside.parse({"reason": row.reason, "by": row.by, "at": row.at})
    finding = Finding.parse(row.body)
    return finding.model_copy(update=changes) if changes else finding


def settle_findings(
    session: Session,
    found: Iterable[Finding],
    kinds: Collection[str],
    at: datetime,
    *,
    samples: Collection[str] | None = None,
) -> Settled:
    """Make the open findings of some kinds, about some samples or all, those that were found.

    Known ones keep the time when they were first made and take over the rest; those that were not found are gone from
    now on; gone ones that were found are open again.
    """
    asked = select(FindingRow.id, FindingRow.created_at, FindingRow.gone_at, FindingRow.body, FindingRow.sample_id)
    asked = asked.where(FindingRow.kind.in_(kinds))
    if samples is not None:
        asked = asked.where(FindingRow.sample_id.in_(samples))
    known = {row.id: row for row in session.execute(asked)}
    added: list[dict[str, Any]] = []
    changed: list[dict[str, Any]] = []
    new, about = 0, set[str | None]()
    for finding in {finding.id: finding for finding in found}.values():
        row = known.pop(finding.id, None)
        if row is None:
            added.append(_columns(finding))
            about.add(finding.sample_id)
            new += 1
            continue
        new += row.gone_at is not None
        first = finding.model_copy(update={"created_at": datetime.fromisoformat(row.created_at)})
        columns = _columns(first)
        if (row.gone_at, row.body) != (None, columns["body"]):
            changed.append({name: columns[name] for name in ("id", "gone_at", "body", "severity", "says")})
            about.add(row.sample_id)
    left = [row for row in known.values() if row.gone_at is None]
    changed += [{"id": row.id, "gone_at": stamp(at)} for row in left]
    for start in range(0, len(added), _TOGETHER):
        session.execute(insert(FindingRow), added[start : start + _TOGETHER])
    for changes in changed:
        session.execute(update(FindingRow).where(FindingRow.id == changes.pop("id")).values(**changes))
    weigh(session, about | {row.sample_id for row in left})
    return Settled(new=new, gone=len(left))


def weigh(session: Session, sample_ids: Iterable[str | None]) -> None:
    """Write what samples are sorted by as their findings say, of those that are not None; the session is flushed."""
    session.flush()
    keys = [key for key in dict.fromkeys(sample_ids) if key is not None]
    for start in range(0, len(keys), _ASKED):
        some = keys[start : start + _ASKED]
        asked = select(SampleRow.id, SampleRow.findings).where(SampleRow.id.in_(some))
        kept = {row.id: row.findings for row in session.execute(asked)}
        ranks = finding_ranks(session, some)
        differing = [{"id": key, "findings": ranks[key]} for key in kept if kept[key] != ranks[key]]
        if differing:
            session.execute(update(SampleRow), differing)


def finding_ranks(session: Session, sample_ids: Sequence[str]) -> dict[str, float | None]:
    """Return what the order by findings begins with, the lowest first: the worst severity, then the most findings.

    Those that are gone or set aside do not count; None of a sample without others.
    """
    aside = select(SetAsideRow.at).where(holds()).correlate(FindingRow).exists()
    worst = func.min(case(_SEVERITIES, value=FindingRow.severity, else_=len(_SEVERITIES)))
    asked = select(FindingRow.sample_id, worst.label("worst"), func.count().label("number"))
    asked = asked.where(FindingRow.sample_id.in_(sample_ids), FindingRow.gone_at.is_(None), ~aside)
    found: dict[str, float | None] = dict.fromkeys(sample_ids)
    for key, severity, number in session.execute(asked.group_by(FindingRow.sample_id)):
        found[key] = severity * _MANY - number
    return found


def _columns(finding: Finding) -> dict[str, Any]:
    return {
        "id": finding.id,
        "kind": finding.kind,
        "sample_id": finding.sample_id,
        "image_id": finding.image_id,
        "created_at": stamp(finding.created_at),
        "gone_at": stamp(finding.gone_at) if finding.gone_at else None,
        "severity": finding.severity,
        "says": finding.says(),
        "body": finding.model_dump_json(exclude={"gone_at", "set_aside"}),
    }
