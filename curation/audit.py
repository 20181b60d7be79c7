"""The audit log: every change of state, in one hash chain."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from whyseg.curation.tables import AuditRow
from whyseg.schemas.canonical import canonical_json
from whyseg.schemas.revision import AuditEntry

GENESIS = "sha256:" + "0" * 64  # what the first entry names as the one before it


Change = tuple[datetime, str, str, str, dict[str, Any]]  # at, actor, action, subject, detail


def append(session: Session, at: datetime, actor: str, action: str, subject: str, **detail: Any) -> None:
    """Append an entry; the caller's transaction must be the only writer."""
    (row,) = _chained(session, [(at, actor, action, subject, detail)])
    session.add(AuditRow(**row))


def extend(session: Session, changes: Sequence[Change]) -> None:
    """Append entries as `append` does, in one statement."""
    if changes:
        session.connection().execute(insert(AuditRow), _chained(session, changes))


def _chained(session: Session, changes: Sequence[Change]) -> list[dict[str, Any]]:
    """Return the rows of the chain's next entries."""
    last, previous = session.info.get("audit") or _last(session)  # a session lives as long as its transaction
    rows = []
    for number, (at, actor, action, subject, detail) in enumerate(changes, last + 1):
        entry = AuditEntry(
            number=number,
            at=at,
            actor=actor,
            action=action,
            subject=subject,
            detail=detail,
            previous=previous,
            hash="",
        )
        previous = entry.derived_hash()
        plain = entry.plain()
        rows.append({**plain, "detail": canonical_json(plain["detail"]), "hash": previous})
    session.info["audit"] = last + len(changes), previous
    return rows


def _last(session: Session) -> tuple[int, str]:
    last = session.scalar(select(AuditRow).order_by(AuditRow.number.desc()).limit(1))
    return (last.number, last.hash) if last else (0, GENESIS)


def entry_of(row: AuditRow) -> AuditEntry:
    """Return the record of a row."""
    return AuditEntry(
        number=row.number,
        at=datetime.fromisoformat(row.at),
        actor=row.actor,
        action=row.action,
        subject=row.subject,
        detail=json.loads(row.detail),
        previous=row.previous,
        hash=row.hash,
    )
