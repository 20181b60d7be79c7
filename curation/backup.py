"""Backup and restore: a consistent copy made while people work, and its verified return.

A backup is an uncompressed tar: ``manifest.json`` (each member's SHA-256) and the workspace's files. The database is
copied first, by SQLite's own backup call; whatever images it names were on disk before their rows were, so copying the
files afterwards misses none.
"""

import hashlib
import io
import json
import os
import shutil
import sqlite3
import tarfile
import tempfile
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import IO, cast

from whyseg.curation.blobs import sync_folder
from whyseg.curation.claims import Claim
from whyseg.curation.searching import remake
from whyseg.curation.times import now
from whyseg.curation.verify import Problem, verify
from whyseg.curation.workspace import DATABASE, SETTINGS, Settings, Workspace, read_settings
from whyseg.schemas.errors import NotFound, RefusedArchive, StoreUnavailable, UsageError
from whyseg.schemas.record import Record

MANIFEST = "manifest.json"
CHUNK = 1 << 20


class Backup(Record):
    """What a backup holds."""

    path: str
    images: int
    bytes: int


class Restored(Record):
    """What a restore brought back; ``replaced`` is where the former workspace went, if there was one."""

    path: str
    images: int
    replaced: str | None


def backup(workspace: Workspace, out: Path) -> Backup:
    """Write a backup to ``out``, which appears only when it is complete.

    Raises ``UsageError`` when ``out`` exists or the records lie in another database than the workspace's own, and
    ``StoreUnavailable`` when the disk refuses.
    """
    if workspace.settings.database:
        raise UsageError("this workspace's records lie in a database of their own: back that up with its own tool")
    if out.absolute().is_relative_to(workspace.path.absolute()):
        raise UsageError(f"{out} lies in the workspace; a backup belongs elsewhere, on another disk at best")
    try:
        if out.exists():
            raise UsageError(f"{out} exists already")
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=".whyseg-backup-") as scratch:
            copy, partial = Path(scratch) / DATABASE, Path(scratch) / "backup.tar"
            _copy_database(workspace, copy)
            with partial.open("wb") as file:
                images = _write_tar(file, workspace, copy)
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, out)
        sync_folder(out.parent)
    except OSError as error:
        raise StoreUnavailable(f"{out} cannot be written: {error.strerror or error}") from error
    return Backup(path=str(out), images=images, bytes=out.stat().st_size)


def restore(archive: Path, path: Path, *, replace: bool = False) -> Restored:
    """Bring a backup back as the workspace ``path``.

    Everything is unpacked beside it and verified before anything is replaced; a former workspace is kept under a name
    with the time. Raises ``RefusedArchive`` when the backup is damaged, ``UsageError`` when ``path`` is not empty
    and ``replace`` is off, and ``StoreUnavailable`` when another process has it open or the disk refuses.
    """
    if path.exists() and not path.is_dir():
        raise UsageError(f"{path} is a file")
    if not archive.exists():
        raise UsageError(f"there is no backup {archive}")
    occupied = path.exists() and any(path.iterdir())
    if occupied and not (replace and (path / SETTINGS).exists()):
        if (path / SETTINGS).exists():
            raise UsageError(f"{path} is not empty; say --replace to put the backup in its place")
        raise UsageError(f"{path} is not empty, and no workspace; name a new folder with --workspace")
    claim = Claim(path, alone=True) if occupied else None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}-restoring-"))
        try:
            images = _unpack(archive, scratch)
            if not (scratch / DATABASE).exists() or read_settings(scratch).database:
                raise RefusedArchive(archive.name, f"holds no {DATABASE}, or names another database")
            with Workspace(scratch, Settings()) as workspace:  # whatever database its settings name
                remake(workspace.store.database)  # it follows from the rest, so that what became of it is no matter
                problems = verify(workspace)
            if problems:
                raise RefusedArchive(archive.name, _summary(problems))
            kept = _swap(scratch, path, occupied)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    except OSError as error:
        raise StoreUnavailable(f"{path} cannot be restored: {error.strerror or error}") from error
    finally:
        if claim:
            claim.close()
    return Restored(path=str(path), images=images, replaced=str(kept) if kept else None)


def _swap(scratch: Path, path: Path, occupied: bool) -> Path | None:
    kept = None
    if occupied:
        kept = path.with_name(f"{path.name}.replaced-{now():%Y%m%dT%H%M%S%f}")
        os.replace(path, kept)
    elif path.exists():
        path.rmdir()
    scratch.chmod(0o755)  # mkdtemp's folders are the owner's alone
    os.replace(scratch, path)
    sync_folder(path.parent)
    return kept


def _copy_database(workspace: Workspace, target: Path) -> None:
    reader = workspace.store.database.engine.raw_connection()  # opened as the disk allows it
    try:
        with closing(sqlite3.connect(target)) as writer:
            cast(sqlite3.Connection, reader.driver_connection).backup(writer)
    except sqlite3.Error as error:
        raise StoreUnavailable(f"the database cannot be copied: {error}") from error
    finally:
        reader.close()


def _image_keys(database: Path) -> list[str]:
    connection = sqlite3.connect(database)
    try:
        return [key for (key,) in connection.execute("SELECT id FROM images ORDER BY id")]
    finally:
        connection.close()


def _write_tar(file: IO[bytes], workspace: Workspace, database: Path) -> int:
    keys = _image_keys(database)
    sums: dict[str, str] = {}
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
        _add(tar, sums, DATABASE, database)
        _add(tar, sums, SETTINGS, workspace.path / SETTINGS)
        for key in keys:
            blob = workspace.blobs.path(key)
            if not blob.exists():
                raise NotFound("image file", f"{key}; whyseg verify says what else is missing")
            _add(tar, sums, f"images/{key[:2]}/{key}", blob)
        for release in sorted(p for p in workspace.releases.rglob("*") if p.is_file() and not p.is_symlink()):
            _add(tar, sums, release.relative_to(workspace.path).as_posix(), release)
        manifest = json.dumps({"whyseg_backup": 1, "made_at": f"{now():%Y-%m-%dT%H:%M:%SZ}", "sha256": sums}).encode()
        info = tarfile.TarInfo(MANIFEST)
        info.size = len(manifest)
        tar.addfile(info, io.BytesIO(manifest))
    return len(keys)


def _add(tar: tarfile.TarFile, sums: dict[str, str], name: str, path: Path) -> None:
    """Add a file and note the hash of exactly what was added."""
    with path.open("rb") as file:
        info = tarfile.TarInfo(name)
        info.size = os.fstat(file.fileno()).st_size
        info.mtime = int(datetime(2000, 1, 1).timestamp())
        reader = _Hashing(file)
        tar.addfile(info, reader)
    sums[name] = reader.digest()


class _Hashing:
    """Hashes what is read through it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._hash = file, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._hash.update(data)
        return data

    def digest(self) -> str:
        return self._hash.hexdigest()


def _unpack(archive: Path, target: Path) -> int:
    """Unpack into an empty folder what the manifest vouches for; return how many images it was."""
    sums: dict[str, str] = {}
    manifest: dict[str, str] | None = None
    try:
        with tarfile.open(archive, "r:") as tar:
            for member in tar:
                source = tar.extractfile(member) if member.isreg() else None
                if source is None or not _plain(member.name):
                    raise RefusedArchive(archive.name, f"holds {member.name!r}, which no backup has")
                if member.name == MANIFEST:
                    manifest = dict(json.loads(source.read())["sha256"])
                    continue
                path = target / member.name
                path.parent.mkdir(parents=True, exist_ok=True)
                digest = hashlib.sha256()
                with path.open("wb") as out:
                    while chunk := source.read(CHUNK):
                        digest.update(chunk)
                        out.write(chunk)
                    out.flush()
                    os.fsync(out.fileno())
                sums[member.name] = digest.hexdigest()
    except FileNotFoundError:
        raise UsageError(f"there is no backup {archive}") from None
    except (tarfile.TarError, ValueError, KeyError, TypeError, EOFError, RecursionError, IsADirectoryError) as error:
        raise RefusedArchive(archive.name, f"is no whyseg backup, or a damaged one: {error}") from error
    if manifest is None:
        raise RefusedArchive(archive.name, "has no manifest at its end: it is cut off")
    if differing := sorted(name for name in manifest.keys() | sums.keys() if manifest.get(name) != sums.get(name)):
        raise RefusedArchive(
            archive.name, f"{len(differing)} files differ from the manifest, the first is {differing[0]}"
        )
    for folder in ("images", "releases", "cache"):
        (target / folder).mkdir(exist_ok=True)
    return sum(name.startswith("images/") for name in sums)


def _plain(name: str) -> bool:
    parts = name.split("/")
    return not name.startswith("/") and "\\" not in name and not {"", ".", ".."} & set(parts)


def _summary(problems: list[Problem]) -> str:
    return f"does not verify: {problems[0].what} {problems[0].message}" + (
        f"; and {len(problems) - 1} more" if len(problems) > 1 else ""
    )
