"""``whyseg demo``: a workspace with sample photographs, in a browser or without one."""

from pathlib import Path
from typing import Annotated

import typer

from whyseg.cli.options import note, print_json
from whyseg.cli.workspace import user
from whyseg.schemas.errors import UsageError


def demo(
    workspace: Annotated[
        Path, typer.Option("--workspace", "-w", help="The workspace's folder; made where there is none.")
    ] = Path("demo-workspace"),
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 takes any free one.")] = 7860,
    segmenter: Annotated[
        str, typer.Option(help="What answers clicks: auto, sam2, mobilesam, grabcut or sam2-package.")
    ] = "auto",
    model: Annotated[str | None, typer.Option(help="Its weights: a known name, a Hub id, a folder or a file.")] = None,
    headless: Annotated[bool, typer.Option("--headless", help="Walk the path without a browser, and time it.")] = False,
    json: Annotated[bool, typer.Option("--json", help="With --headless: print one JSON document.")] = False,
) -> None:
    """Make a workspace with sample photographs and serve it; safe to repeat, work is kept."""
    if headless:
        _walk(workspace, segmenter, model, json=json)
        return
    if json:
        raise UsageError("--json needs --headless")
    from whyseg.curation.demo import installed, prepare
    from whyseg.curation.workspace import Workspace
    from whyseg.ui import serving

    def ready(address: str) -> None:
        typer.echo(f"whyseg serves {workspace.resolve()} at {address}")

    installed()  # before a workspace is made
    with Workspace.ensure(workspace) as opened:
        prepare(opened)
        serving.serve(opened, port=port, segmenter=segmenter, model=model, user=user(), ready=ready, told=note)


def _walk(workspace: Path, segmenter: str, model: str | None, *, json: bool) -> None:
    from whyseg.curation.demo import installed
    from whyseg.curation.segmenters import choose
    from whyseg.curation.walkthrough import table, walk

    installed()  # before anything is fetched
    chosen, reason = choose(segmenter, model=model, told=note)
    note(reason)
    result = walk(workspace, chosen, reason, told=note)
    if json:
        print_json(result.plain())
    else:
        rows = table(result)
        widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
        for name, *times, outcome in rows:
            cells = [text.rjust(width) for text, width in zip(times, widths[1:-1], strict=True)]
            typer.echo("  ".join([name.ljust(widths[0]), *cells, outcome]))
        for problem in result.problems:
            typer.echo(problem)
        typer.echo(f"report: {result.report}")
    if not result.ok:
        raise typer.Exit(1)
