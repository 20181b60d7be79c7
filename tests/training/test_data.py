"""Rows to train on: squashed with their masks, laid down once, and nothing left out without a reason."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.released import released
from tests.training.tiny_run import DrawnData, preset
from whyseg.curation.exporting import export
from whyseg.curation.formats.geometry import picture_png
from whyseg.curation.formats.grpo import GrpoWriter, framed
from whyseg.curation.formats.parquet import ParquetWriter
from whyseg.curation.reading import Data, Item, open_data
from whyseg.curation.releases import Releases
from whyseg.curation.sources import Refusal
from whyseg.schemas import Image, Mask, Sample
from whyseg.schemas.errors import UsageError
from whyseg.training.data import load, prepare
from whyseg.training.presets import Preset, load_preset

BOX = {"id": 1, "origin": {"kind": "import"}}


class Listed(Data):
    """The items it is given; one file was refused."""

    def __init__(self, items: list[Item]) -> None:
        super().__init__("hf", "listed", "listed")
        self.given = items

    def items(self, split: Any = None) -> Any:
        yield from self.given
        self.refused = [Refusal(file="broken.parquet: row 3", reason="the picture is truncated")]


def item(name: str, *, split: Any = None, **fields: Any) -> Item:
    pixels = np.full((40, 80, 3), 90, np.uint8)
    key = f"{abs(hash(name)):064x}"[-64:]
    sample = Sample.start(key, (40, 80), source="test", source_record=name, **fields)
    image = Image(id=key, width=80, height=40, format="PNG", byte_size=9, file_name=name)
    return Item(sample, image, picture_png(pixels), name, split)


def mask(top: int, left: int, height: int, width: int) -> Mask:
    pixels = np.zeros((40, 80), bool)
    pixels[top : top + height, left : left + width] = True
    return Mask.encode(pixels)


def paper(name: str) -> Preset:
    plain = load_preset(name).plain()
    plain["policy"] |= {"frame": "canvas_80", "canvas": 80}
    return Preset.parse(plain)


QUERY = {"query": {"text": "what holds the tea?"}}
ONE = {**QUERY, "instances": [{**BOX, "mask": mask(10, 20, 20, 40), "label": "cup"}]}


def test_pictures_and_masks_are_squashed_alike(tmp_path: Path) -> None:
    found = prepare(Listed([item("a", **ONE)]), paper("star_7b_stage1"), tmp_path)
    (row,) = found.rows
    assert found.picture(0).shape == (80, 80, 3)
    assert row.target.size == (80, 80)
    instance = row.target.instances[0]
    # Twice as high and as wide as before: rows 20 to 60, columns 20 to 60.
    assert instance.box == (20, 20, 60, 60)
    assert instance.mask is not None
    assert instance.mask.area == 40 * 40
    assert (instance.label, row.query) == ("cup", "what holds the tea?")
    assert found.facts.rows == 1
    assert found.facts.hash.startswith("sha256:")


def test_every_row_that_is_left_out_has_its_reason(tmp_path: Path) -> None:
    two = [{**BOX, "mask": mask(10, 20, 5, 5)}, {**BOX, "id": 2, "mask": mask(20, 40, 5, 5)}]
    items = [
        item("good", **ONE),
        item("no question", instances=ONE["instances"]),
        item("two", **QUERY, instances=two),
        item("nothing", **QUERY, no_target=True),
        item("unfinished", **QUERY),
        item("no mask", **QUERY, instances=[{**BOX, "mask": Mask.empty((40, 80))}]),
        item("other side", split="test", **ONE),
    ]
    found = prepare(Listed(items), paper("sam_r1_7b"), tmp_path)
    assert [row.ref for row in found.rows] == ["good"]
    assert {one.ref: one.reason for one in found.left_out} == {
        "no question": "it has no question",
        "two": "2 objects answer it, sam_r1_7b takes one",
        "nothing": "nothing answers it, and sam_r1_7b has no reward for that",
        "unfinished": "0 objects answer it, sam_r1_7b takes one",
        "no mask": "instance 1 has no mask",
        "broken.parquet: row 3": "the picture is truncated",
    }
    assert found.facts.other_splits == {"test": 1}
    assert found.facts.left_out == 6
    several = prepare(Listed(items), paper("star_7b_stage1"), tmp_path / "star")
    assert [row.ref for row in several.rows] == ["good", "two"]
    assert {one.ref for one in several.left_out} == {
        "no question", "nothing", "unfinished", "no mask", "broken.parquet: row 3",
    }  # fmt: skip


def test_boxes_and_points_alone_do_where_no_mask_is_rewarded(tmp_path: Path) -> None:
    prompt = {"box": {"x0": 20, "y0": 10, "x1": 60, "y1": 30}, "points": [{"x": 40, "y": 20}]}
    bare = item("bare", **QUERY, instances=[{**BOX, "mask": Mask.empty((40, 80)), "prompt": prompt}])
    found = prepare(Listed([bare]), paper("vision_reasoner_7b"), tmp_path)
    instance = found.rows[0].target.instances[0]
    assert instance.box == (20, 20, 60, 60)
    assert instance.points == ((40, 40),)
    assert instance.mask is None
    with pytest.raises(UsageError, match="nothing to train on: 1 rows: instance 1 has no mask"):
        prepare(Listed([bare]), paper("star_7b_stage1"), tmp_path / "star")


def test_questions_without_an_answer_are_taken_where_they_are_rewarded(tmp_path: Path) -> None:
    found = prepare(DrawnData(5), preset(), tmp_path)
    assert [len(row.target.instances) for row in found.rows] == [1, 1, 1, 1, 0]


def test_prompts_that_are_too_long_are_left_out(tmp_path: Path) -> None:
    found = prepare(DrawnData(4), preset(), tmp_path, tokens=lambda query: 300 if "2" in query else 20)
    assert [(one.ref, one.reason) for one in found.left_out] == [("row 2", "its prompt has 300 tokens, at most 256")]


def test_what_is_laid_down_is_not_read_again(tmp_path: Path) -> None:
    first = prepare(DrawnData(4), preset(), tmp_path)

    class Gone(DrawnData):
        def items(self, split: Any = None) -> Any:
            pytest.fail("the data was read again")

    again = prepare(Gone(4), preset(), tmp_path)
    assert (again.rows, again.facts) == (first.rows, first.facts) == (load(tmp_path).rows, first.facts)
    (tmp_path / "data.json").unlink()  # as after a kill: begun, not complete
    assert prepare(DrawnData(4), preset(), tmp_path).facts == first.facts


def test_data_of_another_split_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="4 rows are of validation, asked was train"):
        prepare(DrawnData(4, split="validation"), preset(), tmp_path)
    assert len(prepare(DrawnData(4, split="validation"), preset(), tmp_path, split="validation").rows) == 4


def test_a_release_and_its_exports_give_the_same_rows(tmp_path: Path) -> None:
    plain = load_preset("star_7b_stage1")
    with released(tmp_path / "w", samples=8) as workspace:
        trained = Releases(workspace).get("v1").splits["train"]
        export(workspace, "v1", tmp_path / "hf", ParquetWriter())
        export(workspace, "v1", tmp_path / "grpo", GrpoWriter())
    sources = {"v1": tmp_path / "w", str(tmp_path / "hf"): None, str(tmp_path / "grpo"): None}
    found = [
        prepare(open_data(name, workspace=where), plain, tmp_path / "data" / Path(name).name)
        for name, where in sources.items()
    ]
    assert [len(one.rows) for one in found] == [trained] * 3
    assert trained > 1
    kept = [{row.query: row.target.instances[0].mask for row in one.rows} for one in found]
    assert kept[0] == kept[1] == kept[2]
    assert {one.facts.layout for one in found} == {"release", "hf"}


def test_the_masks_of_a_canvas_are_those_of_the_grpo_export() -> None:
    pixels = mask(3, 7, 11, 13).decode()
    assert np.array_equal(framed(pixels, 840), framed(pixels))
    # Of 40 × 80 rows and columns 3 to 14 of rows and 7 to 20 of columns, squashed to 20 × 20: half as high, a quarter
    # as wide. Rows 1.5 to 7: row 1 is half in, so rows 1 to 6; columns 1.75 to 5: column 1 is a quarter in, so 2 to 4.
    expected = np.zeros((20, 20), bool)
    expected[2:7, 2:5] = True
    expected[1, 2:5] = True  # exactly half of it
    assert np.array_equal(framed(pixels, 20), expected)
