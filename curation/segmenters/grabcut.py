"""GrabCut (Rother, Kolmogorov, Blake 2004) by OpenCV: the segmenter that needs no weights.

It separates the colours of a foreground from those of a background by a graph cut, starting from the box, or from a
region around the positive points. It knows nothing of objects: it is the last resort, and says so.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from whyseg.curation.segmenters.base import BoolArray, Embedding, FloatArray, Proposal, RgbArray
from whyseg.curation.segmenters.enlarge import mask_runs, pixels_of
from whyseg.schemas import Prompt
from whyseg.schemas.errors import ModelFailed

WORKING_SIDE = 256  # pixels of the longer side that the cut is made on; its time grows with the area
ROUNDS = 2
_SEED_SHARE = 0.02  # a click's certain disc, as a share of the longer side
_REACH_SHARES = (0.12, 0.3)  # how far around a click the object may reach; without a box, one candidate each


@dataclass(frozen=True, eq=False)
class GrabCutEmbedding:
    """A smaller copy of the image, uint8 (h, w, 3) RGB, and (height, width) of the image itself."""

    image: RgbArray
    size: tuple[int, int]

    @property
    def nbytes(self) -> int:
        """Memory held, in bytes."""
        return self.image.nbytes


@dataclass(frozen=True, eq=False)
class GrabCutProposal:
    """A mask on the smaller copy, bool (h, w), enlarged when it is asked for.

    ``score`` is no predicted IoU: it is how clearly the region's mean colour differs from that of the ring around it.
    """

    mask: BoolArray
    score: float
    size: tuple[int, int]
    logits: FloatArray | None = None

    def crop(self) -> tuple[tuple[int, int, int, int], BoolArray]:
        """Return ((x, y, width, height), bool (height, width) in column order): the mask within the box it fills."""
        return pixels_of(*mask_runs(np.ascontiguousarray(self.mask.T, np.float32) - np.float32(0.5), self.size))


class GrabCutSegmenter:
    """GrabCut on a copy of at most 256 pixels a side; the same prompt always gives the same masks."""

    name = "grabcut"
    model = "opencv/grabcut"

    def embed(self, image: RgbArray) -> GrabCutEmbedding:
        """Keep a smaller copy of an upright image: uint8 (H, W, 3), RGB."""
        height, width = image.shape[:2]
        scale = min(1.0, WORKING_SIDE / max(height, width))
        smaller = (max(1, round(width * scale)), max(1, round(height * scale)))
        copy = image if scale == 1 else cv2.resize(image, smaller, interpolation=cv2.INTER_AREA)
        return GrabCutEmbedding(np.ascontiguousarray(copy, np.uint8), (height, width))

    def propose(self, embedding: Embedding, prompt: Prompt, previous: FloatArray | None = None) -> list[Proposal]:
        """Answer with one mask for a box, with two (a small and a large reach) for points; the clearest first.

        ``previous`` is not used: every answer is made from the whole prompt. Points alone that are all negative are
        answered with everything else that differs from them.
        """
        assert isinstance(embedding, GrabCutEmbedding)
        reaches = (None,) if prompt.box or not any(p.positive for p in prompt.points) else _REACH_SHARES
        found: list[Proposal] = []
        for reach in reaches:
            mask = _cut(embedding.image, _trimap(embedding, prompt, reach))
            found.append(GrabCutProposal(mask, _clarity(embedding.image, mask), embedding.size))
        return sorted(found, key=lambda proposal: -proposal.score)


def _trimap(embedding: GrabCutEmbedding, prompt: Prompt, reach: float | None) -> npt.NDArray[np.uint8]:
    """Return OpenCV's seeds, uint8 (h, w): certain or probable, foreground or background."""
    height, width = embedding.image.shape[:2]
    scale_x, scale_y = width / embedding.size[1], height / embedding.size[0]
    side = max(height, width)

    def at(x: float, y: float) -> tuple[int, int]:
        column, row = (x + 0.5) * scale_x - 0.5, (y + 0.5) * scale_y - 0.5
        return min(max(round(column), 0), width - 1), min(max(round(row), 0), height - 1)

    seeds = np.full((height, width), cv2.GC_PR_BGD if reach else cv2.GC_PR_FGD, np.uint8)
    if box := prompt.box:
        seeds[:] = cv2.GC_BGD
        (x0, y0), (x1, y1) = at(box.x0, box.y0), at(box.x1, box.y1)
        seeds[y0 : y1 + 1, x0 : x1 + 1] = cv2.GC_PR_FGD
    if reach:
        for point in prompt.points:
            if point.positive:
                cv2.circle(seeds, at(point.x, point.y), max(2, round(reach * side)), int(cv2.GC_PR_FGD), -1)
    radius = int(_SEED_SHARE * side)
    for point in prompt.points:
        cv2.circle(seeds, at(point.x, point.y), radius, int(cv2.GC_FGD if point.positive else cv2.GC_BGD), -1)
    return seeds


def _cut(image: RgbArray, seeds: npt.NDArray[np.uint8]) -> BoolArray:
    wanted = _foreground(seeds)
    if wanted.all() or not wanted.any():
        return wanted  # OpenCV wants samples of both
    background, foreground = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(0)  # its first clusters are drawn
    try:
        bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
        cv2.grabCut(bgr, seeds, (0, 0, 0, 0), background, foreground, ROUNDS, cv2.GC_INIT_WITH_MASK)
    except cv2.error as error:
        raise ModelFailed(f"OpenCV's GrabCut failed: {' '.join(str(error).split())[:200]}") from error
    return _foreground(seeds)


def _foreground(seeds: npt.NDArray[np.uint8]) -> BoolArray:
    return np.isin(seeds, (cv2.GC_FGD, cv2.GC_PR_FGD))


def _clarity(image: RgbArray, mask: BoolArray) -> float:
    """Return the distance in RGB between the mask's mean colour and that of a ring around it, over black to white."""
    around = cv2.dilate(mask.astype(np.uint8), np.ones((9, 9), np.uint8)).astype(bool) & ~mask
    if not mask.any() or not around.any():
        return 0.0
    return float(np.linalg.norm(image[mask].mean(0) - image[around].mean(0)) / (255 * 3**0.5))
