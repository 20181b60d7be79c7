"""The audit log: every change of state, in one hash chain."""

import json
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from whyseg.curation.tables import AuditRow
from whyseg.schemas.canonical import canonical_json
from whyseg.schemas.revision import AuditEntry

GENESIS = "sha256:" + "0" * 64  # what the first entry names as the one before it


def append(session: Session, at: datetime, actor: str, action: str, subject: str, **detail: Any) -> None:
    """Append an entry; the caller's transaction must be the only writer."""
    number, previous = session.info.get("audit") or _last(session)  # a session lives as long as its transaction
    draft = AuditEntry(
        number=number + 1,
        at=at,
        actor=actor,
        action=action,
        subject=subject,
        detail=detail,
        previous=previous,
        hash="",
    )
    entry = draft.model_copy(update={"hash": draft.derived_hash()})
    plain = entry.plain()
    session.add(AuditRow(**{**plain, "detail": canonical_json(plain["detail"])}))
    session.info["audit"] = entry.number, entry.hash


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
