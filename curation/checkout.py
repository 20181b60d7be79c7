"""A release as a workspace of its own: its pictures, its samples, and the release itself with its splits.

It is made beside its place under a hidden name and moved there when it is complete. What a killed run has made is kept:
the next one goes on with it.
"""

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from whyseg.curation.blobs import sync_folder, write_atomically
from whyseg.curation.releases import Releases
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Image, Release, ReleaseItem, Sample, content_hash
from whyseg.schemas.errors import CorruptStore, StoreUnavailable, UsageError
from whyseg.schemas.record import Record

_SOME = 200


class CheckedOut(Record):
    """What was checked out, and where to; ``linked`` counts the pictures that share their file with the workspace."""

    path: str
    name: str
    hash: str
    samples: int
    images: int
    linked: int


def checkout(
    workspace: Workspace,
    name: str,
    path: Path,
    *,
    author: str,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> CheckedOut:
    """Make the new workspace ``path`` of a release; every sample in it is a draft at its first revision.

    Pictures are hard links where the file system has them, else copies. ``progress`` gets the samples done and their
    number. Raises ``NotFound``, ``UsageError`` when ``path`` is not empty, ``CorruptStore`` when the release is not
    what was frozen, ``StoreUnavailable`` when the disk refuses.
    """
    releases = Releases(workspace)
    release, items = releases.get(name), releases.items(name)
    path = path.absolute()
    _require_free(path)
    key = content_hash([release.content_hash(), str(path)]).removeprefix("sha256:")[:16]
    work = path.parent / f".{path.name}.{key}"
    try:
        linked = 0
        with Workspace.ensure(work) as made:
            for count, (images, samples) in enumerate(_portions(workspace, releases, items), 1):
                linked += sum(_bring(workspace.blobs.path(image.id), made.blobs.path(image.id)) for image in images)
                made.store.add_samples(images, samples, author=author)
                progress(min(count * _SOME, len(items)), len(items))
            _add_release(made, release, items)
        _require_free(path)
        if path.exists():
            path.rmdir()
        os.rename(work, path)
        sync_folder(path.parent)
    except OSError as error:
        raise StoreUnavailable(f"{path} cannot be made: {error.strerror or error}") from error
    return CheckedOut(
        path=str(path), name=name, hash=release.hash, samples=release.samples, images=release.images, linked=linked
    )


def _require_free(path: Path) -> None:
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise UsageError(f"{path} is not empty; give a new or empty folder")


def _portions(
    workspace: Workspace, releases: Releases, items: list[ReleaseItem]
) -> Iterator[tuple[list[Image], list[Sample]]]:
    """Yield some samples at a time, each as it was frozen, with their images."""
    for start in range(0, len(items), _SOME):
        some = items[start : start + _SOME]
        samples = [revision.sample for revision in releases.revisions(some)]
        for item, sample in zip(some, samples, strict=True):
            if (sample.id, sample.content_hash()) != (item.sample_id, item.content):
                raise CorruptStore(f"sample {item.sample_id} is not what was frozen: expected content {item.content}")
        yield [workspace.store.image(key) for key in dict.fromkeys(item.image_id for item in some)], samples


def _bring(source: Path, target: Path) -> bool:
    """Link a picture's file, or copy it where links cannot be; True when it shares its file with the source."""
    if target.exists():
        return target.samefile(source)
    if not source.exists():
        raise CorruptStore(f"image {source.name}: its file is missing; whyseg verify says what else is")
    with source.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != source.name:
            raise CorruptStore(f"image {source.name}: its file was changed; whyseg verify says what else was")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except FileExistsError:
        return target.samefile(source)
    except OSError:  # another file system, or one without links
        write_atomically(target, source.read_bytes())
        return False
    return True


def _add_release(made: Workspace, release: Release, items: list[ReleaseItem]) -> None:
    """Add the release, of the new workspace's own revisions, unless a killed run has done it."""
    releases = Releases(made)
    if any(known.name == release.name for known in releases.all()):
        return
    heads = {item.sample_id: item for item in releases.newest("any")}
    if len(heads) != len(items):
        raise CorruptStore(f"release {release.name} has {len(items)} samples, {len(heads)} came out of it")
    own = [item.model_copy(update={"revision_id": heads[item.sample_id].revision_id}) for item in items]
    releases.add(release, own)
