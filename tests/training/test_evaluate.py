import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.pictures import encoded, pixels
from tests.training.answers import ROW, row, sample
from whyseg.curation.images import inspect
from whyseg.curation.reading import Data, Item
from whyseg.curation.sources import Refusal
from whyseg.schemas import Mask, Sample, Split
from whyseg.schemas.errors import SizeMismatch, UsageError
from whyseg.training.evaluate import REPORT, RESULTS, SCORES, evaluate, keep
from whyseg.training.gallery import EXTRA, IGNORED, MISSED, RIGHT, Gallery, draw, page
from whyseg.training.metrics import Prediction
from whyseg.training.protocols import protocol_of

PICTURE = encoded(pixels(*ROW))
STAR = protocol_of("star")


class Fixed(Data):
    """Data that is given, and no file."""

    def __init__(
        self, *samples: Sample, splits: tuple[Split | None, ...] = (), refused: tuple[Refusal, ...] = ()
    ) -> None:
        super().__init__("hf", "made up", "made up", refused=list(refused))
        self.samples, self.splits = samples, splits or (None,) * len(samples)

    def items(self, split: Split | None = None) -> Iterator[Item]:
        image = inspect(PICTURE, "p.png")
        for number, (one, side) in enumerate(zip(self.samples, self.splits, strict=True)):
            if split in (None, side):
                yield Item(one, image, PICTURE, f"row {number}", side)


def answers(*given: tuple[Sample, Mask | None]) -> dict[str, Prediction]:
    return {one.id: Prediction(sample_id=one.id, mask=mask) for one, mask in given}


FOUR = (
    sample(row("####······"), number=1, reasoning_type="commonsense", depth=1),
    sample(row("####······"), number=2, reasoning_type="commonsense", depth=2),
    sample(no_target=True, number=3, reasoning_type="P/F", depth=2),
    sample(row("··########"), number=4),
)


def test_the_figures_of_a_run_are_those_worked_out_by_hand() -> None:
    # 1: I 2 of U 6. 2: no line, so I 0 of U 4, failed. 3: empty and rightly so. 4: I 8 of U 8.
    given = answers((FOUR[0], row("··####····")), (FOUR[2], None), (FOUR[3], row("··########")))
    found, scores = evaluate(Fixed(*FOUR), given, STAR)
    assert [(score.intersection, score.union) for score in scores] == [(2, 6), (0, 4), (0, 0), (8, 8)]
    assert (found.n, found.failed, found.protocol, found.data) == (4, 1, "star", "made up")
    assert found.giou == pytest.approx((1 / 3 + 0 + 1 + 1) / 4)
    assert found.ciou == pytest.approx(10 / 18)
    assert found.box_accuracy == pytest.approx(1 / 3)  # boxes: 2/6, none, –, 8/8
    assert found.no_target_accuracy == 1
    assert {name: (part.n, part.giou) for name, part in found.by_type.items()} == {
        "commonsense": (2, pytest.approx(1 / 6)),
        "function_purpose": (1, 1.0),
    }
    assert {name: (part.n, part.giou, part.ciou) for name, part in found.by_depth.items()} == {
        "1": (1, pytest.approx(1 / 3), pytest.approx(1 / 3)),
        "2": (2, 0.5, 0.0),
    }


def test_the_other_protocols_differ_where_nothing_is_to_be_found() -> None:
    given = answers((FOUR[0], row("··####····")), (FOUR[2], None), (FOUR[3], row("··########")))
    found = {name: evaluate(Fixed(*FOUR), given, protocol_of(name))[0].giou for name in ("lisa", "seg_zero")}
    assert found == pytest.approx({"lisa": (1 / 3 + 0 + 1 + 1) / 4, "seg_zero": (1 / 3 + 0 + 0 + 1) / 4}, rel=1e-5)


def test_only_the_split_is_scored_and_predictions_for_the_others_are_no_mistake() -> None:
    data = Fixed(*FOUR, splits=("test", "train", "test", None))
    given = answers((FOUR[0], row("####······")), (FOUR[1], None), (FOUR[3], None))
    found, _ = evaluate(data, given, STAR, split="test")
    assert (found.n, found.split, found.giou) == (2, "test", 1.0)


def test_a_row_that_stands_twice_is_scored_twice() -> None:
    found, _ = evaluate(Fixed(FOUR[0], FOUR[0]), answers((FOUR[0], row("####······"))), STAR)
    assert (found.n, found.giou) == (2, 1.0)


def test_what_the_right_answer_is_must_be_known() -> None:
    unfinished = sample(number=5)
    unseen = sample(Mask.empty(ROW), number=6)
    data = Fixed(FOUR[0], unfinished, unseen, refused=(Refusal(file="row 9", reason="broken"),))
    found, _ = evaluate(data, answers((unfinished, None)), STAR)
    assert found.n == 1
    assert [(one.file, one.reason) for one in found.left_out] == [
        ("row 1", "it has no mask, and is not marked as no-target"),
        ("row 2", "its instances have no pixels"),
    ]
    assert [one.file for one in found.refused] == ["row 9"]


def test_a_prediction_for_no_sample_and_data_without_samples_are_wrong_use() -> None:
    with pytest.raises(UsageError, match="has no sample nobody"):
        evaluate(Fixed(*FOUR), {"nobody": Prediction(sample_id="nobody")}, STAR)
    with pytest.raises(UsageError, match="holds no sample that can be scored"):
        evaluate(Fixed(), {}, STAR)
    with pytest.raises(UsageError, match="holds no sample in split test that can be scored"):
        evaluate(Fixed(*FOUR), {}, STAR, split="test")


def test_a_prediction_may_be_for_a_row_that_was_refused() -> None:
    broken = (Refusal(file="row 9", reason="broken"),)
    given = answers((FOUR[0], row("####······"))) | {"nine": Prediction(sample_id="nine")}
    found, _ = evaluate(Fixed(FOUR[0], refused=broken), given, STAR)
    assert (found.n, found.giou) == (1, 1.0)
    with pytest.raises(UsageError, match="has no sample nine, ten"):
        evaluate(Fixed(FOUR[0], refused=broken), given | {"ten": Prediction(sample_id="ten")}, STAR)


def test_a_mask_of_another_size_stops_the_run() -> None:
    with pytest.raises(SizeMismatch):
        evaluate(Fixed(*FOUR), answers((FOUR[0], Mask.empty((3, 3)))), STAR)


def test_the_gallery_keeps_the_worst_and_the_best_and_draws_few() -> None:
    data = Fixed(*[sample(row("#" * 9 + "·"), number=number) for number in range(9)])
    widths = [3, 9, 1, 5, 7, 2, 8, 4, 6]
    given = answers(
        *[(one, row("#" * width + "·" * (10 - width))) for one, width in zip(data.samples, widths, strict=True)]
    )
    gallery = Gallery(shown=2)
    found, _ = evaluate(data, given, STAR, gallery=gallery)
    assert [section.heading for section in gallery.worst()] == ["IoU 0.111", "IoU 0.222"]
    assert [section.heading for section in gallery.best()] == ["IoU 1.000", "IoU 0.889"]
    text = page(found, gallery)
    assert text.count("<img") == 4
    assert "Worst 1: IoU 0.111" in text


def test_a_sample_is_shown_once_where_there_are_few() -> None:
    gallery = Gallery(shown=3)
    evaluate(Fixed(*FOUR), answers((FOUR[3], row("··########"))), protocol_of("seg_zero"), gallery=gallery)
    assert [section.heading for section in gallery.worst()] == ["IoU 0.000"] * 3
    assert [section.heading for section in gallery.best()] == ["IoU 1.000"]


def test_the_page_shows_hostile_text_as_text() -> None:
    hostile = sample(row("####······"), number=1, source_name="<script>alert(1)</script>")
    gallery = Gallery()
    found, _ = evaluate(Fixed(hostile), {}, STAR, gallery=gallery)
    assert "<script" not in page(found, gallery, "<b>run</b>").replace("&lt;script", "")


def test_a_drawing_tells_found_extra_missed_and_ignored_apart() -> None:
    black = np.zeros((1, 10, 3), np.uint8)
    found = draw(black, row("·###······"), row("··###·····"), row("·········#"), side=10)
    half = {colour: tuple(value // 2 for value in colour) for colour in (RIGHT, EXTRA, MISSED, IGNORED)}
    expected = [None, EXTRA, RIGHT, RIGHT, MISSED, None, None, None, None, IGNORED]
    assert not found[:, :10].any()  # the picture itself
    assert [tuple(map(int, pixel)) for pixel in found[0, 10:]] == [half[c] if c else (0, 0, 0) for c in expected]


@pytest.mark.parametrize(
    ("size", "shown"), [((100, 960), (50, 480)), ((112, 100), (448, 400)), ((300, 200), (300, 200))]
)
def test_large_pictures_shrink_and_small_ones_grow_by_a_whole_number(
    size: tuple[int, int], shown: tuple[int, int]
) -> None:
    found = draw(np.zeros((*size, 3), np.uint8), Mask.empty(size), Mask.empty(size))
    assert found.shape == (shown[0], 2 * shown[1], 3)


def test_results_are_kept_with_every_samples_numbers(tmp_path: Path) -> None:
    gallery = Gallery()
    found, scores = evaluate(Fixed(*FOUR), answers((FOUR[0], row("##········"))), STAR, gallery=gallery)
    keep(tmp_path / "out", found, scores, page(found, gallery))
    lines = [json.loads(line) for line in (tmp_path / "out" / SCORES).read_text().splitlines()]
    assert [line["sample_id"] for line in lines] == [one.id for one in FOUR]
    assert lines[0]["iou"] == 0.5
    assert json.loads((tmp_path / "out" / RESULTS).read_text())["n"] == 4
    assert (tmp_path / "out" / REPORT).read_text().startswith("<!doctype html>")
