"""The search for a text in questions and file names, through an index of their trigrams.

What is looked for, and what it is looked for in, are compared after `str.lower`. On SQLite the table ``sample_words``
holds both texts in lower case, a row a sample under its number, with FTS5's index of every three characters that follow
each other; triggers keep it true in the transaction that writes the sample. On PostgreSQL the extension ``pg_trgm``
keeps such an index of the columns; where it cannot be made, every text is looked at, for the same answers.
"""

from collections.abc import Iterator

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    Integer,
    Select,
    String,
    bindparam,
    column,
    func,
    select,
    table,
    text,
)
from sqlalchemy.exc import DatabaseError, DBAPIError, OperationalError
from sqlalchemy.orm import Session

from whyseg.curation.database import Database
from whyseg.curation.tables import ImageRow, SampleRow
from whyseg.schemas.errors import StoreUnavailable

Found = Select[int] | CompoundSelect[int]

PREFIX = "sample_words"  # what the index's tables, on PostgreSQL its indices, begin with
_SHORTEST = 3  # characters that the index can look for
_MEND = "whyseg verify --reindex makes the index anew"
_LONGEST = 64  # characters of a text that the index is asked for; each costs a look-up of its own

# The texts lie in the column's shadow table as they were written: reading them there costs half as much.
_WORDS, _TEXTS = table(PREFIX, column("rowid", Integer)), table(f"{PREFIX}_content", column("id", Integer))
_TRIGGERS = f"{PREFIX}_added", f"{PREFIX}_changed"
_FILL = f"""
    INSERT INTO {PREFIX} (rowid, query, file_name)
    SELECT added, lower(query), lower(file_name) FROM samples JOIN images ON images.id = samples.image_id
"""
_SQLITE = (
    f"""CREATE VIRTUAL TABLE {PREFIX}
    USING fts5(query, file_name, columnsize = 0, tokenize = 'trigram case_sensitive 1')""",
    f"{_FILL} ORDER BY added",
    # One large part, which later saves leave alone: merging it again would make one of them wait.
    f"INSERT INTO {PREFIX} ({PREFIX}) VALUES ('optimize')",
    f"""CREATE TRIGGER {_TRIGGERS[0]} AFTER INSERT ON samples BEGIN
        {_FILL} WHERE added = new.added;
    END""",
    f"""CREATE TRIGGER {_TRIGGERS[1]} AFTER UPDATE OF query ON samples WHEN new.query IS NOT old.query BEGIN
        UPDATE {PREFIX} SET query = lower(new.query) WHERE rowid = new.added;
    END""",
)
_POSTGRES = (
    "CREATE EXTENSION IF NOT EXISTS pg_trgm",
    f"CREATE INDEX {PREFIX}_query ON samples USING gin (query gin_trgm_ops)",
    f"CREATE INDEX {PREFIX}_file_name ON images USING gin (file_name gin_trgm_ops)",
)


def make(connection: Connection) -> bool:
    """Make the index, anew where there is one, inside the connection's transaction; tell whether it could be made.

    Raises ``StoreUnavailable`` where this Python's SQLite has no FTS5 with trigrams; PostgreSQL does without the index.
    """
    if connection.dialect.name == "sqlite":
        _drop(connection)
        try:
            connection.execute(text(_SQLITE[0]))
        except OperationalError as error:
            says = "this Python's SQLite has no FTS5 with trigrams, which whyseg searches by; 3.34 or newer has"
            raise StoreUnavailable(f"{says}: {error.orig}") from error
        for statement in _SQLITE[1:]:
            connection.execute(text(statement))
        return True
    for name in ("query", "file_name"):
        connection.execute(text(f"DROP INDEX IF EXISTS {PREFIX}_{name}"))
    try:
        with connection.begin_nested():
            for statement in _POSTGRES:
                connection.execute(text(statement))
    except DBAPIError:  # not installed there, or not for this user
        return False
    return True


def _drop(connection: Connection) -> None:
    """Take the index away, also one that SQLite cannot open for the damage in it."""
    for name in _TRIGGERS:
        connection.execute(text(f"DROP TRIGGER IF EXISTS {name}"))
    try:
        with connection.begin_nested():
            connection.execute(text(f"DROP TABLE IF EXISTS {PREFIX}"))
    except DatabaseError:
        connection.execute(text("PRAGMA writable_schema = ON"))
        connection.execute(text("DELETE FROM sqlite_master WHERE name = :name"), {"name": PREFIX})
        connection.execute(text("PRAGMA writable_schema = RESET"))
        for part in ("data", "idx", "content", "config"):
            connection.execute(text(f"DROP TABLE IF EXISTS {PREFIX}_{part}"))


def remake(database: Database) -> bool:
    """Make the index anew, as `make` does, while nobody else writes."""
    with database.write() as session:
        return make(session.connection())


def is_made(connection: Connection) -> bool:
    """Tell whether searches go through an index."""
    if connection.dialect.name == "sqlite":
        return True
    found = "SELECT count(*) FROM pg_indexes WHERE schemaname = ANY (current_schemas(false)) AND indexname LIKE :names"
    return bool(connection.scalar(text(found), {"names": f"{PREFIX}%"}) == len(_POSTGRES) - 1)


def holding(session: Session, wanted: str) -> Found:
    """Return the numbers of the samples whose question or picture's file name holds a text, in any case."""
    if session.get_bind().dialect.name == "sqlite":
        return _found(wanted.lower())
    # One question for each column, so that each can go through its index.
    queries = select(SampleRow.added).where(SampleRow.query.icontains(wanted, autoescape=True))
    images = select(ImageRow.id).where(ImageRow.file_name.icontains(wanted, autoescape=True))
    return queries.union(select(SampleRow.added).where(SampleRow.image_id.in_(images)))


def _found(wanted: str) -> Select[int]:
    """Return the numbers of the samples that hold a text in lower case."""
    if len(wanted) < _SHORTEST or "\0" in wanted:  # U+0000 ends a text for the index
        return select(_TEXTS.c.id).where(_holds("c0", wanted) | _holds("c1", wanted))
    quoted = wanted[:_LONGEST].replace('"', '""')
    matches = text(f"{PREFIX} MATCH :phrase").bindparams(bindparam("phrase", f'"{quoted}"', unique=True))
    found = select(_WORDS.c.rowid).where(matches)
    if len(wanted) > _LONGEST:
        found = found.where(_holds("query", wanted) | _holds("file_name", wanted))
    return found


def _holds(name: str, wanted: str) -> ColumnElement[bool]:
    return func.instr(column(name, String), wanted) > 0


def word_problems(session: Session) -> Iterator[tuple[str, str]]:
    """Yield where a search would not find what it should, as (what, message); on SQLite, where the index is ours."""
    if session.get_bind().dialect.name != "sqlite":
        return
    kept = table(PREFIX, column("rowid"), column("query"), column("file_name"))
    try:
        texts = {row.rowid: (row.query, row.file_name) for row in session.execute(select(kept))}
        terms = _terms(session)
    except DatabaseError as error:
        yield "search index", f"cannot be read: {error.orig}; {_MEND}"
        return
    names = session.scalars(text("SELECT name FROM sqlite_master WHERE type = 'trigger' ORDER BY name"))
    if not set(_TRIGGERS) <= set(names):
        yield "search index", f"does not follow what is written; {_MEND}"
    asked = select(SampleRow.id, SampleRow.added, SampleRow.query, ImageRow.file_name)
    asked = asked.join(ImageRow, ImageRow.id == SampleRow.image_id).order_by(SampleRow.added)
    for key, added, query, file_name in session.execute(asked.execution_options(yield_per=1000)):
        lower = (query and query.lower(), file_name.lower())
        expected = sum(max(0, len((one or "").split("\0")[0]) - _SHORTEST + 1) for one in lower)
        if texts.pop(added, None) != lower or terms.pop(added, 0) != expected:
            yield f"sample {key}", f"is not found by what its question and file name say; {_MEND}"
    for number in sorted(texts.keys() | terms.keys()):
        yield f"search index, row {number}", f"stands for no sample; {_MEND}"


def _terms(session: Session) -> dict[int, int]:
    """Return how many trigrams the index itself holds of each row."""
    name = f"temp.{PREFIX}_terms"
    session.execute(text(f"CREATE VIRTUAL TABLE {name} USING fts5vocab(main, {PREFIX}, instance)"))
    try:
        return {doc: count for doc, count in session.execute(text(f"SELECT doc, count(*) FROM {name} GROUP BY doc"))}
    finally:
        session.execute(text(f"DROP TABLE {name}"))
