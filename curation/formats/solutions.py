"""The solutions of Seg-Zero's and VisionReasoner's training sets: each object's box and points, in one text."""

import json
import re
from typing import Any

from whyseg.schemas import Box, Point, Prompt
from whyseg.schemas.errors import InvalidRecord

_NUMBER = r"\s*(-?[0-9]{1,7}(?:\.[0-9]{1,9})?)\s*"
_PAIR = re.compile(rf"\({_NUMBER},{_NUMBER}\)")
_TAG = re.compile(r"<(box|points)>([^<]{0,4000})</\1>")
MOST_OBJECTS = 10_000


def parse_solution(text: str) -> list[tuple[Prompt, str]]:
    """Return each object's box and points as a prompt, and its label ("" where there is none).

    ``text``: a JSON list of {"bbox_2d": [x0, y0, x1, y1], "point_2d": [x, y], "label": …}, or Seg-Zero's
    ``<box>(x0,y0),(x1,y1)</box><points>(x,y),(x,y)</points>``. Coordinates stay in the frame that they are in. Raises
    ``InvalidRecord`` for anything else.

    >>> parse_solution("<box>(1,2),(5,6)</box><points>(3,4)</points>")[0][0].points
    (Point(x=3.0, y=4.0, positive=True),)
    """
    if "<box>" in text:
        return [(_tagged(text), "")]
    try:
        answers = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidRecord(f"the solution is neither JSON nor Seg-Zero's tags: {text[:60]!r}") from error
    if not isinstance(answers, list) or len(answers) > MOST_OBJECTS:
        raise InvalidRecord(f"the solution is a list of at most {MOST_OBJECTS} objects, got {text[:60]!r}")
    return [_answer(answer) for answer in answers]


def _tagged(text: str) -> Prompt:
    found = {name: [(float(x), float(y)) for x, y in _PAIR.findall(inner)] for name, inner in _TAG.findall(text)}
    corners = found.get("box", [])
    if len(corners) != 2:
        raise InvalidRecord(f"a box has two corners, got {text[:60]!r}")
    return _prompt([*corners[0], *corners[1]], [list(point) for point in found.get("points", [])])


def _answer(answer: Any) -> tuple[Prompt, str]:
    if not isinstance(answer, dict):
        raise InvalidRecord(f"an object of the solution is {{bbox_2d, point_2d}}, got {type(answer).__name__}")
    box, point, label = answer.get("bbox_2d"), answer.get("point_2d"), answer.get("label", "")
    if box is None and point is None:
        raise InvalidRecord("an object of the solution has neither bbox_2d nor point_2d")
    if not isinstance(label, str):
        raise InvalidRecord(f"a label is a text, got {type(label).__name__}")
    return _prompt(box, [] if point is None else [point]), label


def _prompt(box: Any, points: list[Any]) -> Prompt:
    found = Box.parse(dict(zip(("x0", "y0", "x1", "y1"), _numbers(box, 4), strict=True))) if box is not None else None
    clicks = [Point.parse(dict(zip("xy", _numbers(point, 2), strict=True))) for point in points]
    return Prompt(points=tuple(clicks), box=found)


def _numbers(values: Any, count: int) -> list[float]:
    if not isinstance(values, list) or len(values) != count or not set(map(type, values)) <= {int, float}:
        kind = f"{len(values)} values" if isinstance(values, list) else type(values).__name__
        raise InvalidRecord(f"a {'box is 4' if count == 4 else 'point is 2'} numbers, got {kind}")
    return list(values)
