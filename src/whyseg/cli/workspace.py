"""``whyseg init · stats · verify · backup · restore``: the workspace itself."""

import getpass
from pathlib import Path
from typing import Annotated

import typer

from whyseg.cli.options import HERE, JsonOption, WorkspaceOption, note, print_json


def user() -> str:
    """Return who works at this machine, as the author of what is done from the command line."""
    try:
        return getpass.getuser().encode("utf-8", "replace").decode()
    except (KeyError, OSError):  # a container's user without a name
        return "local"


def init(
    path: Annotated[Path, typer.Argument(help="A new or empty folder.")],
    database: Annotated[
        str, typer.Option(help="The URL of an empty database for the records; without it SQLite in the folder.")
    ] = "",
    json: JsonOption = False,
) -> None:
    """Make a workspace."""
    from whyseg.curation.workspace import Workspace

    with Workspace.create(path, database=database) as workspace:
        made = str(workspace.path.resolve())
    if json:
        print_json({"workspace": made})
    else:
        typer.echo(f"made the workspace {made}\nnext: whyseg import images FOLDER --workspace {path}")


def stats(workspace: WorkspaceOption = HERE, json: JsonOption = False) -> None:
    """Count images, samples, releases, states, and samples by reasoning type and depth; say what targets lack."""
    from whyseg.curation.targets import cells
    from whyseg.curation.workspace import Workspace

    with Workspace.open(workspace) as opened:
        counted = opened.store.stats()
        wanted = cells(opened.settings.targets, counted)
    if json:
        print_json({**counted.plain(), "targets": [cell.plain() for cell in wanted]})
        return
    for name in ("images", "samples", "revisions", "instances", "no_target", "releases"):
        typer.echo(f"{name.replace('_', '-'):<12}{getattr(counted, name):>8}")
    typer.echo("\nstate")
    for state, count in counted.states.items():
        typer.echo(f"  {state:<24}{count:>8}")
    typer.echo("\nreasoning type × depth")
    depths = ["1", "2", "3", "4", "none"]
    typer.echo(f"  {'':<24}" + "".join(f"{depth:>8}" for depth in depths))
    for kind, row in sorted(counted.matrix.items()):
        typer.echo(f"  {kind:<24}" + "".join(f"{row.get(depth, 0):>8}" for depth in depths))
    if wanted:
        typer.echo("\ntargets")
    for cell in wanted:
        lack = f"{cell.missing} missing, {cell.under_way} under way" if cell.missing else "reached"
        typer.echo(f"  {cell.reasoning_type:<24}depth {cell.depth}: {cell.accepted} of {cell.wanted} accepted; {lack}")


def verify(
    workspace: WorkspaceOption = HERE,
    reindex: Annotated[bool, typer.Option("--reindex", help="First make the index anew that searches go by.")] = False,
    json: JsonOption = False,
) -> None:
    """Derive every hash and link of the workspace again; exit 1 when something does not agree."""
    from whyseg.curation import searching
    from whyseg.curation import verify as verification
    from whyseg.curation.workspace import Workspace

    with Workspace.open(workspace) as opened:
        if reindex and not searching.remake(opened.store.database):
            note("no index: the database has no pg_trgm, or lets this user not make it; searches look at every text")
        problems = verification.verify(opened, progress=lambda part: note(f"checking {part}"))
    if json:
        print_json({"ok": not problems, "problems": [problem.plain() for problem in problems]})
    else:
        for problem in problems:
            typer.echo(f"{problem.what}: {problem.message}")
        typer.echo(f"{len(problems)} problems" if problems else "everything agrees")
    if problems:
        raise typer.Exit(1)


def backup(
    out: Annotated[Path, typer.Argument(help="The file to write, e.g. team.whyseg.tar.")],
    workspace: WorkspaceOption = HERE,
    json: JsonOption = False,
) -> None:
    """Write a consistent copy of the workspace, while people work."""
    from whyseg.curation import backup as backups
    from whyseg.curation.workspace import Workspace

    with Workspace.open(workspace) as opened:
        made = backups.backup(opened, out)
    if json:
        print_json(made.plain())
    else:
        typer.echo(f"{made.path}: {made.images} images, {made.bytes / 1e6:.1f} MB")


def restore(
    archive: Annotated[Path, typer.Argument(help="A file that whyseg backup wrote.")],
    workspace: WorkspaceOption = HERE,
    replace: Annotated[bool, typer.Option("--replace", help="Put the backup in the place of a workspace.")] = False,
    json: JsonOption = False,
) -> None:
    """Bring a backup back, after verifying it; a workspace in its place is kept under another name."""
    from whyseg.curation import backup as backups

    done = backups.restore(archive, workspace.resolve(), replace=replace)
    if json:
        print_json(done.plain())
    else:
        typer.echo(f"{done.path}: {done.images} images restored")
        if done.replaced:
            typer.echo(f"the former workspace is {done.replaced}")
