"""Embeddings on disk, in half precision: a server that starts again answers clicks without encoding again.

A file is named by the weights and the picture that it is of, so other weights never find it. It is a cache: what is
damaged, or of another version, is as if it were not there.
"""

import hashlib
import io
import logging
import os
import shutil
import zipfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from whyseg.curation.blobs import write_atomically
from whyseg.curation.segmenters.base import Embedding, FloatArray, Segmenter
from whyseg.schemas.errors import StoreUnavailable

LIMIT = 4 * 2**30  # bytes: some 2,000 pictures of MobileSAM's
SPARE = 2 * 2**30  # bytes that stay free: the workspace's records lie on the same disk
FORMAT = 1  # of the files, and of how the segmenters here prepare pictures
_LOG = logging.getLogger(__name__)


@runtime_checkable
class Keepable(Protocol):
    """A segmenter whose embeddings are a few arrays that half precision changes no mask of."""

    def weights_digest(self) -> str | None:
        """Name the weights by their content; None where keeping is not worth it."""

    def arrays(self, embedding: Embedding) -> tuple[FloatArray, ...]:
        """Return an embedding's arrays, float32."""

    def restored(self, arrays: tuple[FloatArray, ...], size: tuple[int, int]) -> Embedding:
        """Return the embedding of such arrays, float32, for an image of ``size`` (height, width)."""


def digest(files: Iterable[Path]) -> str:
    """Return a SHA-256, in hexadecimal, of files' names and contents."""
    found = hashlib.sha256()
    for path in sorted(files):
        with path.open("rb") as file:
            found.update(f"{path.name}\0{hashlib.file_digest(file, 'sha256').hexdigest()}\0".encode())
    return found.hexdigest()


class KeptEmbeddings:
    """A folder of embeddings, of at most ``limit`` bytes; what was used last stays longest. For one thread."""

    def __init__(self, folder: Path, *, limit: int = LIMIT, spare: int = SPARE) -> None:
        self.folder, self._limit, self._spare = folder, limit, spare

    def load(self, segmenter: Segmenter, image_id: str) -> Embedding | None:
        """Return the segmenter's embedding of an image, or None when it is not here whole."""
        path = self._path(segmenter, image_id)
        if path is None or not isinstance(segmenter, Keepable):
            return None
        try:
            with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
                (height, width), *halves = (file[name] for name in file.files)
                arrays = tuple(half.astype(np.float32) for half in halves)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            _LOG.warning("the embedding of %s is damaged on disk and is made again: %s", image_id, error)
            with suppress(OSError):
                path.unlink()
            return None
        with suppress(OSError):
            os.utime(path)  # used just now
        return segmenter.restored(arrays, (int(height), int(width)))

    def keep(self, segmenter: Segmenter, image_id: str, embedding: Embedding) -> None:
        """Put an embedding on disk, and take those away that were not used for longest, so that the limit holds.

        Nothing is kept that half precision cannot hold, nor where the disk is nearly full.
        """
        path = self._path(segmenter, image_id)
        if path is None or not isinstance(segmenter, Keepable):
            return
        with np.errstate(over="ignore"):
            arrays = [array.astype(np.float16) for array in segmenter.arrays(embedding)]
        if not all(np.isfinite(array).all() for array in arrays):
            return
        whole = io.BytesIO()
        np.savez(whole, np.array(embedding.size), *arrays)
        data = whole.getvalue()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if shutil.disk_usage(self.folder).free < self._spare + len(data):
                return
            self._make_room(len(data))
            write_atomically(path, data, durable=False)
        except (OSError, StoreUnavailable) as error:
            _LOG.warning("embeddings cannot be kept on disk: %s", error)

    def _make_room(self, wanted: int) -> None:
        found = []
        for path in self.folder.iterdir():
            with suppress(FileNotFoundError):
                stat = path.stat()
                found.append((stat.st_mtime_ns, stat.st_size, path))
        over = sum(size for _, size, _ in found) + wanted - self._limit
        for _, size, path in sorted(found):
            if over <= 0:
                return
            path.unlink(missing_ok=True)
            over -= size

    def _path(self, segmenter: Segmenter, image_id: str) -> Path | None:
        try:
            weights = segmenter.weights_digest() if isinstance(segmenter, Keepable) else None
        except OSError as error:  # the weights' files are gone, but run
            _LOG.warning("embeddings are not kept on disk: %s", error)
            return None
        if weights is None:
            return None
        name = hashlib.sha256(f"{FORMAT}\0{weights}\0{image_id}".encode()).hexdigest()
        return self.folder / f"{name}.npz"
