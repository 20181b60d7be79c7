"""How a policy is trained when two data sets are compared: by a preset's GRPO, or supervised on the rows themselves."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from whyseg.curation.reading import Data
from whyseg.schemas.errors import InvalidRecord, RefusedInput, UsageError
from whyseg.training import launch
from whyseg.training.evaluate import unscorable
from whyseg.training.policies import CARD, Policy, PolicyCard, card_of
from whyseg.training.presets import Preset
from whyseg.training.run import RECORD
from whyseg.training.settings import Machine

if TYPE_CHECKING:
    from whyseg.training.warm_up import Lesson

RecipeName = Literal["grpo", "sft"]
_GENTLER = 5  # by how much a policy that speaks already is taught more slowly: at the full rate it forgets what it knew
Told = Callable[[str], None]


class Recipe(Protocol):
    """What happens to both data sets alike. Folders that hold a finished result are taken as they are.

    ``policy``: the model or run to start from; without it the preset's own. ``updates``: instead of the usual number.
    """

    @property
    def preset(self) -> Preset:
        """How is trained and asked."""

    @property
    def policy(self) -> str | None:
        """What was given to start from."""

    @property
    def updates(self) -> int | None:
        """How many were asked for."""

    @property
    def name(self) -> RecipeName:
        """What it is called."""

    @property
    def speaks(self) -> bool:
        """Whether what `begin` returns can answer questions."""

    def begin(self, seed: int, folder: Path, told: Told) -> str:
        """Return the model that both start from: one that is there, or one that is made in the folder."""

    def train(self, data: Data, start: str, seed: int, folder: Path, told: Told) -> None:
        """Train on the split ``train`` of the data, and on rows of no split; leave the policy in the folder."""

    def opened(self, source: str) -> Policy:
        """Return a policy that `train` left in a folder, or the one from `begin`."""


@dataclass(frozen=True)
class _FromPreset:
    preset: Preset
    policy: str | None = None
    updates: int | None = None

    def opened(self, source: str) -> Policy:
        """Return a policy in this process, asked as the preset says where it does not say so itself."""
        from whyseg.training.local_policy import LocalPolicy

        where, card = card_of(Path(source)) or (source, PolicyCard(preset=self.preset))
        return LocalPolicy.load(where, card)

    def _given(self) -> str | None:
        """Return what is there to start from; None where the world's policy is still to be made."""
        if self.policy is not None or self.preset.policy.model in launch.WORLD:
            return self.policy
        return self.preset.policy.model


@dataclass(frozen=True)
class Grpo(_FromPreset):
    """`whyseg train` with a preset. ``segmenter``: whose masks are rewarded, the preset's usual without it."""

    machine: Machine = field(default_factory=Machine)
    segmenter: str | None = None
    name: RecipeName = "grpo"
    speaks: bool = True

    def begin(self, seed: int, folder: Path, told: Told) -> str:
        """Return the model that is given; for the world's presets one is made and warmed up."""
        return self._given() or _made(self.preset, folder, seed, told, warm=True)

    def train(self, data: Data, start: str, seed: int, folder: Path, told: Told) -> None:
        """Train, or go on with what was cut off; raises as `launch.start` does."""
        if (folder / RECORD).is_file():
            launch.resume(folder, told=told)
            return
        known = card_of(Path(start))
        adapted = known is not None and (known[1].base is not None or self.preset.stage is not None)
        launch.start(
            self.preset,
            data,
            folder,
            machine=self.machine,
            policy=None if adapted else known[0] if known else start,
            continues=Path(start) if adapted else None,
            segmenter=self.segmenter,
            updates=self.updates,
            seed=seed,
            told=told,
        )


@dataclass(frozen=True)
class Sft(_FromPreset):
    """Supervised: the answers that the rows' own hops, boxes and points make are learnt token by token.

    For the world's small policies; without ``policy`` they begin with eyes that see and no language, so that all they
    can say comes from the data. ``updates``: steps of `warm_up.BATCH` rows.
    """

    name: RecipeName = "sft"

    def __post_init__(self) -> None:
        """Refuse presets of policies that this recipe is not for."""
        if self.preset.policy.model not in launch.WORLD:
            raise UsageError(
                f"sft trains the world's small policies; {self.preset.name} is of {self.preset.policy.model}"
            )

    @property
    def speaks(self) -> bool:
        """Whether what it begins with was given."""
        return self.policy is not None

    def begin(self, seed: int, folder: Path, told: Told) -> str:
        """Return the model that is given, or make one that has learnt to see and not to speak."""
        return self._given() or _made(self.preset, folder, seed, told, warm=False)

    def train(self, data: Data, start: str, seed: int, folder: Path, told: Told) -> None:
        """Train from the beginning unless the folder holds the result: it takes minutes, and leaves nothing halfway."""
        from whyseg.training.warm_up import RATE, STEPS, warm_up

        if (folder / CARD).is_file():
            return
        lessons = list(_lessons(data, self.preset))
        steps = self.updates or STEPS
        told(f"learning {len(lessons)} rows: {steps} steps")
        where, card = card_of(Path(start)) or (start, None)
        if card is not None and card.base is not None:
            raise UsageError(f"{start} is adapters: whyseg train --merge makes one model of it")
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as made:
            rate = RATE / _GENTLER if self.speaks else RATE
            warm_up(Path(where), lessons, Path(made) / "policy", steps=steps, seed=seed, rate=rate)
            (Path(made) / "policy" / CARD).write_text(PolicyCard(preset=self.preset).model_dump_json(indent=2))
            shutil.rmtree(folder, ignore_errors=True)
            (Path(made) / "policy").rename(folder)


def _lessons(data: Data, preset: Preset) -> Iterator["Lesson"]:
    """Yield the rows that can be learnt, every second question put as in evaluation."""
    from whyseg.training.pictures import squashed
    from whyseg.training.warm_up import Lesson
    from whyseg.training.world.lessons import conversation, reply

    count = 0
    for item in data.items():
        if item.split not in (None, "train") or item.sample.query is None or unscorable(item.sample):
            continue
        try:
            picture = squashed(item.pixels(), preset.policy.canvas)
            answer = reply(item.sample, preset.frame)
        except (InvalidRecord, RefusedInput):
            continue
        yield Lesson(picture, conversation(item.sample, evaluation=bool(count % 2)), answer)
        count += 1


def _made(preset: Preset, folder: Path, seed: int, told: Told, *, warm: bool) -> str:
    """Make the world's policy in a folder: one that sees, and with ``warm`` answers, too; return the folder."""
    from whyseg.training.tiny_policy import make_policy
    from whyseg.training.tiny_sight import learn_to_see
    from whyseg.training.warm_up import on_world
    from whyseg.training.world.dataset import PLAIN

    if (folder / launch.CONFIG).exists():
        return str(folder)
    told("making a small policy that sees" + (" and answers" if warm else ""))
    side = preset.policy.canvas or PLAIN.side
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as work:
        bare, made = Path(work) / "bare", Path(work) / "made"
        make_policy(bare, launch.WORLD[preset.policy.model], side=side, seed=seed)
        if warm:
            on_world(bare, made, side=side, seed=seed, told=told)
        else:
            learn_to_see(bare, made, PLAIN.model_copy(update={"side": side}), seed=seed)
        shutil.rmtree(folder, ignore_errors=True)
        made.rename(folder)
    return str(folder)
