"""COCO's JSON as plain records: checked, joined by their ids, and with a word on whatever is left out.

Nothing here looks at pictures or pixels.
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from whyseg.curation.formats import own
from whyseg.curation.formats.split_names import split_of
from whyseg.curation.sources import Refusal
from whyseg.schemas import Split
from whyseg.schemas.errors import RefusedInput
from whyseg.schemas.release import SPLITS

MAX_JSON_BYTES = (
    3 * 2**29
)  # COCO's largest file has 448 MiB, LVIS's 1.1 GB; in memory a file takes about six times that
MAX_LABEL = 200

_TAKEN_OF_IMAGES = {"id", "file_name", "height", "width", "license", "split", "original_name"}
_TAKEN_OF_ANNOTATIONS = {
    "id", "image_id", "category_id", "segmentation", "bbox", "area", "iscrowd", "sample_id", "instance_id",
}  # fmt: skip
_TAKEN_OF_CATEGORIES = {"id", "name", "label"}

Key = int | str


@dataclass(frozen=True, slots=True)
class Annotation:
    """One annotation; ``sample_id`` and ``instance_id`` are those of whyseg's own exports."""

    id: str
    category: Key
    label: str
    segmentation: Any
    bbox: Any
    crowd: bool
    sample_id: str | None
    instance_id: int | None


@dataclass(frozen=True, slots=True)
class Picture:
    """One image entry. ``size``: (height, width) where it says so; ``original_name``: in whyseg's own exports."""

    id: Key
    file_name: str
    size: tuple[int, int] | None
    license: str | None
    split: Split | None
    original_name: str | None


@dataclass
class CocoFile:
    """A file's images with what belongs to each; ``samples``: packed ones of whyseg's own exports, by image.

    An image whose annotations were all refused has an empty list of them.
    """

    name: str
    pictures: list[Picture] = field(default_factory=list)
    annotations: dict[Key, list[Annotation]] = field(default_factory=dict)
    samples: dict[Key, dict[str, dict[str, Any]]] = field(default_factory=dict)
    refused: list[Refusal] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class _Bad(Exception):
    """An entry that cannot be taken, and why."""


def read_coco(path: Path, name: str) -> CocoFile:
    """Read a file of COCO instances; ``name`` is what it is called in refusals.

    Raises ``RefusedInput`` when the file as a whole is none; broken entries are in ``refused``.
    """
    data = _load(path, name)
    for key in ("images", "annotations", "categories", "licenses"):
        if not isinstance(data.setdefault(key, []), list):
            raise RefusedInput(name, f"{key!r} is no list")
    if not data["images"]:
        raise RefusedInput(name, "it lists no images: not a file of COCO instances")
    if any(isinstance(entry, dict) and "segments_info" in entry for entry in data["annotations"][:1]):
        raise RefusedInput(name, "panoptic annotations are not taken in, only instances")
    file = CocoFile(name)
    _read_pictures(file, data, split_of([path.absolute().parent.name], path.name))
    _read_samples(file, data.get(own.KEY))
    _read_annotations(file, data)
    for what, taken in (
        ("images", _TAKEN_OF_IMAGES), ("annotations", _TAKEN_OF_ANNOTATIONS), ("categories", _TAKEN_OF_CATEGORIES)
    ):  # fmt: skip
        file.notes += _left_out(what, data[what], taken)
    return file


def _load(path: Path, name: str) -> dict[str, Any]:
    try:
        size = path.stat().st_size
        if size > MAX_JSON_BYTES:
            raise RefusedInput(name, f"{size} bytes are over the limit of {MAX_JSON_BYTES}")
        data = json.loads(path.read_bytes())
    except OSError as error:
        raise RefusedInput(name, f"cannot be read: {error.strerror or error}") from error
    except RecursionError as error:
        raise RefusedInput(name, "it is nested too deeply") from error
    except ValueError as error:
        raise RefusedInput(name, f"it is no JSON: {' '.join(str(error).split())[:200]}") from error
    if not isinstance(data, dict):
        raise RefusedInput(name, f"a file of COCO instances is an object with images and annotations, got a {_a(data)}")
    return data


def _read_pictures(file: CocoFile, data: dict[str, Any], whole: Split | None) -> None:
    entries, licenses = data["images"], _licenses(data["licenses"])
    counts = Counter(repr(_key(entry.get("id"))) for entry in entries if isinstance(entry, dict))
    names = set[str]()
    for number, entry in enumerate(entries):
        name = f"{file.name}: image number {number + 1}"
        try:
            picture = _picture(entry, licenses, whole)
            name = picture.file_name
            if counts[repr(picture.id)] > 1:
                raise _Bad(f"image id {picture.id} is given {counts[repr(picture.id)]} times")
            if picture.file_name in names:
                raise _Bad("a second image entry of the same file")
        except _Bad as error:
            file.refused.append(Refusal(file=name, reason=str(error)))
            continue
        names.add(picture.file_name)
        file.pictures.append(picture)


def _picture(entry: Any, licenses: dict[Key, str], whole: Split | None) -> Picture:
    if not isinstance(entry, dict):
        raise _Bad(f"an image is an object, got a {_a(entry)}")
    key, name, url = _key(entry.get("id")), entry.get("file_name"), entry.get("coco_url")
    if key is None:
        raise _Bad("an image needs an id, a whole number or a text")
    if name is None and isinstance(url, str):  # LVIS gives nothing else
        name = PurePosixPath(url).name
    if not isinstance(name, str) or not _sound(name):
        raise _Bad("an image needs a file_name")
    name = name.replace("\\", "/")
    split, original = entry.get("split"), entry.get("original_name")
    return Picture(
        id=key,
        file_name=name,
        size=_size(entry.get("height"), entry.get("width")),
        license=licenses.get(lawful) if (lawful := _key(entry.get("license"))) is not None else None,
        split=split if split in SPLITS else split_of(PurePosixPath(name).parts[:-1]) or whole,
        original_name=original if _sound(original) else None,
    )


def _size(height: Any, width: Any) -> tuple[int, int] | None:
    if height is None and width is None:
        return None
    sides = [int(side) if isinstance(side, float) and side.is_integer() else side for side in (height, width)]
    if not all(type(side) is int and 0 < side < 2**31 for side in sides):
        raise _Bad("an image's height and width are whole numbers of pixels")
    return sides[0], sides[1]


def _licenses(entries: list[Any]) -> dict[Key, str]:
    """Return each licence's name and address as one line of text."""
    found: dict[Key, str] = {}
    for entry in entries:
        key = _key(entry.get("id")) if isinstance(entry, dict) else None
        if key is not None:
            name, url = (entry[part].strip() if _sound(entry.get(part)) else "" for part in ("name", "url"))
            found[key] = " ".join((f"{name} ({url})" if name and url else name or url).split())
    return {key: text for key, text in found.items() if text and text.isprintable()}


def _read_samples(file: CocoFile, packed: Any) -> None:
    """Take the packed samples that whyseg's own exports carry."""
    if packed is None:
        return
    samples = packed.get("samples") if isinstance(packed, dict) else None
    if not isinstance(samples, list):
        file.notes.append(f"{own.KEY!r} holds no list of samples and is ignored")
        return
    for number, entry in enumerate(samples):
        sample = entry.get("sample") if isinstance(entry, dict) else None
        key = _key(entry.get("image")) if isinstance(entry, dict) else None
        if key is None or not isinstance(sample, dict) or not _sound(sample.get("id")):
            file.notes.append(f"packed sample number {number + 1} names no image or has no id; it is ignored")
        else:
            file.samples.setdefault(key, {})[sample["id"]] = sample


def _read_annotations(file: CocoFile, data: dict[str, Any]) -> None:
    categories = _categories(data["categories"])
    pictures = {picture.id for picture in file.pictures}
    named = {_key(entry.get("id")) for entry in data["images"] if isinstance(entry, dict)}
    seen = set[str]()
    captions = 0
    for number, entry in enumerate(data["annotations"]):
        if isinstance(entry, dict) and "caption" in entry and "segmentation" not in entry:
            captions += 1
            continue
        name = f"{file.name}: annotation number {number + 1}"
        try:
            annotation, image = _annotation(entry, categories)
            name = f"{file.name}: annotation {annotation.id}" if annotation.id else name
            if image not in named:
                raise _Bad(f"it is of image {image}, which is not among the images")
            if annotation.id and annotation.id in seen:
                raise _Bad("a second annotation of this id")
        except _Bad as error:
            file.refused.append(Refusal(file=name, reason=str(error)))
            of = _key(entry.get("image_id")) if isinstance(entry, dict) else None
            if of in pictures and of is not None:
                file.annotations.setdefault(of, [])  # it had one, if not a good one
            continue
        seen.add(annotation.id)
        if image in pictures:  # else the image was refused, and that is said
            file.annotations.setdefault(image, []).append(annotation)
    if captions:
        file.notes.append(f"captions, not taken: {captions}")


def _annotation(entry: Any, categories: dict[Key, str | None]) -> tuple[Annotation, Key]:
    if not isinstance(entry, dict):
        raise _Bad(f"an annotation is an object, got a {_a(entry)}")
    image, category, crowd = _key(entry.get("image_id")), _key(entry.get("category_id")), entry.get("iscrowd", 0)
    key = _key(entry.get("id"))
    where = f"annotation {key}: " if key is not None else ""
    if image is None:
        raise _Bad(f"{where}it names no image")
    if category is None or category not in categories:
        raise _Bad(f"{where}it is of category {category}, which is not among the categories")
    label = categories[category]
    if label is None:
        raise _Bad(f"{where}its category {category} has no name, or several")
    if crowd is None:
        crowd = 0
    if type(crowd) not in (int, bool, float) or crowd not in (0, 1):  # tools that write tables make floats of numbers
        raise _Bad(f"{where}iscrowd is 0 or 1, got {repr(crowd)[:40]}")
    sample, instance = entry.get("sample_id"), entry.get("instance_id")
    return (
        Annotation(
            id=str(key)[:MAX_LABEL] if key is not None else "",
            category=category,
            label=label,
            segmentation=entry.get("segmentation"),
            bbox=entry.get("bbox"),
            crowd=bool(crowd),
            sample_id=sample if isinstance(sample, str) else None,
            instance_id=instance if type(instance) is int and instance > 0 else None,
        ),
        image,
    )


def _categories(entries: list[Any]) -> dict[Key, str | None]:
    """Return each category's label; None where it has no name that can be one, or several."""
    found: dict[Key, str | None] = {}
    for entry in entries:
        key = _key(entry.get("id")) if isinstance(entry, dict) else None
        if key is None:
            continue
        name = entry.get("name")
        label = name.strip() if _sound(name) and len(name.strip()) <= MAX_LABEL else None
        if entry.get("label") == "":  # in whyseg's own exports: the category of instances that have none
            label = ""
        found[key] = label if found.get(key, label) == label else None
    return found


def _left_out(what: str, entries: list[Any], taken: set[str]) -> Iterator[str]:
    """Say which keys of a list's entries hold something that is not taken."""
    used = Counter[str]()
    for entry in entries:
        if isinstance(entry, dict):
            used.update(key for key, value in entry.items() if key not in taken and value not in (None, "", [], {}))
    if used:
        shown = ", ".join(f"{key[:40]} ({count})" for key, count in used.most_common(10))
        yield f"not taken of the {what}: {shown}{', …' if len(used) > 10 else ''}"


def _key(value: Any) -> Key | None:
    """Return an id: a whole number or a text; None for anything else."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or (isinstance(value, int) and abs(value) >= 2**63):
        return None
    return value if isinstance(value, int) or _sound(value) else None


def _sound(text: Any) -> bool:
    """Tell whether something is a text that can be written as UTF-8, and not an empty one."""
    if not isinstance(text, str) or not text.strip():
        return False
    return not any("\ud800" <= c <= "\udfff" for c in text)


def _a(value: Any) -> str:
    return {"dict": "object", "str": "text", "NoneType": "null"}.get(type(value).__name__, type(value).__name__)
