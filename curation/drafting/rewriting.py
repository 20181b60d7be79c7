"""Questions that the critic's rules find fault with, and another text for the same target from a drafter.

Only faults that another text mends are looked for: that it names its answer, fits other things as well, or asks what no
picture tells. A label that tells nothing, such as "target", is no name, and no drafter can ask about it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from whyseg.curation.checking.questions import UNTELLING
from whyseg.curation.drafting.accepting import model_of, origin_of
from whyseg.curation.drafting.base import Drafter, RgbArray
from whyseg.curation.drafting.critic import ambiguity, judge, leak, unanswerable
from whyseg.schemas import Fault, Query, QueryDraft, ReasoningType, Sample, Scene

DRAFTS = 3  # of which the first without a fault is taken
# How sure a fault is: a name in the text is a fact, what else the text may mean an inference.
SURENESS = {Fault.LEAK: 0.9, Fault.UNANSWERABLE: 0.7, Fault.AMBIGUOUS: 0.5}


@dataclass(frozen=True)
class Flaw:
    """A fault of a sample's question, and the rule's reason."""

    fault: Fault
    reason: str


@dataclass(frozen=True)
class Rewrite:
    """Another question for the same target, and who wrote it."""

    query: Query
    by: str


def flaw_of(sample: Sample, scene: Scene) -> Flaw | None:
    """Return the surest fault of a sample's question; None where there is none, or no question."""
    if sample.query is None:
        return None
    asked, told = _as_draft(sample), _telling(scene)
    found = (
        (Fault.LEAK, leak(asked, told)),
        (Fault.UNANSWERABLE, unanswerable(asked)),
        (Fault.AMBIGUOUS, ambiguity(asked, told) if told.targets else ""),
    )
    return next((Flaw(fault, reason) for fault, reason in found if reason), None)


def rewritten(sample: Sample, scene: Scene, drafter: Drafter, picture: Callable[[], RgbArray]) -> Rewrite | None:
    """Return a question without a fault by the rules; None where the drafter has none, or a target has no telling name.

    It is of the sample's type and depth; where these are not set, of the first type that the drafter has a question of,
    at depth 1. ``picture`` gives the pixels, uint8 (H, W, 3), and is called only for a drafter that looks. Raises
    ``DrafterError`` when no draft can be expected.
    """
    told = _telling(scene)
    if not told.targets or len(told.targets) < len(scene.targets):
        return None
    pixels = picture() if drafter.looks else _blank(sample)
    for kind in _kinds(sample):
        done = drafter.draft(pixels, told, reasoning_type=kind, depth=sample.depth or 1, n=DRAFTS)
        for draft in done.drafts:
            if not judge(draft, told).marks and sample.query and draft.text.strip() != sample.query.text:
                query = Query(text=draft.text, is_sentence=draft.is_sentence, origin=origin_of(draft, draft.text))
                return Rewrite(query=query, by=model_of(draft.drafter, draft.model))
    return None


def _kinds(sample: Sample) -> Sequence[ReasoningType]:
    return [sample.reasoning_type] if sample.reasoning_type else list(ReasoningType)


def _telling(scene: Scene) -> Scene:
    things = [thing for thing in scene.objects if thing.label and thing.label.casefold() not in UNTELLING]
    return scene.model_copy(update={"objects": tuple(things)})


def _as_draft(sample: Sample) -> QueryDraft:
    """Return a question as the critic takes it; the rules that are asked here look at the text alone."""
    text = sample.query.text if sample.query else ""
    return QueryDraft(
        text=text,
        reasoning_type=sample.reasoning_type or ReasoningType.FUNCTION_PURPOSE,
        depth=sample.depth or 1,
        hops=sample.hops or (text,),
        label="",
        drafter="",
        model="",
        prompt_hash="",
    )


def _blank(sample: Sample) -> RgbArray:
    import numpy as np

    return np.zeros((*sample.size, 3), np.uint8)
