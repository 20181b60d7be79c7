"""The database: one engine, short transactions, and the settings under which SQLite serves many writers.

Write-ahead log, ``BEGIN IMMEDIATE`` for whatever writes, ``synchronous=NORMAL`` and a busy timeout: so writers queue up
instead of failing. A deferred ``BEGIN`` that turns into a write fails at once when somebody wrote in between, whatever
the timeout. PostgreSQL is reached by its URL; there an advisory lock orders the writers, for the audit chain is one
chain. A writer sees what was committed while it waited for the lock (READ COMMITTED), a reader one state throughout
(REPEATABLE READ), whatever the server's own default is.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url, select, text
from sqlalchemy.exc import (
    ArgumentError,
    DatabaseError,
    DataError,
    DisconnectionError,
    IntegrityError,
    InterfaceError,
    NoSuchModuleError,
    OperationalError,
)
from sqlalchemy.exc import TimeoutError as NoConnection
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.sql.expression import column, table

from whyseg.schemas.errors import CorruptStore, InvalidRecord, StoreUnavailable, UsageError

HEAD = "0009"  # the newest migration
BUSY_SECONDS = 30
IDLE_SECONDS = (
    5.0  # after which a server's connection is tried before it is used; each time would cost a tenth of a save
)
# A server for a team has as many at once in a busy moment, and a new one costs more than a save does.
KEPT_CONNECTIONS, MORE_CONNECTIONS = 20, 44
_REFUSED = {"42501", "25006"}  # PostgreSQL: insufficient privilege; read-only
WRITER_LOCK = 0x77687973  # "whys": the advisory lock's number


class Database:
    """Sessions on one database."""

    def __init__(self, url: str | URL) -> None:
        try:
            self.sqlite = make_url(url).get_backend_name() == "sqlite"
            self.engine: Engine = create_engine(
                url, pool_size=KEPT_CONNECTIONS, max_overflow=MORE_CONNECTIONS, pool_timeout=BUSY_SECONDS
            )
        except (NoSuchModuleError, ArgumentError, ImportError, ValueError) as error:
            shown = str(url).split(":")[0]  # a URL may hold a password
            raise UsageError(f"no driver for the database {shown}: {error}") from error
        if self.sqlite:
            event.listen(self.engine, "connect", _configure)
            event.listen(self.engine, "begin", _begin)
            self._reader = self.engine.execution_options(whyseg_reads=True)
        else:
            event.listen(self.engine, "checkin", _returned)
            event.listen(self.engine, "checkout", _taken)
            self._reader = self.engine.execution_options(isolation_level="REPEATABLE READ")
            self.engine = self.engine.execution_options(isolation_level="READ COMMITTED")

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Give a session on one consistent state; what it would write is dropped."""
        with _translated(), Session(self._reader) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Give a session that alone may write; commits at the end, rolls back on any exception."""
        with _translated(), Session(self.engine) as session, session.begin():
            self._alone(session.connection())
            yield session

    def migrate(self) -> None:
        """Bring the schema to the newest migration; nothing happens where it is there already.

        Raises ``UsageError`` when a newer whyseg made the database.
        """
        with _translated():
            with self._reader.connect() as connection:
                if schema_version(connection) == HEAD:
                    return
            from whyseg.curation.migrations import upgrade  # alembic costs 0.3 s, and most starts need no migration

            with self.engine.begin() as connection:
                self._alone(connection)
                upgrade(connection)

    def _alone(self, connection: Connection) -> None:
        """Wait until no other writer is left; on SQLite the transaction's beginning has done so."""
        if not self.sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": WRITER_LOCK})

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def schema_version(connection: Connection) -> str | None:
    """Return the migration that the schema is at; None for an empty database."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.scalar(select(column("version_num")).select_from(table("alembic_version")))


def _configure(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver begins no transaction of its own: _begin does
    for pragma in (
        f"busy_timeout={BUSY_SECONDS * 1000}",
        "journal_mode=WAL",
        "synchronous=NORMAL",
        "foreign_keys=ON",
    ):
        connection.execute(f"PRAGMA {pragma}")
    # SQLite's own lower() knows ASCII only; filters look for text in any case.
    connection.create_function(
        "lower", 1, lambda text: text.lower() if isinstance(text, str) else text, deterministic=True
    )


def _begin(connection: Connection) -> None:
    reads = connection.get_execution_options().get("whyseg_reads")
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def _returned(_connection: Any, record: ConnectionPoolEntry) -> None:
    record.info["returned"] = time.monotonic()


def _taken(connection: Any, record: ConnectionPoolEntry, _proxy: Any) -> None:
    """Ask the server whether a connection that lay idle still lives: it may have been restarted since."""
    if time.monotonic() - record.info.get("returned", time.monotonic()) > IDLE_SECONDS:
        try:
            connection.execute("SELECT 1")
            connection.rollback()
        except connection.Error as error:
            raise DisconnectionError(str(error)) from error


@contextmanager
def _translated() -> Iterator[None]:
    """Turn what the operating system or a broken file does to the database into errors of ours."""
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        raise StoreUnavailable(f"the database cannot be used now: {error.orig}") from error
    except NoConnection as error:
        raise StoreUnavailable("the database is busy: all connections to it have been in use for too long") from error
    except DataError as error:  # PostgreSQL's, of a text that holds U+0000
        raise InvalidRecord(f"the database cannot hold this: {error.orig}") from error
    except IntegrityError as error:
        raise InvalidRecord(f"what refers to nothing, or is there already, is not stored: {error.orig}") from error
    except DatabaseError as error:
        if getattr(error.orig, "sqlstate", None) in _REFUSED:
            raise StoreUnavailable(f"the database refuses: {error.orig}") from error
        if type(error) is DatabaseError:  # not a subclass: SQLite says so of a malformed file
            raise CorruptStore(f"the database is damaged: {error.orig}") from error
        raise
