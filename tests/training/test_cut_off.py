"""Runs that are killed, by one process or two, go on as if nothing had been; the second stage's reference, too."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from tests.training.tiny_run import DrawnData, moved_adapters, policy, preset, schooled_policy
from whyseg.training.launch import resume, start
from whyseg.training.run import RunFolder, lines
from whyseg.training.settings import Machine

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1200),
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning", "ignore::DeprecationWarning"),
]
LORA = {"r": 4, "alpha": 4, "regex": r".*language_model.*\.(q_proj|v_proj)"}
FIGURES = ("loss", "reward", "reward_std", "completions/mean_length", "rest/kept_abs_advantage", "grad_norm", "kl")
RUN = """
import sys
from pathlib import Path
from tests.training.tiny_run import DrawnData, preset
from whyseg.training.launch import start
from whyseg.training.settings import Machine
out, policy, uses = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
made = preset(max_completion_tokens=110, max_steps=4 * uses, lr=1e-4, updates_per_rollout=uses, beta=0.02)
start(made, DrawnData(4), out, machine=Machine(), policy=policy, save_every=2 * uses)
"""
RESUME = "import sys; from pathlib import Path; from whyseg.training.launch import resume; resume(Path(sys.argv[1]))"


@pytest.fixture(scope="module")
def schooled(tmp_path_factory: pytest.TempPathFactory) -> str:
    return schooled_policy(tmp_path_factory.mktemp("policy") / "schooled", 120)


def begun(processes: int, *words: str) -> list[subprocess.Popen[bytes]]:
    """Start a script in one process, or in several that know each other, as accelerate and torchrun start them."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = str(found.getsockname()[1])
    alone = {**os.environ, "OMP_NUM_THREADS": "1"}
    together = {"WORLD_SIZE": str(processes), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    return [
        subprocess.Popen(
            [sys.executable, "-c", *words],
            env=alone | (together | {"RANK": str(rank), "LOCAL_RANK": str(rank)} if processes > 1 else {}),
        )
        for rank in range(processes)
    ]


def ended(running: Sequence[subprocess.Popen[bytes]]) -> None:
    assert [process.wait() for process in running] == [0] * len(running)


@pytest.mark.parametrize(("processes", "uses"), [(1, 1), (1, 2), (2, 2)])
def test_a_killed_run_goes_on_as_if_it_had_not_been(schooled: str, processes: int, uses: int, tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    ended(begun(processes, RUN, str(whole), schooled, str(uses)))
    running = begun(processes, RUN, str(cut), schooled, str(uses))
    # The first update after the checkpoint: with two uses of a rollout batch in the middle of it.
    while len(list(lines(cut / "curves.jsonl"))) < 2 * uses + 1 and running[0].poll() is None:
        time.sleep(0.02)
    for process in running:
        process.send_signal(signal.SIGKILL)
    assert [process.wait() for process in running] == [-signal.SIGKILL] * processes, "the run ended before the kill"
    assert not (cut / "policy").exists()
    ended(begun(processes, RESUME, str(cut)))
    record = RunFolder.of(cut).read()
    assert (record.state, record.resumed_at) == ("done", (2 * uses,))
    undisturbed, resumed = (list(lines(path / "curves.jsonl")) for path in (whole, cut))
    assert [line["update"] for line in resumed] == list(range(1, 4 * uses + 1))
    assert len({line["reward"] for line in undisturbed if "reward" in line}) > 1, "equal rewards would show nothing"
    for one, other in zip(undisturbed, resumed, strict=True):
        assert one.keys() == other.keys()
        for name in one.keys() & FIGURES:
            assert other[name] == pytest.approx(one[name], abs=1e-6), (name, other["update"])
    assert_equal_weights(whole, cut, "model.safetensors")


def test_a_second_stage_that_was_cut_off_keeps_its_reference(tmp_path: Path) -> None:
    bare, moving = policy(tmp_path / "bare"), {"n": 4, "keep": 2, "max_completion_tokens": 8, "lr": 0.01}
    once: dict[str, Any] = {"lora": LORA, "weight_decay": 0.5, **moving}
    start(preset(max_steps=1, **once), DrawnData(4), tmp_path / "one", machine=Machine(), policy=bare)
    moved_adapters(tmp_path / "one" / "policy" / "adapter_model.safetensors")
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    second = preset(max_steps=3, beta=0.1, **once)
    start(second, DrawnData(4), whole, machine=Machine(), continues=tmp_path / "one", save_every=1)
    shutil.copytree(whole, cut)
    shutil.rmtree(cut / "policy")
    shutil.rmtree(cut / "checkpoints" / "checkpoint-3")
    folder = RunFolder.of(cut)
    folder.write(folder.read().model_copy(update={"state": "running", "finished_at": None}))
    assert resume(cut).resumed_at == (2,)
    undisturbed, again = ([line["kl"] for line in lines(path / "curves.jsonl")] for path in (whole, cut))
    assert undisturbed == again
    assert undisturbed[2] > 0
    assert_equal_weights(whole, cut, "adapter_model.safetensors")


def test_the_reference_of_a_whole_model_is_the_model_that_it_began_from(tmp_path: Path) -> None:
    bare, moving = policy(tmp_path / "bare"), {"n": 4, "keep": 2, "max_completion_tokens": 8, "lr": 0.01}
    once: dict[str, Any] = {"weight_decay": 0.5, **moving}
    one, two = tmp_path / "one", tmp_path / "two"
    start(preset(max_steps=2, **once), DrawnData(4), one, machine=Machine(), policy=bare)
    start(preset(max_steps=2, beta=0.1, **once), DrawnData(4), two, machine=Machine(), continues=one)
    divergence = [line["kl"] for line in lines(two / "curves.jsonl")]
    assert divergence[0] == 0, "the reference is not the policy that the first answers are of"
    assert divergence[1] > 0


def assert_equal_weights(one: Path, other: Path, name: str) -> None:
    weights = [load_file(path / "policy" / name) for path in (one, other)]
    assert weights[0].keys() == weights[1].keys()
    assert max(float((weights[0][key] - weights[1][key]).abs().max()) for key in weights[0]) < 1e-6
