import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from tests.pictures import encoded, pixels
from tests.released import released
from whyseg.cli import app, main
from whyseg.curation.exporting import export
from whyseg.curation.formats.parquet import ParquetWriter
from whyseg.curation.releases import Releases
from whyseg.schemas import Mask


def run(*words: str | Path, expected: int = 0) -> str:
    result = CliRunner().invoke(app, ["evaluate", *map(str, words)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == expected, result.output
    return result.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a release of four samples, its export, and answers: all right, and three of four empty."""
    path = tmp_path_factory.mktemp("evaluate")
    with released(path / "w") as workspace:
        export(workspace, "v1", path / "set", ParquetWriter())
        samples = [one.sample for one in Releases(workspace).revisions(Releases(workspace).items("v1"))]
    whole = [{"sample_id": one.id, "rle": one.target().plain()} for one in samples]
    (path / "whole.jsonl").write_text("".join(json.dumps(line) + "\n" for line in whole))
    nothing = [{"sample_id": one.id, "rle": None} for one in samples[:3]]
    (path / "half.jsonl").write_text("".join(json.dumps(line) + "\n" for line in [*nothing, whole[3]]))
    return path


def test_a_folder_is_scored_without_a_workspace(folder: Path, tmp_path: Path) -> None:
    out = json.loads(run(folder / "set", "--predictions", folder / "whole.jsonl", "--json", "--out", tmp_path / "out"))
    assert {"giou", "ciou", "n", "by_type", "by_depth", "intervals", "protocol"} <= out.keys()
    assert (out["n"], out["protocol"], out["ciou"]) == (4, "lisa", 1.0)
    assert out["giou"] == pytest.approx(1, abs=1e-6)
    assert sum(part["n"] for part in out["by_type"].values()) == 4
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "report.html",
        "results.json",
        "samples.jsonl",
    ]


def test_a_release_is_scored_from_its_workspace(folder: Path) -> None:
    words = ("v1", "--workspace", folder / "w", "--predictions", folder / "half.jsonl", "--protocol", "star", "--json")
    out = json.loads(run(*words))
    assert (out["n"], out["giou"], out["protocol"]) == (4, 0.25, "star")


def test_two_files_of_answers_are_compared(folder: Path) -> None:
    words = (folder / "set", "--predictions", folder / "whole.jsonl", "--against", folder / "half.jsonl")
    out = json.loads(run(*words, "--json", "--protocol", "star"))
    assert (out["comparison"]["giou"], out["comparison"]["better"], out["comparison"]["equal"]) == (0.75, 3, 1)
    assert "3 samples better, 0 worse, 1 equal" in run(*words)


def test_a_run_is_compared_with_what_another_one_kept(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(folder / "set", "--predictions", folder / "half.jsonl", "--protocol", "star", "--out", tmp_path / "half")
    words = (folder / "set", "--predictions", folder / "whole.jsonl", "--against", tmp_path / "half")
    out = json.loads(run(*words, "--json", "--protocol", "star"))
    assert (out["comparison"]["giou"], out["comparison"]["better"], out["comparison"]["n"]) == (0.75, 3, 4)
    code, said = fails(monkeypatch, capsys, *words)
    assert (code, "was scored by protocol star, this is lisa" in said) == (2, True)
    (tmp_path / "half" / "samples.jsonl").write_text("{}\n")
    assert fails(monkeypatch, capsys, *words, "--protocol", "star")[0] == 1
    assert fails(monkeypatch, capsys, *words[:3], "--against", tmp_path)[0] == 2


def test_the_table_is_for_people(folder: Path) -> None:
    text = run(folder / "set", "--predictions", folder / "half.jsonl", "--protocol", "star")
    assert "4 samples, protocol star, 0 without a readable answer" in text
    assert "25.00" in text
    assert "no-target accuracy –" in text


def fails(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str]:
    monkeypatch.setattr("sys.argv", ["whyseg", "evaluate", *map(str, words)])
    with pytest.raises(SystemExit) as error:
        main()
    assert isinstance(error.value.code, int)
    return error.value.code, capsys.readouterr().err


def test_an_unknown_sample_exits_2_and_keeps_nothing(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "p.jsonl").write_text('{"sample_id": "nobody", "rle": null}\n')
    words = (folder / "set", "--predictions", tmp_path / "p.jsonl", "--out", tmp_path / "out")
    code, said = fails(monkeypatch, capsys, *words)
    assert (code, "p.jsonl: the data has no sample nobody" in said) == (2, True)
    assert not (tmp_path / "out").exists()


def test_wrong_use_exits_2_and_a_broken_line_or_a_wrong_size_1(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "broken.jsonl").write_text("{\n")
    wrong = json.loads((folder / "whole.jsonl").read_text().splitlines()[0])
    wrong["rle"] = Mask.empty((3, 3)).plain()
    (tmp_path / "wrong.jsonl").write_text(json.dumps(wrong) + "\n")
    answers = ("--predictions", folder / "whole.jsonl")
    assert fails(monkeypatch, capsys, folder / "set")[0] == 2
    assert fails(monkeypatch, capsys, tmp_path / "none", *answers)[0] == 2
    assert fails(monkeypatch, capsys, folder / "set", "--predictions", tmp_path / "none.jsonl")[0] == 2
    code, said = fails(monkeypatch, capsys, folder / "set", "--predictions", tmp_path / "broken.jsonl")
    assert (code, "line 1: no valid JSON" in said) == (1, True)
    code, said = fails(monkeypatch, capsys, folder / "set", "--predictions", tmp_path / "wrong.jsonl")
    assert (code, "size 3×3 (height×width) is not the image's 60×80" in said) == (1, True)


def test_a_refused_row_exits_1_and_the_others_are_scored(tmp_path: Path) -> None:
    picture = {"bytes": encoded(pixels()), "path": None}
    rows = [{"image": picture, "text": "what?", "mask": [[True] * 8] * height} for height in (6, 5)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "test.parquet")
    (tmp_path / "p.jsonl").write_text("")
    out = json.loads(run(tmp_path, "--predictions", tmp_path / "p.jsonl", "--json", expected=1))
    assert (out["n"], out["failed"], len(out["refused"])) == (1, 1, 1)


def test_candidates_are_voted_on_and_swept(folder: Path, tmp_path: Path) -> None:
    lines = list[str]()
    for text in (folder / "whole.jsonl").read_text().splitlines():
        one = json.loads(text)
        right = {"parsed": True, "objects": [{"rle": one["rle"], "score": 0.9, "label": "disc"}]}
        wrong = {"parsed": True, "objects": []}
        answers = [right, wrong, wrong] if not lines else [right, right, wrong]
        lines.append(json.dumps({"sample_id": one["sample_id"], "size": [60, 80], "answers": answers}))
    (tmp_path / "c.jsonl").write_text("\n".join(lines))
    words = (folder / "set", "--candidates", tmp_path / "c.jsonl", "--protocol", "star")
    out = json.loads(run(*words, "--json", "--sweep"))
    assert (out["giou"], len(out["sweep"])) == (0.75, 144)  # of the first, two of three answers see nothing
    assert {(one["settings"]["no_object"], one["giou"]) for one in out["sweep"]} == {(0.5, 0.75), (0.6, 0.75), (0.7, 1)}
    assert json.loads(run(*words, "--json", "--no-object", "0.7"))["giou"] == 1
    assert run(*words, "--sweep").count("gIoU") == 1 + 144


def test_it_must_be_said_what_is_scored_and_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = folder / "whole.jsonl"
    assert fails(monkeypatch, capsys, folder / "set", "--predictions", whole, "--candidates", whole)[0] == 2
    assert fails(monkeypatch, capsys, folder / "set", "--predictions", whole, "--sweep")[0] == 2
