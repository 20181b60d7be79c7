"""Score predictions on data, sample by sample, and sum up: overall, per reasoning type, per depth."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from whyseg.curation.blobs import write_atomically
from whyseg.curation.reading import Data, Item
from whyseg.curation.sources import Refusal
from whyseg.schemas import Record, Sample, Split
from whyseg.schemas.errors import InvalidRecord, RefusedInput, UsageError
from whyseg.training.bootstrap import Interval, figures, intervals
from whyseg.training.gallery import Gallery
from whyseg.training.metrics import Prediction, Score, score_answer
from whyseg.training.predictions import Answers
from whyseg.training.protocols import Protocol, ProtocolName

RESULTS, SCORES, REPORT = "results.json", "samples.jsonl", "report.html"


class Part(Record):
    """The figures of some of the samples; ``interval`` is that of gIoU."""

    n: int
    giou: float
    ciou: float | None
    boundary_iou: float
    interval: Interval | None = None


class Evaluation(Record):
    """What a run scored under a protocol, every figure but ``mean_tokens`` in [0, 1].

    ``n``: samples that were scored; ``failed``: those without a readable answer. ``box_accuracy``: the share of samples
    of exactly one instance whose box was found with an IoU above 0.5. ``no_target_accuracy``: the share of no-target
    samples that got the empty answer. A figure is None where no sample says anything about it. ``left_out``: samples
    that cannot be scored, and why; ``refused``: rows and files that could not be read.
    """

    protocol: ProtocolName
    data: str
    split: Split | None = None
    n: int
    failed: int
    giou: float
    ciou: float | None
    boundary_iou: float
    box_accuracy: float | None
    no_target_accuracy: float | None
    mean_tokens: float | None
    by_type: dict[str, Part]
    by_depth: dict[str, Part]
    intervals: dict[str, Interval | None]
    left_out: tuple[Refusal, ...] = ()
    refused: tuple[Refusal, ...] = ()


def evaluate(
    data: Data,
    predictions: Mapping[str, Prediction],
    protocol: Protocol,
    *,
    name: str = "predictions",
    split: Split | None = None,
    gallery: Gallery | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> tuple[Evaluation, list[Score]]:
    """Score the predictions on every sample of the data, or of one split; a sample without one counts as failed.

    ``name``: what messages call the predictions. ``gallery`` is shown every scored sample. Raises ``UsageError`` for a
    prediction whose sample the data does not hold, and when nothing can be scored; ``SizeMismatch`` for a mask of
    another size than its picture.
    """
    answers, scores, left_out = Answers(predictions, name), list[Score](), list[Refusal]()
    for item in data.items():
        found = answers.of(item.sample.id, item.sample.source_name)
        if split is not None and item.split != split:
            continue
        reason = unscorable(item.sample)
        if reason is None and item.sample.query is None and found is None:
            reason = "it has no question"
        if reason is not None:
            left_out.append(Refusal(file=item.name, reason=reason))
            continue
        prediction = found or Prediction(sample_id=item.sample.id, failed=True)
        score = score_answer(item.sample, prediction, protocol)
        scores.append(score)
        if gallery is not None:
            gallery.show(item, prediction, score)
        progress(len(scores))
    answers.require_known(len(data.refused))
    if not scores:
        where = f" in split {split}" if split else ""
        raise UsageError(f"{data.name} holds no sample{where} that can be scored")
    return summarise(scores, protocol, data.name, split, left_out, data.refused), scores


def unscorable(sample: Sample) -> str | None:
    """Say why a sample cannot be scored: what would be the right answer is not known."""
    if sample.no_target or sample.target().area:
        return None
    return "its instances have no pixels" if sample.instances else "it has no mask, and is not marked as no-target"


def scorable(items: Iterator[Item]) -> Iterator[Item]:
    """Yield the items that can be scored."""
    return (item for item in items if unscorable(item.sample) is None)


def summarise(
    scores: Sequence[Score],
    protocol: Protocol,
    data: str = "",
    split: Split | None = None,
    left_out: Sequence[Refusal] = (),
    refused: Sequence[Refusal] = (),
) -> Evaluation:
    """Return what scores amount to; at least one is needed."""
    types = sorted({score.reasoning_type.value for score in scores if score.reasoning_type})
    depths = sorted({score.depth for score in scores if score.depth})
    return Evaluation.parse(
        {
            "protocol": protocol.name,
            "data": data,
            "split": split,
            "n": len(scores),
            "failed": sum(score.failed for score in scores),
            **figures(scores),
            "by_type": {kind: _part([s for s in scores if s.reasoning_type == kind]) for kind in types},
            "by_depth": {str(depth): _part([s for s in scores if s.depth == depth]) for depth in depths},
            "intervals": intervals(scores),
            "left_out": tuple(left_out),
            "refused": tuple(refused),
        }
    )


def _part(scores: Sequence[Score]) -> Part:
    found = figures(scores)
    kept = {name: found[name] for name in ("giou", "ciou", "boundary_iou")}
    return Part.parse({"n": len(scores), **kept, "interval": intervals(scores)["giou"]})


def keep(folder: Path, evaluation: Evaluation, scores: Sequence[Score], page: str) -> None:
    """Write the results, every sample's numbers and the report page; the results last, so that they are never alone."""
    lines = "".join(json.dumps(score.plain(), ensure_ascii=False) + "\n" for score in scores)
    write_atomically(folder / SCORES, lines.encode())
    write_atomically(folder / REPORT, page.encode())
    write_atomically(folder / RESULTS, json.dumps(evaluation.plain(), ensure_ascii=False, indent=2).encode() + b"\n")


def kept(folder: Path, protocol: Protocol) -> list[Score]:
    """Return the numbers of every sample that `keep` has written to a folder.

    Raises ``UsageError`` for a folder without them and for those of another protocol, ``RefusedInput`` for broken ones.
    """
    try:
        found = json.loads((folder / RESULTS).read_bytes())
        lines = (folder / SCORES).read_text().splitlines()
    except OSError as error:
        raise UsageError(f"{folder} holds no results of whyseg evaluate: {error.strerror}") from error
    except ValueError as error:
        raise RefusedInput(RESULTS, f"it is broken: {error}") from error
    name = found.get("protocol") if isinstance(found, dict) else None
    if name != protocol.name:
        raise UsageError(f"{folder} was scored by protocol {name}, this is {protocol.name}: the two do not compare")
    try:
        return [Score.parse(line) for line in lines]
    except InvalidRecord as error:
        raise RefusedInput(SCORES, str(error)) from error
