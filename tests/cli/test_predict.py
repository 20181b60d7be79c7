import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.fakes import FakeSegmenter
from tests.released import released
from tests.training.scripted import ScriptedPolicy, said
from whyseg.cli import app
from whyseg.curation import segmenters
from whyseg.schemas.errors import UsageError
from whyseg.training import policies


@pytest.fixture
def policy(monkeypatch: pytest.MonkeyPatch) -> ScriptedPolicy:
    """Let every policy be this one, which sees a disc where the released pictures have one; segmenters are fakes."""
    found = ScriptedPolicy(lambda query, number: said((18, 18, 42, 42)) if number % 2 == 0 else said())
    monkeypatch.setattr(policies, "open_policy", lambda source, **words: found)
    monkeypatch.setattr(segmenters, "choose", lambda model, told: (FakeSegmenter(), f"A fake instead of {model}."))
    return found


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    released(tmp_path / "w").close()
    return tmp_path / "w"


def run(*words: str | Path, expected: int = 0) -> str:
    result = CliRunner().invoke(app, list(map(str, words)))
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == expected, result.output
    return result.stdout


def test_a_policy_is_asked_and_its_answers_are_scored(policy: ScriptedPolicy, workspace: Path, tmp_path: Path) -> None:
    out = json.loads(run("predict", "v1", "-w", workspace, "--policy", "p", "--out", tmp_path / "out", "--json"))
    assert (out["answered"], len(policy.asked)) == (4, 4)
    scored = json.loads(run("evaluate", "v1", "-w", workspace, "--predictions", out["predictions"], "--json"))
    assert (scored["n"], scored["failed"], scored["mean_tokens"]) == (4, 0, 7)
    assert scored["giou"] > 0.2
    # The same in one go, from what is there: nobody is asked again.
    again = json.loads(run("evaluate", "v1", "-w", workspace, "--policy", "p", "--out", tmp_path / "out", "--json"))
    assert again["giou"] == scored["giou"]
    assert len(policy.asked) == 4
    assert (tmp_path / "out" / "report.html").exists()


def test_several_answers_are_voted_on_and_swept(policy: ScriptedPolicy, workspace: Path, tmp_path: Path) -> None:
    words = ("evaluate", "v1", "-w", workspace, "--policy", "p", "--samples", "5", "--out", tmp_path / "out", "--json")
    out = json.loads(run(*words, "--sweep"))
    assert out["giou"] > 0.2  # three of five see the disc
    assert len(out["sweep"]) == 144
    assert json.loads(run(*words, "--no-object", "0.4"))["giou"] == 0
    assert len(policy.asked) == 4


def test_answers_of_a_policy_need_a_place_and_a_sweep_several_answers(
    policy: ScriptedPolicy, workspace: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="--out DIR"):
        run("evaluate", "v1", "-w", workspace, "--policy", "p")
    with pytest.raises(UsageError, match="--samples above 1"):
        run("evaluate", "v1", "-w", workspace, "--policy", "p", "--out", tmp_path / "out", "--sweep")
    with pytest.raises(UsageError, match="Sampling: temperature"):
        run("predict", "v1", "-w", workspace, "--policy", "p", "--out", tmp_path / "out", "--temperature", "-1")
    assert not (tmp_path / "out").exists()
