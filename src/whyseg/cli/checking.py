"""``whyseg check``: what is wrong with the samples, or looks so."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from whyseg.cli.options import HERE, JsonOption, WorkspaceOption, note, print_json


def check(workspace: WorkspaceOption = HERE, json: JsonOption = False) -> None:
    """Look for mistakes in masks, questions, splits, and for duplicates; findings never change the exit code."""
    import typer

    from whyseg.curation.checks import check_workspace
    from whyseg.curation.workspace import Workspace

    with Workspace.open(workspace) as opened, _progress() as progress:
        report = check_workspace(opened, progress)
    for left in report.left_out:
        note(f"left out {left.check}: {left.reason}")
    if json:
        print_json(report.plain())
        return
    for finding in sorted(report.findings, key=lambda finding: (finding.kind, finding.sample_id or "", finding.id)):
        subject = finding.sample_id or f"image {finding.image_id}"
        typer.echo(f"{finding.severity:<8}{subject} {finding.kind}: {' '.join(finding.message.split())}")
    open_ones = f"{len(report.findings)} findings, {report.new} of them new; {report.gone} gone"
    if report.set_aside:
        open_ones += f", {report.set_aside} set aside"
    typer.echo(f"{report.checked} samples checked: {open_ones}")


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """Show on standard error, where that is a terminal, how far each part of the checks is."""
    from rich.console import Console
    from rich.progress import Progress, TaskID

    console = Console(stderr=True)
    tasks: dict[str, TaskID] = {}
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bars:

        def progress(part: str, done: int, total: int) -> None:
            if part not in tasks:
                tasks[part] = bars.add_task(part, total=total)
            bars.update(tasks[part], completed=done)

        yield progress
