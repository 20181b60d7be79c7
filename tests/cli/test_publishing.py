import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.cli.test_workspace import run
from tests.hub import TOKEN, FakeHub
from tests.released import released
from whyseg.cli import app
from whyseg.schemas.errors import UsageError


@pytest.fixture(scope="module")
def running() -> Iterator[FakeHub]:
    with FakeHub().running() as started:
        yield started


@pytest.fixture
def hub(running: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHub:
    """The Hub that the command line goes to, with a token that it knows."""
    running.reset()
    monkeypatch.setenv("HF_ENDPOINT", running.url)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    return running


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A folder with a workspace ``w`` that has the release ``v1`` of two samples."""
    released(tmp_path / "w", samples=2).close()
    return tmp_path


def test_a_dry_run_needs_neither_network_nor_token(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("HF_HOME", str(here / "home"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    done = run("push", "v1", "ann/cups", "-w", "w", "--dry-run", "--private", "--revision", "first", cwd=here)
    *files, last = done.stdout.splitlines()
    assert done.returncode == 0
    assert any(line.endswith("  README.md") for line in files)
    assert last.startswith("would send release v1 to the private dataset ann/cups under the tag first: ")
    denied = run("push", "v1", "ann/cups", "-w", "w", cwd=here)
    assert (denied.returncode, denied.stdout) == (1, "")
    assert denied.stderr == "whyseg: no token for the Hub: log in with hf auth login, or set HF_TOKEN\n"


def test_a_push_and_its_repetition(here: Path, hub: FakeHub) -> None:
    done = run("push", "v1", "ann/cups", "-w", "w", "--private", "--json", cwd=here)
    report = json.loads(done.stdout)
    assert (done.returncode, report["outcome"]) == (0, "pushed")
    assert report["commit"] == hub.repos["ann/cups"].tags["v1"]
    assert hub.repos["ann/cups"].private
    again = run("push", "v1", "ann/cups", "-w", "w", cwd=here)
    assert (again.returncode, again.stdout) == (0, "ann/cups has release v1 already under the tag v1\n")
    assert TOKEN not in done.stdout + done.stderr + again.stdout + again.stderr


def test_what_the_hub_refuses_is_one_line_and_exit_1(here: Path, hub: FakeHub) -> None:
    hub.says = f"no, {TOKEN}"
    hub.fail("GET", "/api/datasets/", 403)
    done = run("push", "v1", "ann/cups", "-w", "w", cwd=here)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "whyseg: the token may not write to ann/cups (403: no, ***)\n"


def test_a_card_is_printed_or_written(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(here)
    command = ["release", "card", "v1", "-w", "w"]
    printed = CliRunner().invoke(app, command)
    assert printed.exit_code == 0
    assert printed.stdout.startswith("---\n")
    written = CliRunner().invoke(app, [*command, "--out", "card", "--json"])
    report = json.loads(written.stdout)
    assert (here / "card" / "README.md").read_text() == report["text"] == printed.stdout
    assert report["files"] == ["README.md", "assets/sample-1.jpg", "assets/sample-2.jpg"]
    assert all((here / "card" / name).is_file() for name in report["files"])
    again = CliRunner().invoke(app, [*command, "--out", "card"])
    assert isinstance(again.exception, UsageError)
    assert str(again.exception) == "card is not empty; give a new or empty folder"
