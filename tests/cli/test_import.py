import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.builders import filled_workspace
from tests.cli.test_workspace import run
from tests.pictures import encoded, pixels
from whyseg.curation.queries import SampleFilter
from whyseg.curation.workspace import Workspace


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A folder with an empty workspace ``w`` and three files: two pictures of one content, and a text."""
    filled_workspace(tmp_path / "w", samples=0).close()
    (tmp_path / "in").mkdir()
    for name in ("a.png", "b.png"):
        (tmp_path / "in" / name).write_bytes(encoded(pixels()))
    (tmp_path / "in" / "notes.txt").write_text("hello")
    return tmp_path


def report_of(done: subprocess.CompletedProcess[str]) -> Any:
    """Read standard output, which must be one JSON document."""
    return json.loads(done.stdout)


def test_pictures_come_in_and_the_report_is_one_json_document(here: Path) -> None:
    done = run("import", "images", "in", "-w", "w", "--license", "CC0-1.0", "--json", cwd=here)
    expected = {
        "added": 1,
        "skipped": 1,
        "ignored": 1,
        "refused": [],
        "notes": [],
        "findings": 0,
        "dry_run": False,
    }
    assert (done.returncode, report_of(done)) == (0, expected)
    with Workspace.open(here / "w") as workspace:
        (row,) = workspace.store.page(SampleFilter()).samples
        assert workspace.store.image(row.image_id).license == "CC0-1.0"


def test_a_refused_file_exits_1_after_the_rest_came_in(here: Path) -> None:
    (here / "in" / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    done = run("import", "images", "in", "in/a.png", "-w", "w", "--json", cwd=here)
    report = report_of(done)
    assert (done.returncode, report["added"], report["skipped"]) == (1, 1, 2)
    assert [refusal["file"] for refusal in report["refused"]] == ["broken.jpg"]
    plain = run("import", "images", "in", "-w", "w", cwd=here)
    assert plain.returncode == 1
    assert "refused broken.jpg: " in plain.stdout
    assert "added 0 pictures; 2 known already, 1 other files ignored, 1 refused" in plain.stdout


def test_a_dry_run_writes_nothing(here: Path) -> None:
    done = run("import", "images", "in", "-w", "w", "--dry-run", cwd=here)
    assert (done.returncode, "would add 1 pictures" in done.stdout) == (0, True)
    with Workspace.open(here / "w") as workspace:
        assert workspace.store.stats().samples == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("images", "gone", "-w", "w"),
        ("images", "in", "-w", "in"),
        ("images", "in/*.tif", "-w", "w"),
        ("images",),
        ("movies",),
    ],
)
def test_wrong_use_exits_2_and_prints_nothing_on_standard_output(here: Path, arguments: tuple[str, ...]) -> None:
    done = run("import", *arguments, "--json", cwd=here)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr
