import errno
import os
import shutil
import time
from pathlib import Path

import pytest

from tests.builders import filled_workspace, image_record
from whyseg.curation.backup import backup
from whyseg.curation.blobs import FRESH_SECONDS, Batch, Blobs
from whyseg.curation.verify import verify
from whyseg.curation.workspace import Workspace
from whyseg.schemas.errors import NotAWorkspace, NotFound, StoreUnavailable, UsageError


@pytest.mark.sqlite
def test_a_workspace_is_found_again_after_it_was_closed(tmp_path: Path) -> None:
    filled_workspace(tmp_path / "w").close()
    with Workspace.open(tmp_path / "w") as workspace:
        assert workspace.store.stats().samples == 1
    assert sorted(p.name for p in (tmp_path / "w").iterdir()) == [
        "cache",
        "images",
        "releases",
        "whyseg.db",
        "whyseg.toml",
    ]


@pytest.mark.sqlite
def test_a_workspace_that_may_only_be_read_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled_workspace(tmp_path / "w", samples=2).close()
    before = {path: path.read_bytes() for path in (tmp_path / "w").rglob("*") if path.is_file()}
    monkeypatch.setattr("os.access", lambda path, mode: mode != os.W_OK)
    with Workspace.open(tmp_path / "w") as workspace:
        assert workspace.store.stats().samples == 2
        assert verify(workspace) == []
        backup(workspace, tmp_path / "b.tar")
        with pytest.raises(StoreUnavailable, match="attempt to write a readonly database"):
            workspace.store.add_image(image_record(7), author="ann")
    assert {path: path.read_bytes() for path in (tmp_path / "w").rglob("*") if path.is_file()} == before


@pytest.mark.sqlite
def test_what_a_killed_server_wrote_last_is_read_there_or_refused_but_never_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = filled_workspace(tmp_path / "w", samples=2)
    shutil.copytree(tmp_path / "w", tmp_path / "killed")  # its newest rows are in the write-ahead log alone
    workspace.close()
    assert (tmp_path / "killed" / "whyseg.db-wal").stat().st_size > 0
    monkeypatch.setattr("os.access", lambda path, mode: mode != os.W_OK)
    with Workspace.open(tmp_path / "killed") as killed:
        assert killed.store.stats().samples == 2


def test_a_folder_that_holds_something_does_not_become_a_workspace(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="not empty"):
        Workspace.create(tmp_path)
    Workspace.create(tmp_path / "w").close()
    with pytest.raises(UsageError, match="a workspace already"):
        Workspace.create(tmp_path / "w")
    Workspace.ensure(tmp_path / "w").close()


def test_what_is_no_workspace_is_not_opened(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(NotAWorkspace, match="whyseg init"):
            Workspace.open(path)
    assert not (tmp_path / "missing").exists()


@pytest.mark.parametrize("text", ["database = 5", "colour = 'red'", "database = ", "\ufffd"])
def test_broken_settings_are_named(tmp_path: Path, text: str) -> None:
    filled_workspace(tmp_path / "w").close()
    (tmp_path / "w" / "whyseg.toml").write_text(text)
    with pytest.raises(UsageError, match=r"whyseg\.toml"):
        Workspace.open(tmp_path / "w")


@pytest.mark.sqlite
def test_a_missing_database_is_not_made_anew_silently(tmp_path: Path) -> None:
    filled_workspace(tmp_path / "w").close()
    (tmp_path / "w" / "whyseg.db").unlink()
    with pytest.raises(StoreUnavailable, match="restore"):
        Workspace.open(tmp_path / "w")


def test_a_file_is_stored_once_under_its_hash(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    # printf abc | sha256sum
    key = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert blobs.put(b"abc") == blobs.put(b"abc") == key
    assert blobs.read(key) == b"abc"
    assert list(blobs.keys()) == [key]
    (tmp_path / "new").touch()
    assert blobs.path(key).stat().st_mode == (tmp_path / "new").stat().st_mode  # colleagues can read it too
    with pytest.raises(NotFound):
        blobs.read("0" * 64)


def test_a_disk_that_refuses_leaves_no_half_file(tmp_path: Path) -> None:
    (tmp_path / "ba").write_text("a file where the folder should be")
    with pytest.raises(StoreUnavailable, match="cannot be written"):
        Blobs(tmp_path).put(b"abc")
    assert [p.name for p in tmp_path.rglob("*")] == ["ba"]


def test_files_of_a_batch_have_their_names_when_all_are_on_the_disk(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    batch = Batch(blobs)
    keys = [batch.put(data) for data in (b"a", b"b", b"a")]
    assert keys[0] == keys[2]
    assert list(blobs.keys()) == []
    assert batch.settle() == {}
    assert sorted(blobs.keys()) == sorted(set(keys))
    assert [blobs.read(key) for key in keys] == [b"a", b"b", b"a"]
    assert not list(tmp_path.rglob(".new-*"))
    assert batch.settle() == {}  # there is nothing left to do


def test_a_batch_keeps_what_the_disk_took_and_says_what_it_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs = Blobs(tmp_path)
    batch = Batch(blobs)
    good, bad = batch.put(b"good"), batch.put(b"bad")
    real = os.replace

    def replace(source: str, target: Path) -> None:
        if target.name == bad:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)
    refused = batch.settle()
    assert list(refused) == [bad]
    assert "Input/output error" in str(refused[bad])
    assert list(blobs.keys()) == [good]
    assert not list(tmp_path.rglob(".new-*"))


def test_a_workspace_whose_making_was_cut_off_can_be_made_again(tmp_path: Path) -> None:
    Workspace.create(tmp_path / "w").close()
    (tmp_path / "w" / "whyseg.toml").unlink()  # the last file that making one writes
    Workspace.create(tmp_path / "w").close()
    (tmp_path / "w" / "whyseg.toml").unlink()
    (tmp_path / "w" / "images" / "mine.jpg").write_text("but never over somebody's files")
    with pytest.raises(UsageError, match="not empty"):
        Workspace.create(tmp_path / "w")


@pytest.mark.sqlite
def test_a_path_with_a_question_mark_is_a_path(tmp_path: Path) -> None:
    filled_workspace(tmp_path / "w?mode=ro").close()
    assert (tmp_path / "w?mode=ro" / "whyseg.db").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["w?mode=ro"]


@pytest.mark.parametrize("url", ["nonsense", "postgresql+nodriver://x", "mysql://x", "postgresql://h:port/x"])
def test_a_database_that_cannot_be_reached_is_named_in_one_line(tmp_path: Path, url: str) -> None:
    filled_workspace(tmp_path / "w").close()
    (tmp_path / "w" / "whyseg.toml").write_text(f'database = "{url}"\n')
    with pytest.raises(UsageError, match="no driver"):
        Workspace.open(tmp_path / "w")


def test_records_may_lie_in_a_database_elsewhere(tmp_path: Path, new_url: str) -> None:
    with Workspace.create(tmp_path / "w", database=new_url) as workspace:
        workspace.store.add_image(image_record(), author="ann")
    with Workspace.open(tmp_path / "w") as workspace:
        assert (workspace.settings.database, workspace.store.images()) == (new_url, [image_record().id])
    assert not (tmp_path / "w" / "whyseg.db").exists()
    with pytest.raises(UsageError, match="records of a workspace already"):
        Workspace.create(tmp_path / "other", database=new_url)
    assert not (tmp_path / "other" / "whyseg.toml").exists()


@pytest.mark.parametrize("url", ["nonsense", "oracle9://host/name"])
def test_a_database_that_cannot_be_is_refused_and_the_folder_can_be_used_again(tmp_path: Path, url: str) -> None:
    with pytest.raises(UsageError, match="no driver"):
        Workspace.create(tmp_path / "w", database=url)
    Workspace.create(tmp_path / "w").close()


def test_what_a_killed_process_had_not_finished_is_removed_after_an_hour(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    key = blobs.put(b"whole")
    old, new = (blobs.path(key).with_name(f".new-{name}") for name in ("old", "new"))
    for path in (old, new, blobs.path(key)):
        path.write_bytes(b"whole")
    hour_ago = time.time() - FRESH_SECONDS - 1
    for path in (old, blobs.path(key)):
        os.utime(path, (hour_ago, hour_ago))
    assert blobs.sweep() == 1
    assert sorted(path.name for path in old.parent.iterdir()) == sorted([".new-new", key])


def test_a_folder_that_is_no_workspace_says_what_to_name_instead(tmp_path: Path) -> None:
    with pytest.raises(NotAWorkspace, match=r"--workspace, or make one with: whyseg init .*"):
        Workspace.open(tmp_path)
    with Workspace.create(tmp_path / "on top"):
        pass
    with pytest.raises(NotAWorkspace, match=r"on top is one: --workspace '.*on top'"):
        Workspace.open(tmp_path)
    with pytest.raises(NotAWorkspace, match="name its folder"):
        Workspace.open(tmp_path / "on top" / "whyseg.toml")
