"""How settings of the vote do on data: every question is voted on with each of them, on the same candidates."""

from collections.abc import Callable, Mapping, Sequence

from whyseg.curation.reading import Data
from whyseg.schemas import Mask, Record, Split
from whyseg.schemas.errors import UsageError
from whyseg.training.candidates import Candidates
from whyseg.training.evaluate import unscorable
from whyseg.training.metrics import Prediction, Truth
from whyseg.training.predictions import Answers
from whyseg.training.protocols import Protocol
from whyseg.training.voting import Settings


class Swept(Record):
    """What settings score: gIoU and cIoU in [0, 1], cIoU None where ΣU = 0."""

    settings: Settings
    n: int
    giou: float
    ciou: float | None


def sweep(
    data: Data,
    candidates: Mapping[str, Candidates],
    protocol: Protocol,
    settings: Sequence[Settings],
    *,
    name: str = "candidates",
    split: Split | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> list[Swept]:
    """Return what every setting scores on the data, best gIoU first; a sample without candidates counts as failed.

    Raises as `evaluate` does. Masks that several settings agree on are compared with the target once.
    """
    names = Answers({key: Prediction(sample_id=key) for key in candidates}, name)
    sums, count = [[0.0, 0, 0] for _ in settings], 0
    for item in data.items():
        found = names.of(item.sample.id, item.sample.source_name)
        if (split is not None and item.split != split) or unscorable(item.sample):
            continue
        truth, known = Truth(item.sample, protocol), dict[Mask | None, tuple[int, int, float]]()
        ballots = None if found is None else candidates[found.sample_id].ballots()
        for total, one in zip(sums, settings, strict=True):
            mask = None if ballots is None else ballots.vote(one).mask
            if mask not in known:
                known[mask] = truth.counts(mask)
            intersection, joined, iou = known[mask]
            total[0] += iou
            total[1] += intersection
            total[2] += joined
        count += 1
        progress(count)
    names.require_known(len(data.refused))
    if not count:
        raise UsageError(f"{data.name} holds no sample that can be scored")
    rows = [
        Swept(settings=one, n=count, giou=iou / count, ciou=inter / joined if joined else None)
        for one, (iou, inter, joined) in zip(settings, sums, strict=True)
    ]
    return sorted(rows, key=lambda row: row.giou, reverse=True)
