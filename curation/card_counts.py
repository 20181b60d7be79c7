"""What a release holds, counted in one pass; memory grows with its items alone, not with what is in them."""

import hashlib
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from whyseg.curation.exporting import images_of, reviews_of
from whyseg.curation.releases import Releases
from whyseg.curation.workspace import Workspace
from whyseg.schemas import ReasoningType, Release, ReleaseItem, Sample

SHARES = (0.001, 0.01, 0.05, 0.2, 0.5)  # of a picture's area: the bounds between the bins of masks
SHOWN = 6  # pictures on a card
_TOGETHER = 200  # samples whose reviews and images come with one question to the database


@dataclass
class Counts:
    """The figures of a release; a key that a sample does not state is None."""

    samples: Counter[str] = field(default_factory=Counter)  # by split, as are the next two
    images: Counter[str] = field(default_factory=Counter)
    no_target: Counter[str] = field(default_factory=Counter)
    matrix: Counter[tuple[ReasoningType | None, int | None]] = field(default_factory=Counter)
    instances: Counter[int] = field(default_factory=Counter)  # samples by their number of instances
    areas: Counter[int] = field(default_factory=Counter)  # instances by the bin of their share of the picture
    ignoring: int = 0  # samples with an ignore region
    questions: Counter[tuple[str, str | None]] = field(default_factory=Counter)  # by kind and model of their origin
    masks: Counter[tuple[str, str | None]] = field(default_factory=Counter)  # by kind and model of their origin
    retouched: int = 0  # masks that a hand changed after a tool had made them
    sources: Counter[str] = field(default_factory=Counter)
    licenses: Counter[str | None] = field(default_factory=Counter)  # images
    decisions: Counter[str] = field(default_factory=Counter)  # reviews of the frozen revisions
    reviewed: int = 0  # samples with one or more
    reviewers: int = 0
    shown: tuple[Sample, ...] = ()


def count_release(workspace: Workspace, release: Release) -> Counts:
    """Count what a release holds, and choose the samples that its card shows."""
    counts, choice, reviewers = Counts(), _Choice(), set[str]()
    releases = Releases(workspace)
    seen = ""
    everything = releases.items(release.name)
    for start in range(0, len(everything), _TOGETHER):
        items = everything[start : start + _TOGETHER]
        images = {image.id: image for image in images_of(workspace, items)}
        reviews = reviews_of(workspace, items)
        for item, revision in zip(items, releases.revisions(items), strict=True):
            sample = revision.sample
            if item.image_id != seen:  # items come image by image
                seen = item.image_id
                counts.images[item.split] += 1
                counts.licenses[(images[seen].license or "").strip() or None] += 1
            own = reviews.get(item.revision_id, [])
            counts.reviewed += bool(own)
            counts.decisions.update(review.decision for review in own)
            reviewers |= {review.reviewer for review in own}
            _count(counts, item, sample)
            choice.offer(sample)
    counts.reviewers, counts.shown = len(reviewers), choice.made()
    return counts


def _count(counts: Counts, item: ReleaseItem, sample: Sample) -> None:
    counts.samples[item.split] += 1
    counts.no_target[item.split] += sample.no_target
    counts.matrix[sample.reasoning_type, sample.depth] += 1
    counts.instances[len(sample.instances)] += 1
    counts.ignoring += sample.ignore is not None
    counts.sources[sample.source] += 1
    if sample.query:
        counts.questions[sample.query.origin.kind, sample.query.origin.model] += 1
    pixels = sample.size[0] * sample.size[1]
    for instance in sample.instances:
        counts.areas[bisect_right(SHARES, instance.mask.area / pixels)] += 1
        counts.masks[instance.origin.kind, instance.origin.model] += 1
        counts.retouched += instance.origin.retouched


class _Choice:
    """The samples to show: of every reasoning type those whose ids' hashes are smallest, of different images."""

    def __init__(self) -> None:
        self._best: dict[ReasoningType | None, list[tuple[str, Sample]]] = {}

    def offer(self, sample: Sample) -> None:
        if sample.query is None or not any(instance.mask.area for instance in sample.instances):
            return
        best = self._best.setdefault(sample.reasoning_type, [])
        key = hashlib.sha256(sample.id.encode()).hexdigest()
        if all(key < other or shown.image_id != sample.image_id for other, shown in best):
            best[:] = sorted(
                [*((other, shown) for other, shown in best if shown.image_id != sample.image_id), (key, sample)],
                key=lambda pair: pair[0],
            )[:SHOWN]

    def made(self) -> tuple[Sample, ...]:
        chosen, images = list[Sample](), set[str]()
        order = [self._best.get(kind, []) for kind in (*ReasoningType, None)]
        for place in range(SHOWN):
            for best in order:
                if place < len(best) and len(chosen) < SHOWN and best[place][1].image_id not in images:
                    chosen.append(best[place][1])
                    images.add(best[place][1].image_id)
        return tuple(chosen)


def rows_of(counts: Counter[tuple[str, str | None]]) -> Iterator[tuple[str, str | None, int]]:
    """Yield (kind, model, number) of origins, most first."""
    for (kind, model), number in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0][0], pair[0][1] or "")):
        yield kind, model, number
