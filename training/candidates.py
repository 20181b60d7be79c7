"""Stored candidates: the answers that were sampled for a question, each with the masks that a segmenter made of them.

One question: ``{"size": [height, width], "answers": [{"parsed": true, "objects": [{"rle": {"size", "counts"},
"score": 0.93, "label": "cup"}]}]}``. A file of many has one such object a line, each with a ``sample_id``. Other keys
are passed over. Once stored, they can be voted on with any settings, without asking a model again.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from whyseg.schemas import Record, union
from whyseg.schemas.errors import InvalidRecord, RefusedInput, UsageError
from whyseg.training.metrics import Prediction
from whyseg.training.predictions import mask_of
from whyseg.training.voting import Answer, Ballots, Candidate, Settings


class Candidates(Record):
    """The answers to one question about a picture of ``size`` (height, width).

    ``texts`` and ``tokens``: what the model wrote, and how long, an entry an answer; empty where that is not known.
    """

    size: tuple[int, int]
    answers: tuple[Answer, ...]
    sample_id: str = ""
    texts: tuple[str, ...] = ()
    tokens: tuple[Annotated[int, Field(ge=0)], ...] = ()

    def ballots(self) -> Ballots:
        """Return the answers, ready for votes; raises ``SizeMismatch`` when a mask is of another size."""
        return Ballots(self.answers, self.size)

    def line(self, **more: Any) -> str:
        """Return the candidates as a line of a file, with ``more`` beside them."""
        answers = [
            {"parsed": answer.parsed, "objects": [_plain(one) for one in answer.objects]} for answer in self.answers
        ]
        data: dict[str, Any] = {"sample_id": self.sample_id, "size": list(self.size), "answers": answers}
        data |= {name: list(value) for name in ("texts", "tokens") if (value := getattr(self, name))}
        return json.dumps(data | more, ensure_ascii=False)

    def direct(self) -> Prediction:
        """Return what the first answer alone says: all its objects together."""
        first = self.answers[0] if self.answers else Answer(parsed=False)
        return Prediction(
            sample_id=self.sample_id,
            mask=union([one.mask for one in first.objects], self.size) if first.parsed else None,
            failed=not first.parsed,
            boxes=tuple(one.box for one in first.objects if one.box),
            tokens=self.tokens[0] if self.tokens else None,
            text=self.texts[0] if self.texts else None,
        )

    def voted(self, settings: Settings) -> Prediction:
        """Return what a vote comes to; its ``tokens`` are the mean of the answers'."""
        tokens = round(sum(self.tokens) / len(self.tokens)) if self.tokens else None
        found = self.ballots().vote(settings)
        return Prediction(sample_id=self.sample_id, mask=found.mask, failed=found.outcome == "failed", tokens=tokens)


def _plain(one: Candidate) -> dict[str, Any]:
    box = {"box": list(one.box)} if one.box else {}
    return {"rle": one.mask.plain(), "score": one.score, "label": one.label, **box}


def read_candidates(path: Path) -> Candidates:
    """Return the candidates of one question.

    Raises ``UsageError`` when the file cannot be read, ``RefusedInput`` for one that holds no candidates.
    """
    try:
        return candidates_of(json.loads(path.read_bytes()))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from error
    except RecursionError:
        raise RefusedInput(path.name, "its JSON is nested too deeply") from None
    except InvalidRecord as error:
        raise RefusedInput(path.name, str(error)) from error
    except ValueError as error:  # broken JSON, or no text
        raise RefusedInput(path.name, f"no valid JSON: {error}") from error


def candidates_of(data: Any) -> Candidates:
    """Return the candidates of plain data; raises ``InvalidRecord`` that names the answer and the object."""
    if not isinstance(data, dict) or not isinstance(data.get("answers"), list):
        raise InvalidRecord("candidates are an object with size and a list of answers")
    answers = [_answer(one, f"answer {number}") for number, one in enumerate(data["answers"])]
    more = {name: data[name] for name in ("sample_id", "texts", "tokens") if data.get(name) is not None}
    return Candidates.parse({"size": data.get("size"), "answers": answers, **more})


def _answer(data: Any, where: str) -> Answer:
    if not isinstance(data, dict) or not isinstance(data.get("parsed"), bool):
        raise InvalidRecord(f"{where}: an answer is an object with parsed, true or false")
    if not data["parsed"]:
        return Answer(parsed=False)
    objects = data.get("objects")
    if not isinstance(objects, list):
        raise InvalidRecord(f"{where}: objects is a list, got {type(objects).__name__}")
    return Answer(objects=tuple(_candidate(one, f"{where}, object {place}") for place, one in enumerate(objects)))


def _candidate(data: Any, where: str) -> Candidate:
    if not isinstance(data, dict):
        raise InvalidRecord(f"{where}: it is an object with rle, score and label")
    given = {name: data[name] for name in ("score", "label", "box") if data.get(name) is not None}
    try:
        return Candidate.parse({"mask": mask_of(data.get("rle")), **given})
    except InvalidRecord as error:
        raise InvalidRecord(f"{where}: {error}") from error


class CandidateFile(Mapping[str, Candidates]):
    """A file with a line of candidates a sample, read a line at a time; memory holds the places of the lines."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._places: dict[str, int] = {}
        self._numbers: dict[str, int] = {}
        place = 0
        try:
            with path.open("rb") as file:
                for number, line in enumerate(file, 1):
                    if line.strip():
                        self._found(line, number, place)
                    place += len(line)
        except OSError as error:
            raise UsageError(f"{path} cannot be read: {error.strerror or error}") from error

    def _found(self, line: bytes, number: int, place: int) -> None:
        data = self._data(line, number)
        key = data.get("sample_id") if isinstance(data, dict) else None
        if not isinstance(key, str):
            raise RefusedInput(self.path.name, f"line {number}: candidates of a sample have its sample_id")
        if key in self._places:
            raise RefusedInput(self.path.name, f"sample {key} stands on lines {self._numbers[key]} and {number}")
        self._places[key], self._numbers[key] = place, number

    def _data(self, line: bytes, number: int) -> Any:
        try:
            return json.loads(line)
        except RecursionError:
            raise RefusedInput(self.path.name, f"line {number}: its JSON is nested too deeply") from None
        except ValueError as error:
            raise RefusedInput(self.path.name, f"line {number}: no valid JSON: {error}") from error

    def __getitem__(self, key: str) -> Candidates:
        place, number = self._places[key], self._numbers[key]
        with self.path.open("rb") as file:
            file.seek(place)
            data = self._data(file.readline(), number)
        try:
            return candidates_of(data)
        except InvalidRecord as error:
            raise RefusedInput(self.path.name, f"line {number}: {error}") from error

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, key: object) -> bool:
        return key in self._places


class Voted(Mapping[str, Prediction]):
    """The predictions that candidates amount to, one at a time as they are asked for.

    ``settings``: what a vote goes by; None takes the first answer alone.
    """

    def __init__(self, candidates: Mapping[str, Candidates], settings: Settings | None) -> None:
        self.candidates, self.settings = candidates, settings

    def __getitem__(self, key: str) -> Prediction:
        found = self.candidates[key]
        return found.direct() if self.settings is None else found.voted(self.settings)

    def __iter__(self) -> Iterator[str]:
        return iter(self.candidates)

    def __len__(self) -> int:
        return len(self.candidates)

    def __contains__(self, key: object) -> bool:
        return key in self.candidates
