"""A policy's answer as values: what it thought, and the things it points at, in the policy's own frame.

Shapes: ``single`` (Seg-Zero, SAM-R1) is one JSON object with ``bbox``, ``points_1`` and ``points_2``; ``list``
(VisionReasoner) a JSON list of ``{"bbox_2d", "point_2d"}``; ``list_label`` (StAR, the world) the same with ``label``.
"""

import json
import re
from dataclasses import dataclass
from typing import Any, Literal, Self, get_args

from whyseg.schemas import Box, Point, Prompt
from whyseg.schemas.errors import UsageError
from whyseg.schemas.prompt import FARTHEST
from whyseg.schemas.record import Record
from whyseg.training.frames import Frame
from whyseg.training.repairs import repaired

Shape = Literal["single", "list", "list_label"]
Corners = tuple[float, float, float, float]
Xy = tuple[float, float]
MAX_THINGS = 120  # of one answer, as in VisionReasoner's code; matching more would cost seconds
LONGEST = 100_000  # characters of a reply that is read at all: ten times what 2,048 tokens hold
TAGS = ("<think>", "</think>", "<answer>", "</answer>")
_THINKING = re.compile(r"\s*<think>(.*?)</think>", re.DOTALL)
_QUOTED = re.compile(r"\s*-?[0-9]{1,8}(?:\.[0-9]{1,9})?\s*", re.ASCII)


class Thing(Record):
    """One object of an answer: a short label, a box (x1, y1, x2, y2) and points (x, y), in the policy's frame.

    Whatever the answer did not give, or gave in another form than finite numbers up to 10⁷, is None or missing here.
    The corners come in the order that the policy gave them.
    """

    label: str | None = None
    box: Corners | None = None
    points: tuple[Xy, ...] = ()

    def prompt(self, frame: Frame, size: tuple[int, int]) -> Prompt | None:
        """Return what a segmenter is asked, in pixels of an image of ``size`` (height, width); None without anything.

        Corners are put in order, and a box is at least one pixel wide and high. Nothing is clipped to the image.
        """
        box = None
        if self.box is not None:
            x1, y1, x2, y2 = frame.to_pixels(self.box, size).tolist()
            x1, x2, y1, y2 = min(x1, x2), max(x1, x2), min(y1, y2), max(y1, y2)
            if max(abs(x1), abs(y1), abs(x2), abs(y2)) < FARTHEST:
                box = Box(x0=x1, y0=y1, x1=max(x2, x1 + 1), y1=max(y2, y1 + 1))
        pixels = [frame.to_pixels(point, size).tolist() for point in self.points]
        points = tuple(Point(x=x, y=y) for x, y in pixels if max(abs(x), abs(y)) <= FARTHEST)
        return Prompt(points=points, box=box) if points or box else None


class Answer(Record):
    """An answer that could be read; no things means that nothing in the image answers the question."""

    things: tuple[Thing, ...]
    thinking: str
    text: str


class ParseFailure(Record):
    """An answer that could not be read: why, and the whole text."""

    reason: str
    text: str


@dataclass(frozen=True)
class Reply:
    """A reply taken apart: the thinking, and the answer's JSON value; ``failure`` says why there is none."""

    text: str
    thinking: str
    data: Any = None
    failure: str = ""

    @classmethod
    def read(cls, text: str, *, repair: bool) -> Self:
        """Take a reply apart; without ``repair`` the tags must be complete and the JSON valid."""
        text = text.encode("utf-8", "replace").decode()  # half a surrogate pair is no text that could be written down
        if len(text) > LONGEST:
            return cls(text, "", failure=f"{len(text)} characters, at most {LONGEST} are read")
        thinking, body, ended = _parted(text, repair)
        if body is None:
            return cls(text, thinking, failure="not exactly one block <answer>…</answer> after the thinking")
        try:
            return cls(text, thinking, _json(body))
        except (ValueError, RecursionError) as error:
            reason = f"the answer is no valid JSON: {error}"
        if repair:
            try:
                return cls(text, thinking, _json(repaired(body, ended=ended)))
            except (ValueError, RecursionError):
                pass
        return cls(text, thinking, failure=reason)


def parse(text: str, shape: Shape, *, repair: bool = True) -> Answer | ParseFailure:
    """Read a reply; whatever the text, the result is a value.

    ``repair``: put right what has one reading only (`whyseg.training.repairs`; also: one object where a list of one is
    meant or the other way round, a list in a list, numbers in quotes, a reply that is JSON and nothing else, an answer
    block left open after complete JSON). Training reads without, since a reward for the form must be earned. Text
    before ``<answer>`` counts as thinking. ``[]`` and ``[{}]`` name no thing. A key that repeats, several answer blocks
    and more than 120 things are failures: which is meant is not said. Raises ``UsageError`` for an unknown shape.

    >>> parse('<think>a cup</think><answer>[{"bbox_2d": [1, 2, 3, 4], "point_2d": [2, 3]}]</answer>', "list").things
    (Thing(label=None, box=(1.0, 2.0, 3.0, 4.0), points=((2.0, 3.0),)),)
    """
    return understand(Reply.read(text, repair=repair), shape, repair=repair)


def understand(reply: Reply, shape: Shape, *, repair: bool, soft: bool = False) -> Answer | ParseFailure:
    """Return the answer of a reply that was taken apart; ``soft`` accepts any keys with "bbox" and "point" in them."""
    if shape not in get_args(Shape):
        raise UsageError(f"an answer's shape is one of {', '.join(get_args(Shape))}, got {shape!r}")
    if reply.failure:
        return ParseFailure(reason=reply.failure, text=reply.text)
    data, things = reply.data, list[Thing]()
    if shape == "single":
        if repair and isinstance(data, list) and len(data) == 1:
            data = data[0]
        if not isinstance(data, dict):
            return ParseFailure(reason=f"the answer is one object, got {_kind(data)}", text=reply.text)
        things.append(_single(data, soft=soft, repair=repair))
    else:
        if repair and isinstance(data, dict):
            data = [data]
        while repair and isinstance(data, list) and len(data) == 1 and isinstance(data[0], list):
            data = data[0]
        if not isinstance(data, list):
            return ParseFailure(reason=f"the answer is a list, got {_kind(data)}", text=reply.text)
        if len(data) > MAX_THINGS:
            return ParseFailure(reason=f"{len(data)} objects, at most {MAX_THINGS} are read", text=reply.text)
        if data != [{}]:
            things = [_listed(item, labelled=shape == "list_label", quoted=repair) for item in data]
    return Answer(things=tuple(things), thinking=reply.thinking, text=reply.text)


def numbers(value: Any, count: int, *, quoted: bool = False) -> tuple[float, ...] | None:
    """Return a list of ``count`` finite numbers up to 10⁷, else None; ``quoted`` accepts them in quotes too."""
    if not isinstance(value, list) or len(value) != count:
        return None
    if quoted:
        value = [float(v) if isinstance(v, str) and _QUOTED.fullmatch(v) else v for v in value]
    for v in value:
        kind = type(v)  # not isinstance: a truth value is no number
        if (kind is not int and kind is not float) or not -FARTHEST <= v <= FARTHEST:
            return None
    return tuple(map(float, value))


def soft_keys(data: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Return the keys with "bbox" and those with "point" in them, in their order, whatever their case."""
    boxes = [key for key in data if "bbox" in key.lower()]
    return boxes, [key for key in data if "point" in key.lower() and key not in boxes]


def _parted(text: str, repair: bool) -> tuple[str, str | None, bool]:
    """Return the thinking, what stands between the one pair of answer tags, and whether the second is there.

    None where there is no such pair.
    """
    thought = _THINKING.match(text)
    rest = text[thought.end() :] if thought else text
    before, opening, after = rest.partition("<answer>")
    thinking = thought[1] if thought else before.replace("<think>", "").replace("</think>", "")
    body, closing, behind = after.partition("</answer>")
    if "<answer>" in after or "</answer>" in behind or "</answer>" in before:
        return thinking, None, False
    if not opening:
        bare = repair and rest.lstrip().startswith(("[", "{", "```"))
        return (thinking if thought or not bare else ""), rest if bare else None, False
    return thinking, body if closing or repair else None, bool(closing)


def _json(text: str) -> Any:
    return json.loads(text, object_pairs_hook=_distinct, parse_constant=_no_constant)


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key repeats")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _single(data: dict[str, Any], *, soft: bool, repair: bool) -> Thing:
    box, points = data.get("bbox"), [data.get("points_1"), data.get("points_2")]
    boxes, dots = soft_keys(data)
    clear = repair and len(boxes) == 1 and len(dots) == 2
    if (soft or clear) and not {"bbox", "points_1", "points_2"} <= data.keys():
        box = data[boxes[0]] if boxes else None
        points = [data[key] for key in dots[:2]]
    read = [_xy(point, repair) for point in points]
    return Thing(box=_corners(box, repair), points=tuple(xy for xy in read if xy is not None))


def _listed(item: Any, *, labelled: bool, quoted: bool) -> Thing:
    if not isinstance(item, dict):
        return Thing()
    label = item.get("label") if labelled else None
    text = label.encode("utf-8", "replace").decode().strip() if isinstance(label, str) else ""
    point = _xy(item.get("point_2d"), quoted)
    return Thing(label=text or None, box=_corners(item.get("bbox_2d"), quoted), points=(point,) if point else ())


def _corners(value: Any, quoted: bool) -> Corners | None:
    found = numbers(value, 4, quoted=quoted)
    return (found[0], found[1], found[2], found[3]) if found else None


def _xy(value: Any, quoted: bool) -> Xy | None:
    found = numbers(value, 2, quoted=quoted)
    return (found[0], found[1]) if found else None


def _kind(data: Any) -> str:
    if isinstance(data, list):
        return f"a list of {len(data)}"
    return "an object" if isinstance(data, dict) else f"{type(data).__name__}"
