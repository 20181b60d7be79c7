"""``whyseg compare``: two releases, by what is learnt from them or by what a policy scores on them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from whyseg.cli.evaluate import ProtocolOption, word
from whyseg.cli.options import HERE, JsonOption, WorkspaceOption, note, print_json

if TYPE_CHECKING:
    from whyseg.curation.reading import Data
    from whyseg.training.mask_reward import Masks
    from whyseg.training.presets import Preset
    from whyseg.training.protocols import Protocol
    from whyseg.training.recipes import Recipe

FirstArgument = Annotated[str, typer.Argument(metavar="FIRST", help="A release, a path, or a dataset's OWNER/NAME.")]
SecondArgument = Annotated[str, typer.Argument(metavar="SECOND", help="What it is compared with.")]
OutOption = Annotated[Path, typer.Option(metavar="DIR", help="A new folder, or one to go on in.")]
OnOption = Annotated[str | None, word("DATA", "Train on both, and compare on this: its split test, or all of it.")]
PresetOption = Annotated[str | None, word("PRESET", "How both are trained, or how the policy is asked.")]
RecipeOption = Annotated[Literal["grpo", "sft"], typer.Option(help="The preset's GRPO, or supervised (the world's).")]
PolicyOption = Annotated[str | None, word("MODEL", "What both start from, or, without --on, who is asked.")]
SeedsOption = Annotated[str, typer.Option(metavar="N,N,…", help="A training of both for each.")]
UpdatesOption = Annotated[
    int | None, typer.Option(min=1, help="Updates of each training instead of the usual.", show_default=False)
]
SamplesOption = Annotated[int, typer.Option(min=1, help="Answers to a question; above 1 they are voted on.")]
SegmenterOption = Annotated[str | None, word("MODEL", "What makes masks of answers; the preset's usual.")]


def compare(
    first: FirstArgument,
    second: SecondArgument,
    out: OutOption,
    on: OnOption = None,
    preset: PresetOption = None,
    recipe: RecipeOption = "grpo",
    policy: PolicyOption = None,
    seeds: SeedsOption = "0",
    updates: UpdatesOption = None,
    samples: SamplesOption = 1,
    segmenter: SegmenterOption = None,
    protocol: ProtocolOption = "lisa",
    workspace: WorkspaceOption = HERE,
    json: JsonOption = False,
) -> None:
    """Compare two releases under one recipe: the second's figures less the first's, with their intervals.

    With --on a policy is trained on each, the same way, and both answer the held-out questions. Without, --policy is
    asked both releases' questions, and its answers are scored by the masks of either. A comparison that was cut off
    goes on when it is started again.
    """
    from whyseg.curation.reading import open_data
    from whyseg.schemas.errors import UsageError
    from whyseg.training.protocols import protocol_of

    sides = open_data(first, workspace=workspace), open_data(second, workspace=workspace)
    rules = protocol_of(protocol)
    if on is None:
        if policy is None:
            raise UsageError("say what to compare on: --on DATA, or --policy MODEL to ask one about both")
        _benchmarks(sides, out, policy, preset, segmenter, samples, rules, json)
        return
    if preset is None:
        raise UsageError("say how both are trained: --preset PRESET")
    held_out = open_data(on, workspace=workspace)
    _trained(sides, held_out, out, preset, recipe, policy, numbers(seeds), updates, samples, segmenter, rules, json)


def numbers(text: str) -> list[int]:
    """Return the seeds that a text names, between commas or spaces; raises ``UsageError``."""
    from whyseg.schemas.errors import UsageError

    words = text.replace(",", " ").split()
    if not words or not all(word.isdecimal() and len(word) <= 10 and int(word) < 2**31 for word in words):
        raise UsageError(f"--seeds are whole numbers between commas, such as 0,1,2, got {text[:100]!r}")
    return [int(word) for word in words]


def _trained(
    sides: "tuple[Data, Data]",
    held_out: "Data",
    out: Path,
    preset: str,
    recipe: str,
    policy: str | None,
    seeds: list[int],
    updates: int | None,
    samples: int,
    segmenter: str | None,
    rules: "Protocol",
    json: bool,
) -> None:
    from whyseg.training.compare import compare_data
    from whyseg.training.compare_page import conclusion, rows, write_page
    from whyseg.training.launch import WORLD
    from whyseg.training.presets import load_preset

    known = load_preset(preset)
    usual = "tiny-test" if known.policy.model in WORLD else "facebook/sam2.1-hiera-large"
    found = compare_data(
        *sides,
        held_out,
        out,
        recipe=_recipe(recipe, known, policy, updates, segmenter),
        masks=_masks(segmenter or usual),
        protocol=rules,
        seeds=seeds,
        samples=samples,
        told=note,
    )
    page = write_page(found, held_out, out)
    if json:
        print_json({**found.plain(), "report": str(page)})
        return
    _table(rows(found))
    typer.echo(conclusion(found))
    if found.near_duplicates:
        note(f"{found.near_duplicates} of {found.setup.held_out.images} held-out pictures resemble a trained one")
    typer.echo(f"report: {page}")


def _benchmarks(
    sides: "tuple[Data, Data]",
    out: Path,
    policy: str,
    preset: str | None,
    segmenter: str | None,
    samples: int,
    rules: "Protocol",
    json: bool,
) -> None:
    from whyseg.training.compare_benchmarks import compare_benchmarks
    from whyseg.training.compare_page import benchmark_rows, write_benchmark_page
    from whyseg.training.policies import open_policy
    from whyseg.training.predict import Predictor, Sampling, usual_segmenter

    opened = open_policy(policy, preset=preset)
    predictor = Predictor(opened, _masks(segmenter or usual_segmenter(opened)), Sampling.of(samples))
    found = compare_benchmarks(*sides, out, predictor=predictor, protocol=rules, told=note)
    page = write_benchmark_page(found, out)
    if json:
        print_json({**found.plain(), "report": str(page)})
        return
    _table(benchmark_rows(found))
    typer.echo(f"{found.reworded} questions reworded, {found.added} samples came, {found.removed} went")
    typer.echo(f"report: {page}")


def _recipe(name: str, preset: "Preset", policy: str | None, updates: int | None, segmenter: str | None) -> "Recipe":
    import torch

    from whyseg.training.recipes import Grpo, Sft
    from whyseg.training.settings import Machine

    if name == "sft":
        return Sft(preset, policy, updates)
    cuda = torch.cuda.is_available()
    machine = Machine(cuda=cuda, bf16=cuda, checkpointing=cuda)
    return Grpo(preset, policy, updates, machine=machine, segmenter=segmenter)


def _masks(segmenter: str) -> "Masks":
    from whyseg.curation.segmenters import choose
    from whyseg.training.mask_reward import Masks

    chosen, reason = choose(model=segmenter, told=note)
    note(reason)
    return Masks(chosen)


def _table(rows: list[list[str]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for first, *others in rows:
        cells = [f"{text:>{width}}" for text, width in zip(others, widths[1:], strict=True)]
        typer.echo("  ".join([f"{first:<{widths[0]}}", *cells]).rstrip())
