"""Leases: short claims of one person on one sample, taken atomically, expiring by themselves."""

import secrets
from datetime import datetime, timedelta
from typing import TypeGuard

from sqlalchemy import select
from sqlalchemy.orm import Session

from whyseg.curation.queries import SampleFilter, conditions, seen
from whyseg.curation.tables import LeaseRow, SampleRow
from whyseg.curation.times import stamp
from whyseg.schemas.errors import LeaseHeld, LeaseLost, NotFound
from whyseg.schemas.revision import Lease


def claim(session: Session, sample_id: str, holder: str, now: datetime, seconds: float) -> Lease:
    """Take or renew the holder's lease on a sample.

    Raises ``NotFound`` for an unknown sample and ``LeaseHeld`` while somebody else's lease lives.
    """
    row = _row(session, sample_id)
    if row and row.holder != holder and row.expires_at > stamp(now):
        raise LeaseHeld(sample_id, row.holder)
    expires = stamp(now + timedelta(seconds=seconds))
    if row is None:
        row = LeaseRow(sample_id=sample_id, holder=holder, token=secrets.token_urlsafe(16), expires_at=expires)
        session.add(row)
    else:
        if row.holder != holder or row.expires_at <= stamp(now):
            row.token = secrets.token_urlsafe(16)  # an expired lease's old token proves nothing any more
        row.holder, row.expires_at = holder, expires
    return _lease(row)


def claim_next(
    session: Session, wanted: SampleFilter, holder: str, now: datetime, seconds: float, after: str | None = None
) -> Lease | None:
    """Take a lease on the first matching sample, in the order of adding, that nobody else holds; None if none does.

    With ``after``, a sample's id, those behind it come first, then those from the beginning on; itself is left out.
    """
    held = select(LeaseRow.sample_id).where(LeaseRow.expires_at > stamp(now), LeaseRow.holder != holder)
    free = select(SampleRow.id).where(*conditions(session, wanted), *seen(wanted.viewer), SampleRow.id.not_in(held))
    sample_id = None
    if after is not None:
        start = select(SampleRow.added).where(SampleRow.id == after).scalar_subquery()
        free = free.where(SampleRow.id != after)
        sample_id = session.scalar(free.where(SampleRow.added > start).order_by(SampleRow.added).limit(1))
    if sample_id is None:
        sample_id = session.scalar(free.order_by(SampleRow.added).limit(1))
    return claim(session, sample_id, holder, now, seconds) if sample_id else None


def require(session: Session, sample_id: str, holder: str, now: datetime) -> None:
    """Raise ``LeaseHeld`` while somebody else's lease on a sample lives, ``LeaseLost`` when nobody's does."""
    row = session.get(LeaseRow, sample_id)
    if row is None or row.expires_at <= stamp(now):
        raise LeaseLost(sample_id)
    if row.holder != holder:
        raise LeaseHeld(sample_id, row.holder)


def renew(session: Session, lease: Lease, now: datetime, seconds: float) -> Lease:
    """Prolong a lease.

    Raises ``NotFound`` for an unknown sample, ``LeaseLost`` when it has expired or holder or token are not its own.
    """
    row = _row(session, lease.sample_id)
    if not _is_same(row, lease) or row.expires_at <= stamp(now):
        raise LeaseLost(lease.sample_id)
    row.expires_at = stamp(now + timedelta(seconds=seconds))
    return _lease(row)


def release(session: Session, lease: Lease) -> None:
    """Give a lease back; nothing happens when it is lost already. Raises ``NotFound`` for an unknown sample."""
    row = _row(session, lease.sample_id)
    if _is_same(row, lease):
        session.delete(row)


def _row(session: Session, sample_id: str) -> LeaseRow | None:
    if session.get(SampleRow, sample_id) is None:
        raise NotFound("sample", sample_id)
    return session.get(LeaseRow, sample_id)


def _is_same(row: LeaseRow | None, lease: Lease) -> TypeGuard[LeaseRow]:
    return row is not None and (row.holder, row.token) == (lease.holder, lease.token)


def _lease(row: LeaseRow) -> Lease:
    return Lease(
        sample_id=row.sample_id, holder=row.holder, token=row.token, expires_at=datetime.fromisoformat(row.expires_at)
    )
