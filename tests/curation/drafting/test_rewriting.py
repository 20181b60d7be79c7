import numpy as np
import pytest

from tests.builders import block, instance, sample
from tests.curation.drafting.scenes import scene, thing
from whyseg.curation.drafting.base import RgbArray
from whyseg.curation.drafting.rewriting import Flaw, flaw_of, rewritten
from whyseg.curation.drafting.template import TemplateDrafter
from whyseg.schemas import Drafted, DraftProblem, Fault, QueryDraft, ReasoningType, Sample, Scene

SPOON = scene(thing("spoon", 10, 10, 40, 20, target=True), thing("cup", 60, 10, 90, 50))


def asking(text: str | None) -> Sample:
    return sample(query=text, instances=[instance(1, block(1, 1, 2, 3), "spoon")])


def picture() -> RgbArray:
    raise AssertionError("the template drafter does not look")


class Says:
    """A drafter that says the same to everything, and remembers what it was asked."""

    name, model, looks = "says", "says-1", True

    def __init__(self, *texts: str) -> None:
        self.texts, self.asked = texts, list[tuple[ReasoningType, int]]()

    def draft(self, image: RgbArray, scene: Scene, *, reasoning_type: ReasoningType, depth: int, n: int) -> Drafted:
        self.asked.append((reasoning_type, depth))
        if not self.texts:
            return Drafted.without(DraftProblem(kind="declined", reason="it knows none"))
        drafts = [self._draft(text, reasoning_type, depth) for text in self.texts]
        return Drafted(drafts=tuple(drafts))

    def _draft(self, text: str, reasoning_type: ReasoningType, depth: int) -> QueryDraft:
        return QueryDraft(
            text=text, reasoning_type=reasoning_type, depth=depth, hops=("One stirs with it.",), label="spoon",
            drafter=self.name, model=self.model, prompt_hash="x",
        )  # fmt: skip

    def prompt_hash(self, reasoning_type: ReasoningType, depth: int, n: int) -> str:
        return "x"


def test_a_question_that_names_its_answer_gets_another_text_without_a_fault() -> None:
    leaky = asking("Which spoon would you stir with?")
    assert flaw_of(leaky, SPOON) == Flaw(Fault.LEAK, "it says 'spoon', which is its answer")
    found = rewritten(leaky, SPOON, TemplateDrafter(), picture)
    assert found is not None
    assert "spoon" not in found.query.text.lower()
    assert (found.query.origin.kind, found.query.origin.edit_distance, found.by) == ("model", 0, "template:template-1")
    assert flaw_of(asking(found.query.text), SPOON) is None


@pytest.mark.parametrize("text", [None, "What would you stir sugar in with?"])
def test_no_question_and_a_good_one_have_no_flaw(text: str | None) -> None:
    assert flaw_of(asking(text), SPOON) is None


def test_what_no_picture_tells_is_a_flaw_whatever_the_labels() -> None:
    untelling = scene(thing("target", 10, 10, 40, 20, target=True))
    flaw = flaw_of(asking("What would you use at what price, the target?"), untelling)
    assert flaw is not None
    assert flaw.fault is Fault.UNANSWERABLE  # and "target" is no name that leaks
    assert rewritten(asking("Which target?"), untelling, TemplateDrafter(), picture) is None


def test_faulty_drafts_and_the_old_text_are_passed_over() -> None:
    old = asking("What is stirred with?")
    drafter = Says("Which spoon is it?", "What is stirred with?", "What would you eat soup with?")
    found = rewritten(old, SPOON, drafter, lambda: np.zeros((6, 8, 3), np.uint8))
    assert found is not None
    assert found.query.text == "What would you eat soup with?"
    assert rewritten(old, SPOON, Says("Which spoon is it?"), lambda: np.zeros((6, 8, 3), np.uint8)) is None


def test_type_and_depth_are_the_samples_and_else_any() -> None:
    drafter = Says()
    assert rewritten(asking("Which spoon?"), SPOON, drafter, lambda: np.zeros((6, 8, 3), np.uint8)) is None
    assert drafter.asked == [(kind, 1) for kind in ReasoningType]
    typed = asking("Which spoon?").model_copy(update={"reasoning_type": ReasoningType.COMMONSENSE, "depth": 2})
    drafter = Says()
    rewritten(typed, SPOON, drafter, lambda: np.zeros((6, 8, 3), np.uint8))
    assert drafter.asked == [(ReasoningType.COMMONSENSE, 2)]
