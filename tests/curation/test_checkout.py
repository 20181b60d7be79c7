import errno
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.frozen import accept, add, revised, splits
from whyseg.curation import checkout as module
from whyseg.curation.checkout import checkout
from whyseg.curation.release_checks import verify_release
from whyseg.curation.releases import Releases
from whyseg.curation.verify import verify
from whyseg.curation.workspace import Workspace
from whyseg.schemas.errors import CorruptStore, NotFound, UsageError


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace.create(tmp_path / "w") as made:
        samples = [add(made, number) for number in range(6)]
        add(made, 0, copy=True, split="validation")
        for sample in samples[:4]:
            accept(made, sample)
        Releases(made).create("early", author="ann")
        accept(made, samples[4])
        Releases(made).create("v1", author="ann")
        add(made, 99)
        revised(made, samples[5], "not in the release")
        yield made


def test_a_checkout_holds_the_release_and_nothing_else(workspace: Workspace, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    done = checkout(workspace, "v1", tmp_path / "out", author="bob", progress=lambda *counts: seen.append(counts))
    release = Releases(workspace).get("v1")
    assert (done.hash, done.samples, done.images, done.linked) == (release.hash, 5, 5, 5)
    assert seen == [(5, 5)]
    with Workspace.open(tmp_path / "out") as made:
        assert Releases(made).all() == [release]
        assert verify(made) == []
        assert verify_release(made, "v1") == []
        assert (made.store.stats().samples, made.store.stats().images) == (5, 5)
        assert splits(made, "v1") == splits(workspace, "v1")
        again = Releases(made).create("again", author="bob", states="any")
        assert again.hash == release.hash
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["out", "w"]


def test_files_are_copied_where_they_cannot_be_linked(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    assert checkout(workspace, "v1", tmp_path / "out", author="bob").linked == 0
    with Workspace.open(tmp_path / "out") as made:
        assert verify_release(made, "v1") == []


class Killed(Exception):
    """Stands for the end of the process."""


@pytest.mark.parametrize("portions", [0, 1, 2])
def test_what_a_killed_checkout_left_is_gone_on_with(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, portions: int
) -> None:
    monkeypatch.setattr(module, "_SOME", 2)

    def kill(done: int, total: int) -> None:
        if done > 2 * portions:
            raise Killed

    with pytest.raises(Killed):
        checkout(workspace, "v1", tmp_path / "out", author="bob", progress=kill)
    assert not (tmp_path / "out").exists()
    checkout(workspace, "v1", tmp_path / "out", author="bob")
    with Workspace.open(tmp_path / "out") as made:
        assert verify(made) == []
        assert Releases(made).create("again", author="bob", states="any").hash == Releases(made).get("v1").hash
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["out", "w"]


def test_a_checkout_killed_after_its_last_write_is_only_moved(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(os, "rename", killed)
        with pytest.raises(Killed):
            checkout(workspace, "v1", tmp_path / "out", author="bob")
    checkout(workspace, "v1", tmp_path / "out", author="bob")
    with Workspace.open(tmp_path / "out") as made:
        assert [release.name for release in Releases(made).all()] == ["v1"]


def test_a_place_that_is_taken_is_refused_and_an_empty_one_is_not(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="is not empty"):
        checkout(workspace, "v1", tmp_path / "full", author="bob")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["full", "w"]
    with pytest.raises(NotFound, match="no release v9"):
        checkout(workspace, "v9", tmp_path / "out", author="bob")
    (tmp_path / "empty").mkdir()
    checkout(workspace, "v1", tmp_path / "empty", author="bob")
    with pytest.raises(UsageError, match="is not empty"):
        checkout(workspace, "v1", tmp_path / "empty", author="bob")


def test_a_missing_picture_is_named_and_nothing_appears(workspace: Workspace, tmp_path: Path) -> None:
    image_id = Releases(workspace).items("v1")[0].image_id
    workspace.blobs.path(image_id).unlink()
    with pytest.raises(CorruptStore, match=f"image {image_id}: its file is missing"):
        checkout(workspace, "v1", tmp_path / "out", author="bob")
    assert not (tmp_path / "out").exists()


def test_a_changed_picture_is_named_and_nothing_appears(workspace: Workspace, tmp_path: Path) -> None:
    image_id = Releases(workspace).items("v1")[0].image_id
    with workspace.blobs.path(image_id).open("ab") as file:
        file.write(b"!")
    with pytest.raises(CorruptStore, match=f"image {image_id}: its file was changed"):
        checkout(workspace, "v1", tmp_path / "out", author="bob")
    assert not (tmp_path / "out").exists()


def test_a_sample_that_is_not_what_was_frozen_is_not_checked_out(workspace: Workspace, tmp_path: Path) -> None:
    with workspace.store.database.write() as session:
        session.execute(text("UPDATE revisions SET body = replace(body, 'what is 1?', 'who is 1?')"))
    with pytest.raises(CorruptStore, match="is not what was frozen"):
        checkout(workspace, "v1", tmp_path / "out", author="bob")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_process_that_is_killed_at_any_moment_leaves_what_the_next_one_finishes(tmp_path: Path) -> None:
    with Workspace.create(tmp_path / "w") as workspace:
        for number in range(300):
            add(workspace, number)
        release = Releases(workspace).create("v1", author="ann", states="any")
    command = [sys.executable, "-m", "whyseg", "release", "checkout", "v1", "out", "-w", "w"]
    for folder in range(4):
        process = subprocess.Popen(command, cwd=tmp_path)
        while process.poll() is None and len(list(tmp_path.glob(".out.*/images/*"))) < 60 * folder:
            time.sleep(0.001)
        process.kill()
        if process.wait() == 0:
            break  # it was faster
    else:
        assert not (tmp_path / "out").exists()
        subprocess.run(command, cwd=tmp_path, check=True)
    with Workspace.open(tmp_path / "out") as made:
        assert verify(made) == []
        assert Releases(made).create("again", author="bob", states="any").hash == release.hash
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["out", "w"]
