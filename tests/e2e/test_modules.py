"""The canvas' modules against pycocotools and against the server's own rule."""

from typing import Any

import numpy as np

from tests.e2e.desk import Desk
from whyseg.curation.outlines import rasterize
from whyseg.schemas import Mask

RLE = "(await import('/static/rle.js'))"


def random_masks(count: int, seed: int) -> list[np.ndarray[Any, np.dtype[np.bool_]]]:
    rng = np.random.default_rng(seed)
    densities = (0, 0.02, 0.3, 0.5, 0.9, 1)
    return [rng.random(rng.integers(1, 40, 2)) < rng.choice(densities) for _ in range(count)]


def test_run_lengths_are_those_of_pycocotools(desk: Desk) -> None:
    masks = random_masks(150, seed=1)
    sent = [[list(mask.shape), mask.ravel("F").astype(int).tolist(), Mask.encode(mask).counts] for mask in masks]
    got = desk.page.evaluate(
        f"""async cases => {{ const rle = {RLE}; return cases.map(([size, bytes, counts]) => [
            rle.maskOfBytes(Uint8Array.from(bytes), size).counts,
            rle.pack(rle.unpack(counts)), rle.area({{size, counts}}),
            rle.maskOfCrop({{bbox: [0, 0, size[1], size[0]], counts}}, size).counts]); }}""",
        sent,
    )
    for mask, (from_bytes, again, area, from_crop) in zip(masks, got, strict=True):
        counts = Mask.encode(mask).counts
        assert (from_bytes, again, area, from_crop) == (counts, counts, mask.sum(), counts)


def test_long_runs_survive(desk: Desk) -> None:
    # A run of 2^27 needs six characters and stays below the sign of a 32-bit number.
    text = desk.page.evaluate(f"async () => {RLE}.pack([2 ** 27, 3, 2 ** 27 - 3])")
    assert desk.page.evaluate(f"async text => {RLE}.unpack(text)", text) == [2**27, 3, 2**27 - 3]
    assert Mask(size=(2**14, 2**14), counts=text).area == 3


def test_a_crop_is_put_back_where_it_was(desk: Desk) -> None:
    picture = np.zeros((20, 30), bool)
    picture[4:9, 7:15] = np.random.default_rng(3).random((5, 8)) < 0.5
    crop = {"bbox": [7, 4, 8, 5], "counts": Mask.encode(picture[4:9, 7:15]).counts}
    mask = desk.page.evaluate(f"async crop => {RLE}.maskOfCrop(crop, [20, 30])", crop)
    assert Mask.parse(mask) == Mask.encode(picture)
    empty = desk.page.evaluate(f"async () => {RLE}.maskOfCrop({{bbox: [0, 0, 0, 0], counts: ''}}, [20, 30])")
    assert Mask.parse(empty) == Mask.empty((20, 30))


def test_what_a_hand_changed_is_changed_again_on_a_newer_mask(desk: Desk) -> None:
    rng = np.random.default_rng(4)
    newer, base, mask = (rng.random((17, 23)) < 0.5 for _ in range(3))
    sent = [Mask.encode(one).plain() for one in (newer, base, mask)]
    got = desk.page.evaluate(f"async masks => {RLE}.keepHand(...masks)", sent)
    assert (Mask.parse(got).decode() == np.where(mask != base, mask, newer)).all()


def test_rings_are_filled_as_the_server_fills_them(desk: Desk) -> None:
    rng = np.random.default_rng(5)
    cases = []
    for number in range(120):
        height, width = (int(side) for side in rng.integers(1, 50, 2))
        rings = [rng.random((int(rng.integers(1, 9)), 2)) * 70 - 10 for _ in range(rng.integers(1, 4))]
        if number % 2:  # corners on pixel edges and centres, where ties are decided
            rings = [np.round(ring * 2) / 2 for ring in rings]
        cases.append(([ring.tolist() for ring in rings], (height, width)))
    got = desk.page.evaluate(
        "async cases => { const { rasterize } = await import('/static/raster.js');"
        " return cases.map(([rings, size]) => rasterize(rings, size)); }",
        cases,
    )
    for (rings, size), mask in zip(cases, got, strict=True):
        assert Mask.parse(mask) == rasterize(rings, size)


def test_keys_have_the_names_that_the_table_uses(desk: Desk) -> None:
    def named(**event: Any) -> Any:
        return desk.page.evaluate(
            """async ({ altGr, ...event }) => {
                const { keyName } = await import('/static/keys.js');
                const getModifierState = name => name === "AltGraph" && altGr === true;
                return keyName({ code: "", ...event, getModifierState });
            }""",
            event,
        )

    assert named(key="B") == "b"  # caps lock
    assert named(key="B", shiftKey=True) == "Shift+b"
    assert named(key="?", shiftKey=True) == "?"  # Shift made the character; it is not named again
    assert named(key="[", ctrlKey=True, altKey=True, altGr=True) == "["  # AltGr+8 on a German keyboard
    assert named(key="z", metaKey=True) == "Ctrl+z"
    assert named(key=" ", ctrlKey=True) == "Ctrl+Space"
    assert named(key="и", code="KeyB") == "b"  # the same place on a Russian keyboard
    assert named(key="Shift", shiftKey=True) is None


def test_a_review_says_that_hops_are_of_the_question_before(desk: Desk) -> None:
    noted = desk.page.evaluate(
        """async pairs => {
            const { Question } = await import('/static/review_parts.js');
            const asks = text => ({ text, alternates: [] });
            const sample = ([text, hops]) => ({ query: asks(text), hops, instances: [], no_target: true });
            return pairs.map(([older, newer]) => {
                const card = new Question({});
                card.show(sample(newer), older && sample(older));
                return !card.note.hidden;
            });
        }""",
        [
            [["what?", ["it is"]], ["which?", ["it is"]]],  # another question, the same hops
            [["what?", ["it is"]], ["which?", ["it was"]]],
            [["what?", ["it is"]], ["what?", ["it is"]]],
            [["what?", []], ["which?", []]],
            [None, ["which?", ["it is"]]],
        ],
    )
    assert noted == [True, False, False, False, False]
