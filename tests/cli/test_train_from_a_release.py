"""From drawn scenes to a trained policy's figures, offline, through the command line as a person would go."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from whyseg.training.presets import CONFIGS
from whyseg.training.run import RunFolder, lines

SMALLER = {"n = 32": "n = 4", "keep = 16": "keep = 2", "prompts_per_step = 8": "prompts_per_step = 2",
           "max_completion_tokens = 256": "max_completion_tokens = 12"}  # fmt: skip


def whyseg(*words: str | Path) -> Any:
    """Run a command to its good end; its JSON document."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-m", "whyseg", *map(str, words), "--json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "it/s]" not in done.stderr, "another library's bar"
    return json.loads(done.stdout)


def small_preset(path: Path) -> Path:
    """Copy the world's preset and let it sample next to nothing."""
    text = (CONFIGS / "world_cpu.toml").read_text()
    for line, other in SMALLER.items():
        assert line in text
        text = text.replace(line, other)
    path.write_text(text)
    return path


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_release_is_trained_on_and_its_test_split_is_answered_before_and_after(tmp_path: Path) -> None:
    workspace, scenes, run = tmp_path / "w", tmp_path / "scenes", tmp_path / "run"
    whyseg("world", "make", scenes, "--n", "30", "--plain", "--splits")
    whyseg("init", workspace)
    assert whyseg("import", "hf", scenes, "-w", workspace)["added"] == 30
    released = whyseg("release", "create", "v1", "--states", "any", "-w", workspace)
    given = ("--data", "v1", "-w", workspace, "--policy", "tiny-world", "--updates", "1", "--out", run)
    trained = whyseg("train", small_preset(tmp_path / "small.toml"), *given)
    record = RunFolder.of(run).read()
    assert (record.state, trained["state"]) == ("done", "done")
    assert (record.plan.updates, record.data.left_out) == (1, 0)
    assert record.data.release == released["hash"]
    assert record.data.rows == released["splits"]["train"] > 0
    assert len(list(lines(run / "curves.jsonl"))) == 1

    asked = ("-w", workspace, "--split", "test", "--max-tokens", "12")
    before = whyseg("evaluate", "v1", *asked, "--policy", "tiny-world", "--out", tmp_path / "before")
    after = whyseg("evaluate", "v1", *asked, "--policy", run, "--against", tmp_path / "before", "--out", tmp_path / "b")
    assert before["n"] == after["n"] == released["splits"]["test"] > 0
    # Answers of twelve tokens break off before they can be read.
    assert (after["failed"], after["giou"]) == (after["n"], 0)
    assert after["comparison"]["n"] == after["n"]
