"""Checks of samples beside each other: pictures that show the same, questions that ask the same, leaking splits."""

import re
from collections import defaultdict
from collections.abc import Iterator

from whyseg.curation.checking.base import Pictures, Remark, Seen
from whyseg.curation.similarity import near_queries
from whyseg.curation.splits import SAFEST
from whyseg.schemas import Split

MANY = 10  # pictures
_NAMED = 5  # samples or images that evidence names; it counts them all


def near_duplicate_image(samples: list[Seen], pictures: Pictures) -> Iterator[tuple[Seen, Remark]]:
    """A picture shows the same as one that was added before it; said once, of its first sample."""
    told = set()
    for seen in samples:
        first = pictures.group[seen.image_id]
        if first != seen.image_id and seen.image_id not in told:
            told.add(seen.image_id)
            yield seen, Remark(f"the picture shows the same as image {first}", seen.image_id, {"image": first})


def near_duplicate_question(samples: list[Seen], pictures: Pictures) -> Iterator[tuple[Seen, Remark]]:
    """A sample asks nearly the same as an earlier one, of the same picture or of one that shows the same."""
    of_group = defaultdict(list)
    for seen in samples:
        if seen.text:
            of_group[pictures.group[seen.image_id]].append(seen)
    for members in of_group.values():
        if len(members) < 2:
            continue
        told = set()
        for pair in near_queries([seen.text or "" for seen in members]):
            first, second = members[pair.first], members[pair.second]
            if second not in told:
                told.add(second)
                message = f"asks nearly the same as sample {first.sample_id} of the same picture: {second.text}"
                yield second, Remark(message, "", {"sample": first.sample_id, "similarity": round(pair.similarity, 3)})


def common_question(samples: list[Seen], pictures: Pictures) -> Iterator[tuple[Seen, Remark]]:
    """Many pictures are asked the same, but for case and punctuation; said once, of the first sample."""
    # Word by word, not nearly: questions made from templates are all near one another, pair by pair.
    asked = defaultdict(list)
    for seen in samples:
        if words := " ".join(re.findall(r"\w+", (seen.text or "").casefold())):
            asked[words].append(seen)
    for words, members in asked.items():
        count = len({pictures.group[seen.image_id] for seen in members})
        if count >= MANY:
            some = [seen.sample_id for seen in members[:_NAMED]]
            message = f"{count} pictures are asked the same: {members[0].text}"
            yield members[0], Remark(message, words, {"pictures": count, "samples": some})


def split_leak(samples: list[Seen], pictures: Pictures) -> Iterator[tuple[Seen, Remark]]:
    """A picture in one split shows the same as another, or is the same, in a safer one; said once a picture.

    The split is that of the releases; before the first, the one that the source gave. Test is safer than validation,
    validation than train.
    """
    sides: dict[str, dict[Split, Seen]] = defaultdict(dict)  # by group: the first sample on each side
    for seen in samples:
        if split := pictures.released.get(seen.image_id, seen.split):
            sides[pictures.group[seen.image_id]].setdefault(split, seen)
    told = set()
    for seen in samples:
        split = pictures.released.get(seen.image_id, seen.split)
        found = sides.get(pictures.group[seen.image_id], {})
        safest = next((side for side in SAFEST if side in found), None)
        if split is None or safest is None or split == safest or (seen.image_id, split) in told:
            continue
        told.add((seen.image_id, split))
        other = found[safest]
        same = "is" if other.image_id == seen.image_id else "shows the same as"
        message = f"the picture is in {split}, and {same} image {other.image_id} in {safest}"
        evidence = {"split": split, "other": safest, "image": other.image_id, "sample": other.sample_id}
        yield seen, Remark(message, f"{seen.image_id} {split}", evidence)
