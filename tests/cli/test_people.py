import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.builders import complete, filled_workspace
from whyseg.cli import app
from whyseg.curation.queries import SampleFilter
from whyseg.schemas import Sample


@pytest.fixture
def team(tmp_path: Path) -> Path:
    """A workspace in which ann has submitted one sample."""
    with filled_workspace(tmp_path / "team") as workspace:
        head = workspace.store.head(workspace.store.page(SampleFilter()).samples[0].id)
        kept = {name: getattr(head.sample, name) for name in ("id", "image_id", "source", "source_record")}
        full = Sample.parse({**complete().plain(), **kept})
        saved = workspace.store.revise(head.sample.id, full, parent=head.revision.id, author="ann")
        workspace.store.submit(head.sample.id, parent=saved.revision.id, author="ann")
    return tmp_path / "team"


def ask(team: Path, *arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["people", *arguments, "--workspace", str(team)])
    assert result.exit_code == code, result.output
    return result.stdout


def test_what_everybody_did_is_a_table_or_a_document(team: Path) -> None:
    (ann,) = json.loads(ask(team, "--json"))["people"]
    assert (ann["name"], ann["submitted"], ann["rejection_rate"], ann["role"]) == ("ann", 1, None, None)
    heading, line = ask(team).splitlines()
    assert heading.split()[-1] == "who"
    assert line.split() == ["1", "1", "0", "0", "–", "0", "0", "–", "ann"]


def test_days_restrict_it(team: Path) -> None:
    told = json.loads(ask(team, "--until", "2020-12-31", "--json"))
    assert told == {"since": None, "until": "2020-12-31", "people": []}
    assert json.loads(ask(team, "--since", "2020-01-01", "--json"))["people"][0]["submitted"] == 1


def test_what_is_no_day_is_refused(team: Path) -> None:
    ask(team, "--since", "yesterday", code=2)
