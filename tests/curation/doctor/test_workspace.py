"""What the doctor says of workspaces that something was done to; none is changed by being looked at."""

import os
import sqlite3
import time
from pathlib import Path

import pytest

from tests.behind import copied, tamper
from tests.builders import filled_workspace
from whyseg.curation.database import HEAD
from whyseg.curation.doctor.base import Finding
from whyseg.curation.doctor.workspace import findings

LONG_AGO = time.time() - 7200


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("whole") / "my work"
    filled_workspace(made, samples=2).close()
    return made


@pytest.fixture
def path(whole: Path, tmp_path: Path) -> Path:
    return copied(whole, tmp_path / "my work")


def looked(path: Path, *levels: str) -> list[Finding]:
    """Return the findings of these levels, by default those that are not ok."""
    return [finding for finding in findings(path) if finding.level in (levels or ("warning", "problem"))]


def only(path: Path) -> Finding:
    (found,) = looked(path)
    return found


def test_a_whole_workspace_is_ok_in_every_line(path: Path) -> None:
    assert looked(path) == []
    says = {finding.what: finding.says for finding in looked(path, "ok")}
    assert says["workspace"] == str(path)
    assert says["database"] == f"can be read, at migration {HEAD}, the newest"
    assert says["leases"] == "0 held now, 0 that have run out and stop nobody"


@pytest.mark.sqlite
def test_records_are_counted_and_leases_that_ran_out_are_no_harm(path: Path) -> None:
    tamper(path, "INSERT INTO leases SELECT id, 'ann', 't', '2020-01-01T00:00:00.000000+00:00' FROM samples LIMIT 1")
    tamper(
        path,
        "INSERT INTO leases SELECT id, 'bob', 'u', '2999-01-01T00:00:00.000000+00:00' FROM samples WHERE added = 2",
    )
    says = {finding.what: finding.says for finding in looked(path, "ok")}
    assert says["records"].startswith("2 samples of 2 pictures look whole; whyseg verify --workspace '")
    assert says["leases"] == "1 held now, 1 that have run out and stop nobody"


@pytest.mark.sqlite
def test_looking_changes_no_byte_of_the_database(path: Path) -> None:
    with sqlite3.connect(path / "whyseg.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
    connection.close()
    before = (path / "whyseg.db").read_bytes()
    found = only(path)
    assert (found.level, found.what) == ("warning", "database")
    assert found.says.startswith(f"is at migration 0001; the next command that opens the workspace brings it to {HEAD}")
    assert (path / "whyseg.db").read_bytes() == before


@pytest.mark.sqlite
@pytest.mark.parametrize("version", ["0999", "later"])
def test_a_database_of_a_newer_whyseg_is_a_problem(path: Path, version: str) -> None:
    tamper(path, f"UPDATE alembic_version SET version_num = '{version}'")
    found = only(path)
    assert (found.level, found.mend) == ("problem", "pip install --upgrade whyseg")
    assert found.says.startswith(
        f"was made by a newer whyseg: it is at migration {version}, this one knows those up to "
    )


@pytest.mark.sqlite
def test_an_empty_database_is_told(path: Path) -> None:
    (path / "whyseg.db").write_bytes(b"")
    assert only(path).says.startswith("is empty")


@pytest.mark.sqlite
@pytest.mark.parametrize("how", ["junk", "cut off", "a hole", "a folder", "gone"])
def test_a_damaged_database_is_a_problem_that_a_backup_mends(path: Path, how: str) -> None:
    file = path / "whyseg.db"
    data = file.read_bytes()
    file.unlink()
    for more in path.glob("whyseg.db-*"):
        more.unlink()
    if how == "junk":
        file.write_bytes(b"not a database " * 1000)
    elif how == "cut off":
        file.write_bytes(data[: len(data) // 2])
    elif how == "a hole":
        file.write_bytes(data[:4096] + os.urandom(4096 * 8) + data[4096 * 9 :])
    elif how == "a folder":
        file.mkdir()
    found = looked(path)
    assert found
    assert {finding.what for finding in found} == {"database"}
    assert {finding.level for finding in found} == {"problem"}
    assert {finding.mend for finding in found} == {f"whyseg restore BACKUP.tar --workspace '{path}' --replace"}


@pytest.mark.sqlite
@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("UPDATE samples SET head = 'nothing' WHERE added = 1", "a sample without its newest revision, 1 times"),
        ("DELETE FROM audit WHERE number = 2", "a gap in the audit log, 1 times"),
        ("UPDATE samples SET image_id = 'gone' WHERE added = 1", "a row that points to nothing, 1 times"),
    ],
)
def test_records_that_do_not_agree_are_a_problem_for_verify(path: Path, statement: str, says: str) -> None:
    tamper(path, statement)
    found = looked(path)
    assert says in [finding.says for finding in found]
    assert {(finding.level, finding.mend) for finding in found} == {("problem", f"whyseg verify --workspace '{path}'")}


@pytest.mark.sqlite
def test_pictures_without_a_file_are_counted(path: Path) -> None:
    next(iter((path / "images").glob("??/*"))).unlink()
    found = only(path)
    assert (found.level, found.what) == ("problem", "pictures")
    assert found.says.startswith("1 of 2 pictures have no file, ")


def test_what_killed_processes_left_is_named_with_the_command_that_deletes_it(path: Path) -> None:
    places = [path / "images" / "ab", path / "releases", path, path.parent]
    (path / "images" / "ab").mkdir()
    left = [places[0] / ".new-a b", places[1] / ".new-export", places[2] / ".new-x", places[3] / ".whyseg-backup-1"]
    left.append(path.parent / ".my work-restoring-2")
    for one in left:
        one.mkdir() if one.name.startswith((".whyseg", ".my")) else one.write_text("half")
        os.utime(one, (LONG_AGO, LONG_AGO))
    (path / "images" / ".new-in-the-making").write_text("")
    found = looked(path)
    assert {(finding.level, finding.what) for finding in found} == {("warning", "leftovers")}
    assert len(found) == 4, "three by themselves, the other two in one line"
    assert "2 hours" in found[0].says
    for finding in found:
        assert finding.mend is not None
        assert os.system(finding.mend) == 0
    assert not any(one.exists() for one in left)
    assert looked(path) == []


def test_a_folder_that_is_none_is_told_how_to_become_one(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "none", Path(__file__)):
        found = only(place)
        assert (found.level, found.says) == ("problem", f"{place} is none: no whyseg.toml there")
        assert found.mend == f"whyseg init {place}"


@pytest.mark.sqlite
def test_broken_settings_are_a_problem_and_the_rest_is_looked_at_all_the_same(path: Path) -> None:
    (path / "whyseg.toml").write_bytes(b"database = \xff")
    assert [finding.what for finding in looked(path)] == ["settings"]
    (path / "whyseg.toml").write_text("databse = ''")
    found = only(path)
    assert "databse" in found.says
    assert found.mend == f"edit '{path}/whyseg.toml'"
    assert "records" in {finding.what for finding in looked(path, "ok")}


def test_missing_folders_are_made_by_the_command_that_is_given(path: Path) -> None:
    (path / "cache").rmdir()
    found = only(path)
    assert found.says.endswith("lacks its folder cache")
    assert found.mend is not None
    assert os.system(found.mend) == 0
    assert looked(path) == []


@pytest.mark.sqlite
def test_a_damaged_search_index_is_a_problem_that_verify_mends(path: Path) -> None:
    tamper(path, "DROP TABLE sample_words_data")
    found = only(path)
    assert (found.level, found.what) == ("problem", "search")
    assert found.mend == f"whyseg verify --reindex --workspace '{path}'"


def test_a_workspace_that_cannot_be_written_to_is_a_warning(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda place, mode: place != path / "images")
    found = only(path)
    assert (found.level, found.mend) == ("warning", f"chmod -R u+w '{path}'")
    assert found.says == f"{path / 'images'} cannot be written to: nothing can be changed"


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("nonsense", "Could not parse SQLAlchemy URL"),
        ("oracledb://x/y", "no driver for the database oracledb"),
        ("postgresql+psycopg://me:secret@127.0.0.1:1/x", "the database cannot be used now"),
        ("sqlite:////no/such/file.db", "/no/such/file.db is missing"),
    ],
)
def test_a_database_that_cannot_be_reached_is_told_without_its_password(path: Path, url: str, says: str) -> None:
    (path / "whyseg.toml").write_text(f'database = "{url}"\n')
    found = only(path)
    assert (found.level, found.what) == ("problem", "database")
    assert says in found.says
    assert "secret" not in found.says + str(found.mend)


def test_what_may_not_be_looked_into_is_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(self: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "is_dir", denied)
    found = looked(path)[0]
    assert (found.level, found.mend) == ("problem", f"ls -ld '{path}'")
    assert found.says.endswith("cannot be looked at: Permission denied")
