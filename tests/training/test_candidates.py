import json
from pathlib import Path

import pytest

from tests.training.answers import row
from whyseg.schemas import Mask
from whyseg.schemas.errors import RefusedInput, UsageError
from whyseg.training.candidates import CandidateFile, Candidates, Voted, candidates_of, read_candidates
from whyseg.training.metrics import Prediction
from whyseg.training.voting import Answer, Candidate, Settings


def candidates(key: str, *texts: str) -> Candidates:
    answers = tuple(Answer(objects=(Candidate(mask=row(text), score=0.5, label="it"),)) for text in texts)
    return Candidates(size=(1, 10), answers=(*answers, Answer(parsed=False)), sample_id=key)


def stored(path: Path, *several: Candidates) -> Path:
    path.write_text("\n".join(one.line(policy="p") for one in several) + "\n\n")
    return path


def test_candidates_come_back_as_they_were_written(tmp_path: Path) -> None:
    several = [candidates("a", "####······"), candidates("b"), candidates("ü\u2028", "··········", "#·········")]
    file = CandidateFile(stored(tmp_path / "c.jsonl", *several))
    assert list(file) == ["a", "b", "ü\u2028"]
    assert [file[key] for key in file] == several
    assert ("a" in file, "x" in file, len(file)) == (True, False, 3)
    assert candidates_of(json.loads(several[0].line())) == several[0]


def test_a_vote_makes_predictions_of_them(tmp_path: Path) -> None:
    nothing = Candidates(size=(1, 10), answers=(Answer(), Answer(parsed=False)), sample_id="n")
    file = CandidateFile(stored(tmp_path / "c.jsonl", candidates("a", "####······"), candidates("f"), nothing))
    voted = Voted(file, Settings())
    assert dict(voted.items()) == {
        "a": Prediction(sample_id="a", mask=row("####······")),
        "f": Prediction(sample_id="f", failed=True),
        "n": Prediction(sample_id="n", mask=Mask.empty((1, 10))),
    }


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"sample_id": "a"\n', "line 1: no valid JSON"),
        ('\n{"size": [1, 10], "answers": []}\n', "line 2: candidates of a sample have its sample_id"),
        ('{"sample_id": "a"}\n{"sample_id": "a"}\n', "sample a stands on lines 1 and 2"),
    ],
)
def test_a_file_of_many_is_refused_by_line(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "c.jsonl").write_text(text)
    with pytest.raises(RefusedInput, match=reason):
        CandidateFile(tmp_path / "c.jsonl")


def test_a_broken_line_is_refused_when_it_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "c.jsonl").write_text('\n{"sample_id": "a", "size": [1, 10], "answers": [{"parsed": 1}]}\n')
    with pytest.raises(RefusedInput, match="line 2: answer 0: an answer is an object with parsed"):
        CandidateFile(tmp_path / "c.jsonl")["a"]


def test_files_that_cannot_be_read_are_wrong_use(tmp_path: Path) -> None:
    for read in (read_candidates, CandidateFile):
        with pytest.raises(UsageError, match="cannot be read"):
            read(tmp_path / "none")
