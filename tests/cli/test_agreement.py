import json
from pathlib import Path

from typer.testing import CliRunner

from tests.builders import complete
from tests.curation.test_answers import fill, fill_in
from whyseg.cli import app
from whyseg.curation.answers import Answers
from whyseg.curation.workspace import Workspace


def test_the_report_is_printed_and_as_json_it_is_the_record(tmp_path: Path) -> None:
    with Workspace.create(tmp_path / "w") as workspace:
        fill(workspace.store)
        for user, left in (("ben", 2), ("cat", 4)):
            (answer,) = Answers(workspace.store).hand_out([complete(0).id], [user], by="cur").answers
            fill_in(workspace.store, answer, left=left)
    done = CliRunner().invoke(app, ["agreement", "-w", str(tmp_path / "w")])
    assert done.exit_code == 0
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    # 0.5, 0 and 0.2: see tests/curation/test_overlaps.py.
    assert lines[:2] == ["samples that two or more people answered: 1; pairs of answers: 3", ""]
    assert lines[2] == "masks: IoU 0.233"
    assert "depth: alpha – (all answers are equal: no disagreement can be expected by chance)" in lines
    assert "ben – cat: 0.200, 0.200, 1" in lines
    assert f"0.233 {complete(0).id} what keeps the drink warm?" in lines
    done = CliRunner().invoke(app, ["agreement", "--json", "-w", str(tmp_path / "w")])
    report = json.loads(done.stdout)
    assert (report["items"], report["people"][0]["people"]) == (1, ["ben", "cat"])


def test_a_workspace_without_answers_has_nothing_to_compare(tmp_path: Path) -> None:
    Workspace.create(tmp_path / "w").close()
    done = CliRunner().invoke(app, ["agreement", "-w", str(tmp_path / "w")])
    assert done.exit_code == 0
    assert "masks: IoU              – (there are no values)" in done.stdout
