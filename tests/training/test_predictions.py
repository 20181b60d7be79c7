import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.training.answers import row
from whyseg.schemas import Mask
from whyseg.schemas.errors import InvalidRecord, RefusedInput, UsageError
from whyseg.training.candidates import candidates_of
from whyseg.training.metrics import Prediction
from whyseg.training.predictions import Answers, Journal, line_of, prediction_of, read_predictions

RLE = row("##········").plain()


def written(path: Path, *lines: object) -> Path:
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return path


def test_a_mask_the_empty_answer_and_a_failure_are_read(tmp_path: Path) -> None:
    file = written(
        tmp_path / "p.jsonl",
        {"sample_id": "a", "rle": RLE, "boxes": [[0, 0, 2, 1]], "tokens": 7, "anything": "else"},
        "",
        {"sample_id": "b", "rle": None},
        {"sample_id": "c", "failed": True},
        {"sample_id": "d", "rle": {"size": [1, 10], "counts": [0, 2, 8]}, "failed": False},
    )
    assert read_predictions(file) == {
        "a": Prediction(sample_id="a", mask=row("##········"), boxes=((0, 0, 2, 1),), tokens=7),
        "b": Prediction(sample_id="b"),
        "c": Prediction(sample_id="c", failed=True),
        "d": Prediction(sample_id="d", mask=row("##········")),
    }


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"sample_id": "a", "rle"', "line 2: no valid JSON"),
        ("[" * 100_000, "line 2: (no valid JSON|its JSON is nested too deeply)"),
        ("[1]", "line 2: a prediction is an object with a sample_id"),
        ({"sample_id": 7, "rle": None}, "line 2: a prediction is an object with a sample_id"),
        ({"sample_id": "a"}, "line 2: sample a: rle is missing; null is the empty answer"),
        ({"sample_id": "a", "rle": None, "failed": "no"}, "line 2: sample a: failed is true or false"),
        ({"sample_id": "a", "rle": "03"}, "line 2: sample a: run lengths are an object"),
        ({"sample_id": "a", "rle": {"size": [1, 10], "counts": "22"}}, "line 2: sample a: .*cover 4 pixels"),
        ({"sample_id": "a", "rle": {"size": [1, 10], "counts": [-1, 11]}}, "whole numbers from 0 on"),
        ({"sample_id": "a", "rle": {"counts": "22"}}, "line 2: sample a: Mask: size"),
        ({"sample_id": "a", "rle": None, "boxes": [[1, 2, 3]]}, "line 2: sample a: Prediction: boxes"),
        ('{"sample_id": "a", "rle": null, "boxes": [[1, 2, 3, NaN]]}', "line 2: sample a: Prediction: boxes"),
        ({"sample_id": "first", "rle": None}, "sample first is answered on lines 1 and 2"),
    ],
)
def test_a_line_that_is_no_prediction_is_refused_by_its_number(tmp_path: Path, line: object, reason: str) -> None:
    file = written(tmp_path / "p.jsonl", {"sample_id": "first", "rle": None}, line)
    with pytest.raises(RefusedInput, match=reason):
        read_predictions(file)


def test_a_file_that_cannot_be_read_is_wrong_use(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        read_predictions(tmp_path / "none.jsonl")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="cannot be read"):
        read_predictions(tmp_path / "binary")


def test_a_line_comes_back_as_it_was_written(tmp_path: Path) -> None:
    several = [
        Prediction(
            sample_id="a", mask=row("#·#·······"), boxes=((0, 0, 3, 1),), tokens=12, text="it is … \u2028 there"
        ),
        Prediction(sample_id="b"),
        Prediction(sample_id="c", failed=True, text=""),
        Prediction(sample_id="d", mask=Mask.empty((1, 10))),
    ]
    file = written(tmp_path / "p.jsonl", *[line_of(one, seed=3) for one in several])
    read = list(read_predictions(file).values())
    assert read == [one.model_copy(update={"text": one.text or None}) for one in several]


@pytest.mark.parametrize("torn", [b"", b'{"sample_id"', b"x" * 200_000])
@pytest.mark.parametrize("whole", [b"", b'{"a": 1}\n', b'{"b": "' + b"y" * 150_000 + b'"}\n'])
def test_a_journal_keeps_whole_lines_of_any_length(tmp_path: Path, whole: bytes, torn: bytes) -> None:
    (tmp_path / "p.jsonl").write_bytes(whole + torn)
    journal = Journal(tmp_path / "p.jsonl")
    journal.add("{}")
    journal.close()
    assert (tmp_path / "p.jsonl").read_bytes() == whole + b"{}\n"


def test_a_journal_drops_a_torn_last_line_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "p.jsonl"
    journal = Journal(path)
    journal.add('{"sample_id": "a", "rle": null}')
    journal.close()
    with path.open("ab") as file:
        file.write(b'{"sample_id": "b", "r')  # a killed process
    journal = Journal(path)
    journal.add('{"sample_id": "c", "rle": null}')
    journal.close()
    assert list(read_predictions(path)) == ["a", "c"]


def test_a_sample_is_found_by_its_id_or_by_its_sources_name() -> None:
    given = {name: Prediction(sample_id=name) for name in ("id1", "val/b", "c.json", "d")}
    answers = Answers(given, "p.jsonl")
    names = [("id1", "val/a.json"), ("id2", "val/b.json"), ("id3", "val/c.json"), ("id4", "val/d.json"), ("id5", "")]
    found = [answers.of(key, name) for key, name in names]
    assert [one and one.sample_id for one in found] == ["id1", "val/b", "c.json", "d", None]
    answers.require_known()
    assert Answers({"": Prediction(sample_id="")}, "p.jsonl").of("id5", "") is None


def test_a_name_that_means_two_samples_is_refused() -> None:
    answers = Answers({"a": Prediction(sample_id="a")}, "p.jsonl")
    answers.of("id1", "val/a.json")
    answers.of("id1", "val/a.json")  # the same sample again: a row that stands twice
    with pytest.raises(UsageError, match=r"p\.jsonl: 'a' means two samples, id1 and id2"):
        answers.of("id2", "test/a.json")


def test_a_prediction_for_no_sample_is_wrong_use() -> None:
    answers = Answers({name: Prediction(sample_id=name) for name in "abcdefg"}, "p.jsonl")
    answers.of("a", "")
    with pytest.raises(UsageError, match="has no sample b, c, d, e, f and 1 more"):
        answers.require_known()


KEYS = [
    "sample_id",
    "rle",
    "failed",
    "size",
    "counts",
    "boxes",
    "tokens",
    "answers",
    "parsed",
    "objects",
    "score",
    "label",
]
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.just([1, 10])
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6)
)


@given(JSON, JSON)
def test_whatever_a_line_holds_it_is_read_or_refused(data: object, part: object) -> None:
    lines = [data, {"sample_id": "a", "rle": part}, {"sample_id": "a", "rle": {"size": [1, 10], "counts": part}}]
    for line in lines:
        try:
            prediction_of(line)
        except InvalidRecord:
            pass
    answers = [{"parsed": True, "objects": [part, {"rle": data, "score": part}]}]
    for candidates in (data, {"size": [1, 10], "answers": part}, {"size": data, "answers": answers}):
        try:
            candidates_of(candidates)
        except InvalidRecord:
            pass
