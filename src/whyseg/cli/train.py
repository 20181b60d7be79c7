"""``whyseg train``: GRPO on a release or any data, its report, its explanation, and its result as one model."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from whyseg.cli.options import HERE, JsonOption, WorkspaceOption, note, print_json

if TYPE_CHECKING:
    from whyseg.training.run import RunRecord
    from whyseg.training.settings import Machine

Sampler = Literal["off", "colocate", "server"]
PresetArgument = Annotated[
    str | None, typer.Argument(metavar="PRESET", help="A preset's name, or its TOML file.", show_default=False)
]
DataOption = Annotated[
    str | None, typer.Option(metavar="DATA", help="A release, a path, or a dataset's OWNER/NAME.", show_default=False)
]
ExplainOption = Annotated[bool, typer.Option("--explain", help="Say what the preset does and where it departs.")]
SplitOption = Annotated[Literal["train", "validation", "test"], typer.Option(help="The split to train on.")]
UpdatesOption = Annotated[
    int | None, typer.Option(min=1, help="Optimiser updates instead of the preset's.", show_default=False)
]
SaveOption = Annotated[int | None, typer.Option(min=1, help="Updates between checkpoints.", show_default=False)]
SeedOption = Annotated[int | None, typer.Option(min=0, help="Instead of the preset's.", show_default=False)]
PolicyOption = Annotated[
    str | None, typer.Option(metavar="MODEL", help="Start from this model instead.", show_default=False)
]
SegmenterOption = Annotated[
    str | None, typer.Option(metavar="MODEL", help="The SAM 2 whose masks are rewarded.", show_default=False)
]
DeviceOption = Annotated[
    str | None, typer.Option(metavar="DEVICE", help="Where it runs, such as cuda:1.", show_default=False)
]
TogetherOption = Annotated[
    int | None, typer.Option(min=1, help="Prompts a process samples at once.", show_default=False)
]
RowsOption = Annotated[int | None, typer.Option(min=1, help="Rollouts of a backward pass.", show_default=False)]
VllmOption = Annotated[Sampler, typer.Option(help="Who samples: the model itself, vLLM beside it, a vLLM server.")]
UrlOption = Annotated[str | None, typer.Option(metavar="URL", help="The vLLM server's.", show_default=False)]


def _run(text: str, *names: str) -> Any:
    return typer.Option(*names, metavar="RUN", help=text, show_default=False)


OutOption = Annotated[Path | None, _run("The run's new folder; with --merge, the model's.")]
ResumeOption = Annotated[Path | None, _run("Go on with a run that was cut off.")]
ReportOption = Annotated[Path | None, _run("Draw a run's curves, answers and page anew.")]
MergeOption = Annotated[Path | None, _run("Write its policy to --out as a model without adapters.")]
ContinueOption = Annotated[Path | None, _run("Go on from this run's policy, as a second stage does.", "--continue")]


def train(
    preset: PresetArgument = None,
    data: DataOption = None,
    workspace: WorkspaceOption = HERE,
    out: OutOption = None,
    explain: ExplainOption = False,
    resume: ResumeOption = None,
    report: ReportOption = None,
    merge: MergeOption = None,
    continues: ContinueOption = None,
    policy: PolicyOption = None,
    split: SplitOption = "train",
    updates: UpdatesOption = None,
    save_every: SaveOption = None,
    seed: SeedOption = None,
    segmenter: SegmenterOption = None,
    segmenter_device: DeviceOption = None,
    prompts_together: TogetherOption = None,
    rows: RowsOption = None,
    vllm: VllmOption = "off",
    vllm_url: UrlOption = None,
    json: JsonOption = False,
) -> None:
    """Train a policy on data by GRPO, with a paper's preset or one of your own.

    Without --out the run goes to runs/ in the workspace. A run that was cut off goes on with --resume RUN.
    """
    from whyseg.schemas.errors import UsageError

    others = {"--resume": resume, "--report": report, "--merge": merge}
    chosen = {name: run for name, run in others.items() if run is not None}
    if chosen:
        return _with_run(chosen, bool(preset or data or explain), out, json)
    if preset is None:
        raise UsageError("a preset is missing; whyseg train PRESET --explain says what one does")
    if explain:
        return _explain(preset, json)
    if data is None:
        raise UsageError("the data is missing: --data with a release's name, a path, or a dataset's OWNER/NAME")
    settings = {
        "machine": _machine(prompts_together, rows, vllm, vllm_url), "policy": policy, "continues": continues,
        "segmenter": segmenter, "segmenter_device": segmenter_device, "updates": updates, "save_every": save_every,
        "seed": seed, "split": split,
    }  # fmt: skip
    _start(preset, data, workspace, out, settings, json)


def _with_run(chosen: dict[str, Path], more: bool, out: Path | None, json: bool) -> None:
    """Do what is asked of a run that is there."""
    from whyseg.schemas.errors import UsageError

    name, run = next(iter(chosen.items()))
    if len(chosen) > 1 or more:
        raise UsageError(f"{' and '.join(chosen)} takes a run's folder alone: the run knows its preset and its data")
    if name == "--report":
        _report(run, json)
    elif name == "--merge":
        _merge(run, out, json)
    else:
        _go_on(run, json)


def _start(preset: str, data: str, workspace: Path, out: Path | None, settings: dict[str, Any], json: bool) -> None:
    from whyseg.curation.reading import open_data
    from whyseg.curation.times import now
    from whyseg.schemas.errors import UsageError
    from whyseg.training.launch import start
    from whyseg.training.presets import load_preset
    from whyseg.training.run import named, processes

    known, opened = load_preset(preset), open_data(data, workspace=workspace)
    if out is None:
        if processes() > 1:
            raise UsageError("several processes need one name for the run: give --out")
        out = workspace / "runs" / named(known, now())
    with _progress() as moved:
        record = start(known, opened, out, told=note, progress=moved, **settings)
    _show(out, record, json)


def _machine(prompts: int | None, rows: int | None, vllm: Sampler, url: str | None) -> "Machine":
    import torch

    from whyseg.training.settings import Machine

    cuda = torch.cuda.is_available()
    return Machine(
        prompts_together=prompts, rows=rows, cuda=cuda, bf16=cuda, checkpointing=cuda, vllm=vllm, vllm_url=url
    )


def _go_on(run: Path, json: bool) -> None:
    from whyseg.training.launch import resume

    with _progress() as moved:
        record = resume(run, told=note, progress=moved)
    _show(run, record, json)


def _report(run: Path, json: bool) -> None:
    from whyseg.training.report import write_report
    from whyseg.training.run import RunFolder

    path = write_report(RunFolder.of(run))
    print_json({"report": str(path)}) if json else typer.echo(path)


def _merge(run: Path, out: Path | None, json: bool) -> None:
    from whyseg.schemas.errors import UsageError
    from whyseg.training.policies import card_of

    found = card_of(run)
    if found is None:
        raise UsageError(f"{run} holds no trained policy: is its run finished?")
    where, card = found
    if card.base is None:
        raise UsageError(f"{run} was trained without adapters: its policy, {where}, is a whole model already")
    if out is None or (out.exists() and any(out.iterdir())):
        raise UsageError("--merge writes to a new or empty folder: give it with --out")
    from whyseg.training.trainer import merge

    merge(Path(where), card, out)
    print_json({"policy": str(out)}) if json else typer.echo(out)


def _explain(preset: str, json: bool) -> None:
    from whyseg.training.explain import deviations, explain
    from whyseg.training.presets import load_preset

    known = load_preset(preset)
    if json:
        print_json({"preset": known.plain(), "deviations": deviations(known)})
    else:
        typer.echo(explain(known))


def _show(run: Path, record: "RunRecord", json: bool) -> None:
    from whyseg.training.run import is_main

    if not is_main():
        return
    if json:
        print_json({"run": str(run), **record.plain()})
        return
    if record.data.left_out:
        note(f"left out {record.data.left_out} rows; {run / 'data' / 'left_out.jsonl'} says why")
    typer.echo(f"{record.plan.updates} updates on {record.data.rows} rows: {run / 'policy'}")
    typer.echo(f"report: {run / 'report.html'}")


@contextmanager
def _progress() -> Iterator[Callable[[int, int, float], None]]:
    """Show on standard error how far the run is: a bar on a terminal, else a line at every tenth."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _said
        return
    columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}")
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as bar:
        task = bar.add_task("training", total=None)
        yield lambda done, count, reward: bar.update(
            task, completed=done, total=count, description=f"reward {reward:.2f}"
        )


def _said(done: int, count: int, reward: float) -> None:
    if done == count or done % max(1, count // 10) == 0:
        note(f"update {done} of {count}: mean reward {reward:.3f}")
