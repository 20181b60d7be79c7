import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.builders import filled_workspace
from whyseg.cli import app


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A folder to run in that is no workspace."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    return folder


def test_a_problem_is_told_as_data_and_the_exit_code_is_1(
    tmp_path: Path, bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(bare)
    lost = CliRunner().invoke(app, ["doctor", "-w", str(tmp_path / "no"), "--json"])
    told = json.loads(lost.stdout)
    assert (lost.exit_code, lost.stderr) == (1, "")
    assert told["counts"]["problem"] >= 1
    assert told["findings"][-1] == {
        "level": "problem",
        "what": "workspace",
        "says": f"{tmp_path / 'no'} is none: no whyseg.toml there",
        "mend": f"whyseg init {tmp_path / 'no'}",
    }


def test_it_works_where_no_heavy_package_can_be_imported(bare: Path) -> None:
    filled_workspace(bare / "w").close()
    script = (
        "import sys\n"
        "for name in ('torch', 'transformers', 'gradio', 'onnxruntime', 'cv2', 'trl'):\n"
        "    sys.modules[name] = None\n"
        "sys.argv = ['whyseg', 'doctor', '-w', 'w']\n"
        "from whyseg.cli import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=bare, check=False)
    assert done.returncode == 1
    assert done.stderr == ""
    assert "problem  torch                    cannot be imported: ModuleNotFoundError" in done.stdout
    assert "                                  → pip install torch\n" in done.stdout
    assert f"ok       workspace                {bare / 'w'}\n" in done.stdout
    assert "\n1 problem, " not in done.stdout, "torch, and what needs OpenCV"


@pytest.mark.slow
def test_a_name_of_odd_bytes_is_no_crash(bare: Path) -> None:
    odd = os.fsencode(bare) + b"/\xff"
    done = subprocess.run([sys.executable, "-m", "whyseg", "doctor", "-w", odd], capture_output=True, check=False)
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr
