"""Which split an image goes to: similar images on one side, and no image ever moves.

The rules, in their order:

1. An image stays in the split that it had in an earlier release.
2. All other images of a group go to one split: the safest that the group knows, from its images in earlier releases and
   from what the sources gave the others. Test is safer than validation, validation than train.
3. A group that knows none goes by the hash of its smallest image id: 80 % train, 10 % validation, 10 % test.

Rule 1 wins over all: when a new picture joins two groups that lie on different sides already, or when a source puts
a picture elsewhere than its near-duplicate, nobody moves, and a note says so.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping

from whyseg.schemas import Split

SHARES: tuple[tuple[Split, float], ...] = (("train", 0.8), ("validation", 0.1), ("test", 0.1))
SAFEST: tuple[Split, ...] = ("test", "validation", "train")
_NAMED = 5  # groups and images that a note names; it counts them all
_SHORT = 12  # characters of an id that a note shows


def assign_splits(
    groups: Iterable[Iterable[str]], given: Mapping[str, Collection[Split]], former: Mapping[str, Split]
) -> tuple[dict[str, Split], tuple[str, ...]]:
    """Return the split of every image of the groups, and notes about what the splits could not keep.

    ``groups``: image ids that are similar; each id stands in one group, alone where it is like no other. ``given``: the
    splits that the sources gave an image's samples. ``former``: the split that an image has in earlier releases. The
    order of groups and of what is in them does not matter.
    """
    splits: dict[str, Split] = {}
    several, apart, elsewhere = list[str](), list[str](), list[str]()
    for group in sorted(sorted(group) for group in groups):
        known = {former[image] for image in group if image in former}
        wanted = {split for image in group if image not in former for split in given.get(image, ())}
        side = _safest(known | wanted) or by_hash(group[0])
        for image in group:
            splits[image] = former.get(image, side)
            if image in former and set(given.get(image, ())) - {former[image]}:
                elsewhere.append(f"{_short(image)} in {former[image]}")
        if len(wanted) > 1:
            several.append(f"{_short(group[0])} in {side}")
        if len({splits[image] for image in group}) > 1:
            apart.append(" and ".join(_one_of_each(group, splits)))
    notes = (
        _note("several splits in the sources of similar images, which take the safest", "group", several),
        _note("near-duplicates on more than one side, as no image leaves the split of a release", "group", apart),
        _note("another split in a source than in an earlier release, which counts", "image", elsewhere),
    )
    return splits, tuple(note for note in notes if note)


def by_hash(image_id: str) -> Split:
    """Return the split that an id alone gives: the first 64 bits of its SHA-256 as a place in the shares of [0, 1)."""
    place = int.from_bytes(hashlib.sha256(image_id.encode()).digest()[:8], "big") / 2**64
    for split, share in SHARES:
        if place < share:
            return split
        place -= share
    return SHARES[-1][0]  # the shares' rounding


def _safest(found: Collection[Split]) -> Split | None:
    return next((split for split in SAFEST if split in found), None)


def _one_of_each(group: list[str], splits: Mapping[str, Split]) -> list[str]:
    first: dict[Split, str] = {}
    for image in group:
        first.setdefault(splits[image], image)
    return [f"{_short(first[split])} in {split}" for split in SAFEST if split in first]


def _note(what: str, thing: str, found: list[str]) -> str:
    if not found:
        return ""
    more = f", and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return f"{what} ({len(found)} {thing}{'s' * (len(found) > 1)}): {'; '.join(found[:_NAMED])}{more}"


def _short(image_id: str) -> str:
    return image_id[:_SHORT]
