"""Zip archives from anywhere: their members are read into memory within limits, never unpacked to the disk.

A member that cannot be trusted is refused by its name and the rest goes on; an archive whose directory is broken is
refused whole.
"""

import re
import stat
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import IO, Self

from whyseg.schemas.errors import RefusedArchive

NESTED = frozenset({".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".zst", ".7z", ".rar"})
_CHUNK = 2**20
_LOCAL_HEADER = 30  # bytes before the name


@dataclass(frozen=True)
class Limits:
    """What an archive may unpack to, in bytes; a member's ``ratio`` counts from ``ratio_from`` bytes on.

    Deflate can reach 1032; photographs stay below 2, uncompressed ones in an archive below 20.
    """

    member: int = 2**29
    total: int = 2**40
    ratio: int = 200
    ratio_from: int = 2**20


@dataclass(frozen=True)
class Member:
    """A file in an archive: its path there, and why it is not read (None when it may be)."""

    name: str
    refusal: str | None
    info: zipfile.ZipInfo


class Archive:
    """An open zip archive; use it as a context manager.

    Raises ``RefusedArchive`` when the file is no zip or its directory cannot be read.
    """

    def __init__(self, path: Path, limits: Limits = Limits()) -> None:
        self.path, self.limits = path, limits
        self._unpacked = 0
        with _refusing(path.name, "the zip archive cannot be read"):
            self._zip = zipfile.ZipFile(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._zip.close()

    def members(self) -> Iterator[Member]:
        """Yield the archive's files in its directory's order; folders are left out."""
        overlapping = _overlapping(self._zip.infolist())
        seen: set[str] = set()
        for info in self._zip.infolist():
            refusal = _untrusted(info, self.limits)
            if refusal is None and info.is_dir():
                continue
            if refusal is None and info.filename in seen:
                refusal = "a second member of the same name"
            if refusal is None and info.header_offset in overlapping:
                refusal = "its data overlaps another member's"
            seen.add(info.filename)
            yield Member(info.orig_filename, refusal, info)

    def read(self, member: Member, limit: int | None = None) -> bytes:
        """Return a member's content, or its first ``limit`` bytes.

        Raises ``RefusedArchive`` when it may not be read, is broken, or is not of the size it says.
        """
        if member.refusal is not None:
            raise RefusedArchive(member.name, member.refusal)
        with _refusing(member.name, "the member cannot be read"), self._zip.open(member.info) as stream:
            if limit is not None:
                return stream.read(limit)
            return self._drain(stream, member)

    def _drain(self, stream: IO[bytes], member: Member) -> bytes:
        parts: list[bytes] = []
        size = 0
        while part := stream.read(_CHUNK):
            parts.append(part)
            size += len(part)
            self._unpacked += len(part)
            if size > self.limits.member:
                raise RefusedArchive(member.name, f"unpacks to more than {self.limits.member} bytes")
            if self._unpacked > self.limits.total:
                raise RefusedArchive(member.name, f"the archive unpacks to more than {self.limits.total} bytes")
        if size != member.info.file_size:
            raise RefusedArchive(
                member.name, f"unpacks to {size} bytes, not the {member.info.file_size} that it declares"
            )
        return b"".join(parts)


def _untrusted(info: zipfile.ZipInfo, limits: Limits) -> str | None:
    """Say why a member is not read, judging by the directory alone."""
    name = info.orig_filename
    kind = stat.S_IFMT(info.external_attr >> 16)
    if not name:
        return "it has no name"
    if "\0" in name:
        return "its name holds a zero byte"
    if "\\" in name:
        return "its name holds a backslash"
    if name.startswith("/") or re.match(r"[A-Za-z]:", name):
        return "its name is an absolute path"
    if ".." in PurePosixPath(name).parts:
        return "its name leads out of the archive"
    if kind == stat.S_IFLNK:
        return "it is a link"
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "it is no regular file"
    if info.is_dir():
        return None
    if info.flag_bits & 1:
        return "it is encrypted"
    if info.file_size > limits.member:
        return f"unpacks to {info.file_size} bytes, over the limit of {limits.member}"
    if info.file_size > limits.ratio_from and info.file_size > limits.ratio * info.compress_size:
        return f"unpacks {info.compress_size} bytes to {info.file_size}: no picture compresses so well"
    if PurePosixPath(name).suffix.lower() in NESTED:
        return "an archive within an archive is not opened"
    return None


def _overlapping(infos: list[zipfile.ZipInfo]) -> set[int]:
    """Return the offsets of members that claim bytes of the one after them: many names for one large stream."""
    ordered = sorted(infos, key=lambda info: info.header_offset)
    return {
        one.header_offset
        for one, following in pairwise(ordered)
        if one.header_offset + _LOCAL_HEADER + one.compress_size > following.header_offset
    }


@contextmanager
def _refusing(name: str, what: str) -> Iterator[None]:
    """Turn whatever zipfile and its decompressors raise into a refusal; nothing else here catches their exceptions."""
    try:
        yield
    except RefusedArchive:
        raise
    except Exception as error:  # beside BadZipFile: zlib, lzma, struct, Unicode, RuntimeError, NotImplementedError …
        text = " ".join(str(error).split())[:200] or type(error).__name__
        raise RefusedArchive(name, f"{what}: {text}") from error
