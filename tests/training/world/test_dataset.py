"""Samples: the same for the same seed, whole, and with mistakes where they were asked for."""

import hashlib
import os
import subprocess
import sys
from collections import Counter
from itertools import islice

import numpy as np
import pytest

from tests.training.world.solver import solve
from whyseg.curation.images import read_upright
from whyseg.schemas import Mask
from whyseg.schemas.errors import InvalidRecord, UsageError
from whyseg.schemas.sample import ReasoningType
from whyseg.training.world.dataset import PLAIN, World, WorldItem, samples

CODE = """
import hashlib
from whyseg.schemas.sample import ReasoningType
from whyseg.training.world.dataset import World, samples
items = samples(12, 3, World(errors=0.3))
print(hashlib.sha256(b"".join(item.png + item.sample.model_dump_json().encode() for item in items)).hexdigest())
"""


def test_the_same_seed_gives_the_same_bytes_in_every_process() -> None:
    runs = [
        subprocess.run(
            [sys.executable, "-c", CODE], capture_output=True, text=True, check=True, env={**os.environ, **seeded}
        ).stdout
        for seeded in ({"PYTHONHASHSEED": "1"}, {"PYTHONHASHSEED": "2"})
    ]
    items = samples(12, 3, World(errors=0.3))
    here = hashlib.sha256(b"".join(item.png + item.sample.model_dump_json().encode() for item in items)).hexdigest()
    assert runs == [f"{here}\n"] * 2


def test_a_sample_depends_on_its_number_and_not_on_how_many_are_made() -> None:
    (alone,) = samples(1, 9, start=5)
    among = next(islice(samples(30, 9), 5, None))
    assert alone.sample == among.sample
    assert alone.png == among.png
    assert next(samples(1, 10)).png != next(samples(1, 9)).png


def test_a_sample_is_complete_and_its_masks_are_the_things() -> None:
    for item in samples(40, 2):
        sample = item.sample
        assert sample.missing() == ()
        assert sample.no_target == (not sample.instances)
        assert [one.mask for one in sample.instances] == [Mask.encode(target.mask) for target in item.asked.targets]
        assert hashlib.sha256(item.png).hexdigest() == sample.image_id == item.record.id
        assert np.array_equal(read_upright(item.png, "x.png").pixels, item.image)


def test_all_cells_are_filled() -> None:
    cells = Counter((item.sample.reasoning_type, item.sample.depth) for item in samples(250, 0))
    assert len(cells) == 16
    # 250 / 16 = 15.6 a cell; a draw of 250 has fewer than 5 in one of them once in a thousand.
    assert min(cells.values()) >= 5


def test_the_plain_world_has_one_answer_among_two_or_three_things() -> None:
    for item in samples(30, 0, PLAIN):
        assert len(item.sample.instances) == 1
        assert len(item.asked.scene.things) in (2, 3)
        assert item.sample.depth == 1


def test_a_world_without_questions_is_refused() -> None:
    comparative = ReasoningType.COMPARATIVE_RELATIONAL
    with pytest.raises(UsageError, match="no scene of this world has a question of type comparative_relational"):
        list(samples(1, 0, World(count=(1, 1), reasoning_types=(comparative,), depths=(1,), no_target=0)))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"kinds": ["dog"]}, "kinds are some of circle, .*, got dog"),
        ({"colours": []}, "colours are some of red, .*, got none"),
        ({"count": [4, 2]}, "the fewest and the most things"),
        ({"depths": [5]}, "of depths 1 to 4"),
        ({"side": 100}, "side"),
    ],
)
def test_a_world_that_cannot_be_is_refused(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidRecord, match=said):
        World.parse(wrong)


def errors(kind: str) -> list[WorldItem]:
    found = [item for item in samples(120, 1, World(errors=1, no_target=0)) if item.planted]
    return [item for item in found if item.planted and item.planted.kind == kind]


def test_as_many_mistakes_as_asked_for_are_planted() -> None:
    planted = [item.planted for item in samples(200, 1, World(errors=0.25, no_target=0))]
    # 50 are expected, with a standard deviation of 6.
    assert 32 <= sum(one is not None for one in planted) <= 68
    assert not any(item.planted for item in samples(50, 1))


def test_a_wrong_instance_is_a_thing_that_does_not_answer() -> None:
    for item in errors("wrong_instance"):
        (shown,) = item.sample.instances
        (target,) = item.asked.targets
        others = [thing for thing in item.asked.scene.things if thing not in item.asked.found]
        assert shown.mask.iou(Mask.encode(target.mask)) == 0
        assert (shown.mask, shown.label) in [(Mask.encode(other.mask), other.name) for other in others]


@pytest.mark.parametrize("kind", ["shifted_mask", "coarse_mask"])
def test_a_mask_that_is_shifted_or_coarse_is_still_about_its_thing(kind: str) -> None:
    ious = [
        one.mask.iou(Mask.encode(target.mask))
        for item in errors(kind)
        for one, target in zip(item.sample.instances, item.asked.targets, strict=True)
    ]
    assert len(ious) > 10
    assert max(ious) < 0.9
    assert sum(ious) / len(ious) > 0.2


def test_an_ambiguous_question_fits_more_than_the_mask_shows() -> None:
    found = errors("ambiguous_query")
    assert len(found) > 3
    for item in found:
        query = item.sample.query
        assert query is not None
        assert query.text != item.asked.text
        assert len(solve(query.text, item.asked.scene)) > len(item.sample.instances)
        assert len(item.sample.hops) == item.sample.depth == len(item.asked.steps) - 1
        assert len(solve(item.asked.text, item.asked.scene)) == len(item.sample.instances)
