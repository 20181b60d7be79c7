from pathlib import Path

import pytest

from tests.behind import copied, tamper
from tests.frozen import add, revised
from whyseg.curation.release_checks import verify_release
from whyseg.curation.releases import Releases
from whyseg.curation.verify import verify
from whyseg.curation.workspace import Workspace
from whyseg.schemas import release_hash
from whyseg.schemas.errors import CorruptStore, NotFound


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("whole") / "w"
    with Workspace.create(made) as workspace:
        samples = [add(workspace, number) for number in range(3)]
        Releases(workspace).create("v1", author="ann", states="any")
        revised(workspace, samples[0], "what is it now?")
    return made


@pytest.fixture
def path(whole: Path, tmp_path: Path) -> Path:
    return copied(whole, tmp_path / "w")


def found_after(path: Path, *statements: str) -> list[str]:
    """Run statements behind the store's back; return what verification of the release then says."""
    tamper(path, *statements)
    with Workspace.open(path) as workspace:
        return verify_release(workspace, "v1")


def test_an_untouched_release_agrees_also_when_its_samples_went_on(path: Path) -> None:
    seen: list[tuple[int, int]] = []
    with Workspace.open(path) as workspace:
        assert verify_release(workspace, "v1", lambda *counts: seen.append(counts)) == []
        assert verify(workspace) == []
        with pytest.raises(NotFound, match="no release v2"):
            verify_release(workspace, "v2")
    assert seen == [(3, 3)]


@pytest.mark.parametrize(
    ("statement", "complaints"),
    [
        (
            "UPDATE revisions SET body = replace(body, 'what is 1?', 'who is 1?')",
            ["its content was changed: the content hash does not fit", "its revisions' content gives another hash"],
        ),
        ("UPDATE revisions SET author = 'eve'", ["its revision was changed: the hash does not fit"]),
        ("UPDATE revisions SET body = '{' WHERE number = 1", ["cannot be read", "content gives another hash"]),
        ("DELETE FROM revisions", ["is gone", "its entry differs from revision"]),
        ("UPDATE release_items SET split = 'validation'", ["entries give another hash", "its record counts otherwise"]),
        (
            "UPDATE release_items SET image_id = (SELECT max(id) FROM images)",
            ["its entry names image", "its revision is about another sample or image"],
        ),
        ("DELETE FROM release_items", ["its entries are 0 samples of 0 images"]),
        ("UPDATE releases SET body = replace(body, 'ann', 'eve')", ["not the one in the audit log"]),
        ("DELETE FROM audit WHERE action = 'release'", ["not the one in the audit log"]),
        ("UPDATE audit SET actor = 'eve' WHERE action = 'release'", ["was changed: its hash does not fit"]),
    ],
)
def test_every_tampering_is_found(path: Path, statement: str, complaints: list[str]) -> None:
    found = found_after(path, statement)
    for complaint in complaints:
        assert any(complaint in problem for problem in found), found
    assert all("\n" not in problem for problem in found)


def test_a_change_that_fits_everywhere_but_in_the_log_is_found(path: Path) -> None:
    with Workspace.open(path) as workspace:
        release = Releases(workspace).get("v1")
        items = [item.model_copy(update={"split": "test"}) for item in Releases(workspace).items("v1")]
    counts = {"hash": release_hash(items), "splits": {"train": 0, "validation": 0, "test": 3}}
    body = release.model_copy(update=counts).model_dump_json()
    found = found_after(path, "UPDATE release_items SET split = 'test'", f"UPDATE releases SET body = '{body}'")
    assert found == ["its record is not the one in the audit log"]


def test_pictures_that_are_changed_or_missing_are_named(path: Path) -> None:
    first, second, _ = sorted((path / "images").glob("??/*"))
    first.write_bytes(b"something else")
    second.unlink()
    found = found_after(path, "SELECT 1")
    assert len(found) == 2
    assert any(f"image {first.name}: its file was changed" in problem for problem in found)
    assert any(f"image {second.name}: no image file" in problem for problem in found)


def test_a_record_that_cannot_be_read_is_an_error_of_ours(path: Path) -> None:
    with pytest.raises(CorruptStore, match="release v1 cannot be read"):
        found_after(path, "UPDATE releases SET body = '{'")
