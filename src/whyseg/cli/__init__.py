"""The command line: one small module a group of commands; heavy imports wait inside the commands."""

import sys

import typer

from whyseg import __version__
from whyseg.cli import (
    agreement,
    checking,
    compare,
    demo,
    doctor,
    drafting,
    evaluate,
    exporting,
    importing,
    models,
    people,
    predict,
    proposals,
    publishing,
    refine,
    releases,
    reward,
    score,
    segment,
    serve,
    train,
    users,
    vote,
    workspace,
    world,
)
from whyseg.schemas.errors import UsageError, WhysegError

app = typer.Typer(
    name="whyseg",
    help="Make reasoning-segmentation data, train on it, and send the model's findings back to the data.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
workspace.register(app)
app.command()(checking.check)
app.command()(agreement.agreement)
app.add_typer(importing.app, name="import")
app.add_typer(exporting.app, name="export")
app.add_typer(releases.app, name="release")
releases.app.command()(publishing.card)
app.command()(publishing.push)
app.command()(serve.serve)
app.command()(demo.demo)
app.command()(segment.segment)
app.command()(predict.predict)
app.command()(vote.vote)
app.command()(evaluate.evaluate)
app.command()(score.score)
app.command()(refine.refine)
app.add_typer(proposals.app, name="proposals")
app.command()(compare.compare)
app.command()(drafting.draft)
app.command()(reward.reward)
app.command()(train.train)
app.add_typer(models.app, name="models")
app.command()(doctor.doctor)
app.add_typer(users.app, name="users")
app.command()(people.people)
app.add_typer(world.app, name="world")


def _version(show: bool) -> None:
    if show:
        typer.echo(f"whyseg {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Show the version."),
) -> None:
    """Make reasoning-segmentation data, train on it, and send the model's findings back to the data."""


def main() -> None:
    """Run the command line: exit 0 done, 1 refused or failed, 2 wrong use; a user's mistake is one line of text."""
    try:
        app()
    except WhysegError as error:
        line = " ".join(str(error).split())
        print(f"whyseg: {line}", file=sys.stderr)
        sys.exit(2 if isinstance(error, UsageError) else 1)
    except BrokenPipeError:
        sys.exit(1)  # whoever read the output has gone
    except OSError as error:  # a path that is too long, a full disk below standard output …
        print(f"whyseg: {error.strerror or error}: {error.filename or 'standard output'}", file=sys.stderr)
        sys.exit(1)
