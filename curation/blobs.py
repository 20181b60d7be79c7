"""Content-addressed files: a name is the SHA-256 of what the file holds."""

import hashlib
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from whyseg.schemas.errors import NotFound, StoreUnavailable

TEMPORARY = ".new-"  # how the names of files begin that are not whole yet
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
        key = hashlib.sha256(data).hexdigest()
        path = self.path(key)
        if not path.exists():
            write_atomically(path, data)
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


def write_atomically(path: Path, data: bytes, *, mode: int = _MODE) -> None:
    """Write a file so that its name only ever shows the whole of it, durably; ``mode``: its permissions.

    Raises ``StoreUnavailable`` when the disk refuses; nothing is left behind then.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=TEMPORARY)
        try:
            with os.fdopen(handle, "wb") as file:
                os.fchmod(file.fileno(), mode)
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except OSError:
            Path(temporary).unlink(missing_ok=True)
            raise
        sync_folder(path.parent)
    except OSError as error:
        raise StoreUnavailable(
            f"{path.name} cannot be written below {path.parent}: {error.strerror or error}"
        ) from error


def sync_folder(folder: Path) -> None:
    """Make a folder's newest names durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
