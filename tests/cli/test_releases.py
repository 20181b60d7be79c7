import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.builders import block
from tests.frozen import SIZE, accept, add, revised
from whyseg.cli import main
from whyseg.curation.workspace import Workspace


class Ran(NamedTuple):
    code: int
    out: str
    err: str


def run(*arguments: str) -> Ran:
    """Run a command in this process: starting one of its own takes a second."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patched, redirect_stdout(out), redirect_stderr(err):
        patched.setattr(sys, "argv", ["whyseg", *arguments])
        try:
            main()
            code: Any = 0
        except SystemExit as end:
            code = end.code
    return Ran(int(code or 0), out.getvalue(), err.getvalue())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the workspace ``w``: release v1 of one sample, v2 of that one, changed, and another."""
    folder = tmp_path_factory.mktemp("releases")
    with Workspace.create(folder / "w") as workspace:
        first, second = add(workspace, 0), add(workspace, 1)
        accept(workspace, first)
    release(folder, "create", "v1")
    with Workspace.open(folder / "w") as workspace:
        workspace.store.reopen(first.id, author="ann", reason="look again")
        accept(workspace, revised(workspace, first, "what else?", block(2, 5, 4, 6, SIZE)))
        accept(workspace, second)
    release(folder, "create", "v2", "--states", "accepted")
    return folder


def release(folder: Path, *arguments: str, code: int = 0) -> Any:
    """Run a command with --json; what it printed."""
    done = run("release", *arguments, "-w", str(folder / "w"), "--json")
    assert done.code == code, done.err
    return json.loads(done.out)


def test_a_release_is_made_listed_and_shown(folder: Path) -> None:
    first, second = release(folder, "list")["releases"]
    assert (first["name"], second["name"], first["samples"], second["samples"]) == ("v1", "v2", 1, 2)
    assert release(folder, "show", "v2") == second
    assert sum(second["splits"].values()) == 2
    assert second["hash"].startswith("sha256:")
    told = run("release", "show", "v2", "-w", str(folder / "w")).out
    assert "2 samples of 2 images" in told
    assert second["hash"] in told
    assert run("release", "list", "-w", str(folder / "w")).out.count("\n") == 2


def test_a_diff_names_what_came_and_what_changed(folder: Path) -> None:
    found = release(folder, "diff", "v1", "v2")
    assert (len(found["added"]), found["removed"], found["same"]) == (1, [], 0)
    (change,) = found["changed"]
    # 24 pixels moved by two columns of six: 16 of 32
    assert (change["fields"], change["iou"], change["queries"][1]) == (["query", "instances"], 0.5, "what else?")
    lines = run("release", "diff", "v1", "v2", "-w", str(folder / "w")).out.splitlines()
    assert lines[0] == "v1 → v2: 1 added, 0 removed, 1 changed, 0 the same"
    assert lines[2] == f"changed {change['sample_id']}: query, instances, masks' IoU 0.5000"


def test_a_checkout_has_the_same_hash_and_a_tampered_one_exits_1(folder: Path) -> None:
    done = release(folder, "checkout", "v2", str(folder / "out"))
    assert (done["samples"], done["path"]) == (2, str(folder / "out"))
    again = run("release", "create", "mine", "--states", "any", "-w", str(folder / "out"), "--json")
    assert json.loads(again.out)["hash"] == done["hash"]
    assert release(folder, "verify", "v2") == {"ok": True, "name": "v2", "problems": []}
    file = next(iter((folder / "out" / "images").glob("??/*")))
    file.unlink()  # it may be a link to the file in w
    broken = run("release", "verify", "v2", "-w", str(folder / "out"))
    assert broken.code == 1
    assert broken.out.splitlines()[-1] == "1 problems"
    assert "no image file" in broken.out


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("create", "v1"), 2, "release v1 exists already"),
        (("create", "no/such"), 2, "a release's name is"),
        (("create", "v9", "--states", "most"), 2, "most"),
        (("show", "v9"), 1, "no release v9"),
        (("verify", "v9"), 1, "no release v9"),
        (("diff", "v1", "v9"), 1, "no release v9"),
        (("checkout", "v1", "/usr"), 2, "/usr is not empty"),
    ],
)
def test_mistakes_are_one_line_and_an_exit_code(
    folder: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    done = run("release", *arguments, "-w", str(folder / "w"))
    assert (done.code, done.out) == (code, "")
    assert message in done.err
    if arguments[-1] != "most":  # Typer frames its own
        assert len(done.err.strip().splitlines()) == 1
