import json

import pytest

from tests.cli.test_reward import Run
from tests.cli.test_reward import run as run
from whyseg.training.explain import deviations, explain
from whyseg.training.presets import load_preset, preset_names


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_prints_what_it_does_and_where_it_departs(run: Run, name: str) -> None:
    done = run("train", name, "--explain")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == explain(load_preset(name)) + "\n"


def test_as_json_it_is_the_preset_and_its_deviations(run: Run) -> None:
    done = run("train", "star_7b_stage2", "--explain", "--json")
    found = json.loads(done.stdout)
    assert found["preset"] == load_preset("star_7b_stage2").plain()
    assert tuple(found["deviations"]) == deviations(load_preset("star_7b_stage2"))


def test_an_unknown_preset_is_wrong_use(run: Run) -> None:
    done = run("train", "lisa", "--explain")
    assert (done.returncode, done.stdout) == (2, "")
    assert "there are sam_r1_7b" in done.stderr
