from pathlib import Path

import pytest

from tests.behind import copied, tamper
from tests.builders import complete, filled_workspace
from whyseg.curation.queries import SampleFilter
from whyseg.curation.releases import Releases
from whyseg.curation.searching import remake
from whyseg.curation.verify import verify
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Release, Review, Sample, release_hash
from whyseg.schemas.errors import CorruptStore


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("whole") / "w"
    with filled_workspace(made, samples=2) as workspace:
        row = workspace.store.page(SampleFilter()).samples[0]
        head = workspace.store.head(row.id)
        full = {**complete().plain(), **{key: head.sample.plain()[key] for key in ("id", "image_id")}}
        second = workspace.store.revise(row.id, Sample.parse(full), parent=head.revision.id, author="ann")
        workspace.store.submit(row.id, parent=second.revision.id, author="ann")
        values = {"id": "r1", "sample_id": row.id, "revision_id": second.revision.id, "reviewer": "rey"}
        values |= {"decision": "reject"}
        rejection = {**values, "reasons": ["boundary"], "created_at": "2026-01-01T00:00:00Z"}
        workspace.store.review(Review.parse(rejection))
        freeze(workspace, "v1")
        workspace.store.submit(row.id, parent=second.revision.id, author="ann")
    return made


@pytest.fixture
def path(whole: Path, tmp_path: Path) -> Path:
    return copied(whole, tmp_path / "w")


def freeze(workspace: Workspace, name: str) -> None:
    """Add a release of all samples without looking at the pictures, which are none."""
    releases = Releases(workspace)
    items = releases.newest("any")
    counts = {"samples": len(items), "images": 2, "splits": {"train": len(items), "validation": 0, "test": 0}}
    values = {"name": name, "hash": release_hash(items), "created_at": "2026-01-01T00:00:00Z", "author": "ann"}
    releases.add(Release.parse({**values, "states": "any", **counts}), items)


def problems(path: Path) -> list[str]:
    with Workspace.open(path) as workspace:
        return [f"{problem.what}: {problem.message}" for problem in verify(workspace)]


def test_an_untouched_workspace_agrees(path: Path) -> None:
    assert problems(path) == []


@pytest.mark.parametrize(
    ("statement", "complaint"),
    [
        ("UPDATE revisions SET body = replace(body, 'warm', 'cold')", "content hash does not fit"),
        ("UPDATE revisions SET author = 'eve' WHERE number = 2", "its hash does not fit"),
        ("UPDATE revisions SET parent = 'sha256:0' WHERE number = 2", "does not follow the revision before it"),
        ("UPDATE revisions SET body = '{' WHERE number = 2", "cannot be read"),
        (
            "UPDATE samples SET head = (SELECT id FROM revisions WHERE number = 1 LIMIT 1)",
            "does not point to its newest",
        ),
        ("UPDATE samples SET state = 'accepted'", "is accepted, but the audit log says"),
        ("UPDATE samples SET query = 'other'", "differs from its newest revision: query"),
        ("UPDATE audit SET actor = 'eve' WHERE number = 3", "audit entry 3: was changed"),
        ("UPDATE audit SET detail = '{' WHERE number = 2", "audit entry 2: cannot be read"),
        ("DELETE FROM audit WHERE number = 3", "does not follow the entry before it"),
        ("DELETE FROM audit WHERE number = (SELECT max(number) FROM audit)", "is submitted, but the audit log says"),
        ('UPDATE audit SET detail = \'{"a":"\\ud800"}\' WHERE number = 2', "audit entry 2: cannot be read"),
        pytest.param(
            "UPDATE audit SET at = x'00' WHERE number = 2", "audit entry 2: cannot be read", marks=pytest.mark.sqlite
        ),
        (f"UPDATE audit SET detail = '{100_000 * '['}' WHERE number = 2", "cannot be read"),
        (f"UPDATE revisions SET body = '{100_000 * '['}' WHERE number = 2", "cannot be read"),
        ("DELETE FROM reviews", "a review of sample"),
        ("UPDATE reviews SET sample_id = (SELECT id FROM samples WHERE added = 2)", "its list entry differs from it"),
        ("DELETE FROM revisions WHERE number = 2", "is in the audit log, but gone"),
        ("UPDATE samples SET image_id = (SELECT image_id FROM samples WHERE added = 2)", "newest revision: image_id"),
        ("UPDATE samples SET added = added + 5", "is number 6 in the list, expected 1"),
        ("UPDATE images SET file_name = 'other.png'", "its record is not the one in the audit log"),
        ("DELETE FROM revisions WHERE number = 2", "does not point to its newest revision"),
        ("UPDATE images SET body = replace(body, 'PNG', 'GIF')", "its record is not the one in the audit log"),
        (
            "UPDATE releases SET body = replace(body, 'any', 'accepted')",
            "v1: its record is not the one in the audit log",
        ),
        ("UPDATE releases SET body = '{'", "release v1: cannot be read"),
        ("UPDATE releases SET name = 'v2'", "its record is of another release, v1"),
        ("DELETE FROM releases", "release v1: is in the audit log, but gone"),
        (
            "DELETE FROM release_items WHERE sample_id = (SELECT max(id) FROM samples)",
            "entries give another hash than its own",
        ),
        ("DELETE FROM release_items", "its entries are 0 samples of 0 images, its record counts otherwise"),
        ("UPDATE release_items SET split = 'test'", "give another hash than its own"),
        ("UPDATE release_items SET split = 'none'", "its entry cannot be read"),
        ("UPDATE release_items SET content = 'sha256:0'", "its entry differs from revision"),
        ("UPDATE release_items SET image_id = (SELECT max(image_id) FROM samples)", "its entry names image"),
        ("UPDATE release_items SET revision_id = 'sha256:0'", "its entry differs from revision sha256:0"),
    ],
    ids=lambda text: text[:60],
)
def test_every_tampering_is_found(path: Path, statement: str, complaint: str) -> None:
    tamper(path, statement)
    found = problems(path)
    assert any(complaint in problem for problem in found), found


def test_an_image_on_two_sides_is_found(path: Path) -> None:
    with Workspace.open(path) as workspace:
        freeze(workspace, "v2")
    statement = (
        "UPDATE release_items SET split = 'test' WHERE release = 'v2' AND sample_id = (SELECT max(id) FROM samples)"
    )
    tamper(path, statement)
    assert any("is in test, and elsewhere in train" in problem for problem in problems(path))


def test_a_sample_that_was_removed_with_all_its_traces_but_the_log_is_missed(path: Path) -> None:
    key = "(SELECT id FROM samples WHERE added = 2)"
    tamper(path, f"DELETE FROM revisions WHERE sample_id = {key}", "DELETE FROM samples WHERE added = 2")
    assert any("a revision of sample" in problem and "but gone" in problem for problem in problems(path))


def test_a_changed_and_a_missing_image_file_are_found(path: Path) -> None:
    files = sorted((path / "images").glob("??/*"))
    files[0].write_bytes(b"something else")
    files[1].unlink()
    found = problems(path)
    assert any("its file was changed" in problem for problem in found)
    assert any("its file is missing" in problem for problem in found)


@pytest.mark.sqlite
def test_a_damaged_database_page_is_an_error_of_ours(path: Path) -> None:
    database = path / "whyseg.db"
    data = bytearray(database.read_bytes())
    data[4096 : len(data)] = bytes(len(data) - 4096)  # everything but the first page
    database.write_bytes(data)
    try:
        found = problems(path)
    except CorruptStore as error:
        found = [str(error)]
    assert found


@pytest.mark.sqlite
@pytest.mark.parametrize(
    ("statement", "complaint"),
    [
        ("UPDATE sample_words_content SET c1 = 'x'", "is not found by what its question and file name say"),
        ("DELETE FROM sample_words WHERE rowid = 2", "is not found by what its question and file name say"),
        (
            "INSERT INTO sample_words (rowid, query) VALUES (9, 'what else?')",
            "search index, row 9: stands for no sample",
        ),
        ("DROP TRIGGER sample_words_changed", "search index: does not follow what is written"),
        ("DELETE FROM sample_words_data WHERE id > 10", "search index: cannot be read: "),
        ("DROP TABLE sample_words", "search index: cannot be read: no such table"),
        ("DROP TABLE sample_words_config", "search index: cannot be read: "),
        ("UPDATE sample_words_data SET block = randomblob(40)", "search index: cannot be read: "),
    ],
)
def test_a_wrong_search_index_is_told_and_made_anew(path: Path, statement: str, complaint: str) -> None:
    tamper(path, statement)
    told = problems(path)
    assert any(complaint in line for line in told), told
    assert all(line.endswith("whyseg verify --reindex makes the index anew") for line in told)
    with Workspace.open(path) as workspace:
        assert remake(workspace.store.database)
    assert problems(path) == []
