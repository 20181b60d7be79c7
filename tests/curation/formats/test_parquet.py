import io
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image as PilImage

from tests.curation.formats.released import SIZE, block, files_of, picture, released, row_of, sample_on
from tests.pictures import pixels, turned
from tests.proposed import add_proposal
from whyseg.curation.exporting import Part, export
from whyseg.curation.formats import own
from whyseg.curation.formats.hub_schema import arrow_schema
from whyseg.curation.formats.parquet import COLUMNS, ParquetWriter
from whyseg.curation.images import inspect
from whyseg.curation.proposals import Proposals
from whyseg.curation.releases import Releases
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Mask, Sample
from whyseg.schemas.errors import StoreUnavailable
from whyseg.schemas.revision import Review

ORDER = (
    "sample_id image query alternates is_sentence mask instances ignore_rle no_target reasoning_type depth hops "
    "image_id img_height img_width source license provenance"
)


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with released(tmp_path / "w", 6) as opened:
        yield opened


def written(samples: list[Sample], folder: Path, data: bytes) -> Any:
    """Write samples on one picture as a part, and read them with datasets."""
    from datasets import Dataset

    part = Part("train-00000-of-00001", ())
    count, losses = ParquetWriter().write(part, (row_of(sample, data) for sample in samples), folder)
    assert (count, losses) == (len(samples), [])
    return Dataset(pq.read_table(folder / "data" / f"{part.name}.parquet"))


def grey(picture: Any) -> np.ndarray[Any, Any]:
    """Return the values of a decoded mask, which must be 8-bit grey."""
    assert picture.mode == "L"
    return np.asarray(picture)


MASKS = st.lists(arrays(bool, (7, 9)), max_size=3)  # random pixels: holes, parts, full and empty masks


@settings(derandomize=True, max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(found=st.lists(st.tuples(MASKS, st.none() | arrays(bool, (7, 9)), st.text(max_size=9)), min_size=1, max_size=3))
def test_any_masks_and_texts_come_back_as_they_were(found: list[Any], tmp_path: Path) -> None:
    data = picture(0, (7, 9))
    image = inspect(data, "a.png")
    samples = [
        sample_on(
            image,
            masks,
            record=str(number),
            query={"text": f"why {text}", "is_sentence": False, "alternates": [f"{text} or"]},
            ignore=None if ignore is None else Mask.encode(ignore),
        )
        for number, (masks, ignore, text) in enumerate(found)
    ]
    for sample, (masks, ignore, _), row in zip(samples, found, written(samples, tmp_path, data), strict=True):
        assert np.array_equal(grey(row["mask"]), np.any([np.zeros((7, 9), bool), *masks], axis=0) * np.uint8(255))
        rles = [Mask.parse(instance["rle"]) for instance in row["instances"]]
        assert [mask.decode().tolist() for mask in rles] == [mask.tolist() for mask in masks]
        ignored = row["ignore_rle"] and Mask.parse(row["ignore_rle"])
        assert (ignored.decode().tolist() if ignored else None) == (None if ignore is None else ignore.tolist())
        assert sample.query is not None
        assert (row["query"], row["alternates"]) == (sample.query.text, list(sample.query.alternates))
        record = json.loads(row["provenance"]["record"])
        assert own.unpack(record, image, dict(enumerate(rles, 1)), ignored) == (sample, [])


def test_load_dataset_gives_the_columns_with_pictures_decoded(workspace: Workspace, tmp_path: Path) -> None:
    from datasets import load_dataset

    report = export(workspace, "v1", tmp_path / "out", ParquetWriter())
    assert (report.written, report.losses, report.limits) == (6, (), ())
    for arguments in ({"path": "parquet", "data_dir": str(tmp_path / "out")}, {"path": str(tmp_path / "out")}):
        loaded = load_dataset(**arguments, cache_dir=str(tmp_path / "cache"))
        rows = {row["sample_id"]: row for split in loaded.values() for row in split}
        items = Releases(workspace).items("v1")
        assert {split: len(found) for split, found in loaded.items()} == {
            split: sum(item.split == split for item in items) for split in {item.split for item in items}
        }
        assert all(" ".join(split.column_names) == ORDER for split in loaded.values())
        for item in items:
            row, original = rows[item.sample_id], workspace.blobs.read(item.image_id)
            expected = np.asarray(PilImage.open(io.BytesIO(original)).convert("RGB"))
            assert np.array_equal(np.asarray(row["image"]), expected)
            assert row["image_id"] == item.image_id
            # the blocks (1, 1)–(5, 6) and (7, 2)–(9, 8), given as top, left, bottom, right; 4×5 pixels have their
            # deepest pixels in the middle of rows 2 and 3, 2×6 everywhere, and of equals the first in reading order is
            # taken: of row 2's x = 3 and row 3's the upper, of x = 4 and 5 in the middle of 2–7 the left
            assert [instance["bbox_2d"] for instance in row["instances"]] == [[1, 1, 6, 5], [2, 7, 8, 9]]
            assert [instance["point_2d"] for instance in row["instances"]] == [[3, 2], [4, 7]]
            assert [instance["label"] for instance in row["instances"]] == ["thing 1", "thing 2"]
            kept = {key: row[key] for key in ("reasoning_type", "depth", "hops", "is_sentence", "no_target", "license")}
            assert kept == {
                "reasoning_type": "compositional", "depth": 2, "hops": ["one", "two"], "is_sentence": True,
                "no_target": False, "license": "CC0-1.0",
            }  # fmt: skip
            assert (row["img_height"], row["img_width"], row["source"]) == (*SIZE, "test")
            origin = {key: row["provenance"][key] for key in ("mask_origins", "mask_models", "query_origin")}
            assert origin == {"mask_origins": ["click"] * 2, "mask_models": ["sam"] * 2, "query_origin": "human"}


def test_what_a_draft_lacks_is_null_and_an_empty_mask_is_black(tmp_path: Path) -> None:
    data = picture(0)
    nothing = sample_on(inspect(data, "a.png"), no_target=True)
    row = written([nothing], tmp_path, data)[0]
    assert not grey(row["mask"]).any()
    assert (row["instances"], row["alternates"], row["hops"], row["no_target"]) == ([], [], [], True)
    assert [row[key] for key in ("query", "ignore_rle", "reasoning_type", "depth", "license")] == [None] * 5
    assert (row["provenance"]["agreement"], row["provenance"]["query_origin"]) == (None, None)


def test_shards_are_cut_by_bytes_and_have_one_schema(workspace: Workspace, tmp_path: Path) -> None:
    export(workspace, "v1", tmp_path / "out", ParquetWriter(shard_bytes=1, group_bytes=1))
    items = Releases(workspace).items("v1")
    count = {split: sum(item.split == split for item in items) for split in ("train", "validation", "test")}
    expected = [f"{split}-{k:05d}-of-{n:05d}.parquet" for split, n in sorted(count.items()) for k in range(n)]
    shards = sorted((tmp_path / "out" / "data").iterdir())
    assert [path.name for path in shards] == expected
    for path in shards:
        schema = pq.read_schema(path)
        assert schema.equals(arrow_schema(COLUMNS), check_metadata=False)
        assert schema.metadata[b"huggingface"] == arrow_schema(COLUMNS).metadata[b"huggingface"]


def test_row_groups_are_written_as_they_fill(workspace: Workspace, tmp_path: Path) -> None:
    items = Releases(workspace).items("v1")
    writer = ParquetWriter(group_bytes=1)
    export(workspace, "v1", tmp_path / "out", writer)
    groups = sum(pq.ParquetFile(path).num_row_groups for path in (tmp_path / "out" / "data").iterdir())
    assert groups == len(items)


def test_a_full_disk_is_an_error_and_no_end_of_the_process(tmp_path: Path) -> None:
    # A picture of 1.5 MB is more than a page holds: Arrow then writes while it cuts, and ends the process on an error.
    with released(tmp_path / "w", 1, size=(700, 700)) as workspace:

        class Full(ParquetWriter):
            def write(self, part: Part, rows: Iterator[Any], folder: Path) -> tuple[int, list[Any]]:
                (folder / "data").mkdir()
                (folder / "data" / f"{part.name}.parquet").symlink_to("/dev/full")
                return super().write(part, rows, folder)

        with pytest.raises(StoreUnavailable, match="No space left"):
            export(workspace, "v1", tmp_path / "out", Full())
    assert not (tmp_path / "out").exists()


def test_the_columns_are_spelled_as_every_version_of_datasets_reads_them() -> None:
    metadata = arrow_schema(COLUMNS).metadata[b"huggingface"].decode()
    assert '"List"' not in metadata
    assert '"alternates": [{"dtype": "string", "_type": "Value"}]' in metadata


def test_datasets_itself_has_the_same_columns_and_schema() -> None:
    from datasets import Features, Image, List, Value

    rle = {"size": List(Value("int32")), "counts": Value("string")}
    found = Features.from_arrow_schema(arrow_schema(COLUMNS))
    assert found.arrow_schema.equals(arrow_schema(COLUMNS), check_metadata=False)
    assert (found["image"], found["mask"], found["hops"]) == (Image(), Image(), List(Value("string")))
    assert (found["ignore_rle"], found["instances"].feature["rle"]) == (rle, rle)


def test_two_exports_have_the_same_bytes(workspace: Workspace, tmp_path: Path) -> None:
    for name in ("a", "b"):
        export(workspace, "v1", tmp_path / name, ParquetWriter())
    assert files_of(tmp_path / "a") == files_of(tmp_path / "b")


def test_a_reviewer_is_known_within_a_release_only_and_never_by_name(workspace: Workspace, tmp_path: Path) -> None:
    from datasets import load_dataset

    store, items = workspace.store, Releases(workspace).items("v1")
    for item in items[:2]:
        head = store.submit(item.sample_id, parent=item.revision_id, author="ann")
        review = {"sample_id": item.sample_id, "revision_id": head.revision.id, "reviewer": "Konstanze"}
        created = head.revision.created_at.isoformat()
        store.review(Review.parse({**review, "id": item.sample_id, "decision": "accept", "created_at": created}))
    Releases(workspace).create("v2", author="ann", states="accepted")
    seen = {}
    for name in ("v1", "v2"):
        export(workspace, name, tmp_path / name, ParquetWriter())
        loaded = load_dataset("parquet", data_dir=str(tmp_path / name), cache_dir=str(tmp_path / "cache"))
        found = {row["sample_id"]: row["provenance"]["reviewers"] for split in loaded.values() for row in split}
        (seen[name],) = {reviewer for item in items[:2] for reviewer in found[item.sample_id]}
        assert all(b"Konstanze" not in data for data in files_of(tmp_path / name).values())
    assert seen["v1"] != seen["v2"]


def test_the_reasons_of_accepted_proposals_go_with_the_sample_that_they_changed(
    workspace: Workspace, tmp_path: Path
) -> None:
    changed, other = Releases(workspace).items("v1")[:2]
    proposal = add_proposal(workspace.store, changed.sample_id, query="which one?", reason="query_rewrite")
    Proposals(workspace.store).accept(proposal.id, author="ann")
    Releases(workspace).create("v2", author="ann", states="any")
    for name, expected in (("v1", []), ("v2", ["query_rewrite"])):  # v1 was frozen before
        export(workspace, name, tmp_path / name, ParquetWriter())
        rows = [row for file in (tmp_path / name / "data").iterdir() for row in pq.read_table(file).to_pylist()]
        found = {row["sample_id"]: row["provenance"]["revision_reasons"] for row in rows}
        assert (found[changed.sample_id], found[other.sample_id]) == (expected, [])


def test_a_picture_that_readers_differ_on_is_written_upright_and_named(tmp_path: Path) -> None:
    upright = pixels(12, 10)
    data = turned(upright, 6, "JPEG", quality=95)
    image = inspect(data, "a.jpg")
    row = row_of(sample_on(image, [block(1, 1, 3, 3)]), data)
    count, losses = ParquetWriter().write(Part("train-00000-of-00001", ()), iter([row]), tmp_path)
    assert count == 1
    assert [(loss.sample_id, loss.iou, "PNG" in loss.what) for loss in losses] == [(row.sample.id, None, True)]
    table = pq.read_table(tmp_path / "data" / "train-00000-of-00001.parquet")
    stored = table["image"][0].as_py()
    assert stored["path"] == f"{image.id}.png"
    assert PilImage.open(io.BytesIO(stored["bytes"])).size == (10, 12)


SCRIPT = """
import sys, time
from pathlib import Path
from whyseg.curation.exporting import export
from whyseg.curation.formats.parquet import ParquetWriter
from whyseg.curation.workspace import Workspace

class Slow(ParquetWriter):
    def write(self, part, rows, folder):
        def slowly():
            for row in rows:
                time.sleep(0.1)
                yield row
        return super().write(part, slowly(), folder)

with Workspace.open(Path(sys.argv[1])) as workspace:
    export(workspace, "v1", Path(sys.argv[2]), Slow(shard_bytes=30_000, group_bytes=1), progress=print)
"""


@pytest.mark.slow
def test_a_killed_export_goes_on_and_ends_in_the_same_bytes(tmp_path: Path) -> None:
    with released(tmp_path / "w", 40) as workspace:
        export(workspace, "v1", tmp_path / "whole", ParquetWriter(shard_bytes=30_000, group_bytes=1))
    command = [sys.executable, "-u", "-c", SCRIPT, str(tmp_path / "w"), str(tmp_path / "out")]
    for kill_after in (1, 3):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout
        for _ in range(kill_after):
            assert process.stdout.readline(), "it ended before it was killed"
        time.sleep(0.15)  # into the next part
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        assert not (tmp_path / "out").exists()
    assert subprocess.run(command, check=True, stdout=subprocess.DEVNULL).returncode == 0
    assert files_of(tmp_path / "out") == files_of(tmp_path / "whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "w", "whole"]
