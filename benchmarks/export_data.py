"""Workspaces for the export's measurements: photographs with instances that have holes and several parts."""

import io
from pathlib import Path

import cv2
import numpy as np
from PIL import Image as PilImage

from whyseg.curation.images import inspect
from whyseg.curation.releases import Releases
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Mask, Sample
from whyseg.schemas.mask import BoolArray

SIZE = (480, 640)
RELEASE = "v1"
TOGETHER = 100


def make(folder: Path, samples: int, size: tuple[int, int] = SIZE) -> None:
    """Make a workspace with that many samples, each on a photograph of its own, and a release of them."""
    with Workspace.create(folder) as workspace:
        for number in range(samples):
            rng = np.random.default_rng(number)
            data = _photograph(rng, size)
            image = inspect(data, f"{number:06d}.jpg")
            workspace.blobs.put(data)
            workspace.store.add_image(image, author="bench")
            workspace.store.add_sample(_sample(rng, image.id, number, size), author="bench")
        Releases(workspace).create(RELEASE, author="bench", states="any")


def _photograph(rng: np.random.Generator, size: tuple[int, int]) -> bytes:
    """Return a JPEG of smooth shapes under fine grain: about the 100 kB that a photograph of 640×480 takes."""
    coarse = rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)
    smooth = cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC).astype(np.int16)
    pixels = np.clip(smooth + rng.normal(0, 9, (*size, 1)).astype(np.int16), 0, 255).astype(np.uint8)
    file = io.BytesIO()
    PilImage.fromarray(pixels).save(file, "JPEG", quality=90)
    return file.getvalue()


def _sample(rng: np.random.Generator, image_id: str, number: int, size: tuple[int, int]) -> Sample:
    masks = [_blob(rng, size) for _ in range(int(rng.integers(1, 4)))]
    instances = [
        {"id": key, "mask": Mask.encode(mask), "label": "thing", "origin": {"kind": "click", "model": "sam"}}
        for key, mask in enumerate(masks, 1)
    ]
    return Sample.start(
        image_id,
        size,
        source="images",
        source_record="",
        query={"text": f"which of these would one take along on a long way, number {number}?"},
        instances=instances,
        reasoning_type="commonsense",
        hops=("a long way makes thirsty", "this holds water"),
        depth=2,
    )


def _blob(rng: np.random.Generator, size: tuple[int, int]) -> BoolArray:
    """Return one or two wavy shapes, as a segmenter draws them, some with a hole."""
    canvas = np.zeros(size, np.uint8)
    turn = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    for _ in range(int(rng.integers(1, 3))):
        radius = min(size) * rng.uniform(0.05, 0.25)
        wave = sum(rng.normal(0, 0.15 / k) * np.cos(k * turn + rng.uniform(0, 6)) for k in range(1, 24))
        centre = rng.uniform(0.2, 0.8, 2) * size[::-1]
        ring = centre + radius * (1 + np.asarray(wave))[:, None] * np.stack([np.cos(turn), np.sin(turn)], 1)
        cv2.fillPoly(canvas, [ring.astype(np.int32)], (1,))
        if rng.random() < 0.5:
            cv2.circle(canvas, tuple(int(v) for v in centre), int(radius / 4), (0,), -1)
    return canvas.astype(bool)
