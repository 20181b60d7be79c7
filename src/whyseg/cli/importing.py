"""``whyseg import …``: data from elsewhere into a workspace."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from whyseg.cli.options import HERE, JsonOption, WorkspaceOption, print_json
from whyseg.cli.workspace import user

app = typer.Typer(help="Bring data into a workspace.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _group() -> None:
    """Bring data into a workspace."""


@app.command()
def images(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH…", help="Pictures, folders of them, quoted globs, or zip archives.")
    ],
    workspace: WorkspaceOption = HERE,
    license: Annotated[str | None, typer.Option(help="The pictures' licence, kept with each.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Look at everything, write nothing.")] = False,
    json: JsonOption = False,
) -> None:
    """Take in pictures, each with an empty sample to work on; safe to repeat. Exit 1 when a file was refused."""
    from whyseg.curation.importing import import_images
    from whyseg.curation.intake import ImportReport
    from whyseg.curation.sources import require_source
    from whyseg.curation.workspace import Workspace

    for path in paths:
        require_source(path)  # before anything is taken in
    report = ImportReport(dry_run=dry_run)
    with Workspace.open(workspace) as opened, _counting("importing") as count:
        for path in paths:
            report += import_images(
                opened, path, author=user(), license=license, dry_run=dry_run, progress=lambda name: count()
            )
    if json:
        print_json(report.plain())
    else:
        for note in report.notes:
            typer.echo(f"{note.file}: {note.note}")
        for refusal in report.refused:
            typer.echo(f"refused {refusal.file}: {refusal.reason}")
        verb = "would add" if dry_run else "added"
        known = f"{report.skipped} known already, {report.ignored} other files ignored"
        typer.echo(f"{verb} {report.added} pictures; {known}, {len(report.refused)} refused")
    if report.refused:
        raise typer.Exit(1)


@contextmanager
def _counting(what: str) -> Iterator[Callable[[], None]]:
    """Show on standard error, where that is a terminal, how many files were looked at; give what counts one more."""
    import warnings

    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = SpinnerColumn(), TextColumn("{task.description} {task.completed} files"), TimeElapsedColumn()
    with (
        warnings.catch_warnings(),
        Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress,
    ):
        warnings.filterwarnings("ignore", module="PIL")  # what matters of them is in the report
        task = progress.add_task(what, total=None)
        yield lambda: progress.advance(task)
