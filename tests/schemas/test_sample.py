import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import SIZE, block, complete, image_record, instance, sample
from whyseg.schemas import Box, Mask, Point, Prompt, ReasoningType, Sample, sample_id
from whyseg.schemas.errors import InvalidRecord
from whyseg.schemas.mask import counts_from_runs


def test_a_sample_reads_back_equal_with_the_same_hash() -> None:
    made = complete()
    again = Sample.parse(json.loads(made.model_dump_json()))
    assert again == made
    assert again.content_hash() == made.content_hash()


@given(st.text(min_size=1, max_size=50).filter(str.strip), st.lists(st.text(max_size=20).filter(str.strip), max_size=3))
def test_any_unicode_question_reads_back_equal(text: str, alternates: list[str]) -> None:
    made = Sample.parse({**sample().plain(), "query": {"text": text, "alternates": alternates}})
    again = Sample.parse(made.model_dump_json())
    assert again == made
    assert again.content_hash() == made.content_hash()


def test_a_lone_surrogate_is_refused() -> None:
    with pytest.raises(InvalidRecord, match=r"query\.text"):
        Sample.parse({**sample().plain(), "query": {"text": "\ud800"}})


def test_the_hash_ignores_fields_that_hold_their_default() -> None:
    written = sample().plain()
    assert {"hops", "depth", "no_target"} <= written.keys()
    short = {key: written[key] for key in ("id", "image_id", "source", "source_record", "size")}
    assert Sample.parse(short).content_hash() == Sample.parse(written).content_hash()


def test_every_mask_must_have_the_size_of_the_image() -> None:
    wrong = {"id": 1, "mask": Mask.empty((6, 9)).plain(), "origin": {"kind": "click"}}
    with pytest.raises(InvalidRecord, match=r"instance 1: size 6×9 .*not the image's 6×8"):
        Sample.parse({**sample().plain(), "instances": [wrong]})
    with pytest.raises(InvalidRecord, match="ignore region: size 8×6"):
        Sample.parse({**sample().plain(), "ignore": Mask.empty((8, 6)).plain()})


def test_a_mask_that_lies_about_its_size_is_refused() -> None:
    lie = {"size": list(SIZE), "counts": counts_from_runs([6 * 9])}
    with pytest.raises(InvalidRecord, match="cover 54 pixels, the size 6×8 has 48"):
        Sample.parse({**sample().plain(), "ignore": lie})


def test_depth_is_the_number_of_hops() -> None:
    base = sample().plain()
    with pytest.raises(InvalidRecord, match="expected 2, got 1"):
        Sample.parse({**base, "hops": ["one", "two"], "depth": 1})
    with pytest.raises(InvalidRecord, match="hops"):
        Sample.parse({**base, "hops": ["a", "b", "c", "d", "e"], "depth": 5})
    assert Sample.parse({**base, "depth": 3}).depth == 3  # a source may give the depth without the hops


def test_a_no_target_sample_has_no_instances() -> None:
    with pytest.raises(InvalidRecord, match="no-target"):
        Sample.parse({**complete().plain(), "no_target": True})


def test_instance_ids_are_unique() -> None:
    twice = [instance(1, block(0, 0, 1, 1)).plain(), instance(1, block(1, 1, 1, 1)).plain()]
    with pytest.raises(InvalidRecord, match="repeat"):
        Sample.parse({**sample().plain(), "instances": twice})


def test_the_id_follows_from_source_image_and_record() -> None:
    made = sample()
    assert made.id == sample_id("images", image_record().id, "")
    with pytest.raises(InvalidRecord, match="does not follow"):
        Sample.parse({**made.plain(), "source": "elsewhere"})


@pytest.mark.parametrize("name", ["C/MH", "compositional", "Compositional / Multi-Hop", "COMPOSITIONAL", "c/mh"])
def test_reasoning_types_are_known_by_all_their_names(name: str) -> None:
    parsed = Sample.parse({**sample().plain(), "reasoning_type": name})
    assert parsed.reasoning_type is ReasoningType.COMPOSITIONAL
    with pytest.raises(InvalidRecord, match="reasoning_type"):
        Sample.parse({**sample().plain(), "reasoning_type": "guess"})


def test_what_a_sample_lacks_is_said() -> None:
    assert complete().missing() == ()
    assert len(sample().missing()) == 4  # question, mask, type, hops
    nothing = Sample.parse({**complete().plain(), "instances": [], "no_target": True})
    assert nothing.missing() == ()
    hollow = Sample.parse({**complete().plain(), "instances": [instance(3, Mask.empty(SIZE)).plain()]})
    assert hollow.missing() == ("the mask of instance 3 is empty",)


def test_the_target_is_the_union_of_the_instances() -> None:
    both = sample(instances=[instance(1, block(0, 0, 2, 2)), instance(2, block(1, 1, 2, 2))])
    assert both.target().area == 7  # two 2×2 blocks that share one pixel


def test_unknown_fields_and_not_a_number_are_refused() -> None:
    with pytest.raises(InvalidRecord, match="colour"):
        Sample.parse({**sample().plain(), "colour": "red"})
    with pytest.raises(InvalidRecord, match="finite"):
        Point.parse({"x": float("nan"), "y": 0})


def test_a_prompt_knows_whether_it_lies_on_the_image() -> None:
    Prompt(points=(Point(x=-0.5, y=5.5),), box=Box(x0=-3, y0=-3, x1=20, y1=20)).require_inside(SIZE)
    with pytest.raises(InvalidRecord, match=r"point 7\.6,0 is outside the 8×6 image"):
        Prompt(points=(Point(x=7.6, y=0),)).require_inside(SIZE)
    with pytest.raises(InvalidRecord, match="box lies outside"):
        Prompt(box=Box(x0=8, y0=0, x1=9, y1=1)).require_inside(SIZE)
    with pytest.raises(InvalidRecord, match="x0 < x1"):
        Box.parse({"x0": 1, "y0": 0, "x1": 1, "y1": 2})
    assert not Prompt()


def test_minus_zero_is_zero_and_coordinates_have_bounds() -> None:
    assert Point(x=-0.0, y=0).content_hash() == Point(x=0, y=0).content_hash()
    with pytest.raises(InvalidRecord, match="x1"):
        Box.parse({"x0": -1, "y0": -1, "x1": 1e300, "y1": 1})
