"""What a question means: expressions over a scene's labelled objects, evaluated with a margin.

An expression stands for a set of objects. Where an object lies near the line between yes and no, or nothing is known of
its label, the expression has no value, and no question is made of it.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

from pycocotools import mask as coco

from whyseg.curation.drafting.lexicon import Clue, lexicon
from whyseg.schemas import Scene, SceneObject

Key = Literal["left", "right", "top", "bottom", "largest", "smallest", "middle"]
Relation = Literal["nearest", "left_of", "right_of", "above", "below", "inside"]
KEYS: tuple[Key, ...] = ("left", "right", "top", "bottom", "largest", "smallest", "middle")
RELATIONS: tuple[Relation, ...] = ("nearest", "left_of", "right_of", "above", "below", "inside")

PLACE_MARGIN = 0.05  # of the picture's side, between the first and the next
AREA_RATIO = 1.3  # of pixels, between the largest and the next
DISTANCE_RATIO = 1.3  # between the second nearest and the nearest
INSIDE, OUTSIDE = 0.9, 0.1  # share of a part's pixels that its whole holds, and of a thing's that is no part
PART_AREA = 0.7  # of the whole's pixels: what is larger is no part but the thing again

Found = frozenset[int]


@dataclass(frozen=True)
class All:
    """Every labelled object."""


@dataclass(frozen=True)
class Named:
    """The objects of a label: how neighbours are named, never the target."""

    label: str


@dataclass(frozen=True)
class Where:
    """Those of ``base`` of which a clue is true, or with ``negated`` those of which it is not."""

    base: "Expression"
    clue: str
    negated: bool = False


@dataclass(frozen=True)
class Either:
    """Those of which one of two clues is true."""

    first: str
    second: str


@dataclass(frozen=True)
class Pick:
    """The one of ``base`` that is first by a key."""

    base: "Expression"
    key: Key


@dataclass(frozen=True)
class Related:
    """Those of ``base``, other than the anchor, that stand in a relation to the anchor, which must be one object."""

    base: "Expression"
    relation: Relation
    anchor: "Expression"


Expression = All | Named | Where | Either | Pick | Related


def steps(expression: Expression) -> int:
    """Return how many steps lead to the expression's value: clues, picks and relations; naming takes none."""
    match expression:
        case All() | Named():
            return 0
        case Either():
            return 2
        case Related(base, _, anchor):
            return 1 + steps(base) + steps(anchor)
        case Where(base) | Pick(base):
            return 1 + steps(base)


def shorter(expression: Expression) -> list[Expression]:
    """Return the expressions that lack one of the steps."""
    match expression:
        case All() | Named():
            return []
        case Either(first, second):
            return [Where(All(), first), Where(All(), second)]
        case Where(base, clue, negated):
            return [base, *(Where(other, clue, negated) for other in shorter(base))]
        case Pick(base, key):
            return [base, *(Pick(other, key) for other in shorter(base))]
        case Related(base, relation, anchor):
            return [
                base,
                *(Related(other, relation, anchor) for other in shorter(base)),
                *(Related(base, relation, other) for other in shorter(anchor)),
            ]


def plain(expression: Expression) -> list[Any]:
    """Return the expression as JSON data: its name, then its fields in order."""
    values = [getattr(expression, name) for name in expression.__dataclass_fields__]
    plained = [value if isinstance(value, str | bool) else plain(value) for value in values]
    return [type(expression).__name__.lower(), *plained]


class World:
    """A scene in which expressions have values."""

    def __init__(self, scene: Scene) -> None:
        self.objects = scene.objects
        self.target: Found = frozenset(k for k, thing in enumerate(scene.objects) if thing.target)
        self._height, self._width = scene.size
        self._values: dict[Expression, Found | None] = {}

    def value(self, expression: Expression) -> Found | None:
        """Return the objects' numbers; None where margins or knowledge do not allow a clear answer."""
        if expression not in self._values:
            self._values[expression] = self._evaluate(expression)
        return self._values[expression]

    def _evaluate(self, expression: Expression) -> Found | None:
        match expression:
            case All():
                return frozenset(range(len(self.objects)))
            case Named(label):
                return self._named(label)
            case Where(base, clue, negated):
                found = self.value(base)
                return None if found is None else self._where(found, lexicon().clues[clue], not negated)
            case Either(first, second):
                one, two = self.value(Where(All(), first)), self.value(Where(All(), second))
                return None if one is None or two is None else one | two
            case Pick(base, key):
                found = self.value(base)
                return None if found is None or len(found) < 2 else self._pick(sorted(found), key)
            case Related(base, relation, anchor):
                found, at = self.value(base), self.value(anchor)
                if found is None or at is None or len(at) != 1:
                    return None
                (whole,) = at
                return self._related(sorted(found - at), relation, self.objects[whole])

    def _named(self, label: str) -> Found | None:
        known = lexicon()
        same = {k for k, thing in enumerate(self.objects) if known.canonical(thing.label) == known.canonical(label)}
        close = {k for k, thing in enumerate(self.objects) if known.named(thing.label, label)}
        return frozenset(same) if close == same else None  # "glass" also names a wine glass

    def _where(self, found: Found, clue: Clue, wanted: bool) -> Found | None:
        truths = {k: lexicon().truth(clue, self.objects[k].label) for k in found}
        if None in truths.values():
            return None
        return frozenset(k for k, truth in truths.items() if truth is wanted)

    def _pick(self, found: list[int], key: Key) -> Found | None:
        things = {k: self.objects[k] for k in found}
        if key == "middle":
            order = sorted(found, key=lambda k: things[k].centre[0])
            gaps = [things[b].centre[0] - things[a].centre[0] for a, b in pairwise(order)]
            clear = len(order) == 3 and min(gaps) >= 2 * PLACE_MARGIN * self._width
            return frozenset([order[1]]) if clear else None
        if key in ("largest", "smallest"):
            first, second = sorted(found, key=lambda k: things[k].area, reverse=key == "largest")[:2]
            small, large = sorted([things[first].area, things[second].area])
            return frozenset([first]) if large >= AREA_RATIO * small else None
        return self._outermost(things, key)

    def _outermost(self, things: dict[int, SceneObject], key: Key) -> Found | None:
        axis, sign = {"left": (0, 1), "right": (0, -1), "top": (1, 1), "bottom": (1, -1)}[key]
        side = self._width if axis == 0 else self._height
        edge = axis if sign == 1 else axis + 2
        order = sorted(things, key=lambda k: sign * things[k].centre[axis])
        first, second = things[order[0]], things[order[1]]
        by_edge = all(sign * first.box[edge] <= sign * thing.box[edge] for thing in things.values())
        gap = sign * (second.centre[axis] - first.centre[axis])
        return frozenset(order[:1]) if by_edge and gap >= PLACE_MARGIN * side else None

    def _related(self, found: list[int], relation: Relation, anchor: SceneObject) -> Found | None:
        if relation == "nearest":
            return self._nearest(found, anchor)
        truths = {k: self._stands(self.objects[k], relation, anchor) for k in found}
        return None if None in truths.values() else frozenset(k for k, truth in truths.items() if truth)

    def _nearest(self, found: list[int], anchor: SceneObject) -> Found | None:
        if len(found) < 2:
            return None
        distances = {k: _distance(self.objects[k], anchor) for k in found}
        gaps = {k: _gap(self.objects[k], anchor) for k in found}
        first, second = sorted(found, key=lambda k: distances[k])[:2]
        clear = distances[second] >= DISTANCE_RATIO * distances[first] and gaps[first] == min(gaps.values())
        return frozenset([first]) if clear else None

    def _stands(self, thing: SceneObject, relation: Relation, anchor: SceneObject) -> bool | None:
        if relation == "inside":
            return _inside(thing, anchor)
        axis, sign = {"left_of": (0, 1), "right_of": (0, -1), "above": (1, 1), "below": (1, -1)}[relation]
        side = self._width if axis == 0 else self._height
        ahead = sign * (anchor.centre[axis] - thing.centre[axis])
        near, far = (axis, axis + 2) if sign == 1 else (axis + 2, axis)
        if sign * (anchor.box[near] - thing.box[far]) >= 0 and ahead >= PLACE_MARGIN * side:
            across = 1 - axis  # beside it, and not somewhere far up or down
            beside = min(thing.box[across + 2], anchor.box[across + 2]) - max(thing.box[across], anchor.box[across])
            return True if axis == 0 or beside > 0 else None
        return False if ahead <= 0 else None


def _distance(one: SceneObject, two: SceneObject) -> float:
    return float(((one.centre[0] - two.centre[0]) ** 2 + (one.centre[1] - two.centre[1]) ** 2) ** 0.5)


def _gap(one: SceneObject, two: SceneObject) -> float:
    x = max(0, one.box[0] - two.box[2], two.box[0] - one.box[2])
    y = max(0, one.box[1] - two.box[3], two.box[1] - one.box[3])
    return float((x * x + y * y) ** 0.5)


def _inside(thing: SceneObject, whole: SceneObject) -> bool | None:
    if _gap(thing, whole) > 0:
        return False
    if thing.mask is None or whole.mask is None:
        return None
    share = float(coco.iou([thing.mask.coco()], [whole.mask.coco()], [1])[0][0])  # of the first mask's pixels
    if share >= INSIDE and thing.area <= PART_AREA * whole.area:
        return True
    return False if share <= OUTSIDE else None
