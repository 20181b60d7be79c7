"""The template drafter's questions mean the target, and nothing but the target."""

import json
import random
import re
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.curation.drafting.scenes import SIZE, cases, scene, thing
from whyseg.curation.drafting.lexicon import lexicon
from whyseg.curation.drafting.template import TemplateDrafter
from whyseg.schemas import QueryDraft, ReasoningType, Scene, SceneObject

PURPOSE, KNOWLEDGE = ReasoningType.FUNCTION_PURPOSE, ReasoningType.COMMONSENSE
COMPARING, COMPOSED = ReasoningType.COMPARATIVE_RELATIONAL, ReasoningType.COMPOSITIONAL
NO_PIXELS = np.zeros((*SIZE, 3), np.uint8)


def drafts(given_scene: Scene, kind: ReasoningType, depth: int, n: int = 3) -> tuple[QueryDraft, ...]:
    return TemplateDrafter().draft(NO_PIXELS, given_scene, reasoning_type=kind, depth=depth, n=n).drafts


def answer(meaning: list[Any], things: Scene) -> set[int]:
    """Answer a question's meaning with other code than the drafter's, and without margins."""
    name, *rest = meaning
    boxes = [one.box for one in things.objects]
    middle = [((b[0] + b[2]) / 2, (b[1] + b[3]) / 2) for b in boxes]

    def true(key: str, k: int) -> bool:
        return lexicon().canonical(things.objects[k].label) in lexicon().clues[key].yes

    if name == "all":
        return set(range(len(boxes)))
    if name == "named":
        return {k for k, one in enumerate(things.objects) if one.label == rest[0]}
    if name == "either":
        return {k for k in range(len(boxes)) if true(rest[0], k) or true(rest[1], k)}
    base = answer(rest[0], things)
    if name == "where":
        return {k for k in base if true(rest[1], k) is not rest[2]}
    if name == "pick":
        ranks = {
            "left": lambda k: middle[k][0], "right": lambda k: -middle[k][0], "top": lambda k: middle[k][1],
            "bottom": lambda k: -middle[k][1], "largest": lambda k: -things.objects[k].area,
            "smallest": lambda k: things.objects[k].area,
        }  # fmt: skip
        if rest[1] == "middle":
            return {sorted(base, key=lambda k: middle[k][0])[len(base) // 2]}
        return {min(base, key=ranks[rest[1]])}
    (at,) = answer(rest[2], things)
    base -= {at}
    if rest[1] == "nearest":
        return {min(base, key=lambda k: np.hypot(middle[k][0] - middle[at][0], middle[k][1] - middle[at][1]))}
    holds = {
        "left_of": lambda k: boxes[k][2] <= boxes[at][0],
        "right_of": lambda k: boxes[k][0] >= boxes[at][2],
        "above": lambda k: boxes[k][3] <= boxes[at][1],
        "below": lambda k: boxes[k][1] >= boxes[at][3],
        "inside": lambda k: share_within(things.objects[k], things.objects[at]) >= 0.9,
    }
    return {k for k in base if holds[rest[1]](k)}


def share_within(part: SceneObject, whole: SceneObject) -> float:
    assert part.mask
    assert whole.mask
    return float((part.mask.decode() & whole.mask.decode()).sum() / part.area)


def named(text: str, things: Scene) -> str | None:
    return next((word for target in things.targets if (word := lexicon().named(text, target.label))), None)


LABELS = st.sampled_from([*sorted(lexicon().labels), "gadget", "left eye"])
CORNERS = st.tuples(st.integers(0, 180), st.integers(0, 85), st.integers(4, 90), st.integers(4, 60))


@st.composite
def random_scenes(draw: st.DrawFn) -> Scene:
    """Any labels, any boxes, any one or two targets."""
    pool = draw(st.lists(LABELS, min_size=1, max_size=5))
    found = []
    for _ in range(draw(st.integers(1, 7))):
        x, y, w, h = draw(CORNERS)
        found.append(thing(draw(st.sampled_from(pool)), x, y, min(200, x + w), min(100, y + h)))
    chosen = draw(st.sets(st.integers(0, len(found) - 1), min_size=1, max_size=2))
    return scene(*(one.model_copy(update={"target": k in chosen}) for k, one in enumerate(found)))


def ordinary_scene(seed: int) -> Scene:
    """Up to eight things, each in its own 50 × 50 cell, of up to four labels; one of them is the target."""
    choose = random.Random(seed)
    pool = choose.sample(sorted(lexicon().labels), choose.randint(1, 4))
    found: list[SceneObject] = []
    for cell in choose.sample(range(8), choose.randint(2, 8)):
        w, h = choose.randint(8, 45), choose.randint(8, 45)
        x, y = 50 * (cell % 4) + choose.randint(0, 49 - w), 50 * (cell // 4) + choose.randint(0, 49 - h)
        found.append(thing(choose.choice(pool), x, y, x + w, y + h, target=not found))
    return scene(*found)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(random_scenes(), st.sampled_from(ReasoningType), st.integers(1, 4))
def test_on_any_labelled_scene_a_question_means_exactly_the_target(
    things: Scene, kind: ReasoningType, depth: int
) -> None:
    target = {k for k, one in enumerate(things.objects) if one.target}
    for draft in drafts(things, kind, depth):
        assert answer(json.loads(draft.meaning), things) == target, draft.text
        assert named(draft.text, things) is None
        assert (draft.reasoning_type, draft.depth, len(draft.hops)) == (kind, depth, depth)


def test_on_hundreds_of_ordinary_scenes_every_question_means_exactly_the_target() -> None:
    """Most scenes of the test above get no question; of these, each type and depth gets ten and more."""
    asked: Counter[tuple[ReasoningType, int]] = Counter()
    for seed in range(200):
        things = ordinary_scene(seed)
        for kind in ReasoningType:
            for depth in (1, 2, 3, 4):
                for draft in drafts(things, kind, depth):
                    assert answer(json.loads(draft.meaning), things) == {0}, (seed, draft.text)
                    assert not re.search(r",[?.]|,$|\s\s", draft.text), draft.text
                    assert named(draft.text, things) is None
                    asked[kind, depth] += 1
    assert min(asked.values()) >= 10, asked
    assert len(asked) == 15


def test_every_type_and_depth_is_reached_on_ordinary_pictures_and_each_answer_is_right() -> None:
    """Over pictures of the corpus, boxes alone; depth 1 has one step, so nothing to compose."""
    reached = set()
    for things in {case.scene.content_hash(): case.scene for case in cases("seen")}.values():
        target = {k for k, one in enumerate(things.objects) if one.target}
        for kind in ReasoningType:
            for depth in (1, 2, 3, 4):
                for draft in drafts(things, kind, depth, 1):
                    assert answer(json.loads(draft.meaning), things) == target, draft.text
                    assert named(draft.text, things) is None
                    reached.add((kind, depth))
    assert reached == {(kind, depth) for kind in ReasoningType for depth in (1, 2, 3, 4)} - {(COMPOSED, 1)}


def test_a_purpose_that_one_label_serves_is_asked_in_one_step() -> None:
    street = scene(thing("umbrella", 10, 10, 60, 40, target=True), thing("car", 100, 50, 190, 90))
    (draft,) = drafts(street, PURPOSE, 1)
    assert draft.text == "Which is the thing in this picture that keeps the rain off whoever walks below?"
    assert draft.hops == ("The umbrella is the one thing that keeps the rain off whoever walks below.",)
    assert draft.label == "umbrella"


def test_of_a_thing_that_is_labelled_alone_its_purpose_may_be_asked_and_nothing_else() -> None:
    alone = scene(thing("umbrella", 10, 10, 60, 40, target=True))
    assert [draft.text for draft in drafts(alone, PURPOSE, 1)] == [
        "Which is the thing in this picture that keeps the rain off whoever walks below?"
    ]
    for kind in (COMPARING, COMPOSED):
        assert [drafts(alone, kind, depth) for depth in (1, 2, 3, 4)] == [()] * 4
    done = TemplateDrafter().draft(NO_PIXELS, alone, reasoning_type=COMPARING, depth=1, n=3)
    assert done.problem is not None
    assert done.problem.reason.endswith("the more of the picture is labelled, the more there is to ask")


def test_a_second_thing_that_serves_the_purpose_takes_a_second_step() -> None:
    """Two cups, 90 pixels apart; the leftmost of all things is the fork, so each of the steps is needed."""
    table = scene(thing("cup", 40, 40, 60, 60, target=True), thing("cup", 130, 40, 150, 60), thing("fork", 0, 0, 9, 9))
    assert drafts(table, PURPOSE, 1) == ()
    first = drafts(table, PURPOSE, 2, 1)[0]
    assert first.text == "Of the things in this picture that people drink out of, which one is farthest to the left?"
    assert first.hops == (
        "The two cups are things that people drink out of.",
        "Of these, one cup is farthest to the left.",
    )


@pytest.mark.parametrize(("apart", "asked"), [(8, False), (12, True)])
def test_what_is_nearly_as_far_left_is_not_asked_about(apart: int, asked: bool) -> None:
    """The margin is 5 % of 200 pixels: 10."""
    other = thing("cup", 40 + apart, 40, 60 + apart, 60)
    pair = scene(thing("cup", 40, 40, 60, 60, target=True), other, thing("fork", 0, 40, 9, 49))
    texts = [draft.text for draft in drafts(pair, PURPOSE, 2)]
    assert any("left" in text for text in texts) is asked


def test_a_label_of_which_nothing_is_known_could_serve_any_purpose_so_only_geometry_is_asked() -> None:
    unknown = scene(thing("umbrella", 10, 10, 60, 40, target=True), thing("gadget", 100, 50, 190, 90))
    assert drafts(unknown, PURPOSE, 1) == ()
    assert drafts(unknown, COMPARING, 1) != ()


def test_a_thing_that_may_serve_the_purpose_as_well_keeps_it_from_being_asked() -> None:
    """One can sit on a bed, too; whether it is meant is open."""
    room = scene(thing("chair", 10, 10, 60, 40, target=True), thing("bed", 100, 50, 190, 90))
    assert not any("sit on" in draft.text for draft in drafts(room, PURPOSE, 1))


def test_no_step_is_idle() -> None:
    """The only umbrella is also the leftmost thing: saying so adds nothing, so there is no question of depth 2."""
    street = scene(thing("umbrella", 10, 10, 60, 40, target=True), thing("car", 100, 50, 190, 90))
    assert drafts(street, PURPOSE, 2) == ()


def test_a_part_is_found_within_its_whole() -> None:
    """The wheel's pixels lie in the car's; the other wheel leans beside it."""
    car = scene(
        thing("car", 80, 30, 190, 90),
        thing("wheel", 90, 70, 110, 88, target=True),
        thing("wheel", 10, 60, 30, 80),
    )
    texts = [draft.text for draft in drafts(car, COMPARING, 1, 9)]
    assert any("a part of, or inside, the car" in text for text in texts)


def test_two_targets_of_different_labels_are_asked_for_together() -> None:
    fruit = scene(
        thing("banana", 10, 10, 40, 30, target=True),
        thing("apple", 60, 10, 80, 30, target=True),
        thing("car", 100, 50, 190, 90),
    )
    (draft,) = drafts(fruit, KNOWLEDGE, 1)
    assert draft.text == "Which are the things in this picture that can be eaten just as picked from a plant?"


@pytest.mark.parametrize(
    ("things", "reason"),
    [
        (scene(thing("car", 0, 0, 9, 9)), "the sample has no target"),
        (scene(thing("", 0, 0, 9, 9, target=True)), "an object of the picture has no label"),
        (scene(*[thing("car", 0, 0, 9, 9, target=True)] * 61), "the picture has 61 labelled objects, more than 60"),
        (scene(thing("car", 0, 0, 9, 9, target=True)), "no compositional question of depth 3 is certain to mean"),
    ],
)
def test_it_declines_with_a_reason(things: Scene, reason: str) -> None:
    done = TemplateDrafter().draft(NO_PIXELS, things, reasoning_type=COMPOSED, depth=3, n=3)
    assert done.drafts == ()
    assert done.problem is not None
    assert done.problem.kind == "declined"
    assert done.problem.reason.startswith(reason)


def test_drafts_of_one_request_differ_and_one_form_is_a_phrase() -> None:
    table = scene(thing("cup", 40, 40, 70, 80, target=True), thing("cup", 130, 10, 150, 20), thing("car", 0, 0, 30, 99))
    found = drafts(table, PURPOSE, 2, 3)
    assert len({draft.text for draft in found}) == 3
    assert [draft.is_sentence for draft in found] == [True, True, False]
    assert not found[2].text.endswith(("?", "."))


def test_the_lexicon_speaks_of_known_labels_only_and_no_clue_gives_its_answer_away() -> None:
    known = lexicon()
    for clue in known.clues.values():
        assert clue.yes | clue.maybe <= known.labels, clue.key
        assert not clue.yes & clue.maybe, clue.key
        for label in clue.yes:
            assert known.named(clue.clause(plural=False), label) is None, (clue.key, label)
