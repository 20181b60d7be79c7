"""``whyseg draft``: questions proposed for samples that have masks and labels."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from whyseg.cli.options import HERE, JsonOption, WorkspaceOption, note, print_json
from whyseg.schemas.errors import UsageError

if TYPE_CHECKING:
    from whyseg.curation.drafting.bulk import DraftReport
    from whyseg.schemas import ReasoningType

DrafterOption = Annotated[
    Literal["template", "openai", "transformers"], typer.Option(help="What drafts: rules, an endpoint, a model here.")
]
TypeOption = Annotated[
    list[str] | None,
    typer.Option(metavar="TYPE", help="A type of reasoning, such as commonsense; repeatable, by default all."),
]
DepthOption = Annotated[
    list[int] | None, typer.Option(min=1, max=4, help="The number of steps; repeatable, by default 1 to 4.")
]
ModelOption = Annotated[str | None, typer.Option(help="The endpoint's model; or a folder or Hub id of one to load.")]
EndpointOption = Annotated[
    str | None, typer.Option(help="Where chat completions are served, such as http://localhost:8000/v1.")
]
KeyVariableOption = Annotated[str, typer.Option(help="The environment variable that holds the endpoint's key.")]
TimeoutOption = Annotated[float, typer.Option(min=1, help="Seconds that the endpoint may take for one answer.")]
SHOWN = 20  # failures printed one by one


def draft(
    drafter: DrafterOption = "template",
    type: TypeOption = None,
    depth: DepthOption = None,
    ask: Annotated[
        bool, typer.Option("--ask", help="Have the drafter's model judge each draft too, by two questions a candidate.")
    ] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="Draft for so many samples at most.")] = None,
    n: Annotated[int, typer.Option("--n", min=1, max=20, help="Drafts a sample.")] = 3,
    concurrency: Annotated[int, typer.Option(min=1, max=64, help="Samples at the same time.")] = 1,
    model: ModelOption = None,
    endpoint: EndpointOption = None,
    key_variable: KeyVariableOption = "OPENAI_API_KEY",
    price_in: Annotated[float, typer.Option(min=0, help="Price of a million tokens in, to count the cost.")] = 0.0,
    price_out: Annotated[float, typer.Option(min=0, help="Price of a million tokens out.")] = 0.0,
    timeout: TimeoutOption = 120.0,
    workspace: WorkspaceOption = HERE,
    json: JsonOption = False,
) -> None:
    """Propose questions for samples that have masks and labels but no question; safe to stop and to repeat.

    What was drafted is kept as suggestions beside the samples, with what a critic finds wrong; no sample is changed.
    Exit 1 when a sample's drafts failed.
    """
    from whyseg.curation.drafting.asking import Asker, ModelCritic
    from whyseg.curation.drafting.bulk import by_rules, draft_all
    from whyseg.curation.drafting.choose import open_drafter
    from whyseg.curation.workspace import Workspace
    from whyseg.schemas import ReasoningType

    kinds = [_type(name) for name in type or [kind.value for kind in ReasoningType]]
    asks = [(kind, steps) for kind in kinds for steps in depth or (1, 2, 3, 4)]
    prices = price_in, price_out
    with (
        Workspace.open(workspace) as opened,
        open_drafter(
            drafter,
            model=model,
            endpoint=endpoint,
            key_variable=key_variable,
            prices=prices,
            seconds=timeout,
            told=note,
        ) as chosen,
        _progress() as progress,
    ):
        judged = by_rules
        if ask:
            if not isinstance(chosen, Asker):
                raise UsageError(f"--ask needs a model, and --drafter {drafter} has none")
            judged = ModelCritic(chosen).judge
        report = draft_all(
            opened, chosen, asks, n=n, limit=limit, concurrency=concurrency, judged=judged, progress=progress
        )
    if json:
        print_json(report.plain())
    else:
        _print(report)
    if report.failed:
        raise typer.Exit(1)


def _type(name: str) -> "ReasoningType":
    from whyseg.schemas import ReasoningType
    from whyseg.schemas.sample import as_reasoning_type

    kind = as_reasoning_type(name)
    if not isinstance(kind, ReasoningType):
        raise UsageError(
            f"no reasoning type {name!r}; expected one of {', '.join(known.value for known in ReasoningType)}"
        )
    return kind


def _print(report: "DraftReport") -> None:
    for failure in report.failed[:SHOWN]:
        typer.echo(f"sample {failure['sample_id']}: {failure['kind']}: {failure['reason']}")
    if len(report.failed) > SHOWN:
        typer.echo(f"and {len(report.failed) - SHOWN} more failures")
    typer.echo(
        f"drafted {report.drafts} questions for {report.drafted} samples, {report.marked} of them with marks; "
        f"{report.declined} samples declined, {report.skipped} drafted before, {len(report.failed)} failed"
    )
    if tokens := report.usage.prompt_tokens + report.usage.completion_tokens:
        typer.echo(f"{tokens} tokens, cost {report.usage.cost:.4f}")


@contextmanager
def _progress() -> "Iterator[Callable[[DraftReport], None]]":
    """Show on standard error, where that is a terminal, how many samples were drafted for."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = SpinnerColumn(), TextColumn("{task.description} {task.completed} samples"), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("drafting", total=None)
        yield lambda report: progress.update(task, completed=report.drafted + report.declined + len(report.failed))
