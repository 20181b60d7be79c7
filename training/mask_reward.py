"""The masks that a policy's boxes and points stand for: what mask rewards and evaluations compare with the target.

A picture is embedded once for all the answers about it, and its embedding is kept for when the question comes again.
Prompts are decoded many at once, identical ones once. Of a prompt's candidates the one with the best predicted IoU
counts; the papers' code takes the best of SAM's three masks for ambiguity, whyseg of all four.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import Protocol, runtime_checkable

from whyseg.curation.segmenters.base import Embedding, Proposal, RgbArray, Segmenter
from whyseg.curation.segmenters.crops import mask_of
from whyseg.schemas import Mask, Prompt

CACHE_BYTES = 2**30  # about 60 embeddings of SAM 2.1 in single precision, 120 in half


@runtime_checkable
class _Batched(Protocol):
    def propose_many(
        self, embedding: Embedding, prompts: Sequence[Prompt], *, together: int = 16
    ) -> list[list[Proposal]]: ...


class Masks:
    """A frozen segmenter with the embeddings of the pictures that were asked about last, ``cache_bytes`` in all.

    ``together``: how many prompts run through the decoder at once. ``embedded``, ``decoded``: how many pictures and
    prompts the segmenter was given so far.
    """

    def __init__(self, segmenter: Segmenter, *, cache_bytes: int = CACHE_BYTES, together: int = 16) -> None:
        self.segmenter, self.cache_bytes, self.together = segmenter, cache_bytes, together
        self.embedded = self.decoded = 0
        self._kept: OrderedDict[Hashable, Embedding] = OrderedDict()

    def scored(
        self, key: Hashable, picture: Callable[[], RgbArray], prompts: Sequence[Prompt | None]
    ) -> list[tuple[Mask, float] | None]:
        """Return a mask and its predicted IoU for each prompt about one picture, None where there is no prompt.

        ``key`` names the picture; ``picture`` gives its pixels, uint8 (H, W, 3), and is called only when its embedding
        is not kept. Raises ``ModelFailed`` as the segmenter does.
        """
        asked = list(dict.fromkeys(prompt for prompt in prompts if prompt))
        if not asked:
            return [None] * len(prompts)
        embedding = self._embedding(key, picture)
        self.decoded += len(asked)
        if isinstance(self.segmenter, _Batched):
            proposals = self.segmenter.propose_many(embedding, asked, together=self.together)
        else:
            proposals = [self.segmenter.propose(embedding, prompt) for prompt in asked]
        best = [found[0] for found in proposals]
        masks = {prompt: (mask_of(one, embedding.size), one.score) for prompt, one in zip(asked, best, strict=True)}
        return [masks[prompt] if prompt else None for prompt in prompts]

    def masks(
        self, key: Hashable, picture: Callable[[], RgbArray], prompts: Sequence[Prompt | None]
    ) -> list[Mask | None]:
        """Return the masks alone; see `scored`."""
        return [one and one[0] for one in self.scored(key, picture, prompts)]

    def _embedding(self, key: Hashable, picture: Callable[[], RgbArray]) -> Embedding:
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        embedding = self.segmenter.embed(picture())
        self.embedded += 1
        self._kept[key] = embedding
        while len(self._kept) > 1 and sum(one.nbytes for one in self._kept.values()) > self.cache_bytes:
            self._kept.popitem(last=False)
        return embedding
