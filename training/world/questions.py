"""Questions about a scene: the chains of steps of each reasoning type and depth, and those that a scene fits."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import get_args

import numpy as np

from whyseg.schemas.mask import BoolArray
from whyseg.schemas.sample import ReasoningType
from whyseg.training.world.facts import KIND_FACTS, PART_USES, PURPOSES, SHARED
from whyseg.training.world.scenes import SIZES, Scene, Thing, one_of
from whyseg.training.world.shapes import COLOURS, PATTERNS
from whyseg.training.world.steps import Filter, Step, Things, take
from whyseg.training.world.wording import hop, question

# A chain is its steps' kinds; "?" marks a property that must be known and is not named.
CHAINS: Mapping[tuple[ReasoningType, int], tuple[str, ...]] = {
    (ReasoningType.FUNCTION_PURPOSE, 1): ("purpose",),
    (ReasoningType.FUNCTION_PURPOSE, 2): (
        "purpose part", "purpose colour", "purpose size", "purpose pattern", "purpose extreme",
    ),
    (ReasoningType.FUNCTION_PURPOSE, 3): (
        "purpose colour part", "purpose size part", "purpose extreme part", "purpose relation purpose",
        "purpose colour extreme", "purpose nearest part",
    ),
    (ReasoningType.FUNCTION_PURPOSE, 4): (
        "purpose relation purpose part", "purpose relation purpose colour", "purpose relation purpose extreme",
        "purpose colour extreme part", "purpose colour relation purpose",
    ),
    (ReasoningType.COMMONSENSE, 1): ("colour?", "kind?", "pattern?", "half?"),
    (ReasoningType.COMMONSENSE, 2): (
        "colour? kind?", "kind? colour?", "colour? pattern?", "kind? pattern?", "colour? half?", "kind? half?",
    ),
    (ReasoningType.COMMONSENSE, 3): (
        "colour? pattern? kind?", "kind? pattern? half?", "colour? kind? half?", "colour? pattern? half?",
        "kind? colour? pattern?",
    ),
    (ReasoningType.COMMONSENSE, 4): (
        "colour? pattern? kind? half?", "kind? colour? pattern? half?", "pattern? colour? half? kind?",
        "half? kind? colour? pattern?",
    ),
    (ReasoningType.COMPARATIVE_RELATIONAL, 1): ("extreme",),
    (ReasoningType.COMPARATIVE_RELATIONAL, 2): (
        "kind extreme", "colour extreme", "pattern extreme", "kind relation", "extreme relation", "kind nearest",
    ),
    (ReasoningType.COMPARATIVE_RELATIONAL, 3): (
        "kind relation extreme", "kind relation colour", "extreme relation extreme", "kind extreme relation",
        "colour pattern extreme", "kind extreme nearest",
    ),
    (ReasoningType.COMPARATIVE_RELATIONAL, 4): (
        "kind relation colour extreme", "extreme relation colour extreme", "kind extreme relation extreme",
        "colour kind relation extreme", "kind relation extreme nearest", "kind extreme relation colour",
    ),
    (ReasoningType.COMPOSITIONAL, 1): ("not", "either"),
    (ReasoningType.COMPOSITIONAL, 2): ("extreme same", "purpose same", "not extreme", "either extreme", "kind same"),
    (ReasoningType.COMPOSITIONAL, 3): (
        "extreme same kind", "purpose same extreme", "kind? same extreme", "extreme same relation", "not extreme same",
        "extreme same part",
    ),
    (ReasoningType.COMPOSITIONAL, 4): (
        "extreme same relation colour", "purpose relation colour same", "kind? relation extreme same",
        "purpose same extreme relation", "not extreme same extreme", "extreme same nearest part",
    ),
}  # fmt: skip
_TRIES = 8  # of one chain on one scene


@dataclass(frozen=True, eq=False)
class Target:
    """One thing or part that answers a question: a short label and its pixels, bool (H, W)."""

    label: str
    mask: BoolArray


@dataclass(frozen=True, eq=False)
class Asked:
    """A question about a scene with its chain: ``hops`` are the steps in words, ``found`` the things they end at."""

    scene: Scene
    reasoning_type: ReasoningType
    steps: tuple[Step, ...]
    text: str
    is_sentence: bool
    hops: tuple[str, ...]
    found: tuple[Thing, ...]

    @property
    def targets(self) -> tuple[Target, ...]:
        """What answers it, from left to right; nothing where nothing does."""
        last, things = self.steps[-1], sorted(self.found, key=lambda thing: thing.box)
        if last.what == "part":
            return tuple(Target(f"{thing.kind} {last.value}", thing.regions[last.value]) for thing in things)
        return tuple(Target(thing.name, thing.mask) for thing in things)


def ask(
    rng: np.random.Generator, scene: Scene, kind: ReasoningType, depth: int, *, most: int = 3, no_target: bool = False
) -> Asked | None:
    """Ask a question of this type and depth that has one answer of at most ``most`` things; None where none was found.

    Every step is needed and clear. With ``no_target`` nothing answers it: all steps but the last find something.
    """
    chains = CHAINS[kind, depth]
    for i in rng.permutation(len(chains)):
        for _ in range(_TRIES):
            filled = _fill(rng, scene, chains[int(i)].split(), no_target)
            if filled is None or len(filled[1][-1]) > most:
                continue
            steps, trail = filled
            found = trail[-1]
            plural = len(found) > 1 or (not found and steps[-1].keeps and bool(rng.random() < 0.2))
            text, is_sentence = question(rng, steps, found[0].kind if found else "", plural)
            hops = tuple(hop(step, before, after) for step, before, after in zip(steps, trail, trail[1:], strict=False))
            return Asked(scene, kind, steps, text, is_sentence, hops, found)
    return None


def _fill(
    rng: np.random.Generator, scene: Scene, chain: list[str], no_target: bool
) -> tuple[tuple[Step, ...], list[Things]] | None:
    """Give each step of a chain a value at random, so that every step finds something, or all but the last.

    Returns the steps, and the things before the first and after each.
    """
    steps, trail = list[Step](), [scene.things]
    for number, name in enumerate(chain):
        empty = no_target and number == len(chain) - 1
        options = list(_options(scene, trail[-1], name, empty))
        step = one_of(rng, options) if options else None
        found = take(scene, trail[-1], step) if step else None
        if step is None or found is None or empty != (not found):
            return None
        steps.append(step)
        trail.append(found)
    return tuple(steps), trail


def _options(scene: Scene, found: Things, name: str, empty: bool) -> Iterator[Step]:
    """Yield the steps of a kind that may lead on from the things found; with ``empty``, those that may find nothing."""
    what, told = name.removesuffix("?"), not name.endswith("?")
    if what == "part":
        parts = [] if empty or not found else [part for part in found[0].regions if part]
        yield from (Step(what="part", value=part) for part in parts if (found[0].kind, part) in PART_USES)
    elif what == "extreme":
        yield from [] if empty else (Step(what="extreme", value=v) for v in _EXTREMES)
    elif what in ("relation", "nearest"):
        values = ("nearest",) if what == "nearest" else ("left", "right", "above", "below")
        yield from (Step(what="relation", value=value) for value in values)
    elif what == "same":
        yield from (Step(what="same", value=value) for value in SHARED)
    elif what == "either":
        colours, kinds = {thing.colour for thing in found}, {thing.kind for thing in found}
        if empty:
            colours, kinds = set(COLOURS) - colours, set(_VALUES["kind"]) - kinds
        yield from (
            Step(what="either", value=colour, other=kind) for colour in sorted(colours) for kind in sorted(kinds)
        )
    elif what == "not":
        yield from (Step(what="not", value=value) for value in sorted({thing.colour for thing in found}))
    else:
        yield from (Step(what=_FILTERS[what], value=value, told=told) for value in _values(scene, found, name, empty))


def _values(scene: Scene, found: Things, name: str, empty: bool) -> list[str]:
    """Return the values of a filter that some of the things found have; with ``empty``, those that none of them has."""
    every, what = _VALUES[name if name in _VALUES else name.removesuffix("?")], name.removesuffix("?")
    if what == "half":
        return list(every)
    attribute = "kind" if what == "purpose" else what
    here = {str(getattr(thing, attribute)) for thing in found}
    if not empty:
        return [value for value in every if value in here]
    # A property that something else has is the harder question than one that nothing has.
    elsewhere = {str(getattr(thing, attribute)) for thing in scene.things} - here
    return [value for value in every if value in elsewhere] or [value for value in every if value not in here]


_FILTERS: Mapping[str, Filter] = {name: name for name in get_args(Filter)}
_EXTREMES = ("left", "right", "top", "bottom", "largest", "smallest")
_VALUES: Mapping[str, tuple[str, ...]] = {
    "purpose": tuple(PURPOSES),
    "kind": (*KIND_FACTS, *PURPOSES),
    "kind?": tuple(KIND_FACTS),
    "colour": tuple(COLOURS),
    "pattern": PATTERNS,
    "size": SIZES,
    "half": ("upper", "lower"),
}
