"""Samples straight from data: a file or folder in any layout that can be imported, a dataset of the Hub, or a release.

What lies on a disk or on the Hub needs no workspace: the importers' own readers run, and what they find is handed on,
one item after the other, instead of being stored. Nothing is left out as known already: a row that stands twice in a
set is two items. Pictures stay files until somebody asks for their pixels.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from whyseg.curation.images import RgbArray, read_upright
from whyseg.curation.intake import Intake, Note, Picture, Remark
from whyseg.curation.sources import File, Listing, Refusal
from whyseg.schemas import Image, Sample, Split
from whyseg.schemas.errors import RefusedInput, UsageError
from whyseg.schemas.release import RELEASE_NAME

Layout = Literal["hf", "reasonseg", "labelme", "coco", "mmr", "refcoco", "release"]
_KNOWN = (
    "parquet or arrow files, X.json with 'text' and 'shapes' (LISA), 'shapes' and 'imagePath' (labelme), COCO, MMR, "
    "refs(…).p (RefCOCO)"
)


@dataclass(frozen=True, eq=False)
class Item:
    """A sample with its picture. ``name``: the file or row that it came from; ``split``: the side that it is on."""

    sample: Sample
    image: Image
    data: bytes
    name: str
    split: Split | None

    def pixels(self) -> RgbArray:
        """Return the upright picture, uint8 (H, W, 3), RGB; raises ``RefusedImage``."""
        return read_upright(self.data, self.image.file_name).pixels


@dataclass
class Data:
    """Data that can be read again and again. ``refused`` and ``notes`` are those of the last whole `items`.

    ``name``: the path, the Hub's owner/name or the release's name.
    """

    layout: Layout
    name: str
    source: str | Path
    workspace: Path | None = None
    refused: list[Refusal] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)

    def items(self, split: Split | None = None) -> Iterator[Item]:
        """Yield the items in the data's own order, of one split or all; a broken one is refused, the rest goes on.

        Raises ``UsageError`` for what is no such layout after all, ``CorruptStore`` for a release that is broken.
        """
        if self.layout == "release":
            found = _released(self.name, self.workspace or Path())
        else:
            reader = _Reader()
            self.refused, self.notes = reader.refused, reader.notes
            found = _read(reader, self.layout, self.source)
        for item in found:
            if split is None or item.split == split:
                yield item


def open_data(source: str | Path, *, workspace: Path | None = None) -> Data:
    """Find out what a source is: a path, else a release of the workspace, else a dataset's "owner/name" on the Hub.

    Raises ``UsageError`` for a source that is none of these, or whose layout is unknown.
    """
    path, name = Path(source), str(source)
    if _is_refcoco(path):
        return Data("refcoco", name, path)
    if path.exists():
        return Data(_layout(path), name, path)
    if RELEASE_NAME.fullmatch(name):
        if _is_release(name, workspace or Path()):
            return Data("release", name, name, workspace)
        raise UsageError(f"{name} is neither a path nor a release of the workspace {workspace or Path()}")
    return Data("hf", name, name)


class _Reader(Intake):
    """Hands on what is found, instead of storing it."""

    def __init__(self) -> None:
        super().__init__()
        self._images: dict[str, Image] = {}
        self._found: list[Item] = []

    def known_image(self, data: bytes) -> Image | None:
        """Return the record of a picture that was read before, so that it is not decoded again."""
        return self._images.get(hashlib.sha256(data).hexdigest())

    def picture(self, data: bytes, name: str, *, license: str | None = None, split: Split | None = None) -> Picture:
        """Return a picture as `Intake.picture` does; a known one is on the side that is said now."""
        found = super().picture(data, name, license=license, split=split)
        self._images[found.image.id] = found.image
        return Picture(found.image.model_copy(update={"split": split}), found.data, found.notes)

    def take(self, file: str, picture: Picture, samples: Sequence[Sample], remarks: Sequence[Remark] = ()) -> None:
        """Remember the samples until `taken` fetches them."""
        self.added += len(samples)
        for remark in remarks:
            self.note(file, remark.message)
        self._found += [
            Item(sample, picture.image, picture.data, file, picture.image.split or sample.split) for sample in samples
        ]

    def taken(self) -> list[Item]:
        """Return what came since the last call."""
        found, self._found = self._found, []
        return found


def _read(reader: _Reader, layout: Layout, source: str | Path) -> Iterator[Item]:
    for _ in _steps(reader, layout, source):
        yield from reader.taken()
    yield from reader.taken()


def _steps(reader: _Reader, layout: Layout, source: str | Path) -> Iterator[None]:
    if layout == "hf":
        from whyseg.curation.formats.hub_layouts import walk_hf

        return walk_hf(reader, source)
    if layout == "coco":
        from whyseg.curation.formats.coco import walk_coco

        return walk_coco(reader, Path(source))
    if layout == "mmr":
        from whyseg.curation.formats.mmr import walk_mmr

        return walk_mmr(reader, Path(source))
    if layout == "refcoco":
        from whyseg.curation.formats.refcoco import walk_refcoco

        return walk_refcoco(reader, Path(source))
    if layout == "labelme":
        from whyseg.curation.formats.labelme import walk_labelme

        return walk_labelme(reader, Path(source))
    from whyseg.curation.formats.reasonseg import walk_reasonseg

    return walk_reasonseg(reader, Path(source))


def _layout(path: Path) -> Layout:
    """Tell a layout by the files that lie there, and by what the first JSON that says it holds."""
    if path.is_file() and path.suffix in (".parquet", ".arrow"):
        return "hf"
    if path.is_dir() and any(
        _visible(found, path) for kind in ("parquet", "arrow") for found in path.rglob(f"*.{kind}")
    ):
        return "hf"
    with Listing(path) as listing:
        for found in listing.found:
            if isinstance(found, File) and found.name.lower().endswith(".json"):
                known = _layout_of_json(found)
                if known is not None:
                    return known
    raise UsageError(f"{path} holds no layout that whyseg knows: {_KNOWN}")


def _is_refcoco(path: Path) -> bool:
    """Tell whether a path is a pickle of refs, or one of the splits in it, which no file is."""
    if not any(part.suffix == ".p" for part in (path, *path.parents)):
        return False
    from whyseg.curation.formats.refcoco import wanted

    return wanted(path) is not None


def _visible(found: Path, folder: Path) -> bool:
    return not any(part.startswith(".") for part in found.relative_to(folder).parts)


def _layout_of_json(file: File) -> Layout | None:
    from whyseg.curation.formats.mmr import is_mmr
    from whyseg.curation.formats.shape_files import read_json

    try:
        data: Any = read_json(file)
    except RefusedInput:
        return None
    if is_mmr(data):
        return "mmr"
    keys = data.keys() if isinstance(data, dict) else set()
    if {"text", "shapes"} <= keys:
        return "reasonseg"
    if {"shapes", "imagePath"} <= keys:
        return "labelme"
    return "coco" if {"images", "annotations"} <= keys else None


def _is_release(name: str, workspace: Path) -> bool:
    from whyseg.curation.releases import Releases
    from whyseg.curation.workspace import SETTINGS, Workspace

    if not (workspace / SETTINGS).exists():
        return False
    with Workspace.open(workspace) as opened:
        return any(release.name == name for release in Releases(opened).all())


def _released(name: str, workspace: Path) -> Iterator[Item]:
    from whyseg.curation.releases import Releases
    from whyseg.curation.workspace import Workspace

    with Workspace.open(workspace) as opened:
        releases = Releases(opened)
        items = releases.items(name)
        for item, revision in zip(items, releases.revisions(items), strict=True):
            image = opened.store.image(item.image_id)
            yield Item(revision.sample, image, opened.blobs.read(item.image_id), item.sample_id, item.split)
