"""Two data sets compared by what is learnt from them: the same training on both, the same questions to both policies.

    comparison.json  what is compared, and under what; written first, and nothing else is compared in the folder
    policy.json      name, size and time of the files of the policy that is given, which may be trained into meanwhile
    start-SEED/      what both policies of a seed start from, where it had to be made
    runs/SIDE-SEED/  what each training left: its run with `whyseg train`'s record, or the policy alone
    answers/…/       every policy's answers to the held-out questions, with their figures
    results.json report.html

Whatever is complete is taken as it is when the same comparison is started again; more seeds may then be named.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from whyseg.curation.agreement import CONFIDENCE
from whyseg.curation.blobs import write_atomically
from whyseg.curation.reading import Data
from whyseg.schemas.errors import UsageError, WhysegError
from whyseg.schemas.record import Record
from whyseg.training import bootstrap
from whyseg.training.bootstrap import Comparison, Interval
from whyseg.training.evaluate import RESULTS, evaluate, keep, kept
from whyseg.training.gallery import Gallery, page
from whyseg.training.held_out import Side, near_duplicates, require_unseen, survey
from whyseg.training.mask_reward import Masks
from whyseg.training.metrics import Score
from whyseg.training.policies import Policy, files_of
from whyseg.training.predict import Predictor, Sampling, predict
from whyseg.training.predictions import read_predictions
from whyseg.training.presets import Preset
from whyseg.training.protocols import Protocol, ProtocolName
from whyseg.training.recipes import Recipe, RecipeName, Told
from whyseg.training.run import LOCK, RunFolder, processes
from whyseg.training.voting import Settings

SETUP, POLICY, COMPARED = "comparison.json", "policy.json", "results.json"
Conclusion = Literal["gain", "loss", "undecided"]
Seeds = Annotated[tuple[Annotated[int, Field(ge=0, lt=2**31)], ...], Field(min_length=1)]


class Setup(Record):
    """What is compared, and under what. ``policy``: what both start from; ``samples``: answers to each question."""

    first: Side
    second: Side
    held_out: Side
    preset: Preset
    recipe: RecipeName
    policy: str | None
    updates: int | None
    samples: int
    segmenter: str
    protocol: ProtocolName


class Figures(Record):
    """What a policy scores on the held-out questions, in [0, 1]; ``interval`` is that of gIoU over pictures."""

    giou: float
    ciou: float | None
    interval: Interval | None
    failed: int


class Trial(Record):
    """One seed: the figures of both results and of what they started from, None where that knows no language yet."""

    seed: int
    start: Figures | None
    first: Figures
    second: Figures
    difference: Comparison


class Spread(Record):
    """How a difference varies with the seed: mean, sample deviation, and Student's 95 % interval of the mean."""

    mean: float
    deviation: float
    low: float
    high: float


class Compared(Record):
    """What came of a comparison. ``together``: all seeds, resampled by picture with a picture's answers of all seeds.

    ``spread``: of gIoU over the seeds, None for one. ``near_duplicates``: pictures of the held-out data that resemble a
    trained one; ``unlike``: together, without these, None where that changes nothing or nothing remains.
    ``conclusion``: gain where the interval of gIoU over pictures lies above 0 and every seed's difference does, loss
    where both lie below, else undecided.
    """

    setup: Setup
    trials: tuple[Trial, ...]
    together: Comparison
    spread: Spread | None
    near_duplicates: int
    unlike: Comparison | None
    conclusion: Conclusion


def compare_data(
    first: Data,
    second: Data,
    held_out: Data,
    out: Path,
    *,
    recipe: Recipe,
    masks: Masks,
    protocol: Protocol,
    seeds: Sequence[int] = (0,),
    samples: int = 1,
    told: Told = lambda text: None,
) -> Compared:
    """Train a policy on either data set for every seed, ask both the held-out questions, and compare their figures.

    ``recipe``: how is trained; ``masks``: what answers become pixels with; ``samples``: answers to a question, voted on
    where they are several. Raises ``UsageError`` where the folder holds something else, another process is at work on
    it, or pictures of the held-out data are trained on.
    """
    if not seeds or len(set(seeds)) < len(seeds):
        raise UsageError(f"every seed is named once, got {', '.join(map(str, seeds)) or 'none'}")
    if processes() > 1:
        raise UsageError("a comparison is one process: start it without accelerate")
    told("reading the data")
    (one, learnt), (other, learnt_too) = survey(first, training=True), survey(second, training=True)
    asked, unseen = survey(held_out, training=False)
    for data in (first, second, held_out):
        if data.refused:
            lost = data.refused[0]
            told(f"{data.name}: {len(data.refused)} refused, the first is {lost.file}: {lost.reason}")
    require_unseen(unseen, [(first.name, learnt), (second.name, learnt_too)])
    setup = Setup(
        first=one,
        second=other,
        held_out=asked,
        preset=recipe.preset,
        recipe=recipe.name,
        policy=recipe.policy,
        updates=recipe.updates,
        samples=samples,
        segmenter=f"{masks.segmenter.name} {masks.segmenter.model}",
        protocol=protocol.name,
    )
    with begun(out, setup, recipe.policy):
        sampling = Sampling.of(
            samples, max_tokens=recipe.preset.grpo.max_completion_tokens
        )  # what it learns to keep to
        bench = Bench(held_out, asked, out, masks, protocol, sampling, told)
        found = [_trial(seed, (first, second), out, recipe, bench, told) for seed in seeds]
        result = _compared(setup, seeds, found, near_duplicates(unseen, [learnt, learnt_too]))
        write_atomically(out / COMPARED, result.model_dump_json(indent=2).encode() + b"\n")
    return result


class Bench:
    """The held-out questions, and where answers to them are kept."""

    def __init__(
        self, data: Data, side: Side, out: Path, masks: Masks, protocol: Protocol, sampling: Sampling, told: Told
    ) -> None:
        self.data, self.split, self.out = data, side.split, out / "answers"
        self.masks, self.protocol, self.sampling, self.told = masks, protocol, sampling, told

    def scores(self, name: str, opened: Callable[[], Policy]) -> list[Score]:
        """Return what a policy scores on every question; it is asked what it has not answered yet."""
        folder = self.out / name
        if (folder / RESULTS).is_file():
            return kept(folder, self.protocol)
        self.told(f"asking {name}")
        predictor = Predictor(opened(), self.masks, self.sampling)
        found = predict(self.data, predictor, folder, split=self.split, settings=Settings())
        answers, gallery = read_predictions(found.file), Gallery()
        evaluation, scores = evaluate(self.data, answers, self.protocol, name=name, split=self.split, gallery=gallery)
        keep(folder, evaluation, scores, page(evaluation, gallery, f"{name} on {self.data.name}"))
        return scores


@contextmanager
def begun(out: Path, setup: Record, policy: str | None = None) -> Iterator[None]:
    """Hold a comparison's folder, see `claimed`; where it came to nothing, as by a mistake of use, none is left."""
    with closing(claimed(out, setup, policy)):
        try:
            yield
        except WhysegError:
            left = list(out.iterdir())
            if {one.name for one in left} <= {SETUP, POLICY, LOCK}:
                for one in left:
                    one.unlink()
                out.rmdir()
            raise


def claimed(out: Path, setup: Record, policy: str | None = None) -> RunFolder:
    """Return the folder of a comparison for this process alone, with its setup written down.

    ``policy``: where the model is that was given. Raises ``UsageError`` when the folder holds something else, the
    policy's files are others than when it began, or another process is at work on it.
    """
    path, plain, files = out / SETUP, setup.plain(), files_of(policy) if policy else []
    if out.exists() and not path.exists() and (not out.is_dir() or any(one.name != LOCK for one in out.iterdir())):
        raise UsageError(f"{out} is there already and holds no comparison; give a new or empty folder")
    out.mkdir(parents=True, exist_ok=True)
    folder = RunFolder(out)
    folder.claim()
    try:
        if not path.exists():
            write_atomically(path, json.dumps(plain, ensure_ascii=False, indent=2).encode() + b"\n")
        found = _plain(path)
        if found != plain:
            other = [name for name in plain if not isinstance(found, dict) or found.get(name) != plain[name]]
            raise UsageError(f"{out} holds another comparison: {', '.join(other)} differ; give a new folder")
        if not (out / POLICY).exists():
            write_atomically(out / POLICY, json.dumps(files).encode() + b"\n")
        if _plain(out / POLICY) != files:
            raise UsageError(f"{out}: the files of {policy} have changed since it was begun; give a new folder")
    except BaseException:
        folder.close()
        raise
    return folder


def figures_of(scores: Sequence[Score]) -> Figures:
    """Return what scores amount to."""
    found = bootstrap.figures(scores)
    return Figures(
        giou=found["giou"] or 0.0,
        ciou=found["ciou"],
        interval=bootstrap.intervals(scores)["giou"],
        failed=sum(score.failed for score in scores),
    )


def spread_of(differences: Sequence[float]) -> Spread | None:
    """Return how the seeds' differences spread; None for fewer than two.

    >>> found = spread_of([0.01, 0.03])
    >>> [round(value, 4) for value in (found.mean, found.deviation, found.low, found.high)]
    [0.02, 0.0141, -0.1071, 0.1471]
    """
    from scipy.stats import t

    if len(differences) < 2:
        return None
    mean, deviation = float(np.mean(differences)), float(np.std(differences, ddof=1))
    reach = float(t.ppf((1 + CONFIDENCE) / 2, len(differences) - 1)) * deviation / len(differences) ** 0.5
    return Spread(mean=mean, deviation=deviation, low=mean - reach, high=mean + reach)


def conclude(together: Comparison, differences: Sequence[float]) -> Conclusion:
    """Return what a comparison says; see `Compared`."""
    interval = together.intervals["giou"]
    if interval is not None and interval[0] > 0 and min(differences) > 0:
        return "gain"
    return "loss" if interval is not None and interval[1] < 0 and max(differences) < 0 else "undecided"


Scored = tuple[list[Score], list[Score], list[Score]]  # of the start, the first and the second


def _trial(seed: int, sides: tuple[Data, Data], out: Path, recipe: Recipe, bench: Bench, told: Told) -> Scored:
    """Train both sides with a seed, and return what start and results score."""
    begun = recipe.begin(seed, out / f"start-{seed}", told)
    made = Path(begun) == out / f"start-{seed}"
    found: list[list[Score]] = [[]]
    if recipe.speaks:
        found = [bench.scores(f"start-{seed}" if made else "start", partial(recipe.opened, begun))]
    for side, data in zip(("first", "second"), sides, strict=True):
        name = f"{side}-{seed}"
        folder = out / "runs" / name
        told(f"seed {seed}: training on {data.name}")
        recipe.train(data, begun, seed, folder, told)
        found.append(bench.scores(name, partial(recipe.opened, str(folder))))
    return found[0], found[1], found[2]


def _compared(setup: Setup, seeds: Sequence[int], found: Sequence[Scored], near: set[str]) -> Compared:
    trials = tuple(
        Trial(
            seed=seed,
            start=figures_of(start) if start else None,
            first=figures_of(first),
            second=figures_of(second),
            difference=difference(first, second),
        )
        for seed, (start, first, second) in zip(seeds, found, strict=True)
    )
    firsts, seconds = ([score for scored in found for score in scored[side]] for side in (1, 2))
    together = difference(firsts, seconds)
    gaps = [trial.difference.giou for trial in trials]
    apart = [[score for score in scores if score.image_id not in near] for scores in (firsts, seconds)]
    return Compared(
        setup=setup,
        trials=trials,
        together=together,
        spread=spread_of(gaps),
        near_duplicates=len(near),
        unlike=bootstrap.compare(apart[0], apart[1]) if near and apart[0] else None,
        conclusion=conclude(together, gaps),
    )


def difference(first: Sequence[Score], second: Sequence[Score]) -> Comparison:
    """Return the second scores less the first; both are of the same questions."""
    found = bootstrap.compare(first, second)
    if found is None:
        raise UsageError("the two share no sample that can be scored")
    return found


def _plain(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except ValueError as error:
        raise UsageError(f"{path} is broken: {error}") from error
