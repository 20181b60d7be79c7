"""Steps on scenes laid out by hand: what they keep, and when they refuse as vague or needless."""

import numpy as np

from whyseg.training.world.scenes import Scene, Thing
from whyseg.training.world.steps import Step, run


def thing(kind: str, colour: str, left: int, top: int, side: int = 10) -> Thing:
    mask = np.zeros((112, 112), bool)
    mask[top : top + side, left : left + side] = True
    return Thing(kind, colour, "plain", "large" if side > 15 else "small", {"": mask})


# A red cup top left, a blue cup top right, a red star below, in the middle; the star is twice as long.
CUP, OTHER, STAR = thing("cup", "red", 10, 10), thing("cup", "blue", 90, 12), thing("star", "red", 46, 70, 20)
SCENE = Scene(112, (CUP, OTHER, STAR), 0)


def taken(*steps: tuple[str, str]) -> tuple[Thing, ...] | None:
    return run(SCENE, tuple(Step.parse({"what": what, "value": value}) for what, value in steps))


def test_filters_keep_what_has_the_property() -> None:
    assert taken(("colour", "red")) == (CUP, STAR)
    assert taken(("purpose", "cup"), ("colour", "blue")) == (OTHER,)
    assert taken(("half", "lower")) == (STAR,)
    assert taken(("not", "red")) == (OTHER,)


def test_only_the_last_step_may_find_nothing() -> None:
    assert taken(("colour", "green")) == ()
    assert taken(("colour", "green"), ("kind", "cup")) is None


def test_a_step_that_changes_nothing_is_refused() -> None:
    assert taken(("kind", "star"), ("colour", "red")) is None


def test_an_extreme_must_be_clear() -> None:
    assert taken(("extreme", "left")) == (CUP,)
    assert taken(("extreme", "bottom")) == (STAR,)
    # The cups' middles lie at 15 and 17: 2 pixels apart, where 8 are asked for.
    assert taken(("extreme", "top")) is None
    assert taken(("extreme", "largest")) == (STAR,)
    # The two cups are of one size.
    assert taken(("extreme", "smallest")) is None


def test_a_relation_needs_one_thing_to_start_from() -> None:
    assert taken(("kind", "star"), ("relation", "above")) == (CUP, OTHER)
    assert taken(("kind", "cup"), ("relation", "below")) is None


def test_what_is_hardly_to_the_left_makes_the_relation_vague() -> None:
    assert taken(("colour", "blue"), ("relation", "left")) == (CUP, STAR)
    assert taken(("colour", "blue"), ("relation", "above")) is None


def test_the_nearest_must_be_clearly_nearer() -> None:
    # From the red cup (15, 15) the star (56, 80) is 77 pixels away and the blue cup (95, 17) 80.
    assert taken(("extreme", "left"), ("relation", "nearest")) is None
    closer = thing("key", "green", 30, 14)
    scene = Scene(112, (*SCENE.things, closer), 0)
    steps = (Step(what="extreme", value="left"), Step(what="relation", value="nearest"))
    assert run(scene, steps) == (closer,)


def test_the_same_property_is_that_of_others() -> None:
    assert taken(("extreme", "largest"), ("same", "colour")) == (CUP,)
    assert taken(("extreme", "largest"), ("same", "kind")) == ()


def test_a_half_that_a_thing_lies_across_is_vague() -> None:
    across = Scene(112, (CUP, thing("star", "red", 40, 50)), 0)
    assert run(across, (Step(what="half", value="upper"),)) is None
