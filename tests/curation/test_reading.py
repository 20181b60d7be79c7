import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.pictures import encoded, pixels
from tests.released import released
from whyseg.curation.exporting import Writer, export
from whyseg.curation.formats.coco_writer import CocoWriter
from whyseg.curation.formats.labelme import LabelmeWriter
from whyseg.curation.formats.parquet import ParquetWriter
from whyseg.curation.formats.reasonseg import ReasonSegWriter
from whyseg.curation.reading import open_data
from whyseg.curation.releases import Releases
from whyseg.schemas.errors import UsageError


@pytest.mark.parametrize(
    ("layout", "writer"),
    [("hf", ParquetWriter()), ("reasonseg", ReasonSegWriter()), ("labelme", LabelmeWriter()), ("coco", CocoWriter())],
)
def test_every_export_is_recognised_and_gives_the_samples_of_the_release(
    tmp_path: Path, layout: str, writer: Writer
) -> None:
    with released(tmp_path / "w") as workspace:
        export(workspace, "v1", tmp_path / "out", writer)
        items = Releases(workspace).items("v1")
        frozen = {revision.sample.id: revision.sample for revision in Releases(workspace).revisions(items)}
        sides = {item.sample_id: item.split for item in items}
    data = open_data(tmp_path / "out")
    assert data.layout == layout
    found = list(data.items())
    assert {item.sample.id: item.sample.target() for item in found} == {
        key: sample.target() for key, sample in frozen.items()
    }
    assert [item.sample.query for item in found] == [frozen[item.sample.id].query for item in found]
    if layout != "coco":  # which has no place for a split but its record
        assert {item.sample.id: item.split for item in found} == sides
    assert data.refused == []
    assert found[0].pixels().shape == (60, 80, 3)


def test_a_release_gives_its_samples_with_their_splits(tmp_path: Path) -> None:
    with released(tmp_path / "w") as workspace:
        expected = [(item.sample_id, item.split) for item in Releases(workspace).items("v1")]
    data = open_data("v1", workspace=tmp_path / "w")
    assert [(item.sample.id, item.split) for item in data.items()] == expected
    only = [item.split for item in data.items("test")]
    assert only == [split for _, split in expected if split == "test"]


def lisa(folder: Path, name: str, seed: int = 0) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.jpg").write_bytes(encoded(pixels(seed=seed), "JPEG"))
    shapes = [{"label": "target", "points": [[1, 1], [4, 1], [4, 3], [1, 3]]}]
    (folder / f"{name}.json").write_text(json.dumps({"text": ["what?"], "is_sentence": True, "shapes": shapes}))


def test_folders_named_after_splits_give_the_split(tmp_path: Path) -> None:
    lisa(tmp_path / "val", "a", 1)
    lisa(tmp_path / "test", "b", 2)
    data = open_data(tmp_path)
    assert [(item.name, item.split) for item in data.items()] == [("test/b.json", "test"), ("val/a.json", "validation")]
    assert [item.name for item in data.items("test")] == ["test/b.json"]


def test_one_picture_on_two_sides_is_an_item_on_each(tmp_path: Path) -> None:
    lisa(tmp_path / "val", "a", 1)
    lisa(tmp_path / "test", "b", 1)
    assert [item.split for item in open_data(tmp_path).items()] == ["test", "validation"]


def test_a_row_that_stands_twice_is_two_items_and_a_broken_one_is_refused(tmp_path: Path) -> None:
    picture = {"bytes": encoded(pixels()), "path": None}
    mask = [[x < 3 for x in range(8)]] * 6
    rows = [
        {"image": picture, "text": "what?", "mask": mask},
        {"image": picture, "text": "what?", "mask": mask},
        {"image": picture, "text": "what?", "mask": mask[:2]},
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "test.parquet")
    data = open_data(tmp_path / "test.parquet")
    found = list(data.items())
    assert [item.name for item in found] == ["test.parquet: row 0", "test.parquet: row 1"]
    assert found[0].sample == found[1].sample
    assert [refusal.file for refusal in data.refused] == ["test.parquet: row 2"]
    list(data.items())
    assert len(data.refused) == 1  # those of the last pass alone


def test_data_of_no_known_layout_is_wrong_use(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}")
    with pytest.raises(UsageError, match="no layout that whyseg knows"):
        open_data(tmp_path)
    with pytest.raises(UsageError, match="neither a path nor a release"):
        open_data("nothing", workspace=tmp_path)
