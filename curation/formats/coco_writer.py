"""A release as COCO instances: ``annotations.json`` with run lengths, and the pictures in ``images/``.

Ids are numbers from 1 in the order of the release, categories are the instances' labels in alphabetical order. What
COCO has no place for lies under ``whyseg`` and in extra keys of images and annotations, which COCO's readers pass over.
"""

import json
import shutil
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, TextIO

from whyseg.curation.exporting import REWRITTEN, Loss, Part, Row
from whyseg.curation.formats import own
from whyseg.schemas import Mask, Release, ReleaseItem, Sample

ANNOTATIONS = "annotations.json"
NAMELESS = "object"  # the category of instances without a label
_PIECES = ".pieces"
_PER_PART = 100


class CocoWriter:
    """Writes COCO instances; see the module."""

    format = "coco"
    limits: tuple[str, ...] = ("reviews and earlier revisions",)

    def options(self) -> dict[str, object]:
        """Return nothing: there is no choice."""
        return {}

    def plan(self, items: Sequence[ReleaseItem]) -> list[Part]:
        """Cut the items into parts of a hundred and some, so that no picture is in two."""
        parts, some = list[Part](), list[ReleaseItem]()
        for _, of_image in groupby(items, key=lambda item: item.image_id):
            some += of_image
            if len(some) >= _PER_PART:
                parts.append(Part(f"{len(parts):06d}", tuple(some)))
                some = []
        return [*parts, Part(f"{len(parts):06d}", tuple(some))] if some else parts

    def write(self, part: Part, rows: Iterator[Row], folder: Path) -> tuple[int, list[Loss]]:
        """Write a part's pictures, and its entries with ids that count from 1 within the part."""
        pieces = folder / _PIECES
        pieces.mkdir(parents=True, exist_ok=True)
        (folder / "images").mkdir(exist_ok=True)
        count, losses = 0, list[Loss]()
        with (pieces / part.name).open("w", encoding="utf-8") as file:
            for number, (_, of_image) in enumerate(groupby(rows, key=lambda row: row.image.id), 1):
                written = False
                for row in of_image:
                    if not written:
                        _put(file, "images", _write_picture(row, number, folder / "images"))
                        written = True
                    if row.rewritten:
                        losses.append(Loss(sample_id=row.sample.id, what=REWRITTEN))
                    for annotation in _annotations(row.sample, number):
                        _put(file, "annotations", annotation)
                    _put(file, "samples", {"image": number, "sample": own.pack(row.sample)})
                    count += 1
        return count, losses

    def finish(self, release: Release, parts: Sequence[Part], folder: Path) -> None:
        """Join the parts' entries in one file; it gets its name when it is whole, and they go after that."""
        pieces, target = folder / _PIECES, folder / ANNOTATIONS
        if not target.exists():
            draft = pieces / ANNOTATIONS
            with draft.open("w", encoding="utf-8") as file:
                _join(file, release, [pieces / part.name for part in parts])
            draft.rename(target)
        shutil.rmtree(pieces, ignore_errors=True)


def _write_picture(row: Row, number: int, folder: Path) -> dict[str, Any]:
    """Write a picture's file and return its entry."""
    data, suffix = row.picture
    image = row.image
    (folder / f"{image.id}{suffix}").write_bytes(data)
    return {
        "id": number,
        "file_name": f"{image.id}{suffix}",
        "height": image.height,
        "width": image.width,
        "license": image.license,
        "split": row.split,
        "original_name": image.file_name,
    }


def _annotations(sample: Sample, image: int) -> Iterator[dict[str, Any]]:
    for instance in sample.instances:
        yield _annotation(sample, image, instance.mask, instance.label, instance.id)
    if sample.ignore is not None:
        label = sample.instances[0].label if sample.instances else ""
        yield _annotation(sample, image, sample.ignore, label, None)


def _annotation(sample: Sample, image: int, mask: Mask, label: str, instance: int | None) -> dict[str, Any]:
    """Return an annotation that names its label in place of a category; one of no instance is an ignore region."""
    x0, y0, x1, y1 = mask.box_xyxy
    return {
        "image_id": image,
        "category_id": label,
        "segmentation": {"size": list(mask.size), "counts": mask.counts},
        "area": mask.area,
        "bbox": [x0, y0, x1 - x0, y1 - y0],
        "iscrowd": int(instance is None),
        "sample_id": sample.id,
        "instance_id": instance,
    }


def _put(file: TextIO, kind: str, entry: dict[str, Any]) -> None:
    file.write(json.dumps([kind, entry], ensure_ascii=False) + "\n")


def _entries(pieces: Sequence[Path], kind: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield all parts' entries of a kind, each with the number of images in the parts before."""
    before = 0
    for piece in pieces:
        images = 0
        with piece.open(encoding="utf-8") as file:
            for line in file:
                here, entry = json.loads(line)
                images += here == "images"
                if here == kind:
                    yield before, entry
        before += images


def _join(file: TextIO, release: Release, pieces: Sequence[Path]) -> None:
    """Write the whole file from the parts' entries, one at a time."""
    licenses = _numbered({entry["license"] for _, entry in _entries(pieces, "images")} - {None})
    categories = _numbered({entry["category_id"] for _, entry in _entries(pieces, "annotations")})
    nameless = NAMELESS
    while nameless in categories:
        nameless += "_"
    info = {
        "description": f"whyseg release {release.name}",
        "version": release.hash,
        "year": release.created_at.year,
        "date_created": release.created_at.isoformat(),
    }

    def image(before: int, entry: dict[str, Any]) -> dict[str, Any]:
        lawful = {} if entry["license"] is None else {"license": licenses[entry["license"]]}
        return {**{key: entry[key] for key in entry if key != "license"}, "id": before + entry["id"], **lawful}

    def annotation(before: int, entry: dict[str, Any]) -> dict[str, Any]:
        return {**entry, "image_id": before + entry["image_id"], "category_id": categories[entry["category_id"]]}

    file.write(f'{{"info": {_text(info)},\n"licenses": ')
    _array(file, ({"id": number, "name": name, "url": ""} for name, number in licenses.items()))
    file.write(',\n"categories": ')
    _array(file, (_category(label, number, nameless) for label, number in categories.items()))
    file.write(',\n"images": ')
    _array(file, (image(*entry) for entry in _entries(pieces, "images")))
    file.write(',\n"annotations": ')
    numbered = enumerate(_entries(pieces, "annotations"), 1)
    _array(file, ({"id": number, **annotation(*entry)} for number, entry in numbered))
    file.write(f',\n"{own.KEY}": {{"version": {own.VERSION}, "samples": ')
    samples = _entries(pieces, "samples")
    _array(file, ({**entry, "image": before + entry["image"]} for before, entry in samples))
    file.write("}}\n")


def _numbered(names: set[str]) -> dict[str, int]:
    return {name: number for number, name in enumerate(sorted(names), 1)}


def _category(label: str, number: int, nameless: str) -> dict[str, Any]:
    """Return a category; that of instances without a label has a name nevertheless, and says so."""
    entry = {"id": number, "name": label or nameless, "supercategory": ""}
    return entry if label else {**entry, "label": ""}


def _array(file: TextIO, entries: Iterator[dict[str, Any]]) -> None:
    """Write a JSON array, an entry a line."""
    opening = "["
    for entry in entries:
        file.write(f"{opening}\n{_text(entry)}")
        opening = ","
    file.write("\n]" if opening == "," else "[]")


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
