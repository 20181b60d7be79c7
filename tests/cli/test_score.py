import json
from pathlib import Path

import pytest

from tests.cli.test_predict import run
from tests.fakes import FakeSegmenter
from tests.released import released
from tests.training.scripted import ScriptedPolicy, said
from whyseg.curation import segmenters
from whyseg.curation.signals import SignalStore
from whyseg.curation.workspace import Workspace
from whyseg.schemas.errors import UsageError
from whyseg.training import policies


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a workspace with a release of two samples; no test changes them."""
    path = tmp_path_factory.mktemp("score") / "w"
    released(path, samples=2).close()
    return path


@pytest.fixture
def policy(monkeypatch: pytest.MonkeyPatch) -> ScriptedPolicy:
    """Let every policy be this one, which points into the lower right corner; segmenters are fakes."""
    found = ScriptedPolicy(lambda query, number: said((40, 40, 79, 59)))
    monkeypatch.setattr(policies, "open_policy", lambda source, **words: found)
    monkeypatch.setattr(segmenters, "choose", lambda model, told: (FakeSegmenter(), f"A fake instead of {model}."))
    return found


def test_a_release_is_scored_and_the_report_says_what_was_found(team: Path, policy: ScriptedPolicy) -> None:
    found = json.loads(run("score", "v1", "--policy", "p", "-w", team, "--json"))
    assert (found["scored"], found["known"], found["withheld"], found["refused"]) == (2, 0, 0, [])
    assert found["findings"] == {"never_solved": 2, "wrong_target": 2}
    assert (found["run"]["policy"], found["run"]["samples"], found["run"]["temperature"]) == ("scripted", 16, 1)
    again = run("score", "v1", "--policy", "p", "-w", team)
    assert "0 samples scored by scripted, 2 before" in again
    assert "0 new findings, 0 gone; 0 new proposals" in again
    with Workspace.open(team) as opened:
        assert [one.id for one in SignalStore(opened.store).runs()] == [found["run"]["id"]]


def test_candidates_of_other_samples_alone_are_wrong_use(team: Path, policy: ScriptedPolicy, tmp_path: Path) -> None:
    line = {"sample_id": "unknown", "size": [60, 80], "answers": [{"parsed": False}]}
    (tmp_path / "c.jsonl").write_text(json.dumps(line) + "\n")
    with pytest.raises(UsageError, match="none of the 2 samples"):
        run("score", "--all", "--candidates", tmp_path / "c.jsonl", "-w", team)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--policy", "p"), "a release, or --all"),
        (("v1", "--all", "--policy", "p"), "a release, or --all"),
        (("v1",), "say who answers"),
        (("--all", "--policy", "p", "--split", "test"), "no split"),
        (
            ("v1", "--candidates", "c.jsonl", "--endpoint", "http://x", "--preset", "p"),
            "--preset and --endpoint do not",
        ),
    ],
)
def test_what_cannot_be_meant_is_wrong_use(words: tuple[str, ...], says: str, team: Path) -> None:
    with pytest.raises(UsageError, match=says):
        run("score", *words, "-w", team)
