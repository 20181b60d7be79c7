"""A release: an immutable, content-hashed set of revisions with splits."""

import re
from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import StringConstraints

from whyseg.schemas.canonical import content_hash
from whyseg.schemas.image import Sha256, Split
from whyseg.schemas.record import Record, Utc

RELEASE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
SPLITS: tuple[Split, ...] = ("train", "validation", "test")


class ReleaseItem(Record):
    """One sample of a release: the revision that was frozen, and its split. ``content``: the sample's content hash."""

    sample_id: str
    image_id: Sha256
    revision_id: str
    content: str
    split: Split


class Release(Record):
    """What a release is called and holds. ``hash``: that of its items; ``states``: which samples were frozen.

    ``splits`` counts samples. ``notes`` say what the splits could not keep, such as near-duplicates on two sides.
    """

    name: Annotated[str, StringConstraints(pattern=rf"^{RELEASE_NAME.pattern}$")]
    hash: str
    created_at: Utc
    author: str
    states: Literal["accepted", "any"]
    samples: int
    images: int
    splits: dict[Split, int]
    notes: tuple[str, ...] = ()


def release_hash(items: Iterable[ReleaseItem]) -> str:
    """Return the hash of the sorted (sample id, content hash, split): the same content has it on any machine."""
    return content_hash(sorted([item.sample_id, item.content, item.split] for item in items))
