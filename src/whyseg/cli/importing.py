"""``whyseg import …``: data from elsewhere into a workspace."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from whyseg.cli.listing import Listing
from whyseg.cli.options import HERE, JsonOption, WorkspaceOption, print_json
from whyseg.cli.workspace import user

if TYPE_CHECKING:
    from whyseg.curation.intake import ImportReport
    from whyseg.curation.workspace import Workspace

app = typer.Typer(
    name="import", cls=Listing, help="Bring data into a workspace.", no_args_is_help=True, rich_markup_mode=None
)

LicenseOption = Annotated[
    str | None, typer.Option(help="The pictures' licence, kept with each whose source names none.")
]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Look at everything, write nothing.")]
GroupOption = Annotated[
    Literal["category", "instance"], typer.Option(help="One sample for all of a picture's category, or one for each.")
]
Run = Callable[["Workspace", Callable[[str], None]], "ImportReport"]


@app.callback()
def _group() -> None:
    """Bring data into a workspace."""


@app.command()
def images(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH…", help="Pictures, folders of them, quoted globs, or zip archives.")
    ],
    workspace: WorkspaceOption = HERE,
    license: LicenseOption = None,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> None:
    """Take in pictures, each with an empty sample to work on; safe to repeat. Exit 1 when a file was refused."""
    from whyseg.curation.importing import import_images
    from whyseg.curation.intake import ImportReport
    from whyseg.curation.sources import require_source

    for path in paths:
        require_source(path)  # before anything is taken in

    def run(opened: "Workspace", count: Callable[[str], None]) -> ImportReport:
        report = ImportReport(dry_run=dry_run)
        for path in paths:
            report += import_images(opened, path, author=user(), license=license, dry_run=dry_run, progress=count)
        return report

    _import(workspace, run, json, "pictures")


@app.command()
def reasonseg(
    path: Annotated[
        Path, typer.Argument(help="A folder or zip archive of X.jpg with X.json beside it, or one X.json.")
    ],
    workspace: WorkspaceOption = HERE,
    license: LicenseOption = None,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> None:
    """Take in data in the layout of LISA's ReasonSeg, rasterised as LISA does. Exit 1 when a file was refused."""
    from whyseg.curation.formats.reasonseg import import_reasonseg

    run = partial(import_reasonseg, source=path, author=user(), license=license, dry_run=dry_run)
    _import(workspace, lambda opened, count: run(opened, progress=count), json)


@app.command()
def labelme(
    path: Annotated[Path, typer.Argument(help="A folder or zip archive of labelme's JSON files, or one of them.")],
    workspace: WorkspaceOption = HERE,
    group: GroupOption = "category",
    license: LicenseOption = None,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> None:
    """Take in labelme's shapes, rasterised as labelme does, as drafts without a question."""
    from whyseg.curation.formats.labelme import import_labelme

    run = partial(import_labelme, source=path, group=group, author=user(), license=license, dry_run=dry_run)
    _import(workspace, lambda opened, count: run(opened, progress=count), json)


@app.command()
def coco(
    path: Annotated[Path, typer.Argument(help="A JSON of instances, or a folder that holds one.")],
    workspace: WorkspaceOption = HERE,
    images: Annotated[
        Path | None, typer.Option(help="Where the pictures lie; else beside the JSON, in images/, or below.")
    ] = None,
    group: GroupOption = "category",
    license: LicenseOption = None,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> None:
    """Take in COCO instances, pixel for pixel, as drafts without a question. Exit 1 when a picture was refused."""
    from whyseg.curation.formats.coco import import_coco

    run = partial(import_coco, source=path, images=images, group=group, author=user(), license=license, dry_run=dry_run)
    _import(workspace, lambda opened, count: run(opened, progress=count), json)


@app.command()
def mmr(
    path: Annotated[Path, typer.Argument(help="A JSON of MMR or MUSE, or a folder of them.")],
    workspace: WorkspaceOption = HERE,
    images: Annotated[
        Path | None, typer.Option(help="Where COCO's pictures lie; else beside the JSON, in images/, or below.")
    ] = None,
    license: LicenseOption = None,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> None:
    """Take in the questions of MMR and MUSE on COCO's pictures. Exit 1 when something was refused."""
    from whyseg.curation.formats.mmr import import_mmr

    run = partial(import_mmr, source=path, images=images, author=user(), license=license, dry_run=dry_run)
    _import(workspace, lambda opened, count: run(opened, progress=count), json)


@app.command()
def refcoco(
    path: Annotated[Path, typer.Argument(help="refs(unc).p or its like, or one of its splits: refs(unc).p/testA.")],
    workspace: WorkspaceOption = HERE,
    images: Annotated[
        Path | None, typer.Option(help="Where COCO's pictures lie; else beside the pickle, in images/, or below.")
    ] = None,
    license: LicenseOption = None,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> None:
    """Take in the expressions of RefCOCO, RefCOCO+ and RefCOCOg. Exit 1 when something was refused."""
    from whyseg.curation.formats.refcoco import import_refcoco

    run = partial(import_refcoco, source=path, images=images, author=user(), license=license, dry_run=dry_run)
    _import(workspace, lambda opened, count: run(opened, progress=count), json)


@app.command()
def hf(
    path: Annotated[
        str, typer.Argument(help="A folder of parquet files, a folder of save_to_disk, or a dataset's OWNER/NAME.")
    ],
    workspace: WorkspaceOption = HERE,
    revision: Annotated[str | None, typer.Option(help="The branch, tag or commit of a dataset on the Hub.")] = None,
    license: LicenseOption = None,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> None:
    """Take in a Hugging Face dataset: whyseg's own layout, or those of Seg-Zero, VisionReasoner and StAR."""
    from whyseg.curation.formats.hub_layouts import import_hf

    run = partial(import_hf, source=path, revision=revision, author=user(), license=license, dry_run=dry_run)
    _import(workspace, lambda opened, count: run(opened, progress=count), json)


def _import(workspace: Path, run: Run, json: bool, what: str = "samples") -> None:
    """Run an import on a workspace, show what it did, and exit 1 when something was refused."""
    from whyseg.curation.workspace import Workspace

    with Workspace.open(workspace) as opened, _counting("importing") as count:
        report = run(opened, lambda _: count())
    if json:
        print_json(report.plain())
    else:
        for note in report.notes:
            typer.echo(f"{note.file}: {note.note}")
        for refusal in report.refused:
            typer.echo(f"refused {refusal.file}: {refusal.reason}")
        verb = "would add" if report.dry_run else "added"
        known = f"{report.skipped} known already, {report.ignored} other files ignored"
        typer.echo(f"{verb} {report.added} {what}; {known}, {len(report.refused)} refused")
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
