"""What differs between two releases: samples that came, went or changed, and by how much their masks moved."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from whyseg.curation.releases import Releases
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Release, ReleaseItem, Sample
from whyseg.schemas.record import Record

_SOME = 200
_SAME = {"id", "image_id", "source", "source_record"}  # what makes it the same sample
Pair = tuple[ReleaseItem, ReleaseItem]


class Change(Record):
    """A sample that both releases hold, differently.

    ``fields``: those of the sample that differ, and ``side`` where its split in the releases does. ``iou``: of its
    targets before and after, in [0, 1]; None where the size of the picture differs. ``queries``: before and after.
    """

    sample_id: str
    image_id: str
    before: ReleaseItem
    after: ReleaseItem
    fields: tuple[str, ...]
    iou: float | None
    queries: tuple[str | None, str | None]


class ReleaseDiff(Record):
    """From the ``before`` release to the ``after`` one; each list is in the order of sample ids."""

    before: Release
    after: Release
    same: int
    added: tuple[ReleaseItem, ...]
    removed: tuple[ReleaseItem, ...]
    changed: tuple[Change, ...]


@dataclass(frozen=True)
class Differences:
    """What differs, before any revision was read: ``changed`` are the entries of before and after."""

    before: Release
    after: Release
    same: int
    added: tuple[ReleaseItem, ...]
    removed: tuple[ReleaseItem, ...]
    changed: tuple[Pair, ...]


def differences(workspace: Workspace, before: str, after: str) -> Differences:
    """Compare the entries of two releases of a workspace; raises ``NotFound``."""
    releases = Releases(workspace)
    first, second = ({item.sample_id: item for item in releases.items(name)} for name in (before, after))
    both = sorted(first.keys() & second.keys())
    changed = [(first[key], second[key]) for key in both if _state(first[key]) != _state(second[key])]
    return Differences(
        before=releases.get(before),
        after=releases.get(after),
        same=len(both) - len(changed),
        added=tuple(second[key] for key in sorted(second.keys() - first.keys())),
        removed=tuple(first[key] for key in sorted(first.keys() - second.keys())),
        changed=tuple(changed),
    )


def changes(workspace: Workspace, pairs: Sequence[Pair]) -> list[Change]:
    """Say how the samples of some changed entries differ.

    Raises ``CorruptStore`` for a revision that is gone or broken.
    """
    releases = Releases(workspace)
    befores, afters = (releases.revisions([pair[k] for pair in pairs]) for k in (0, 1))
    both = zip(pairs, befores, afters, strict=True)
    return [_change(old, new, before.sample, after.sample) for (old, new), before, after in both]


def diff(
    workspace: Workspace, before: str, after: str, progress: Callable[[int, int], None] = lambda done, total: None
) -> ReleaseDiff:
    """Compare two releases of a workspace in full; only samples that differ are read.

    ``progress`` gets how many of those are compared, and their number. Raises as `differences` and `changes` do.
    """
    found = differences(workspace, before, after)
    changed: list[Change] = []
    for start in range(0, len(found.changed), _SOME):
        changed += changes(workspace, found.changed[start : start + _SOME])
        progress(len(changed), len(found.changed))
    return ReleaseDiff(**{**vars(found), "changed": tuple(changed)})


def _state(item: ReleaseItem) -> tuple[str, str]:
    return item.content, item.split


def _change(old: ReleaseItem, new: ReleaseItem, before: Sample, after: Sample) -> Change:
    names = [name for name in Sample.model_fields if name not in _SAME]
    fields = [name for name in names if getattr(before, name) != getattr(after, name)]
    return Change(
        sample_id=new.sample_id,
        image_id=new.image_id,
        before=old,
        after=new,
        fields=(*fields, *(["side"] if old.split != new.split else [])),
        iou=before.target().iou(after.target()) if before.size == after.size else None,
        queries=(_query(before), _query(after)),
    )


def _query(sample: Sample) -> str | None:
    return sample.query.text if sample.query else None
