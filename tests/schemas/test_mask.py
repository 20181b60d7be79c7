import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco
from pydantic import ValidationError

from whyseg.schemas import Mask, union
from whyseg.schemas.errors import InvalidRecord, InvalidRle, SizeMismatch
from whyseg.schemas.mask import canonical_counts, counts_from_runs, runs_from_counts


@st.composite
def bitmaps(draw: st.DrawFn) -> npt.NDArray[np.bool_]:
    height, width = draw(st.integers(1, 12)), draw(st.integers(1, 12))
    bits = draw(st.lists(st.booleans(), min_size=height * width, max_size=height * width))
    return np.array(bits, bool).reshape(height, width)


@given(bitmaps())
def test_encoding_and_decoding_keeps_every_pixel(bitmap: npt.NDArray[np.bool_]) -> None:
    mask = Mask.encode(bitmap)
    assert mask.size == bitmap.shape
    assert (mask.decode() == bitmap).all()
    assert mask.area == bitmap.sum()


@given(bitmaps())
def test_the_text_is_the_one_that_pycocotools_writes(bitmap: npt.NDArray[np.bool_]) -> None:
    counts = coco.encode(np.asfortranarray(bitmap.astype(np.uint8)))["counts"].decode()
    assert Mask.encode(bitmap).counts == counts
    assert counts_from_runs(runs_from_counts(counts)) == counts


@given(bitmaps())
def test_a_mask_reads_back_equal_from_its_json_with_the_same_hash(bitmap: npt.NDArray[np.bool_]) -> None:
    mask = Mask.encode(bitmap)
    again = Mask.parse(mask.model_dump_json())
    assert again == mask
    assert again.content_hash() == mask.content_hash()


@given(st.lists(st.integers(0, 70_000), min_size=1, max_size=30))
def test_run_lengths_survive_their_text(runs: list[int]) -> None:
    assert runs_from_counts(counts_from_runs(runs)).tolist() == runs


def test_equal_pixels_have_one_text_however_they_were_written() -> None:
    # 2×3 pixels: 2 background, 3 object, 1 background; written with empty runs in the middle and at the end
    written = counts_from_runs([2, 1, 0, 2, 1, 0])
    assert canonical_counts(written, (2, 3)) == counts_from_runs([2, 3, 1])
    # object from the first pixel on: the leading 0 stays, the empty pair after it goes
    assert canonical_counts(counts_from_runs([0, 0, 0, 6]), (2, 3)) == counts_from_runs([0, 6])
    assert canonical_counts(counts_from_runs([6, 0]), (2, 3)) == counts_from_runs([6])


def test_runs_go_down_the_columns() -> None:
    # column 0 is (0, 1), column 1 is (1, 0): background 1, object 2, background 1
    mask = Mask(size=(2, 2), counts=counts_from_runs([1, 2, 1]))
    assert mask.decode().tolist() == [[False, True], [True, False]]


def test_the_box_is_half_open() -> None:
    bitmap = np.zeros((5, 7), bool)
    bitmap[1:3, 2:6] = True  # rows 1 and 2, columns 2 to 5
    assert Mask.encode(bitmap).box_xyxy == (2, 1, 6, 3)
    assert Mask.empty((5, 7)).box_xyxy == (0, 0, 0, 0)


def test_intersection_over_union_by_hand() -> None:
    one, two = np.zeros((4, 4), bool), np.zeros((4, 4), bool)
    one[:2], two[1:3] = True, True  # 8 pixels each, 4 in common, 12 in all
    assert Mask.encode(one).iou(Mask.encode(two)) == pytest.approx(4 / 12)
    assert Mask.empty((4, 4)).iou(Mask.empty((4, 4))) == 1.0
    assert Mask.empty((4, 4)).iou(Mask.encode(one)) == 0.0
    with pytest.raises(SizeMismatch, match=r"4×5.*4×4"):
        Mask.empty((4, 4)).iou(Mask.empty((4, 5)))


def test_a_union_covers_every_part_and_checks_sizes() -> None:
    one, two = np.zeros((3, 3), bool), np.zeros((3, 3), bool)
    one[0, 0], two[2, 2] = True, True
    assert union([Mask.encode(one), Mask.encode(two)], (3, 3)).area == 2
    assert union([], (3, 3)) == Mask.empty((3, 3))
    with pytest.raises(SizeMismatch):
        union([Mask.empty((3, 4))], (3, 3))


def test_what_pycocotools_makes_of_outlines_needs_no_second_reading() -> None:
    rng, size = np.random.default_rng(0), (17, 23)
    for number in range(300):
        rings = [rng.uniform(-10, 30, 2 * int(rng.integers(3, 7))) for _ in range(2)]
        if number % 2:
            rings = [ring.round() for ring in rings]
        parts = coco.frPyObjects([ring.tolist() for ring in rings], *size)
        for rle in (*parts, coco.merge(parts)):
            assert Mask.of_coco(rle) == Mask(size=size, counts=rle["counts"].decode())


@pytest.mark.parametrize(
    ("counts", "complaint"),
    [
        ("", "empty"),
        ("0 ", "alphabet"),
        ("é", "alphabet"),
        ("`", "end inside a number"),  # 96 − 48 = 48: the continuation bit is set
        (counts_from_runs([5]), "cover 5 pixels"),
        (counts_from_runs([3, 4, -1]), "negative run"),
        ("oooooooo0", "more than 35 bits"),
    ],
)
def test_broken_run_lengths_are_refused_with_the_reason(counts: str, complaint: str) -> None:
    with pytest.raises(InvalidRecord, match=complaint):
        Mask.parse({"size": [2, 3], "counts": counts})


def test_a_size_too_large_to_decode_is_refused() -> None:
    with pytest.raises(InvalidRecord, match="pixels"):
        Mask.parse({"size": [65_535, 65_535], "counts": counts_from_runs([65_535**2])})


def test_what_is_no_picture_of_bits_is_refused() -> None:
    with pytest.raises(InvalidRle, match=r"\(height, width\)"):
        Mask.encode(np.zeros((2, 2, 3)))


def test_a_mask_is_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Mask.empty((2, 2)).size = (3, 3)


@pytest.mark.parametrize(
    ("written", "shortest"),
    [
        ("R02", "22"),  # 2 as 0x12|32 then 0: a leading zero group
        (counts_from_runs([1, 2, 1]), counts_from_runs([1, 2, 1])),
    ],
)
def test_numbers_written_longer_than_needed_become_the_one_text(written: str, shortest: str) -> None:
    assert canonical_counts(written, (2, 2)) == canonical_counts(shortest, (2, 2)) == shortest


@given(st.lists(st.integers(1, 40), min_size=4, max_size=12), st.data())
def test_whatever_longer_way_a_mask_is_written_its_record_is_equal(runs: list[int], data: st.DataObject) -> None:
    text = counts_from_runs(runs)
    ends = [i for i, c in enumerate(text) if not (ord(c) - 48) & 32]
    at = data.draw(st.sampled_from(ends))
    last = ord(text[at]) - 48
    more = chr((last | 32) + 48) + chr((31 if last & 16 else 0) + 48)  # one group more, of the sign alone
    longer = text[:at] + more + text[at + 1 :]
    size = (1, sum(runs))
    assert Mask(size=size, counts=longer) == Mask(size=size, counts=text)
