"""Content-addressed files: a name is the SHA-256 of what the file holds."""

import hashlib
import os
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from whyseg.schemas.errors import NotFound, StoreUnavailable

TEMPORARY = ".new-"  # how the names of files begin that are not whole yet
_AT_ONCE = 16  # files of a batch that are waited for at the same time
FRESH_SECONDS = 3600  # one that is younger may be in the making
_UMASK = os.umask(0o022)
os.umask(_UMASK)
_MODE = 0o666 & ~_UMASK  # as any new file gets; temporary files are their owner's alone


class Blobs:
    """Files below one folder, spread over 256 sub-folders by the first two characters of their names."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, data: bytes) -> str:
        """Store bytes and return their SHA-256 in hexadecimal; what is there already stays untouched.

        When this returns, the file is on disk under its name. Raises ``StoreUnavailable`` when the disk refuses.
        """
        batch = Batch(self)
        key = batch.put(data)
        for error in batch.settle().values():
            raise error
        return key

    def read(self, key: str) -> bytes:
        """Return the bytes; raises ``NotFound``."""
        try:
            return self.path(key).read_bytes()
        except FileNotFoundError:
            raise NotFound("image file", key) from None

    def path(self, key: str) -> Path:
        """Return where a blob lies, or would lie."""
        return self.folder / key[:2] / key

    def keys(self) -> Iterator[str]:
        """Yield the names of all blobs."""
        for path in sorted(self.folder.glob("??/*")):
            if len(path.name) == 64:
                yield path.name

    def sweep(self) -> int:
        """Remove what processes that were killed an hour ago or earlier had not finished; return how many files."""
        removed = 0
        for path in self.folder.glob(f"??/{TEMPORARY}*"):
            with suppress(OSError):  # another process removed it, or the disk may only be read
                if time.time() - path.stat().st_mtime > FRESH_SECONDS:
                    path.unlink()
                    removed += 1
        return removed


class Batch:
    """Blobs that go to the disk together, which is waited for once and not twice for each.

    What was put is under its name when `settle` has returned, and not before.
    """

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._unnamed: dict[str, tuple[int, str]] = {}  # by key: the file, open, and its temporary name
        self._waiting = ThreadPoolExecutor(_AT_ONCE)  # has no thread before there is work, and none after its batch

    def put(self, data: bytes) -> str:
        """Write bytes and return their SHA-256 in hexadecimal; raises ``StoreUnavailable`` when the disk refuses."""
        key = hashlib.sha256(data).hexdigest()
        path = self._blobs.path(key)
        if key not in self._unnamed and not path.exists():
            with _refusing(path):
                self._unnamed[key] = _written(path.parent, data, _MODE)
        return key

    def settle(self) -> dict[str, StoreUnavailable]:
        """Give everything its name, durably; return what the disk refused, by key."""
        files, self._unnamed = self._unnamed, {}
        if len(files) < 2:
            done = [self._settle(*item) for item in files.items()]
        else:  # file systems make one journal entry of all that is asked for at the same time
            done = list(self._waiting.map(self._settle, files, files.values()))
        return {key: error for key, error in zip(files, done, strict=True) if error is not None}

    def _settle(self, key: str, file: tuple[int, str]) -> StoreUnavailable | None:
        try:
            with _refusing(path := self._blobs.path(key)):
                _named(*file, path)
        except StoreUnavailable as error:
            return error
        return None


def write_atomically(path: Path, data: bytes, *, mode: int = _MODE, durable: bool = True) -> None:
    """Write a file so that its name only ever shows the whole of it; ``mode``: its permissions.

    ``durable``: also after a power failure; a cache does without, and keeps nobody waiting for the disk. Raises
    ``StoreUnavailable`` when the disk refuses; nothing is left behind then.
    """
    with _refusing(path):
        _named(*_written(path.parent, data, mode), path, durable=durable)


def sync_folder(folder: Path) -> None:
    """Make a folder's newest names durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _written(folder: Path, data: bytes, mode: int) -> tuple[int, str]:
    """Write a file under a temporary name, not yet durably; return it, open, and that name, or leave nothing behind."""
    try:
        handle, temporary = tempfile.mkstemp(dir=folder, prefix=TEMPORARY)
    except FileNotFoundError:
        folder.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=folder, prefix=TEMPORARY)
    try:
        os.fchmod(handle, mode)
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(handle, rest) :]
    except OSError:
        os.close(handle)
        Path(temporary).unlink(missing_ok=True)
        raise
    return handle, temporary


def _named(handle: int, temporary: str, path: Path, *, durable: bool = True) -> None:
    """Wait until an open file is on the disk, and give it its name there; close it, also where the disk refuses."""
    try:
        if durable:
            os.fsync(handle)
        os.replace(temporary, path)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise
    finally:
        os.close(handle)
    if durable:
        sync_folder(path.parent)


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    """Turn what a disk refuses into ``StoreUnavailable``."""
    try:
        yield
    except OSError as error:
        raise StoreUnavailable(
            f"{path.name} cannot be written below {path.parent}: {error.strerror or error}"
        ) from error
