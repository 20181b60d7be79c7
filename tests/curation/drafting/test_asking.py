"""The critic that asks a model, with a model that answers by a table."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from PIL import Image as PilImage

from tests.curation.drafting.scenes import scene, thing
from tests.curation.drafting.server import completion, serving
from whyseg.curation.drafting.asking import ModelCritic, tried
from whyseg.curation.drafting.endpoint import Endpoint
from whyseg.curation.drafting.openai import OpenAIDrafter
from whyseg.schemas import Critique, Fault, Mask, QueryDraft, ReasoningType, Usage

GREY = np.full((100, 200, 3), 128, np.uint8)
CUP, JAR = thing("cup", 20, 20, 60, 60, target=True), thing("jar", 120, 20, 160, 60)
TABLE = scene(CUP, JAR)
DRAFT = QueryDraft(
    text="What would hold a hot drink?",
    reasoning_type=ReasoningType.FUNCTION_PURPOSE,
    depth=1,
    hops=("A hot drink needs a vessel.",),
    label="cup",
    drafter="t",
    model="t",
    prompt_hash="",
)


@dataclass
class TableOfAnswers:
    """Sees which thing is outlined by where the magenta is, and answers from a table."""

    seen: dict[str, str]
    described: dict[str, str]
    model: str = "table"
    asked: list[str] = field(default_factory=list)

    def ask(self, system: str, text: str, pictures: Sequence[PilImage.Image], *, tokens: int) -> tuple[str, Usage]:
        self.asked.append(text)
        spent = Usage(prompt_tokens=10, completion_tokens=1)
        if not pictures:
            return next(reply for label, reply in self.described.items() if f'"{label}"' in text), spent
        pixels = np.asarray(pictures[0]).astype(int)
        columns = np.nonzero((pixels[..., 0] - pixels[..., 1] > 100).any(0))[0]
        return self.seen["cup" if columns.mean() < 100 else "jar"], spent


@pytest.mark.parametrize(
    ("seen", "described", "faults"),
    [
        ({"cup": "Yes.", "jar": "No."}, {"cup": "yes", "jar": "yes"}, set()),
        ({"cup": "Yes.", "jar": "Yes."}, {"cup": "yes", "jar": "no"}, set()),  # one yes is not enough
        ({"cup": "Yes.", "jar": "Yes."}, {"cup": "yes", "jar": "yes"}, {Fault.AMBIGUOUS}),
        ({"cup": "No.", "jar": "No."}, {"cup": "yes", "jar": "no"}, {Fault.UNANSWERABLE}),
        ({"cup": "yes", "jar": "no"}, {"cup": "no", "jar": "no"}, {Fault.UNANSWERABLE}),
        ({"cup": "Hm.", "jar": "Hm."}, {"cup": "yes", "jar": "yes"}, set()),  # what is left open is no fault
    ],
)
def test_a_candidate_fits_when_both_answers_are_yes(
    seen: dict[str, str], described: dict[str, str], faults: set[Fault]
) -> None:
    model = TableOfAnswers(seen, described)
    critique, usage = ModelCritic(model).judge(DRAFT, TABLE, GREY)
    assert critique.faults == faults
    assert all(mark.by == "table" for mark in critique.marks)
    assert usage.prompt_tokens == 10 * len(model.asked)
    assert all("What would hold a hot drink?" in text for text in model.asked)


def test_the_rules_marks_come_first_and_stay() -> None:
    leak = DRAFT.model_copy(update={"text": "Which cup would hold a hot drink?"})
    model = TableOfAnswers({"cup": "yes", "jar": "yes"}, {"cup": "yes", "jar": "yes"})
    critique, _ = ModelCritic(model).judge(leak, TABLE, GREY)
    assert [(mark.fault, mark.by) for mark in critique.marks] == [(Fault.LEAK, "rules"), (Fault.AMBIGUOUS, "table")]


def test_an_endpoint_can_be_asked_and_one_that_refuses_leaves_it_open() -> None:
    """Yes and yes for the cup, then a refusal and yes for the jar: not two yes."""
    refusal = completion(None, refusal="no")
    with serving(completion("Yes"), completion("Yes"), refusal, completion("Yes")) as server:
        with Endpoint(server.url, "vlm") as endpoint:
            critique, usage = ModelCritic(OpenAIDrafter(endpoint)).judge(DRAFT, TABLE, GREY)
    assert critique.marks == ()
    assert usage.prompt_tokens == 4000
    assert "response_format" not in server.bodies[0]


@pytest.mark.parametrize(("hits", "learnable"), [(0, 0.0), (1, 0.5), (2, 1.0), (4, 0.0)])
def test_learnability_is_highest_where_the_solver_succeeds_half_the_time(hits: int, learnable: float) -> None:
    """Four tries; half of the cup has an IoU of 0.5 and counts, nothing and the jar do not."""
    bitmap = np.zeros((100, 200), bool)
    bitmap[20:60, 20:40] = True
    answers = iter(([Mask.encode(bitmap)] * hits + [None, JAR.mask, None, JAR.mask])[:4])
    found = tried(Critique(), DRAFT, TABLE, GREY, lambda image, text: next(answers), 4)
    assert (found.solved, found.learnability) == (hits / 4, learnable)


def test_a_target_without_a_mask_cannot_be_tried() -> None:
    bare = scene(CUP.model_copy(update={"mask": None}))
    with pytest.raises(ValueError, match="1 targets with 0 masks"):
        tried(Critique(), DRAFT, bare, GREY, lambda image, text: None, 4)
