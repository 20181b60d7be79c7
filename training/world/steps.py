"""The steps from a question to its target: each takes the things so far and keeps, finds or names some of the scene."""

from collections.abc import Callable
from typing import Literal, get_args

from whyseg.schemas.record import Record
from whyseg.training.world.scenes import Scene, Thing

Things = tuple[Thing, ...]
Filter = Literal["purpose", "kind", "colour", "pattern", "size", "half", "not", "either"]
_CLEAR = 8 / 112  # of the side: things that differ by less stand neither left nor right of each other


class Step(Record):
    """One step; ``told`` says whether a property is named or must be known ("red", or "coloured like blood").

    ``either`` keeps the things of a colour or a kind, ``not`` those that lack a colour.
    """

    what: Filter | Literal["extreme", "relation", "same", "part"]
    value: str
    other: str = ""  # the second property of ``either``
    told: bool = True

    @property
    def keeps(self) -> bool:
        """Whether it only keeps some of the things so far."""
        return self.what in get_args(Filter)


def run(scene: Scene, steps: tuple[Step, ...]) -> Things | None:
    """Return the things that the steps lead to; None where a step is vague, needless, or speaks of what is not there.

    The last step alone may find nothing. A last step ``part`` leads to the thing whose part is meant.
    """
    found: Things | None = scene.things
    for step in steps:
        found = take(scene, found, step) if found else None
    return found


def take(scene: Scene, things: Things, step: Step) -> Things | None:
    """Return the things that one more step leads to; None where it is vague, needless, or has nothing to go by."""
    found = _STEPS[step.what](scene, things, step)
    return None if found == things and step.what != "part" else found


def has(scene: Scene, thing: Thing, what: str, value: str) -> bool | None:
    """Say whether a thing has a property; None where a person could not tell."""
    if what == "half":
        middle = scene.side / 2
        if thing.box[1] < middle < thing.box[3]:
            return None
        return (thing.box[3] <= middle) == (value == "upper")
    return bool(getattr(thing, "kind" if what == "purpose" else what) == value)


def _keep(scene: Scene, things: Things, step: Step) -> Things | None:
    answers = [has(scene, thing, step.what, step.value) for thing in things]
    return None if None in answers else tuple(thing for thing, yes in zip(things, answers, strict=True) if yes)


def _not(scene: Scene, things: Things, step: Step) -> Things | None:
    return tuple(thing for thing in things if thing.colour != step.value)


def _either(scene: Scene, things: Things, step: Step) -> Things | None:
    by_colour = [thing.colour == step.value for thing in things]
    by_kind = [thing.kind == step.other for thing in things]
    if any(by_colour) != any(by_kind):
        return None  # one of the two would be idle
    return tuple(thing for thing, *is_so in zip(things, by_colour, by_kind, strict=True) if any(is_so))


_ALONG: dict[str, Callable[[Thing], float]] = {  # the farther along, the more it is so
    "left": lambda thing: -thing.centre[0],
    "right": lambda thing: thing.centre[0],
    "top": lambda thing: -thing.centre[1],
    "above": lambda thing: -thing.centre[1],
    "bottom": lambda thing: thing.centre[1],
    "below": lambda thing: thing.centre[1],
}


def _extreme(scene: Scene, things: Things, step: Step) -> Things | None:
    if len(things) < 2:
        return None
    if step.value in _ALONG:
        first, second = sorted(things, key=_ALONG[step.value], reverse=True)[:2]
        clear = _ALONG[step.value](first) - _ALONG[step.value](second) >= _CLEAR * scene.side
        return (first,) if clear else None
    grows = 1 if step.value == "largest" else -1
    first, second = sorted(things, key=lambda thing: grows * int(thing.mask.sum()), reverse=True)[:2]
    large, small = (first, second) if grows > 0 else (second, first)
    clear = large.mask.sum() >= 1.6 * small.mask.sum() and large.length >= 1.25 * small.length
    # Whoever judges by length must come to the same thing.
    same = all(grows * first.length > grows * thing.length for thing in things if thing is not first)
    return (first,) if clear and same else None


def _relation(scene: Scene, things: Things, step: Step) -> Things | None:
    if len(things) != 1:
        return None
    (centre,) = things
    others = [thing for thing in scene.things if thing is not centre]
    if step.value == "nearest":
        far = {id(one): sum((a - b) ** 2 for a, b in zip(one.centre, centre.centre, strict=True)) for one in others}
        first, *rest = sorted(others, key=lambda one: far[id(one)])
        return (first,) if rest and far[id(rest[0])] >= 1.6 * far[id(first)] else None
    along = _ALONG[step.value]
    ahead = {id(one): along(one) - along(centre) for one in others}
    if any(abs(distance) < _CLEAR * scene.side for distance in ahead.values()):
        return None
    return tuple(one for one in others if ahead[id(one)] > 0)


def _same(scene: Scene, things: Things, step: Step) -> Things | None:
    if len(things) != 1:
        return None
    (centre,) = things
    wanted = getattr(centre, step.value)
    return tuple(one for one in scene.things if one is not centre and getattr(one, step.value) == wanted)


def _part(scene: Scene, things: Things, step: Step) -> Things | None:
    if len(things) != 1 or step.value not in things[0].regions:
        return None
    return things


_STEPS: dict[str, Callable[[Scene, Things, Step], Things | None]] = {
    **dict.fromkeys(("purpose", "kind", "colour", "pattern", "size", "half"), _keep),
    "not": _not,
    "either": _either,
    "extreme": _extreme,
    "relation": _relation,
    "same": _same,
    "part": _part,
}
