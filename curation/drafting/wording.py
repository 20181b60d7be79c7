"""Expressions as English: questions, phrases and the steps to their answer."""

import re
from collections import Counter

from whyseg.curation.drafting.lexicon import lexicon
from whyseg.curation.drafting.meaning import All, Either, Expression, Key, Named, Pick, Related, Relation, Where, World

_COMES_FIRST: dict[Key, str] = {
    "left": "is farthest to the left", "right": "is farthest to the right", "top": "is highest up in the picture",
    "bottom": "is lowest down in the picture", "largest": "takes up the most room in the picture",
    "smallest": "takes up the least room in the picture", "middle": "is in the middle, counted from left to right",
}  # fmt: skip
_FIRST: dict[Key, str] = {
    "left": "leftmost {}", "right": "rightmost {}", "top": "topmost {}", "bottom": "lowest {}",
    "largest": "largest-looking {}", "smallest": "smallest-looking {}",
    "middle": "middle one, from left to right, of the {}",
}  # fmt: skip
_STANDS: dict[Relation, str] = {
    "nearest": "nearest to", "left_of": "to the left of", "right_of": "to the right of", "above": "above",
    "below": "below", "inside": "a part of, or inside,",
}  # fmt: skip
_PLURALS = {
    "person": "people", "man": "men", "woman": "women", "child": "children", "knife": "knives", "mouse": "mice",
    "sheep": "sheep", "skis": "skis", "scissors": "scissors", "foot": "feet", "tooth": "teeth", "leaf": "leaves",
    "shelf": "shelves", "broccoli": "broccoli", "glasses": "glasses", "trousers": "trousers", "boots": "boots",
}  # fmt: skip
_NUMBERS = {2: "two", 3: "three", 4: "four", 5: "five", 6: "six"}


def question(expression: Expression, *, plural: bool, frame: int) -> tuple[str, bool]:
    """Return the text that asks for an expression's value, and whether it is a sentence; ``frame`` varies the form."""
    if isinstance(expression, Pick):
        among = _noun(expression.base, True, " in this picture")
        sentence = f"Of the {among}, which one {_COMES_FIRST[expression.key]}?"
    elif isinstance(expression, Related) and not isinstance(expression.base, Where | Related | Either):
        who = _noun(expression.base, plural)
        sentence = f"Which {who} {_are(plural)} {_STANDS[expression.relation]} {anchor(expression.anchor)}?"
    else:
        sentence = f"Which {_are(plural)} the {_noun(expression, plural, ' in this picture')}?"
    phrase = anchor(expression, plural=plural)
    text = (sentence, f"Point out {phrase}.", phrase)[frame % 3]
    return _without_double_commas(text), frame % 3 != 2


def _without_double_commas(text: str) -> str:
    """Drop the closing comma of an exception where another mark or the end follows."""
    return re.sub(r",(?=,|[?.]|$)", "", text)


def anchor(expression: Expression, *, plural: bool = False) -> str:
    """Return the definite phrase for an expression's value."""
    if isinstance(expression, Pick):
        return "the " + _FIRST[expression.key].format(_noun(expression.base, expression.key == "middle"))
    return f"the {_noun(expression, plural)}"


def _noun(expression: Expression, plural: bool, place: str = "") -> str:
    match expression:
        case All():
            return ("things" if plural else "thing") + place
        case Named(label):
            return label
        case Where(base, key, negated):
            clue = lexicon().clues[key]
            if clue.kind == "noun":
                return (clue.plural_noun if plural else clue.says) + place
            if negated:
                return f"{_noun(base, plural, place)}, other than anything that {clue.clause(plural=False)},"
            joint = " and that " if isinstance(base, Where) and lexicon().clues[base.clue].kind != "noun" else " that "
            return f"{_noun(base, plural, place)}{joint}{clue.clause(plural=plural)}"
        case Either(first, second):
            one, two = (lexicon().clues[key].clause(plural=plural) for key in (first, second))
            return f"{'things' if plural else 'thing'}{place} that {one} or that {two}"
        case Pick():
            return anchor(expression).removeprefix("the ") + place
        case Related(base, relation, at):
            joint = " and" if isinstance(base, Where | Related | Either) and not _is_noun(base) else ""
            return f"{_noun(base, plural, place)}{joint} that {_are(plural)} {_STANDS[relation]} {anchor(at)}"


def _is_noun(expression: Expression) -> bool:
    return isinstance(expression, Where) and lexicon().clues[expression.clue].kind == "noun"


def _are(plural: bool) -> str:
    return "are" if plural else "is"


def hops(expression: Expression, world: World) -> tuple[str, ...]:
    """Return the steps from question to target, one sentence each, those that find the anchor first."""
    match expression:
        case All() | Named():
            return ()
        case Either(first, second):
            parts = [Where(All(), first), Where(All(), second)]
            return tuple(sentence for part in parts for sentence in hops(part, world))
        case Where(base, key, negated):
            clue = lexicon().clues[key]
            names, plural = _names(expression, world)
            among = "here" if isinstance(base, All) else "of these"
            if clue.kind == "noun":
                text = f"The {clue.plural_noun} {among}: {names}."
            elif negated:
                text = f"Set aside whatever {clue.clause(plural=False)}; what is left: {names}."
            else:
                what = "things that" if plural else "the one thing that"
                text = f"{_capital(names)} {_are(plural)} {what} {clue.clause(plural=plural)}."
            return (*hops(base, world), text)
        case Pick(base, key):
            names, _ = _names(expression, world)
            among = "everything labelled here" if isinstance(base, All) else "these"
            return (*hops(base, world), f"Of {among}, {names} {_COMES_FIRST[key]}.")
        case Related(base, relation, at):
            names, plural = _names(expression, world)
            other, _ = _names(at, world)
            other = other.replace("one ", "another ", 1) if other == names else other
            text = f"{_capital(names)} {_are(plural)} {_STANDS[relation]} {other}."
            return (*hops(at, world), *hops(base, world), text)


def _names(expression: Expression, world: World) -> tuple[str, bool]:
    """Return what an expression's value is called, and whether it is several things."""
    found = world.value(expression) or frozenset()
    here = Counter(thing.label for thing in world.objects)
    counts = Counter(world.objects[k].label for k in sorted(found))
    parts = [_counted(label, count, here[label]) for label, count in sorted(counts.items())]
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts), len(found) > 1


def _counted(label: str, count: int, here: int) -> str:
    if here == 1:
        return f"the {label}"
    if count == here:
        return f"the {_NUMBERS.get(count, str(count))} {plural_of(label)}"
    return f"one {label}" if count == 1 else f"{_NUMBERS.get(count, str(count))} of the {plural_of(label)}"


def plural_of(label: str) -> str:
    """Return a label for several things.

    >>> [plural_of(label) for label in ("hot dog", "bus", "person", "skis", "berry")]
    ['hot dogs', 'buses', 'people', 'skis', 'berries']
    """
    first, _, last = label.rpartition(" ")
    if last in _PLURALS or last in _PLURALS.values():
        last = _PLURALS.get(last, last)
    elif last.endswith("y") and last[-2:-1] not in "aeiou":
        last = last[:-1] + "ies"
    else:
        last += "es" if last.endswith(("s", "x", "ch", "sh")) else "s"
    return f"{first} {last}".strip()


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
