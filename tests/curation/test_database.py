import multiprocessing
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import func, make_url, select, text

from tests.builders import image_record, sample
from whyseg.curation.database import HEAD, Database, schema_version
from whyseg.curation.searching import PREFIX, is_made
from whyseg.curation.store import Store
from whyseg.curation.tables import Base, RevisionRow
from whyseg.schemas import Query
from whyseg.schemas.errors import CorruptStore, InvalidRecord, StaleParent, StoreUnavailable, UsageError


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


def filled(url: str, samples: int = 1) -> str:
    """Add some samples to an empty database; return its URL."""
    store = Store(url)
    store.add_samples([image_record(n) for n in range(samples)], [sample(n) for n in range(samples)], author="ann")
    store.close()
    return url


@pytest.fixture
def url(new_url: str) -> str:
    return filled(new_url)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return filled(f"sqlite:///{tmp_path / 'whyseg.db'}")


def test_eight_processes_lose_no_update(url: str) -> None:
    assert run_processes(revise_often, url, 8, 20) == []
    with closing(Store(url)) as store:
        head = store.head(sample().id)
    assert head.sample.query
    words = head.sample.query.text.split()
    assert sorted(words) == sorted(f"p{n}{k}" for n in range(8) for k in range(20))  # every word once
    assert head.revision.number == 161  # 1 + 8 × 20


@pytest.mark.slow
def test_eight_processes_with_150_writes_each_meet_no_error(url: str) -> None:
    assert run_processes(write_often, url, 8, 150) == []


@pytest.mark.slow
def test_eight_processes_with_150_revisions_each_lose_none(new_url: str) -> None:
    assert run_processes(revise_many, filled(new_url, 8), 8, 150) == []
    with closing(Store(new_url)) as store:
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


def test_sqlite_runs_with_the_settings_that_serve_many_writers(sqlite_url: str) -> None:
    with Database(sqlite_url).engine.connect() as connection:
        found = [
            connection.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    assert found == ["wal", 1, 1]  # synchronous 1 is NORMAL


def test_the_migrations_make_exactly_the_tables_that_the_code_declares(new_url: str) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with closing(Database(new_url)) as database:
        database.migrate()
        with database.engine.connect() as connection:
            assert schema_version(connection) == HEAD
            # The search index is made by statements of its own, see `searching`.
            searched = {"include_name": lambda name, *_: not (name or "").startswith(PREFIX)}
            assert compare_metadata(MigrationContext.configure(connection, opts=searched), Base.metadata) == []
            assert is_made(connection)


def test_a_database_of_a_newer_version_is_not_touched(url: str) -> None:
    with closing(Database(url)) as database, database.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(UsageError, match="newer whyseg"):
        Store(url)


def test_a_failed_transaction_leaves_nothing(url: str) -> None:
    store = Store(url)

    def fail_halfway() -> None:
        with store.database.write() as session:
            session.execute(text("DELETE FROM revisions"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_halfway()
    assert store.stats().revisions == 1
    store.close()


def test_a_reader_sees_one_state_whatever_is_written_beside_it(url: str) -> None:
    store = Store(url)
    with store.database.read() as session:
        seen = [session.scalar(select(func.count()).select_from(RevisionRow))]
        parent = store.head(sample().id).revision.id
        store.revise(sample().id, sample(query="one"), parent=parent, author="ann")
        seen.append(session.scalar(select(func.count()).select_from(RevisionRow)))
    assert seen == [1, 1]
    assert store.stats().revisions == 2
    store.close()


def test_more_at_once_than_there_are_connections_is_said_so(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"KEPT_CONNECTIONS": 1, "MORE_CONNECTIONS": 1, "BUSY_SECONDS": 0.1}.items():
        monkeypatch.setattr(f"whyseg.curation.database.{name}", value)
    with closing(Store(url)) as store:
        with store.database.read() as one, store.database.read() as two:
            assert [session.scalar(select(func.count()).select_from(RevisionRow)) for session in (one, two)] == [1, 1]
            with pytest.raises(StoreUnavailable, match="all connections"):
                store.stats()
        assert store.stats().revisions == 1


def migrate(url: str, _name: str, _times: int, errors: "multiprocessing.Queue[str]") -> None:
    try:
        Store(url).close()
    except Exception as error:  # noqa: BLE001
        errors.put(repr(error))


@pytest.mark.slow
def test_an_empty_database_is_set_up_once_by_whoever_comes_first(new_url: str) -> None:
    assert run_processes(migrate, new_url, 4, 1) == []


@pytest.mark.slow
@pytest.mark.postgres
def test_a_text_that_postgresql_cannot_hold_is_refused_and_nothing_is_written(postgres_url: str) -> None:
    store = Store(filled(postgres_url))
    head = store.head(sample().id)
    with pytest.raises(InvalidRecord, match="cannot hold this"):
        store.revise(sample().id, sample(query="a\0b"), parent=head.revision.id, author="ann")
    assert store.head(sample().id) == head
    store.close()


@pytest.mark.slow
@pytest.mark.postgres
def test_a_server_that_is_not_there_or_refuses_is_said_so(postgres_url: str) -> None:
    with pytest.raises(StoreUnavailable, match="cannot be used now"):
        Store("postgresql+psycopg://whyseg@/none?host=/nowhere")
    store = Store(filled(postgres_url))
    name = make_url(postgres_url).database
    with store.database.write() as session:
        session.execute(text(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on'))
    store.close()  # the setting holds for new connections
    with pytest.raises(StoreUnavailable, match="refuses"):
        store.add_image(image_record(1), author="ann")
    assert store.stats().samples == 1
    store.close()


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.parametrize("idle", [-1.0, 3600.0])
def test_a_server_that_was_restarted_is_found_again(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch, idle: float
) -> None:
    monkeypatch.setattr("whyseg.curation.database.IDLE_SECONDS", idle)
    with closing(Store(filled(postgres_url))) as store, closing(Database(postgres_url)) as other:
        assert store.stats().samples == 1
        with other.write() as session:
            others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            ended = session.execute(text(f"SELECT pg_terminate_backend(pid) {others}")).scalars().all()
        assert True in ended
        if idle > 0:  # used a moment ago, so it is not tried first
            with pytest.raises(StoreUnavailable):
                store.stats()
        assert store.stats().samples == 1


def test_what_is_no_database_is_said_to_be_damaged(tmp_path: Path) -> None:
    (tmp_path / "whyseg.db").write_bytes(b"this is a letter, not a database " * 200)
    with pytest.raises(CorruptStore, match="damaged"):
        Store(f"sqlite:///{tmp_path / 'whyseg.db'}")


def test_a_database_that_cannot_be_opened_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable):
        Store(f"sqlite:///{tmp_path / 'no' / 'such' / 'folder' / 'whyseg.db'}")
    with pytest.raises(UsageError, match="no driver"):
        Store("oracle9://somewhere")
