"""The fingerprints of a workspace's images: taken once, kept in its cache, taken again where the cache is gone."""

import io
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import numpy as np

from whyseg.curation.blobs import write_atomically
from whyseg.curation.images import read_reduced
from whyseg.curation.similarity import FINGERPRINT, READ_SIDE, Fingerprints, fingerprint
from whyseg.curation.workspace import Workspace
from whyseg.schemas.errors import CorruptStore, NotFound, RefusedImage, StoreUnavailable

FILE = "fingerprints-1.npy"  # another number where a fingerprint changes its meaning
_TOGETHER = 2000  # pictures after which the cache is written: what a killed run loses
_ENTRY = np.dtype([("image", "S64"), ("print", FINGERPRINT)])


def fingerprints(
    workspace: Workspace, image_ids: Sequence[str], progress: Callable[[int, int], None] = lambda done, total: None
) -> Fingerprints:
    """Return the images' fingerprints in their order, (N,) of `FINGERPRINT`; pictures that are new are decoded.

    ``progress`` gets how many of the new ones are done, and their number. Raises ``CorruptStore`` for an image whose
    file is missing or broken, by name.
    """
    known = _read(workspace)
    new = [image for image in dict.fromkeys(image_ids) if image not in known]
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for start in range(0, len(new), _TOGETHER):
            some = new[start : start + _TOGETHER]
            taken = pool.map(lambda image: _take(workspace, image), some)
            for count, (image, made) in enumerate(zip(some, taken, strict=True), start + 1):
                known[image] = made
                progress(count, len(new))
            known = {**_read(workspace), **known}  # another process may have been at it
            _write(workspace, known)
    found = np.zeros(len(image_ids), FINGERPRINT)
    for place, image in enumerate(image_ids):
        found[place] = known[image]
    return found


def _take(workspace: Workspace, image_id: str) -> Fingerprints:
    image = workspace.store.image(image_id)
    where = f"image {image_id} ({image.file_name})"
    try:
        data = workspace.blobs.read(image_id)
        return fingerprint(read_reduced(data, image.file_name, READ_SIDE))
    except NotFound as error:
        raise CorruptStore(f"{where}: its file is missing; whyseg verify says what else is") from error
    except RefusedImage as error:
        raise CorruptStore(f"{where}: its file is broken: {error.reason}") from error


def _read(workspace: Workspace) -> dict[str, Fingerprints]:
    try:
        file = io.BytesIO((workspace.cache / FILE).read_bytes())
        entries = np.lib.format.read_array(file, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return {}  # not there yet, or not whole: everything is taken again
    if entries.dtype != _ENTRY or entries.ndim != 1:
        return {}
    return dict(zip(entries["image"].astype(str).tolist(), entries["print"], strict=True))


def _write(workspace: Workspace, known: dict[str, Fingerprints]) -> None:
    entries = np.zeros(len(known), _ENTRY)
    for place, (image, made) in enumerate(sorted(known.items(), key=lambda entry: entry[0])):
        entries[place] = image.encode(), made
    file = io.BytesIO()
    np.lib.format.write_array(file, entries, allow_pickle=False)
    with suppress(StoreUnavailable):  # a full disk costs the next run some time
        write_atomically(workspace.cache / FILE, file.getvalue())
