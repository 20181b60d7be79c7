"""Whyseg's own records in JSON files of shapes: what goes beside the shapes, and how both come back as one sample."""

import re
from collections.abc import Mapping
from typing import Any

from whyseg.curation.exporting import Row
from whyseg.curation.formats import own
from whyseg.curation.formats.shape_files import shown
from whyseg.curation.images import printable
from whyseg.schemas import Image, Mask, Sample
from whyseg.schemas.errors import InvalidRecord

_PICTURE = "picture"
_LARGEST_ID = 2**31


def packed_row(row: Row) -> dict[str, Any]:
    """Return what lies under ``whyseg``: the packed sample, and the picture's own file name and licence."""
    picture = {"file_name": row.image.file_name, "license": row.image.license}
    return {**own.pack(row.sample), _PICTURE: {key: value for key, value in picture.items() if value is not None}}


def packed_in(data: dict[str, Any]) -> dict[str, Any] | None:
    """Return a copy of what lies under ``whyseg``, None where nothing does; raises ``InvalidRecord`` for nonsense."""
    packed = data.get(own.KEY)
    if packed is None:
        return None
    if not isinstance(packed, dict):
        raise InvalidRecord(f"'{own.KEY}' is an object, got {shown(packed)}")
    return dict(packed)


def picture_of(packed: dict[str, Any] | None) -> tuple[str | None, str | None]:
    """Take the picture's file name and licence out of packed data; None for what it does not tell."""
    found = packed.pop(_PICTURE, None) if packed else None
    told = found if isinstance(found, dict) else {}
    name, license = told.get("file_name"), told.get("license")
    return (
        printable(name)[:1000] if isinstance(name, str) and name else None,
        license if isinstance(license, str) and license and license.isprintable() and len(license) <= 1000 else None,
    )


def instance_ids(packed: dict[str, Any], groups: list[int | None]) -> list[int]:
    """Return the instance that each shape belongs to: its group's, or a new one where it has none."""
    instances = packed.get("instances")
    known = [one.get("id") for one in instances if isinstance(one, dict)] if isinstance(instances, list) else []
    taken = [value for value in (*known, *groups) if type(value) is int and 0 < value < _LARGEST_ID]
    following = max(taken, default=0) + 1
    ids = []
    for group in groups:
        if group is not None and 0 < group < _LARGEST_ID:
            ids.append(group)
        else:
            ids.append(following)
            following += 1
    return ids


def restored(
    packed: dict[str, Any], image: Image, masks: Mapping[int, Mask], ignore: Mask | None
) -> tuple[Sample, list[str]]:
    """Return the sample of packed data with the masks by instance that a file's shapes give, and what has changed.

    A sample without a target that was given one is no longer without. Raises ``InvalidRecord`` for nonsense.
    """
    if packed.get("no_target") and masks:
        packed = {**packed, "no_target": False}
    return own.unpack(packed, image, masks, ignore)


def readable_name(row: Row) -> str:
    """Return a file name without suffix that tells the picture and is this sample's alone, on every disk."""
    stem = row.image.file_name.rsplit("/", 1)[-1].rsplit(".", 1)[0]
    kept = re.sub(r"[^A-Za-z0-9_-]+", "_", stem)[:60].strip("_-")
    return f"{kept}-{row.sample.id}" if kept else row.sample.id
