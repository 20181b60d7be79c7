import json
from pathlib import Path

from tests.cli.test_workspace import run
from tests.released import add_sample
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Query


def leaking(path: Path) -> str:
    """Make a workspace with a sample whose question names its label; return its id."""
    with Workspace.create(path) as workspace:
        made = add_sample(workspace, 0, accept=False)
        head = workspace.store.head(made.id)
        leak = made.model_copy(update={"query": Query(text="where is\nthe disc?")})
        workspace.store.revise(made.id, leak, parent=head.revision.id, author="ann")
    return made.id


def test_findings_are_one_line_each_and_never_change_the_exit_code(tmp_path: Path) -> None:
    key = leaking(tmp_path / "w")
    done = run("check", "-w", str(tmp_path / "w"))
    assert (done.returncode, done.stderr) == (0, "")
    line, summary = done.stdout.splitlines()
    assert line == f"warning {key} label_leak: the question names its answer, “disc”: where is the disc?"
    assert summary == "1 samples checked: 1 findings, 1 of them new; 0 gone"


def test_the_findings_are_one_json_document(tmp_path: Path) -> None:
    key = leaking(tmp_path / "w")
    done = run("check", "-w", str(tmp_path / "w"), "--json")
    report = json.loads(done.stdout)
    assert (done.returncode, report["checked"], report["new"], report["gone"], report["left_out"]) == (0, 1, 1, 0, [])
    (finding,) = report["findings"]
    assert (finding["kind"], finding["sample_id"], finding["evidence"]["label"]) == ("label_leak", key, "disc")
    again = json.loads(run("check", "-w", str(tmp_path / "w"), "--json").stdout)
    assert (again["new"], again["findings"]) == (0, report["findings"])
