"""``whyseg evaluate``: how good answers are, on any data."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from whyseg.cli.options import HERE, JsonOption, WorkspaceOption, note, print_json
from whyseg.cli.vote import (
    IouOption,
    ModeOption,
    NoObjectOption,
    PixelsOption,
    VotesOption,
    settings_from,
    told,
)

if TYPE_CHECKING:
    from whyseg.curation.reading import Data
    from whyseg.schemas import Split
    from whyseg.training.bootstrap import Comparison
    from whyseg.training.evaluate import Evaluation
    from whyseg.training.metrics import Prediction
    from whyseg.training.protocols import Protocol
    from whyseg.training.sweeping import Swept

DataArgument = Annotated[str, typer.Argument(metavar="DATA", help="A path, a release, or a dataset's OWNER/NAME.")]
ProtocolOption = Annotated[
    Literal["lisa", "seg_zero", "vision_reasoner", "star"],
    typer.Option(help="Whose rules for ignore regions, empty unions and failures."),
]
SplitOption = Annotated[
    Literal["train", "validation", "test"] | None, typer.Option(help="Only samples of one split.", show_default=False)
]


def evaluate(
    data: DataArgument,
    predictions: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Answers to score, a JSON line a sample.", show_default=False)
    ] = None,
    candidates: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Candidates to vote on, a JSON line a sample.", show_default=False),
    ] = None,
    protocol: ProtocolOption = "lisa",
    split: SplitOption = None,
    against: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Other answers to compare with, sample by sample.", show_default=False),
    ] = None,
    no_object: NoObjectOption = 0.5,
    iou: IouOption = 0.85,
    votes: VotesOption = 0.2,
    mode: ModeOption = "best",
    pixels: PixelsOption = 0.5,
    sweep: Annotated[bool, typer.Option("--sweep", help="Score the candidates with StAR's grid of settings.")] = False,
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
    from whyseg.training.candidates import CandidateFile, Voted
    from whyseg.training.predictions import read_predictions
    from whyseg.training.protocols import protocol_of

    file = predictions or candidates
    if file is None or (predictions and candidates):
        raise UsageError("say what to score: --predictions FILE or --candidates FILE")
    if sweep and candidates is None:
        raise UsageError("--sweep votes on candidates: --candidates FILE")
    settings = settings_from(no_object=no_object, iou=iou, votes=votes, mode=mode, pixels=pixels)
    rules, opened = protocol_of(protocol), open_data(data, workspace=workspace)
    answers: Mapping[str, Prediction]
    rows: list[Swept] = []
    if candidates is not None:
        stored = CandidateFile(candidates)
        answers = Voted(stored, settings)
        rows = _swept(opened, stored, rules, split, candidates.name) if sweep else []
    else:
        answers = read_predictions(file)
    found, comparison = score(opened, answers, rules, split, name=file.name, against=against, out=out)
    show(found, comparison, rows, json, against)
    if found.refused:
        raise typer.Exit(1)


def score(
    data: "Data",
    answers: "Mapping[str, Prediction]",
    rules: "Protocol",
    split: "Split | None",
    *,
    name: str,
    against: Path | None,
    out: Path | None,
) -> "tuple[Evaluation, Comparison | None]":
    """Score answers, compare them with others, and keep what there is to keep."""
    from whyseg.training.bootstrap import compare
    from whyseg.training.evaluate import evaluate as run
    from whyseg.training.evaluate import keep
    from whyseg.training.gallery import Gallery, page
    from whyseg.training.predictions import read_predictions

    others = None if against is None else read_predictions(against)
    gallery, comparison = None if out is None else Gallery(), None
    with counting("scoring") as progress:
        found, scores = run(data, answers, rules, name=name, split=split, gallery=gallery, progress=progress)
        if others is not None and against is not None:
            _, before = run(data, others, rules, name=against.name, split=split, progress=progress)
            comparison = compare(before, scores)
    if out is not None and gallery is not None:
        keep(out, found, scores, page(found, gallery))
    return found, comparison


def _swept(
    data: "Data", stored: Mapping[str, Any], rules: "Protocol", split: "Split | None", name: str
) -> "list[Swept]":
    from whyseg.training.sweeping import sweep as run
    from whyseg.training.voting import settings_of

    with counting("sweeping") as progress:
        return run(data, stored, rules, list(settings_of()), name=name, split=split, progress=progress)


def show(
    found: "Evaluation", comparison: "Comparison | None", rows: "list[Swept]", json: bool, against: Path | None
) -> None:
    """Print an evaluation, as JSON or as a table in per cent."""
    for refusal in found.refused:
        note(f"refused {refusal.file}: {refusal.reason}")
    if found.left_out:
        first = found.left_out[0]
        note(f"left out {len(found.left_out)} samples that cannot be scored; the first is {first.file}: {first.reason}")
    if json:
        more: dict[str, Any] = {} if comparison is None else {"comparison": comparison.plain()}
        more |= {"sweep": [{**row.plain(), "settings": told(row.settings)} for row in rows]} if rows else {}
        print_json({**found.plain(), **more})
        return
    _print_table(found)
    if comparison is not None and against is not None:
        _print_comparison(comparison, against.name)
    from whyseg.training.gallery import percent

    for row in rows:
        words = ", ".join(f"{name} {value}" for name, value in told(row.settings).items())
        typer.echo(f"gIoU {percent(row.giou)}, cIoU {percent(row.ciou)}: {words}")


def _print_table(found: "Evaluation") -> None:
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


def _print_comparison(comparison: "Comparison", other: str) -> None:
    from whyseg.training.gallery import percent

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
