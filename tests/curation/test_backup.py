import io
import json
import tarfile
import threading
from pathlib import Path

import pytest

from tests.behind import tamper
from tests.builders import filled_workspace, sample
from whyseg.curation.backup import backup, restore
from whyseg.curation.claims import Claim
from whyseg.curation.queries import SampleFilter
from whyseg.curation.verify import verify
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Query
from whyseg.schemas.errors import NotFound, RefusedArchive, StoreUnavailable, UsageError

pytestmark = pytest.mark.sqlite  # a server has its own tools


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return filled_workspace(tmp_path / "w", samples=2)


@pytest.fixture
def archive(tmp_path: Path, workspace: Workspace) -> Path:
    backup(workspace, tmp_path / "b.tar")
    return tmp_path / "b.tar"


def test_a_restored_workspace_holds_everything_and_verifies(
    tmp_path: Path, workspace: Workspace, archive: Path
) -> None:
    done = restore(archive, tmp_path / "again")
    assert (done.images, done.replaced) == (2, None)
    with Workspace.open(tmp_path / "again") as again:
        assert verify(again) == []
        assert again.store.page(SampleFilter()) == workspace.store.page(SampleFilter())
        assert [again.blobs.read(key) for key in again.store.images()] == [b"image 0", b"image 1"]


def test_a_damaged_search_index_stops_no_restore_and_is_whole_again(tmp_path: Path, workspace: Workspace) -> None:
    tamper(workspace.path, "DELETE FROM sample_words_data")
    backup(workspace, tmp_path / "damaged.tar")
    restore(tmp_path / "damaged.tar", tmp_path / "again")
    with Workspace.open(tmp_path / "again") as again:
        assert verify(again) == []
        assert again.store.page(SampleFilter(text=workspace.store.page(SampleFilter()).samples[0].file_name)).total == 1


def test_a_backup_made_while_people_write_is_consistent(tmp_path: Path, workspace: Workspace) -> None:
    stop = threading.Event()

    def write() -> None:
        key = workspace.store.page(SampleFilter()).samples[0].id
        number = 0
        while not stop.is_set():
            head = workspace.store.head(key)
            changed = head.sample.model_copy(update={"query": Query(text=f"question {number}")})
            workspace.store.revise(key, changed, parent=head.revision.id, author="ann")
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(3):
            backup(workspace, tmp_path / f"{number}.tar")
    finally:
        stop.set()
        writer.join()
    for number in range(3):
        restore(tmp_path / f"{number}.tar", tmp_path / f"again{number}")  # verifies, or raises


def test_a_workspace_is_replaced_only_on_request_and_is_kept(
    tmp_path: Path, workspace: Workspace, archive: Path
) -> None:
    key = workspace.store.page(SampleFilter()).samples[0].id
    head = workspace.store.head(key)
    asked = head.sample.model_copy(update={"query": sample(query="later").query})
    workspace.store.revise(key, asked, parent=head.revision.id, author="ann")
    workspace.close()
    with pytest.raises(UsageError, match="--replace"):
        restore(archive, workspace.path)
    done = restore(archive, workspace.path, replace=True)
    with Workspace.open(workspace.path) as restored:
        assert restored.store.head(key) == head
    assert done.replaced
    with Workspace.open(Path(done.replaced)) as former:
        assert former.store.head(key).sample == asked


def test_a_workspace_that_somebody_has_open_is_not_replaced(
    tmp_path: Path, workspace: Workspace, archive: Path
) -> None:
    before = set(tmp_path.iterdir())
    with pytest.raises(StoreUnavailable, match="is in use: end the server"):
        restore(archive, workspace.path, replace=True)
    assert set(tmp_path.iterdir()) == before
    workspace.close()
    assert restore(archive, workspace.path, replace=True).replaced


def test_nobody_opens_a_workspace_while_it_is_replaced(workspace: Workspace) -> None:
    workspace.close()
    claim = Claim(workspace.path, alone=True)
    with pytest.raises(StoreUnavailable, match="being replaced by a restore"):
        Workspace.open(workspace.path)
    claim.close()
    Workspace.open(workspace.path).close()


def test_a_folder_that_is_no_workspace_is_never_replaced(tmp_path: Path, archive: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.txt").write_text("years of work")
    with pytest.raises(UsageError, match="no workspace"):
        restore(archive, tmp_path / "home", replace=True)
    assert (tmp_path / "home" / "thesis.txt").exists()


@pytest.mark.parametrize("keep", [0.2, 0.5, 0.7, 0.8])
def test_a_backup_that_is_cut_off_is_refused_and_leaves_nothing(tmp_path: Path, archive: Path, keep: float) -> None:
    data = archive.read_bytes()
    (tmp_path / "cut.tar").write_bytes(data[: int(len(data) * keep)])
    before = set(tmp_path.iterdir())
    with pytest.raises(RefusedArchive):
        restore(tmp_path / "cut.tar", tmp_path / "again")
    assert set(tmp_path.iterdir()) == before


def test_a_flipped_bit_in_an_image_is_found(tmp_path: Path, archive: Path) -> None:
    data = archive.read_bytes().replace(b"image 1", b"image 2")
    archive.write_bytes(data)
    with pytest.raises(RefusedArchive, match="differ from the manifest"):
        restore(archive, tmp_path / "again")


def test_a_backup_of_a_tampered_workspace_is_not_restored(tmp_path: Path, workspace: Workspace) -> None:
    next(iter((workspace.path / "images").glob("??/*"))).write_bytes(b"other")
    backup(workspace, tmp_path / "b.tar")
    with pytest.raises(RefusedArchive, match="its file was changed"):
        restore(tmp_path / "b.tar", tmp_path / "again")


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "images/../../evil", "a\\..\\evil"])
def test_members_that_would_leave_the_folder_are_refused(tmp_path: Path, name: str) -> None:
    with tarfile.open(tmp_path / "evil.tar", "w") as tar:
        info = tarfile.TarInfo(name)
        info.size = 4
        tar.addfile(info, io.BytesIO(b"evil"))
    with pytest.raises(RefusedArchive, match="evil"):
        restore(tmp_path / "evil.tar", tmp_path / "again")
    assert not list(tmp_path.rglob("evil"))


def test_links_in_a_backup_are_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "evil.tar", "w") as tar:
        info = tarfile.TarInfo("whyseg.toml")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(info)
    with pytest.raises(RefusedArchive):
        restore(tmp_path / "evil.tar", tmp_path / "again")


def test_other_files_are_no_backups(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(json.dumps({}).encode() * 500)
    with pytest.raises(RefusedArchive, match="no whyseg backup"):
        restore(tmp_path / "a.tar", tmp_path / "again")
    with pytest.raises(UsageError, match="no backup"):
        restore(tmp_path / "missing.tar", tmp_path / "again")
    with pytest.raises(
        UsageError, match="no backup"
    ):  # the first thing that is wrong, in a folder that is not empty too
        restore(tmp_path / "missing.tar", tmp_path)
    with pytest.raises(UsageError, match="is not empty, and no workspace; name a new folder with --workspace"):
        restore(tmp_path / "a.tar", tmp_path)


def test_an_existing_file_is_not_overwritten_and_a_failure_leaves_nothing(tmp_path: Path, workspace: Workspace) -> None:
    (tmp_path / "b.tar").write_text("precious")
    with pytest.raises(UsageError, match="exists already"):
        backup(workspace, tmp_path / "b.tar")
    next(iter((workspace.path / "images").glob("??/*"))).unlink()
    with pytest.raises(NotFound):
        backup(workspace, tmp_path / "c.tar")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.tar", "w"]


def test_records_that_lie_elsewhere_are_not_backed_up_as_if_they_were_here(
    tmp_path: Path, workspace: Workspace
) -> None:
    workspace.close()
    (workspace.path / "whyseg.toml").write_text(f'database = "sqlite:///{tmp_path / "other.db"}"\n')
    with Workspace.open(workspace.path) as moved, pytest.raises(UsageError, match="own tool"):
        backup(moved, tmp_path / "b.tar")


def test_a_backup_whose_settings_name_another_database_touches_none(tmp_path: Path, workspace: Workspace) -> None:
    victim = tmp_path / "victim.db"
    (workspace.path / "whyseg.toml").write_text(f'database = "sqlite:///{victim}"\n')
    backup(workspace, tmp_path / "b.tar")  # opened before its settings were changed
    with pytest.raises(RefusedArchive, match="another database"):
        restore(tmp_path / "b.tar", tmp_path / "again")
    assert not victim.exists()


def test_a_backup_is_not_put_into_what_it_backs_up(workspace: Workspace) -> None:
    with pytest.raises(UsageError, match="lies in the workspace"):
        backup(workspace, workspace.path / "releases" / "b.tar")
