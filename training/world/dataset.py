"""The world's samples: one scene, one question and its exact masks each, the same for the same seed."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Self

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from whyseg.schemas import Image, Mask, Sample
from whyseg.schemas.errors import InvalidRecord, UsageError
from whyseg.schemas.mask import BoolArray
from whyseg.schemas.record import Record
from whyseg.schemas.sample import ReasoningType
from whyseg.training.world.errors import Planted, plant
from whyseg.training.world.questions import CHAINS, Asked, ask
from whyseg.training.world.scenes import SIDE, SIZES, Scene, make_scene, one_of
from whyseg.training.world.shapes import COLOURS, KINDS, PATTERNS, SHAPES

SOURCE = "world"
_SCENES = 3000  # that are tried for one question; the hardest cell of the full world takes about thirty
LICENSE = "CC0-1.0"
Share = Annotated[float, Field(ge=0, le=1)]
_NEVER_EMPTY = {(ReasoningType.COMPARATIVE_RELATIONAL, 1)}  # something is always the largest


class World(Record):
    """What scenes and questions are drawn from.

    ``count``: fewest and most things of a scene; ``grid``: cells a side that small things stand in, 0 for anywhere;
    ``most``: things that may answer one question; ``no_target``: the share of questions that nothing answers;
    ``errors``: the share of samples that get a mistake.
    """

    side: Annotated[int, Field(ge=SIDE, le=2048)] = SIDE  # on fewer pixels parts would vanish
    count: tuple[int, int] = (3, 6)
    grid: Annotated[int, Field(ge=0, le=4)] = 0
    kinds: tuple[str, ...] = tuple(KINDS)
    colours: tuple[str, ...] = tuple(COLOURS)
    patterns: tuple[str, ...] = PATTERNS
    sizes: tuple[str, ...] = SIZES
    reasoning_types: tuple[ReasoningType, ...] = tuple(ReasoningType)
    depths: tuple[int, ...] = (1, 2, 3, 4)
    most: Annotated[int, Field(ge=1)] = 3
    no_target: Share = 0.1
    errors: Share = 0.0

    @model_validator(mode="after")
    def _possible(self) -> Self:
        for name, known in (("kinds", KINDS), ("colours", COLOURS), ("patterns", PATTERNS), ("sizes", SIZES)):
            given = getattr(self, name)
            if not given or set(given) - set(known):
                raise InvalidRecord(f"{name} are some of {', '.join(known)}, got {', '.join(given) or 'none'}")
        if not 1 <= self.count[0] <= self.count[1]:
            raise InvalidRecord(f"count is the fewest and the most things, got {self.count}")
        if not self.reasoning_types or not self.depths or set(self.depths) - {1, 2, 3, 4}:
            raise InvalidRecord(f"a world asks questions of some type and of depths 1 to 4, got {self.depths}")
        return self

    def scene(self, seed: int, **otherwise: Any) -> Scene:
        """Make a scene of this world."""
        drawn = {
            name: getattr(self, name) for name in ("side", "count", "kinds", "colours", "patterns", "sizes", "grid")
        }
        return make_scene(seed, **{**drawn, **otherwise})


PLAIN = World(
    count=(2, 3),
    grid=4,
    kinds=("circle", "square", "cup", "key", "umbrella"),
    colours=("red", "green", "blue", "yellow"),
    patterns=("plain",),
    sizes=("small",),
    reasoning_types=(ReasoningType.FUNCTION_PURPOSE, ReasoningType.COMMONSENSE),
    depths=(1,),
    most=1,
    no_target=0,
)
"""What a policy of a million weights learns within minutes: few things, each in a cell of a grid, one step, one answer.

A cell is as large as what becomes one token of the policy, so that a token sees a whole thing or none."""


@dataclass(frozen=True, eq=False)
class WorldItem:
    """A sample with its picture, uint8 (H, W, 3) RGB, and as a PNG file; ``planted``: the mistake in it, if any."""

    number: int
    image: npt.NDArray[np.uint8]
    png: bytes
    sample: Sample
    asked: Asked
    planted: Planted | None

    @property
    def record(self) -> Image:
        """The record of the picture."""
        height, width = self.sample.size
        return Image(
            id=self.sample.image_id, width=width, height=height, format="PNG", byte_size=len(self.png),
            file_name=f"{self.number:06d}.png", license=LICENSE,
        )  # fmt: skip


def samples(n: int, seed: int, world: World | None = None, *, start: int = 0) -> Iterator[WorldItem]:
    """Yield ``n`` samples from number ``start`` on; a sample depends on the seed, its number and the world alone."""
    world = world or World()
    for number in range(start, start + n):
        yield make_item(number, seed, world)


def make_item(number: int, seed: int, world: World) -> WorldItem:
    """Make one sample."""
    rng = np.random.default_rng([seed, number])
    cells = [cell for cell in CHAINS if cell[0] in world.reasoning_types and cell[1] in world.depths]
    kind, depth = one_of(rng, cells)
    nothing = bool(rng.random() < world.no_target) and (kind, depth) not in _NEVER_EMPTY
    asked = None
    for _ in range(_SCENES):
        asked = ask(rng, _scene(rng, world, kind, depth), kind, depth, most=world.most, no_target=nothing)
        if asked:
            break
    else:
        raise UsageError(f"no scene of this world has a question of type {kind.value} and depth {depth}: allow it more")
    image = asked.scene.picture()
    png = cv2.imencode(".png", image[..., ::-1])[1].tobytes()
    query = {"text": asked.text, "is_sentence": asked.is_sentence, "origin": {"kind": "model", "model": "world"}}
    fields: dict[str, Any] = {
        "query": query,
        "instances": [_instance(i, target.label, target.mask) for i, target in enumerate(asked.targets, 1)],
        "no_target": not asked.found,
        "reasoning_type": kind,
        "hops": asked.hops,
        "depth": depth,
    }
    planted = plant(rng, asked) if rng.random() < world.errors else None
    if planted:
        fields = {**fields, **planted.changed(fields)}
    key = hashlib.sha256(png).hexdigest()
    sample = Sample.start(key, image.shape[:2], source=SOURCE, source_record=f"{seed}/{number}", **fields)
    return WorldItem(number, image, png, sample, asked, planted)


def _instance(number: int, label: str, mask: BoolArray) -> dict[str, Any]:
    return {"id": number, "label": label, "mask": Mask.encode(mask), "origin": {"kind": "model", "model": "world"}}


def _scene(rng: np.random.Generator, world: World, kind: ReasoningType, depth: int) -> Scene:
    seed = int(rng.integers(2**48))
    if kind is not ReasoningType.COMMONSENSE or depth <= 2:
        return world.scene(seed)
    # Three or four properties in turn tell things apart only where there are many, and all much alike.
    kinds = tuple(name for name in world.kinds if name in SHAPES) or world.kinds
    return world.scene(seed, kinds=kinds, count=(max(world.count), max(world.count)), pools=(2, 2, 2))
