"""``whyseg world …``: drawn scenes with typed questions and exact masks, to try and to prove training on."""

from pathlib import Path
from typing import Annotated

import typer

from whyseg.cli.listing import Listing
from whyseg.cli.options import JsonOption, print_json

app = typer.Typer(
    name="world",
    cls=Listing,
    help="Make data whose questions, hops and masks are known.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.callback()
def _group() -> None:
    """Make data whose questions, hops and masks are known."""


@app.command()
def make(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The new folder.")],
    n: Annotated[int, typer.Option("--n", min=1, help="How many samples.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="The same seed makes the same samples.")] = 0,
    size: Annotated[int, typer.Option(min=112, max=2048, help="Pixels a side.")] = 112,
    plain: Annotated[
        bool,
        typer.Option("--plain", help="Few things in cells of a grid, one step, one answer: what a tiny policy learns."),
    ] = False,
    no_target: Annotated[
        float | None, typer.Option(min=0, max=1, help="The share of questions that nothing answers.")
    ] = None,
    errors: Annotated[float, typer.Option(min=0, max=1, help="The share of samples that get a mistake.")] = 0.0,
    splits: Annotated[bool, typer.Option("--splits", help="One of ten for validation, one for the test.")] = False,
    json: JsonOption = False,
) -> None:
    """Write samples as parquet files that `whyseg import hf` and load_dataset open, and what was planted in them."""
    from whyseg.cli.exporting import progress_bar
    from whyseg.training.world.dataset import PLAIN, World
    from whyseg.training.world.export import PLANTED, write_world

    base = PLAIN if plain else World()
    world = World.parse(
        {
            **base.plain(),
            "side": size,
            "errors": errors,
            "no_target": base.no_target if no_target is None else no_target,
        }
    )
    with progress_bar("drawing") as progress:
        report = write_world(out, n, seed, world, splits=splits, progress=progress)
    if json:
        print_json(report.plain())
        return
    for kind, depths in report.cells.items():
        typer.echo(f"{kind:<24}" + "  ".join(f"depth {depth}: {count:>5}" for depth, count in depths.items()))
    typer.echo(f"nothing to find: {report.no_target}")
    for error, count in report.planted.items():
        typer.echo(f"planted {error}: {count}")
    typer.echo(f"wrote {report.samples} samples to {out}" + (f"; the truth is in {out / PLANTED}" if errors else ""))
