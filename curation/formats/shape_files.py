"""The JSON files that labelme and LISA keep beside each picture: read within limits, checked, and put in words."""

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from whyseg.curation.formats.polygons import FloatArray, defects
from whyseg.curation.images import printable
from whyseg.curation.sources import File
from whyseg.schemas.errors import InvalidRecord, RefusedInput
from whyseg.schemas.prompt import FARTHEST

MAX_JSON_BYTES = 2**28  # a picture of 190 MB within it fits
MAX_SHAPES = 200_000
MAX_WORK = 2**33  # pixels that a file's shapes may span together; painting them takes a minute
_ENCODINGS = ("utf-8-sig", "cp1252")  # the second for files written on Windows, as LISA reads them
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_NUMBERS = {int, float}


@dataclass(frozen=True, eq=False)
class Shape:
    """One shape of a file: ``number`` counts from 1, ``points`` are float64 (N, 2) of (x, y), ``group`` may be None."""

    number: int
    label: str
    kind: str
    points: FloatArray
    group: int | None
    data: dict[str, Any]  # all that the file says of it


def is_json(name: str) -> bool:
    """Tell whether a file's name says that it is JSON."""
    return PurePosixPath(name).suffix.lower() == ".json"


def read_json(file: File) -> Any:
    """Return what a JSON file in UTF-8, else in cp1252, holds.

    Raises ``RefusedInput`` for whatever cannot be read, is too long, too deep, no JSON or no text.
    """
    raw = file.read(None)
    if len(raw) > MAX_JSON_BYTES:
        raise RefusedInput(file.name, f"{len(raw)} bytes are over the limit of {MAX_JSON_BYTES} for a JSON file")
    problem = "it is neither UTF-8 nor cp1252"
    for encoding in _ENCODINGS:
        try:
            text = raw.decode(encoding)
            data = json.loads(text)
            if _SURROGATE.search(text):
                json.dumps(data, ensure_ascii=False).encode()
        except RecursionError:
            raise RefusedInput(file.name, "its JSON is nested too deeply") from None
        except UnicodeEncodeError:
            raise RefusedInput(file.name, "its texts hold halves of characters (lone surrogates)") from None
        except UnicodeDecodeError:
            continue
        except ValueError as error:
            problem = f"no valid JSON: {printable(str(error))[:200]}"
        else:
            return data
    raise RefusedInput(file.name, problem)


def shapes_of(data: dict[str, Any]) -> list[Shape]:
    """Return a file's shapes; raises ``InvalidRecord`` that names the first one which is none, and why."""
    found = data.get("shapes")
    if not isinstance(found, list):
        raise InvalidRecord(f"'shapes' is a list, got {shown(found)}")
    if len(found) > MAX_SHAPES:
        raise InvalidRecord(f"{len(found)} shapes are over the limit of {MAX_SHAPES}")
    return [_shape(number, one) for number, one in enumerate(found, 1)]


def _shape(number: int, data: Any) -> Shape:
    if not isinstance(data, dict):
        raise InvalidRecord(f"shape {number} is an object with label and points, got {shown(data)}")
    label, kind, group = data.get("label"), data.get("shape_type"), data.get("group_id")
    if not isinstance(label, str):
        raise InvalidRecord(f"the label of shape {number} is a text, got {shown(label)}")
    if kind is not None and not isinstance(kind, str):
        raise InvalidRecord(f"the shape_type of shape {number} is a text, got {shown(kind)}")
    if group is not None and type(group) is not int:
        raise InvalidRecord(f"the group_id of shape {number} is a whole number or null, got {shown(group)}")
    return Shape(number, label, kind or "polygon", _points(number, data.get("points")), group, data)


def _points(number: int, value: Any) -> FloatArray:
    """Check a list of [x, y] and return it as float64 (N, 2)."""
    if not isinstance(value, list):
        raise InvalidRecord(f"the points of shape {number} are a list of [x, y], got {shown(value)}")
    for point in value:
        if not isinstance(point, list) or len(point) != 2 or not set(map(type, point)) <= _NUMBERS:
            raise InvalidRecord(f"a point of shape {number} is two numbers [x, y], got {shown(point)}")
        for coordinate in point:
            if not -FARTHEST <= coordinate <= FARTHEST:  # so that NaN fails as well
                finite = isinstance(coordinate, int) or math.isfinite(coordinate)
                what = f"farther away than {FARTHEST:g} pixels" if finite else "no finite number"
                raise InvalidRecord(f"a coordinate of shape {number} is {what}: {shown(coordinate)}")
    return np.array(value, np.float64).reshape(-1, 2)


def shown(value: Any) -> str:
    """Return a short text for anything that a JSON file may hold."""
    if isinstance(value, int) and value.bit_length() > 64:
        return f"an integer of {value.bit_length()} bits"
    if isinstance(value, str | int | float | None):
        return repr(value)[:60]
    if isinstance(value, list) and len(value) < 4 and all(isinstance(one, int | float | str) for one in value):
        return f"[{', '.join(map(shown, value))}]"
    return {"list": "a list", "dict": "an object"}.get(type(value).__name__, type(value).__name__)


def require_paintable(outlines: Sequence[FloatArray], size: tuple[int, int]) -> None:
    """Raise ``InvalidRecord`` when painting within the boxes of outlines, (N, 2) of (x, y), would take minutes."""
    work = 0.0
    for points in outlines:
        low, high = points.min(axis=0), points.max(axis=0)
        span = np.clip(high, 0, size[::-1]) - np.clip(low, 0, size[::-1])
        work += float((span[0] + 1) * (span[1] + 1) + (high - low).sum())
    if work > MAX_WORK:
        raise InvalidRecord(f"the shapes span {work:.0f} pixels together, over the limit of {MAX_WORK}")


def drawing_remarks(polygons: Sequence[Shape], size: tuple[int, int], tool: str) -> list[str]:
    """Say which polygons leave an image of (height, width) or meet themselves; ``tool``: whose rule paints them."""
    outside, meeting = defects([shape.points for shape in polygons], size)
    said = [
        (outside, f"leave the {size[1]}×{size[0]} picture (width×height)"),
        (meeting, "cross or touch themselves"),
    ]
    return [
        f"{_numbers([polygons[i] for i in found])} {what}: geometry unchanged, painted as {tool} does"
        for found, what in said
        if found
    ]


def dropped_remark(shapes: Sequence[Shape]) -> str:
    """Say which shapes are left out because they have too few points."""
    return f"{_numbers(shapes)} have too few points (a polygon needs 3) and are left out"


def _numbers(shapes: Sequence[Shape]) -> str:
    numbers = [str(shape.number) for shape in shapes[:20]]
    more = f" and {len(shapes) - 20} more" if len(shapes) > 20 else ""
    return f"shape(s) {', '.join(numbers)}{more}"


def home_of(source: Path) -> str:
    """Return the name of the folder that a source is, or lies in: it may be that of a split. Empty for an archive."""
    if source.is_dir():
        return source.resolve().name
    return source.resolve().parent.name if source.is_file() and is_json(source.name) else ""
