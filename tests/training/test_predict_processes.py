"""A policy that is asked by real processes: one that is killed, and two that share the questions."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from whyseg.training.predict import CANDIDATES, PREDICTIONS
from whyseg.training.tiny_policy import make_policy
from whyseg.training.world.dataset import PLAIN
from whyseg.training.world.export import write_world

pytestmark = pytest.mark.slow
QUESTIONS = 8


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A drawn data set, an untrained policy, and its answers in ``whole``."""
    path = tmp_path_factory.mktemp("processes")
    write_world(path / "world", QUESTIONS, 0, PLAIN)
    make_policy(path / "policy")
    subprocess.run(words(path, "whole"), check=True)
    return path


def words(path: Path, out: str, *launcher: str) -> list[str]:
    asking = ("--preset", "world_cpu", "--samples", "3", "--max-tokens", "16", "--out", str(path / out))
    start = launcher or (sys.executable,)
    return [*start, "-m", "whyseg", "predict", str(path / "world"), "--policy", str(path / "policy"), *asking]


def same(folder: Path, out: str) -> bool:
    """Say whether answers and predictions are those of ``whole``, in whatever order."""
    return all(
        sorted((folder / out / name).read_bytes().splitlines())
        == sorted((folder / "whole" / name).read_bytes().splitlines())
        for name in (CANDIDATES, PREDICTIONS)
    )


def test_a_killed_run_goes_on_to_the_same_answers(folder: Path) -> None:
    running = subprocess.Popen(words(folder, "killed"))
    part = folder / "killed" / "candidates-0.jsonl"
    while not (part.exists() and part.read_bytes().count(b"\n") > 1):
        assert running.poll() is None
        time.sleep(0.005)
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert 1 < part.read_bytes().count(b"\n") < QUESTIONS
    assert not (folder / "killed" / PREDICTIONS).exists()
    subprocess.run(words(folder, "killed"), check=True)
    assert same(folder, "killed")


def test_two_processes_come_to_the_same_answers(folder: Path) -> None:
    launcher = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2")
    subprocess.run(words(folder, "shared", *launcher), check=True)
    assert same(folder, "shared")


def test_a_second_run_into_the_same_folder_is_refused_while_the_first_goes_on(folder: Path) -> None:
    first = subprocess.Popen(words(folder, "twice"))
    while not (folder / "twice" / "candidates-0.jsonl").exists():
        assert first.poll() is None
        time.sleep(0.005)
    first.send_signal(signal.SIGSTOP)
    second = subprocess.run(words(folder, "twice"), stderr=subprocess.PIPE, text=True)
    first.send_signal(signal.SIGCONT)
    assert (second.returncode, "another process writes" in second.stderr) == (2, True)
    assert first.wait() == 0
    assert same(folder, "twice")
