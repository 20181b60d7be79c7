"""What a segmenter is: an image is embedded once, then each prompt is answered with candidate masks, best first."""

from typing import Protocol

import numpy as np
import numpy.typing as npt

from whyseg.schemas import Prompt

RgbArray = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]


class Embedding(Protocol):
    """What a segmenter remembers of an image."""

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the upright image."""

    @property
    def nbytes(self) -> int:
        """Memory held, in bytes; the cache's cap counts it."""


class Proposal(Protocol):
    """One candidate mask of a prompt."""

    @property
    def score(self) -> float:
        """The segmenter's own estimate of the mask's IoU, in [0, 1] for models trained to give one."""

    @property
    def logits(self) -> FloatArray | None:
        """float32 (h, w) at the decoder's resolution, > 0 inside: what a next prompt refines; None if there is none."""

    def crop(self) -> tuple[tuple[int, int, int, int], BoolArray]:
        """Return ((x, y, width, height), bool (height, width) in column order): the mask within the box it fills.

        In pixels of the upright image. (0, 0, 0, 0) and an empty array when no pixel belongs to the mask. Computed on
        demand: enlarging a mask to 12 megapixels costs as much as decoding it.
        """


class Segmenter(Protocol):
    """A click-to-mask backend; one thread at a time embeds, and another may propose meanwhile."""

    @property
    def name(self) -> str:
        """The backend's name: sam2, mobilesam, grabcut, sam2-package."""

    @property
    def model(self) -> str:
        """Which weights run, for provenance, e.g. ``facebook/sam2.1-hiera-tiny``."""

    def embed(self, image: RgbArray) -> Embedding:
        """Embed an upright image: uint8 (H, W, 3), RGB."""

    def propose(self, embedding: Embedding, prompt: Prompt, previous: FloatArray | None = None) -> list[Proposal]:
        """Answer a prompt with every mask the decoder makes for it, best predicted IoU first.

        ``previous``: the logits of the proposal that the prompt refines, of the same embedding.
        """
