"""``whyseg refine``: a benchmark is walked through, and what looks wrong becomes proposals that a person decides on.

Each rule looks at one sample and returns what it proposes. Nothing here changes a sample. Proposals are stored sample
by sample and known by what they propose, so that a walk that was killed, or is repeated, adds nothing twice, and brings
back nothing that was dismissed.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from whyseg.curation.drafting.base import Drafter
from whyseg.curation.drafting.rewriting import SURENESS, flaw_of, rewritten
from whyseg.curation.drafting.scenes import scene_of
from whyseg.curation.proposals import Proposals, propose
from whyseg.curation.reading import Item
from whyseg.curation.sources import Refusal
from whyseg.curation.store import Store
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Finding, Proposal, Record, Revision, RevisionReason, ScoreRun, State
from whyseg.schemas.errors import NotFound, RefusedInput, SizeMismatch
from whyseg.training.diagnosis import THRESHOLDS, Thresholds, diagnose
from whyseg.training.edges import LIMITS, EdgeLimits, edges_elsewhere
from whyseg.training.mask_reward import Masks
from whyseg.training.metrics import overlap
from whyseg.training.predict import TOGETHER
from whyseg.training.score import Asked, Source
from whyseg.training.signals import reprompt, signals_of

TOO_SMALL = 16  # pixels, as of the check tiny_mask: neither people nor models can be measured by fewer
_SAYS = 1000  # characters that a proposal's reason may have


class RefineReport(Record):
    """What a walk came to.

    ``samples``: walked through. ``revised`` and ``rejected``: passed over, since they were revised after the release,
    or dropped already. ``found`` and ``new``: proposals by reason, and those of them that were not known. ``unmended``:
    samples whose question is flagged, with the reason, and for which there is no other text. ``refused``: samples that
    could not be looked at.
    """

    samples: int
    revised: int
    rejected: int
    found: dict[str, int]
    new: dict[str, int]
    unmended: tuple[Refusal, ...]
    refused: tuple[Refusal, ...]


class Rule(Protocol):
    """Something that finds fault with samples."""

    def __call__(self, revision: Revision, item: Item) -> Sequence[Proposal]:
        """Return what is proposed about a revision."""


@dataclass(frozen=True)
class Undrawn:
    """Drop what cannot be answered by pixels: nothing is annotated, or next to nothing, or only what does not count."""

    store: Store

    def __call__(self, revision: Revision, item: Item) -> list[Proposal]:
        """Return a proposal to drop the sample, or none."""
        sample = revision.sample
        area, score = sample.target().area, 1.0
        if sample.no_target:
            if revision.number > 1 or not any(_says_undrawn(one) for one in self.store.findings(sample.id)):
                return []  # somebody has looked at it, or its source says that nothing is there
            says, score = "It came without polygons: whether nothing answers it, or nobody drew it, is not known.", 0.5
        elif not area:
            says = "Nothing is annotated, and the sample is not marked as no-target: there is nothing to score."
        elif sample.ignore is not None and not overlap(sample.target(), sample.target(), sample.ignore)[1]:
            says = "All that is annotated lies in the ignore region: there is nothing to score."
        elif area < TOO_SMALL:
            says, score = f"Only {area} pixels are annotated: nothing can be measured by them.", 0.5
        else:
            return []
        at = self.store.clock()
        return [propose(revision, RevisionReason.DROP, says, made_by="rules", score=score, at=at)]


@dataclass(frozen=True)
class Edges:
    """Redraw edges: see `edges`."""

    store: Store
    masks: Masks
    limits: EdgeLimits = LIMITS

    def __call__(self, revision: Revision, item: Item) -> list[Proposal]:
        """Return one proposal with all instances whose edge lies elsewhere, or none."""
        sample = revision.sample
        edges = edges_elsewhere(sample, self.masks, item.pixels, self.limits)
        if not edges:
            return []
        new = {edge.after.id: edge.after for edge in edges}
        told = "; ".join(
            f"{_called(edge.before.label, edge.before.id)}: IoU {edge.iou:.2f}, boundary IoU {edge.boundary_iou:.2f}"
            for edge in edges
        )
        return [
            propose(
                revision,
                RevisionReason.BOUNDARY,
                f"The segmenter means the same, and draws its edge elsewhere. {told}"[:_SAYS],
                instances=[new.get(one.id, one) for one in sample.instances],
                made_by=self.masks.segmenter.model,
                score=1 - min(edge.boundary_iou for edge in edges),
                at=self.store.clock(),
            )
        ]


@dataclass(frozen=True)
class Questions:
    """Write another question where the critic's rules find fault: see `rewriting`; ``flagged`` are those without."""

    store: Store
    drafter: Drafter | None
    flagged: list[Refusal] = field(default_factory=list)

    def __call__(self, revision: Revision, item: Item) -> list[Proposal]:
        """Return a proposal with another question, or none."""
        sample = revision.sample
        scene = scene_of(self.store, sample)
        flaw = flaw_of(sample, scene)
        if flaw is None:
            return []
        found = rewritten(sample, scene, self.drafter, item.pixels) if self.drafter else None
        if found is None:
            self.flagged.append(Refusal(file=sample.id, reason=flaw.reason))
            return []
        hops = " Its hops stay as they are: look at them, too." if sample.hops else ""
        return [
            propose(
                revision,
                RevisionReason.QUERY_REWRITE,
                f"The question: {flaw.reason}.{hops}"[:_SAYS],
                query=found.query,
                made_by=found.by,
                score=SURENESS[flaw.fault],
                at=self.store.clock(),
            )
        ]


@dataclass(frozen=True)
class Answers:
    """What a policy's sampled answers agree on instead: see `diagnosis`, whose rules these are."""

    store: Store
    source: Source
    masks: Masks
    run: ScoreRun
    thresholds: Thresholds = THRESHOLDS

    def __call__(self, revision: Revision, item: Item) -> Sequence[Proposal]:
        """Return what the answers propose; nothing where there are none."""
        if revision.sample.query is None:
            return []
        candidates = self.source.answers(item)
        if candidates is None:
            return []
        again = reprompt(revision.sample, self.masks, item.pixels)
        signals = signals_of(candidates, revision, again, run=self.run.id, at=self.store.clock())
        return diagnose(revision, signals, lambda: again, run=self.run, thresholds=self.thresholds).proposals


def refine(
    workspace: Workspace,
    asked: Sequence[Asked],
    rules: Sequence[Rule],
    *,
    reasons: Sequence[RevisionReason] = tuple(RevisionReason),
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> RefineReport:
    """Walk through revisions and store what the rules propose for some reasons.

    Of two proposals about a sample for one reason, the earlier rule's is taken. ``progress`` gets how many samples are
    done, of how many. Raises ``ModelFailed``, ``EndpointDenied`` and ``DrafterError`` as the models do.
    """
    walk = _Walk(workspace, rules, reasons)
    for start in range(0, len(asked), TOGETHER):
        some = asked[start : start + TOGETHER]
        ready = walk.asked(some)
        for number, one in enumerate(some, start + 1):
            if item := ready.get(one.revision.sample.id):
                walk.look(one, item)
            progress(number, len(asked))
    return walk.report()


class _Walk:
    """A walk under way."""

    def __init__(self, workspace: Workspace, rules: Sequence[Rule], reasons: Sequence[RevisionReason]) -> None:
        self.workspace, self.rules, self.reasons = workspace, rules, reasons
        self.proposals = Proposals(workspace.store)
        self._counts, self._found, self._new = Counter[str](), Counter[str](), Counter[str]()
        self._refused: list[Refusal] = []

    def asked(self, some: Sequence[Asked]) -> dict[str, Item]:
        """Have some revisions' questions asked; return those that can be looked at."""
        fit = {item.sample.id: item for one in some if (item := self._item(one))}
        for rule in self.rules:
            if isinstance(rule, Answers):
                rule.source.ask([item for item in fit.values() if item.sample.query])
        return fit

    def _item(self, one: Asked) -> Item | None:
        """Return what the rules look at; None for what is passed over or cannot be looked at."""
        sample = one.revision.sample
        head = self.workspace.store.head(sample.id)
        if head.revision.id != one.revision.id or head.state == State.REJECTED:
            self._counts["revised" if head.revision.id != one.revision.id else "rejected"] += 1
            return None
        try:
            image = self.workspace.store.image(sample.image_id)
            return Item(sample, image, self.workspace.blobs.read(sample.image_id), sample.id, one.split)
        except (RefusedInput, NotFound) as error:
            self._refused.append(Refusal(file=sample.id, reason=str(error)))
            return None

    def look(self, one: Asked, item: Item) -> None:
        """Look at one revision with all rules."""
        sample = item.sample
        try:
            made = [proposal for rule in self.rules for proposal in rule(one.revision, item)]
        except (SizeMismatch, RefusedInput, NotFound) as error:
            self._refused.append(Refusal(file=sample.id, reason=str(error)))
            return
        self._counts["samples"] += 1
        first: dict[RevisionReason, Proposal] = {}
        for proposal in made:
            if proposal.reason in self.reasons:
                first.setdefault(proposal.reason, proposal)
        for reason, proposal in first.items():
            self._found[reason.value] += 1
            self._new[reason.value] += self.proposals.add([proposal])

    def report(self) -> RefineReport:
        """Return what came of it."""
        counts = {name: self._counts[name] for name in ("samples", "revised", "rejected")}
        unmended = [one for rule in self.rules if isinstance(rule, Questions) for one in rule.flagged]
        ordered = [reason.value for reason in RevisionReason if self._found[reason.value]]
        return RefineReport(
            found={reason: self._found[reason] for reason in ordered},
            new={reason: self._new[reason] for reason in ordered},
            unmended=tuple(unmended),
            refused=tuple(self._refused),
            **counts,
        )


def _says_undrawn(finding: Finding) -> bool:
    return finding.kind == "no_polygons" and finding.set_aside is None


def _called(label: str, number: int) -> str:
    return f"instance {number} ({label})" if label else f"instance {number}"
