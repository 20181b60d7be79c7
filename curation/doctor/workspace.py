"""A workspace: its settings, its folder, its database, and what killed processes left lying about."""

import os
import shlex
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from glob import escape
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, make_url, select
from sqlalchemy.exc import ArgumentError
from sqlalchemy.sql.expression import column, table

from whyseg.curation.blobs import FRESH_SECONDS, TEMPORARY
from whyseg.curation.database import HEAD, Database, schema_version
from whyseg.curation.doctor.base import Finding
from whyseg.curation.searching import PREFIX, is_made
from whyseg.curation.times import now, stamp
from whyseg.curation.workspace import DATABASE, FOLDERS, SETTINGS, Settings, read_settings
from whyseg.schemas.errors import NotAWorkspace, WhysegError

LONG_LOG = 256 * 2**20  # bytes of write-ahead log; SQLite empties it at some 4 MB while nobody reads
REACH_SECONDS = 5
_TOLD = 3  # of many


def findings(path: Path) -> Iterator[Finding]:
    """Yield how it stands with a workspace; nothing in it is written, and no migration is run."""
    try:
        settings = read_settings(path)
    except NotAWorkspace:
        yield Finding(level="problem", what="workspace", says=f"{path} is none: no {SETTINGS} there",
                      mend=f"whyseg init {_word(path)}")  # fmt: skip
        return
    except WhysegError as error:
        yield Finding(level="problem", what="settings", says=str(error), mend=f"edit {_word(path / SETTINGS)}")
        settings = Settings()
    for look in (_folder(path), _left_over(path), _database(path, settings.database)):
        try:
            yield from look
        except OSError as error:
            says = f"{error.filename or path} cannot be looked at: {error.strerror or error}"
            yield Finding(level="problem", what="workspace", says=says, mend=f"ls -ld {_word(path)}")


def _folder(path: Path) -> Iterator[Finding]:
    missing = [name for name in FOLDERS if not (path / name).is_dir()]
    if missing:
        yield Finding(level="problem", what="workspace", says=f"{path} lacks its folder {', '.join(missing)}",
                      mend="mkdir " + " ".join(_word(path / name) for name in missing))  # fmt: skip
    places = (path, *(path / name for name in (*FOLDERS, DATABASE)))
    locked = [place for place in places if place.exists() and not os.access(place, os.W_OK)]
    if locked:
        says = f"{locked[0]} cannot be written to: nothing can be changed"
        yield Finding(level="warning", what="workspace", says=says, mend=f"chmod -R u+w {_word(path)}")
    elif not missing:
        yield Finding(level="ok", what="workspace", says=str(path.absolute()))


def _left_over(path: Path) -> Iterator[Finding]:
    """Yield what processes that were killed have left, with the command that deletes it."""
    found = [*path.glob(f"images/*/{TEMPORARY}*"), *path.glob(f"*/{TEMPORARY}*"), *path.glob(f"{TEMPORARY}*")]
    beside, name = path.absolute().parent, path.absolute().name
    found += [*beside.glob(".whyseg-backup-*"), *beside.glob(f".{escape(name)}-restoring-*")]
    aged = {one: time.time() - one.stat().st_mtime for one in found if one.exists()}
    old = sorted(one for one, seconds in aged.items() if seconds > FRESH_SECONDS)
    if not old:
        yield Finding(level="ok", what="leftovers", says="none of killed processes")
        return
    for one in old[:_TOLD]:
        says = f"{one} is not whole, and was not touched for {aged[one] / 3600:.0f} hours"
        yield Finding(level="warning", what="leftovers", says=says, mend=f"rm -r {_word(one)}")
    if len(old) > _TOLD:
        folders = sorted({str(one.parent) for one in old[_TOLD:]})
        says = f"{len(old) - _TOLD} more like these in {', '.join(folders[:_TOLD])}"
        mend = " ".join(["rm -r", *(_word(one) for one in old[_TOLD : _TOLD + 50])])
        yield Finding(level="warning", what="leftovers", says=says, mend=mend)


def _database(path: Path, url: str) -> Iterator[Finding]:
    """Yield how it stands with the records, in a file of SQLite's or on a server."""
    if not url:
        yield from _file(path / DATABASE, path)
        return
    try:
        where = make_url(url)
        if where.get_backend_name() == "sqlite":
            yield from _file(Path(where.database or ""), path)
            return
        # A server that does not answer would be waited for for minutes.
        known = where.get_backend_name() == "postgresql"
        database = Database(where.update_query_dict({"connect_timeout": str(REACH_SECONDS)}) if known else where)
    except (ArgumentError, WhysegError) as error:
        mend = f"correct database in {_word(path / SETTINGS)}; for PostgreSQL: pip install 'whyseg[postgres]'"
        yield Finding(level="problem", what="database", says=str(error), mend=mend)
        return
    try:
        yield from _server(database, path)
    except WhysegError as error:
        yield Finding(level="problem", what="database", says=str(error),
                      mend=f"start the server, or correct database in {_word(path / SETTINGS)}")  # fmt: skip
    finally:
        database.close()


def _server(database: Database, path: Path) -> Iterator[Finding]:
    with database.read() as session:
        version = schema_version(session.connection())
        yield _version(version, path)
        if version == HEAD:
            ends: Sequence[str] = session.scalars(select(column("expires_at")).select_from(table("leases"))).all()
            yield _leases(ends)
            yield _server_search(session.connection(), path)


def _server_search(connection: Connection, path: Path) -> Finding:
    if is_made(connection):
        return Finding(level="ok", what="search", says="goes through an index of the database")
    return Finding(
        level="warning",
        what="search",
        says="looks at every question: the database lacks the extension pg_trgm, which its owner can make",
        mend=f"psql -c 'CREATE EXTENSION pg_trgm', then: whyseg verify --reindex --workspace {_word(path)}",
    )


def _file(file: Path, path: Path) -> Iterator[Finding]:
    """Yield how it stands with records in a file of SQLite's, which is opened for reading only."""
    back = f"whyseg restore BACKUP.tar --workspace {_word(path)} --replace"
    if not file.exists():
        yield Finding(level="problem", what="database", says=f"{file} is missing", mend=back)
        return
    try:
        with closing(_opened(file)) as connection:
            broken = [row[0] for row in connection.execute(f"PRAGMA quick_check({_TOLD})") if row[0] != "ok"]
            for message in broken:
                yield Finding(level="problem", what="database", says=f"is damaged: {message}", mend=back)
            version = None if broken else _file_version(connection)
            if not broken:
                yield _version(version, path)
            if version == HEAD:
                yield from _journal(connection, file, path)
                yield from _records(connection, path)
                yield _search(connection, path)
                yield _leases([row[0] for row in connection.execute("SELECT expires_at FROM leases")])
    except sqlite3.DatabaseError as error:
        yield Finding(level="problem", what="database", says=f"{file} cannot be read: {error}", mend=back)


def _opened(file: Path) -> sqlite3.Connection:
    """Open SQLite's file for reading; one that nobody uses, in a folder that cannot be written to, as it is."""
    address = f"file:{quote(str(file.absolute()))}?mode=ro"
    log = file.with_name(f"{file.name}-wal")
    connection = sqlite3.connect(address, uri=True, timeout=5)
    try:
        connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
    except sqlite3.OperationalError:  # the log's index cannot be made there
        connection.close()
        if log.exists() and log.stat().st_size:
            raise
        connection = sqlite3.connect(f"{address}&immutable=1", uri=True)
    return connection


def _file_version(connection: sqlite3.Connection) -> str | None:
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone():
        return None
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return row and str(row[0])


def _version(version: str | None, path: Path) -> Finding:
    if version == HEAD:
        return Finding(level="ok", what="database", says=f"can be read, at migration {HEAD}, the newest")
    if version is None:
        return Finding(
            level="warning", what="database", says="is empty: the next command fills it", mend="whyseg stats"
        )
    if version > HEAD or not version.isdecimal():
        return Finding(
            level="problem",
            what="database",
            says=f"was made by a newer whyseg: it is at migration {version}, this one knows those up to {HEAD}",
            mend="pip install --upgrade whyseg",
        )
    return Finding(
        level="warning",
        what="database",
        says=f"is at migration {version}; the next command that opens the workspace brings it to {HEAD}, and an older "
        "whyseg cannot read it then",
        mend="copy the workspace's folder first if an older whyseg is still in use",
    )


def _journal(connection: sqlite3.Connection, file: Path, path: Path) -> Iterator[Finding]:
    stats = f"whyseg stats --workspace {_word(path)}"
    mode = connection.execute("PRAGMA journal_mode").fetchone()[0]
    log = file.with_name(f"{file.name}-wal")
    size = log.stat().st_size if log.exists() else 0
    if mode != "wal":
        says = f"its journal is {mode}, not wal: who writes makes others wait"
        yield Finding(level="warning", what="database", says=says, mend=stats)
    elif size > LONG_LOG:
        says = f"its write-ahead log has grown to {size / 2**20:.0f} MiB: something reads without an end"
        yield Finding(level="warning", what="database", says=says, mend=f"end all whyseg processes, then: {stats}")


def _records(connection: sqlite3.Connection, path: Path) -> Iterator[Finding]:
    """Yield what does not agree among the records at a glance; ``whyseg verify`` derives everything again."""
    verify = f"whyseg verify --workspace {_word(path)}"
    counts = {
        "a row that points to nothing": "SELECT count(*) FROM pragma_foreign_key_check",
        "a sample without its newest revision": (
            "SELECT count(*) FROM samples WHERE head NOT IN (SELECT id FROM revisions)"
        ),
        "a gap in the audit log": "SELECT coalesce(max(number), 0) - count(*) FROM audit",
    }
    wrong = False
    for what, query in counts.items():
        count = connection.execute(query).fetchone()[0]
        if count:
            wrong = True
            yield Finding(level="problem", what="records", says=f"{what}, {count} times", mend=verify)
    keys = [row[0] for row in connection.execute("SELECT id FROM images")]
    missing = [key for key in keys if not (path / "images" / key[:2] / key).is_file()]
    if missing:
        wrong = True
        says = f"{len(missing)} of {len(keys)} pictures have no file, {missing[0][:12]}… first"
        mend = "import the same pictures again, or restore a backup; which they are says: " + verify
        yield Finding(level="problem", what="pictures", says=says, mend=mend)
    if not wrong:
        samples = connection.execute("SELECT count(*) FROM samples").fetchone()[0]
        says = f"{samples} samples of {len(keys)} pictures look whole; {verify} derives every hash again"
        yield Finding(level="ok", what="records", says=says)


def _search(connection: sqlite3.Connection, path: Path) -> Finding:
    try:
        connection.execute(f"SELECT count(*) FROM {PREFIX} WHERE {PREFIX} MATCH '\"whyseg\"'").fetchone()
    except sqlite3.DatabaseError as error:
        mend = f"whyseg verify --reindex --workspace {_word(path)}"
        if "no such module" in str(error):
            mend = "make an environment with a Python whose SQLite has FTS5 (3.34 or newer) and install whyseg there"
        return Finding(level="problem", what="search", says=f"its index cannot be used: {error}", mend=mend)
    return Finding(level="ok", what="search", says="goes through an index")


def _leases(ends: Sequence[str]) -> Finding:
    ended = sum(end <= stamp(now()) for end in ends)
    says = f"{len(ends) - ended} held now, {ended} that have run out and stop nobody"
    return Finding(level="ok", what="leases", says=says)


def _word(path: Path) -> str:
    return shlex.quote(str(path))
