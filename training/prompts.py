"""What a policy is asked: the families' prompts, in our words, after the structure that their authors describe.

Every prompt asks for the query's place, says how to decide, names the two tag blocks, the answer's JSON and an example.
The picture is put before the text by whoever runs the policy. The example is valid JSON (Seg-Zero's own has single
quotes), and its numbers lie in the policy's frame.
"""

from dataclasses import dataclass
from typing import Any, Literal

from whyseg.schemas.errors import UsageError
from whyseg.training.answers import Shape

Message = dict[str, Any]
Geometry = Literal["both", "box", "points"]
SYSTEM = "You are a helpful assistant."


@dataclass(frozen=True)
class Style:
    """One family's prompt: the answer's shape, how to decide, and what else is asked."""

    shape: Shape
    decide: Literal["compare", "two_step", ""] = "compare"
    every: bool = False  # all matching objects, none missed
    empty: bool = False  # an empty list where nothing matches


STYLES = {
    "seg_zero": Style("single"),
    "sam_r1": Style("single"),
    "vision_reasoner": Style("list"),
    "vision_reasoner_short": Style("list", decide=""),
    "star_stage1": Style("list_label", every=True),
    "star_stage2": Style("list_label", decide="two_step", every=True),
    "star_reasonseg": Style("list_label", decide="two_step", every=True, empty=True),
    "world": Style("list_label"),
}
"""Styles by name. ``star_stage1`` is StAR's for RefCOCO too, ``star_stage2`` for MUSE and MMR, ``star_reasonseg`` for
ReasonSeg and ReasonSeg-X; ``vision_reasoner_short`` is the shorter one that its authors came to recommend."""

_DECIDE = {
    "compare": "Compare the objects with each other and choose the best match.",
    "two_step": "First work out what the question is likely to mean, and sum up which object or concept that is. "
    "Then apply this to the image and find the object(s) that it means.",
}
_ITEMS: tuple[dict[str, Any], ...] = (
    {"label": "black dog", "bbox_2d": (10, 100, 200, 210), "point_2d": (30, 110)},
    {"label": "brown dog", "bbox_2d": (225, 296, 706, 786), "point_2d": (302, 410)},
)
_ONE = {"bbox": (10, 100, 200, 210), "points_1": (30, 110), "points_2": (35, 180)}


def messages(
    style: str,
    query: str,
    *,
    canvas: int = 840,
    evaluation: bool = False,
    thinking: bool = True,
    geometry: Geometry = "both",
    label: bool = True,
) -> list[Message]:
    """Return the conversation that asks a policy: role and text, the picture left to the trainer or the policy.

    ``style``: a name of `STYLES`. ``canvas``: how far the policy's coordinates reach; the example's numbers are scaled
    to it. ``evaluation``: normalise the query as the evaluation scripts do. ``thinking``, ``geometry`` and ``label``:
    the papers' ablations (no thinking, box only, points only, no label). ``world`` asks the bare question, for a policy
    too small to read instructions. Raises ``UsageError`` for an unknown style.
    """
    if style not in STYLES:
        raise UsageError(f"no prompt style {style!r}; there are {', '.join(STYLES)}")
    question = normalised(query, evaluation=evaluation)
    if style == "world":
        return [{"role": "user", "content": question}]
    text = _text(STYLES[style], question, canvas, thinking=thinking, geometry=geometry, label=label)
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": text}]


def normalised(query: str, *, evaluation: bool = False) -> str:
    """Return a query as the families put it into their prompts: lower case, without the punctuation at its end.

    In training that is ".", in evaluation ". ” ? !" with straight quotes. ``<|`` is written ``< |``, so that no query
    holds a control token of the model.

    >>> normalised("What keeps the rain off?", evaluation=True)
    'what keeps the rain off'
    """
    ends = ' ."?!' if evaluation else " ."
    return " ".join(query.lower().split()).rstrip(ends).replace("<|", "< |")


def _text(style: Style, question: str, canvas: int, *, thinking: bool, geometry: Geometry, label: bool) -> str:
    single = style.shape == "single"
    labelled = label and style.shape == "list_label"
    place = _place(geometry, single)
    parts = [f"Please find '{question}' in the image and give {place}."]
    if style.decide:
        parts.append(_DECIDE[style.decide])
    if style.every:
        parts.append("Give all objects that match, and check once more that none is missing.")
    if labelled:
        parts.append("Give each object a short label, too.")
    if style.empty:
        parts.append("If nothing in the image matches, give an empty list in <answer> </answer>.")
    thought = "your step-by-step thinking" if style.every else "your thinking"
    if thinking:
        parts.append(f"Write {thought} in <think> </think> and the final answer in <answer> </answer>.")
    else:
        parts.append("Write the final answer in <answer> </answer>.")
    if style.decide or single:
        parts.append(f"The answer is {_answer(geometry, single)}, in JSON.")
    example = _example(style.shape, canvas, geometry, labelled)
    parts.append(f"For example:\n{'<think> the thinking goes here </think>' * thinking}<answer>{example}</answer>")
    return " ".join(parts)


def _place(geometry: Geometry, single: bool) -> str:
    box, points = ("its bounding box", "points") if single else ("the bounding boxes", "points of the object(s)")
    return {"both": f"{box} and {points}", "box": box, "points": points}[geometry]


def _answer(geometry: Geometry, single: bool) -> str:
    if single:
        box, points = "the one bounding box", "the centres of the two largest circles that fit inside the object"
    else:
        box, points = "the bounding box of each object", "the centre of the largest circle that fits inside it"
    return {"both": f"{box} and {points}", "box": box, "points": points}[geometry]


def _example(shape: Shape, canvas: int, geometry: Geometry, labelled: bool) -> str:
    left_out = {"both": "-", "box": "point", "points": "bbox"}[geometry]

    def shown(item: dict[str, Any]) -> str:
        fields = [
            f'"{key}": "{value}"' if isinstance(value, str) else f'"{key}": [{",".join(_scaled(value, canvas))}]'
            for key, value in item.items()
            if left_out not in key and (labelled or key != "label")
        ]
        return "{" + ", ".join(fields) + "}"

    return shown(_ONE) if shape == "single" else "[" + ", ".join(map(shown, _ITEMS)) + "]"


def _scaled(values: tuple[int, ...], canvas: int) -> list[str]:
    return [str(round(value * canvas / 840)) for value in values]
