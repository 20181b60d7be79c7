import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import SIZE, block, instance, sample
from whyseg.schemas import Mask, Sample
from whyseg.schemas.errors import InvalidRecord, SizeMismatch
from whyseg.training.targets import Target, TargetInstance, two_points


def test_a_sample_gives_each_instance_its_half_open_box_and_deepest_pixel() -> None:
    # rows 1–3, columns 2–6: the deepest pixels are those of row 2, columns 3–5; their middle is (4, 2)
    target = Target.from_sample(sample(instances=[instance(1, block(1, 2, 3, 5), "cup")]))
    (found,) = target.instances
    assert target.size == SIZE
    assert found.box == (2, 1, 7, 4)
    assert found.points[0] == (4, 2)
    assert found.label == "cup"
    assert target.has_masks


def test_the_second_point_is_the_deepest_of_those_farther_than_the_median() -> None:
    # a disc of radius 20 at (30, 40) and one of radius 10 at (90, 40) in one mask: first point (30, 40). The discs have
    # 1,257 and 317 pixels, so the median pixel is about 17 away; beyond it the small disc's centre is deepest.
    ys, xs = np.mgrid[:80, :120]
    mask = Mask.encode((np.hypot(xs - 30, ys - 40) <= 20) | (np.hypot(xs - 90, ys - 40) <= 10))
    assert two_points(mask) == ((30, 40), (90, 40))


def test_equally_deep_second_points_are_told_apart_by_distance_then_in_reading_order() -> None:
    # one row of 7: all are 1 deep; the first point is the middle, x 3; distances 3 2 1 0 1 2 3, median 2; the ends stay
    assert two_points(block(2, 0, 1, 7)) == ((3, 2), (0, 2))
    # one of 8: the first of the two middle ones; distances 3 2 1 0 1 2 3 4, median 2; the last is farthest
    assert two_points(block(2, 0, 1, 8)) == ((3, 2), (7, 2))


def test_a_mask_of_one_pixel_has_its_point_twice() -> None:
    assert two_points(block(3, 4, 1, 1)) == ((4, 3), (4, 3))


@given(st.integers(0, 2**48 - 1).filter(bool))
def test_both_points_lie_on_the_mask(bits: int) -> None:
    mask = Mask.encode(np.array([bits >> k & 1 for k in range(48)]).reshape(SIZE))
    for x, y in two_points(mask):
        assert mask.decode()[int(y), int(x)]


def test_a_no_target_sample_has_a_target_of_nothing() -> None:
    nothing = Sample.parse({**sample().plain(), "no_target": True})
    assert Target.from_sample(nothing).instances == ()


def test_a_sample_without_a_target_and_one_with_an_empty_mask_are_refused() -> None:
    with pytest.raises(InvalidRecord, match="has no instance and is not marked as no-target"):
        Target.from_sample(sample())
    with pytest.raises(InvalidRecord, match="the mask of instance 2 is empty"):
        Target.from_sample(sample(instances=[instance(1, block(0, 0, 1, 1)), instance(2, Mask.empty(SIZE))]))


def as_json(**fields: object) -> dict[str, object]:
    return {"size": list(SIZE), "instances": [fields]}


def test_json_may_give_everything_or_leave_box_and_points_to_the_mask() -> None:
    mask = block(1, 2, 3, 5)
    derived = Target.from_json(as_json(rle=mask.plain()))
    assert derived == Target(size=SIZE, instances=(TargetInstance.of_mask(mask),))
    assert derived == Target.from_json(as_json(rle=mask.plain(), bbox_2d=None, point_2d=None, points=None, label=None))
    (found,) = Target.from_json(
        as_json(rle=mask.plain(), bbox_2d=[1.5, 1, 7, 4], point_2d=[3.5, 2], label="cup")
    ).instances
    assert (found.box, found.points[0], found.label) == ((1.5, 1, 7, 4), (3.5, 2), "cup")
    assert found.points[1] == derived.instances[0].points[1]


def test_json_may_give_several_points_and_no_mask() -> None:
    target = Target.from_json(as_json(bbox_2d=[0, 0, 8, 6], points=[[1, 1], [5.5, 4]], label=None))
    assert target.instances[0].points == ((1, 1), (5.5, 4))
    assert not target.has_masks


def test_json_without_instances_is_a_target_of_nothing() -> None:
    assert Target.from_json({"size": [6, 8], "instances": []}).instances == ()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ([], "a target is an object with size and instances, got list"),
        ({"size": [6, 8]}, "instances"),
        ({"size": [0, 8], "instances": []}, "size"),
        (as_json(), "instance 1: neither rle, nor both bbox_2d and point_2d"),
        (as_json(bbox_2d=[0, 0, 1, 1]), "instance 1: neither rle"),
        (as_json(point_2d=[0, 0]), "instance 1: neither rle"),
        (as_json(bbox_2d=[5, 0, 1, 1], point_2d=[0, 0]), "x1 < x2"),
        (as_json(bbox_2d=[0, 0, float("nan"), 1], point_2d=[0, 0]), "bbox_2d"),
        (as_json(bbox_2d=[0, 0, 1], point_2d=[0, 0]), "bbox_2d"),
        (as_json(rle={"size": [6, 8], "counts": "!"}), "run lengths"),
        (as_json(rle=Mask.empty(SIZE).plain()), "instance 1: an instance's mask is empty"),
        (as_json(mask=1), "mask"),
    ],
)
def test_json_that_is_no_target_is_refused_in_words(data: object, said: str) -> None:
    with pytest.raises(InvalidRecord, match=said):
        Target.from_json(data)


def test_a_mask_of_another_size_is_refused_with_both_sizes() -> None:
    with pytest.raises(SizeMismatch, match=r"instance 1: size 3×3 .* is not the image's 6×8"):
        Target.from_json(as_json(rle=block(0, 0, 1, 1, (3, 3)).plain()))
