import io
import stat
import struct
import zipfile
from pathlib import Path

import pytest

from whyseg.curation.archives import Archive, Limits
from whyseg.schemas.errors import RefusedArchive


def zipped(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


NORMAL = Limits()


def judged(path: Path, limits: Limits = NORMAL) -> dict[str, str]:
    """Read everything: what each member holds as text, or why it is refused."""
    found = {}
    with Archive(path, limits) as archive:
        for member in archive.members():
            try:
                found[member.name] = archive.read(member).decode()
            except RefusedArchive as error:
                found[error.name] = "refused: " + error.reason
    return found


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_members_are_read_and_folders_left_out(tmp_path: Path, method: int) -> None:
    path = zipped(
        tmp_path / "a.zip", {"b/": b"", "b/two.txt": b"two", "one.txt": b"one", "./three.txt": b"three"}, method
    )
    assert judged(path) == {"b/two.txt": "two", "one.txt": "one", "./three.txt": "three"}
    with Archive(path) as archive:
        member = next(archive.members())
        assert archive.read(member, 2) == b"tw"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("/etc/passwd", "an absolute path"),
        ("C:/windows/a.jpg", "an absolute path"),
        ("c:a.jpg", "an absolute path"),
        ("../a.jpg", "leads out"),
        ("a/../../b.jpg", "leads out"),
        ("a/..", "leads out"),
        ("..\\a.jpg", "a backslash"),
        ("a\\b.jpg", "a backslash"),
        ("more.ZIP", "an archive within an archive"),
        ("more.tar.gz", "an archive within an archive"),
    ],
)
def test_a_name_that_tricks_is_refused_and_the_rest_goes_on(tmp_path: Path, name: str, reason: str) -> None:
    found = judged(zipped(tmp_path / "a.zip", {name: b"x", "good.jpg": b"good", "..jpg": b"dots"}))
    assert found.pop(name).startswith("refused: ")
    assert reason in judged(tmp_path / "a.zip")[name]
    assert found == {"good.jpg": "good", "..jpg": "dots"}


def test_a_name_with_a_zero_byte_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"a.jpgXb": b"x"})
    path.write_bytes(path.read_bytes().replace(b"a.jpgX", b"a.jpg\0"))
    assert "a zero byte" in judged(path)["a.jpg\0b"]


@pytest.mark.parametrize(("kind", "reason"), [(stat.S_IFLNK, "a link"), (stat.S_IFIFO, "no regular file")])
def test_links_and_devices_are_refused(tmp_path: Path, kind: int, reason: str) -> None:
    info = zipfile.ZipInfo("a.jpg")
    info.external_attr = (kind | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    assert reason in judged(tmp_path / "a.zip")["a.jpg"]


def test_an_encrypted_member_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"a.jpg": b"secret", "b.jpg": b"open"})
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\1\2") + 8] |= 1  # the first flag of the first directory entry
    path.write_bytes(data)
    assert judged(path) == {"a.jpg": "refused: it is encrypted", "b.jpg": "open"}


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_of_two_members_with_one_name_the_second_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.jpg", "first")
        archive.writestr("a.jpg", "second")
    with Archive(tmp_path / "a.zip") as archive2:
        first, second = archive2.members()
        assert archive2.read(first) == b"first"
        assert second.refusal == "a second member of the same name"


def test_members_that_share_their_data_are_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"a.jpg": b"x" * 100, "b.jpg": b"x" * 100, "c.jpg": b"fine"})
    data = bytearray(path.read_bytes())
    entry = data.index(b"PK\1\2", data.index(b"PK\1\2") + 1)
    data[entry + 42 : entry + 46] = struct.pack("<I", 0)  # the second entry's offset: the first member's
    path.write_bytes(data)
    found = judged(path)
    assert [text for name, text in found.items() if name != "c.jpg"] == [
        "refused: its data overlaps another member's"
    ] * 2
    assert found["c.jpg"] == "fine"


def test_bombs_are_refused_by_what_they_declare(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"zeros.png": bytes(3_000_000), "small.png": bytes(1000)})
    assert "no picture compresses so well" in judged(path)["zeros.png"]
    assert judged(path)["small.png"] == "\0" * 1000  # below the size from which the ratio counts
    assert "over the limit of 999" in judged(path, Limits(member=999))["small.png"]


def test_all_members_together_have_a_limit_too(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {f"{i}.png": b"x" * 600 for i in range(3)})
    found = judged(path, Limits(total=1500))
    assert [text[:7] for text in found.values()] == ["xxxxxxx", "xxxxxxx", "refused"]
    assert "the archive unpacks to more than 1500 bytes" in found["2.png"]


@pytest.mark.parametrize("declared", [5, 5_000])
def test_a_member_that_lies_about_its_size_is_refused(tmp_path: Path, declared: int) -> None:
    path = zipped(tmp_path / "a.zip", {"a.png": b"x" * 600})
    data = bytearray(path.read_bytes())
    entry = data.index(b"PK\1\2")
    data[entry + 24 : entry + 28] = struct.pack("<I", declared)
    path.write_bytes(data)
    assert judged(path)["a.png"].startswith("refused: ")


def test_a_broken_member_is_refused_and_the_rest_goes_on(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"a.png": b"x" * 600, "b.png": b"fine"}, zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(data)
    found = judged(path)
    assert "Bad CRC-32" in found["a.png"]
    assert found["b.png"] == "fine"


def test_an_archive_without_a_directory_is_refused_whole(tmp_path: Path) -> None:
    whole = zipped(tmp_path / "a.zip", {"a.png": b"x" * 600}).read_bytes()
    for data in (whole[:-30], whole[len(whole) // 2 :], b"", b"PK\3\4", b"hello" * 100):
        (tmp_path / "a.zip").write_bytes(data)
        with pytest.raises(RefusedArchive, match=r"a\.zip: the zip archive cannot be read"):
            list(Archive(tmp_path / "a.zip").members())


def test_an_unknown_compression_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"a.png": b"x" * 600})
    data = bytearray(path.read_bytes())
    for signature, at in ((b"PK\3\4", 8), (b"PK\1\2", 10)):
        entry = data.index(signature)
        data[entry + at : entry + at + 2] = struct.pack("<H", 97)
    path.write_bytes(data)
    assert "compression" in judged(path)["a.png"]


def test_nothing_is_written_beside_the_archive(tmp_path: Path) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("../out.txt", "x")
        archive.writestr("in/side.txt", "y")
    (tmp_path / "a.zip").write_bytes(file.getvalue())
    judged(tmp_path / "a.zip")
    assert [path.name for path in tmp_path.rglob("*")] == ["a.zip"]
    assert not (tmp_path.parent / "out.txt").exists()
