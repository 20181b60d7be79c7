"""How many things an English question says that it is about.

A number counts only where it belongs to what is asked for: at the beginning of a phrase ("the two cups that …"), after
a word that asks to find something ("segment both dogs"), or after a question word ("which three people …"). Elsewhere
it speaks of something else ("the man between the two cars", "an animal with four legs"), and no number is better than
a wrong one.
"""

import re
from typing import NamedTuple

from whyseg.curation.drafting.words import stem

_WORDS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
NUMBERS = {word: number for number, word in enumerate(_WORDS, 1)}
_DETERMINERS = {"the", "these", "those", "all", "any", "exactly", "only", "just"}
_ASKING = {"segment", "find", "show", "select", "locate", "mark", "highlight", "outline", "identify", "detect", "pick"}
_BEFORE_ASKING = {"please", "you", "me", "us", "help", "then", "and", "now", "just", "kindly"}
_QUESTIONS = {"which", "what", "who", "where"}
_ENDS = set(".,;:?!")
_BE = {"is", "are", "was", "were"}
_RELATIVE = {"that", "which", "who", "whose"}
# After these, what the sentence is about has been named, and it says something of it: no phrase that stands for it.
_VERBS = _BE | {"am", "be", "has", "have", "had", "do", "does", "did", "can", "could", "will", "would", "must", "may"}
_PREPOSITIONS = set("of in on at by to for from with without near under over behind into onto about after".split())
# Words that end the search for the noun that a number counts.
_STOPS = _RELATIVE | _VERBS | _PREPOSITIONS | {"and", "or", "but"}
# What is measured or grouped is not what the instances are.
_UNITS = {
    *("time", "hour", "minute", "second", "day", "week", "month", "year", "decade", "meter", "metre", "inch", "mile"),
    *("foot", "kilometer", "kilometre", "centimeter", "centimetre", "kilo", "kilogram", "gram", "pound", "percent"),
    *(
        "degree",
        "dollar",
        "euro",
        "step",
        "way",
        "kind",
        "type",
        "sort",
        "group",
        "set",
        "pair",
        "row",
        "pile",
        "stack",
    ),
    *("bunch", "team", "half", "side", "part", "piece", "place", "area", "region", "color", "colour", "digit"),
}
# One thing that is called a pair.
_ONE_PAIR = {
    *("scissors", "glasses", "sunglasses", "eyeglasses", "spectacles", "goggles", "binoculars", "trousers", "pants"),
    *("jeans", "shorts", "leggings", "tights", "pliers", "tweezers", "tongs", "headphones", "shears", "pyjamas"),
}
_PLURALS = {"people", "men", "women", "children", "feet", "teeth", "geese", "mice", "oxen", "sheep", "fish", "deer"}
_ADJECTIVES = 3  # words that may stand between a number and its noun
_TOKEN = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*['’]?|[.,;:?!]")


class Stated(NamedTuple):
    """The numbers of instances that a text allows, and its words that say so."""

    counts: frozenset[int]
    phrase: str


def stated_count(text: str) -> Stated | None:
    """Return how many things a text says that it asks for; None where it says nothing, or nothing certain.

    >>> stated_count("Segment both of the dogs.")
    Stated(counts=frozenset({2}), phrase='both of the dogs')
    >>> stated_count("The vehicle between the two trees.")
    """
    tokens = [*_TOKEN.findall(text.casefold().replace("’", "'")), "."]
    words = [token for token in tokens if token not in _ENDS]
    if words and words[-1] in _PREPOSITIONS:
        return None  # "the thing that two men look at"
    for place in range(len(tokens)):
        start = _introduced(tokens, place)
        if start is not None and (found := _phrase(tokens, start)):
            return found
    return None


def _introduced(tokens: list[str], place: int) -> int | None:
    """Return where the words begin that follow an introduction at a place; None where there is none."""
    token, before = tokens[place], tokens[place - 1] if place else "."
    if token in _ASKING and before in _ENDS | _BEFORE_ASKING:
        return place + 1 + (tokens[place + 1] in {"me", "us", "out"})
    if token in _QUESTIONS and before in _ENDS:
        return place + 1 + (tokens[place + 1] in _BE)
    return 0 if place == 0 else None


def _phrase(tokens: list[str], start: int) -> Stated | None:
    """Return what the words from ``start`` on count, if they begin with a number, and if they are what is asked for."""
    at = start
    while tokens[at] in _DETERMINERS:
        at += 1
    determiners = tokens[start:at]
    if tokens[at : at + 3] == ["a", "pair", "of"]:
        at += 1
    word = tokens[at]
    counts = _counts(word, tokens[at + 1 : at + 2], determiners)
    if not counts:
        return None
    at += 1 + (tokens[at + 1] == "of")
    while tokens[at] in {"the", "these", "those"}:
        at += 1
    noun = _noun(tokens, at, determiners, word)
    if noun is None:
        return None
    head, after = tokens[noun] if noun >= at else "", tokens[noun + 1]
    if stem(head) in _UNITS or (word == "pair" and head in _ONE_PAIR) or after in {"and", "or", ","}:
        return None
    if start == 0 and _states(tokens[noun + 1 :]):
        return None
    if tokens[start - 1] in _BE and after not in _RELATIVE | _ENDS:
        return None  # "What are the two men looking …"
    return Stated(counts, " ".join(tokens[start : noun + 1]))


def _states(rest: list[str]) -> bool:
    """Say whether the words after a phrase make it a statement: "Two dogs are playing. What …?"."""
    if "?" in rest or not _ASKING.isdisjoint(rest):
        return True
    verb = next((place for place, token in enumerate(rest) if token in _VERBS), None)
    return verb is not None and _RELATIVE.isdisjoint(rest[:verb])


def _counts(word: str, following: list[str], determiners: list[str]) -> frozenset[int]:
    if word == "both":
        return frozenset({2})
    if word == "pair":
        return frozenset({1, 2}) if following == ["of"] else frozenset()
    if word == "one" and not {"exactly", "only", "just"} & set(determiners):
        return frozenset()  # "the one that …", "one of …" is a pronoun more often than a number
    return frozenset({NUMBERS[word]}) if word in NUMBERS else frozenset()


def _noun(tokens: list[str], at: int, determiners: list[str], word: str) -> int | None:
    """Return the place of the noun that a number counts: a plural within a few words; after "one" the next word.

    "the two that …" has none: the place before it.
    """
    if word in NUMBERS and "the" in determiners and tokens[at] in _RELATIVE:
        return at - 1
    for place in range(at, min(at + _ADJECTIVES + 1, len(tokens))):
        token = tokens[place]
        if token in _STOPS | _ENDS or token.endswith(("'", "'s")):
            return None
        if word == "one" or token in _PLURALS or stem(token) != token or token in _ONE_PAIR:
            return place
    return None
