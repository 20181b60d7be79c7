"""A draft on its way into a sample: kept beside it as a suggestion, and how far a person moved it."""

import uuid
from datetime import datetime

import numpy as np

from whyseg.schemas import Critique, QueryDraft, QueryOrigin, Suggestion


def suggestion_of(sample_id: str, draft: QueryDraft, critique: Critique, at: datetime) -> Suggestion:
    """Return the record that the store keeps of a draft: ``value`` holds ``draft`` and ``critique``."""
    return Suggestion(
        id=uuid.uuid4().hex,
        sample_id=sample_id,
        kind="query",
        value={"draft": draft.plain(), "critique": critique.plain()},
        model=model_of(draft.drafter, draft.model),
        score=critique.learnability,
        created_at=at,
    )


def draft_of(suggestion: Suggestion) -> tuple[QueryDraft, Critique]:
    """Return the draft that a suggestion holds; raises ``InvalidRecord`` when it holds none."""
    value = suggestion.value
    return QueryDraft.parse(value.get("draft")), Critique.parse(value.get("critique", {}))


def model_of(drafter: str, model: str) -> str:
    """Return how suggestions and origins name a drafter and what answers behind it."""
    return f"{drafter}:{model}"


def origin_of(draft: QueryDraft, text: str) -> QueryOrigin:
    """Return the origin of a question that a person made of a draft."""
    return QueryOrigin(
        kind="model", model=model_of(draft.drafter, draft.model), edit_distance=edit_distance(draft.text, text)
    )


def edit_distance(before: str, after: str) -> float:
    """Return how far a text was moved: Levenshtein's distance over the longer length, 0 (not at all) to 1.

    Insertions, deletions and replacements of one character count 1 each (Levenshtein 1966); white space at the ends
    does not count.

    >>> edit_distance("kitten", "sitting") == 3 / 7
    True
    """
    one, two = (np.array([ord(c) for c in text.strip()], np.int64) for text in (before, after))
    if not len(one) or not len(two):
        return float(len(one) != len(two))
    places = np.arange(len(two) + 1)
    row = places
    for number, char in enumerate(one, 1):
        # Without insertions each place comes from above or from the diagonal; insertions then run along the row.
        best = np.minimum(row[1:] + 1, row[:-1] + (two != char))
        row = np.minimum.accumulate(np.concatenate([[number], best]) - places) + places
    return float(row[-1] / max(len(one), len(two)))
