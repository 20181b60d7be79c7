from typer.core import TyperGroup
from typer.main import get_command
from typer.testing import CliRunner

from whyseg.cli import app


def test_help_lists_every_command_once_below_a_heading_and_cuts_no_sentence_short() -> None:
    told = CliRunner().invoke(app, ["--help"]).output
    lines = told[told.index("Begin here:") :].splitlines()
    named = [line.split()[0] for line in lines if line.startswith("  ") and line[2] != " "]
    command = get_command(app)
    assert isinstance(command, TyperGroup)
    assert sorted(named) == sorted(command.commands)
    assert "Commands:" not in told
    assert "..." not in told[told.index("Begin here:") :]


def test_a_groups_commands_keep_their_order() -> None:
    told = CliRunner().invoke(app, ["import", "--help"]).output
    assert told.index("  images ") < told.index("  coco ")
