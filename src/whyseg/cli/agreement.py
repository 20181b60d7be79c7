"""``whyseg agreement``: how far people agree who answered the same samples blindly."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from whyseg.cli.options import HERE, JsonOption, WorkspaceOption, print_json

if TYPE_CHECKING:
    from whyseg.curation.agreement import Estimate
    from whyseg.curation.overlaps import AgreementReport, Overlap

WORST = 10  # samples that are named


def agreement(workspace: WorkspaceOption = HERE, json: JsonOption = False) -> None:
    """Show how far people agree on masks, types and depths: over all, by pairs, against gold, and where least."""
    import typer

    from whyseg.curation.overlaps import Overlaps
    from whyseg.curation.workspace import Workspace

    with Workspace.open(workspace) as opened, _progress() as progress:
        overlaps = Overlaps(opened.store)
        report = overlaps.report(progress)
        _, worst = overlaps.page(order="worst", limit=WORST)
    if json:
        print_json(report.plain())
        return
    for line in (*_over_all(report), *_people(report), *_worst(worst)):
        typer.echo(line)


def _over_all(report: "AgreementReport") -> Iterator[str]:
    yield f"samples that two or more people answered: {report.items}; pairs of answers: {report.pairs}"
    if report.open:
        yield f"answers that are still open: {report.open}"
    if report.reworded:
        yield f"answers that are left out, since their question was reworded: {report.reworded}"
    yield ""
    named = {
        "masks: IoU": report.iou,
        "masks: boundary IoU": report.boundary_iou,
        "reasoning type: alpha": report.type_alpha,
        "depth: alpha": report.depth_alpha,
        "no target: alpha": report.no_target_alpha,
    }
    yield from (f"{name:<24}{_figure(estimate)}" for name, estimate in named.items())


def _people(report: "AgreementReport") -> Iterator[str]:
    if report.people:
        yield "\nwho with whom: IoU, boundary IoU, samples"
    for pair in report.people:
        edge = f"{pair.boundary_iou.value:.3f}"
        yield f"  {pair.people[0]} – {pair.people[1]}: {_figure(pair.iou)}, {edge}, {pair.iou.count}"
    if report.gold:
        yield "\nagainst gold: IoU, boundary IoU, right type, right depth, gold items"
    for score in report.gold:
        shares = f"{score.right_type:.0%}, {score.right_depth:.0%}"
        yield f"  {score.user}: {_figure(score.iou)}, {score.boundary_iou.value:.3f}, {shares}, {score.count}"


def _worst(overlaps: "list[Overlap]") -> Iterator[str]:
    compared = [one for one in overlaps if one.masks.mean_iou is not None]
    if compared:
        yield "\nwhere people agree least: IoU, sample, question"
    for one in compared:
        yield f"  {one.masks.mean_iou:.3f}  {one.sample_id}  {' '.join((one.query or '').split())}"


def _figure(estimate: "Estimate") -> str:
    if estimate.value is None:
        return f"– ({estimate.reason})"
    within = "" if estimate.low is None else f" ({estimate.low:.3f} … {estimate.high:.3f})"
    return f"{estimate.value:.3f}{within}"


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """Show on standard error, where that is a terminal, how many samples are compared."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bars:
        task = bars.add_task("comparing", total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)
