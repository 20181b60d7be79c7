"""What sampled answers to a question say about its sample: the figures of `whyseg.schemas.Signals`.

Masks of different answers are the same thing from an IoU of 0.5 on, and a thing's mask is the pixels that half of them
vote for. StAR's votes ask for 0.85, since they look for the best mask; here the question is which thing is meant, and a
policy that draws it a little differently each time still means it.

The entropy is that of the answers over what they see. What an answer sees is the *set* of clusters that its objects
fell into; the empty set is "nothing", and answers that cannot be read are one more outcome. With n of N answers seeing
outcome s, H = −Σ (n/N) log₂ (n/N): 0 bits where all say the same, log₂ N where all differ.

IoU is counted outside a sample's ignore region; where neither answer nor target has a pixel, it is 1.

The box of a thing in the vote has the median of each edge over the answers that saw it, their own boxes where they gave
one, else those around their masks. It does not depend on how well the segmenter draws, and outliers do not move it.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from math import log2
from statistics import median

from whyseg.curation.segmenters.base import RgbArray
from whyseg.schemas import AnswerCluster, Box, Mask, Point, Prompt, Revision, Sample, Signals, union
from whyseg.training.answers import Corners
from whyseg.training.candidates import Candidates
from whyseg.training.mask_reward import Masks
from whyseg.training.metrics import box_iou, overlap
from whyseg.training.targets import TargetInstance
from whyseg.training.voting import Cluster, Settings, Vote

SAME_THING = Settings(iou=0.5, mode="consensus")
PASSED = 0.5
MOST_CLUSTERS = 8
_LONGEST = 100


def signals_of(
    candidates: Candidates, revision: Revision, reprompted: Sequence[Mask | None], *, run: str, at: datetime
) -> Signals:
    """Return what the answers say about a revision.

    ``reprompted``: the masks of `reprompt`. Raises ``SizeMismatch`` when a mask is not of the picture's size.
    """
    sample = revision.sample
    target, size = sample.target(), sample.size
    seen = [
        union([one.mask for one in answer.objects], size) if answer.parsed else None for answer in candidates.answers
    ]
    ious = [0.0 if mask is None else iou(mask, target, sample.ignore) for mask in seen]
    vote = candidates.ballots().vote(SAME_THING)
    again = [mask for mask in reprompted if mask is not None]
    return Signals(
        run=run,
        sample_id=sample.id,
        revision_id=revision.id,
        answers=len(ious),
        failed=seen.count(None),
        empty=vote.no_object_votes,
        mean_iou=sum(ious) / len(ious),
        best_iou=max(ious),
        pass_rate=sum(one >= PASSED for one in ious) / len(ious),
        agreement=vote.agreement,
        entropy=entropy(vote, len(ious)),
        vote_iou=0.0 if vote.mask is None else iou(vote.mask, target, sample.ignore),
        box_iou=_box_iou(candidates, vote, sample),
        reprompted_iou=iou(union(again, size), target, sample.ignore) if again else None,
        clusters=tuple(
            AnswerCluster(
                mask=one.mask,
                label=_readable(one.label),
                votes=one.votes,
                ratio=one.ratio,
                iou=iou(one.mask, target, sample.ignore),
                chosen=one.chosen,
            )
            for one in vote.clusters[:MOST_CLUSTERS]
        ),
        created_at=at,
    )


def entropy(vote: Vote, answers: int) -> float:
    """Return the entropy, in bits, of ``answers`` answers over what they see; see the module for what that is.

    >>> entropy(Vote(outcome="failed", mask=None, agreement=0, valid=0, no_object_votes=0, count=0, clusters=()), 4)
    0.0
    """
    sees: dict[int, set[int]] = {}
    for number, cluster in enumerate(vote.clusters):
        for answer, _ in cluster.members:
            sees.setdefault(answer, set()).add(number)
    counts = Counter(frozenset(one) for one in sees.values())
    outcomes = [*counts.values(), vote.no_object_votes, answers - vote.valid]
    return abs(sum(n / answers * log2(answers / n) for n in outcomes if n))


def _readable(label: str) -> str:
    """Return what a person can read of a label that a model wrote: one line of at most 100 characters."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in label).split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"


def _box_iou(candidates: Candidates, vote: Vote, sample: Sample) -> float | None:
    """Return the mean, over the annotated instances, of the best IoU that a thing's box has with the instance's."""
    annotated = [instance.mask.box_xyxy for instance in sample.instances if instance.mask.area]
    if not annotated:
        return None
    told = [_median_box(candidates, cluster) for cluster in vote.clusters if cluster.chosen]
    return sum(max((box_iou(one, box) for one in told), default=0.0) for box in annotated) / len(annotated)


def _median_box(candidates: Candidates, cluster: Cluster) -> Corners:
    found = [candidates.answers[answer].objects[place] for answer, place in cluster.members]
    edges = zip(*(one.box or one.mask.box_xyxy for one in found), strict=True)
    x0, y0, x1, y1 = (float(median(edge)) for edge in edges)
    return x0, y0, x1, y1


def iou(one: Mask, other: Mask, ignore: Mask | None = None) -> float:
    """Return the IoU of two masks outside an ignore region, in [0, 1]; 1 where neither has a pixel there."""
    both, either = overlap(one, other, ignore)
    return both / either if either else 1.0


def reprompt(sample: Sample, masks: Masks, picture: Callable[[], RgbArray]) -> tuple[Mask | None, ...]:
    """Return the segmenter's mask of each instance when it is prompted with the annotated box and deepest pixel.

    None where an instance has no pixel. Raises ``ModelFailed`` as the segmenter does.
    """
    prompts = [_prompt(instance.mask) if instance.mask.area else None for instance in sample.instances]
    return tuple(masks.masks(sample.image_id, picture, prompts))


def _prompt(mask: Mask) -> Prompt:
    target = TargetInstance.of_mask(mask)
    x0, y0, x1, y1 = target.box
    (x, y), *_ = target.points
    return Prompt(box=Box(x0=x0, y0=y0, x1=x1, y1=y1), points=(Point(x=x, y=y),))
