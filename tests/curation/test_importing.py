import errno
import os
import socket
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import event

from tests.pictures import encoded, pixels, turned
from whyseg.curation import intake, sources, verify
from whyseg.curation.importing import import_images
from whyseg.curation.intake import ImportReport
from whyseg.curation.queries import SampleFilter
from whyseg.curation.sources import Refusal
from whyseg.curation.workspace import Workspace
from whyseg.schemas.errors import StoreUnavailable, UsageError


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace.create(tmp_path / "w") as opened:
        yield opened


def picture(number: int, form: str = "PNG") -> bytes:
    return encoded(pixels(seed=number), form)


def folder(path: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


def names(workspace: Workspace) -> list[str]:
    return [row.file_name for row in workspace.store.page(SampleFilter(), limit=1000).samples]


def counts(report: ImportReport) -> tuple[int, int, int, int]:
    return report.added, report.skipped, report.ignored, len(report.refused)


def test_a_folder_comes_in_with_its_sub_folders_in_the_order_of_names(workspace: Workspace, tmp_path: Path) -> None:
    source = folder(
        tmp_path / "in",
        {"b/2.png": picture(2), "b/a/3.jpg": picture(3, "JPEG"), "a.png": picture(1), "c/4.png": picture(4)},
    )
    report = import_images(workspace, source, author="ann", license="CC0-1.0")
    assert counts(report) == (4, 0, 0, 0)
    assert names(workspace) == ["a.png", "b/2.png", "b/a/3.jpg", "c/4.png"]
    for row in workspace.store.page(SampleFilter()).samples:
        image, head = workspace.store.image(row.image_id), workspace.store.head(row.id)
        assert (image.license, image.size, head.sample.size) == ("CC0-1.0", (6, 8), (6, 8))
        assert (head.sample.source, head.sample.source_record, head.state) == ("images", "", "draft")
        assert head.revision.author == "ann"
        assert workspace.blobs.read(image.id) == (source / image.file_name).read_bytes()
    assert verify.verify(workspace) == []


def test_a_second_run_adds_nothing_and_changes_nothing(workspace: Workspace, tmp_path: Path) -> None:
    source = folder(tmp_path / "in", {"a.png": picture(1), "b.png": picture(2), "copy of a.png": picture(1)})
    assert counts(import_images(workspace, source, author="ann")) == (2, 1, 0, 0)
    before = workspace.store.audit_log()
    assert counts(import_images(workspace, source, author="ben", license="other")) == (0, 3, 0, 0)
    assert workspace.store.audit_log() == before


def test_pictures_recorded_together_come_in_once_and_in_order(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "TOGETHER", 2)
    source = folder(tmp_path / "in", {f"{i}.png": picture(i % 5) for i in range(10)})  # 5–9 repeat 0–4
    assert counts(import_images(workspace, source, author="ann")) == (5, 5, 0, 0)
    assert names(workspace) == [f"{i}.png" for i in range(5)]
    assert verify.verify(workspace) == []


def test_the_database_is_asked_for_many_pictures_at_once(workspace: Workspace, tmp_path: Path) -> None:
    source = folder(tmp_path / "in", {f"{i:02}.png": picture(i) for i in range(intake.TOGETHER)})
    asked = list[str]()
    event.listen(
        workspace.store.database.engine, "before_cursor_execute", lambda *told: asked.append(told[2].split()[0])
    )
    assert import_images(workspace, source, author="ann").added == intake.TOGETHER
    # Contents, images and samples that are known, the last sample's place and the last link of the audit chain.
    assert asked.count("SELECT") <= 6
    assert asked.count("INSERT") == 5  # images, samples, revisions; links of the audit chain for each of the former two


def test_what_is_no_picture_is_ignored_and_what_claims_to_be_one_is_refused(
    workspace: Workspace, tmp_path: Path
) -> None:
    source = folder(
        tmp_path / "in",
        {
            "a.png": picture(1),
            "photo.jpg_large": picture(2, "JPEG"),  # no picture by name, but by content
            "labels.json": b"{}",
            "notes.txt": b"BM",
            "Thumbs.db": b"\xd0\xcf\x11\xe0",
            ".hidden.png": picture(3),
            ".git/objects/x.png": picture(4),
            "__MACOSX/._a.png": b"\0\5\x16\7",
            "broken.jpg": b"\xff\xd8\xff nothing",
            "drawing.svg": b"<svg/>",
            "phone.heic": b"\0\0\0\x18ftypheic",
            "camera.nef": encoded(pixels(), "TIFF"),
        },
    )
    report = import_images(workspace, source, author="ann")
    assert names(workspace) == ["a.png", "photo.jpg_large"]
    assert report.ignored == 6  # three side files and three hidden entries, a hidden folder being one
    assert [refusal.file for refusal in report.refused] == ["broken.jpg", "camera.nef", "drawing.svg", "phone.heic"]
    assert all(refusal.reason for refusal in report.refused)


def test_a_file_that_is_named_is_meant_as_a_picture(workspace: Workspace, tmp_path: Path) -> None:
    source = folder(tmp_path, {"notes.txt": b"hello", "photo": picture(1), ".dot.png": picture(2)})
    report = import_images(workspace, source / "notes.txt", author="ann")
    assert report.refused[0].file == "notes.txt"
    assert counts(import_images(workspace, source / "photo", author="ann")) == (1, 0, 0, 0)
    assert counts(import_images(workspace, source / ".dot.png", author="ann")) == (1, 0, 0, 0)


def test_a_glob_names_files_and_two_stars_any_folder(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder(tmp_path / "in", {"a1.png": picture(1), "a2.png": picture(2), "b.png": picture(3), "c/d/e.png": picture(4)})
    assert counts(import_images(workspace, tmp_path / "in" / "a?.png", author="ann")) == (2, 0, 0, 0)
    monkeypatch.chdir(tmp_path)
    assert counts(import_images(workspace, Path("in/**/*.png"), author="ann")) == (2, 2, 0, 0)
    assert names(workspace) == ["a1.png", "a2.png", "b.png", "c/d/e.png"]
    assert counts(import_images(workspace, Path("in/*"), author="ann")) == (0, 3, 0, 0)


def test_a_file_whose_name_looks_like_a_glob_is_that_file(workspace: Workspace, tmp_path: Path) -> None:
    source = folder(tmp_path / "in", {"a[1].png": picture(1), "a1.png": picture(2)})
    import_images(workspace, source / "a[1].png", author="ann")
    assert names(workspace) == ["a[1].png"]


def test_a_zip_archive_comes_in_without_being_unpacked(workspace: Workspace, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
        archive.writestr("b/2.png", picture(2))
        archive.writestr("1.png", picture(1))
        archive.writestr("b/notes.txt", b"hello")
        archive.writestr("__MACOSX/b/._2.png", b"\0")
        archive.writestr("../3.png", picture(3))
        archive.writestr("broken.png", picture(4)[:40])
    report = import_images(workspace, tmp_path / "in.zip", author="ann")
    assert names(workspace) == ["b/2.png", "1.png"]
    assert counts(report) == (2, 0, 2, 2)
    assert [refusal.file for refusal in report.refused] == ["../3.png", "broken.png"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.zip", "w"]


def test_a_broken_archive_is_one_refusal(workspace: Workspace, tmp_path: Path) -> None:
    folder(tmp_path, {"in.zip": b"PK\3\4 and nothing more"})
    report = import_images(workspace, tmp_path / "in.zip", author="ann")
    assert counts(report) == (0, 0, 0, 1)
    assert report.refused[0].file == "in.zip"


def test_links_that_leave_the_folder_are_refused_and_others_followed_once(workspace: Workspace, tmp_path: Path) -> None:
    folder(tmp_path / "out", {"secret.png": picture(1)})
    source = folder(tmp_path / "in", {"a.png": picture(2), "b/c.png": picture(3)})
    (source / "leaves.png").symlink_to(tmp_path / "out" / "secret.png")
    (source / "folder").symlink_to(tmp_path / "out")
    (source / "nowhere.png").symlink_to(tmp_path / "gone.png")
    (source / "again.png").symlink_to("a.png")
    (source / "b" / "loop").symlink_to(source)
    (source / "b" / "itself.png").symlink_to("itself.png")
    report = import_images(workspace, source, author="ann")
    assert names(workspace) == ["a.png", "b/c.png"]
    assert [(refusal.file, refusal.reason) for refusal in report.refused] == [
        ("folder", "a link that leaves the folder"),
        ("leaves.png", "a link that leaves the folder"),
        ("nowhere.png", "a link that leads nowhere"),
        ("b/itself.png", "a link that leads nowhere"),
    ]
    matched = import_images(workspace, tmp_path / "in" / "l*.png", author="ann")
    assert [refusal.file for refusal in matched.refused] == ["leaves.png"]
    # what the user names is followed
    assert import_images(workspace, source / "leaves.png", author="ann").added == 1


def test_pipes_and_sockets_are_not_opened(workspace: Workspace, tmp_path: Path) -> None:
    source = folder(tmp_path / "in", {"a.png": picture(1)})
    os.mkfifo(source / "pipe.png")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(source / "s.png"))
        assert counts(import_images(workspace, source, author="ann")) == (1, 0, 2, 0)
    with pytest.raises(UsageError, match="neither a file nor a folder"):
        import_images(workspace, source / "pipe.png", author="ann")


def test_what_does_not_exist_is_wrong_use(workspace: Workspace, tmp_path: Path) -> None:
    for path, text in ((tmp_path / "no", "does not exist"), (tmp_path / "*.png", "matches no file")):
        with pytest.raises(UsageError, match=text):
            import_images(workspace, path, author="ann")


def test_a_dry_run_decides_the_same_and_writes_nothing(workspace: Workspace, tmp_path: Path) -> None:
    source = folder(
        tmp_path / "in",
        {"a.png": picture(1), "b.png": picture(1), "c.jpg": picture(2), "bad.png": b"x", "t.txt": b""},
    )
    before = sorted(tmp_path.rglob("*"))
    dry = import_images(workspace, source, author="ann", dry_run=True)
    assert (counts(dry), dry.dry_run, dry.findings) == ((2, 1, 1, 1), True, 0)
    assert [note.file for note in dry.notes] == ["c.jpg"]
    assert sorted(tmp_path.rglob("*")) == before
    assert names(workspace) == []
    real = import_images(workspace, source, author="ann")
    assert (counts(real), real.notes, real.refused) == (counts(dry), dry.notes, dry.refused)
    assert counts(import_images(workspace, source, author="ann", dry_run=True)) == (0, 3, 1, 1)


def test_a_note_becomes_a_finding_on_its_sample(workspace: Workspace, tmp_path: Path) -> None:
    source = folder(tmp_path / "in", {"a.gif": encoded(pixels(), "PNG")})
    report = import_images(workspace, source, author="ann")
    (finding,) = workspace.store.findings()
    (row,) = workspace.store.page(SampleFilter()).samples
    assert (finding.sample_id, finding.image_id, finding.severity) == (row.id, row.image_id, "info")
    assert report.notes[0].note == finding.message == "the name says GIF, the content is PNG"
    assert report.findings == 1


def test_the_sample_of_a_turned_picture_has_the_upright_size(workspace: Workspace, tmp_path: Path) -> None:
    import_images(workspace, folder(tmp_path / "in", {"a.jpg": turned(pixels(4, 6), 6, "JPEG")}), author="ann")
    (row,) = workspace.store.page(SampleFilter()).samples
    assert workspace.store.head(row.id).sample.size == (4, 6)


def test_an_interrupted_import_keeps_what_is_whole_and_goes_on_later(workspace: Workspace, tmp_path: Path) -> None:
    source = folder(tmp_path / "in", {f"{i}.png": picture(i) for i in range(6)})

    def stop(name: str) -> None:
        if name == "3.png":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_images(workspace, source, author="ann", progress=stop)
    assert names(workspace) == ["0.png", "1.png", "2.png"]
    assert verify.verify(workspace) == []
    assert counts(import_images(workspace, source, author="ann")) == (3, 3, 0, 0)


def test_a_full_disk_stops_the_import_and_leaves_whole_pictures(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = folder(tmp_path / "in", {f"{i}.png": picture(i) for i in range(4)})
    refused = {picture(2), picture(3)}  # the disk says so when it is to be waited for
    real = os.fsync

    def full(handle: int) -> None:
        if Path(f"/proc/self/fd/{handle}").is_file() and Path(f"/proc/self/fd/{handle}").read_bytes() in refused:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(handle)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreUnavailable, match="No space left"):
        import_images(workspace, source, author="ann")
    monkeypatch.undo()
    assert names(workspace) == ["0.png", "1.png"]
    assert not list((tmp_path / "w" / "images").rglob(".new-*"))
    assert verify.verify(workspace) == []
    assert counts(import_images(workspace, source, author="ann")) == (2, 2, 0, 0)


def test_a_file_that_cannot_be_read_is_refused(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = folder(tmp_path / "in", {"a.png": picture(1), "gone.png": picture(2), "huge.png": picture(3)})
    real = Path.open

    def refusing(path: Path, mode: str = "r") -> object:
        if path.name == "gone.png":
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(path, mode)

    monkeypatch.setattr(Path, "open", refusing)
    monkeypatch.setattr(sources, "MAX_FILE_BYTES", 2 * len(picture(1)))
    (source / "huge.png").write_bytes(bytes(1000))
    report = import_images(workspace, source, author="ann")
    assert report.refused == (
        Refusal(file="gone.png", reason="cannot be read: Permission denied"),
        Refusal(file="huge.png", reason=f"1000 bytes are over the limit of {2 * len(picture(1))}"),
    )


def test_reports_add_up() -> None:
    one = ImportReport(added=1, skipped=2, refused=(Refusal(file="a", reason="b"),))
    two = ImportReport(added=10, ignored=5, dry_run=True)
    total = ImportReport(added=11, skipped=2, ignored=5, refused=(Refusal(file="a", reason="b"),), dry_run=True)
    assert one + two == total


def test_an_import_removes_what_a_killed_one_had_not_finished(tmp_path: Path, workspace: Workspace) -> None:
    left = workspace.path / "images" / "ab" / ".new-x"
    left.parent.mkdir()
    left.write_bytes(b"half a pict")
    os.utime(left, (0, 0))
    source = folder(tmp_path / "in", {"a.png": picture(1)})
    import_images(workspace, source, author="ann", dry_run=True)
    assert left.exists()
    import_images(workspace, source, author="ann")
    assert not left.exists()
