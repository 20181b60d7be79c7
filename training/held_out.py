"""What policies are compared on: data whose pictures no training has seen."""

from collections.abc import Sequence

import numpy as np

from whyseg.curation.images import read_reduced
from whyseg.curation.reading import Data
from whyseg.curation.similarity import FINGERPRINT, READ_SIDE, Fingerprints, fingerprint, groups, links
from whyseg.schemas import Split, content_hash
from whyseg.schemas.errors import UsageError
from whyseg.schemas.record import Record
from whyseg.training.evaluate import unscorable

_NAMED = 5  # pictures that a refusal names


class Side(Record):
    """Data as it was read. ``hash``: of its samples with their splits, whatever their order."""

    name: str
    split: Split | None
    samples: int
    images: int
    hash: str


class Pictures:
    """The pictures of some data, by id, with their fingerprints and a name each."""

    def __init__(self) -> None:
        self.prints = dict[str, Fingerprints]()
        self.names = dict[str, str]()


def survey(data: Data, *, training: bool) -> tuple[Side, Pictures]:
    """Return what is in data, and the pictures of its part for training, or of that for the test.

    For training are the split ``train`` and what has no split. For the test is the split ``test``, or everything where
    there is none, as far as it can be asked and scored. Raises ``UsageError`` when that part is empty.
    """
    pictures: dict[str | None, Pictures] = {}
    entries, counts = [], dict[str | None, int]()
    for item in data.items():
        own = pictures.setdefault(item.split, Pictures())
        entries.append([item.sample.id, item.sample.content_hash(), item.split or ""])
        if not training and (item.sample.query is None or unscorable(item.sample)):
            continue
        counts[item.split] = counts.get(item.split, 0) + 1
        if item.image.id not in own.prints:
            own.prints[item.image.id] = fingerprint(read_reduced(item.data, item.image.file_name, READ_SIDE))
            own.names[item.image.id] = item.name
    split: Split | None = "train" if training else "test" if "test" in pictures else None
    taken = (None, "train") if training else ("test",) if split else tuple(pictures)
    found = Pictures()
    for name in taken:
        if name in pictures:
            found.prints |= pictures[name].prints
            found.names |= pictures[name].names
    samples = sum(counts.get(name, 0) for name in taken)
    if not samples:
        raise UsageError(f"{data.name} has no samples to {'train on' if training else 'compare on'}")
    whole = content_hash(sorted(entries))
    return Side(name=data.name, split=split, samples=samples, images=len(found.prints), hash=whole), found


def require_unseen(held_out: Pictures, trained: Sequence[tuple[str, Pictures]]) -> None:
    """Raise ``UsageError`` when a picture to be compared on is one of those that a training learns from."""
    for name, pictures in trained:
        both = [picture for picture in held_out.prints if picture in pictures.prints]
        if both:
            shown = ", ".join(held_out.names[picture] for picture in both[:_NAMED])
            more = f" and {len(both) - _NAMED} more" if len(both) > _NAMED else ""
            raise UsageError(f"{len(both)} pictures that would be compared on are trained on in {name}: {shown}{more}")


def near_duplicates(held_out: Pictures, trained: Sequence[Pictures]) -> set[str]:
    """Return the held-out pictures that near-duplicates join, directly or over others, with one that is trained on."""
    seen = dict.fromkeys(picture for pictures in trained for picture in pictures.prints)
    keys = [*seen, *(picture for picture in held_out.prints if picture not in seen)]
    known = {key: value for pictures in (*trained, held_out) for key, value in pictures.prints.items()}
    prints = np.zeros(len(keys), FINGERPRINT)
    for place, key in enumerate(keys):
        prints[place] = known[key]
    joined = groups(keys, links(prints))
    return {key for group in joined if any(one in seen for one in group) for key in group if key in held_out.prints}
