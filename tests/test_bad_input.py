"""Bad input, one test for each thing that may come in: each is refused by its name with a reason, or taken in whole."""

import io
import os
import random
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from tests.pictures import STORED, encoded, pixels, png, turned
from tests.ui.support import make_clicks
from whyseg.curation import verify
from whyseg.curation.images import examine, read_upright
from whyseg.curation.importing import import_images
from whyseg.curation.queries import SampleFilter
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Instance, Mask, Origin, Sample
from whyseg.schemas.errors import InvalidRecord, RefusedImage, SizeMismatch, StoreUnavailable
from whyseg.ui.server import build_api

GOOD = encoded(pixels())
PHOTO = encoded(pixels(24, 32), "JPEG")


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace.create(tmp_path / "w") as opened:
        yield opened


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder with one good picture; what else a test puts there must not keep that one out."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "good.png").write_bytes(GOOD)
    return tmp_path / "in"


def refused(workspace: Workspace, source: Path) -> dict[str, str]:
    """Import, check that the good picture alone came in and nothing is half-written; return the reasons by file."""
    report = import_images(workspace, source, author="ann")
    samples = workspace.store.page(SampleFilter()).samples
    assert [Path(sample.file_name).name for sample in samples] == ["good.png"]
    assert [key for key in workspace.blobs.keys()] == [samples[0].image_id]
    assert verify.verify(workspace) == []
    return {refusal.file: refusal.reason for refusal in report.refused}


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("text.jpg", b"I am a picture", "not a picture"),
        ("page.png", b"<!doctype html><html>", "not a picture"),
        ("empty.jpg", b"", "the file is empty"),
        ("document.jpg", b"%PDF-1.7\n" + bytes(50), "PDF is not taken in"),
        ("archive.png", b"PK\3\4" + bytes(50), "ZIP is not taken in"),
        ("header.png", b"\x89PNG\r\n\x1a\n", "its header is broken"),
        ("header.jpg", b"\xff\xd8\xff\xe0", "not a picture"),
    ],
)
def test_what_is_not_what_it_claims(workspace: Workspace, source: Path, name: str, data: bytes, reason: str) -> None:
    (source / name).write_bytes(data)
    assert reason in refused(workspace, source)[name]


def test_truncated_pictures(workspace: Workspace, source: Path) -> None:
    names = []
    for suffix, data in (("jpg", PHOTO), ("png", encoded(pixels(24, 32))), ("webp", encoded(pixels(24, 32), "WEBP"))):
        for tenths in range(1, 10):
            names.append(f"{tenths}.{suffix}")
            (source / names[-1]).write_bytes(data[: len(data) * tenths // 10])
    reasons = refused(workspace, source)
    assert sorted(reasons) == sorted(names)
    assert "truncated" in reasons["5.jpg"].lower()
    assert "truncated" in reasons["5.png"].lower()


def test_decompression_bombs(workspace: Workspace, source: Path) -> None:
    (source / "header.png").write_bytes(png(2**31 - 1, 2**31 - 1, b""))
    (source / "zeros.png").write_bytes(png(20_000, 20_000, bytes(1000)))
    (source / "long.png").write_bytes(png(70_000, 1, bytes(1 + 210_000)))
    gif = bytearray(encoded(pixels(), "GIF"))
    gif[6:10] = b"\xff\xff\xff\xff"  # the screen's width and height
    (source / "screen.gif").write_bytes(gif)
    reasons = refused(workspace, source)
    assert sorted(reasons) == ["header.png", "long.png", "screen.gif", "zeros.png"]
    assert all("over the limit" in reason for reason in reasons.values())


def test_path_tricks_in_an_archive(workspace: Workspace, tmp_path: Path) -> None:
    tricks = ["../up.png", "/absolute.png", "C:/drive.png", "a/../../up.png", "..\\back.png", "inner.zip"]
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
        for name in tricks:
            archive.writestr(name, encoded(pixels(seed=1)))
        link = zipfile.ZipInfo("link.png")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("good.png", GOOD)
    assert sorted(refused(workspace, tmp_path / "in.zip")) == sorted([*tricks, "link.png"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.zip", "w"]


def test_an_archive_bomb(workspace: Workspace, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "in.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.bmp", bytes(50_000_000))
        archive.writestr("good.png", GOOD)
    assert "no picture compresses so well" in refused(workspace, tmp_path / "in.zip")["bomb.bmp"]


def test_links_out_of_a_folder(workspace: Workspace, source: Path) -> None:
    (source / "passwd.png").symlink_to("/etc/passwd")
    (source / "etc").symlink_to("/etc")
    assert refused(workspace, source) == {
        "passwd.png": "a link that leaves the folder",
        "etc": "a link that leaves the folder",
    }


@pytest.mark.parametrize(
    "name",
    ["${alert(1)}.png", "<img src=x onerror=alert(1)>.png", "{{7*7}}.png", "'; DROP TABLE image; --.png", "-w.png"],
)
def test_a_hostile_name_is_a_name(workspace: Workspace, tmp_path: Path, name: str) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / name).write_bytes(GOOD)
    assert import_images(workspace, tmp_path / "in", author="ann").added == 1
    assert workspace.store.page(SampleFilter()).samples[0].file_name == name


def test_a_name_that_cannot_be_printed_is_escaped(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number, name in enumerate((b"a\nb.png", b"b\x1b[2J.png", b"c\xff.png", b"d" * 240 + b".png")):
        (tmp_path / "in" / os.fsdecode(name)).write_bytes(encoded(pixels(seed=number)))
    (tmp_path / "in" / os.fsdecode(b"e\xff\n.png")).write_bytes(b"x")
    report = import_images(workspace, tmp_path / "in", author="ann")
    names = [sample.file_name for sample in workspace.store.page(SampleFilter()).samples]
    assert names == [r"a\nb.png", r"b\x1b[2J.png", r"c\udcff.png", "d" * 240 + ".png"]
    assert [refusal.file for refusal in report.refused] == [r"e\udcff\n.png"]


def test_a_mask_that_is_not_of_the_images_size(workspace: Workspace, source: Path) -> None:
    import_images(workspace, source, author="ann")
    (row,) = workspace.store.page(SampleFilter()).samples
    head = workspace.store.head(row.id)
    mask = Mask.encode(np.ones((8, 6), bool))  # the picture is 6 high and 8 wide
    instance = Instance(id=1, mask=mask, origin=Origin(kind="brush"))
    with pytest.raises(InvalidRecord, match=r"8×6 .* 6×8"):
        Sample.parse({**head.sample.plain(), "instances": [instance.plain()]})
    # a sample that was not validated, and one that agrees with its own false size, stop at the store
    unchecked = head.sample.model_copy(update={"instances": (instance,)})
    elsewhere = Sample.parse({**head.sample.plain(), "size": (8, 6), "instances": [instance.plain()]})
    for sample in (unchecked, elsewhere):
        with pytest.raises((SizeMismatch, ValueError), match=r"8.*6"):
            workspace.store.revise(row.id, sample, parent=head.revision.id, author="ann")
    assert workspace.store.head(row.id) == head


@pytest.mark.parametrize("size", [(8, 6), (6, 9), (12, 16), (0, 0), (65_536, 1), (-6, -8)])
def test_a_mask_of_another_size_over_http(workspace: Workspace, source: Path, size: tuple[int, int]) -> None:
    import_images(workspace, source, author="ann")
    (row,) = workspace.store.page(SampleFilter()).samples
    head = workspace.store.head(row.id)
    counts = Mask.encode(np.ones((6, 8), bool)).counts  # run lengths of 48 pixels, that 8×6 has too
    instance = {"id": 1, "mask": {"size": size, "counts": counts}, "origin": {"kind": "brush"}}
    body = {"edit": "e", "parent": head.revision.id, "sample": {**head.sample.plain(), "instances": [instance]}}
    with TestClient(build_api(workspace, make_clicks(workspace), hosts=("testserver",))) as client:
        answer = client.put(f"/api/v1/samples/{row.id}", json=body)
    told = answer.json()
    assert (answer.status_code, told["error"]) == (422, "invalid_record")
    if size == (8, 6):
        assert "8×6" in told["message"]
        assert "6×8" in told["message"]
    assert workspace.store.head(row.id) == head


@pytest.mark.parametrize("counts", ["", "0", "9", "\x00", "é", "o", "PPPPPPPPPPPP0", "X1X1X1", "1" * 49])
def test_run_lengths_that_describe_no_mask(counts: str) -> None:
    with pytest.raises(InvalidRecord, match="run lengths"):
        Mask.parse({"size": (6, 8), "counts": counts})


def test_a_mask_larger_than_any_picture() -> None:
    with pytest.raises(InvalidRecord, match="65535×65535"):
        Mask.parse({"size": (65_535, 65_535), "counts": "0"})


@pytest.mark.parametrize("orientation", STORED)
def test_a_turned_picture_takes_masks_of_its_upright_size_only(
    workspace: Workspace, tmp_path: Path, orientation: int
) -> None:
    (tmp_path / "a.png").write_bytes(turned(pixels(4, 6), orientation, "PNG"))
    import_images(workspace, tmp_path / "a.png", author="ann")
    (row,) = workspace.store.page(SampleFilter()).samples
    head = workspace.store.head(row.id)
    assert read_upright(workspace.blobs.read(row.image_id), "a.png").size == head.sample.size == (4, 6)
    upright, stored = (
        {"id": 1, "mask": Mask.encode(np.ones(size, bool)).plain(), "origin": {"kind": "brush"}}
        for size in ((4, 6), (6, 4))
    )
    with pytest.raises(InvalidRecord, match=r"6×4 .* 4×6"):
        Sample.parse({**head.sample.plain(), "instances": [stored]})
    sample = Sample.parse({**head.sample.plain(), "instances": [upright]})
    assert workspace.store.revise(row.id, sample, parent=head.revision.id, author="ann").sample == sample


def test_a_workspace_that_cannot_be_written(workspace: Workspace, source: Path) -> None:
    folder = workspace.path / "images"
    folder.rmdir()
    folder.write_text("a file where the folder should be")
    with pytest.raises(StoreUnavailable, match="cannot be written"):
        import_images(workspace, source, author="ann")
    assert workspace.store.stats().samples == 0


def mutations(data: bytes, count: int, seed: int) -> Iterator[bytes]:
    """Yield broken copies: flipped bits, other bytes, cut, repeated, removed and zeroed parts; the same for a seed."""
    chance = random.Random(seed)
    for _ in range(count):
        copy = bytearray(data)
        for _ in range(chance.randint(1, 4)):
            at, length = chance.randrange(len(copy)), chance.randint(1, 24)
            match chance.randrange(6):
                case 0:
                    copy[at] ^= 1 << chance.randrange(8)
                case 1:
                    copy[at] = chance.choice((0, 1, 127, 128, 255))
                case 2:
                    del copy[at : at + length]
                case 3:
                    copy[at:at] = copy[at : at + length]
                case 4:
                    copy[at : at + length] = bytes(length)
                case _:
                    copy[at : at + 4] = chance.randbytes(4)
            if not copy:
                copy = bytearray(b"\0")
        yield bytes(copy)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("form", "options"),
    [
        ("JPEG", {}),
        ("JPEG", {"progressive": True, "exif": b"Exif\0\0MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0"}),
        ("PNG", {}),
        ("GIF", {}),
        ("WEBP", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("BMP", {}),
        ("PPM", {}),
        ("AVIF", {}),
    ],
)
def test_a_broken_picture_is_refused_or_read_but_nothing_else(form: str, options: dict[str, object]) -> None:
    taken = 0
    for data in mutations(encoded(pixels(16, 16), form, **options), 150, seed=7):
        try:
            record, _ = examine(data, "a")
        except RefusedImage:
            with pytest.raises(RefusedImage, match=r"^a: .+$"):
                read_upright(data, "a")
        else:
            picture = read_upright(data, "a")
            assert picture.pixels.shape == (*record.size, 3)
            assert picture.orientation == record.orientation
            taken += 1
    assert taken < 150


@pytest.mark.filterwarnings("ignore")
def test_a_broken_archive_is_refused_or_read_but_nothing_else(tmp_path: Path) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", GOOD)
        archive.writestr("b/c.jpg", PHOTO)
        archive.writestr("notes.txt", "hello " * 20)
    with Workspace.create(tmp_path / "w") as workspace:
        for data in mutations(file.getvalue(), 300, seed=11):
            (tmp_path / "in.zip").write_bytes(data)
            report = import_images(workspace, tmp_path / "in.zip", author="ann", dry_run=True)
            assert all(refusal.reason for refusal in report.refused)
        assert workspace.store.stats().samples == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.zip", "w"]
