"""What a drafter is."""

from typing import Protocol

import numpy as np
import numpy.typing as npt

from whyseg.schemas import Drafted, ReasoningType, Scene

RgbArray = npt.NDArray[np.uint8]


class Drafter(Protocol):
    """Drafts questions about a picture whose target is known.

    ``name`` is the backend's, ``model`` what answers behind it, ``looks`` whether it looks at the pixels.
    ``prompt_hash`` of a type, a depth and a number of drafts tells whether the same was asked before. Drafting is safe
    from several threads at once.
    """

    name: str
    model: str
    looks: bool

    def draft(self, image: RgbArray, scene: Scene, *, reasoning_type: ReasoningType, depth: int, n: int) -> Drafted:
        """Draft up to ``n`` questions about an upright image, uint8 (H, W, 3), RGB.

        That there is no draft is an outcome, with its reason. Raises ``DrafterError`` when none can be expected of
        any picture, as for a wrong key.
        """
        ...

    def prompt_hash(self, reasoning_type: ReasoningType, depth: int, n: int) -> str:
        """Return the hash of everything that the drafter goes by beside picture and scene."""
        ...
