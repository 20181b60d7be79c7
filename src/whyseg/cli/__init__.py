"""The command line: one small module a group of commands; heavy imports wait inside the commands."""

import sys
from collections.abc import Callable

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
from whyseg.cli.listing import Listing
from whyseg.schemas.errors import UsageError, WhysegError

app = typer.Typer(
    name="whyseg",
    help="Make reasoning-segmentation data, train on it, and send the model's findings back to the data.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    cls=Listing,
)
# The headings of `whyseg --help` in the order in which a newcomer needs them, and their commands.
_COMMANDS: tuple[tuple[str, tuple[Callable[..., None] | typer.Typer, ...]], ...] = (
    ("Begin here", (demo.demo, doctor.doctor, workspace.init, serve.serve)),
    ("Data in and out", (importing.app, releases.app, exporting.app, publishing.push)),
    (
        "Samples and people",
        (workspace.stats, checking.check, drafting.draft, users.app, people.people, agreement.agreement),
    ),
    ("Keeping a workspace safe", (workspace.verify, workspace.backup, workspace.restore)),
    ("Segmenters", (segment.segment, models.app)),
    ("Policies", (train.train, predict.predict, vote.vote, evaluate.evaluate, reward.reward, world.app)),
    ("What a policy says of the data", (score.score, refine.refine, proposals.app, compare.compare)),
)
for _heading, _commands in _COMMANDS:
    for _command in _commands:
        if isinstance(_command, typer.Typer):
            app.add_typer(_command, rich_help_panel=_heading)
        else:
            app.command(rich_help_panel=_heading)(_command)
releases.app.command()(publishing.card)


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
