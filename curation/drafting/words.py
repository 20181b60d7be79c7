"""Words of English questions: their stems, and whether a text names a label."""

import re
from functools import lru_cache

_IRREGULAR = {
    "people": "person", "men": "man", "women": "woman", "children": "child", "mice": "mouse", "knives": "knife",
    "feet": "foot", "teeth": "tooth", "leaves": "leaf", "shelves": "shelf", "loaves": "loaf", "wolves": "wolf",
    "sheep": "sheep", "oxen": "ox", "geese": "goose", "skis": "ski", "calves": "calf", "lives": "life", "buses": "bus",
}  # fmt: skip
_SINGULAR = {"bus", "glass", "tennis", "gas", "lens", "news", "this", "its", "is", "has", "was", "as", "us"}
_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?")


@lru_cache(maxsize=10_000)
def stem(word: str) -> str:
    """Return a lower-case word without the ending of its plural.

    >>> [stem(word) for word in ("umbrellas", "buses", "knives", "cherries", "glass")]
    ['umbrella', 'bus', 'knife', 'cherry', 'glass']
    """
    word = word.removesuffix("'s")
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if word in _SINGULAR or len(word) < 4 or not word.endswith("s") or word.endswith("ss"):
        return word
    if word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith(("ches", "shes", "xes", "sses", "zes")) and not word.endswith("aches"):
        return word[:-2]
    return word[:-1]


def stems(text: str) -> tuple[str, ...]:
    """Return the stems of a text's words, in order; hyphens part words.

    >>> stems("Kite-like toys, the dog's")
    ('kite', 'like', 'toy', 'the', 'dog')
    """
    return tuple(stem(word) for word in _WORD.findall(text.lower().replace("’", "'")))


def root(word: str) -> str:
    """Return a stem without the endings of verbs, to compare what is said rather than how.

    >>> [root(word) for word in ("sleeping", "stopped", "warms", "ring")]
    ['sleep', 'stop', 'warm', 'ring']
    """
    word = stem(word)
    for ending in ("ing", "ed"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word.removesuffix(ending)
            return word[:-1] if word[-1] == word[-2] and word[-1] not in "ls" else word
    return word


def names(text: str, phrase: str) -> bool:
    """Say whether a text holds a phrase, whatever its number, and also when it is written as one word or as two.

    >>> names("put out the camp fire", "campfire"), names("Who rides the surf-board?", "surfboards")
    (True, True)
    >>> names("What keeps the carpet clean?", "car")
    False
    """
    words, wanted = stems(text), stems(phrase)
    if not wanted:
        return False
    joined = "".join(wanted)
    for length in {len(wanted), 1, 2}:
        for start in range(len(words) - length + 1):
            if "".join(words[start : start + length]) == joined:
                return True
    return False
