"""Two versions of a benchmark compared by what one policy scores on either: what its figures owe to the labels.

Samples that both hold with the same picture and the same question get one answer, which is scored twice; a question
that was reworded is asked in both wordings. So a difference on shared samples comes from masks and words, never from
another draw.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from whyseg.curation.blobs import write_atomically
from whyseg.curation.reading import Data, Item
from whyseg.schemas import Split
from whyseg.schemas.record import Record
from whyseg.training import bootstrap
from whyseg.training.bootstrap import Comparison
from whyseg.training.compare import COMPARED, Figures, begun, figures_of
from whyseg.training.evaluate import RESULTS, evaluate, keep, kept
from whyseg.training.gallery import Gallery, page
from whyseg.training.held_out import Side, survey
from whyseg.training.metrics import Prediction, Score
from whyseg.training.predict import Predictor, predict
from whyseg.training.predictions import read_predictions
from whyseg.training.protocols import Protocol, ProtocolName
from whyseg.training.recipes import Told
from whyseg.training.voting import Settings


class BenchmarkSetup(Record):
    """Which versions, and who answers them with how many answers a question."""

    first: Side
    second: Side
    policy: str
    samples: int
    segmenter: str
    protocol: ProtocolName


class Rescored(Record):
    """What a policy scores on two versions of a benchmark.

    ``first`` and ``second`` are over all samples of each; ``shared``: the second's less the first's on the samples of
    both, None where they share none. ``reworded``: shared samples that were asked twice. ``added`` and ``removed``
    count samples that only one of them can be scored on.
    """

    setup: BenchmarkSetup
    first: Figures
    second: Figures
    shared: Comparison | None
    reworded: int
    added: int
    removed: int


class _Reworded(Data):
    """The samples of data whose questions are not the known ones."""

    def __init__(self, data: Data, known: Mapping[str, str]) -> None:
        super().__init__(data.layout, data.name, data.source, data.workspace)
        self.data, self.known = data, known

    def items(self, split: Split | None = None) -> Iterator[Item]:
        return (item for item in self.data.items(split) if self.known.get(item.sample.id) != _asked(item))


def compare_benchmarks(
    first: Data,
    second: Data,
    out: Path,
    *,
    predictor: Predictor,
    protocol: Protocol,
    told: Told = lambda text: None,
) -> Rescored:
    """Ask a policy both versions' questions, each distinct one once, and compare what it scores.

    Of either the split ``test`` counts, or everything where there is none. Raises ``UsageError`` where the folder holds
    something else, or another process is at work on it.
    """
    told("reading the data")
    (one, _), (other, _) = survey(first, training=False), survey(second, training=False)
    facts = predictor.facts()
    setup = BenchmarkSetup(
        first=one,
        second=other,
        policy=facts["name"],
        samples=predictor.sampling.k,
        segmenter=facts["segmenter"],
        protocol=protocol.name,
    )
    with begun(out, setup, facts["name"]):
        known = {item.sample.id: _asked(item) for item in first.items(one.split)}
        told(f"asking the questions of {first.name}")
        answers = _answers(first, one.split, predictor, out / "answers" / "first")
        before = _scores(first, one.split, answers, protocol, out / "answers" / "first")
        same = {item.sample.id for item in second.items(other.split) if known.get(item.sample.id) == _asked(item)}
        taken = {key: answer for key, answer in answers.items() if key in same}
        if len(same) < other.samples:
            told(f"asking {other.samples - len(same)} questions of {second.name} that differ")
            taken |= _answers(_Reworded(second, known), other.split, predictor, out / "answers" / "second")
        after = _scores(second, other.split, taken, protocol, out / "answers" / "second")
        result = _rescored(setup, before, after, same)
        write_atomically(out / COMPARED, result.model_dump_json(indent=2).encode() + b"\n")
    return result


def _answers(data: Data, split: Split | None, predictor: Predictor, folder: Path) -> dict[str, Prediction]:
    return read_predictions(predict(data, predictor, folder, split=split, settings=Settings()).file)


def _scores(
    data: Data, split: Split | None, answers: Mapping[str, Prediction], protocol: Protocol, folder: Path
) -> list[Score]:
    if (folder / RESULTS).is_file():
        return kept(folder, protocol)
    gallery = Gallery()
    found, scores = evaluate(data, answers, protocol, name="answers", split=split, gallery=gallery)
    folder.mkdir(parents=True, exist_ok=True)
    keep(folder, found, scores, page(found, gallery))
    return scores


def _rescored(setup: BenchmarkSetup, before: list[Score], after: list[Score], same: set[str]) -> Rescored:
    olds, news = {score.sample_id for score in before}, {score.sample_id for score in after}
    return Rescored(
        setup=setup,
        first=figures_of(before),
        second=figures_of(after),
        shared=bootstrap.compare(before, after),
        reworded=len((olds & news) - same),
        added=len(news - olds),
        removed=len(olds - news),
    )


def _asked(item: Item) -> str:
    return item.sample.query.text if item.sample.query else ""
