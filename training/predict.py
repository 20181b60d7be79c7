"""Ask a policy the questions of a data set, and a segmenter for the masks of its answers; a killed run goes on.

A question's answers are one line of ``candidates.jsonl``, durable before the next question is asked. Shared between
processes, as accelerate starts them, each writes a file of its own; the last step puts them together.
"""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Protocol, runtime_checkable

from pydantic import Field

from whyseg.curation.blobs import write_atomically
from whyseg.curation.reading import Data, Item
from whyseg.schemas import Record, Split
from whyseg.schemas.errors import RefusedInput, UsageError
from whyseg.training.candidates import CandidateFile, Candidates
from whyseg.training.evaluate import unscorable
from whyseg.training.mask_reward import Masks
from whyseg.training.policies import AsksApart, Policy
from whyseg.training.predictions import Journal, line_of
from whyseg.training.seeing import ballot, seen
from whyseg.training.voting import Settings

RUN, CANDIDATES, PREDICTIONS = "predict.json", "candidates.jsonl", "predictions.jsonl"
TOGETHER = 16  # questions that are asked at once where a run that goes on gets the same answers


class Sampling(Record):
    """How a policy is asked: ``k`` answers to each question; temperature 0 is greedy.

    The defaults are those of the papers' direct answers, `voting` those of StAR's votes.
    """

    k: Annotated[int, Field(ge=1)] = 1
    temperature: Annotated[float, Field(ge=0, le=10)] = 0.0
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    max_tokens: Annotated[int, Field(ge=1)] = 1024
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 42

    @classmethod
    def of(cls, k: int, **given: Any) -> "Sampling":
        """Return greedy sampling for one answer, StAR's for several, with what was given instead."""
        usual = {"temperature": 1.0, "top_p": 0.9} if k > 1 else {}
        return cls.parse({"k": k, **usual, **{name: value for name, value in given.items() if value is not None}})


class Share(Record):
    """Which of how many processes this is."""

    rank: int = 0
    processes: int = 1


class Asked(Record):
    """What came of asking: the file of predictions, how many questions have answers in it, and how many have none.

    A question has none where nothing at all came back, as from an endpoint that is gone; another run asks it again.
    """

    file: Path
    answered: int
    unanswered: int


@runtime_checkable
class _Counts(Protocol):
    def count_tokens(self, text: str) -> int: ...


class Predictor:
    """A policy with the segmenter that turns its boxes and points into masks of the original picture."""

    def __init__(self, policy: Policy, masks: Masks, sampling: Sampling) -> None:
        self.policy, self.masks, self.sampling = policy, masks, sampling

    def facts(self) -> dict[str, Any]:
        """Return what the answers depend on, as plain data."""
        names = {name: getattr(self.policy, name) for name in ("name", "style", "shape")}
        segmenter = f"{self.masks.segmenter.name} {self.masks.segmenter.model}"
        return {**names, "frame": self.policy.frame.name, "segmenter": segmenter, "sampling": self.sampling.plain()}

    def answer(self, items: Sequence[Item]) -> list[Candidates]:
        """Return the answers to the items' questions; an answer that cannot be read is a value.

        Raises ``ModelFailed`` and ``EndpointDenied`` as the policy and the segmenter do.
        """
        sampling = self.sampling
        texts = self.policy.answer(
            [item.pixels() for item in items],
            [item.sample.query.text if item.sample.query else "" for item in items],
            **sampling.plain(),
        )
        return [self._candidates(item, some) for item, some in zip(items, texts, strict=True)]

    def _candidates(self, item: Item, texts: Sequence[str]) -> Candidates:
        size = item.sample.size
        answers = tuple(map(ballot, seen(texts, self.policy, self.masks, item.image.id, item.pixels, size)))
        tokens: tuple[int, ...] = ()
        if isinstance(self.policy, _Counts):
            tokens = tuple(self.policy.count_tokens(text) for text in texts)
        return Candidates(size=size, answers=answers, sample_id=item.sample.id, texts=tuple(texts), tokens=tokens)


def predict(
    data: Data,
    predictor: Predictor,
    folder: Path,
    *,
    split: Split | None = None,
    settings: Settings | None = None,
    share: Share | None = None,
    wait: Callable[[], None] = lambda: None,
    progress: Callable[[int], None] = lambda done: None,
) -> Asked:
    """Answer every question of the data, or of one split, into a folder.

    Samples that cannot be scored or have no question are not asked. ``settings``: what the vote goes by where several
    answers are sampled. ``wait`` returns when all processes have come to it. What the folder holds of the same run is
    not asked again; raises ``UsageError`` when it holds another run's.
    """
    share, asking = share or Share(), {**predictor.facts(), "data": data.name, "split": split}
    if share.rank == 0:
        _require_same(folder, asking)
    wait()
    done = _answered(folder)
    wait()  # nobody writes before all have read
    wanted = set[str]()
    journal = Journal(folder / _part(share.rank))
    try:
        count = len(done)
        same = predictor.sampling.temperature <= 0 or isinstance(predictor.policy, AsksApart)
        together = TOGETHER if same else 1
        for items in _batches(_open_questions(data, split, done, share, wanted), together):
            for one in predictor.answer(items):
                if any(one.texts):
                    journal.add(one.line())
            count += len(items)
            progress(count)
    finally:
        journal.close()
    wait()
    if share.rank == 0:
        _joined(folder, settings if predictor.sampling.k > 1 else None)
    wait()
    done = _answered(folder)
    return Asked(file=folder / PREDICTIONS, answered=len(done), unanswered=len(wanted - done))


def usual_segmenter(policy: Policy) -> str:
    """Return the model that turns a policy's answers into masks: the packaged one for the world, else SAM 2.1 large."""
    return "tiny-test" if policy.style == "world" else "facebook/sam2.1-hiera-large"


def this_share() -> tuple[Share, Callable[[], None]]:
    """Return which share of the work accelerate gave this process, and what waits for the others."""
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    if processes == 1:
        return Share(), lambda: None
    import torch
    from accelerate import PartialState

    state = PartialState(cpu=not torch.cuda.is_available())
    if state.num_processes != processes:
        raise UsageError(f"{processes} processes were started, accelerate knows of {state.num_processes}")
    return Share(rank=state.process_index, processes=state.num_processes), state.wait_for_everyone


def _open_questions(data: Data, split: Split | None, done: set[str], share: Share, wanted: set[str]) -> Iterator[Item]:
    """Yield this process's share of the questions that have no answer; note in ``wanted`` all that there are."""
    for number, item in enumerate(data.items(split)):
        key = item.sample.id
        if item.sample.query is None or unscorable(item.sample) or key in wanted:
            continue
        wanted.add(key)
        if number % share.processes == share.rank and key not in done:
            yield item


def _batches(items: Iterator[Item], together: int) -> Iterator[list[Item]]:
    batch: list[Item] = []
    for item in items:
        batch.append(item)
        if len(batch) == together:
            yield batch
            batch = []
    if batch:
        yield batch


def _require_same(folder: Path, asking: dict[str, Any]) -> None:
    """Write down what is asked, or raise ``UsageError`` when the folder says something else."""
    path = folder / RUN
    if not path.exists():
        if folder.exists() and any(folder.iterdir()):
            raise UsageError(f"{folder} is not empty, and holds no answers of whyseg predict")
        write_atomically(path, json.dumps(asking, ensure_ascii=False, indent=2).encode() + b"\n")
        return
    try:
        found = json.loads(path.read_bytes())
    except ValueError as error:
        raise UsageError(f"{path} is broken: {error}") from error
    if found != asking:
        other = [name for name in asking if not isinstance(found, dict) or found.get(name) != asking[name]]
        raise UsageError(f"{folder} holds the answers of another run: {', '.join(other)} differ")


def _part(rank: int) -> str:
    return f"candidates-{rank}.jsonl"


def _answered(folder: Path) -> set[str]:
    """Return the samples that have an answer already."""
    return {key for path in [folder / CANDIDATES, *folder.glob("candidates-*.jsonl")] for key, _ in _lines(path)}


def _lines(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield each whole line of a file with its sample's id; torn last lines and absent files give none."""
    if path.exists():
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.endswith(b"\n"):
                    try:
                        yield json.loads(line)["sample_id"], line
                    except (ValueError, LookupError, TypeError) as error:
                        raise RefusedInput(path.name, f"line {number} holds no candidates") from error


def _joined(folder: Path, settings: Settings | None) -> None:
    """Put all parts into one file, each line once, and write what they amount to."""
    parts = sorted(folder.glob("candidates-*.jsonl"))
    whole, seen = folder / f".new-{CANDIDATES}", set[str]()
    with whole.open("wb") as out:
        for path in [folder / CANDIDATES, *parts]:
            for key, line in _lines(path):
                if key not in seen:
                    seen.add(key)
                    out.write(line)
        out.flush()
        os.fsync(out.fileno())
    os.replace(whole, folder / CANDIDATES)
    for path in parts:
        path.unlink()
    stored = CandidateFile(folder / CANDIDATES)
    lines = (stored[key].direct() if settings is None else stored[key].voted(settings) for key in stored)
    write_atomically(folder / PREDICTIONS, "".join(line_of(one) + "\n" for one in lines).encode())
