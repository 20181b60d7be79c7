"""``whyseg evaluate``: how good answers are, on any data."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from whyseg.cli.options import HERE, JsonOption, WorkspaceOption, note, print_json

if TYPE_CHECKING:
    from whyseg.training.bootstrap import Comparison
    from whyseg.training.evaluate import Evaluation

ProtocolOption = Annotated[
    Literal["lisa", "seg_zero", "vision_reasoner", "star"],
    typer.Option(help="Whose rules for ignore regions, empty unions and failures."),
]
SplitOption = Annotated[
    Literal["train", "validation", "test"] | None, typer.Option(help="Only samples of one split.", show_default=False)
]


def evaluate(
    data: Annotated[str, typer.Argument(metavar="DATA", help="A path, a release, or a dataset's OWNER/NAME.")],
    predictions: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Answers to score, a JSON line a sample.", show_default=False)
    ] = None,
    protocol: ProtocolOption = "lisa",
    split: SplitOption = None,
    against: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Other answers to compare with, sample by sample.", show_default=False),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where results and the report are kept.", show_default=False)
    ] = None,
    workspace: WorkspaceOption = HERE,
    json: JsonOption = False,
) -> None:
    """Score answers to the questions of a data set: gIoU, cIoU and more, with intervals; no workspace needed.

    A path is recognised by what lies there. Exit 1 when a row or file of the data was refused.
    """
    from whyseg.curation.reading import open_data
    from whyseg.schemas.errors import UsageError
    from whyseg.training.bootstrap import compare
    from whyseg.training.evaluate import evaluate as score
    from whyseg.training.evaluate import keep
    from whyseg.training.gallery import Gallery, page
    from whyseg.training.predictions import read_predictions
    from whyseg.training.protocols import protocol_of

    if predictions is None:
        raise UsageError("say what to score: --predictions FILE")
    rules, opened = protocol_of(protocol), open_data(data, workspace=workspace)
    answers = read_predictions(predictions)
    others = None if against is None else read_predictions(against)
    gallery = None if out is None else Gallery()
    with counting("scoring") as progress:
        found, scores = score(
            opened, answers, rules, name=predictions.name, split=split, gallery=gallery, progress=progress
        )
        comparison = None
        if others is not None and against is not None:
            _, before = score(opened, others, rules, name=against.name, split=split, progress=progress)
            comparison = compare(before, scores)
    if out is not None and gallery is not None:
        keep(out, found, scores, page(found, gallery))
    show(found, comparison, json, None if against is None else against.name)
    if found.refused:
        raise typer.Exit(1)


def show(found: "Evaluation", comparison: "Comparison | None", json: bool, other: str | None) -> None:
    """Print an evaluation, as JSON or as a table in per cent."""
    for refusal in found.refused:
        note(f"refused {refusal.file}: {refusal.reason}")
    if found.left_out:
        first = found.left_out[0]
        note(f"left out {len(found.left_out)} samples that cannot be scored; the first is {first.file}: {first.reason}")
    if json:
        more: dict[str, Any] = {} if comparison is None else {"comparison": comparison.plain()}
        print_json({**found.plain(), **more})
        return
    from whyseg.training.gallery import percent

    typer.echo(f"{found.n} samples, protocol {found.protocol}, {found.failed} without a readable answer")
    typer.echo(f"{'':<24}{'n':>6} {'gIoU':>7} {'95 % interval':>16} {'cIoU':>7} {'boundary':>9}")
    rows: list[tuple[str, Any, Any]] = [("all", found, found.intervals["giou"])]
    rows += [(name, part, part.interval) for name, part in found.by_type.items()]
    rows += [(f"depth {name}", part, part.interval) for name, part in found.by_depth.items()]
    for name, part, interval in rows:
        between = "–" if interval is None else f"{percent(interval[0])} – {percent(interval[1])}"
        figures = f"{percent(part.giou):>7} {between:>16} {percent(part.ciou):>7} {percent(part.boundary_iou):>9}"
        typer.echo(f"{name:<24}{part.n:>6} {figures}")
    typer.echo(f"box Acc@0.5 {percent(found.box_accuracy)}, no-target accuracy {percent(found.no_target_accuracy)}")
    if found.mean_tokens is not None:
        typer.echo(f"mean response: {found.mean_tokens:.1f} tokens")
    if comparison is not None:
        interval = comparison.intervals["giou"]
        between = "" if interval is None else f" [{percent(interval[0])}, {percent(interval[1])}]"
        chance = "" if comparison.p_value is None else f", p = {comparison.p_value:.3f}"
        typer.echo(
            f"gIoU {percent(comparison.giou)}{between} against {other}{chance}: {comparison.better} samples better, "
            f"{comparison.worse} worse, {comparison.equal} equal"
        )


@contextmanager
def counting(what: str) -> Iterator[Callable[[int], None]]:
    """Show on standard error, where that is a terminal, how many samples are done."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = SpinnerColumn(), TextColumn("{task.description} {task.completed} samples"), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done: progress.update(task, completed=done)
