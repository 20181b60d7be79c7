"""``whyseg refine``: walk through a benchmark and propose what would mend it."""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from whyseg.cli.drafting import DrafterOption, KeyVariableOption
from whyseg.cli.evaluate import EndpointOption, PresetOption, SplitOption, SupportsClose, word
from whyseg.cli.exporting import progress_bar
from whyseg.cli.options import HERE, JsonOption, WorkspaceOption, note, print_json
from whyseg.cli.sampling import require_unasked
from whyseg.schemas.errors import UsageError
from whyseg.schemas.proposal import RevisionReason

if TYPE_CHECKING:
    from whyseg.curation.segmenters.base import Segmenter
    from whyseg.curation.workspace import Workspace
    from whyseg.training.mask_reward import Masks
    from whyseg.training.policies import Policy
    from whyseg.training.refine import RefineReport, Rule
    from whyseg.training.score import Asked

ReleaseArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[RELEASE]", help="Whose samples are walked through; without it all as they stand.", show_default=False
    ),
]
ReasonOption = Annotated[
    list[RevisionReason] | None,
    typer.Option("--reason", help="What to look for; repeatable, by default all.", show_default=False),
]
SegmenterOption = Annotated[
    str | None, word("MODEL", "What draws edges; the policy's usual one, else as for whyseg segment.")
]
PolicyOption = Annotated[str | None, word("MODEL", "Who is asked what the questions mean, as for whyseg score.")]
CandidatesOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Answers that are there, a line a sample.", show_default=False)
]
SamplesOption = Annotated[int, typer.Option(min=1, help="Answers to a question; below 8 nothing is concluded.")]
DrafterModelOption = Annotated[str | None, word("MODEL", "The drafter's model, as --model of whyseg draft.")]
DrafterEndpointOption = Annotated[
    str | None, word("URL", "Where the drafter is served, as --endpoint of whyseg draft.")
]

DRAWN = {RevisionReason.BOUNDARY, RevisionReason.WRONG_TARGET, RevisionReason.MISSING_INSTANCE}
SHOWN = 20  # flagged questions that are told one by one


@dataclass(frozen=True)
class Words:
    """What was said about models."""

    segmenter: str | None
    policy: str | None
    preset: str | None
    endpoint: str | None
    candidates: Path | None
    samples: int
    drafter: str
    drafter_model: str | None
    drafter_endpoint: str | None
    key_variable: str


def refine(
    release: ReleaseArgument = None,
    reason: ReasonOption = None,
    segmenter: SegmenterOption = None,
    policy: PolicyOption = None,
    candidates: CandidatesOption = None,
    preset: PresetOption = None,
    endpoint: EndpointOption = None,
    samples: SamplesOption = 16,
    drafter: DrafterOption = "template",
    drafter_model: DrafterModelOption = None,
    drafter_endpoint: DrafterEndpointOption = None,
    key_variable: KeyVariableOption = "OPENAI_API_KEY",
    split: SplitOption = None,
    workspace: WorkspaceOption = HERE,
    json: JsonOption = False,
) -> None:
    """Walk through a benchmark and propose what would mend it: edges, targets, instances, questions, drops.

    No sample is changed: proposals are decided on in the Review tab, or with whyseg proposals. Safe to stop and to
    repeat; what was dismissed does not come back. Wrong targets and missing instances need a policy or its answers.
    """
    from whyseg.curation.workspace import Workspace
    from whyseg.training.refine import refine as walk
    from whyseg.training.score import wanted

    if release is None and split is not None:
        raise UsageError("--split is a release's: samples as they stand have no split")
    if policy is not None and candidates is not None:
        raise UsageError("either --policy asks now, or --candidates were asked before")
    require_unasked(candidates, preset, endpoint)
    reasons = list(dict.fromkeys(reason)) if reason else list(RevisionReason)
    words = Words(
        segmenter, policy, preset, endpoint, candidates, samples, drafter, drafter_model, drafter_endpoint, key_variable
    )
    with Workspace.open(workspace) as opened, ExitStack() as closing:
        asked = wanted(opened, release, split)
        rules = _rules(opened, asked, release, reasons, words, closing)
        progress = closing.enter_context(progress_bar("refining"))
        found = walk(opened, asked, rules, reasons=reasons, progress=progress)
    if json:
        print_json(found.plain())
    else:
        _show(found)
    if found.refused:
        raise typer.Exit(1)


def _rules(
    workspace: "Workspace",
    asked: "list[Asked]",
    release: str | None,
    reasons: list[RevisionReason],
    words: Words,
    closing: ExitStack,
) -> "list[Rule]":
    """Return the rules that the reasons need, with their models loaded."""
    from whyseg.curation.drafting.choose import open_drafter
    from whyseg.training.mask_reward import Masks
    from whyseg.training.policies import open_policy
    from whyseg.training.refine import Edges, Questions, Undrawn

    rules: list[Rule] = [Undrawn(workspace.store)] if RevisionReason.DROP in reasons else []
    if DRAWN & set(reasons):
        policy = open_policy(words.policy, preset=words.preset, endpoint=words.endpoint) if words.policy else None
        if isinstance(policy, SupportsClose):
            closing.callback(policy.close)
        segmenter = _segmenter(words, policy)
        if segmenter is not None:
            masks = Masks(segmenter)
            rules += [Edges(workspace.store, masks)] if RevisionReason.BOUNDARY in reasons else []
            rules += _answers(workspace, asked, release, words, policy, masks, closing)
    if RevisionReason.QUERY_REWRITE in reasons:
        drafter = open_drafter(
            words.drafter,
            model=words.drafter_model,
            endpoint=words.drafter_endpoint,
            key_variable=words.key_variable,
            model_option="--drafter-model",
            told=note,
        )
        rules.append(Questions(workspace.store, closing.enter_context(drafter)))
    return rules


def _segmenter(words: Words, policy: "Policy | None") -> "Segmenter | None":
    """Return the segmenter; None, with a note, where there is but one that knows no things."""
    from whyseg.curation.segmenters import choose
    from whyseg.training.predict import usual_segmenter

    usual = usual_segmenter(policy) if policy else None
    found, why = choose(model=words.segmenter or usual, told=note)
    note(why)
    if found.name != "grabcut":
        return found
    if words.policy or words.candidates:
        raise UsageError("a policy's boxes need a segmenter that knows things: --segmenter MODEL")
    note("edges are left out: GrabCut knows colours, not things")
    return None


def _answers(
    workspace: "Workspace",
    asked: "list[Asked]",
    release: str | None,
    words: Words,
    policy: "Policy | None",
    masks: "Masks",
    closing: ExitStack,
) -> "list[Rule]":
    from whyseg.schemas.errors import InvalidRecord
    from whyseg.training.predict import Predictor, Sampling
    from whyseg.training.refine import Answers
    from whyseg.training.score import FOLDER, Live, Source, Stored, run_of

    try:
        sampling = Sampling.of(words.samples)
    except InvalidRecord as error:
        raise UsageError(str(error)) from error
    source: Source
    if policy is not None:
        source = live = Live(Predictor(policy, masks, sampling), workspace.cache / FOLDER)
        closing.callback(live.close)
        name = policy.name
    elif words.candidates is not None:
        source, name = Stored(words.candidates), words.candidates.name
    else:
        return []
    facts = {"policy": name, "segmenter": masks.segmenter.model, "samples": sampling.k, "seed": sampling.seed}
    at = workspace.store.clock()
    run = run_of(source.facts(), asked, release, **facts, temperature=sampling.temperature, created_at=at)
    return [Answers(workspace.store, source, masks, run)]


def _show(found: "RefineReport") -> None:
    for refusal in found.refused:
        note(f"sample {refusal.file} could not be looked at: {refusal.reason}")
    for name, why in (("revised", "were revised since the release"), ("rejected", "are rejected already")):
        if count := getattr(found, name):
            note(f"{count} samples {why}, and are passed over")
    for flaw in found.unmended[:SHOWN]:
        note(f"the question of sample {flaw.file}: {flaw.reason}; no other text was found")
    if len(found.unmended) > SHOWN:
        note(f"and {len(found.unmended) - SHOWN} more questions; --json has them all")
    typer.echo(f"{'reason':<18}{'proposals':>10}{'new':>6}")
    for reason, count in found.found.items():
        typer.echo(f"{reason:<18}{count:>10}{found.new[reason]:>6}")
    total, new = sum(found.found.values()), sum(found.new.values())
    typer.echo(f"{'all':<18}{total:>10}{new:>6}   of {found.samples} samples")
