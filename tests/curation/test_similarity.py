import sys

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.pictures import encoded, pixels
from whyseg.curation import similarity
from whyseg.curation.images import RgbArray, read_upright
from whyseg.curation.similarity import FINGERPRINT, Fingerprints, fingerprint, groups, links, near_queries
from whyseg.schemas.errors import UsageError


def scene(seed: int, height: int = 240, width: int = 320) -> RgbArray:
    """Return a smooth picture of its own colours and places, as photographs have them."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.uint8)


def prints(*pictures: RgbArray) -> Fingerprints:
    return np.stack([fingerprint(picture) for picture in pictures])


def made(dct: int, *, gradient: int = 0, colours: int = 1, flat: bool = False) -> Fingerprints:
    """Return a made-up fingerprint; those of one ``colours`` correlate fully, those of others hardly."""
    one = np.zeros((), FINGERPRINT)
    one["dct"], one["gradient"], one["flat"] = dct, gradient, flat
    one["colours"] = np.random.default_rng(colours).integers(0, 256, (8, 8, 3))
    return one


def bits(count: int) -> int:
    return (1 << count) - 1


@pytest.mark.parametrize("change", ["jpeg", "smaller", "brighter", "cropped", "grey"])
def test_a_changed_copy_is_a_near_duplicate(change: str) -> None:
    original = scene(1)
    copies = {
        "jpeg": read_upright(encoded(original, "JPEG", quality=40), "x.jpg").pixels,
        "smaller": cv2.resize(original, (80, 60), interpolation=cv2.INTER_AREA).astype(np.uint8),
        "brighter": np.clip(original.astype(int) + 25, 0, 255).astype(np.uint8),
        "cropped": original[3:-3, 3:-3].copy(),
        "grey": np.repeat(cv2.cvtColor(original, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2),
    }
    assert links(prints(original, copies[change])) == [(0, 1)]


def test_different_pictures_are_not() -> None:
    assert links(prints(*(scene(seed) for seed in range(300)))) == []
    assert links(prints(*(pixels(64, 64, seed=seed) for seed in range(300)))) == []


def test_flat_pictures_are_like_no_other() -> None:
    grey = np.full((40, 40, 3), 128, np.uint8)
    noisy = grey + np.random.default_rng(0).integers(0, 3, grey.shape, dtype=np.uint8)
    found = prints(grey, noisy, grey + 1, grey)
    assert found["flat"].all()
    assert links(found) == []


def test_a_picture_of_one_pixel_has_a_fingerprint() -> None:
    assert fingerprint(np.full((1, 1, 3), 7, np.uint8))["flat"]


def test_both_hashes_together_decide_and_the_limit_counts() -> None:
    # 12 + 8 = 20 bits differ from the first, then 12 + 9 = 21
    assert links(np.stack([made(0), made(bits(12), gradient=bits(8))])) == [(0, 1)]
    assert links(np.stack([made(0), made(bits(12), gradient=bits(9))])) == []


def test_equal_hashes_with_other_colours_are_not_enough() -> None:
    assert links(np.stack([made(5), made(5, colours=2)])) == []


def test_a_group_is_joined_over_others_by_one_pair_less_than_it_has_members() -> None:
    # neighbours differ in 15 bits, the ends in 30
    chain = np.stack([made(0), made(bits(30)), made(77, colours=3), made(bits(15)), made(bits(30))])
    found = links(chain)
    assert len(found) == 3
    assert sorted(map(sorted, groups(["a", "b", "c", "d", "e"], found))) == [["a", "b", "d", "e"], ["c"]]


def test_tiles_do_not_change_what_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    some = [made(bits(k % 40), gradient=bits(k % 7), colours=k % 3, flat=k % 11 == 0) for k in range(120)]
    names = [str(k) for k in range(len(some))]
    whole = groups(names, links(np.stack(some)))
    monkeypatch.setattr(similarity, "_ROWS", 7)
    monkeypatch.setattr(similarity, "_COLUMNS", 13)
    monkeypatch.setattr(similarity, "_CHECKED", 5)
    tiled = groups(names, links(np.stack(some)))
    assert sorted(map(sorted, tiled)) == sorted(map(sorted, whole))
    assert len(whole) > 10


def test_no_fingerprints_have_no_links() -> None:
    assert links(np.zeros(0, FINGERPRINT)) == []
    assert groups([], []) == []


def test_questions_are_compared_whatever_their_case_and_white_space() -> None:
    texts = ["What keeps the drink warm?", "Who sits?", "what  keeps the DRINK warm?", "What keeps the drinks warm?"]
    found = near_queries(texts)
    assert [(pair.first, pair.second) for pair in found] == [(0, 2), (0, 3)]
    assert found[0].similarity == 1.0
    # one insertion; 26 and 27 characters: 1 - 1/53
    assert found[1].similarity == pytest.approx(52 / 53)


def test_case_is_folded_as_unicode_has_it() -> None:
    assert [pair[:2] for pair in near_queries(["STRASSE links", "straße links"])] == [(0, 1)]


def slow_similarity(a: str, b: str) -> float:
    """Twice the longest common subsequence over both lengths."""
    row = [0] * (len(b) + 1)
    for x in a:
        row = [0] + [max(row[j + 1], 0) if x != y else row[j] + 1 for j, y in enumerate(b)]
        for j in range(len(b)):
            row[j + 1] = max(row[j + 1], row[j])
    return 2 * row[-1] / (len(a) + len(b))


@given(st.lists(st.text("ab ", min_size=1, max_size=12), max_size=12))
@settings(derandomize=True, max_examples=100, deadline=None)
def test_the_pairs_are_those_that_a_slow_comparison_finds(texts: list[str]) -> None:
    plain = list(dict.fromkeys(" ".join(text.split()) for text in texts))
    plain = [text for text in plain if text]
    expected = {
        (i, j) for j in range(len(plain)) for i in range(j) if slow_similarity(plain[i], plain[j]) >= 0.8 - 1e-9
    }
    assert {pair[:2] for pair in near_queries(plain, 0.8)} == expected
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(similarity, "_TEXTS", 1)  # each text is compared with those alone that are not too long for it
        assert {pair[:2] for pair in near_queries(plain, 0.8)} == expected


def test_without_rapidfuzz_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rapidfuzz.distance", None)
    with pytest.raises(UsageError, match=r"whyseg\[similarity\]"):
        near_queries(["a", "b"])
