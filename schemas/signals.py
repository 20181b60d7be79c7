"""What a model's sampled answers say about a sample."""

from typing import Annotated

from pydantic import Field

from whyseg.schemas.mask import Mask
from whyseg.schemas.record import Record, Utc

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]


class ScoreRun(Record):
    """One run of ``whyseg score``: who answered, who drew, how often, and about what.

    ``release``: the frozen revisions that were asked about; None: samples as they stood. ``temperature``: of sampling.
    """

    id: str
    policy: str
    segmenter: str
    release: str | None = None
    samples: Annotated[int, Field(ge=1)]  # answers to each question
    temperature: Annotated[float, Field(ge=0)]
    seed: int
    created_at: Utc


class AnswerCluster(Record):
    """Masks of different answers that are the same thing: how many answers saw it, and how it lies to the target.

    ``ratio``: votes of the valid answers. ``iou``: with the annotated target. ``chosen``: part of what the vote says.
    """

    mask: Mask
    label: str = ""
    votes: Count
    ratio: Share
    iou: Share
    chosen: bool = False


class Signals(Record):
    """What one run's answers say about one revision of a sample; every IoU is with its annotated target.

    ``mean_iou`` and ``best_iou``: over all answers, those that cannot be read with 0. ``pass_rate``: the share of
    answers with an IoU of at least 0.5. ``agreement``: of the vote. ``entropy``: of the answers over what they see, in
    bits, see `training.signals`. ``vote_iou``: of what the vote says. ``box_iou``: of the boxes that the answers gave
    what the vote says, with the annotated boxes. ``reprompted_iou``: of the segmenter's mask when it is prompted with
    the annotated boxes and points. Both are None where nothing is annotated. ``failed``: answers that cannot be read.
    ``empty``: answers that see nothing. ``clusters``: the largest, best first, at most eight.
    """

    run: str
    sample_id: str
    revision_id: str
    answers: Annotated[int, Field(ge=1)]
    failed: Count
    empty: Count
    mean_iou: Share
    best_iou: Share
    pass_rate: Share
    agreement: Share
    entropy: Annotated[float, Field(ge=0)]
    vote_iou: Share
    box_iou: Share | None = None
    reprompted_iou: Share | None = None
    clusters: Annotated[tuple[AnswerCluster, ...], Field(max_length=8)] = ()
    created_at: Utc
