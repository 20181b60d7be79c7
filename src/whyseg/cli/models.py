"""``whyseg models …``: the weights that segmenters run on."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from whyseg.cli.listing import Listing
from whyseg.cli.options import JsonOption, note, print_json

if TYPE_CHECKING:
    from whyseg.curation.segmenters.weights import Model

app = typer.Typer(
    name="models",
    cls=Listing,
    help="Weights for segmenters: what there is, what is here.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

converting = typer.Typer(
    cls=Listing,
    help="Bring weights into a format that whyseg loads.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(converting, name="convert")

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="A model of `whyseg models list`, or a Hub id.")]


@app.callback()
def _group() -> None:
    """Weights for segmenters: what there is, what is here."""


@app.command("list")
def list_models(json: JsonOption = False) -> None:
    """List the models that whyseg knows, and whether their weights are on this machine."""
    from whyseg.curation.segmenters import weights

    rows = [_described(model) for model in weights.MODELS.values()]
    if json:
        print_json(rows)
        return
    for row in rows:
        state = "here" if row["folder"] else "not here"
        typer.echo(f"{row['name']:<34} {row['backend']:<10} {state:<9} {row['what']}")
    typer.echo(f"{'(no weights)':<34} {'grabcut':<10} {'here':<9} OpenCV's GrabCut: colours, not objects")


@app.command()
def pull(name: NameArgument, json: JsonOption = False) -> None:
    """Fetch a model's weights, unless they are here, and check them. Exit 1 when they cannot be had."""
    from rich.console import Console

    from whyseg.curation.segmenters import weights

    model = weights.find(name)
    if weights.here(model) is None:
        note(f"fetching {model.name} from {model.source}")
        with Console(stderr=True).status("fetching"):
            weights.pull(model)
    described = _described(model)
    if json:
        print_json(described)
    else:
        typer.echo(f"{model.name} is in {described['folder']}")


@app.command()
def info(name: NameArgument, json: JsonOption = False) -> None:
    """Show what a model is, where it comes from, its licence, its files and their SHA-256."""
    from whyseg.curation.segmenters import weights

    described = _described(weights.find(name))
    if json:
        print_json(described)
        return
    for key in ("name", "backend", "what", "source", "license"):
        typer.echo(f"{key:<8} {described[key]}")
    typer.echo(f"{'folder':<8} {described['folder'] or 'not on this machine'}")
    for file in described["files"]:
        facts = [f"{file['size']:,} bytes"] if file["size"] else []
        facts += [f"sha256 {file['sha256']}"] if file["sha256"] else []
        typer.echo(f"{'file':<8} {'  '.join([file['name'], *facts])}")


@converting.callback()
def _converting() -> None:
    """Bring weights into a format that whyseg loads."""


@converting.command("sam2")
def convert_sam2(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A checkpoint made with Meta's sam2 code.")],
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The folder to make.", show_default="FILE without its ending")
    ] = None,
    config: Annotated[
        str, typer.Option(help="auto, or sam2.1_hiera_t, sam2.1_hiera_s, sam2.1_hiera_b+, sam2.1_hiera_l.")
    ] = "auto",
    json: JsonOption = False,
) -> None:
    """Make a folder that the segmenter sam2 loads of a checkpoint made with Meta's code; nothing of FILE is run."""
    from whyseg.curation.segmenters.sam2_convert import convert

    made = convert(file, out or file.with_suffix(""), config=config)
    if json:
        print_json(made.plain())
        return
    typer.echo(f"{made.folder}: {made.size}, {made.parameters / 1e6:.1f} million parameters")
    if made.left_out:
        note(f"left out {sum(made.left_out.values())} weights that only videos need: {', '.join(made.left_out)}")
    typer.echo(f"next: whyseg segment PICTURE --point X,Y --model {made.folder}")


def _described(model: "Model") -> dict[str, Any]:
    """Return a model as plain data; sizes and hashes are the stated ones, else those of the files that are here."""
    from whyseg.curation.segmenters import weights

    folder = weights.here(model)
    files = []
    for file in model.files:
        path = folder / file.name if folder else None
        there = path is not None and path.is_file()
        files.append(
            {
                "name": file.name,
                "size": file.size or (path.stat().st_size if path and there else None),
                "sha256": file.sha256 or (weights.sha256_of(path) if path and there else None),
            }
        )
    return {
        "name": model.name,
        "backend": model.backend,
        "what": model.what,
        "source": model.source,
        "license": model.license,
        "folder": str(folder) if folder else None,
        "files": files,
    }
