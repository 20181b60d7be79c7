"""The audit log as it is looked at: filtered, newest first, a page at a time, each entry held against its neighbour."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from whyseg.curation import audit
from whyseg.curation.database import Database
from whyseg.curation.tables import AuditRow, SampleRow
from whyseg.curation.times import stamp
from whyseg.schemas.record import Record, Utc


class AuditFilter(Record):
    """Which entries: exact texts, and times from ``since`` to before ``until``; what is None does not restrict."""

    actor: str | None = None
    action: str | None = None
    subject: str | None = None
    since: Utc | None = None
    until: Utc | None = None


class AuditLine(Record):
    """An entry as it lies in the database.

    ``verified``: it has the hash that it should have, and names the entry before it. ``sample_id``: the sample that it
    is about, if any.
    """

    number: int
    at: str
    actor: str
    action: str
    subject: str
    detail: dict[str, Any]
    previous: str
    hash: str
    sample_id: str | None
    verified: bool


class AuditPage(Record):
    """Some of the entries that match, newest first, and how many match; ``verified``: every one of these is."""

    total: int
    verified: bool
    entries: tuple[AuditLine, ...]


def audit_page(database: Database, wanted: AuditFilter, *, offset: int = 0, limit: int = 50) -> AuditPage:
    """Return a page of the audit log.

    Every entry shown is checked against its own hash and against the entry before it in the chain; that no entry is
    missing anywhere is what `verify.verify` finds out.
    """
    where = _conditions(wanted)
    with database.read() as session:
        total = session.scalar(select(func.count()).select_from(AuditRow).where(*where)) or 0
        found = select(AuditRow).where(*where).order_by(AuditRow.number.desc()).offset(offset).limit(limit)
        rows = list(session.scalars(found))
        before = _hashes(session, [row.number - 1 for row in rows])
        subjects = [row.subject for row in rows]
        samples = set(session.scalars(select(SampleRow.id).where(SampleRow.id.in_(subjects))))
        lines = tuple(_line(row, before.get(row.number - 1), samples) for row in rows)
    return AuditPage(total=total, verified=all(line.verified for line in lines), entries=lines)


def actions(database: Database) -> list[str]:
    """Return the actions that the log knows, by name."""
    with database.read() as session:
        return sorted(session.scalars(select(AuditRow.action).distinct()))


def _conditions(wanted: AuditFilter) -> list[ColumnElement[bool]]:
    names = ("actor", "action", "subject")
    found = [getattr(AuditRow, name) == getattr(wanted, name) for name in names if getattr(wanted, name) is not None]
    if wanted.since:
        found.append(AuditRow.at >= stamp(wanted.since))
    if wanted.until:
        found.append(AuditRow.at < stamp(wanted.until))
    return found


def _hashes(session: Session, numbers: Sequence[int]) -> dict[int, str]:
    """Return the hashes of entries by their numbers; what number 0 stands for is before the first."""
    asked = select(AuditRow.number, AuditRow.hash).where(AuditRow.number.in_(numbers))
    return {0: audit.GENESIS, **{number: value for number, value in session.execute(asked)}}


def _line(row: AuditRow, before: str | None, samples: set[str]) -> AuditLine:
    try:
        entry = audit.entry_of(row)
        detail, fits = entry.detail, entry.derived_hash() == row.hash
    except (ValueError, TypeError, RecursionError):  # somebody wrote into the database: shown, and not verified
        detail, fits = {}, False
    return AuditLine(
        number=row.number,
        at=row.at,
        actor=row.actor,
        action=row.action,
        subject=row.subject,
        detail=detail,
        previous=row.previous,
        hash=row.hash,
        sample_id=row.subject if row.subject in samples else None,
        verified=fits and row.previous == before,
    )
