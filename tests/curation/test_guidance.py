from datetime import UTC, datetime

import pytest

from tests.builders import block, instance, sample
from tests.test_docs import ROOT
from whyseg.curation.checks import look
from whyseg.curation.guidance import Example, Guide, guidance, page
from whyseg.schemas import Query, ReasoningType, Sample
from whyseg.schemas.sample import MAX_DEPTH

TYPES, DEPTHS = guidance().types, guidance().depths


def as_sample(example: Example, kind: ReasoningType | None) -> Sample:
    """The example as somebody would have annotated it, with one instance of its answer."""
    empty = sample(instances=[instance(1, block(0, 0, 4, 5), example.answer)])
    text = {"query": Query(text=example.question), "reasoning_type": kind or ReasoningType.COMMONSENSE}
    return Sample.parse({**empty.plain(), **text, "hops": example.hops, "depth": len(example.hops)})


def test_there_is_a_guide_for_every_type_and_depth() -> None:
    assert list(TYPES) == list(ReasoningType)
    assert list(DEPTHS) == list(range(1, MAX_DEPTH + 1))


@pytest.mark.parametrize(("kind", "guide"), TYPES.items())
def test_good_examples_of_a_type_pass_the_checks_that_samples_have_to_pass(kind: ReasoningType, guide: Guide) -> None:
    for example in guide.good:
        assert list(look(as_sample(example, kind), datetime.now(UTC))) == []
        assert len(example.hops) >= (2 if kind is ReasoningType.COMPOSITIONAL else 1)
        assert not example.why
    assert guide.bad.why


@pytest.mark.parametrize(("depth", "guide"), DEPTHS.items())
def test_good_examples_of_a_depth_have_as_many_hops(depth: int, guide: Guide) -> None:
    for example in guide.good:
        assert len(example.hops) == depth
        assert list(look(as_sample(example, None), datetime.now(UTC))) == []
    assert guide.bad.why


def test_bad_examples_that_name_their_answer_are_what_the_check_finds() -> None:
    bad = as_sample(TYPES[ReasoningType.FUNCTION_PURPOSE].bad, ReasoningType.FUNCTION_PURPOSE)
    assert [finding.kind for finding in look(bad, datetime.now(UTC))] == ["label_leak"]


def test_the_page_says_what_the_form_says() -> None:
    assert (ROOT / "docs" / "guidance.md").read_text() == page()
