"""Sessions: who is signed in. A browser has a random token, the database its digest, so a copy of it lets nobody in.

A session ends by signing out, when its user is disabled or gets another password, after `ABSOLUTE`, and when nothing
was asked for during `IDLE`. Every request asks the database anew, so that all of this holds at once.
"""

import hashlib
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from whyseg.curation.database import Database
from whyseg.curation.tables import SessionRow, UserRow
from whyseg.curation.times import now, stamp
from whyseg.curation.users import user_of
from whyseg.schemas.user import User

ABSOLUTE = timedelta(days=7)
IDLE = timedelta(hours=12)
TOUCH = timedelta(minutes=1)  # how exactly the last request is noted: not every request should write


class Sessions:
    """The sessions in a workspace's database."""

    def __init__(self, database: Database, *, clock: Callable[[], datetime] = now) -> None:
        self.database = database
        self._clock = clock

    def start(self, user: User) -> str:
        """Start a session and return its token, which is always a new one; sessions that are over are forgotten."""
        token = secrets.token_urlsafe(32)
        at = self._clock()
        with self.database.write() as session:
            idle = SessionRow.seen_at <= stamp(at - IDLE)
            session.execute(delete(SessionRow).where((SessionRow.expires_at <= stamp(at)) | idle))
            session.add(
                SessionRow(digest=_digest(token), user=user.name, seen_at=stamp(at), expires_at=stamp(at + ABSOLUTE))
            )
        return token

    def find(self, token: str, *, touch: bool = True) -> User | None:
        """Return the user of a session that is alive; ``touch`` says that its user did something just now."""
        at = self._clock()
        with self.database.read() as session:
            alive = _alive(session, token, at)
            if alive is None:
                return None
            row, user = alive
            found = None if user.disabled else user_of(user)
            stale = row.seen_at <= stamp(at - TOUCH)
        if found and touch and stale:
            with self.database.write() as session:
                if seen := session.get(SessionRow, _digest(token)):
                    seen.seen_at = max(seen.seen_at, stamp(at))
        return found

    def end(self, token: str) -> None:
        """Sign out; nothing happens when the session is over."""
        with self.database.write() as session:
            session.execute(delete(SessionRow).where(SessionRow.digest == _digest(token)))


def _alive(session: Session, token: str, at: datetime) -> tuple[SessionRow, UserRow] | None:
    """Return the session of a token with its user, by one question: every request asks it."""
    joined = select(SessionRow, UserRow).join(UserRow, UserRow.name == SessionRow.user)
    found = session.execute(joined.where(SessionRow.digest == _digest(token))).one_or_none()
    if found is None or found[0].expires_at <= stamp(at) or found[0].seen_at <= stamp(at - IDLE):
        return None
    return found[0], found[1]


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
