"""What an importer may read: a file, the files of a folder, those that a glob names, or those in a zip archive.

Links that leave the folder, members with tricks in their names and whatever cannot be read come out as refusals; pipes,
sockets, devices and hidden files are ignored. Nothing is unpacked to the disk.
"""

import glob
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Self

from whyseg.curation.archives import Archive
from whyseg.curation.images import MAX_FILE_BYTES, has_picture_suffix, printable
from whyseg.schemas.errors import RefusedArchive, RefusedInput, UsageError
from whyseg.schemas.record import Record


class Refusal(Record):
    """A file that was not taken in, and why."""

    file: str
    reason: str


@dataclass(frozen=True)
class File:
    """A file, and how to read it: a first part or all; raises ``RefusedInput``.

    ``name``: the path below the folder or in the archive, with slashes. ``named``: the user named this very file.
    """

    name: str
    read: Callable[[int | None], bytes]
    named: bool = False


Found = File | Refusal | None  # None: ignored


def require_source(source: Path) -> None:
    """Raise ``UsageError`` when a source is neither a file, a folder nor a glob."""
    candidates(source)


def candidates(source: Path, archives: ExitStack | None = None) -> Iterator[Found]:
    """Return what a source holds, in the order of names; no more than one folder's names are in memory.

    What lies in an archive can be read until the next item is asked for; with ``archives`` until that closes them.
    Raises ``UsageError`` when the source is neither a file, a folder nor a glob that matches.
    """
    if source.is_dir():
        return _in_folder(source.resolve())
    if source.is_file():
        return _in_archive(source, archives) if _is_zip(source) else iter([_on_disk(source, source.name, named=True)])
    if source.exists() or source.is_symlink():
        raise UsageError(f"{source} is neither a file nor a folder")
    if glob.has_magic(str(source)):
        return _matching(source, archives)
    raise UsageError(f"{source} does not exist")


class Listing:
    """All that a source holds at once, and the files beside it; archives stay open until the listing is closed."""

    def __init__(self, source: Path) -> None:
        self._archives = ExitStack()
        self.found = list(candidates(source, self._archives))
        self._files = {file.name: file for file in self.found if isinstance(file, File)}
        self._root = _root(source)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._archives.close()

    def get(self, name: str) -> File | None:
        """Return the file of a name: of the listing, or that lies on the disk below its folder, beside a named file.

        None for names that lead elsewhere.
        """
        path = PurePosixPath(name)
        if name in self._files or self._root is None or path.is_absolute() or ".." in path.parts or "\0" in name:
            return self._files.get(name)
        there = self._root / path
        try:
            if not Path(os.path.realpath(there)).is_relative_to(self._root) or not there.is_file():
                return None
        except OSError:  # such as a name longer than the disk allows
            return None
        return _on_disk(there, name)


def _root(source: Path) -> Path | None:
    """Return the folder that the names of a source's files begin in; None for an archive."""
    if source.is_dir():
        return source.resolve()
    if source.is_file():
        return None if _is_zip(source) else source.resolve().parent
    fixed = next(i for i, part in enumerate(source.parts) if glob.has_magic(part))
    return Path(*source.parts[:fixed]).resolve()


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


def _matching(pattern: Path, archives: ExitStack | None) -> Iterator[Found]:
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
            yield from _in_archive(path, archives)
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


def _on_disk(path: Path, name: str, *, named: bool = False) -> File:
    return File(name, partial(_read, path, name), named)


def _read(path: Path, name: str, limit: int | None) -> bytes:
    try:
        size = path.stat().st_size
        if limit is None and size > MAX_FILE_BYTES:
            raise RefusedInput(name, f"{size} bytes are over the limit of {MAX_FILE_BYTES}")
        with path.open("rb") as file:
            return file.read(-1 if limit is None else limit)
    except OSError as error:
        raise RefusedInput(name, f"cannot be read: {error.strerror or error}") from error


def _in_archive(path: Path, archives: ExitStack | None) -> Iterator[Found]:
    """Yield the files of a zip archive; a refusal of the whole where its directory is broken."""
    try:
        archive = Archive(path)
    except RefusedArchive as error:
        yield Refusal(file=printable(error.name), reason=error.reason)
        return
    with archive if archives is None else nullcontext(archives.enter_context(archive)):
        for member in archive.members():
            if member.refusal is not None:
                yield Refusal(file=printable(member.name), reason=member.refusal)
            elif any(_hidden(part) for part in PurePosixPath(member.name).parts):
                yield None
            else:
                yield File(member.name, partial(archive.read, member))
