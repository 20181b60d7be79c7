"""Answers in a file of lines, one JSON object a sample: read strictly, written so that a killed run goes on.

``{"sample_id": "…", "rle": {"size": [height, width], "counts": "…"}}``; ``"rle": null`` is the empty answer,
``"failed": true`` says that none could be read. ``boxes``, ``tokens`` and ``text`` are `Prediction`'s; whatever else a
line holds is passed over.
"""

import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from whyseg.schemas import Mask
from whyseg.schemas.errors import InvalidRecord, RefusedInput, UsageError
from whyseg.schemas.mask import counts_from_runs
from whyseg.training.metrics import Prediction

_OPTIONAL = ("boxes", "tokens", "text")
_MOST_RUNS = 2**26
_BLOCK = 2**16


def read_predictions(path: Path) -> dict[str, Prediction]:
    """Return the predictions of a file by their ``sample_id``.

    Raises ``UsageError`` when it cannot be read, ``RefusedInput`` that names the line which is no prediction, or the
    two lines of one sample.
    """
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    found: dict[str, Prediction] = {}
    lines: dict[str, int] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            one = prediction_of(json.loads(line))
        except RecursionError:
            raise RefusedInput(path.name, f"line {number}: its JSON is nested too deeply") from None
        except InvalidRecord as error:
            raise RefusedInput(path.name, f"line {number}: {error}") from error
        except ValueError as error:
            raise RefusedInput(path.name, f"line {number}: no valid JSON: {error}") from error
        if one.sample_id in found:
            first = lines[one.sample_id]
            raise RefusedInput(path.name, f"sample {one.sample_id} is answered on lines {first} and {number}")
        found[one.sample_id], lines[one.sample_id] = one, number
    return found


def prediction_of(data: Any) -> Prediction:
    """Return the prediction of a line's data; raises ``InvalidRecord``."""
    if not isinstance(data, dict) or not isinstance(data.get("sample_id"), str):
        raise InvalidRecord("a prediction is an object with a sample_id that is text")
    failed = data.get("failed", False)
    if not isinstance(failed, bool):
        raise InvalidRecord(f"sample {data['sample_id']}: failed is true or false, got {failed!r}")
    if not failed and "rle" not in data:
        raise InvalidRecord(f"sample {data['sample_id']}: rle is missing; null is the empty answer")
    known = {name: data[name] for name in _OPTIONAL if data.get(name) is not None}
    try:
        mask = None if failed or data["rle"] is None else mask_of(data["rle"])
        return Prediction.parse({"sample_id": data["sample_id"], "mask": mask, "failed": failed, **known})
    except InvalidRecord as error:
        raise InvalidRecord(f"sample {data['sample_id'][:100]}: {error}") from error


def mask_of(value: Any) -> Mask:
    """Return the mask of {"size", "counts"}, the counts COCO's text or a list of runs; raises ``InvalidRecord``."""
    if not isinstance(value, dict):
        raise InvalidRecord(f"run lengths are an object with size and counts, got {type(value).__name__}")
    counts = value.get("counts")
    if isinstance(counts, list):
        if not all(type(run) is int and 0 <= run <= _MOST_RUNS * 8 for run in counts):
            raise InvalidRecord("run lengths are whole numbers from 0 on")
        counts = counts_from_runs(counts)
    return Mask.parse({"size": value.get("size"), "counts": counts})


def line_of(prediction: Prediction, **more: Any) -> str:
    """Return a prediction as a line of a file, with ``more`` beside it."""
    mask = prediction.mask
    data: dict[str, Any] = {"sample_id": prediction.sample_id, "rle": None if mask is None else mask.plain()}
    data |= {"failed": True} if prediction.failed else {}
    data |= {name: value for name in _OPTIONAL if (value := prediction.plain()[name])}
    return json.dumps(data | more, ensure_ascii=False)


class Journal:
    """A file of lines that grows: a line is durable when `add` returns, and a torn last one is dropped on opening.

    Raises ``UsageError`` while another process has it open.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._file = path.open("ab+")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.close()
            raise UsageError(f"another process writes {path}") from error
        end = self._file.seek(0, os.SEEK_END)
        while end:  # back to the last line that is whole, whatever the file's size
            start = max(0, end - _BLOCK)
            self._file.seek(start)
            found = self._file.read(end - start).rfind(b"\n")
            if found >= 0:
                end = start + found + 1
                break
            end = start
        self._file.truncate(end)
        self._file.seek(0, os.SEEK_END)

    def add(self, line: str) -> None:
        """Write a line."""
        self._file.write(line.encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class Answers:
    """Predictions as they are matched with samples: by id, else by what the source calls a sample.

    A name of the source is a file's path or its last part, with or without suffix, or the id that a row gives; it
    counts where it means one sample alone.
    """

    def __init__(self, predictions: Mapping[str, Prediction], name: str) -> None:
        self.predictions, self.name = predictions, name
        self._meant: dict[str, str] = {}

    def of(self, sample_id: str, source_name: str) -> Prediction | None:
        """Return the prediction for a sample; raises ``UsageError`` for a name that means two samples."""
        path = Path(source_name)
        names = (sample_id, source_name, path.name, str(path.with_suffix("")) if path.name else "", path.stem)
        for name in filter(None, names):
            if name in self.predictions:
                meant = self._meant.setdefault(name, sample_id)
                if meant != sample_id:
                    raise UsageError(
                        f"{self.name}: {name!r} means two samples, {meant} and {sample_id}: name their ids"
                    )
                return self.predictions[name]
        return None

    def require_known(self, refused: int = 0) -> None:
        """Raise ``UsageError`` when a prediction is for none of the samples that were asked about.

        ``refused``: rows of the data that could not be read; as many predictions may be theirs.
        """
        unknown = [name for name in self.predictions if name not in self._meant]
        if len(unknown) > refused:
            shown = ", ".join(unknown[:5]) + (f" and {len(unknown) - 5} more" if len(unknown) > 5 else "")
            raise UsageError(f"{self.name}: the data has no sample {shown}")
