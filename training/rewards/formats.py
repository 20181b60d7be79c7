"""Terms that look at an answer's form, not at whether it is right."""

import re
from collections.abc import Sequence
from typing import Any, Literal

from whyseg.training.answers import MAX_THINGS, TAGS, numbers, soft_keys

Field = Literal["bbox", "point", "label"]
_WHOLE = re.compile(r"<think>.*</think>\s*<answer>.*</answer>", re.DOTALL)
_END = re.compile(r"(?<![0-9])\.|\.(?![0-9])", re.ASCII)  # the point in 0.5 ends no sentence
MOST_REPEATS = 1


def thinking_format(text: str) -> float:
    """Return 1 when the whole text is a thinking block and an answer block, each tag once, else 0.

    Seg-Zero's, VisionReasoner's, SAM-R1's and StAR's. White space between the blocks is optional; any text around them,
    a final newline too, costs the point. The papers' pattern lets tags repeat, and so accepts two answers.

    >>> thinking_format("<think>a cup</think><answer>[]</answer>"), thinking_format("<answer>[]</answer>")
    (1.0, 0.0)
    """
    return float(all(text.count(tag) == 1 for tag in TAGS) and _WHOLE.fullmatch(text) is not None)


def segmentation_format(data: Any, fields: Sequence[Field] = ("bbox", "point"), *, soft: bool = False) -> float:
    """Return 1 when the answer's JSON is one object with a box of 4 and two points of 2 numbers, else 0.

    Seg-Zero's and SAM-R1's. Strict: the keys ``bbox``, ``points_1``, ``points_2``, others may stand beside them. Soft:
    a key with "bbox" and two with "point" in them. ``fields``: what is asked for, of "bbox" and "point".

    >>> segmentation_format({"bbox": [1, 2, 3, 4], "points_1": [2, 3], "points_2": [2, 4]})
    1.0
    >>> segmentation_format({"bbox_2d": [1, 2, 3, 4], "points_1": [2, 3], "points_2": [2, 4]})
    0.0
    """
    if not isinstance(data, dict):
        return 0.0
    boxes, points = soft_keys(data) if soft else (["bbox"], ["points_1", "points_2"])
    good_boxes = sum(numbers(data.get(key), 4) is not None for key in boxes)
    good_points = sum(numbers(data.get(key), 2) is not None for key in points)
    return float(("bbox" not in fields or good_boxes >= 1) and ("point" not in fields or good_points >= 2))


def answer_format(data: Any, fields: Sequence[Field] = ("bbox", "point")) -> float:
    """Return 2 × the share of fields, over all items of the answer's list, that have the right form; in [0, 2].

    VisionReasoner: [bbox_2d is 4 numbers] + [point_2d is 2 numbers], the mean over the items. StAR with label
    prediction: 2/3 for each of these and for a label that is a text and not empty. No item, or more than 120: 0.

    >>> answer_format([{"bbox_2d": [1, 2, 3, 4], "point_2d": [2, 3]}, {"bbox_2d": [1, 2, 3, 4]}])
    1.5
    """
    if not isinstance(data, list) or not 1 <= len(data) <= MAX_THINGS:
        return 0.0
    good = sum(_has(item, field) for item in data if isinstance(item, dict) for field in fields)
    return 2 * good / (len(data) * len(fields))


def non_repeat(thinking: str) -> float:
    """Return 0 when two or more sentences of the thinking repeat earlier ones, else 1.

    VisionReasoner's and StAR's, who split the whole reply at every "."; here it is the thinking only, a point between
    two digits ends no sentence, and empty sentences do not count.

    >>> non_repeat("A cup. A cup. It is red."), non_repeat("A cup. A cup. A cup.")
    (1.0, 0.0)
    """
    sentences = [part.strip() for part in _END.split(thinking)]
    said = [sentence for sentence in sentences if sentence]
    return float(len(said) - len(set(said)) <= MOST_REPEATS)


def _has(item: dict[str, Any], field: Field) -> bool:
    if field == "label":
        label = item.get("label")
        return isinstance(label, str) and bool(label.strip())
    return (
        numbers(item.get("bbox_2d"), 4) is not None if field == "bbox" else numbers(item.get("point_2d"), 2) is not None
    )
