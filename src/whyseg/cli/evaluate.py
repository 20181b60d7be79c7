"""``whyseg evaluate``: how good answers are, on any data."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol, runtime_checkable

import typer

from whyseg.cli.options import HERE, JsonOption, WorkspaceOption, note, print_json
from whyseg.cli.sampling import (
    LONGEST,
    SEED,
    MaxTokensOption,
    SamplesOption,
    SeedOption,
    TemperatureOption,
    TopPOption,
    sampling_of,
)
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
    from whyseg.training.predict import Asked
    from whyseg.training.protocols import Protocol as Rules
    from whyseg.training.sweeping import Swept
    from whyseg.training.voting import Settings


@runtime_checkable
class SupportsClose(Protocol):
    """A policy that holds connections."""

    def close(self) -> None:
        """Close them."""


DataArgument = Annotated[str, typer.Argument(metavar="DATA", help="A path, a release, or a dataset's OWNER/NAME.")]
ProtocolOption = Annotated[
    Literal["lisa", "seg_zero", "vision_reasoner", "star"],
    typer.Option(help="Whose rules for ignore regions, empty unions and failures."),
]
SplitOption = Annotated[
    Literal["train", "validation", "test"] | None, typer.Option(help="Only samples of one split.", show_default=False)
]


def _file(text: str, *names: str) -> Any:
    return typer.Option(*names, metavar="FILE", help=text, show_default=False)


def word(metavar: str, text: str) -> Any:
    """Return an option that need not be given."""
    return typer.Option(metavar=metavar, help=text, show_default=False)


PredictionsOption = Annotated[Path | None, _file("Answers to score, a JSON line a sample.")]
CandidatesOption = Annotated[Path | None, _file("Candidates to vote on, a JSON line a sample.")]
AgainstOption = Annotated[Path | None, _file("Other answers, or the --out of another run, to compare with.")]
SweepOption = Annotated[bool, typer.Option("--sweep", help="Score several answers with StAR's grid of settings.")]
OutOption = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Where results and the report are kept.", show_default=False)
]
PolicyOption = Annotated[str | None, word("MODEL", "Ask a policy: a run, a model's folder, a Hub id, a served name.")]
PresetOption = Annotated[str | None, word("PRESET", "How the policy is asked, where it does not say itself.")]
EndpointOption = Annotated[str | None, word("URL", "Where the policy is served, OpenAI's way.")]
SegmenterOption = Annotated[str | None, word("MODEL", "What makes masks of boxes and points; SAM 2.1 large.")]


def evaluate(
    data: DataArgument,
    predictions: PredictionsOption = None,
    candidates: CandidatesOption = None,
    policy: PolicyOption = None,
    protocol: ProtocolOption = "lisa",
    split: SplitOption = None,
    against: AgainstOption = None,
    out: OutOption = None,
    preset: PresetOption = None,
    endpoint: EndpointOption = None,
    segmenter: SegmenterOption = None,
    samples: SamplesOption = 1,
    temperature: TemperatureOption = None,
    top_p: TopPOption = None,
    max_tokens: MaxTokensOption = LONGEST,
    seed: SeedOption = SEED,
    no_object: NoObjectOption = 0.5,
    iou: IouOption = 0.85,
    votes: VotesOption = 0.2,
    mode: ModeOption = "best",
    pixels: PixelsOption = 0.5,
    sweep: SweepOption = False,
    workspace: WorkspaceOption = HERE,
    json: JsonOption = False,
) -> None:
    """Score answers to the questions of a data set: gIoU, cIoU and more, with intervals; no workspace needed.

    What is scored is a policy, which is asked now, or answers or candidates that are there. A path is recognised by
    what lies there. Exit 1 when a row or file of the data was refused.
    """
    from whyseg.curation.reading import open_data
    from whyseg.training.protocols import protocol_of

    settings = settings_from(no_object=no_object, iou=iou, votes=votes, mode=mode, pixels=pixels)
    _require_one(predictions, candidates, policy, out, several=bool(candidates) or samples > 1, sweep=sweep)
    rules, opened = protocol_of(protocol), open_data(data, workspace=workspace)
    if policy is not None and out is not None:
        sampling = {"k": samples, "temperature": temperature, "top_p": top_p, "max_tokens": max_tokens, "seed": seed}
        words: dict[str, Any] = {"preset": preset, "endpoint": endpoint, "segmenter": segmenter}
        if asked(opened, policy, words | sampling, out, split=split, settings=settings) is None:
            return  # another process scores
        predictions, candidates = _asked_files(out, samples)
    show(
        *score(opened, predictions, candidates, settings, rules, split, against=against, out=out, sweep=sweep),
        json,
        against,
    )


def _require_one(
    predictions: Path | None,
    candidates: Path | None,
    policy: str | None,
    out: Path | None,
    *,
    several: bool,
    sweep: bool,
) -> None:
    """Raise ``UsageError`` unless it is said what to score, once, and what goes with it."""
    from whyseg.schemas.errors import UsageError

    if sum(given is not None for given in (predictions, candidates, policy)) != 1:
        raise UsageError("say what to score: --policy MODEL, --predictions FILE or --candidates FILE")
    if policy is not None and out is None:
        raise UsageError("say where the policy's answers are kept: --out DIR")
    if sweep and (predictions is not None or not several):
        raise UsageError("--sweep votes on several answers: --candidates FILE, or --policy with --samples above 1")


def _asked_files(out: Path, samples: int) -> tuple[Path | None, Path | None]:
    from whyseg.training.predict import CANDIDATES, PREDICTIONS

    return (out / PREDICTIONS, None) if samples == 1 else (None, out / CANDIDATES)


def asked(
    data: "Data", policy: str, words: dict[str, Any], out: Path, *, split: "Split | None", settings: "Settings"
) -> "Asked | None":
    """Ask a policy, and return what came of it; None in all but the first of several processes."""
    from whyseg.curation.segmenters import choose
    from whyseg.training.mask_reward import Masks
    from whyseg.training.policies import open_policy
    from whyseg.training.predict import Predictor, predict, this_share, usual_segmenter

    sampling = sampling_of({name: words[name] for name in words.keys() - {"preset", "endpoint", "segmenter"}})
    share, wait = this_share()
    opened = open_policy(policy, preset=words["preset"], endpoint=words["endpoint"])
    try:
        segmenter, reason = choose(model=words["segmenter"] or usual_segmenter(opened), told=note)
        note(reason)
        predictor = Predictor(opened, Masks(segmenter), sampling)
        with counting("asking") as progress:
            found = predict(
                data, predictor, out, split=split, settings=settings, share=share, wait=wait, progress=progress
            )
    finally:
        if isinstance(opened, SupportsClose):
            opened.close()
    if found.unanswered and share.rank == 0:
        note(f"{found.unanswered} questions got no answer and count as failed; another run asks them again")
    return found if share.rank == 0 else None


def score(
    data: "Data",
    predictions: Path | None,
    candidates: Path | None,
    settings: "Settings",
    rules: "Rules",
    split: "Split | None",
    *,
    against: Path | None,
    out: Path | None,
    sweep: bool,
) -> "tuple[Evaluation, Comparison | None, list[Swept]]":
    """Score answers or candidates, compare them with others, and keep what there is to keep."""
    from whyseg.training.bootstrap import compare
    from whyseg.training.candidates import CandidateFile, Voted
    from whyseg.training.evaluate import evaluate as run
    from whyseg.training.evaluate import keep, kept
    from whyseg.training.gallery import Gallery, page
    from whyseg.training.predictions import read_predictions

    answers: Mapping[str, Prediction] = {}
    rows: list[Swept] = []
    name = (predictions or candidates or Path()).name
    before = None if against is None or not against.is_dir() else kept(against, rules)
    others = None if against is None or before is not None else read_predictions(against)
    if predictions is not None:
        answers = read_predictions(predictions)
    elif candidates is not None:
        answers = Voted(CandidateFile(candidates), settings)
        rows = _swept(data, answers.candidates, rules, split, name) if sweep else []
    gallery = None if out is None else Gallery()
    with counting("scoring") as progress:
        found, scores = run(data, answers, rules, name=name, split=split, gallery=gallery, progress=progress)
        if others is not None and against is not None:
            _, before = run(data, others, rules, name=against.name, split=split, progress=progress)
    comparison = None if before is None else compare(before, scores)
    if out is not None and gallery is not None:
        keep(out, found, scores, page(found, gallery))
    return found, comparison, rows


def _swept(data: "Data", stored: Mapping[str, Any], rules: "Rules", split: "Split | None", name: str) -> "list[Swept]":
    from whyseg.training.sweeping import sweep as run
    from whyseg.training.voting import settings_of

    with counting("sweeping") as progress:
        return run(data, stored, rules, list(settings_of()), name=name, split=split, progress=progress)


def show(
    found: "Evaluation", comparison: "Comparison | None", rows: "list[Swept]", json: bool, against: Path | None
) -> None:
    """Print an evaluation, as JSON or as a table in per cent; exit 1 when something was refused."""
    for refusal in found.refused:
        note(f"refused {refusal.file}: {refusal.reason}")
    if found.left_out:
        first = found.left_out[0]
        note(f"left out {len(found.left_out)} samples that cannot be scored; the first is {first.file}: {first.reason}")
    if json:
        more: dict[str, Any] = {} if comparison is None else {"comparison": comparison.plain()}
        more |= {"sweep": [{**row.plain(), "settings": told(row.settings)} for row in rows]} if rows else {}
        print_json({**found.plain(), **more})
    else:
        _print_table(found)
        if comparison is not None and against is not None:
            _print_comparison(comparison, against.name)
        _print_sweep(rows)
    if found.refused:
        raise typer.Exit(1)


def _print_sweep(rows: "list[Swept]") -> None:
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
