"""Three-way merge of two edits of one sample: field by field, and instance by instance."""

from typing import Any

from whyseg.schemas.record import Record
from whyseg.schemas.sample import Instance, Sample

FIELDS = ("query", "ignore", "no_target", "reasoning_type")


class Merge(Record):
    """A merged sample, and in words what both sides changed differently; there, mine was taken."""

    sample: Sample
    conflicts: tuple[str, ...] = ()


def merge(base: Sample, mine: Sample, theirs: Sample) -> Merge:
    """Merge two edits of ``base``.

    What only one side changed is taken from that side. Where both changed the same thing differently, mine is taken
    and the conflict is named. An instance that both sides added under one id is kept twice, theirs under a new id.
    """
    conflicts: list[str] = []
    values: dict[str, Any] = {}
    for name in FIELDS:
        sides = (getattr(base, name), getattr(mine, name), getattr(theirs, name))
        values[name] = _pick(name.replace("_", " "), sides, conflicts)
    chains = ((base.hops, base.depth), (mine.hops, mine.depth), (theirs.hops, theirs.depth))
    values["hops"], values["depth"] = _pick("hops", chains, conflicts)
    values["instances"] = _instances(base, mine, theirs, conflicts)
    if values["no_target"] and values["instances"]:
        conflicts.append("one side says no-target, the other has instances; the instances were kept")
        values["no_target"] = False
    merged = Sample.model_validate({**dict(mine), **values})
    return Merge(sample=merged, conflicts=tuple(conflicts))


def _pick(name: str, sides: tuple[Any, Any, Any], conflicts: list[str]) -> Any:
    base, mine, theirs = sides
    if mine in (base, theirs):
        return theirs
    if theirs != base:
        conflicts.append(f"both changed the {name}")
    return mine


def _instances(base: Sample, mine: Sample, theirs: Sample, conflicts: list[str]) -> list[Instance]:
    before, ours, other = ({i.id: i for i in s.instances} for s in (base, mine, theirs))
    free = max([0, *before, *ours, *other]) + 1
    kept: list[Instance] = []
    added: list[Instance] = []
    for key in list(dict.fromkeys([*ours, *other])):
        old, one, two = before.get(key), ours.get(key), other.get(key)
        if old is None and one and two and one != two:
            kept.append(one)
            added.append(two.model_copy(update={"id": free}))
            free += 1
            continue
        chosen = _pick(f"instance {key}", (old, one, two), conflicts)
        if chosen is None and old not in (one, two):
            chosen = one or two  # a change outlives a deletion: pixels somebody has just worked on are not thrown away
        if chosen is not None:
            kept.append(chosen)
    return kept + added
