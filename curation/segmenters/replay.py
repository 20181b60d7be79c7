"""A prompt of several points, answered as if they had been clicked one after another."""

from whyseg.curation.segmenters.base import Embedding, Proposal, Segmenter
from whyseg.schemas import Prompt


def replayed(segmenter: Segmenter, embedding: Embedding, prompt: Prompt, *, steps: int | None = None) -> list[Proposal]:
    """Answer a prompt as if its points had been clicked one after another, the box with the first.

    Each step refines the best candidate of the one before. ``steps``: how many at the most; earlier points are then
    given together, in the first of them.
    """
    proposals: list[Proposal] = []
    count = len(prompt.points)
    first = min(1, count) if steps is None else max(min(1, count), count + 1 - steps)
    for n in range(first, count + 1):
        previous = proposals[0].logits if proposals else None
        proposals = segmenter.propose(embedding, Prompt(points=prompt.points[:n], box=prompt.box), previous)
    return proposals
