"""Small stand-ins that behave, shared by the tests."""

from dataclasses import dataclass, field

import cv2
import numpy as np

from whyseg.curation.segmenters.base import BoolArray, Embedding, FloatArray, Proposal, RgbArray
from whyseg.schemas import Prompt

FAKE_SCALE = 4  # the fake decoder's logits are this much coarser than the image


@dataclass(frozen=True)
class FakeEmbedding:
    """An image's size and mean colour."""

    size: tuple[int, int]
    mean: tuple[float, ...]
    nbytes: int = 1000


@dataclass(frozen=True)
class FakeProposal:
    """Discs of one radius around the positive clicks, less those around the negative ones."""

    mask: BoolArray
    score: float
    logits: FloatArray | None

    def crop(self) -> tuple[tuple[int, int, int, int], BoolArray]:
        """Return the disc's box and its pixels."""
        ys, xs = np.nonzero(self.mask)
        if not len(xs):
            return (0, 0, 0, 0), np.zeros((0, 0), bool, "F")
        x, y, x1, y1 = int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1
        return (x, y, x1 - x, y1 - y), np.asfortranarray(self.mask[y:y1, x:x1])


@dataclass
class FakeSegmenter:
    """A segmenter without a model: every prompt is answered with discs of radius 8, 4 and 12, in that order.

    With ``previous`` the pixels it marks are added, so that a refinement can be told from a fresh prompt. A box alone
    is answered with the box, shrunk to each radius' share. ``asked`` records (prompt, previous) of every call.
    """

    name: str = "fake"
    model: str = "fake/discs"
    radii: tuple[float, ...] = (8.0, 4.0, 12.0)
    embedded: int = 0
    asked: list[tuple[Prompt, FloatArray | None]] = field(default_factory=list)

    def embed(self, image: RgbArray) -> FakeEmbedding:
        """Remember the size and the mean colour."""
        self.embedded += 1
        mean = tuple(float(value) for value in image.reshape(-1, 3).mean(0))
        return FakeEmbedding((image.shape[0], image.shape[1]), mean)

    def propose(self, embedding: Embedding, prompt: Prompt, previous: FloatArray | None = None) -> list[Proposal]:
        """Answer with one proposal a radius; scores 0.9, 0.8, 0.7."""
        self.asked.append((prompt, previous))
        proposals: list[Proposal] = []
        for k, radius in enumerate(self.radii):
            mask = self._discs(embedding.size, prompt, radius)
            if previous is not None:
                mask |= _enlarged(previous, embedding.size) > 0
            proposals.append(FakeProposal(mask, round(0.9 - 0.1 * k, 6), _coarse(mask)))
        return proposals

    def _discs(self, size: tuple[int, int], prompt: Prompt, radius: float) -> BoolArray:
        ys, xs = np.mgrid[: size[0], : size[1]]
        mask = np.zeros(size, bool)
        if prompt.box and not any(point.positive for point in prompt.points):
            inset = max(self.radii) - radius
            mask |= (xs >= prompt.box.x0 + inset) & (xs <= prompt.box.x1 - inset)
            mask &= (ys >= prompt.box.y0 + inset) & (ys <= prompt.box.y1 - inset)
        for point in prompt.points:
            disc = (xs - point.x) ** 2 + (ys - point.y) ** 2 <= radius**2
            mask = mask | disc if point.positive else mask & ~disc
        return mask


def _coarse(mask: BoolArray) -> FloatArray:
    shape = (max(1, mask.shape[1] // FAKE_SCALE), max(1, mask.shape[0] // FAKE_SCALE))
    return cv2.resize(mask.astype(np.float32) * 8 - 4, shape, interpolation=cv2.INTER_AREA).astype(np.float32)


def _enlarged(logits: FloatArray, size: tuple[int, int]) -> FloatArray:
    return cv2.resize(logits, (size[1], size[0]), interpolation=cv2.INTER_LINEAR).astype(np.float32)
