"""A second reader of the world's questions: from a question's text and what stands in the scene to what answers it.

It shares no code and no table with the generator. It reads the text from the left, knows the phrases by heart, and
judges by boxes and pixel counts that it takes from the masks itself.
"""

import re
from dataclasses import dataclass

import numpy as np

from whyseg.training.world.scenes import Scene

TOOLS = {
    "drink from": "cup", "sip tea from": "cup", "pour coffee into": "cup", "unlock a door with": "key",
    "open a padlock with": "key", "drive in a nail with": "hammer", "knock in tacks with": "hammer",
    "stay dry under": "umbrella", "keep off the rain with": "umbrella", "read at night by": "lamp",
    "light a dark room with": "lamp", "sit on": "chair", "rest tired legs on": "chair",
}  # fmt: skip
KNOWN = {
    "coloured like a ripe tomato": "red", "coloured like blood": "red", "coloured like a fire engine": "red",
    "coloured like grass": "green", "coloured like a frog": "green", "coloured like leaves in summer": "green",
    "coloured like the deep sea": "blue", "coloured like a sapphire": "blue", "coloured like a ripe lemon": "yellow",
    "coloured like a canary": "yellow", "coloured like a carrot": "orange", "coloured like a pumpkin": "orange",
    "coloured like coal": "black", "coloured like a raven": "black", "shaped like a coin": "circle",
    "shaped like a wheel": "circle", "shaped like a chessboard": "square",
    "shaped like a sugar cube seen from the front": "square", "shaped like a slice of pizza": "triangle",
    "shaped like a give-way sign turned over": "triangle", "shaped like what tops a Christmas tree": "star",
    "shaped like what a sheriff wears": "star", "shaped like a plus sign": "cross",
    "shaped like the sign of a pharmacy": "cross", "patterned like a zebra": "striped",
    "patterned like a tiger": "striped", "patterned like a ladybird": "dotted", "patterned like a fly agaric": "dotted",
    "without any pattern": "plain", "as evenly coloured as a fresh wall": "plain",
    "up where the sky would be": "upper", "in the half where clouds would float": "upper",
    "down where the ground would be": "lower", "in the half where grass would grow": "lower",
}  # fmt: skip
GRIPS = {"cup": "handle", "key": "bow", "hammer": "handle", "umbrella": "handle"}
USES = {
    "the hand holds": GRIPS, "the fingers grip": GRIPS, "strikes the nail": {"hammer": "head"},
    "does the hitting": {"hammer": "head"}, "stops the rain": {"umbrella": "canopy"},
    "sheds the drops": {"umbrella": "canopy"}, "softens the light": {"lamp": "shade"},
    "hides the bulb": {"lamp": "shade"}, "a tired person leans against": {"chair": "back"},
    "props up the spine": {"chair": "back"},
}  # fmt: skip
MOST = {
    "leftmost": ("x", -1), "rightmost": ("x", 1), "topmost": ("y", -1), "uppermost": ("y", -1), "bottommost": ("y", 1),
    "lowermost": ("y", 1), "largest": ("area", 1), "biggest": ("area", 1), "smallest": ("area", -1),
    "tiniest": ("area", -1), "one farthest to the left among the": ("x", -1),
    "one farthest to the right among the": ("x", 1), "one farthest up among the": ("y", -1),
    "one farthest down among the": ("y", 1), "one of the largest size among the": ("area", 1),
    "one of the smallest size among the": ("area", -1),
}  # fmt: skip
PLACES = {
    "to the left of the": ("x", -1), "further left than the": ("x", -1), "to the right of the": ("x", 1),
    "further right than the": ("x", 1), "above the": ("y", -1), "higher up than the": ("y", -1), "below the": ("y", 1),
    "further down than the": ("y", 1), "nearest to the": ("near", 0), "closest to the": ("near", 0),
    "with the same colour as the": ("colour", 0), "in the same colour as the": ("colour", 0),
    "of the same kind as the": ("kind", 0), "with the same pattern as the": ("pattern", 0),
}  # fmt: skip
ADJECTIVES = {
    "small": "small", "little": "small", "large": "large", "big": "large", "plain": "plain", "striped": "striped",
    "dotted": "dotted", "red": "red", "green": "green", "blue": "blue", "yellow": "yellow", "orange": "orange",
    "black": "black",
}  # fmt: skip
NOUNS = ("circle", "square", "triangle", "star", "cross", "cup", "key", "hammer", "umbrella", "lamp", "chair")
FRAMES = (
    r"Which ones? (?:is|are) the (.+)\?", r"Where (?:is|are) the (.+)\?", r"Please find the (.+)\.",
    r"Show me the (.+)\.", r"Can you see the (.+)\?", r"I am looking for the (.+)\.", r"the (.+)",
)  # fmt: skip
BARE = (
    r"What can one (.+)\?", r"What would you take to (.+)\?", r"What is there to (.+)\?", r"I need something to (.+)\.",
    r"What is (.+) here\?", r"Find whatever is (.+)\.", r"Is there anything (.+)\?",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Seen:
    """One thing as the solver sees it."""

    words: frozenset[str]
    kind: str
    colour: str
    pattern: str
    x: float
    y: float
    area: int
    parts: dict[str, int]
    number: int


def look(scene: Scene) -> list[Seen]:
    seen = []
    for number, thing in enumerate(scene.things):
        mask = np.any([region for region in thing.regions.values()], axis=0)
        ys, xs = np.nonzero(mask)
        words = {thing.kind, thing.colour, thing.pattern, thing.size}
        if ys.max() < scene.side / 2:
            words.add("upper")
        if ys.min() >= scene.side / 2:
            words.add("lower")
        middle = (xs.min() + xs.max() + 1) / 2, (ys.min() + ys.max() + 1) / 2
        parts = {name: int(region.sum()) for name, region in thing.regions.items()}
        seen.append(
            Seen(frozenset(words), thing.kind, thing.colour, thing.pattern, *middle, int(mask.sum()), parts, number)
        )
    return seen


def solve(text: str, scene: Scene) -> set[tuple[int, str]]:
    """Return what answers a question: things by their number in the scene, each with the part that is meant or ""."""
    seen = look(scene)
    for pattern in BARE:
        if found := re.fullmatch(pattern, text):
            said = found[1]
            word = TOOLS.get(said) or KNOWN.get(said)
            if word:
                return {(one.number, "") for one in seen if word in one.words}
    for pattern in FRAMES:
        if found := re.fullmatch(pattern, text):
            part = re.fullmatch(r"part that (.+?) of the (.+)", found[1])
            if part and part[1] in USES:
                (one,) = noun_phrase(part[2], seen)
                return {(one.number, USES[part[1]][one.kind])}
            return {(one.number, "") for one in noun_phrase(found[1], seen)}
    raise AssertionError(f"no frame fits {text!r}")


def noun_phrase(text: str, seen: list[Seen]) -> list[Seen]:
    for phrase, (measure, sign) in MOST.items():
        if text.startswith(phrase + " "):
            among = noun_phrase(text.removeprefix(phrase + " "), seen)
            assert len(among) > 1, f"{phrase} of a single thing: {text!r}"
            best = sorted(among, key=lambda one: sign * getattr(one, measure))
            assert getattr(best[-1], measure) != getattr(best[-2], measure), f"a tie: {text!r}"
            return best[-1:]
    places = [(text.index(f" {phrase} "), phrase) for phrase in PLACES if f" {phrase} " in text]
    if not places:
        return [one for one in seen if described(text, one)]
    at, phrase = min(places)
    outer, inner = text[:at], text[at + len(phrase) + 2 :]
    (centre,) = noun_phrase(inner, seen)
    others = [one for one in seen if one is not centre]
    measure, sign = PLACES[phrase]
    if measure == "near":
        assert outer == "thing"
        return [min(others, key=lambda one: (one.x - centre.x) ** 2 + (one.y - centre.y) ** 2)]
    if sign:
        fits = [one for one in others if sign * (getattr(one, measure) - getattr(centre, measure)) > 0]
    else:
        assert outer.startswith("other ")
        outer = outer.removeprefix("other ")
        fits = [one for one in others if getattr(one, measure) == getattr(centre, measure)]
    return [one for one in fits if described(outer, one)]


def described(text: str, one: Seen) -> bool:
    """Say whether "small red circle coloured like …" is true of a thing; every word must be understood."""
    if found := re.fullmatch(r"things? that (?:is|are) not (\w+)", text):
        return found[1] != one.colour
    if found := re.fullmatch(r"things? that (?:is|are) either (\w+) or a (\w+)", text):
        return found[1] == one.colour or found[2] == one.kind
    wanted = []
    for phrase, word in [*KNOWN.items(), *((f"to {use}", tool) for use, tool in TOOLS.items())]:
        if f" {phrase}" in text:
            wanted.append(word)
            text = text.replace(f" {phrase}", "", 1)
    *before, noun = text.split()
    wanted += [ADJECTIVES[word] for word in before]
    singular = next((name for name in NOUNS if noun in (name, f"{name}s", f"{name}es")), None)
    assert singular or noun in ("thing", "things"), f"what is {noun!r}?"
    return set(wanted + [singular] * bool(singular)) <= one.words
