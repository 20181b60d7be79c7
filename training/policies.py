"""What answers a question about a picture with text: the thing that is trained, voted over and evaluated."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from whyseg.training.frames import Frame

RgbArray = npt.NDArray[np.uint8]


class Policy(Protocol):
    """A vision-language model with the prompt it was trained on and the frame its coordinates are in."""

    @property
    def name(self) -> str:
        """What runs, for the record: a folder, a Hub id, a model and its address."""

    @property
    def frame(self) -> Frame:
        """Which coordinates the answers are in."""

    @property
    def style(self) -> str:
        """The prompt, a style of `prompts.messages`."""

    def answer(
        self,
        images: Sequence[RgbArray],
        queries: Sequence[str],
        *,
        k: int = 1,
        temperature: float = 0.0,
        top_p: float = 1.0,
        seed: int = 0,
        max_tokens: int = 1024,
    ) -> list[list[str]]:
        """Return ``k`` answers to each question about the picture beside it, in their order.

        ``images``: uint8 (H, W, 3), upright, in their own size. At temperature 0 answers are greedy, so all k are the
        same one. An answer that could not be had is the empty text, which parses as a failure.
        """
