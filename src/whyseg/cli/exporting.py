"""``whyseg export …``: a release as a folder that other tools read."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from whyseg.cli.listing import Listing
from whyseg.cli.options import HERE, JsonOption, WorkspaceOption, print_json

if TYPE_CHECKING:
    from whyseg.curation.exporting import Writer

app = typer.Typer(
    name="export",
    cls=Listing,
    help="Write a release in a format of others.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The release.")]
OutArgument = Annotated[Path, typer.Argument(metavar="OUT", help="The new folder.")]
SHOWN = 20  # losses printed one by one


@app.callback()
def _group() -> None:
    """Write a release in a format of others."""


@app.command()
def hf(name: NameArgument, out: OutArgument, workspace: WorkspaceOption = HERE, json: JsonOption = False) -> None:
    """Write parquet files for Hugging Face's datasets and the Hub's viewer, with a card; nothing is lost."""
    from whyseg.curation.formats.parquet import ParquetWriter

    _export(name, out, ParquetWriter(), workspace, json)


@app.command()
def grpo(
    name: NameArgument,
    out: OutArgument,
    workspace: WorkspaceOption = HERE,
    bool_masks: Annotated[
        bool, typer.Option("--bool-masks", help="Add StAR's solution_mask; 50 times the bytes.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Write the training set that VisionReasoner's and StAR's loaders open, in their frame of 840 × 840 pixels."""
    from whyseg.curation.formats.grpo import GrpoWriter

    _export(name, out, GrpoWriter(bool_masks=bool_masks), workspace, json)


@app.command()
def reasonseg(
    name: NameArgument, out: OutArgument, workspace: WorkspaceOption = HERE, json: JsonOption = False
) -> None:
    """Write LISA's layout: X.jpg and X.json, polygons that LISA's own rule paints as the masks are."""
    from whyseg.curation.formats.reasonseg import ReasonSegWriter

    _export(name, out, ReasonSegWriter(), workspace, json)


@app.command()
def coco(name: NameArgument, out: OutArgument, workspace: WorkspaceOption = HERE, json: JsonOption = False) -> None:
    """Write COCO instances: annotations.json with run lengths, and the pictures in images/."""
    from whyseg.curation.formats.coco_writer import CocoWriter

    _export(name, out, CocoWriter(), workspace, json)


@app.command()
def labelme(name: NameArgument, out: OutArgument, workspace: WorkspaceOption = HERE, json: JsonOption = False) -> None:
    """Write labelme's JSON files beside the pictures: polygons where they carry a mask exactly, else mask shapes."""
    from whyseg.curation.formats.labelme import LabelmeWriter

    _export(name, out, LabelmeWriter(), workspace, json)


def _export(name: str, out: Path, writer: "Writer", workspace: Path, json: bool) -> None:
    from whyseg.curation.exporting import REPORT, export
    from whyseg.curation.workspace import Workspace

    with Workspace.open(workspace) as opened, progress_bar() as progress:
        report = export(opened, name, out, writer, progress=progress)
    if json:
        print_json(report.plain())
        return
    for limit in report.limits:
        typer.echo(f"{report.format} has no place for {limit}")
    for loss in report.losses[:SHOWN]:
        kept = "" if loss.iou is None else f", keeps IoU {loss.iou:.4f}"
        typer.echo(f"sample {loss.sample_id}: {loss.what}{kept}")
    if len(report.losses) > SHOWN:
        typer.echo(f"and {len(report.losses) - SHOWN} more, all in {out / REPORT}")
    typer.echo(f"wrote {report.written} of {report.samples} samples of release {name} to {out}")


@contextmanager
def progress_bar(what: str = "exporting") -> Iterator[Callable[[int, int], None]]:
    """Show on standard error, where that is a terminal, how many of how many samples are done."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
