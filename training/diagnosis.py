"""What the signals of a sample mean: findings for curators, and the changes that would mend it.

Everything here looks at one sample of one run. The rules, in this order:

* ambiguous: a second thing, which the vote left out, has about as many answers as the weakest that it took;
* wrong target: most answers agree, on something that shares next to nothing with the annotation, neither by masks nor
  by boxes, on nothing where something is annotated, on something where nothing is, on one thing more, or on one less;
* boundary: most answers agree on the annotated thing, and its boxes differ too much;
* never solved, too easy: said of the question, whatever else was found, and no alarm about the annotation.

What lies mostly in the ignore region is neither a second thing nor one more.

A policy that is wrong itself raises more alarms than anybody's data can deserve. `surest` keeps those that it is most
sure of, so that the list stays one that a person can go through.

Masks alone would not do for the boundary: a small segmenter's masks of right annotations are as far from them as a
person's rough outline. The boxes that answers give do not pass through it.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import Field

from whyseg.curation.proposals import propose
from whyseg.schemas import (
    AnswerCluster,
    Finding,
    Instance,
    Mask,
    Origin,
    Proposal,
    Record,
    Revision,
    RevisionReason,
    Sample,
    ScoreRun,
    Signals,
    content_hash,
    union,
)
from whyseg.training.signals import MOST_CLUSTERS, iou

Kind = Literal["too_easy", "never_solved", "ambiguous", "boundary", "wrong_target"]
Share = Annotated[float, Field(ge=0, le=1)]
ALARMS: tuple[Kind, ...] = ("ambiguous", "boundary", "wrong_target")
_SEVERITY: dict[Kind, Literal["info", "warning", "error"]] = {
    "wrong_target": "error",
    "ambiguous": "warning",
    "boundary": "warning",
    "never_solved": "info",
    "too_easy": "info",
}
_LONGEST = 500  # characters of a message; labels of many instances would fill pages
_FULLY = 0.4  # of the boxes' union: so much of a difference is not doubted


class Thresholds(Record):
    """Where the rules draw their lines; `docs/validation.md` has the reasons.

    ``answers``: fewer say nothing about a sample. ``sure``: the agreement from which a vote is believed. ``rival`` and
    ``rivalry``: what the second thing needs of the valid answers, and of the votes of the weakest thing that was taken.
    ``other``: below this IoU two masks are different things. ``box`` and ``edge``: below both, boxes and masks differ
    at the boundary. ``easy``, ``passed``: the pass rate and the mean IoU of what is too easy.
    """

    answers: Annotated[int, Field(ge=1)] = 8
    sure: Share = 0.5
    rival: Share = 0.15
    rivalry: Share = 0.45
    other: Share = 0.1
    box: Share = 0.76
    edge: Share = 0.8
    easy: Share = 1.0
    passed: Share = 0.8
    most: Share = 0.15
    few: Annotated[int, Field(ge=0)] = 10


THRESHOLDS = Thresholds()


class Diagnosis(Record):
    """What is found about a sample, and what is proposed.

    ``suspicion``, in [0, 1]: how sure the answers are of their alarm; 0 without one.
    """

    findings: tuple[Finding, ...] = ()
    proposals: tuple[Proposal, ...] = ()
    suspicion: float = 0.0

    def without_alarms(self) -> "Diagnosis":
        """Return what is said of the question alone."""
        return Diagnosis(findings=tuple(one for one in self.findings if one.kind not in ALARMS))


def surest(found: Mapping[str, Diagnosis], samples: int, thresholds: Thresholds = THRESHOLDS) -> dict[str, Diagnosis]:
    """Return the diagnoses of a run with no more alarms than the thresholds allow, those that it is surest of.

    ``found``: by sample; ``samples``: how many were scored. Of equally sure ones the first by their ids stay.
    """
    alarms = sorted((key for key, one in found.items() if one.suspicion), key=lambda key: (-found[key].suspicion, key))
    withheld = set(alarms[max(thresholds.few, int(thresholds.most * samples + 1e-9)) :])
    return {key: one.without_alarms() if key in withheld else one for key, one in found.items()}


def diagnose(
    revision: Revision,
    signals: Signals,
    reprompted: Callable[[], Sequence[Mask | None]],
    *,
    run: ScoreRun,
    thresholds: Thresholds = THRESHOLDS,
) -> Diagnosis:
    """Return what the signals of a revision mean; nothing where too few answers were sampled.

    ``reprompted`` gives the masks of `signals.reprompt`, one for each instance; it is called only where a rule needs
    them.
    """
    if signals.answers < thresholds.answers:
        return Diagnosis()
    case = _Case(revision, signals, reprompted, run, thresholds)
    case.ambiguous() or case.target() or case.boundary()
    case.difficulty()
    return Diagnosis(findings=tuple(case.findings), proposals=tuple(case.proposals), suspicion=round(case.suspicion, 6))


class _Case:
    """One sample as the rules look at it."""

    def __init__(
        self,
        revision: Revision,
        signals: Signals,
        reprompted: Callable[[], Sequence[Mask | None]],
        run: ScoreRun,
        thresholds: Thresholds,
    ) -> None:
        self.revision, self.signals, self.run, self.limits = revision, signals, run, thresholds
        self.sample: Sample = revision.sample
        self._reprompt = reprompted
        self.chosen = [one for one in signals.clusters if one.chosen]
        self.rival = next((one for one in signals.clusters if not one.chosen and not self._ignored(one.mask)), None)
        self.vote = union([one.mask for one in self.chosen], self.sample.size)
        self.sure = signals.agreement >= thresholds.sure
        self.findings, self.proposals = list[Finding](), list[Proposal]()
        self.suspicion = 0.0

    @cached_property
    def reprompted(self) -> list[Mask | None]:
        """What the segmenter sees at each annotated instance."""
        return list(self._reprompt())

    def ambiguous(self) -> bool:
        """Say whether the answers cluster on two things."""
        if not self.chosen or self.rival is None:
            return False
        weakest = min(one.ratio for one in self.chosen)
        if self.rival.ratio < max(self.limits.rival, self.limits.rivalry * weakest):
            return False
        first, second = self.chosen[-1], self.rival
        said = (
            f"The question may fit more than one thing: {_of(first, self.signals)} answers mean {_called(first)}, "
            f"{_of(second, self.signals)} mean {_called(second)}, which the vote leaves out."
        )
        self._find("ambiguous", said, box=second.mask)
        self.suspicion = second.ratio / weakest * min(1.0, weakest + second.ratio)
        return True

    def target(self) -> bool:
        """Say whether the answers agree on another target than the annotation, and propose theirs."""
        if not self.sure or (self.sample.no_target and not self.chosen):
            return False
        share = f"{self.signals.agreement:.0%} of the readable answers"
        if not self.chosen:
            self._find("wrong_target", f"{share} see nothing that the question means, but something is annotated.")
        elif self.sample.no_target:
            said = f"{share} agree on {_names(self.chosen)}, but the sample says that nothing answers the question."
            self._propose(RevisionReason.WRONG_TARGET, self._find("wrong_target", said, box=self.vote), self._model())
        elif self._differ(self.vote, self.sample.target()):
            said = (
                f"{share} agree on {_names(self.chosen)}, which shares {self.signals.vote_iou:.0%} with the annotation."
            )
            self._propose(RevisionReason.WRONG_TARGET, self._find("wrong_target", said, box=self.vote), self._model())
        else:
            return self._count(share)
        return True

    def _count(self, share: str) -> bool:
        """Say whether the answers see a thing more than is annotated, or miss one that is."""
        more = list[AnswerCluster]()
        if len(self.chosen) > len(self.sample.instances):
            again = union([mask for mask in self.reprompted if mask], self.sample.size)
            more = [one for one in self.chosen if one.ratio >= self.limits.sure and one.iou < self.limits.other]
            more = [one for one in more if iou(one.mask, again) < self.limits.other and not _inside(one.mask, again)]
            more = [one for one in more if not self._ignored(one.mask)]
        if more:
            said = f"{share} also mean {_names(more)}, which is not annotated."
            found = self._find("wrong_target", said, box=union([one.mask for one in more], self.sample.size))
            kept = list(self.sample.instances)
            self._propose(RevisionReason.MISSING_INSTANCE, found, [*kept, *self._model(more, kept)])
            return True
        if len(self.chosen) >= len(self.sample.instances):
            return False
        kept = [one for one in self.sample.instances if not self._unseen(one)]
        if 0 < len(kept) < len(self.sample.instances):
            left = [one for one in self.sample.instances if one not in kept]
            names = " and ".join(f"“{one.label}”" if one.label else f"instance {one.id}" for one in left)
            said = f"{share} leave out {names}, which is annotated as an answer."
            found = self._find("wrong_target", said, box=union([one.mask for one in left], self.sample.size))
            self._propose(RevisionReason.WRONG_TARGET, found, kept)
            return True
        return False

    def boundary(self) -> bool:
        """Say whether the answers mean the annotated thing and draw it elsewhere, and propose their masks."""
        boxes, masks = self.signals.box_iou, self.signals.vote_iou
        if not self.sure or not self.chosen or boxes is None or boxes >= self.limits.box or masks >= self.limits.edge:
            return False
        said = (
            f"The answers mean the annotated thing, but draw it elsewhere: their boxes share {boxes:.0%} with the "
            f"annotated ones, their masks {masks:.0%}. The outline may be shifted or too coarse."
        )
        said = self._find("boundary", said, box=self.vote)
        self.suspicion *= min(1.0, (1 - boxes) / _FULLY)  # a line that is just crossed is the policy's as often as not
        self._propose(RevisionReason.BOUNDARY, said, self._redrawn())
        return True

    def difficulty(self) -> None:
        """Say whether no answer was right, or every one."""
        number, best = self.signals.answers, self.signals.best_iou
        if not self.signals.pass_rate:
            said = f"None of {number} answers reaches an IoU of 0.5 with the annotation; the best has {best:.2f}."
            self._find("never_solved", said)
        elif self.signals.pass_rate >= self.limits.easy and self.signals.mean_iou >= self.limits.passed:
            said = (
                f"All {number} answers are right, with a mean IoU of {self.signals.mean_iou:.2f}: little to learn from."
            )
            self._find("too_easy", said)

    def _find(self, kind: Kind, message: str, *, box: Mask | None = None) -> str:
        message = message if len(message) <= _LONGEST else f"{message[: _LONGEST - 1]}…"
        if kind in ALARMS:
            self.suspicion = self.signals.agreement
        names = ("mean_iou", "best_iou", "pass_rate", "agreement", "entropy", "vote_iou", "box_iou", "reprompted_iou")
        figures = {name: round(value, 4) for name in names if (value := getattr(self.signals, name)) is not None}
        evidence: dict[str, Any] = {"run": self.run.id, "revision": self.revision.id, "figures": figures}
        if box is not None and box.area:
            evidence["box"] = list(box.box_xyxy)
        self.findings.append(
            Finding(
                id=content_hash([kind, self.sample.id]),
                kind=kind,
                severity=_SEVERITY[kind],
                message=message,
                sample_id=self.sample.id,
                image_id=self.sample.image_id,
                evidence=evidence,
                created_at=self.signals.created_at,
            )
        )
        return message

    def _propose(self, reason: RevisionReason, says: str, instances: Sequence[Instance]) -> None:
        whole = len(self.chosen) < MOST_CLUSTERS  # of more things the signals hold the first ones only
        if whole and instances and all(one.mask.area for one in instances):
            self.proposals.append(
                propose(
                    self.revision,
                    reason,
                    says,
                    instances=tuple(instances),
                    made_by=f"{self.run.policy}, {self.run.segmenter}"[:300],
                    score=round(self.suspicion, 6),
                    at=self.signals.created_at,
                )
            )

    def _model(self, some: Sequence[AnswerCluster] | None = None, beside: Sequence[Instance] = ()) -> list[Instance]:
        """Return what the vote took as new instances, with ids that the sample has not used."""
        used = max((one.id for one in (*self.sample.instances, *beside)), default=0)
        origin = Origin(kind="model", model=self.run.segmenter)
        chosen = self.chosen if some is None else some
        return [
            Instance(id=number, mask=one.mask, label=one.label, origin=origin)
            for number, one in enumerate(chosen, used + 1)
        ]

    def _redrawn(self) -> list[Instance]:
        """Return the instances as the vote draws them, one that no thing of its own overlaps as the segmenter does."""
        origin, drawn, free = Origin(kind="model", model=self.run.segmenter), list[Instance](), list(self.chosen)
        for instance, again in zip(self.sample.instances, self.reprompted, strict=True):
            mask = again or instance.mask
            best = max(free, key=lambda one: iou(one.mask, instance.mask), default=None)
            if best is not None and iou(best.mask, instance.mask) >= self.limits.other:
                mask = best.mask
                free.remove(best)
            changes = {"mask": mask, "outline": (), "prompt": type(instance.prompt)(), "origin": origin}
            drawn.append(instance.model_copy(update=changes))
        return drawn

    def _differ(self, vote: Mask, target: Mask) -> bool:
        """Say whether the vote is another thing than the annotation: by boxes, or what the segmenter sees there."""
        if iou(vote, target, self.sample.ignore) >= self.limits.other:
            return False
        if self.signals.box_iou is not None and self.signals.box_iou < self.limits.other:
            return True
        again = union([mask for mask in self.reprompted if mask], self.sample.size)
        return iou(vote, again, self.sample.ignore) < self.limits.other

    def _ignored(self, mask: Mask) -> bool:
        return self.sample.ignore is not None and _inside(mask, self.sample.ignore)

    def _unseen(self, instance: Instance) -> bool:
        again = self.reprompted[self.sample.instances.index(instance)] or instance.mask
        return all(max(iou(one.mask, again), iou(one.mask, instance.mask)) < self.limits.other for one in self.chosen)


def _inside(one: Mask, other: Mask) -> bool:
    """Say whether most of a mask lies in another."""
    both = one.area + other.area - union([one, other], one.size).area
    return 2 * both > one.area


def _of(cluster: AnswerCluster, signals: Signals) -> str:
    return f"{cluster.votes} of {signals.answers - signals.failed}"


def _called(cluster: AnswerCluster) -> str:
    return f"“{cluster.label}”" if cluster.label else f"a thing of {cluster.mask.area} pixels"


def _names(some: Sequence[AnswerCluster]) -> str:
    return " and ".join(_called(one) for one in some)
