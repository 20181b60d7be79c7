"""``whyseg score``: what a model's answers say about the samples."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from whyseg.cli.evaluate import EndpointOption, PresetOption, SplitOption, SupportsClose, word
from whyseg.cli.options import HERE, JsonOption, WorkspaceOption, note, print_json
from whyseg.cli.sampling import (
    LONGEST,
    SEED,
    MaxTokensOption,
    SeedOption,
    TemperatureOption,
    TopPOption,
    require_unasked,
    sampling_of,
)

if TYPE_CHECKING:
    from whyseg.curation.workspace import Workspace
    from whyseg.training.policies import Policy
    from whyseg.training.score import Asked, ScoreReport

ReleaseArgument = Annotated[
    str | None, typer.Argument(metavar="RELEASE", help="Whose frozen samples are asked about.", show_default=False)
]
AllOption = Annotated[bool, typer.Option("--all", help="Every sample as it stands, instead of a release.")]
PolicyOption = Annotated[
    str | None, word("MODEL", "Who answers: a run, a model's folder, a Hub id, a served name; of candidates, a name.")
]
CandidatesOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Answers that are there, a line a sample.", show_default=False),
]
SegmenterOption = Annotated[str | None, word("MODEL", "What makes masks; the policy's usual one, else SAM 2.1 large.")]
SamplesOption = Annotated[int, typer.Option(min=1, help="Answers to a question; below 8 nothing is found.")]


def score(
    release: ReleaseArgument = None,
    every: AllOption = False,
    policy: PolicyOption = None,
    candidates: CandidatesOption = None,
    preset: PresetOption = None,
    endpoint: EndpointOption = None,
    segmenter: SegmenterOption = None,
    samples: SamplesOption = 16,
    temperature: TemperatureOption = None,
    top_p: TopPOption = None,
    max_tokens: MaxTokensOption = LONGEST,
    seed: SeedOption = SEED,
    split: SplitOption = None,
    workspace: WorkspaceOption = HERE,
    json: JsonOption = False,
) -> None:
    """Ask a policy about the samples, and find those that its answers speak against. A run that was cut off goes on.

    Signals are kept for every sample, findings and proposals go to the Review tab. Nothing is changed.
    """
    from whyseg.curation.workspace import Workspace
    from whyseg.schemas.errors import UsageError
    from whyseg.training.score import wanted

    if (release is None) != every:
        raise UsageError("say what to score: a release, or --all")
    if every and split is not None:
        raise UsageError("--split is a release's: samples as they stand have no split")
    if policy is None and candidates is None:
        raise UsageError("say who answers: --policy MODEL, or --candidates FILE")
    require_unasked(candidates, preset, endpoint)
    sampling: dict[str, Any] = {
        "k": samples, "temperature": temperature, "top_p": top_p, "max_tokens": max_tokens, "seed": seed,
    }  # fmt: skip
    with Workspace.open(workspace) as opened:
        asked = wanted(opened, release, split)
        words = {"preset": preset, "endpoint": endpoint, "segmenter": segmenter, "sampling": sampling}
        if candidates is not None:
            found = _stored(opened, asked, release, candidates, policy, words)
        else:
            found = _live(opened, asked, release, policy or "", words)
    _show(found, json)


def _live(
    workspace: "Workspace", asked: "list[Asked]", release: str | None, policy: str, words: dict[str, Any]
) -> "ScoreReport":
    from whyseg.training.policies import open_policy

    opened = open_policy(policy, preset=words["preset"], endpoint=words["endpoint"])
    try:
        return _asked(workspace, asked, release, opened, words)
    finally:
        if isinstance(opened, SupportsClose):
            opened.close()


def _asked(
    workspace: "Workspace", asked: "list[Asked]", release: str | None, policy: "Policy", words: dict[str, Any]
) -> "ScoreReport":
    from whyseg.curation.segmenters import choose
    from whyseg.training.mask_reward import Masks
    from whyseg.training.predict import Predictor, usual_segmenter
    from whyseg.training.score import FOLDER, Live, run_of
    from whyseg.training.score import score as run

    sampling = sampling_of(words["sampling"])
    segmenter, reason = choose(model=words["segmenter"] or usual_segmenter(policy), told=note)
    note(reason)
    masks = Masks(segmenter)
    source = Live(Predictor(policy, masks, sampling), workspace.cache / FOLDER)
    try:
        facts = {"policy": policy.name, "samples": sampling.k, "temperature": sampling.temperature}
        more = {"segmenter": segmenter.model, "seed": sampling.seed, "created_at": workspace.store.clock()}
        with _counting() as progress:
            begun = run_of(source.facts(), asked, release, **facts, **more)
            return run(workspace, begun, asked, source, masks, progress=progress)
    finally:
        source.close()


def _stored(
    workspace: "Workspace",
    asked: "list[Asked]",
    release: str | None,
    file: Path,
    name: str | None,
    words: dict[str, Any],
) -> "ScoreReport":
    from whyseg.curation.segmenters import choose
    from whyseg.schemas.errors import UsageError
    from whyseg.training.mask_reward import Masks
    from whyseg.training.score import Stored, run_of
    from whyseg.training.score import score as run

    source = Stored(file)
    if not any(one.revision.sample.id in source.file for one in asked):
        raise UsageError(f"{file} holds candidates of none of the {len(asked)} samples that are to be scored")
    segmenter, reason = choose(model=words["segmenter"] or "facebook/sam2.1-hiera-large", told=note)
    note(reason)
    sampling = words["sampling"]
    temperature = 1.0 if sampling["temperature"] is None else sampling["temperature"]
    facts = {"policy": name or file.name, "samples": source.most(), "temperature": temperature}
    more = {"segmenter": segmenter.model, "seed": sampling["seed"], "created_at": workspace.store.clock()}
    with _counting() as progress:
        begun = run_of(source.facts(), asked, release, **facts, **more)
        return run(workspace, begun, asked, source, Masks(segmenter), progress=progress)


def _show(found: "ScoreReport", json: bool) -> None:
    for refusal in found.refused:
        note(f"refused the candidates of {refusal.file}: {refusal.reason}")
    if found.left_out:
        first = found.left_out[0]
        note(f"left out {len(found.left_out)} samples that cannot be scored; the first is {first.file}: {first.reason}")
    if found.revised:
        note(f"{found.revised} samples were revised since: they have signals, and neither findings nor proposals")
    if found.rejected:
        note(f"{found.rejected} samples are rejected, and are passed over")
    if found.unanswered:
        note(f"{found.unanswered} questions have no answers; another run asks them again")
    if found.withheld:
        note(
            f"the answers speak against {found.withheld} samples more: too many for the data alone, so the policy is "
            "often wrong itself, and only what it is surest of is kept"
        )
    if json:
        print_json(found.plain())
    else:
        typer.echo(f"{found.scored} samples scored by {found.run.policy}, {found.known} before: run {found.run.id}")
        for kind, count in found.findings.items():
            typer.echo(f"{count:>6}  {kind}")
        typer.echo(f"{found.new} new findings, {found.gone} gone; {found.proposals} new proposals")
    if found.refused or found.unanswered:
        raise typer.Exit(1)


@contextmanager
def _counting() -> Iterator[Callable[[int, int], None]]:
    """Show on standard error, where that is a terminal, how many samples are done."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bars:
        task = bars.add_task("scoring", total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)
