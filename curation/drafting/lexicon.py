"""What is known of common labels: their other names, what they are for, and what people know about them."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Literal

from whyseg.curation.drafting.words import names, stems

Kind = Literal["purpose", "knowledge", "noun"]
# Last words of labels that say nothing alone: a light is no traffic light, a dog no hot dog.
_WEAK_HEADS = {"light", "dog", "board", "plant", "paper", "sign", "set", "control"}
_ENDINGS = {True: {"s": "", "es": "", "ies": "y", "is": "are", "has": "have", "does": "do"}}
_ENDINGS[False] = {"s": "s", "es": "es", "ies": "ies", "is": "is", "has": "has", "does": "does"}


@dataclass(frozen=True)
class Clue:
    """Something that is true of some labels. ``says``: a relative clause, or for a noun its singular."""

    key: str
    kind: Kind
    says: str
    yes: frozenset[str]
    maybe: frozenset[str]
    plural_noun: str = ""

    def clause(self, *, plural: bool) -> str:
        """Return the relative clause for one thing or several."""
        return self.says.format_map(_ENDINGS[plural])


@dataclass(frozen=True)
class Lexicon:
    """Clues by key, the labels that they speak of, and the synonyms of labels."""

    clues: Mapping[str, Clue]
    labels: frozenset[str]
    synonyms: Mapping[str, tuple[str, ...]]
    _canonical: Mapping[str, str]

    def canonical(self, label: str) -> str:
        """Return the known label that a label or synonym stands for, else its own stems.

        >>> lexicon().canonical("Bikes"), lexicon().canonical("left eye")
        ('bicycle', 'left eye')
        """
        key = " ".join(stems(label))
        return self._canonical.get(key, key)

    def truth(self, clue: Clue, label: str) -> bool | None:
        """Say whether a clue is true of what a label names; None where that is unknown or open."""
        name = self.canonical(label)
        if name in clue.yes:
            return True
        return None if name in clue.maybe or name not in self.labels else False

    def other_names(self, label: str) -> tuple[str, ...]:
        """Return what else a label's thing is called, the last word of a longer label included."""
        name = self.canonical(label)
        head = stems(label)[-1:] if len(stems(label)) > 1 and stems(label)[-1] not in _WEAK_HEADS else ()
        return (name, *self.synonyms.get(name, ()), *head)

    def named(self, text: str, label: str) -> str | None:
        """Return the word by which a text names a label's thing; None if it does not."""
        for phrase in (label, *self.other_names(label)):
            if names(text, phrase):
                return phrase
        return None


def _clue(key: str, kind: Kind, data: Mapping[str, Any]) -> Clue:
    says = key if kind == "noun" else data["says"]
    return Clue(key, kind, says, frozenset(data["yes"]), frozenset(data["maybe"]), data.get("plural", ""))


@cache
def lexicon() -> Lexicon:
    """Return the packaged lexicon."""
    data = tomllib.loads((files(__package__) / "lexicon.toml").read_text())
    clues = [_clue(key, "noun", value) for key, value in data["nouns"].items()]
    for kind in ("purpose", "knowledge"):
        clues += [_clue(key, kind, value) for key, value in data[kind].items()]
    synonyms = {label: tuple(others) for label, others in data["synonyms"].items()}
    canonical = {" ".join(stems(other)): label for label, others in synonyms.items() for other in others}
    canonical |= {" ".join(stems(label)): label for label in (*synonyms, *data["labels"])}
    return Lexicon(
        MappingProxyType({clue.key: clue for clue in clues}),
        frozenset(data["labels"]),
        MappingProxyType(synonyms),
        MappingProxyType(canonical),
    )
