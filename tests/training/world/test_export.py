"""The world as a folder: opened by others, never half there, the truth of its mistakes beside it."""

import json
from pathlib import Path

import pytest
from datasets import load_dataset
from typer.testing import CliRunner

from whyseg.cli import app
from whyseg.curation.formats.hub_layouts import import_hf
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Mask, Query
from whyseg.schemas.errors import ExportRunning, UsageError
from whyseg.training.world.dataset import World, samples
from whyseg.training.world.export import PLANTED, write_world


def test_an_import_gives_back_the_very_samples(tmp_path: Path) -> None:
    report = write_world(tmp_path / "world", 20, 4, World(), splits=True)
    assert report.splits == {"train": 16, "validation": 2, "test": 2}
    with Workspace.create(tmp_path / "workspace") as workspace:
        done = import_hf(workspace, tmp_path / "world", author="ann")
        assert (done.added, done.refused) == (20, ())
        for item in samples(20, 4):
            (revision,) = workspace.store.revisions(item.sample.id)
            assert revision.sample.content_hash() == item.sample.content_hash()


def test_datasets_opens_it_with_its_splits(tmp_path: Path) -> None:
    write_world(tmp_path / "world", 10, 4, World(errors=0.5), splits=True)
    opened = load_dataset(str(tmp_path / "world"), cache_dir=str(tmp_path / "cache"))
    assert {name: split.num_rows for name, split in opened.items()} == {"train": 8, "validation": 1, "test": 1}
    first = next(samples(1, 4, World(errors=0.5)))
    assert opened["train"][0]["sample_id"] == first.sample.id
    assert opened["train"][0]["image"].size == (112, 112)


def test_the_truth_of_every_mistake_is_kept_apart(tmp_path: Path) -> None:
    world = World(errors=0.5)
    report = write_world(tmp_path / "world", 30, 6, world)
    truths = {one["sample_id"]: one for one in json.loads((tmp_path / "world" / PLANTED).read_text())}
    planted = {item.sample.id: item for item in samples(30, 6, world) if item.planted}
    assert set(truths) == set(planted)
    assert sum(report.planted.values()) == len(planted) > 5
    for key, item in planted.items():
        truth, sample = truths[key], item.sample
        told = Query(text=truth["query"], is_sentence=truth["is_sentence"])
        masks = [Mask.parse(one["rle"]) for one in truth["instances"]]
        assert masks == [Mask.encode(target.mask) for target in item.asked.targets]
        assert item.planted is not None
        assert truth["kind"] == item.planted.kind
        same_query = sample.query is not None and told.text == sample.query.text
        assert same_query != (truth["kind"] == "ambiguous_query")
        assert (masks == [one.mask for one in sample.instances]) == (truth["kind"] == "ambiguous_query")


def test_a_folder_with_something_in_it_is_refused_and_kept(tmp_path: Path) -> None:
    (tmp_path / "world").mkdir()
    (tmp_path / "world" / "mine").write_text("keep")
    with pytest.raises(UsageError, match="holds something"):
        write_world(tmp_path / "world", 3, 0, World())
    assert [path.name for path in tmp_path.rglob("*")] == ["world", "mine"]


def test_of_two_at_once_one_is_whole_and_the_other_is_told(tmp_path: Path) -> None:
    told: list[str] = []

    def meanwhile(done: int, total: int) -> None:
        if done == 1:
            with pytest.raises(ExportRunning) as caught:
                write_world(tmp_path / "world", 2, 1, World())
            told.append(str(caught.value))

    write_world(tmp_path / "world", 3, 0, World(), progress=meanwhile)
    assert told == [f"another export is writing {tmp_path / 'world'} at this moment; wait until it is done"]
    assert [path.name for path in tmp_path.iterdir()] == ["world"]
    opened = load_dataset(str(tmp_path / "world"), cache_dir=str(tmp_path / "cache"))["train"]
    assert opened.num_rows == 3


def test_a_folder_that_was_filled_meanwhile_is_kept(tmp_path: Path) -> None:
    def meanwhile(done: int, total: int) -> None:
        (tmp_path / "world").mkdir(exist_ok=True)
        (tmp_path / "world" / "mine").write_text("keep")

    with pytest.raises(UsageError, match="has come to hold something meanwhile"):
        write_world(tmp_path / "world", 1, 0, World(), progress=meanwhile)
    assert [path.name for path in tmp_path.rglob("*")] == ["world", "mine"]


def test_what_a_killed_run_has_left_is_removed_and_gets_into_nothing(tmp_path: Path) -> None:
    left = tmp_path / ".world.making" / "data"
    left.mkdir(parents=True)
    (left / "train-00000-of-00009.parquet").write_bytes(b"half")
    write_world(tmp_path / "world", 2, 0, World())
    assert [path.name for path in tmp_path.iterdir()] == ["world"]
    assert [path.name for path in (tmp_path / "world").rglob("*.parquet")] == ["train-00000-of-00001.parquet"]


def test_nothing_is_left_of_a_run_that_breaks_off(tmp_path: Path) -> None:
    def breaks(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_world(tmp_path / "world", 5, 0, World(), progress=breaks)
    assert list(tmp_path.iterdir()) == []


def test_the_same_command_writes_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_world(tmp_path / name, 12, 3, World(errors=0.2))
    files = [
        {str(path.relative_to(tmp_path / name)): path.read_bytes() for path in (tmp_path / name).rglob("*.*")}
        for name in ("one", "two")
    ]
    assert files[0] == files[1]
    assert sorted(files[0]) == ["data/train-00000-of-00001.parquet", PLANTED]


def test_the_command_reports_what_it_wrote(tmp_path: Path) -> None:
    arguments = ["world", "make", str(tmp_path / "world"), "--n", "8", "--seed", "5", "--size", "140", "--json"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert report["samples"] == 8
    assert sum(count for depths in report["cells"].values() for count in depths.values()) == 8
    opened = load_dataset(str(tmp_path / "world"), cache_dir=str(tmp_path / "cache"))["train"]
    assert {image.size for image in opened["image"]} == {(140, 140)}


def test_the_plain_world_is_what_the_command_writes_with_plain(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["world", "make", str(tmp_path / "world"), "--n", "6", "--plain", "--json"])
    assert {depth for depths in json.loads(done.stdout)["cells"].values() for depth in depths} == {"1"}
