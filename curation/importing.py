"""Pictures into a workspace: from a file, a folder, a glob or a zip archive.

Every picture becomes a content-addressed file, an image record and one empty draft sample to work on. A file that is a
picture by its suffix or its first bytes, or that the user names, is taken in or refused with the reason; all others and
hidden ones are ignored and counted. Pictures are on disk before their records are written, and the records of some
pictures in one transaction: an import that is cut off leaves whole pictures, and the next run goes on where it stopped.
"""

import glob
import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from whyseg.curation.archives import Archive
from whyseg.curation.images import MAX_FILE_BYTES, begins_like_picture, examine, has_picture_suffix, printable
from whyseg.curation.times import now
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Finding, Image, Sample, content_hash, sample_id
from whyseg.schemas.errors import NotFound, RefusedArchive, RefusedImage, RefusedInput, UsageError
from whyseg.schemas.record import Record

SOURCE = "images"
_HEAD = 16  # bytes that tell what a file is
_TOGETHER = 32  # pictures whose records go into one transaction: that takes a fifth of the time of one each


class Refusal(Record):
    """A file that was not taken in, and why."""

    file: str
    reason: str


class Note(Record):
    """Something about a picture that was taken in."""

    file: str
    note: str


class ImportReport(Record):
    """What an import did.

    ``added``: new samples. ``skipped``: pictures that the workspace, or this import, has already. ``ignored``: files
    that claim to be no picture. ``findings``: how many were written, one for each note on an added picture.
    """

    added: int = 0
    skipped: int = 0
    ignored: int = 0
    refused: tuple[Refusal, ...] = ()
    notes: tuple[Note, ...] = ()
    findings: int = 0
    dry_run: bool = False

    def __add__(self, other: "ImportReport") -> "ImportReport":
        return ImportReport(
            added=self.added + other.added,
            skipped=self.skipped + other.skipped,
            ignored=self.ignored + other.ignored,
            refused=self.refused + other.refused,
            notes=self.notes + other.notes,
            findings=self.findings + other.findings,
            dry_run=self.dry_run or other.dry_run,
        )


@dataclass(frozen=True)
class _File:
    """A file that may hold a picture, and how to read it: a first part or all; raises ``RefusedInput``."""

    name: str
    read: Callable[[int | None], bytes]
    named: bool = False  # by the user, so it is meant as a picture

    def claims(self) -> bool:
        return self.named or has_picture_suffix(self.name) or begins_like_picture(self.read(_HEAD))


Found = _File | Refusal | None  # None: ignored


def import_images(
    workspace: Workspace,
    source: Path,
    *,
    author: str,
    license: str | None = None,
    dry_run: bool = False,
    progress: Callable[[str], None] | None = None,
) -> ImportReport:
    """Take in a picture, a folder of them (with its sub-folders), those that a glob names, or those in a zip archive.

    Safe to repeat: what is there already is skipped. ``dry_run`` decodes everything and writes nothing. ``progress`` is
    called with the name of each file before it is looked at. Raises ``UsageError`` when there is no such file, folder
    or match, ``StoreUnavailable`` when the disk refuses; what was taken in until then stays.
    """
    intake = _Intake(workspace, author, license, dry_run)
    try:
        for found in _candidates(source):
            if isinstance(found, _File) and progress:
                progress(found.name)
            intake.take(found)
    finally:
        intake.record()
    return intake.report()


class _Intake:
    """The import as it goes: it takes one found file after the other and counts."""

    def __init__(self, workspace: Workspace, author: str, license: str | None, dry_run: bool) -> None:
        if license is not None and not license.isprintable():
            raise UsageError(f"a licence is one line of text, got {license!r}")
        self.workspace, self.author, self.license, self.dry_run = workspace, author, license, dry_run
        self.added = self.skipped = self.ignored = self.findings = 0
        self.refused: list[Refusal] = []
        self.notes: list[Note] = []
        self._waiting: list[tuple[Image, tuple[str, ...]]] = []  # on disk, their records not yet written
        self._new: set[str] = set()  # of these, and all that a dry run would add

    def report(self) -> ImportReport:
        return ImportReport(
            added=self.added,
            skipped=self.skipped,
            ignored=self.ignored,
            refused=tuple(self.refused),
            notes=tuple(self.notes),
            findings=self.findings,
            dry_run=self.dry_run,
        )

    def take(self, found: Found) -> None:
        if isinstance(found, Refusal):
            self.refused.append(found)
            return
        try:
            if found is None or not found.claims():
                self.ignored += 1
            else:
                self._add(found.name, found.read(None))
        except RefusedInput as error:
            self.refused.append(Refusal(file=printable(error.name), reason=error.reason))

    def _add(self, name: str, data: bytes) -> None:
        key = hashlib.sha256(data).hexdigest()
        if key in self._new or self._known(key):
            if not self.dry_run:
                self.workspace.blobs.put(data)  # writes only where the file was lost
            self.skipped += 1
            return
        image, notes = examine(data, name)
        if not self.dry_run:
            self.workspace.blobs.put(data)
            self._waiting.append((image.model_copy(update={"license": self.license}), notes))
        self._new.add(key)
        self.added += 1
        self.notes += [Note(file=image.file_name, note=text) for text in notes]
        if len(self._waiting) == _TOGETHER:
            self.record()

    def _known(self, key: str) -> bool:
        try:
            self.workspace.store.head(sample_id(SOURCE, key, ""))
        except NotFound:
            return False
        return True

    def record(self) -> None:
        """Write the records of the pictures that wait for them."""
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        samples = [Sample.start(image.id, image.size, source=SOURCE, source_record="") for image, _ in waiting]
        findings = [
            _finding(sample, text) for sample, (_, notes) in zip(samples, waiting, strict=True) for text in notes
        ]
        images = [image for image, _ in waiting]
        self.workspace.store.add_samples(images, samples, author=self.author, findings=findings)
        self._new.clear()
        self.findings += len(findings)


def _finding(sample: Sample, text: str) -> Finding:
    return Finding(
        id=content_hash(["picture", sample.id, text]),  # the same whoever imports the picture
        kind="picture",
        severity="info",
        message=text,
        image_id=sample.image_id,
        sample_id=sample.id,
        created_at=now(),
    )


def require_source(source: Path) -> None:
    """Raise ``UsageError`` when a source is neither a file, a folder nor a glob."""
    _candidates(source)


def _candidates(source: Path) -> Iterator[Found]:
    """Yield what a source holds, in the order of names; no more than one folder's names are in memory."""
    if source.is_dir():
        return _in_folder(source.resolve())
    if source.is_file():
        return _in_archive(source) if _is_zip(source) else iter([_on_disk(source, source.name, named=True)])
    if source.exists() or source.is_symlink():
        raise UsageError(f"{source} is neither a file nor a folder")
    if glob.has_magic(str(source)):
        return _matching(source)
    raise UsageError(f"{source} does not exist")


def _is_zip(path: Path) -> bool:
    return path.suffix.lower() == ".zip"


def _hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def _in_folder(root: Path) -> Iterator[Found]:
    """Yield the files of a folder, then those of its sub-folders."""
    folders = [root]
    while folders:
        folder = folders.pop()
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            yield Refusal(file=printable(folder.name), reason=f"cannot be read: {error.strerror}")
            continue
        below = []
        for entry in entries:
            path = Path(entry.path)
            if not _hidden(entry.name) and not entry.is_symlink() and entry.is_dir():
                below.append(path)
            else:
                yield None if _hidden(entry.name) else _entry(path, root)
        folders += reversed(below)


def _matching(pattern: Path) -> Iterator[Found]:
    """Yield the files that a glob names; ``**`` stands for any number of folders."""
    parts = pattern.parts
    fixed = next(i for i, part in enumerate(parts) if glob.has_magic(part))
    root = Path(*parts[:fixed]).resolve()
    matches = [root / match for match in sorted(glob.iglob(str(Path(*parts[fixed:])), root_dir=root, recursive=True))]
    files = [path for path in matches if path.is_symlink() or not path.is_dir()]
    if not files:
        raise UsageError(f"{pattern} matches no file")
    for path in files:
        if not path.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(root):
            name = path.relative_to(root).as_posix()
            yield Refusal(file=printable(name), reason="it lies behind a link that leaves the folder")
        elif _is_zip(path) and not path.is_symlink():
            yield from _in_archive(path)
        else:
            yield _entry(path, root)


def _entry(path: Path, root: Path) -> Found:
    """Judge something that lies below a folder and is no folder itself."""
    name = path.relative_to(root).as_posix()
    if not path.is_symlink():
        return _on_disk(path, name) if path.is_file() else None  # not a pipe, socket or device
    target = Path(os.path.realpath(path))
    if target.is_relative_to(root) and target.exists():
        return None  # its target is taken in under its own name
    if has_picture_suffix(name) or target.is_dir():
        reason = "a link that leaves the folder" if target.exists() else "a link that leads nowhere"
        return Refusal(file=printable(name), reason=reason)
    return None


def _on_disk(path: Path, name: str, *, named: bool = False) -> _File:
    return _File(name, partial(_read, path, name), named)


def _read(path: Path, name: str, limit: int | None) -> bytes:
    try:
        size = path.stat().st_size
        if limit is None and size > MAX_FILE_BYTES:
            raise RefusedImage(name, f"{size} bytes are over the limit of {MAX_FILE_BYTES}")
        with path.open("rb") as file:
            return file.read(-1 if limit is None else limit)
    except OSError as error:
        raise RefusedImage(name, f"cannot be read: {error.strerror or error}") from error


def _in_archive(path: Path) -> Iterator[Found]:
    """Yield the files of a zip archive; a refusal of the whole where its directory is broken."""
    try:
        archive = Archive(path)
    except RefusedArchive as error:
        yield Refusal(file=printable(error.name), reason=error.reason)
        return
    with archive:
        for member in archive.members():
            if member.refusal is not None:
                yield Refusal(file=printable(member.name), reason=member.refusal)
            elif any(_hidden(part) for part in PurePosixPath(member.name).parts):
                yield None
            else:
                yield _File(member.name, partial(archive.read, member))
