import errno
import fcntl
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from sqlalchemy import update

from tests.curation.formats.released import files_of, released
from whyseg.curation import exporting
from whyseg.curation.exporting import ExportReport, Loss, Part, Row, export, plan_evenly
from whyseg.curation.releases import Releases
from whyseg.curation.tables import RevisionRow
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Release, ReleaseItem
from whyseg.schemas.errors import CorruptStore, ExportRunning, NotFound, StoreUnavailable, UsageError


class Lines:
    """A format: a file a part with a line a sample, two samples a part; the first sample of a part loses something.

    ``fail``: what is raised at the sample of that number.
    """

    format = "lines"
    limits: tuple[str, ...] = ("pictures",)

    def __init__(self, fail: BaseException | None = None, at: int = 3) -> None:
        self.fail, self.at = fail, at
        self.seen = 0
        self.finished = 0

    def options(self) -> dict[str, object]:
        return {}

    def plan(self, items: Sequence[ReleaseItem]) -> list[Part]:
        return plan_evenly(items, 2)

    def write(self, part: Part, rows: Iterator[Row], folder: Path) -> tuple[int, list[Loss]]:
        losses = list[Loss]()
        with (folder / part.name).open("w") as file:
            for row in rows:
                self.seen += 1
                if self.fail and self.seen == self.at:
                    raise self.fail
                losses = losses or [Loss(sample_id=row.sample.id, what="its first\u2028letter, é", iou=0.5)]
                file.write(f"{row.sample.id} {row.split} {len(row.reviews)} {len(row.read())}\n")
        return len(part.items), losses

    def finish(self, release: Release, parts: Sequence[Part], folder: Path) -> None:
        self.finished += 1
        (folder / "all").write_text(release.hash)


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with released(tmp_path / "w", 5, per_image=2) as opened:
        yield opened


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_an_export_has_every_sample_once_and_says_what_it_lost(workspace: Workspace, tmp_path: Path) -> None:
    steps = []
    report = export(workspace, "v1", tmp_path / "new" / "out", Lines(), progress=lambda *step: steps.append(step))
    items = Releases(workspace).items("v1")
    out = files_of(tmp_path / "new" / "out")
    assert sorted(out) == ["000000", "000001", "000002", "all", "export-report.jsonl"]
    lines = b"".join(out[f"00000{part}"] for part in range(3)).decode().splitlines()
    assert [line.split()[:2] for line in lines] == [[item.sample_id, item.split] for item in items]
    assert [loss.sample_id for loss in report.losses] == [items[0].sample_id, items[2].sample_id, items[4].sample_id]
    assert (report.samples, report.written, report.limits) == (5, 5, ("pictures",))
    assert steps == [(2, 5), (4, 5), (5, 5)]
    assert names(tmp_path / "new") == ["out"]


def test_a_failed_export_leaves_no_out_and_goes_on_to_the_same_bytes(workspace: Workspace, tmp_path: Path) -> None:
    whole = export(workspace, "v1", tmp_path / "whole", Lines())
    with pytest.raises(KeyboardInterrupt):
        export(workspace, "v1", tmp_path / "out", Lines(KeyboardInterrupt(), at=4))
    assert not (tmp_path / "out").exists()
    [work] = tmp_path.glob(".out.*/")
    (work / ".new-half").write_text("what a kill left of a file")
    rest = Lines()
    report = export(workspace, "v1", tmp_path / "out", rest)
    assert rest.seen == 3  # the first part, of two samples, was finished
    assert files_of(tmp_path / "out") == files_of(tmp_path / "whole")
    assert report == whole.model_copy(update={"out": str(tmp_path / "out")})
    assert names(tmp_path) == ["out", "w", "whole"]


def test_after_the_machine_went_down_all_is_written_anew(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(KeyboardInterrupt):
        export(workspace, "v1", tmp_path / "out", Lines(KeyboardInterrupt(), at=4))
    monkeypatch.setattr(exporting, "_boot", lambda: "another")
    rest = Lines()
    export(workspace, "v1", tmp_path / "out", rest)
    assert rest.seen == 5
    export(workspace, "v1", tmp_path / "whole", Lines())
    assert files_of(tmp_path / "out") == files_of(tmp_path / "whole")


def test_a_full_disk_is_told_as_such_and_leaves_nothing_under_the_name(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match=r"out cannot be written: No space left on device"):
        export(workspace, "v1", tmp_path / "out", Lines(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))))
    assert not (tmp_path / "out").exists()
    assert export(workspace, "v1", tmp_path / "out", Lines()).written == 5


def test_a_disk_that_is_full_at_the_very_end_leaves_nothing_under_the_name(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(folder: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr("whyseg.curation.exporting.sync_folder", full)
        with pytest.raises(StoreUnavailable, match="No space left"):
            export(workspace, "v1", tmp_path / "out", Lines())
    assert not (tmp_path / "out").exists()
    export(workspace, "v1", tmp_path / "out", Lines())
    export(workspace, "v1", tmp_path / "whole", Lines())
    assert files_of(tmp_path / "out") == files_of(tmp_path / "whole")


def test_a_complete_export_repeats_its_report_and_writes_nothing(workspace: Workspace, tmp_path: Path) -> None:
    first = export(workspace, "v1", tmp_path / "out", Lines())
    before = files_of(tmp_path / "out")
    again = Lines()
    assert export(workspace, "v1", tmp_path / "out", again) == first
    assert (again.seen, again.finished) == (0, 0)
    assert files_of(tmp_path / "out") == before


def test_an_empty_folder_is_taken_and_one_with_other_content_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert export(workspace, "v1", tmp_path / "empty", Lines()).written == 5
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    Releases(workspace).create("v2", author="ann", states="any")
    other_release = ("v2", tmp_path / "empty")
    for name, out in (*(("v1", tmp_path / name) for name in ("full", "file", "link")), other_release):
        with pytest.raises(UsageError, match="holds something else"):
            export(workspace, name, out, Lines())
    assert names(tmp_path / "full") == ["mine.txt"]
    with pytest.raises(NotFound):
        export(workspace, "v3", tmp_path / "out", Lines())


def test_what_came_under_the_name_meanwhile_stays(workspace: Workspace, tmp_path: Path) -> None:
    class Late(Lines):
        def finish(self, release: Release, parts: Sequence[Part], folder: Path) -> None:
            (tmp_path / "out").mkdir()
            (tmp_path / "out" / "mine.txt").write_text("mine")

    with pytest.raises(UsageError, match="meanwhile"):
        export(workspace, "v1", tmp_path / "out", Late())
    assert names(tmp_path / "out") == ["mine.txt"]


def test_a_second_export_at_the_same_time_is_refused_and_the_first_is_whole(
    workspace: Workspace, tmp_path: Path
) -> None:
    refused = list[ExportRunning]()

    class Twice(Lines):
        def finish(self, release: Release, parts: Sequence[Part], folder: Path) -> None:
            with pytest.raises(ExportRunning, match="another export is writing") as caught:
                export(workspace, "v1", tmp_path / "out", Lines())
            refused.append(caught.value)
            super().finish(release, parts, folder)

    export(workspace, "v1", tmp_path / "out", Twice())
    export(workspace, "v1", tmp_path / "whole", Lines())
    assert len(refused) == 1
    assert files_of(tmp_path / "out") == files_of(tmp_path / "whole")


def test_whoever_waited_for_the_folder_gets_the_report_of_who_was_faster(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flock, faster = fcntl.flock, list[ExportReport]()

    def slowly(handle: int, how: int) -> None:
        if not faster:  # between looking at the name and taking the folder
            monkeypatch.setattr(fcntl, "flock", flock)
            os.rmdir(next(path for path in tmp_path.iterdir() if path.name.startswith(".out")))
            faster.append(export(workspace, "v1", tmp_path / "out", Lines()))
        flock(handle, how)

    monkeypatch.setattr(fcntl, "flock", slowly)
    with pytest.raises(ExportRunning, match="just now"):
        export(workspace, "v1", tmp_path / "out", Lines())
    assert export(workspace, "v1", tmp_path / "out", Lines()) == faster[0]
    assert names(tmp_path) == ["out", "w"]


def test_a_damaged_picture_or_revision_stops_the_export(workspace: Workspace, tmp_path: Path) -> None:
    item = Releases(workspace).items("v1")[-1]
    path = workspace.blobs.path(item.image_id)
    original = path.read_bytes()
    path.write_bytes(original[:-1] + b"?")
    with pytest.raises(CorruptStore, match=item.image_id):
        export(workspace, "v1", tmp_path / "out", Lines())
    path.write_bytes(original)
    with workspace.store.database.write() as session:
        body = session.get_one(RevisionRow, item.revision_id).body.replace("what is it", "what was it")
        session.execute(update(RevisionRow).where(RevisionRow.id == item.revision_id).values(body=body))
    with pytest.raises(CorruptStore, match=item.sample_id):
        export(workspace, "v1", tmp_path / "out", Lines())
    assert not (tmp_path / "out").exists()


def test_samples_on_one_picture_share_its_file(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, keys = workspace.blobs.read, list[str]()

    def noted(key: str) -> bytes:
        keys.append(key)
        return read(key)

    monkeypatch.setattr(workspace.blobs, "read", noted)
    everything = Lines()
    monkeypatch.setattr(everything, "plan", lambda items: plan_evenly(items, 100))
    export(workspace, "v1", tmp_path / "out", everything)
    assert len(keys) == len(set(keys)) == 3


def test_many_samples_are_asked_for_in_several_questions(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export(workspace, "v1", tmp_path / "whole", Lines())
    monkeypatch.setattr(exporting, "_PER_QUESTION", 1)
    export(workspace, "v1", tmp_path / "out", Lines())
    assert files_of(tmp_path / "out") == files_of(tmp_path / "whole")
