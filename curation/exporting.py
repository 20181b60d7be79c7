"""A release out of a workspace: streamed part by part into a hidden folder, which takes its name when it is complete.

A part is a few samples and whatever files a format makes of them. A finished part leaves a receipt; an export that was
killed goes on with the parts that have none, and ends in the same bytes. Memory does not grow with the release.
"""

import errno
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol, runtime_checkable

from sqlalchemy import select

from whyseg import __version__
from whyseg.curation.blobs import TEMPORARY, sync_folder, write_atomically
from whyseg.curation.images import portable
from whyseg.curation.releases import Releases
from whyseg.curation.tables import ImageRow, ProposalRow, ReviewRow, RevisionRow
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Image, Release, ReleaseItem, Review, Sample, Split, content_hash
from whyseg.schemas.errors import CorruptStore, ExportRunning, NotFound, StoreUnavailable, UsageError
from whyseg.schemas.record import Record

REWRITTEN = "the picture is written anew as PNG, for readers differ on the original file; it gets another image id"
REPORT = "export-report.jsonl"  # a name that no reader of a dataset takes for data
_RECEIPTS = ".receipts"
_PER_PART = 100
_PER_QUESTION = 200


class Loss(Record):
    """What a format could not carry of a sample; ``iou``: how much of its mask it keeps, where that is less than 1."""

    sample_id: str
    what: str
    iou: float | None = None


class ExportReport(Record):
    """What an export did. ``limits``: what the format carries of no sample; ``losses``: what it lost of single ones."""

    format: str
    release: str
    hash: str
    out: str
    samples: int
    written: int  # samples less those that the format cannot hold at all
    limits: tuple[str, ...] = ()
    losses: tuple[Loss, ...] = ()


@dataclass(frozen=True, eq=False)
class Row:
    """One sample of a release on its way out."""

    sample: Sample
    split: Split
    image: Image
    reviews: tuple[Review, ...]
    reasons: tuple[str, ...]  # of the accepted proposals that changed it, in their order
    read: Callable[[], bytes]  # the original file
    shown: Callable[[], tuple[bytes, str]] | None = None  # `picture`, where rows on one image share it

    @cached_property
    def picture(self) -> tuple[bytes, str]:
        """The picture as a file that every reader sees upright and in 8 bits, and its suffix; see `images.portable`."""
        return self.shown() if self.shown else portable(self.read(), self.image.file_name)

    @property
    def rewritten(self) -> bool:
        """Whether `picture` is not the original file."""
        return self.picture[0] != self.read()


@dataclass(frozen=True)
class Part:
    """Some consecutive items of a release, and the name of what is made of them."""

    name: str
    items: tuple[ReleaseItem, ...]


class Writer(Protocol):
    """A format: how a release is cut into parts, and what becomes of a part and of the whole."""

    format: str
    limits: tuple[str, ...]

    def options(self) -> dict[str, object]:
        """Return what of the user's choice changes the bytes, as plain JSON."""
        ...

    def plan(self, items: Sequence[ReleaseItem]) -> list[Part]:
        """Cut the items, which come by split, image and sample, into parts; the same items, the same parts."""
        ...

    def write(self, part: Part, rows: Iterator[Row], folder: Path) -> tuple[int, list[Loss]]:
        """Write a part's files below ``folder``, over whatever a killed run left; return samples written and losses."""
        ...

    def finish(self, release: Release, parts: Sequence[Part], folder: Path) -> None:
        """Write what speaks of all parts; called again when a run was killed within it."""
        ...


@runtime_checkable
class Prepared(Protocol):
    """A writer that wants more than rows."""

    def prepare(self, workspace: Workspace, release: Release) -> None:
        """Take what is needed of the workspace; called before anything else."""
        ...


def export(
    workspace: Workspace,
    name: str,
    out: Path,
    writer: Writer,
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> ExportReport:
    """Write a release to the new folder ``out``; what a killed run of the same export has finished is kept.

    ``progress`` gets the samples done and their number. When ``out`` holds this very export already, its report is
    returned and nothing is written. Raises ``NotFound`` for the release, ``UsageError`` when ``out`` holds something
    else, ``ExportRunning`` while another process writes the same, ``StoreUnavailable`` when the disk refuses.
    """
    releases = Releases(workspace)
    release = releases.get(name)
    head = ExportReport(
        format=writer.format,
        release=name,
        hash=release.hash,
        out=str(out),
        samples=release.samples,
        written=0,
        limits=writer.limits,
    )
    if isinstance(writer, Prepared):
        writer.prepare(workspace, release)
    key = content_hash([__version__, head.format, name, release.hash, writer.options()])
    if done := _finished(out, key):
        return done
    whole = Path(os.path.abspath(out))  # "." and "a/.." have no name of their own
    try:
        with held(whole.parent / f".{whole.name}.{key.removeprefix('sha256:')[:16]}", out) as work:
            if done := _finished(out, key):  # by whoever held the folder until now
                shutil.rmtree(work)
                return done
            receipts = _Receipts(work)
            parts = writer.plan(releases.items(name))
            count = 0
            for part in parts:
                if not receipts.has(part):
                    written, losses = writer.write(part, _rows(workspace, releases, part), work)
                    receipts.give(part, written, losses)
                count += len(part.items)
                progress(count, release.samples)
            writer.finish(release, parts, work)
            report = receipts.report(head, parts)
            _publish(work, whole, key, report)
    except OSError as error:
        raise StoreUnavailable(f"{out} cannot be written: {error.strerror or error}") from error
    return report


def plan_evenly(items: Sequence[ReleaseItem], size: int = _PER_PART) -> list[Part]:
    """Cut items into parts of ``size``, the last one smaller."""
    return [Part(f"{start // size:06d}", tuple(items[start : start + size])) for start in range(0, len(items), size)]


def images_of(workspace: Workspace, items: Sequence[ReleaseItem]) -> Iterator[Image]:
    """Yield the images of items, each once, in no order; raises ``NotFound``."""
    ids = sorted({item.image_id for item in items})
    for start in range(0, len(ids), _PER_QUESTION):
        some = ids[start : start + _PER_QUESTION]
        with workspace.store.database.read() as session:
            bodies = dict(session.execute(select(ImageRow.id, ImageRow.body).where(ImageRow.id.in_(some))).all())
        for key in some:
            if key not in bodies:
                raise NotFound("image", key)
            yield Image.parse(bodies[key])


def _rows(workspace: Workspace, releases: Releases, part: Part) -> Iterator[Row]:
    for start in range(0, len(part.items), _PER_QUESTION):
        items = part.items[start : start + _PER_QUESTION]
        images = {image.id: image for image in images_of(workspace, items)}
        reviews, reasons = reviews_of(workspace, items), _reasons(workspace, items)
        file = _File(workspace, images[items[0].image_id])
        for item, revision in zip(items, releases.revisions(items), strict=True):
            if file.image.id != item.image_id:
                file = _File(workspace, images[item.image_id])
            sample = revision.sample
            if sample.content_hash() != item.content:
                raise CorruptStore(f"sample {sample.id} is not what was frozen: expected content {item.content}")
            of_item = tuple(reviews.get(item.revision_id, ()))
            why = tuple(reason for number, reason in reasons.get(sample.id, ()) if number <= revision.number)
            yield Row(sample, item.split, file.image, of_item, why, file.read, file.shown)


def reviews_of(workspace: Workspace, items: Sequence[ReleaseItem]) -> dict[str, list[Review]]:
    """Return the reviews of items' revisions by revision, newest first."""
    found: dict[str, list[Review]] = {}
    asked = select(ReviewRow.body).where(ReviewRow.sample_id.in_([item.sample_id for item in items]))
    with workspace.store.database.read() as session:
        for body in session.scalars(asked.order_by(ReviewRow.created_at.desc(), ReviewRow.id)):
            review = Review.parse(body)
            found.setdefault(review.revision_id, []).append(review)
    return found


def _reasons(workspace: Workspace, items: Sequence[ReleaseItem]) -> dict[str, list[tuple[int, str]]]:
    """Return the reasons of accepted proposals by sample, each with the number of the revision that it made."""
    found: dict[str, list[tuple[int, str]]] = {}
    asked = select(ProposalRow.sample_id, RevisionRow.number, ProposalRow.reason)
    asked = asked.join(RevisionRow, RevisionRow.id == ProposalRow.made).order_by(RevisionRow.number)
    with workspace.store.database.read() as session:
        some = session.execute(asked.where(ProposalRow.sample_id.in_([item.sample_id for item in items])))
        for sample_id, number, reason in some:
            found.setdefault(sample_id, []).append((number, reason))
    return found


class _File:
    """A picture's file, read and made portable once for all samples on it."""

    def __init__(self, workspace: Workspace, image: Image) -> None:
        self.workspace, self.image = workspace, image

    def read(self) -> bytes:
        return self._data

    def shown(self) -> tuple[bytes, str]:
        return self._portable

    @cached_property
    def _data(self) -> bytes:
        data = self.workspace.blobs.read(self.image.id)
        if hashlib.sha256(data).hexdigest() != self.image.id:
            raise CorruptStore(f"the file of image {self.image.id} is not what was taken in")
        return data

    @cached_property
    def _portable(self) -> tuple[bytes, str]:
        return portable(self._data, self.image.file_name)


@contextmanager
def held(work: Path, out: Path) -> Iterator[Path]:
    """Hold the work folder for this process alone, and make it where there is none; the lock dies with the process.

    Raises ``ExportRunning`` when another process has it.
    """
    work.mkdir(parents=True, exist_ok=True)
    handle = os.open(work, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ExportRunning(f"another export is writing {out} at this moment; wait until it is done") from None
        if not (work.exists() and os.path.samestat(os.fstat(handle), work.stat())):  # renamed since it was opened
            raise ExportRunning(f"another export has written {out} just now; try again")
        yield work
    finally:
        os.close(handle)


class _Receipts:
    """What is known of the finished parts of an export.

    They outlive the process, whose files are complete whenever it is killed, but not the machine's running: after a
    lost power supply a receipt may be on the disk and its files not. All is begun anew then.
    """

    def __init__(self, work: Path) -> None:
        self.folder = work / _RECEIPTS
        boot, since = _boot(), self.folder / "boot"
        if self.folder.exists() and (not since.exists() or since.read_text() != boot):
            for path in work.iterdir():
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        self.folder.mkdir(exist_ok=True)
        since.write_text(boot)

    def has(self, part: Part) -> bool:
        return (self.folder / part.name).exists()

    def give(self, part: Part, written: int, losses: list[Loss]) -> None:
        lines = [json.dumps(written), *(loss.model_dump_json() for loss in losses)]
        write_atomically(self.folder / part.name, "\n".join(lines).encode())

    def report(self, head: ExportReport, parts: Sequence[Part]) -> ExportReport:
        written, losses = 0, list[Loss]()
        for part in parts:
            first, *rest = (self.folder / part.name).read_text("utf-8").split("\n")
            written += json.loads(first)
            losses += [Loss.parse(line) for line in rest]
        return head.model_copy(update={"written": written, "losses": tuple(losses)})


def _boot() -> str:
    """Return what tells one running of the machine from the next, where the system says so."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _finished(out: Path, key: str) -> ExportReport | None:
    """Return the report of the export that a folder holds; None where there is nothing yet."""
    if not os.path.lexists(out) or (out.is_dir() and not any(out.iterdir())):
        return None
    try:
        first, *losses = (out / REPORT).read_text("utf-8").removesuffix("\n").split("\n")
        head = json.loads(first)
        if head.pop("key") == key:
            found = tuple(Loss.parse(line) for line in losses)
            return ExportReport.parse({**head, "out": str(out)}).model_copy(update={"losses": found})
    except (OSError, ValueError, KeyError, AttributeError):
        pass  # something else lies there
    raise UsageError(f"{out} is there already and holds something else; give a new or empty folder")


def _publish(work: Path, out: Path, key: str, report: ExportReport) -> None:
    head = {"key": key, **report.model_dump(mode="json", exclude={"losses", "out"})}
    lines = [json.dumps(head, ensure_ascii=False), *(loss.model_dump_json() for loss in report.losses)]
    write_atomically(work / REPORT, ("\n".join(lines) + "\n").encode())
    shutil.rmtree(work / _RECEIPTS)
    for folder, _, names in os.walk(work):
        for name in names:
            path = os.path.join(folder, name)
            if name.startswith(TEMPORARY):  # a killed run was just writing it
                os.unlink(path)
                continue
            with open(path, "rb") as file:
                os.fsync(file.fileno())
        sync_folder(Path(folder))
    try:
        os.rename(work, out)  # over an empty folder, too
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            raise UsageError(f"{out} has come to hold something else meanwhile; give a new or empty folder") from error
        raise
    sync_folder(out.parent)
