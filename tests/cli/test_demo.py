import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests import provision
from tests.cli.test_workspace import run
from tests.fakes import FakeSegmenter
from whyseg.cli import app
from whyseg.curation.demo import PHOTOS
from whyseg.curation.workspace import Workspace


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let clicks be answered with discs."""
    monkeypatch.setattr("whyseg.curation.segmenters.choose", lambda *_, **__: (FakeSegmenter(), "a test."))


@pytest.mark.usefixtures("fake")
def test_the_headless_demo_prints_times_and_writes_a_report(tmp_path: Path) -> None:
    arguments = ["demo", "--headless", "--workspace", str(tmp_path / "w")]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert lines[0].split() == [
        "photograph", "import", "ms", "encode", "ms", "click", "ms", "refine", "ms", "save", "ms", "submit", "ms",
        "read", "back", "ms",
    ]  # fmt: skip
    assert [line.split()[0] for line in lines[1:8]] == [photo.name for photo in PHOTOS]
    assert lines[8] == f"report: {tmp_path / 'w' / 'report.html'}"
    again = CliRunner().invoke(app, [*arguments, "--json"])
    found = json.loads(again.stdout)
    assert (again.exit_code, found["ok"], len(found["photos"])) == (0, True, 7)


@pytest.mark.usefixtures("fake")
def test_a_failed_walk_exits_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeSegmenter, "propose", lambda *_, **__: 1 / 0)
    done = CliRunner().invoke(app, ["demo", "--headless", "--json", "--workspace", str(tmp_path / "w")])
    found = json.loads(done.stdout)
    assert (done.exit_code, found["ok"]) == (1, False)
    assert all("division by zero" in photo["problem"] for photo in found["photos"])


def test_wrong_use_exits_2_with_one_line(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    for arguments in (("--json",), ("--headless", "--segmenter", "magic"), ("--workspace", ".", "--port", "0")):
        done = run("demo", *arguments, cwd=tmp_path)
        assert (done.returncode, done.stdout, len(done.stderr.strip().splitlines())) == (2, "", 1)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_without_the_photographs_the_demo_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from whyseg.cli import main

    monkeypatch.setattr("whyseg.curation.demo.find_spec", lambda name: None)
    for more in ([], ["--headless"]):
        monkeypatch.setattr(sys, "argv", ["whyseg", "demo", "--workspace", str(tmp_path / "w"), *more])
        with pytest.raises(SystemExit) as exit_:
            main()
        assert exit_.value.code == 2
        message = capsys.readouterr().err.strip()
        assert "pip install 'whyseg[demo]'" in message
        assert "\n" not in message
    assert not (tmp_path / "w").exists()


def test_the_demo_serves_its_photographs_until_it_is_told_to_stop(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "whyseg", "demo", "--port", "0", "--segmenter", "grabcut", "--workspace", "w"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True, env=environment) as server:
        try:
            assert server.stdout
            address = re.search(r"at (http://127\.0\.0\.1:\d+/)", server.stdout.readline())
            assert address
            with urllib.request.urlopen(address[1] + "api/v1/samples", timeout=10) as answer:
                assert json.load(answer)["total"] == len(PHOTOS)
        finally:
            server.send_signal(signal.SIGTERM)
        assert server.wait(timeout=30) == 0
    with Workspace.open(tmp_path / "w") as workspace:
        assert workspace.store.stats().samples == len(PHOTOS)


@pytest.mark.mobilesam
@pytest.mark.slow
def test_the_whole_walk_with_mobilesam(tmp_path: Path) -> None:
    provision.mobilesam()
    done = run("demo", "--headless", "--segmenter", "mobilesam", "--json", "-w", "w", cwd=tmp_path)
    found = json.loads(done.stdout)
    assert (done.returncode, found["ok"], found["segmenter"]["name"]) == (0, True, "mobilesam")
    assert run("verify", "-w", "w", cwd=tmp_path).returncode == 0
