"""The critic's rules, one by one, and over the half of the corpus that they were tuned on."""

from pathlib import Path

import pytest

from tests.curation.drafting.measure import Rate, measured
from tests.curation.drafting.scenes import cases, scene, thing
from whyseg.curation.drafting.critic import judge
from whyseg.curation.drafting.template import TemplateDrafter
from whyseg.schemas import Fault, QueryDraft, ReasoningType, Scene

PURPOSE, KNOWLEDGE = ReasoningType.FUNCTION_PURPOSE, ReasoningType.COMMONSENSE
COMPARING, COMPOSED = ReasoningType.COMPARATIVE_RELATIONAL, ReasoningType.COMPOSITIONAL


def room(target: str, *others: str) -> Scene:
    """Objects of 20 × 20 pixels side by side, the target first."""
    labels = (target, *others)
    return scene(*(thing(label, 30 * k, 40, 30 * k + 20, 60, target=k == 0) for k, label in enumerate(labels)))


def draft(text: str, kind: ReasoningType = PURPOSE, *hops: str, depth: int | None = None) -> QueryDraft:
    steps = hops or ("A lone step leads there.",)
    return QueryDraft(
        text=text, reasoning_type=kind, depth=depth or len(steps), hops=steps, label="", drafter="t", model="t",
        prompt_hash="",
    )  # fmt: skip


def faults(asked: QueryDraft, things: Scene) -> set[Fault]:
    return set(judge(asked, things).faults)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Which clock would you look at to be in time?", "clock"),
        ("With which knives would you carve a roast?", "knife"),  # its plural
        ("What would the motorbike need to go on?", "motorcycle"),  # a synonym
        ("Where would the hair-dryer blow to dry a wet head?", "hair drier"),
        ("On which surf board would you ride?", "surfboard"),  # written as two words
        ("Into which glass would you pour the wine?", "wine glass"),  # its last word
    ],
)
def test_a_question_that_says_its_answer_leaks(text: str, label: str) -> None:
    assert faults(draft(text), room(label, "dog")) == {Fault.LEAK}


def test_a_name_that_others_share_gives_nothing_away() -> None:
    pair = room("cup", "cup", "dog")
    asked = "Which of the two cups would you take to be served farther to the left?"
    assert Fault.LEAK not in faults(draft(asked), pair)


def test_a_word_within_another_is_no_leak() -> None:
    assert faults(draft("What keeps the carpet from getting wet?"), room("car")) == set()


def test_what_another_thing_serves_as_well_is_ambiguous() -> None:
    asked = draft("On what could a guest sit down?")
    assert faults(asked, room("chair", "couch")) == {Fault.AMBIGUOUS}
    assert faults(asked, room("chair", "umbrella")) == set()


def test_a_comparison_tells_rivals_apart() -> None:
    asked = draft("On the lowest of which could a guest sit down?")
    assert faults(asked, room("chair", "couch")) == set()


def test_a_place_that_two_alike_things_share_is_ambiguous() -> None:
    """Cups at x = 100, 130 and the target's 10; the dog at 70."""
    three = scene(
        thing("cup", 0, 0, 20, 20), thing("dog", 60, 0, 80, 20), thing("cup", 90, 0, 110, 20, target=True),
        thing("cup", 120, 0, 140, 20),
    )  # fmt: skip
    right = draft("Which vessel stands to the right of the dog?", COMPARING)
    assert faults(right, three) == {Fault.AMBIGUOUS}
    two = Scene(size=three.size, objects=three.objects[:3])
    assert faults(right, two) == set()


@pytest.mark.parametrize(
    "text",
    [
        "What would have cost the most when it was bought?",
        "Which of them was used yesterday to cut bread?",
        "Which one smells of roses?",
        "Who speaks Greek?",
    ],
)
def test_what_no_picture_tells_is_unanswerable(text: str) -> None:
    assert Fault.UNANSWERABLE in faults(draft(text), room("knife", "dog"))


@pytest.mark.parametrize(
    ("text", "asked", "wrong"),
    [
        ("Which thing is the largest?", PURPOSE, True),
        ("Which thing is the largest?", KNOWLEDGE, True),
        ("Which thing is the largest?", COMPARING, False),
        ("What would you use to stir a soup?", COMPARING, True),
        ("What would you use to stir a soup?", PURPOSE, False),
        ("What would you use to stir a soup?", COMPOSED, True),
        ("Which mammal is the largest of the species known to sleep in dens?", KNOWLEDGE, False),
    ],
)
def test_the_wording_tells_the_type(text: str, asked: ReasoningType, wrong: bool) -> None:
    assert (Fault.WRONG_TYPE in faults(draft(text, asked), room("spoon", "dog"))) is wrong


def test_steps_that_are_not_as_many_as_asked_or_repeat_are_marked() -> None:
    text = "What would you reach for when the soup needs to be stirred?"
    honest = ("Soup is stirred with a long handle.", "The spoon has one.")
    assert faults(draft(text, PURPOSE, *honest), room("spoon", "dog")) == set()
    assert faults(draft(text, PURPOSE, *honest, depth=3), room("spoon", "dog")) == {Fault.WRONG_DEPTH}
    padded = ("Soup is stirred with a spoon.", "A spoon stirs the soup.")
    assert faults(draft(text, PURPOSE, *padded), room("spoon", "dog")) == {Fault.WRONG_DEPTH}


def test_the_rules_reach_their_goal_on_the_half_that_they_were_tuned_on() -> None:
    found = measured("seen")
    assert (found.recall.total, found.false_alarms.total) == (35, 35)
    assert found.recall.value >= 0.9
    assert found.false_alarms.value <= 0.1


def test_the_page_shows_the_figures_on_the_other_half_whatever_they_are() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "drafting.md").read_text()
    assert measured("unseen").table() in page


def test_the_rules_have_little_against_the_template_drafters_questions() -> None:
    """True by construction, so each mark is a false alarm."""
    marked = []
    for things in {case.scene.content_hash(): case.scene for case in cases("seen")}.values():
        for kind in ReasoningType:
            for depth in (1, 2, 3, 4):
                image = None  # the template drafter does not look
                found = TemplateDrafter().draft(image, things, reasoning_type=kind, depth=depth, n=3)  # type: ignore[arg-type]
                marked += [bool(judge(asked, things).marks) for asked in found.drafts]
    assert len(marked) > 150
    assert sum(marked) <= 0.1 * len(marked)


def test_wilsons_interval_is_the_textbooks() -> None:
    """9 of 10 at z = 1.96: centre (0.9 + 0.19208) / 1.38416 = 0.78898, half width 0.19336."""
    low, high = Rate(9, 10).interval()
    assert low == pytest.approx(0.5958, abs=1e-3)
    assert high == pytest.approx(0.9821, abs=1e-3)
