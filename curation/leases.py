"""Leases: short claims of one person on one sample, taken atomically, expiring by themselves."""

import secrets
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from whyseg.curation.queries import SampleFilter, conditions
from whyseg.curation.tables import LeaseRow, SampleRow
from whyseg.curation.times import stamp
from whyseg.schemas.errors import LeaseHeld, LeaseLost, NotFound
from whyseg.schemas.revision import Lease


def claim(session: Session, sample_id: str, holder: str, now: datetime, seconds: float) -> Lease:
    """Take or renew the holder's lease on a sample.

    Raises ``NotFound`` for an unknown sample and ``LeaseHeld`` while somebody else's lease lives.
    """
    if session.get(SampleRow, sample_id) is None:
        raise NotFound("sample", sample_id)
    row = session.get(LeaseRow, sample_id)
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


def claim_next(session: Session, wanted: SampleFilter, holder: str, now: datetime, seconds: float) -> Lease | None:
    """Take a lease on the first matching sample, in the order of adding, that nobody else holds; None if none does."""
    held = select(LeaseRow.sample_id).where(LeaseRow.expires_at > stamp(now), LeaseRow.holder != holder)
    free = (
        select(SampleRow.id)
        .where(*conditions(session, wanted), SampleRow.id.not_in(held))
        .order_by(SampleRow.added)
        .limit(1)
    )
    sample_id = session.scalar(free)
    return claim(session, sample_id, holder, now, seconds) if sample_id else None


def renew(session: Session, sample_id: str, token: str, now: datetime, seconds: float) -> Lease:
    """Prolong a lease.

    Raises ``LeaseLost`` when it has expired or the token is not its own.
    """
    row = session.get(LeaseRow, sample_id)
    if row is None or row.token != token or row.expires_at <= stamp(now):
        raise LeaseLost(sample_id)
    row.expires_at = stamp(now + timedelta(seconds=seconds))
    return _lease(row)


def release(session: Session, sample_id: str, token: str) -> None:
    """Give a lease back; nothing happens when it is lost already."""
    row = session.get(LeaseRow, sample_id)
    if row and row.token == token:
        session.delete(row)


def _lease(row: LeaseRow) -> Lease:
    return Lease(
        sample_id=row.sample_id, holder=row.holder, token=row.token, expires_at=datetime.fromisoformat(row.expires_at)
    )
