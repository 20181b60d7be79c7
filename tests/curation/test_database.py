import multiprocessing
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.builders import image_record, sample
from whyseg.curation.database import HEAD, Database, schema_version
from whyseg.curation.store import Store
from whyseg.curation.tables import Base
from whyseg.schemas import Query
from whyseg.schemas.errors import CorruptStore, StaleParent, StoreUnavailable, UsageError


def revise_often(url: str, name: str, times: int, errors: "multiprocessing.Queue[str]") -> None:
    """Put ``times`` words into one shared question, each on the newest revision; a stale one is tried again."""
    store = Store(url)
    key = sample().id
    for number in range(times):
        while True:
            head = store.head(key)
            words = head.sample.query.text if head.sample.query else ""
            changed = head.sample.model_copy(update={"query": Query(text=f"{words} {name}{number}".strip())})
            try:
                store.revise(key, changed, parent=head.revision.id, author=name)
                break
            except StaleParent:
                continue
            except Exception as error:  # noqa: BLE001 - whatever it is, the test must hear of it
                errors.put(f"{name}: {error!r}")
                return


def write_often(url: str, name: str, times: int, errors: "multiprocessing.Queue[str]") -> None:
    """Claim and give back leases: a read and a write in every transaction, on one row, from every process."""
    store = Store(url)
    for _ in range(times):
        try:
            store.release(store.claim(sample().id, "shared", seconds=5))
        except Exception as error:  # noqa: BLE001
            errors.put(f"{name}: {error!r}")


def run_processes(target: object, url: str, count: int, times: int) -> list[str]:
    context = multiprocessing.get_context("spawn")
    errors: multiprocessing.Queue[str] = context.Queue()
    workers = [context.Process(target=target, args=(url, f"p{n}", times, errors)) for n in range(count)]  # type: ignore[arg-type]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(240)
    assert [worker.exitcode for worker in workers] == [0] * count
    found = []
    while not errors.empty():
        found.append(errors.get())
    return found


@pytest.fixture
def url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'whyseg.db'}"
    store = Store(url)
    store.add_samples([image_record()], [sample()], author="ann")
    store.close()
    return url


def test_eight_processes_lose_no_update(url: str) -> None:
    assert run_processes(revise_often, url, 8, 20) == []
    store = Store(url)
    head = store.head(sample().id)
    assert head.sample.query
    words = head.sample.query.text.split()
    assert sorted(words) == sorted(f"p{n}{k}" for n in range(8) for k in range(20))  # every word once
    assert head.revision.number == 161  # 1 + 8 × 20


@pytest.mark.slow
def test_eight_processes_with_150_writes_each_meet_no_error(url: str) -> None:
    assert run_processes(write_often, url, 8, 150) == []


@pytest.mark.slow
def test_eight_processes_with_150_revisions_each_lose_none(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'many.db'}"
    store = Store(url)
    store.add_samples([image_record(n) for n in range(8)], [sample(n) for n in range(8)], author="ann")
    assert run_processes(revise_many, url, 8, 150) == []
    assert sum(store.head(sample(n).id).revision.number - 1 for n in range(8)) == 1200


def revise_many(url: str, name: str, times: int, errors: "multiprocessing.Queue[str]") -> None:
    """Revise all eight samples in turn, so that processes meet on each of them."""
    store = Store(url)
    for number in range(times):
        key = sample((number + int(name[1:])) % 8).id
        while True:
            try:
                head = store.head(key)
                changed = head.sample.model_copy(update={"query": Query(text=f"{name} {number}")})
                store.revise(key, changed, parent=head.revision.id, author=name)
                break
            except StaleParent:
                continue
            except Exception as error:  # noqa: BLE001
                errors.put(f"{name}: {error!r}")
                return


def test_sqlite_runs_with_the_settings_that_serve_many_writers(url: str) -> None:
    with Database(url).engine.connect() as connection:
        found = [
            connection.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    assert found == ["wal", 1, 1]  # synchronous 1 is NORMAL


def test_the_migrations_make_exactly_the_tables_that_the_code_declares(tmp_path: Path) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    database = Database(f"sqlite:///{tmp_path / 'new.db'}")
    database.migrate()
    with database.engine.connect() as connection:
        assert schema_version(connection) == HEAD
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_a_database_of_a_newer_version_is_not_touched(url: str, tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "whyseg.db")
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    with pytest.raises(UsageError, match="newer whyseg"):
        Store(url)


def test_a_failed_transaction_leaves_nothing(url: str) -> None:
    database = Database(url)

    def fail_halfway() -> None:
        with database.write() as session:
            session.execute(text("DELETE FROM revisions"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_halfway()
    assert Store(url).stats().revisions == 1


def test_what_is_no_database_is_said_to_be_damaged(tmp_path: Path) -> None:
    (tmp_path / "whyseg.db").write_bytes(b"this is a letter, not a database " * 200)
    with pytest.raises(CorruptStore, match="damaged"):
        Store(f"sqlite:///{tmp_path / 'whyseg.db'}")


def test_a_database_that_cannot_be_opened_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable):
        Store(f"sqlite:///{tmp_path / 'no' / 'such' / 'folder' / 'whyseg.db'}")
    with pytest.raises(UsageError, match="no driver"):
        Store("oracle9://somewhere")
