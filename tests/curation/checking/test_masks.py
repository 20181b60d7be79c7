import pytest

from tests.builders import block, instance, sample
from whyseg.curation.checking import masks
from whyseg.curation.checking.base import Remark
from whyseg.schemas import Instance, Mask, Origin, Point, Prompt, Ring, Sample

BIG = (40, 50)


def drawn(*rings: Ring, prompt: Prompt | None = None) -> Sample:
    one = Instance(
        id=1, mask=block(1, 1, 3, 4), outline=rings, prompt=prompt or Prompt(), origin=Origin(kind="polygon")
    )
    return sample(instances=[one])


def test_an_empty_mask_is_named_with_its_label() -> None:
    found = list(
        masks.empty_mask(sample(instances=[instance(1, block(0, 0, 0, 0), "cup"), instance(2, block(0, 0, 1, 1))]))
    )
    assert found == [Remark("the mask of instance 1 (cup) is empty", "1", {"instance": 1})]


@pytest.mark.parametrize(("height", "width", "found"), [(3, 5, 1), (4, 4, 0), (0, 0, 0)])  # 15, 16 and 0 pixels
def test_a_mask_of_less_than_16_pixels_is_tiny(height: int, width: int, found: int) -> None:
    remarks = list(masks.tiny_mask(sample(instances=[instance(1, block(1, 2, height, width))])))
    assert len(remarks) == found
    if found:
        assert remarks[0].evidence == {"instance": 1, "box": [2, 1, 7, 4]}


@pytest.mark.parametrize(("rows", "found"), [(38, 1), (37, 0)])  # 38 of 40 rows are 95 %
def test_a_mask_of_nearly_the_whole_picture_is_named(rows: int, found: int) -> None:
    one = sample().model_copy(update={"size": BIG, "instances": (instance(1, block(0, 0, rows, 50, BIG)),)})
    assert len(list(masks.full_frame_mask(one))) == found


def test_an_outline_that_leaves_the_picture_is_named_with_the_place() -> None:
    inside: Ring = ((0.0, 0.0), (8.0, 0.0), (8.0, 6.0))  # the picture is 8 wide and 6 high
    beyond: Ring = ((0.0, 0.0), (8.5, 1.0), (3.0, 7.0))
    assert list(masks.outside_picture(drawn(inside))) == []
    (remark,) = masks.outside_picture(drawn(inside, beyond, beyond))
    assert remark.evidence == {"instance": 1, "point": [8.5, 1.0]}


def test_a_prompt_outside_the_picture_is_named() -> None:
    (remark,) = masks.outside_picture(drawn(prompt=Prompt(points=(Point(x=9, y=1),))))
    assert "point 9,1 is outside the 8×6 image" in remark.message


def test_an_outline_that_crosses_itself_is_named_with_the_place() -> None:
    bow: Ring = ((0.0, 0.0), (4.0, 4.0), (4.0, 0.0), (0.0, 4.0))  # its diagonals cross at (2, 2)
    (remark,) = masks.broken_outline(drawn(((0.0, 0.0), (1.0, 0.0), (1.0, 1.0)), bow))
    assert remark.message == "the outline of instance 1 crosses or touches itself"
    assert remark.evidence == {"instance": 1, "ring": 1, "point": [2.0, 2.0]}


def test_an_outline_that_touches_itself_at_a_corner_is_named() -> None:
    eight: Ring = ((0.0, 0.0), (2.0, 0.0), (2.0, 2.0), (4.0, 2.0), (4.0, 4.0), (2.0, 4.0), (2.0, 2.0), (0.0, 2.0))
    (remark,) = masks.broken_outline(drawn(eight))
    assert remark.evidence["point"] == [2.0, 2.0]


@pytest.mark.parametrize(
    ("ring", "why"),
    [
        (((0.0, 0.0), (1.0, 1.0), (0.0, 0.0)), "fewer than 3"),
        (((0.0, 0.0), (1.0, 1.0), (2.0, 2.0)), "encloses nothing"),
    ],
)
def test_an_outline_without_an_area_is_named(ring: Ring, why: str) -> None:
    (remark,) = masks.broken_outline(drawn(ring))
    assert why in remark.message


def test_a_traced_outline_is_sound() -> None:
    from whyseg.curation.outlines import outline

    ring_and_hole = Mask.encode(block(0, 0, 6, 8).decode() & ~block(2, 2, 2, 3).decode())
    assert list(masks.broken_outline(drawn(*outline(ring_and_hole).rings))) == []
