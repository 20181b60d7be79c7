from pathlib import Path

import numpy as np
import pytest

from tests.pictures import encoded, pixels
from tests.ui.support import add_picture
from whyseg.curation import fingerprints as module
from whyseg.curation.fingerprints import FILE, fingerprints
from whyseg.curation.images import RgbArray, read_reduced
from whyseg.curation.similarity import fingerprint
from whyseg.curation.workspace import Workspace
from whyseg.schemas.errors import CorruptStore, RefusedImage


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.create(tmp_path / "w")


def fill(workspace: Workspace, count: int) -> list[str]:
    return [add_picture(workspace, encoded(pixels(20, 30, seed=k)), f"{k}.png").image_id for k in range(count)]


def test_fingerprints_come_in_the_order_asked_for_and_are_those_of_the_pictures(workspace: Workspace) -> None:
    ids = fill(workspace, 3)
    found = fingerprints(workspace, [ids[2], ids[0], ids[2]])
    assert [one.tobytes() for one in found] == [fingerprint(pixels(20, 30, seed=k)).tobytes() for k in (2, 0, 2)]


def test_a_picture_is_decoded_once(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = fill(workspace, 5)
    seen: list[tuple[int, int]] = []
    monkeypatch.setattr(module, "_TOGETHER", 2)
    first = fingerprints(workspace, ids[:4], lambda done, total: seen.append((done, total)))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    monkeypatch.setattr(module, "read_reduced", lambda *_: pytest.fail("decoded again"))
    assert fingerprints(workspace, ids[:4]).tobytes() == first.tobytes()


def test_what_another_process_took_meanwhile_is_kept(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = fill(workspace, 2)
    real = read_reduced

    def read(data: bytes, name: str, side: int) -> RgbArray:
        monkeypatch.setattr(module, "read_reduced", real)
        fingerprints(workspace, [second])
        return real(data, name, side)

    monkeypatch.setattr(module, "read_reduced", read)
    fingerprints(workspace, [first])
    monkeypatch.setattr(module, "read_reduced", lambda *_: pytest.fail("decoded again"))
    fingerprints(workspace, [first, second])


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY broken", b"PK\x03\x04"])
def test_a_broken_cache_is_made_again(workspace: Workspace, content: bytes) -> None:
    ids = fill(workspace, 2)
    first = fingerprints(workspace, ids)
    (workspace.cache / FILE).write_bytes(content)
    assert fingerprints(workspace, ids).tobytes() == first.tobytes()
    np.save(workspace.cache / FILE, np.zeros(3))  # whole, and something else
    assert fingerprints(workspace, ids).tobytes() == first.tobytes()


def test_a_missing_and_a_broken_file_are_named(workspace: Workspace) -> None:
    missing, broken = fill(workspace, 2)
    workspace.blobs.path(missing).unlink()
    workspace.blobs.path(broken).write_bytes(b"not a picture")
    with pytest.raises(CorruptStore, match=rf"image {missing} \(0\.png\): its file is missing"):
        fingerprints(workspace, [missing])
    with pytest.raises(CorruptStore, match=rf"image {broken} \(1\.png\): its file is broken") as caught:
        fingerprints(workspace, [broken])
    assert isinstance(caught.value.__cause__, RefusedImage)
