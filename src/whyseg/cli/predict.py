"""``whyseg predict``: a policy's answers, as masks, to one question about a picture or to those of a data set."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from whyseg.cli.evaluate import EndpointOption, PresetOption, SegmenterOption, SplitOption, asked, word
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
from whyseg.cli.vote import IouOption, ModeOption, NoObjectOption, PixelsOption, VotesOption, settings_from

if TYPE_CHECKING:
    from whyseg.curation.asking import AskedAnswer, Settings, Vote
    from whyseg.schemas import Mask
    from whyseg.training.predict import Sampling

OutOption = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Where the answers to a data set are kept; what is there is not asked again.",
        show_default=False,
    ),
]
OverlayOption = Annotated[Path | None, word("FILE.png", "Where the picture is drawn with mask, boxes and points.")]


def predict(
    data: Annotated[str, typer.Argument(metavar="IMAGE|DATA", help="A picture, or data as for whyseg evaluate.")],
    policy: Annotated[str, typer.Option(metavar="MODEL", help="A run, a model's folder, a Hub id, or a served name.")],
    query: Annotated[str | None, typer.Argument(help="The question about the picture.", show_default=False)] = None,
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
    overlay: OverlayOption = None,
    split: SplitOption = None,
    workspace: WorkspaceOption = HERE,
    json: JsonOption = False,
) -> None:
    """Ask a policy one question about a picture, or those of a data set, and get its answers as masks.

    With --samples above 1 the answers are voted on, as whyseg vote does. One picture needs no workspace. The answers to
    a data set are kept, and a run that was cut off goes on; start it with accelerate launch to share it between GPUs.
    """
    settings = settings_from(no_object=no_object, iou=iou, votes=votes, mode=mode, pixels=pixels)
    words: dict[str, Any] = {"preset": preset, "endpoint": endpoint, "segmenter": segmenter}
    sampling = {"k": samples, "temperature": temperature, "top_p": top_p, "max_tokens": max_tokens, "seed": seed}
    _require_fitting(data, query, out, overlay)
    if query is not None:
        _ask_one(Path(data), query, policy, words, sampling_of(sampling), settings, overlay, json=json)
    elif out is not None:
        _ask_all(data, policy, words | sampling, out, split, settings, workspace, json=json)


def _require_fitting(data: str, query: str | None, out: Path | None, overlay: Path | None) -> None:
    from whyseg.curation.images import has_picture_suffix
    from whyseg.schemas.errors import UsageError

    if query is not None:
        if not query.strip():
            raise UsageError("the question is empty")
        if out is not None:
            raise UsageError("--out is for a data set; of one picture there is --overlay FILE.png and --json")
        if overlay is not None and overlay.suffix.lower() != ".png":
            raise UsageError(f"--overlay is a PNG file, got {overlay.name}")
        return
    if has_picture_suffix(data):
        raise UsageError(f"ask something about the picture: whyseg predict {data} QUESTION")
    if overlay is not None:
        raise UsageError("--overlay is for one picture and a question")
    if out is None:
        raise UsageError("say where the answers to a data set are kept: --out DIR")


def _ask_all(
    data: str,
    policy: str,
    words: dict[str, Any],
    out: Path,
    split: Any,
    settings: "Settings",
    workspace: Path,
    *,
    json: bool,
) -> None:
    from whyseg.curation.reading import open_data

    opened = open_data(data, workspace=workspace)
    found = asked(opened, policy, words, out, split=split, settings=settings)
    if found is None:  # another process tells
        return
    if json:
        facts = {"predictions": str(found.file), "answered": found.answered, "unanswered": found.unanswered}
        print_json({**facts, "split": split})
    else:
        typer.echo(f"{found.answered} questions have answers in {found.file}")
    if found.unanswered:
        raise typer.Exit(1)


def _ask_one(
    picture: Path,
    query: str,
    policy: str,
    words: dict[str, Any],
    sampling: "Sampling",
    settings: "Settings",
    overlay: Path | None,
    *,
    json: bool,
) -> None:
    """Ask about one picture, and say, draw and print what came; exit 1 when no answer came at all."""
    from whyseg.cli.segment import read_pixels
    from whyseg.schemas import union
    from whyseg.training.answer_picture import behind, write_answer
    from whyseg.training.asker import open_asker

    pixels = read_pixels(picture)
    asker = open_asker(policy, **words, told=note)
    try:
        answers = asker.sampled(str(picture), pixels, query, sampling)
    finally:
        asker.close()
    size = pixels.shape[0], pixels.shape[1]
    vote = asker.vote(answers, size, settings) if sampling.k > 1 else None
    mask = vote.mask if vote else None
    if vote is None and answers[0].problem is None:
        mask = union([one.mask for one in answers[0].objects], size)
    if overlay is not None:
        write_answer(overlay, pixels, mask, behind(answers, vote))
    if json:
        facts = {
            "image": str(picture),
            "size": size,
            "query": query,
            "policy": asker.name,
            "segmenter": asker.segmenter,
        }
        said = {"answers": [one.plain() for one in answers], "vote": vote and vote.plain()}
        more = {"settings": settings.plain() if vote else None, "overlay": overlay and str(overlay)}
        print_json({**facts, "mask": mask and mask.plain(), **said, **more})
    else:
        _show(answers, vote, mask, overlay)
    if not any(one.text for one in answers):
        note("no answer came")
        raise typer.Exit(1)


def _show(answers: "tuple[AskedAnswer, ...]", vote: "Vote | None", mask: "Mask | None", overlay: Path | None) -> None:
    from whyseg.cli.vote import show

    for number, answer in enumerate(answers, 1):
        if len(answers) > 1:
            typer.echo(f"— answer {number} —")
        _show_answer(answer)
    if vote is not None:
        show(vote)
    typer.echo("no mask: no answer could be read" if mask is None else f"the mask has {mask.area} pixels")
    if overlay is not None:
        typer.echo(f"drawn in {overlay}")


def _show_answer(answer: "AskedAnswer") -> None:
    from whyseg.curation.images import printable

    for line in answer.text.splitlines():
        typer.echo(printable(line))  # what a model writes must not steer a terminal
    if answer.problem is not None:
        typer.echo(f"unreadable: {printable(answer.problem)}")
    for one in answer.objects:
        box = "no box" if one.box is None else "box " + ", ".join(f"{value:.1f}" for value in one.box)
        points = "".join(f", point {x:.1f}, {y:.1f}" for x, y in one.points)
        label = f" {printable(one.label)}" if one.label else ""
        typer.echo(f"  {box}{points}: {one.mask.area} pixels, score {one.score:.3f}{label}")
