"""``whyseg release …``: freezing, looking at, verifying, comparing and checking out releases."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from whyseg.cli.exporting import progress_bar
from whyseg.cli.listing import Listing
from whyseg.cli.options import HERE, JsonOption, WorkspaceOption, note, print_json
from whyseg.cli.workspace import user

if TYPE_CHECKING:
    from whyseg.curation.release_diff import ReleaseDiff
    from whyseg.schemas import Release

app = typer.Typer(
    name="release",
    cls=Listing,
    help="Freeze revisions under a name, with splits.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The release.")]
SHOWN = 20  # samples of each kind that a diff prints one by one


@app.callback()
def _group() -> None:
    """Freeze revisions under a name, with splits."""


@app.command()
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Letters, digits, '.', '_' and '-', at most 64.")],
    workspace: WorkspaceOption = HERE,
    states: Annotated[
        Literal["accepted", "any"], typer.Option(help="Which samples: the accepted ones, or any, drafts too.")
    ] = "accepted",
    json: JsonOption = False,
) -> None:
    """Freeze the samples as they are; splits keep similar pictures together, and no image ever changes its split."""
    from whyseg.curation.releases import Releases
    from whyseg.curation.workspace import Workspace

    with Workspace.open(workspace) as opened, progress_bar("looking at new pictures") as progress:
        made = Releases(opened).create(name, author=user(), states=states, progress=progress)
    if json:
        print_json(made.plain())
        return
    for text in made.notes:
        note(text)
    typer.echo(_line(made))


@app.command("list")
def list_releases(workspace: WorkspaceOption = HERE, json: JsonOption = False) -> None:
    """List the releases, oldest first."""
    from whyseg.curation.releases import Releases
    from whyseg.curation.workspace import Workspace

    with Workspace.open(workspace) as opened:
        found = Releases(opened).all()
    if json:
        print_json({"releases": [release.plain() for release in found]})
        return
    for release in found:
        typer.echo(_line(release))
    if not found:
        typer.echo("no releases yet; make one with: whyseg release create NAME")


@app.command()
def show(name: NameArgument, workspace: WorkspaceOption = HERE, json: JsonOption = False) -> None:
    """Show what a release holds, who made it and when, and what its splits could not keep."""
    from whyseg.curation.releases import Releases
    from whyseg.curation.workspace import Workspace

    with Workspace.open(workspace) as opened:
        found = Releases(opened).get(name)
    if json:
        print_json(found.plain())
        return
    typer.echo(_line(found))
    frozen = "accepted samples" if found.states == "accepted" else "samples of any state"
    typer.echo(f"{frozen}, frozen {found.created_at:%Y-%m-%d %H:%M} UTC by {found.author}\n{found.hash}")
    for text in found.notes:
        typer.echo(text)


@app.command()
def verify(name: NameArgument, workspace: WorkspaceOption = HERE, json: JsonOption = False) -> None:
    """Derive a release's hash again from what its revisions and pictures hold; exit 1 when something does not agree."""
    from whyseg.curation.release_checks import verify_release
    from whyseg.curation.workspace import Workspace

    with Workspace.open(workspace) as opened, progress_bar("verifying") as progress:
        problems = verify_release(opened, name, progress)
    if json:
        print_json({"ok": not problems, "name": name, "problems": problems})
    else:
        for problem in problems:
            typer.echo(problem)
        typer.echo(f"{len(problems)} problems" if problems else "everything agrees")
    if problems:
        raise typer.Exit(1)


@app.command()
def diff(
    before: Annotated[str, typer.Argument(metavar="BEFORE", help="The earlier release.")],
    after: Annotated[str, typer.Argument(metavar="AFTER", help="The later one.")],
    workspace: WorkspaceOption = HERE,
    json: JsonOption = False,
) -> None:
    """Say which samples came, went and changed between two releases, in what, and by how much their masks moved."""
    from whyseg.curation.release_diff import diff as compare
    from whyseg.curation.workspace import Workspace

    with Workspace.open(workspace) as opened, progress_bar("comparing") as progress:
        found = compare(opened, before, after, progress)
    if json:
        print_json(found.plain())
        return
    for line in _diff_lines(found):
        typer.echo(line)


@app.command()
def changes(
    before: Annotated[str, typer.Argument(metavar="BEFORE", help="The earlier release.")],
    after: Annotated[str, typer.Argument(metavar="AFTER", help="The later one.")],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE.md", help="Where the change log is written.", show_default=False)
    ] = None,
    workspace: WorkspaceOption = HERE,
    json: JsonOption = False,
) -> None:
    """Say why each sample changed between two releases: the reason, who accepted it, and what was done by hand."""
    from whyseg.curation.blobs import write_atomically
    from whyseg.curation.change_log import change_log, markdown
    from whyseg.curation.workspace import Workspace

    with Workspace.open(workspace) as opened, progress_bar("comparing") as progress:
        found = change_log(opened, before, after, progress)
    text = markdown(found)
    if out is not None:
        write_atomically(out, text.encode())
        note(f"written to {out}")
    if json:
        print_json(found.plain())
    elif out is None:
        typer.echo(text.rstrip())
    else:
        counts = ", ".join(f"{count} {reason}" for reason, count in found.reasons.items())
        typer.echo(
            f"{len(found.entries)} samples differ, {found.same} are the same" + (f": {counts}" if counts else "")
        )


@app.command()
def checkout(
    name: NameArgument,
    out: Annotated[Path, typer.Argument(metavar="DIR", help="A new or empty folder.")],
    workspace: WorkspaceOption = HERE,
    json: JsonOption = False,
) -> None:
    """Make a new workspace that holds exactly a release, with its splits; pictures are linked where possible."""
    from whyseg.curation.checkout import checkout as check_out
    from whyseg.curation.workspace import Workspace

    with Workspace.open(workspace) as opened, progress_bar("checking out") as progress:
        done = check_out(opened, name, out, author=user(), progress=progress)
    if json:
        print_json(done.plain())
    else:
        typer.echo(f"{done.path}: release {done.name}, {done.samples} samples of {done.images} images")


def _line(release: "Release") -> str:
    parts = ", ".join(f"{split} {count}" for split, count in release.splits.items())
    return f"{release.name}: {release.samples} samples of {release.images} images ({parts}), {_short(release.hash)}"


def _short(hash_: str) -> str:
    return hash_.removeprefix("sha256:")[:12]


def _diff_lines(found: "ReleaseDiff") -> list[str]:
    counts = (
        f"{len(found.added)} added, {len(found.removed)} removed, {len(found.changed)} changed, {found.same} the same"
    )
    changes = [
        f"changed {one.sample_id}: {', '.join(one.fields)}" + (f", masks' IoU {one.iou:.4f}" if _moved(one.iou) else "")
        for one in found.changed
    ]
    lines = [f"{found.before.name} → {found.after.name}: {counts}"]
    for some in (
        [f"added {i.sample_id}" for i in found.added],
        [f"removed {i.sample_id}" for i in found.removed],
        changes,
    ):
        lines += some[:SHOWN]
        if len(some) > SHOWN:
            lines.append(f"… and {len(some) - SHOWN} more; --json has them all")
    return lines


def _moved(iou: float | None) -> bool:
    return iou is not None and iou < 1
