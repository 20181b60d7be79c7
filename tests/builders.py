"""Small records for tests: a 6×8 image and samples on it."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from whyseg.curation.workspace import Workspace
from whyseg.schemas import Image, Instance, Mask, Origin, Query, Sample

SIZE = (6, 8)


def image_record(number: int = 0, size: tuple[int, int] = SIZE) -> Image:
    return Image(
        id=f"{number:064x}", height=size[0], width=size[1], format="PNG", byte_size=1, file_name=f"{number}.png"
    )


def block(top: int, left: int, height: int, width: int, size: tuple[int, int] = SIZE) -> Mask:
    bitmap = np.zeros(size, bool)
    bitmap[top : top + height, left : left + width] = True
    return Mask.encode(bitmap)


def instance(number: int, mask: Mask, label: str = "") -> Instance:
    return Instance(id=number, mask=mask, label=label, origin=Origin(kind="click", model="fake"))


def sample(number: int = 0, *, query: str | None = None, instances: Sequence[Instance] = ()) -> Sample:
    empty = Sample.start(image_record(number).id, SIZE, source="images", source_record="")
    return empty.model_copy(update={"query": Query(text=query) if query else None, "instances": tuple(instances)})


def complete(number: int = 0, query: str = "what keeps the drink warm?") -> Sample:
    full = {"reasoning_type": "function_purpose", "hops": ["a cup holds drinks"], "depth": 1}
    return Sample.parse({**sample(number, query=query, instances=[instance(1, block(1, 1, 2, 3))]).plain(), **full})


def filled_workspace(path: Path, samples: int = 1) -> Workspace:
    """Make a workspace with that many images, each with an empty sample; the image files are made-up bytes."""
    workspace = Workspace.create(path)
    for number in range(samples):
        key = workspace.blobs.put(f"image {number}".encode())
        image = image_record(number).model_copy(update={"id": key})
        workspace.store.add_image(image, author="ann")
        empty = Sample.start(key, SIZE, source="images", source_record="")
        workspace.store.add_sample(empty, author="ann")
    return workspace


class Clock:
    """A clock that a test turns by hand."""

    def __init__(self) -> None:
        self.time = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time

    def advance(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)
