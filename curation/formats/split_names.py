"""Names of splits, as folders and files carry them."""

import re
from collections.abc import Iterable

from whyseg.schemas import Split

_NAMES: dict[str, Split] = {
    "train": "train", "training": "train",
    "val": "validation", "valid": "validation", "validation": "validation", "dev": "validation",
    "test": "test", "testing": "test", "testa": "test", "testb": "test",
}  # fmt: skip


def split_of(folders: Iterable[str], file: str = "") -> Split | None:
    """Return the split that a file's name tells, else the last of its folders that is named as one.

    In a file's name one word suffices, and two of different splits tell nothing; a folder's whole name has to be one,
    but for digits behind it.

    >>> split_of([], "instances_val2017.json"), split_of(["train2017", "a"]), split_of(["test of mine"], "retrain.json")
    ('validation', 'train', None)
    """
    found = {_NAMES[word] for word in re.findall(r"[a-z]+", file.casefold()) if word in _NAMES}
    if len(found) == 1:
        return found.pop()
    named = [_NAMES[word] for folder in folders if (word := folder.casefold().rstrip("0123456789")) in _NAMES]
    return named[-1] if named else None
