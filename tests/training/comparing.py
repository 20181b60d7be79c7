"""Data, answers and a recipe for comparisons whose figures can be worked out by hand."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from tests.fakes import FakeSegmenter
from tests.pictures import encoded
from tests.training.answers import ROW, row, sample
from tests.training.scripted import ScriptedPolicy, said
from whyseg.curation.images import inspect
from whyseg.curation.reading import Data, Item
from whyseg.schemas import Query, Sample, Split
from whyseg.training.mask_reward import Masks
from whyseg.training.policies import Policy
from whyseg.training.presets import load_preset
from whyseg.training.recipes import RecipeName, Told

FLAT = encoded(np.full((*ROW, 3), 90, np.uint8))  # a flat picture is a near-duplicate of none
Script = Mapping[str, Sequence[str]]  # a policy's answers by what trained it, in the questions' order


class Pictured(Data):
    """Samples with a picture each, by default a flat one."""

    def __init__(
        self, name: str, *samples: Sample, splits: Sequence[Split | None] = (), pictures: Sequence[bytes] = ()
    ) -> None:
        super().__init__("hf", name, name)
        self.samples, self.splits = samples, splits or (None,) * len(samples)
        self.pictures = pictures or (FLAT,) * len(samples)

    def items(self, split: Split | None = None) -> Iterator[Item]:
        for one, side, data in zip(self.samples, self.splits, self.pictures, strict=True):
            if split in (None, side):
                image = inspect(data, f"{one.source_record}.png").model_copy(update={"id": one.image_id})
                yield Item(one, image, data, f"row {one.source_record}", side)


def question(number: int, target: str = "####······", text: str | None = None) -> Sample:
    """Return a sample on picture ``number`` with the target's pixels, asked "question NUMBER"."""
    one = sample(row(target), number=number, record=str(number))
    return one.model_copy(update={"query": Query(text=text or f"question {number}")})


def pixels(first: int, last: int) -> str:
    """Return the answer that `masks` makes pixels first … last of: the fake segmenter takes 4 from every side."""
    return said((first - 4, -4, last + 4, 4))


def masks() -> Masks:
    """Return what makes pixels of answers."""
    return Masks(FakeSegmenter())


class FakeRecipe:
    """Trains by writing down what was trained on; the policies answer from a script, by data and seed.

    ``most``: questions that are answered before the process is killed.
    """

    name: RecipeName = "sft"
    speaks = True
    policy: str | None = None

    def __init__(
        self, script: Callable[[str, int], Sequence[str]], *, most: int = 1000, updates: int | None = None
    ) -> None:
        self.script, self.most, self.updates = script, most, updates
        self.preset = load_preset("world_cpu")
        self.trained: list[tuple[str, int]] = []
        self.policies: list[ScriptedPolicy] = []

    def begin(self, seed: int, folder: Path, told: Told) -> str:
        return "start"

    def train(self, data: Data, start: str, seed: int, folder: Path, told: Told) -> None:
        if not (folder / "trained.json").exists():
            self.trained.append((data.name, seed))
            folder.mkdir(parents=True)
            (folder / "trained.json").write_text(json.dumps([data.name, seed]))

    def opened(self, source: str) -> Policy:
        name, seed = ("start", 0) if source == "start" else json.loads((Path(source) / "trained.json").read_text())
        answers = self.script(name, seed)
        policy = ScriptedPolicy(lambda query, _: answers[int(query.split()[1].rstrip("?")) - 100], most=self.most)
        self.policies.append(policy)
        return policy
