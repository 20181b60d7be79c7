"""``whyseg segment``: one picture, a prompt, masks; no workspace needed."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from whyseg.cli.options import JsonOption, note, print_json

if TYPE_CHECKING:
    from whyseg.curation.segmenters.base import Proposal, RgbArray, Segmenter
    from whyseg.schemas import Box, Point, Prompt


def segment(
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="A picture.")],
    point: Annotated[
        list[str] | None,
        typer.Option(metavar="X,Y[,1|0]", help="A click: 1 on the object (the default), 0 off it. Repeatable."),
    ] = None,
    box: Annotated[str | None, typer.Option(metavar="X1,Y1,X2,Y2", help="A box around the object.")] = None,
    segmenter: Annotated[
        str, typer.Option(metavar="NAME", help="auto, sam2, mobilesam, grabcut or sam2-package.")
    ] = "auto",
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="A model of `whyseg models list`, a Hub id, a folder or a file.", show_default=False
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Segment what a prompt means in a picture; candidate masks, best first.

    Coordinates are pixels of the upright picture, whole numbers at pixel centres. Several points are taken as clicks
    one after another: each refines the best candidate of the one before; the box comes with the first. The masks are
    those of the last click.
    """
    prompt = read_prompt(point or [], box)
    pixels = read_pixels(image)
    size = pixels.shape[0], pixels.shape[1]
    require_fitting(prompt, size)
    from whyseg.curation.segmenters import choose

    chosen, reason = choose(segmenter, model=model, told=note)
    if not json:
        note(reason)
    found, embed_ms, decode_ms = _answer(chosen, pixels, prompt)
    if json:
        masks = [_mask(proposal, size) for proposal in found]
        print_json({"masks": masks, "segmenter": chosen.name, "embed_ms": embed_ms, "decode_ms": decode_ms})
    else:
        _print_table(found, size)
        typer.echo(f"{chosen.name} {chosen.model}: embedded in {embed_ms:.0f} ms, decoded in {decode_ms:.0f} ms")


def read_prompt(points: list[str], box: str | None) -> "Prompt":
    """Read a prompt from the command line's words; raise ``UsageError`` for words that are none, or no words at all."""
    from whyseg.schemas import Prompt
    from whyseg.schemas.errors import UsageError

    if not points and box is None:
        raise UsageError("a prompt is missing: give --point X,Y or --box X1,Y1,X2,Y2")
    return Prompt(points=tuple(_point(text) for text in points), box=None if box is None else _box(box))


def require_fitting(prompt: "Prompt", size: tuple[int, int]) -> None:
    """Raise ``UsageError`` unless the prompt lies on the picture of ``size`` (height, width)."""
    from whyseg.schemas.errors import InvalidRecord, UsageError

    try:
        prompt.require_inside(size)
    except InvalidRecord as error:
        raise UsageError(str(error)) from error


def _numbers(text: str, counts: tuple[int, ...], form: str) -> list[float]:
    from whyseg.schemas.errors import UsageError
    from whyseg.schemas.prompt import FARTHEST

    try:
        numbers = [float(word) for word in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) not in counts or not all(abs(number) <= FARTHEST for number in numbers):  # false for NaN too
        raise UsageError(f"expected {form}, got {text!r}")
    return numbers


def _point(text: str) -> "Point":
    from whyseg.schemas import Point
    from whyseg.schemas.errors import UsageError

    x, y, *label = _numbers(text, (2, 3), "a point X,Y or X,Y,1 or X,Y,0")
    if label and label[0] not in (0, 1):
        raise UsageError(f"a point's label is 1 (on the object) or 0 (off it), got {text!r}")
    return Point(x=x, y=y, positive=label != [0.0])


def _box(text: str) -> "Box":
    from whyseg.schemas import Box
    from whyseg.schemas.errors import InvalidRecord, UsageError

    x0, y0, x1, y1 = _numbers(text, (4,), "a box X1,Y1,X2,Y2")
    try:
        return Box.parse({"x0": x0, "y0": y0, "x1": x1, "y1": y1})
    except InvalidRecord as error:
        raise UsageError(f"expected a box X1,Y1,X2,Y2 with X1 < X2 and Y1 < Y2, got {text!r}") from error


def read_pixels(path: Path) -> "RgbArray":
    """Return a picture file's upright pixels, uint8 (H, W, 3); raises ``RefusedImage``."""
    from whyseg.curation.images import read_upright
    from whyseg.schemas.errors import RefusedImage

    try:
        data = path.read_bytes()
    except OSError as error:
        raise RefusedImage(str(path), error.strerror or "cannot be read") from error
    return read_upright(data, str(path)).pixels


def _answer(segmenter: "Segmenter", pixels: "RgbArray", prompt: "Prompt") -> tuple[list["Proposal"], float, float]:
    """Return the candidates, and the milliseconds that embedding and all decoding took."""
    from whyseg.curation.segmenters.replay import replayed

    start = time.perf_counter()
    embedding = segmenter.embed(pixels)
    embedded = time.perf_counter()
    found = replayed(segmenter, embedding, prompt)
    decoded = time.perf_counter()
    return found, round(1e3 * (embedded - start), 2), round(1e3 * (decoded - embedded), 2)


def _mask(proposal: "Proposal", size: tuple[int, int]) -> dict[str, Any]:
    from whyseg.curation.segmenters.crops import encode_crop, mask_from_crop

    crop, _, _ = encode_crop(proposal)
    return {"rle": mask_from_crop(size, crop.bbox, crop.counts).plain(), "score": round(proposal.score, 6)}


def _print_table(found: list["Proposal"], size: tuple[int, int]) -> None:
    typer.echo(f"{'':>2} {'score':>6} {'pixels':>10} {'share':>7}  box (x, y, width, height)")
    for number, proposal in enumerate(found, 1):
        bbox, pixels = proposal.crop()
        area = int(pixels.sum())
        share = f"{area / (size[0] * size[1]):.1%}"
        typer.echo(f"{number:>2} {proposal.score:>6.3f} {area:>10} {share:>7}  {', '.join(map(str, bbox))}")
