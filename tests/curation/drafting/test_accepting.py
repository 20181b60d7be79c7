import pytest

from whyseg.curation.drafting.accepting import draft_of, edit_distance, origin_of, suggestion_of
from whyseg.curation.times import now
from whyseg.schemas import Critique, Fault, Mark, QueryDraft, ReasoningType
from whyseg.schemas.errors import InvalidRecord

DRAFT = QueryDraft(
    text="What keeps the rain off?",
    reasoning_type=ReasoningType.FUNCTION_PURPOSE,
    depth=1,
    hops=("An umbrella does.",),
    label="umbrella",
    drafter="openai",
    model="vlm",
    prompt_hash="sha256:0",
    tokens=12,
)


@pytest.mark.parametrize(
    ("before", "after", "moved"),
    [
        ("kitten", "sitting", 3 / 7),
        ("same", " same ", 0.0),
        ("", "new", 1.0),
        ("", "", 0.0),
        ("abc", "xyz", 1.0),
        ("What rings?", "What rings loudly?", 7 / 18),  # " loudly" is inserted
    ],
)
def test_the_edit_distance_is_levenshteins_over_the_longer_length(before: str, after: str, moved: float) -> None:
    assert edit_distance(before, after) == pytest.approx(moved)
    assert edit_distance(after, before) == pytest.approx(moved)


def test_accepted_text_names_its_model_and_how_far_it_was_moved() -> None:
    """ "keeps" becomes "kept": two replacements and a deletion in 24 characters."""
    origin = origin_of(DRAFT, "What kept the rain off?")
    assert (origin.kind, origin.model) == ("model", "openai:vlm")
    assert origin.edit_distance == pytest.approx(2 / 24)


def test_a_suggestion_gives_back_draft_and_critique() -> None:
    critique = Critique(marks=(Mark(fault=Fault.LEAK, reason="it says 'umbrella'"),))
    kept = suggestion_of("s1", DRAFT, critique, now())
    assert (kept.kind, kept.model, kept.score) == ("query", "openai:vlm", None)
    assert draft_of(kept) == (DRAFT, critique)
    with pytest.raises(InvalidRecord):
        draft_of(kept.model_copy(update={"value": {"text": "of another kind"}}))
