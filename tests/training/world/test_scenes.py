"""Scenes: things apart from each other, masks that are what is painted, cues for places."""

import numpy as np
import pytest

from whyseg.schemas.errors import UsageError
from whyseg.training.world.facts import (
    COLOUR_FACTS,
    EXTREMES,
    HALF_FACTS,
    KIND_FACTS,
    MARKS,
    PART_USES,
    PATTERN_FACTS,
    PURPOSES,
)
from whyseg.training.world.scenes import make_scene
from whyseg.training.world.shapes import KINDS, SHAPES, TOOLS, draw_regions


def test_things_do_not_touch() -> None:
    for seed in range(20):
        scene = make_scene(seed)
        assert np.sum([thing.mask for thing in scene.things], axis=0).max() == 1
        assert all(thing.mask.sum() > 60 for thing in scene.things)


def test_a_picture_differs_from_its_ground_on_the_masks_and_nowhere_else() -> None:
    scene = make_scene(4)
    with_things = scene.picture().astype(int)
    ground = type(scene)(scene.side, (), scene.seed).picture().astype(int)
    # Noise is 4 at most on either picture, and the things' shades take numbers from the same generator.
    changed = np.abs(with_things - ground).max(2) > 9
    mask = np.any([thing.mask for thing in scene.things], axis=0)
    assert not (changed & ~mask).any()
    assert changed[mask].mean() > 0.97


def test_the_ground_tells_where_a_pixel_is() -> None:
    image = make_scene(0, count=(1, 1)).picture().astype(int)
    corners = image[[0, 0, -1, -1], [0, -1, 0, -1]]
    assert corners[1][0] - corners[0][0] > 100  # red rises to the right
    assert corners[2][1] - corners[0][1] > 100  # green downwards


def test_parts_lie_within_their_thing_and_share_no_pixel() -> None:
    for kind in KINDS:
        regions = draw_regions(kind, (56.0, 56.0), 20.0, 112)
        assert np.sum(list(regions.values()), axis=0).max() == 1
        for name, region in regions.items():
            assert region.sum() >= 20, (kind, name)
            if name:
                assert (kind, name) in PART_USES


def test_other_sizes_hold_the_same_scene() -> None:
    small, large = make_scene(7), make_scene(7, side=448)
    assert [thing.name for thing in small.things] == [thing.name for thing in large.things]
    assert large.picture().shape == (448, 448, 3)
    share = [one.things[0].mask.mean() for one in (small, large)]
    # OpenCV paints the outline's pixels too: a small thing is that much larger.
    assert share[1] < share[0] < 1.25 * share[1]


def test_more_things_than_have_room_are_refused() -> None:
    with pytest.raises(UsageError, match="30 things find no room"):
        make_scene(0, count=(30, 30))


def test_no_phrase_has_two_meanings_or_holds_the_mark_of_a_relation() -> None:
    tables = (COLOUR_FACTS, KIND_FACTS, PATTERN_FACTS, HALF_FACTS, PURPOSES, EXTREMES)
    phrases = [phrase for table in tables for meant in table.values() for phrase in meant]
    assert len(phrases) == len(set(phrases))
    uses = [phrase for meant in PART_USES.values() for phrase in meant]
    assert not [phrase for phrase in phrases + uses for mark in MARKS if f" {mark} " in f" {phrase} "]
    assert set(PURPOSES) == set(TOOLS)
    assert set(KIND_FACTS) == set(SHAPES)
