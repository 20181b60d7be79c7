"""``whyseg reward``: what one answer is worth, term by term; no workspace needed."""

import json as json_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from whyseg.cli.options import JsonOption, note, print_json

if TYPE_CHECKING:
    from whyseg.schemas import Mask
    from whyseg.training.answers import Thing
    from whyseg.training.frames import Frame
    from whyseg.training.rewards.compose import Reward, Scored


PresetArgument = Annotated[str, typer.Argument(metavar="PRESET", help="A preset's name, or its TOML file.")]
AnswerArgument = Annotated[Path, typer.Argument(metavar="ANSWER.txt", help="The policy's reply, as it came.")]
TargetOption = Annotated[Path, typer.Option(metavar="TARGET.json", help="What the reply should have found.")]
FrameOption = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="pixels, canvas_N or grid_1000; else the preset's own.", show_default=False),
]
MasksOption = Annotated[
    Path | None,
    typer.Option(metavar="MASKS.json", help="RLEs or null, one a predicted object: no segmenter.", show_default=False),
]
ImageOption = Annotated[Path | None, typer.Option(metavar="IMAGE", help="The picture that masks are made on.")]
SegmenterOption = Annotated[str, typer.Option(metavar="NAME", help="auto, sam2, mobilesam, grabcut or sam2-package.")]
ModelOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="A model of `whyseg models list`, a Hub id, a folder or a file.", show_default=False
    ),
]


def reward(
    preset: PresetArgument,
    answer: AnswerArgument,
    target: TargetOption,
    frame: FrameOption = None,
    masks: MasksOption = None,
    image: ImageOption = None,
    segmenter: SegmenterOption = "auto",
    model: ModelOption = None,
    json: JsonOption = False,
) -> None:
    """Score one answer of a policy against a target: each reward term with its weight, and their sum.

    One newline at the end of ANSWER.txt is not counted as part of the answer. Where the preset compares masks, they
    come from --masks or from a segmenter on --image; elsewhere both are ignored.
    """
    from whyseg.schemas.errors import InvalidRecord, UsageError
    from whyseg.training.answers import Answer
    from whyseg.training.frames import Frame
    from whyseg.training.rewards.compose import Reward
    from whyseg.training.targets import Target

    chosen = Reward.of(preset)
    used = Frame.parse(frame) if frame is not None else chosen.preset.frame
    if chosen.needs_masks and masks is None and image is None:
        raise UsageError(f"{chosen.preset.name} compares masks: give --masks MASKS.json or --image IMAGE")
    try:
        goal = Target.from_json(_read_json(target))
    except InvalidRecord as error:
        raise InvalidRecord(f"{target}: {error}") from error
    chosen.require_fitting(goal)
    text = _read_text(answer)
    text = text.removesuffix("\r\n" if text.endswith("\r\n") else "\n")
    read = chosen.read(text)
    found = None
    if chosen.needs_masks and masks is not None:
        found = _given_masks(masks)
    elif chosen.needs_masks and image is not None:
        things = read.things if isinstance(read, Answer) else ()
        found = _made_masks(things, image, used, goal.size, segmenter, model)
    scored = chosen.score(text, goal, found, frame=used)
    if not isinstance(read, Answer):
        note(f"the answer cannot be read: {read.reason}")
    if json:
        print_json(scored.plain())
    else:
        count = len(read.things) if isinstance(read, Answer) else 0
        typer.echo(f"{scored.preset}, answer in {scored.frame}: names {count}, {len(goal.instances)} to find")
        _print(chosen, scored)


def _read_text(path: Path) -> str:
    """Return a file's text with its own line ends, without a byte order mark; what is not UTF-8 is replaced."""
    return path.read_bytes().decode("utf-8-sig", "replace")


def _read_json(path: Path) -> Any:
    from whyseg.schemas.errors import InvalidRecord

    try:
        return json_module.loads(_read_text(path))
    except (ValueError, RecursionError) as error:
        raise InvalidRecord(f"not JSON: {error}") from error


def _given_masks(path: Path) -> "list[Mask | None]":
    from whyseg.schemas import Mask
    from whyseg.schemas.errors import InvalidRecord

    try:
        data = _read_json(path)
        if not isinstance(data, list):
            raise InvalidRecord(f"expected a list of RLEs, got {type(data).__name__}")
        return [None if rle is None else Mask.parse(rle) for rle in data]
    except InvalidRecord as error:
        raise InvalidRecord(f"{path}: {error}") from error


def _made_masks(
    things: "tuple[Thing, ...]", image: Path, frame: "Frame", size: tuple[int, int], segmenter: str, model: str | None
) -> "list[Mask | None]":
    """Return the best mask that a segmenter makes of each thing's box and points."""
    from whyseg.curation.images import read_upright
    from whyseg.curation.segmenters import choose
    from whyseg.schemas.errors import RefusedImage, SizeMismatch
    from whyseg.training.mask_reward import Masks

    try:
        pixels = read_upright(image.read_bytes(), str(image)).pixels
    except OSError as error:
        raise RefusedImage(str(image), error.strerror or "cannot be read") from error
    if pixels.shape[:2] != size:
        raise SizeMismatch(f"the target for {image}", (pixels.shape[0], pixels.shape[1]), size)
    chosen, reason = choose(segmenter, model=model, told=note)
    note(reason)
    return Masks(chosen).masks(str(image), lambda: pixels, [thing.prompt(frame, size) for thing in things])


def _print(reward: "Reward", scored: "Scored") -> None:
    for name, value in scored.terms.items():
        typer.echo(f"{name:<20} {value:>6.3f} of {reward.maxima[name]:g}")
    typer.echo(f"{'total':<20} {scored.total:>6.3f} of {reward.maximum:g}")
