import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as PilImage

from tests.curation.formats.released import CLICK, SIZE, block, files_of, picture, released, row_of, sample_on
from tests.pictures import encoded
from whyseg.curation.exporting import Loss, Part, Row, export
from whyseg.curation.formats.grpo import GrpoWriter, framed, unframed
from whyseg.curation.images import inspect
from whyseg.curation.releases import Releases
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Instance, Mask, Release
from whyseg.schemas.release import SPLITS

SIDE = 840


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with released(tmp_path / "w", 4) as opened:
        yield opened


def release_of(samples: int) -> Release:
    splits = {split: samples if split == "train" else 0 for split in SPLITS}
    plain = {"name": "v1", "hash": "sha256:0", "created_at": "2026-01-01T00:00:00Z", "author": "ann", "states": "any"}
    return Release.parse({**plain, "samples": samples, "images": 1, "splits": splits})


def written(rows: list[Row], folder: Path, writer: GrpoWriter) -> tuple[Any, list[Loss]]:
    """Write rows as the one part of a release, and open them as the papers' loaders do."""
    import datasets

    part = Part("train-00000-of-00001", ())
    folder.mkdir(exist_ok=True)
    count, losses = writer.write(part, iter(rows), folder)
    writer.finish(release_of(len(rows)), [part], folder)
    loaded = datasets.load_from_disk(str(folder))["train"]
    assert count == len(loaded)
    return loaded, losses


def test_the_papers_loaders_open_it(workspace: Workspace, tmp_path: Path) -> None:
    import datasets

    report = export(workspace, "v1", tmp_path / "out", GrpoWriter())
    assert (report.written, report.losses) == (4, ())
    items = Releases(workspace).items("v1")
    whole = datasets.load_from_disk(str(tmp_path / "out"))
    assert {split: len(rows) for split, rows in whole.items()} == {
        split: sum(item.split == split for item in items) for split in {"train", *(item.split for item in items)}
    }
    loaded = datasets.load_from_disk(str(tmp_path / "out"))["train"]
    assert loaded.column_names == "id problem solution image img_height img_width solution_rle".split()
    row = loaded[0]
    assert (row["img_height"], row["img_width"], row["image"].size) == (*SIZE, (SIDE, SIDE))
    assert row["problem"].startswith("what is it, ")
    # A pixel of the 12×10 picture is 70 rows high and 84 columns wide in the frame. The blocks, as x from, y from,
    # x to, y to: (1, 1)–(6, 5) and (2, 7)–(8, 9).
    answers = json.loads(row["solution"])
    assert [answer["bbox_2d"] for answer in answers] == [[84, 70, 504, 350], [168, 490, 672, 630]]
    # 420×280: row 209 and 210 between x = 84 + 139 and 504 - 140 are deepest, the middle of them is 293 or 294
    assert [answer["point_2d"] for answer in answers] == [[293, 209], [419, 559]]
    masks = [Mask.parse(rle).decode() for rle in row["solution_rle"]]
    expected = np.zeros((2, SIDE, SIDE), bool)
    expected[0, 70:350, 84:504] = expected[1, 490:630, 168:672] = True
    assert np.array_equal(masks, expected)


def test_bool_masks_are_the_run_lengths_unrolled(tmp_path: Path) -> None:
    data = picture(0)
    image = inspect(data, "a.png")
    two = sample_on(image, [block(0, 0, 3, 4), block(5, 5, 6, 6)], record="2", query={"text": "which?"})
    none = sample_on(image, record="0", query={"text": "which?"}, no_target=True)
    one = sample_on(image, [block(2, 0, 12, 10)], record="1", query={"text": "which?"})
    loaded, losses = written([row_of(s, data) for s in (two, none, one)], tmp_path, GrpoWriter(bool_masks=True))
    assert losses == []
    for row, count in zip(loaded, (2, 0, 1), strict=True):
        masks = [Mask.parse(rle).decode() for rle in row["solution_rle"]]
        unrolled = np.array(row["solution_mask"], bool).reshape(-1, SIDE, SIDE)
        assert len(masks) == count
        assert np.array_equal(unrolled, np.array(masks, bool).reshape(-1, SIDE, SIDE))


def test_no_target_is_the_empty_list_and_what_has_no_answer_is_left_out_and_named(tmp_path: Path) -> None:
    data = picture(0)
    image = inspect(data, "a.png")
    empty = Instance(id=2, mask=Mask.empty(SIZE), origin=CLICK)
    nothing = sample_on(image, record="1", query={"text": "which?"}, no_target=True)
    mute = sample_on(image, [block(0, 0, 2, 2)], record="2")
    bare = sample_on(image, record="3", query={"text": "which?"})
    hollow = bare.model_copy(update={"instances": (empty,)})
    half = sample_on(image, [block(0, 0, 2, 2)], record="4", query={"text": "which?"})
    half = half.model_copy(update={"instances": (*half.instances, empty)})
    rows = [row_of(sample, data) for sample in (nothing, mute, bare, hollow, half)]
    loaded, losses = written(rows, tmp_path, GrpoWriter())
    assert list(loaded["id"]) == [nothing.id, half.id]
    assert (loaded[0]["solution"], loaded[0]["solution_rle"]) == ("[]", [])
    assert len(json.loads(loaded[1]["solution"])) == 1
    assert [(loss.sample_id, loss.what, loss.iou) for loss in losses] == [
        (mute.id, "left out: it has no question", 0),
        (bare.id, "left out: no mask answers its question", 0),
        (hollow.id, "left out: no mask answers its question", 0),
        (half.id, "instance 2 has no pixels and is left out", None),
    ]


def test_a_release_without_training_rows_still_has_train(tmp_path: Path) -> None:
    parts = GrpoWriter().plan([])
    assert [part.name for part in parts] == ["train-00000-of-00001"]
    loaded, _ = written([], tmp_path, GrpoWriter())
    assert len(loaded) == 0
    assert "solution" in loaded.column_names


def test_the_folder_holds_what_save_to_disk_writes(tmp_path: Path) -> None:
    import datasets

    data = picture(0)
    asked = sample_on(inspect(data, "a.png"), [block(0, 0, 3, 4)], query={"text": "which?"})
    loaded, _ = written([row_of(asked, data)], tmp_path / "ours", GrpoWriter())
    datasets.DatasetDict(train=loaded).save_to_disk(str(tmp_path / "theirs"))
    ours, theirs = files_of(tmp_path / "ours"), files_of(tmp_path / "theirs")
    assert sorted(ours) == sorted(theirs)
    assert json.loads(ours["dataset_dict.json"]) == json.loads(theirs["dataset_dict.json"])
    for name in ("state", "dataset_info"):
        pair = [json.loads(files[f"train/{name}.json"]) for files in (ours, theirs)]
        assert pair[0].keys() == pair[1].keys()
    assert datasets.load_from_disk(str(tmp_path / "theirs"))["train"].features == loaded.features


def test_shards_follow_each_other_and_bytes_are_the_same_every_time(workspace: Workspace, tmp_path: Path) -> None:
    import datasets

    for name in ("a", "b"):
        export(workspace, "v1", tmp_path / name, GrpoWriter(per_part=1))
    assert files_of(tmp_path / "a") == files_of(tmp_path / "b")
    loaded = datasets.load_from_disk(str(tmp_path / "a"))["train"]
    items = Releases(workspace).items("v1")
    assert list(loaded["id"]) == [item.sample_id for item in items if item.split == "train"]


def test_the_picture_is_resized_upright(tmp_path: Path) -> None:
    left_red = np.zeros((20, 30, 3), np.uint8)
    left_red[:, :15, 0] = 255
    file = io.BytesIO()
    exif = PilImage.Exif()
    exif[274] = 3  # stored upside down: red is on the right when it is shown
    PilImage.fromarray(left_red).save(file, "PNG", exif=exif)
    data = file.getvalue()
    asked = sample_on(inspect(data, "a.png"), [block(0, 0, 3, 4, (20, 30))], query={"text": "which?"})
    loaded, _ = written([row_of(asked, data)], tmp_path, GrpoWriter())
    shown = np.asarray(loaded[0]["image"])
    assert shown[420, 100].tolist() == [0, 0, 0]
    assert shown[420, 740].tolist() == [255, 0, 0]


def test_a_large_picture_says_what_iou_its_mask_keeps(tmp_path: Path) -> None:
    size = (1680, 1680)
    data = encoded(np.zeros((*size, 3), np.uint8))
    fine = np.zeros(size, bool)
    # A row of the frame is two of the picture: rows 2–4 are 4–9, and row 5 has one of two, half, so it belongs. Scaled
    # back these are rows 4–11, and the ten columns are as they were: IoU = 7·10 / (8·10)
    fine[4:11, 20:30] = True
    asked = sample_on(inspect(data, "a.png"), [fine], query={"text": "which?"})
    loaded, losses = written([row_of(asked, data)], tmp_path, GrpoWriter())
    assert json.loads(loaded[0]["solution"])[0]["bbox_2d"] == [10, 2, 15, 6]
    assert [(loss.sample_id, loss.iou) for loss in losses] == [(asked.id, 0.875)]


def test_an_object_smaller_than_half_a_pixel_of_the_frame_does_not_vanish() -> None:
    fine = np.zeros((4200, 4200), bool)
    fine[2000, 1000:1002] = True
    small = framed(fine)
    # 5 pixels of the picture are one of the frame: x = 1000 / 5, y = 2000 / 5
    assert np.argwhere(small).tolist() == [[400, 200]]


@settings(derandomize=True, max_examples=20, deadline=None)
@given(st.integers(1, SIDE), st.integers(1, SIDE), st.randoms(use_true_random=False))
def test_a_picture_that_fits_into_the_frame_keeps_every_pixel(height: int, width: int, random: Any) -> None:
    mask = np.random.default_rng(random.getrandbits(32)).random((height, width)) < 0.4
    mask[random.randrange(height), random.randrange(width)] = True
    assert np.array_equal(unframed(framed(mask), (height, width)), mask)


def test_samples_without_a_picture_of_their_own_share_its_resized_copy(tmp_path: Path) -> None:
    with released(tmp_path / "w", 4, per_image=2) as workspace:
        report = export(workspace, "v1", tmp_path / "out", GrpoWriter())
    assert report.written == 4
