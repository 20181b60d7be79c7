import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.training.answers import row
from whyseg.cli import app, main


def said(text: str, score: float = 0.5, label: str | None = "cup") -> dict[str, Any]:
    return {"parsed": True, "objects": [{"rle": row(text).plain(), "score": score, "label": label}]}


def stored(path: Path, *answers: dict[str, Any]) -> Path:
    path.write_text(json.dumps({"size": [1, 10], "answers": answers, "other": 1}))
    return path


def run(*words: str | Path) -> str:
    result = CliRunner().invoke(app, ["vote", *map(str, words)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def test_stored_candidates_come_to_one_mask(tmp_path: Path) -> None:
    file = stored(
        tmp_path / "c.json", said("####······"), said("####······", 0.7), said("·····#####"), {"parsed": False}
    )
    out = json.loads(run(file, "--json"))
    assert out["rle"] == row("####······").plain()
    assert out["agreement"] == pytest.approx(2 / 3)
    assert (out["outcome"], out["valid"], out["no_object_votes"], out["count"]) == ("mask", 3, 0, 1)
    assert [(one["votes"], one["label"], one["chosen"], one["members"]) for one in out["clusters"]] == [
        (2, "cup", True, [[0, 0], [1, 0]]),
        (1, "cup", False, [[2, 0]]),
    ]
    assert out["clusters"][1]["rle"] == row("·····#####").plain()
    assert "sweep" not in out
    text = run(file)
    assert "mask: agreement 0.67, 3 readable answers" in text
    assert text.count("*") == 1


def test_nothing_there_and_no_answer_have_no_run_lengths(tmp_path: Path) -> None:
    nothing = {"parsed": True, "objects": []}
    out = json.loads(run(stored(tmp_path / "c.json", nothing, said("####······")), "--json"))
    assert (out["rle"], out["outcome"], out["agreement"]) == (None, "no_object", 0.5)
    out = json.loads(run(stored(tmp_path / "c.json", {"parsed": False}), "--json"))
    assert (out["rle"], out["outcome"], out["agreement"], out["clusters"]) == (None, "failed", 0.0, [])


def test_other_settings_vote_on_the_same_candidates(tmp_path: Path) -> None:
    # IoU 8/10: one cluster from 0.8 on; with scores 0.9 and 0.5, pixels 8 and 9 have 0.36 of the votes.
    file = stored(tmp_path / "c.json", said("########··", 0.9), said("##########", 0.5))
    assert len(json.loads(run(file, "--json"))["clusters"]) == 2
    out = json.loads(run(file, "--json", "--iou", "0.8", "--mode", "consensus", "--pixels", "0.3"))
    assert out["rle"] == row("##########").plain()
    assert out["settings"] == {"no_object": 0.5, "iou": 0.8, "votes": 0.2, "mode": "consensus", "pixels": 0.3}


def test_a_sweep_tells_what_every_setting_comes_to(tmp_path: Path) -> None:
    file = stored(tmp_path / "c.json", said("########··", 0.9), said("##########", 0.5))
    rows = json.loads(run(file, "--json", "--sweep"))["sweep"]
    assert len(rows) == 3 * 3 * 4 * (1 + 3)
    kept = {row["iou"] for row in rows}
    assert kept == {1.0}  # the higher score wins, alone or as the best of both, and in a consensus of 0.5 and more
    assert "pixels" not in rows[0]["settings"]
    assert run(file, "--sweep").count("agreement") == 1 + len(rows)


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("{", 1, "no valid JSON"),
        ("[" * 100_000, 1, "c.json:"),
        ("\udcff", 1, "no valid JSON"),
        ("[]", 1, "candidates are an object with size"),
        ('{"size": [1, 10], "answers": [{}]}', 1, "answer 0: an answer is an object with parsed"),
        ('{"size": [1, 10], "answers": [{"parsed": true}]}', 1, "answer 0: objects is a list"),
        ('{"size": [1, 10], "answers": [{"parsed": true, "objects": [3]}]}', 1, "answer 0, object 0: it is an object"),
        ('{"size": [1, 10], "answers": [{"parsed": true, "objects": [{}]}]}', 1, "answer 0, object 0: run len"),
        ('{"size": [1], "answers": []}', 1, "Candidates: size"),
        (json.dumps({"size": [2, 10], "answers": [said("####······")]}), 1, "object 0 of answer 0: size 1×10"),
        (json.dumps({"size": [1, 10], "answers": [said("####······", float("nan"))]}), 1, "score"),
    ],
)  # fmt: skip
def test_a_file_without_candidates_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], text: str, code: int, said: str
) -> None:
    (tmp_path / "c.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    monkeypatch.setattr("sys.argv", ["whyseg", "vote", str(tmp_path / "c.json")])
    with pytest.raises(SystemExit) as error:
        main()
    told = capsys.readouterr().err
    assert (error.value.code, said in told, told.count("\n")) == (code, True, 1), told


@pytest.mark.parametrize("words", [("--iou", "1.5"), ("--iou", "nan"), ("--mode", "worst")])
def test_settings_that_are_none_are_wrong_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, str]
) -> None:
    monkeypatch.setattr("sys.argv", ["whyseg", "vote", str(stored(tmp_path / "c.json")), *words])
    with pytest.raises(SystemExit) as error:
        main()
    assert error.value.code == 2
