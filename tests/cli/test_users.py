import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from whyseg.cli import app
from whyseg.curation.users import Users
from whyseg.curation.workspace import Workspace
from whyseg.schemas.errors import NotFound, UsageError

PASSWORD = "correct horse battery"


@pytest.fixture
def team(tmp_path: Path) -> Path:
    Workspace.create(tmp_path / "team").close()
    return tmp_path / "team"


def ask(team: Path, *arguments: str, typed: str = "") -> str:
    result = CliRunner().invoke(app, ["users", *arguments, "--workspace", str(team)], input=typed)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_user_is_added_changed_and_listed(team: Path) -> None:
    assert ask(team, "add", "Ann", "--role", "annotator", "--password-stdin", typed=f"{PASSWORD}\n") == (
        "Ann is annotator\n"
    )
    ask(team, "role", "ann", "curator")
    ask(team, "disable", "ann")
    (listed,) = json.loads(ask(team, "list", "--json"))["users"]
    assert (listed["name"], listed["role"], listed["disabled"]) == ("Ann", "curator", True)
    assert set(listed) == {"name", "role", "disabled", "created_at"}
    ask(team, "enable", "ann")
    ask(team, "password", "ann", "--password-stdin", typed=f"{PASSWORD}2\r\n")
    assert ask(team, "list").split() == ["curator", "Ann"]
    with Workspace.open(team) as workspace:
        assert Users(workspace.store.database).authenticate("Ann", PASSWORD + "2")


def test_an_empty_list_is_a_list(team: Path) -> None:
    assert json.loads(ask(team, "list", "--json")) == {"users": []}
    assert ask(team, "list") == ""


def test_a_password_is_never_an_argument(team: Path) -> None:
    for command in ("add", "password"):
        assert "--password " not in CliRunner().invoke(app, ["users", command, "--help"]).output
    with pytest.raises(UsageError, match="--password-stdin"):  # no terminal
        ask(team, "add", "ann", "--role", "curator")


def test_what_cannot_be_done_is_said_in_one_line(team: Path) -> None:
    for arguments in (["role", "bob", "curator"], ["disable", "bob"], ["enable", "bob"]):
        with pytest.raises(NotFound, match="no user bob"):
            ask(team, *arguments)
    with pytest.raises(NotFound, match="no user bob"):
        ask(team, "password", "bob", "--password-stdin", typed=f"{PASSWORD}\n")
