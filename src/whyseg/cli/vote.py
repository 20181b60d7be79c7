"""``whyseg vote``: one mask out of several answers; no workspace needed."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from whyseg.cli.options import JsonOption, print_json

if TYPE_CHECKING:
    from whyseg.training.voting import Ballots, Settings, Vote

ShareRange = {"min": 0.0, "max": 1.0}
NoObjectOption = Annotated[
    float, typer.Option(help="From this share of votes for nothing, nothing it is.", **ShareRange)
]
IouOption = Annotated[
    float, typer.Option(help="From this IoU with a cluster's first mask, a mask joins it.", **ShareRange)
]
VotesOption = Annotated[
    float, typer.Option("--vote-share", help="A cluster needs this share of the answers.", **ShareRange)
]
ModeOption = Annotated[
    Literal["best", "consensus"], typer.Option(help="A cluster's mask: its best member's, or a vote of pixels.")
]
PixelsOption = Annotated[
    float, typer.Option(help="The share of scores that a pixel needs in a consensus.", **ShareRange)
]


def vote(
    candidates: Annotated[Path, typer.Argument(metavar="CANDIDATES.json", help="The answers and their masks.")],
    no_object: NoObjectOption = 0.5,
    iou: IouOption = 0.85,
    votes: VotesOption = 0.2,
    mode: ModeOption = "best",
    pixels: PixelsOption = 0.5,
    sweep: Annotated[bool, typer.Option("--sweep", help="Vote with StAR's grid of settings as well.")] = False,
    json: JsonOption = False,
) -> None:
    """Vote on the masks of several sampled answers to one question, as StAR does; the defaults are StAR's.

    Answers are clustered by the IoU of their masks; the clusters with most votes win, as many as most answers see
    objects. Nothing is asked again: other settings vote on the same candidates.
    """
    from whyseg.training.candidates import read_candidates

    settings = settings_from(no_object=no_object, iou=iou, votes=votes, mode=mode, pixels=pixels)
    ballots = read_candidates(candidates).ballots()
    found = ballots.vote(settings)
    rows = _sweep(ballots, found) if sweep else []
    if json:
        print_json({**_plain(found), "settings": settings.plain(), **({"sweep": rows} if sweep else {})})
        return
    show(found)
    for row in rows:
        words = ", ".join(f"{name} {value}" for name, value in row["settings"].items())
        typer.echo(f"{words}: {row['outcome']}, agreement {row['agreement']:.2f}, IoU {row['iou']:.4f} with the above")


def settings_from(**words: Any) -> "Settings":
    """Return the settings that options give; raises ``UsageError`` for what is no share."""
    from whyseg.schemas.errors import InvalidRecord, UsageError
    from whyseg.training.voting import Settings

    try:
        return Settings.parse(words)
    except InvalidRecord as error:  # NaN, which a range lets through
        raise UsageError(str(error)) from error


def _plain(found: "Vote") -> dict[str, Any]:
    """Return a vote as plain data; the masks under ``rle``, null where there is none or it is empty."""
    data = found.plain()
    mask = data.pop("mask")
    clusters = [{"rle": one.pop("mask"), **one} for one in data.pop("clusters")]
    return {"rle": mask if found.outcome == "mask" else None, **data, "clusters": clusters}


def _sweep(ballots: "Ballots", chosen: "Vote") -> list[dict[str, Any]]:
    """Return what every setting of the grid comes to, with its IoU with the vote that was chosen."""
    from whyseg.training.voting import settings_of

    rows = []
    for settings in settings_of():
        found = ballots.vote(settings)
        same = 1.0 if found.mask is None or chosen.mask is None else found.mask.iou(chosen.mask)
        area = found.mask.area if found.mask else 0
        facts = {"outcome": found.outcome, "agreement": found.agreement, "area": area, "iou": same}
        rows.append({"settings": told(settings), **facts})
    return rows


def told(settings: "Settings") -> dict[str, Any]:
    """Return what there is to say of settings: the share of pixels matters for a consensus alone."""
    return settings.model_dump(exclude={"pixels"} if settings.mode == "best" else set())


def show(found: "Vote") -> None:
    """Print a vote as a table of its clusters."""
    from whyseg.curation.images import printable

    typer.echo(f"{found.outcome}: agreement {found.agreement:.2f}, {found.valid} readable answers")
    typer.echo(f"{found.no_object_votes} see nothing, most of the others {found.count} object(s)")
    typer.echo(f"{'':>2} {'votes':>5} {'share':>6} {'score':>6} {'pixels':>10}  label")
    for one in found.clusters:
        mark = "*" if one.chosen else ""
        typer.echo(
            f"{mark:>2} {one.votes:>5} {one.ratio:>6.2f} {one.score:>6.3f} {one.mask.area:>10}  {printable(one.label)}"
        )
