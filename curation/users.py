"""Users: who may sign in, as what. Passwords are kept as argon2 hashes alone, and never get into the audit log."""

import secrets
import unicodedata
from collections.abc import Callable
from datetime import datetime
from functools import cached_property
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from whyseg.curation import audit
from whyseg.curation.database import Database
from whyseg.curation.tables import SessionRow, UserRow
from whyseg.curation.times import now, stamp
from whyseg.schemas.errors import InvalidRecord, LastCurator, NotFound, UsageError, WrongLogin
from whyseg.schemas.user import Role, User

NAME_LENGTH = 64
RESERVED = ("any", "nobody", "whyseg")  # words of the filters, and the author of what no person did
PASSWORD_LENGTHS = range(10, 1001)  # characters; the longest bounds what hashing it costs


class Users:
    """The users of a workspace's database; every change is in the audit log, about ``user:NAME``."""

    def __init__(
        self, database: Database, *, clock: Callable[[], datetime] = now, hasher: PasswordHasher | None = None
    ) -> None:
        self.database = database
        self._clock = clock
        self._hasher = hasher or PasswordHasher()

    def add(self, name: str, role: Role, password: str, *, author: str) -> User:
        """Add a user.

        Raises ``InvalidRecord`` for a name or password that nobody can have, ``UsageError`` for a name that is taken,
        in whatever case.
        """
        name = checked_name(name)
        hashed = self._hash(checked_password(password, name))
        with self.database.write() as session:
            if known := session.scalar(select(UserRow).where(UserRow.key == key_of(name))):
                raise UsageError(f"there is a user {known.name} already")
            at = self._clock()
            row = UserRow(
                name=name,
                key=key_of(name),
                role=role.value,
                disabled=False,
                password=hashed,
                created_at=stamp(at),
            )
            session.add(row)
            audit.append(session, at, author, "add_user", f"user:{name}", role=role.value)
            return user_of(row)

    def list(self) -> list[User]:
        """Return all users by name."""
        with self.database.read() as session:
            return [user_of(row) for row in session.scalars(select(UserRow).order_by(UserRow.key))]

    def get(self, name: str) -> User:
        """Return a user by the name, in whatever case; raises ``NotFound``."""
        with self.database.read() as session:
            return user_of(_row(session, name))

    def set_role(self, name: str, role: Role, *, author: str) -> User:
        """Give a user another role, from the next request on; raises ``NotFound``."""
        return self.change(name, role=role, author=author)

    def set_password(self, name: str, password: str, *, author: str) -> User:
        """Give a user another password and sign them out everywhere; raises ``NotFound``, ``InvalidRecord``."""
        return self.change(name, password=password, author=author)

    def set_disabled(self, name: str, disabled: bool, *, author: str) -> User:
        """Keep a user out, from the next request on, or let them in again; raises ``NotFound``."""
        return self.change(name, disabled=disabled, author=author)

    def change(
        self,
        name: str,
        *,
        role: Role | None = None,
        disabled: bool | None = None,
        password: str | None = None,
        author: str,
        keep_curator: bool = False,
    ) -> User:
        """Change what is not None, all of it or nothing, from the next request on.

        A disabled user and one with another password are signed out everywhere. Raises ``NotFound``, ``InvalidRecord``
        for a password that nobody can have, and with ``keep_curator`` ``LastCurator`` when no curator would be left who
        may sign in.
        """
        known = self.get(name).name  # before a password is hashed, which costs
        hashed = None if password is None else self._hash(checked_password(password, known))
        with self.database.write() as session:
            row = _row(session, name)
            if keep_curator and _is_last_curator(session, row) and (disabled or role not in (None, Role.CURATOR)):
                raise LastCurator(row.name)
            if role is not None and row.role != role:
                row.role = role.value
                self._log(session, author, "set_role", row, role=role.value)
            if disabled is not None and row.disabled != disabled:
                row.disabled = disabled
                _sign_out(session, row)
                self._log(session, author, "disable_user" if disabled else "enable_user", row)
            if hashed is not None:
                row.password = hashed
                _sign_out(session, row)
                self._log(session, author, "set_password", row)
            return user_of(row)

    def authenticate(self, name: str, password: str) -> User:
        """Return the user whose name, in whatever case, and password these are.

        Raises ``WrongLogin`` without saying what is wrong; it takes as long for a name that nobody has.
        """
        with self.database.read() as session:
            row = session.scalar(select(UserRow).where(UserRow.key == key_of(name)))
            found = (user_of(row), row.password) if row else None
        user, hashed = found or (None, self.unknown)
        fits = self._fits(hashed, password)
        if user is None or user.disabled or not fits:
            raise WrongLogin("name or password is wrong")
        if self._hasher.check_needs_rehash(hashed):
            self._rehash(user.name, hashed, password)
        return user

    @cached_property
    def unknown(self) -> str:
        """The hash that a password is compared with when nobody has the name; making it takes as long as comparing."""
        return self._hasher.hash(secrets.token_urlsafe())

    def _hash(self, password: str) -> str:
        return self._hasher.hash(_bytes(password))

    def _fits(self, hashed: str, password: str) -> bool:
        try:
            return self._hasher.verify(hashed, _bytes(password))
        except (VerificationError, InvalidHashError):
            return False

    def _rehash(self, name: str, hashed: str, password: str) -> None:
        """Keep a password under the parameters of today."""
        fresh = self._hash(password)
        with self.database.write() as session:
            row = _row(session, name)
            if row.password == hashed:  # else it was changed meanwhile
                row.password = fresh

    def _log(self, session: Session, author: str, action: str, row: UserRow, **detail: Any) -> None:
        audit.append(session, self._clock(), author, action, f"user:{row.name}", **detail)


def key_of(name: str) -> str:
    """Return what two names share that must not both be taken.

    >>> key_of("Ann") == key_of("ANN")
    True
    """
    return unicodedata.normalize("NFKC", name).casefold()


def checked_name(name: str) -> str:
    """Return a name as it is kept; raises ``InvalidRecord`` when nobody can have it.

    >>> checked_name("Zoë Müller")
    'Zoë Müller'
    """
    name = unicodedata.normalize("NFC", name)
    shown = 1 <= len(name) <= NAME_LENGTH and name == name.strip() and name.isprintable()
    if not shown or "/" in name or name in (".", ".."):  # a name is a part of an address
        raise InvalidRecord(
            f"a user's name is 1 to {NAME_LENGTH} printable characters, no slash and no spaces around it, got {name!r}"
        )
    if key_of(name) in RESERVED:
        raise InvalidRecord(f"a user's name is none of {', '.join(RESERVED)}, got {name!r}")
    return name


def checked_password(password: str, name: str) -> str:
    """Return a password; raises ``InvalidRecord``, without repeating it, when it is none."""
    if len(password) not in PASSWORD_LENGTHS:
        least, most = PASSWORD_LENGTHS.start, PASSWORD_LENGTHS.stop - 1
        raise InvalidRecord(f"a password has {least} to {most} characters, got {len(password)}")
    if key_of(password) == key_of(name):
        raise InvalidRecord("a password is not the user's name")
    return password


def _bytes(password: str) -> bytes:
    """Return what is hashed: one text typed on two systems is one password, and no text breaks the hashing."""
    return unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")


def user_of(row: UserRow) -> User:
    """Return the record of a row."""
    return User(
        name=row.name, role=Role(row.role), disabled=row.disabled, created_at=datetime.fromisoformat(row.created_at)
    )


def _row(session: Session, name: str) -> UserRow:
    row = session.scalar(select(UserRow).where(UserRow.key == key_of(name)))
    if row is None:
        raise NotFound("user", name)
    return row


def _is_last_curator(session: Session, row: UserRow) -> bool:
    enabled = UserRow.role == Role.CURATOR.value, UserRow.disabled.is_(False)
    return list(session.scalars(select(UserRow.name).where(*enabled))) == [row.name]


def _sign_out(session: Session, row: UserRow) -> None:
    session.execute(delete(SessionRow).where(SessionRow.user == row.name))
