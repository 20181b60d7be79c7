"""``whyseg push`` and ``whyseg release card``: a release for the Hub, and the page that presents it."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from whyseg.cli.exporting import progress_bar
from whyseg.cli.options import HERE, JsonOption, WorkspaceOption, print_json


def push(
    release: Annotated[str, typer.Argument(metavar="RELEASE", help="The release.")],
    repo: Annotated[str, typer.Argument(metavar="REPO", help="The dataset on the Hub, OWNER/NAME; made if missing.")],
    workspace: WorkspaceOption = HERE,
    revision: Annotated[str | None, typer.Option(help="The tag's name.", show_default="that of the release")] = None,
    private: Annotated[bool, typer.Option("--private", help="Make a private dataset; refuse a public one.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be sent; ask the Hub nothing.")] = False,
    json: JsonOption = False,
) -> None:
    """Send a release to the Hugging Face Hub and tag it; safe to repeat, nothing is sent twice, no tag ever moves."""
    from huggingface_hub.utils.tqdm import disable_progress_bars

    from whyseg.curation import publishing
    from whyseg.curation.workspace import Workspace

    if not sys.stderr.isatty():
        disable_progress_bars()
    with Workspace.open(workspace) as opened, progress_bar() as progress:
        report = publishing.push(
            opened, release, repo, revision=revision, private=private, dry_run=dry_run, progress=progress
        )
    if json:
        print_json(report.plain())
        return
    size = f"{len(report.files)} files, {report.bytes / 1e6:,.1f} MB"
    if dry_run:
        for file in report.files:
            typer.echo(f"{file.size:>14,}  {file.path}")
        kind = "private dataset" if private else "dataset"
        typer.echo(f"would send release {release} to the {kind} {repo} under the tag {report.tag}: {size}")
    elif report.outcome == "unchanged":
        typer.echo(f"{repo} has release {release} already under the tag {report.tag}")
    else:
        done = "sent" if report.outcome == "pushed" else "found all files and tagged"
        typer.echo(f"{done}: release {release} is in {repo} under the tag {report.tag}, {size}, commit {report.commit}")


def card(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The release.")],
    out: Annotated[Path | None, typer.Option(help="A new folder for README.md and its pictures.")] = None,
    workspace: WorkspaceOption = HERE,
    json: JsonOption = False,
) -> None:
    """Print a release's card, or write it with its pictures to a folder."""
    from whyseg.curation.card import README, card_files
    from whyseg.curation.workspace import Workspace

    with Workspace.open(workspace) as opened:
        files = card_files(opened, name)
    if out:
        _write(files, out)
    text = files[README].decode()
    if json:
        print_json({"release": name, "out": str(out) if out else None, "files": list(files), "text": text})
    else:
        typer.echo(f"wrote {', '.join(files)} to {out}" if out else text, nl=bool(out))


def _write(files: dict[str, bytes], folder: Path) -> None:
    from whyseg.curation.blobs import write_atomically
    from whyseg.schemas.errors import UsageError

    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise UsageError(f"{folder} is not empty; give a new or empty folder")
    for name, data in files.items():
        write_atomically(folder / name, data)
