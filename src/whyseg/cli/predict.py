"""``whyseg predict``: a policy's answers to the questions of a data set, as masks."""

from pathlib import Path
from typing import Annotated, Any

import typer

from whyseg.cli.evaluate import (
    DataArgument,
    EndpointOption,
    PresetOption,
    SamplesOption,
    SegmenterOption,
    SplitOption,
    asked,
    word,
)
from whyseg.cli.options import HERE, JsonOption, WorkspaceOption, print_json
from whyseg.cli.vote import IouOption, ModeOption, NoObjectOption, PixelsOption, VotesOption, settings_from

TemperatureOption = Annotated[float | None, word("T", "Greedy for one answer, 1 for several.")]
TopPOption = Annotated[float | None, word("P", "1 for one answer, 0.9 for several.")]
MaxTokensOption = Annotated[int, typer.Option(min=1, help="The longest answer.")]
SeedOption = Annotated[int, typer.Option(min=0, help="For several answers.")]


def predict(
    data: DataArgument,
    policy: Annotated[str, typer.Option(metavar="MODEL", help="A run, a model's folder, a Hub id, or a served name.")],
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Where the answers are kept; what is there is not asked again.")
    ],
    preset: PresetOption = None,
    endpoint: EndpointOption = None,
    segmenter: SegmenterOption = None,
    samples: SamplesOption = 1,
    temperature: TemperatureOption = None,
    top_p: TopPOption = None,
    max_tokens: MaxTokensOption = 1024,
    seed: SeedOption = 42,
    no_object: NoObjectOption = 0.5,
    iou: IouOption = 0.85,
    votes: VotesOption = 0.2,
    mode: ModeOption = "best",
    pixels: PixelsOption = 0.5,
    split: SplitOption = None,
    workspace: WorkspaceOption = HERE,
    json: JsonOption = False,
) -> None:
    """Ask a policy the questions of a data set, and keep its answers as masks. A run that was cut off goes on.

    With --samples above 1 the answers are voted on, as whyseg vote does. Start it with accelerate launch to share the
    work between GPUs.
    """
    from whyseg.curation.reading import open_data

    opened = open_data(data, workspace=workspace)
    settings = settings_from(no_object=no_object, iou=iou, votes=votes, mode=mode, pixels=pixels)
    words: dict[str, Any] = {
        "preset": preset,
        "endpoint": endpoint,
        "segmenter": segmenter,
        "k": samples,
        "temperature": temperature,
    }
    words |= {"top_p": top_p, "max_tokens": max_tokens, "seed": seed}
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
