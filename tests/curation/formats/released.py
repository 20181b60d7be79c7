"""Releases for the tests of formats: small workspaces whose pictures are real files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tests.pictures import encoded, pixels
from whyseg.curation.exporting import Row
from whyseg.curation.images import inspect
from whyseg.curation.releases import Releases
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Image, Instance, Mask, Origin, Sample

SIZE = (12, 10)
CLICK = Origin(kind="click", model="sam")


def picture(number: int, size: tuple[int, int] = SIZE) -> bytes:
    return encoded(pixels(*size, seed=number))


def sample_on(image: Image, masks: Sequence[np.ndarray[Any, Any]] = (), **fields: Any) -> Sample:
    """Make a sample with an instance for each mask; ``record`` keeps two on one image apart."""
    instances = [
        Instance(id=key, mask=Mask.encode(mask), label=f"thing {key}", origin=CLICK)
        for key, mask in enumerate(masks, 1)
    ]
    record = fields.pop("record", "")
    return Sample.start(image.id, image.size, source="test", source_record=record, instances=instances, **fields)


def block(top: int, left: int, bottom: int, right: int, size: tuple[int, int] = SIZE) -> np.ndarray[Any, Any]:
    mask = np.zeros(size, bool)
    mask[top:bottom, left:right] = True
    return mask


def row_of(sample: Sample, data: bytes, **fields: Any) -> Row:
    image = inspect(data, "a.png").model_copy(update=fields)
    return Row(sample, "train", image, (), (), lambda: data)


def released(
    path: Path, samples: int, *, name: str = "v1", size: tuple[int, int] = SIZE, per_image: int = 1
) -> Workspace:
    """Make a workspace with a release of samples whose fields are all filled, ``per_image`` on each picture."""
    workspace = Workspace.create(path)
    for number in range(samples):
        data = picture(number // per_image, size)
        image = inspect(data, f"{number // per_image}.png").model_copy(update={"license": "CC0-1.0"})
        workspace.blobs.put(data)
        workspace.store.add_image(image, author="ann")
        sample = sample_on(
            image,
            [block(1, 1, 5, 6, size), block(7, 2, 9, 8, size)],
            record=str(number),
            query={"text": f"what is it, {number}?", "alternates": ["which one?"]},
            ignore=Mask.encode(block(0, 0, 1, 2, size)),
            reasoning_type="compositional",
            hops=("one", "two"),
            depth=2,
        )
        workspace.store.add_sample(sample, author="ann")
    Releases(workspace).create(name, author="ann", states="any")
    return workspace


def files_of(folder: Path) -> dict[str, bytes]:
    """Return the bytes of every file below a folder."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}
