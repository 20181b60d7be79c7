import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from whyseg.cli import app
from whyseg.cli.compare import numbers
from whyseg.schemas.errors import UsageError
from whyseg.training.world.dataset import PLAIN
from whyseg.training.world.export import write_world


@pytest.mark.parametrize(("text", "seeds"), [("0", [0]), ("0,1,2", [0, 1, 2]), ("3 1", [3, 1])])
def test_seeds_stand_between_commas_or_spaces(text: str, seeds: list[int]) -> None:
    assert numbers(text) == seeds


@pytest.mark.parametrize("text", ["", ",", "-1", "1.5", "one", str(2**31), "9" * 5000])
def test_what_is_no_seed_is_wrong_use(text: str) -> None:
    with pytest.raises(UsageError, match="whole numbers between commas"):
        numbers(text)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "say what to compare on: --on DATA, or --policy MODEL"),
        (["--on", "data"], "say how both are trained: --preset PRESET"),
        (["--on", "data", "--preset", "star_7b_stage1", "--recipe", "sft"], "sft trains the world's small policies"),
        (["--on", "data", "--preset", "world_cpu", "--seeds", "x"], "whole numbers"),
    ],
)
def test_what_is_missing_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_world(tmp_path / "data", 1, 0, PLAIN)
    done = CliRunner().invoke(app, ["compare", "data", "data", "--out", "c", *words])
    assert isinstance(done.exception, UsageError)
    assert message in str(done.exception)
    assert not (tmp_path / "c").exists()


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["sft", "grpo"])
def test_two_worlds_are_compared_and_a_second_start_makes_nothing_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recipe: str
) -> None:
    from whyseg.training import launch
    from whyseg.training.tiny_policy import make_policy

    monkeypatch.chdir(tmp_path)
    make_policy(tmp_path / "bare")
    preset = (Path(launch.__file__).parent / "configs" / "world_cpu.toml").read_text()
    for line, short in (("n = 32", "n = 4"), ("keep = 16", "keep = 2"), ("_step = 8", "_step = 2")):
        preset = preset.replace(line, short)
    (tmp_path / "short.toml").write_text(preset.replace("max_completion_tokens = 256", "max_completion_tokens = 32"))
    write_world(tmp_path / "wrong", 20, 1, PLAIN.model_copy(update={"errors": 1.0}))
    write_world(tmp_path / "right", 20, 1, PLAIN)
    write_world(tmp_path / "held", 4, 2, PLAIN)
    words = ["compare", "wrong", "right", "--on", "held", "--preset", "short.toml", "--recipe", recipe, "--json"]
    words += ["--policy", "bare", "--updates", "1", "--out", "c"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["together"]["n"] == 4
    assert found["setup"]["recipe"] == recipe
    weights = sorted((tmp_path / "c" / "runs").rglob("*.safetensors"))
    assert len([path for path in weights if "checkpoint" not in str(path)]) == 2
    stamps = [path.stat().st_mtime_ns for path in weights]
    again = CliRunner().invoke(app, words)
    assert json.loads(again.stdout) == found
    assert [path.stat().st_mtime_ns for path in weights] == stamps
