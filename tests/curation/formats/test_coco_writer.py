import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from pycocotools.coco import COCO

from tests.builders import block, instance
from tests.curation.formats.drawn import filled, sets
from tests.pictures import encoded, pixels, turned
from whyseg.curation import exporting
from whyseg.curation.exporting import ExportReport, export
from whyseg.curation.formats import coco_writer
from whyseg.curation.formats.coco import import_coco
from whyseg.curation.formats.coco_writer import CocoWriter
from whyseg.curation.images import inspect
from whyseg.curation.releases import Releases
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Query, Sample

Drawn = list[tuple[bytes, list[Sample]]]


def written(workspace: Workspace, out: Path) -> ExportReport:
    if not Releases(workspace).all():
        Releases(workspace).create("r", author="ann", states="any")
    return export(workspace, "r", out, CocoWriter())


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def three_samples(data: bytes, *, picture: int = 0) -> list[Sample]:
    """Two samples with objects, one of them with an ignore region, and one without a target, on a 6×8 picture."""
    key = inspect(data, "a.png").id
    cup, lid = instance(1, block(1, 1, 2, 3), "cup"), instance(4, block(4, 4, 2, 2), "")
    fields: dict[str, Any] = {"source": "images", "query": Query(text=f"what keeps drink {picture} warm?")}
    return [
        Sample.start(key, (6, 8), source_record="0", instances=(cup, lid), ignore=block(0, 0, 1, 2), **fields),
        Sample.start(key, (6, 8), source_record="1", instances=(cup,), **fields),
        Sample.start(key, (6, 8), source_record="2", no_target=True, **fields),
    ]


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """Two pictures with three samples each."""
    pictures = [encoded(pixels(seed=number)) for number in range(2)]
    with filled(tmp_path / "w", [(data, three_samples(data, picture=n)) for n, data in enumerate(pictures)]) as opened:
        yield opened


@given(sets())
@settings(derandomize=True, deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_goes_out_comes_back_as_the_same_release_elsewhere(
    tmp_path_factory: pytest.TempPathFactory, pictures: Drawn
) -> None:
    path = tmp_path_factory.mktemp("coco")
    with filled(path / "a", pictures) as here, Workspace.create(path / "b") as there:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(coco_writer, "_PER_PART", 1)  # ids go on from one part to the next
            report = written(here, path / "out")
        assert report.losses == ()
        back = import_coco(there, path / "out", author="ben")
        assert (back.refused, back.notes, back.added) == ((), (), sum(len(some) for _, some in pictures))
        assert Releases(there).create("r", author="ben", states="any").hash == report.hash
        for data, _ in pictures:
            key = inspect(data, "a.png").id
            record = there.store.image(key)  # but for the split, which it brings along
            assert record.model_copy(update={"split": None}) == here.store.image(key)
    coco = COCO(path / "out" / "annotations.json")
    by_id = {sample.id: sample for _, some in pictures for sample in some}
    assert len(coco.anns) == sum(len(s.instances) + (s.ignore is not None) for s in by_id.values())
    for annotation in coco.anns.values():
        sample = by_id[annotation["sample_id"]]
        own = {one.id: one.mask for one in sample.instances} | {None: sample.ignore}
        mask = own[annotation["instance_id"]]
        assert mask is not None
        assert np.array_equal(coco.annToMask(annotation), mask.decode())
        assert annotation["area"] == mask.area
    shutil.rmtree(path)


def test_the_file_is_what_readers_of_coco_expect(workspace: Workspace, tmp_path: Path) -> None:
    written(workspace, tmp_path / "out")
    data = json.loads((tmp_path / "out" / "annotations.json").read_text())
    assert sorted(tree(tmp_path / "out"))[:2] == ["annotations.json", "export-report.jsonl"]
    assert [path.suffix for path in (tmp_path / "out").rglob("*.json")] == [".json"]
    first, second = data["images"]  # one entry a picture, however many samples it has
    assert (first["id"], second["id"]) == (1, 2)
    assert (tmp_path / "out" / "images" / first["file_name"]).exists()
    assert (first["height"], first["width"]) == (6, 8)
    split = {item.image_id: item.split for item in Releases(workspace).items("r")}
    assert all(entry["split"] == split[Path(entry["file_name"]).stem] for entry in data["images"])
    # Labels in alphabetical order; the one that is empty has a name that readers can show.
    assert data["categories"] == [
        {"id": 1, "name": "object", "supercategory": "", "label": ""},
        {"id": 2, "name": "cup", "supercategory": ""},
    ]
    # Of each picture three objects and an ignore region; the no-target sample has nothing to write.
    assert [annotation["id"] for annotation in data["annotations"]] == list(range(1, 9))
    assert sum(annotation["iscrowd"] for annotation in data["annotations"]) == 2
    cups = [a for a in data["annotations"] if a["category_id"] == 2 and a["instance_id"] == 1]
    assert all((cup["bbox"], cup["area"]) == ([1, 1, 3, 2], 6) for cup in cups)  # block(1, 1, 2, 3): 2 rows, 3 columns
    assert len(data["whyseg"]["samples"]) == 6


def test_memory_of_the_parts_is_gone_and_a_second_export_writes_nothing(workspace: Workspace, tmp_path: Path) -> None:
    report = written(workspace, tmp_path / "out")
    before = tree(tmp_path / "out")
    assert [name for name in before if name.startswith(".")] == []
    assert written(workspace, tmp_path / "out") == report
    assert tree(tmp_path / "out") == before


@pytest.mark.parametrize("fatal", ["write", "join", "rename", "clean"])
def test_a_killed_export_ends_in_the_same_bytes_when_it_is_repeated(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fatal: str
) -> None:
    monkeypatch.setattr(coco_writer, "_PER_PART", 1)
    written(workspace, tmp_path / "whole")
    calls = list[object]()
    give = exporting._Receipts.give

    def killed(*arguments: object, **options: object) -> None:
        calls.append(arguments)
        raise KeyboardInterrupt

    def given_once(*arguments: Any) -> None:
        calls.append(arguments)
        give(*arguments)

    with monkeypatch.context() as patch:
        match fatal:
            case "write":  # in the second part, after its picture was written
                real = coco_writer._annotations
                patch.setattr(coco_writer, "_annotations", lambda sample, n: real(sample, n) if not calls else killed())
                patch.setattr(exporting._Receipts, "give", given_once)
            case "join":  # with half of the file on disk
                patch.setattr(coco_writer, "_category", killed)
            case "rename":
                patch.setattr(Path, "rename", killed)
            case "clean":  # with some of the pieces gone
                patch.setattr(shutil, "rmtree", lambda folder, **_: killed((folder / "000000").unlink()))
        with pytest.raises(KeyboardInterrupt):
            written(workspace, tmp_path / "out")
        assert calls
    assert not (tmp_path / "out").exists()
    written(workspace, tmp_path / "out")
    assert tree(tmp_path / "out") == tree(tmp_path / "whole")


def test_a_picture_that_readers_disagree_on_is_written_upright_and_the_report_says_so(tmp_path: Path) -> None:
    data = turned(pixels(), 6, "PNG")
    with filled(tmp_path / "w", [(data, three_samples(data))]) as workspace:
        report = written(workspace, tmp_path / "out")
        assert [loss.iou for loss in report.losses] == [None] * 3
        assert {loss.what for loss in report.losses} == {exporting.REWRITTEN}
        with Workspace.create(tmp_path / "b") as there:
            back = import_coco(there, tmp_path / "out", author="ben")
            assert back.added == 3
            assert "the picture is another file than it was" in back.notes[0].note


def test_what_another_tool_changed_counts(workspace: Workspace, tmp_path: Path) -> None:
    written(workspace, tmp_path / "out")
    path = tmp_path / "out" / "annotations.json"
    data = json.loads(path.read_text())
    sample = data["annotations"][0]["sample_id"]
    theirs = [a for a in data["annotations"] if a["sample_id"] == sample]
    cup = next(a for a in theirs if a["instance_id"] == 1)
    cup["segmentation"] = [[0, 0, 4, 0, 4, 4, 0, 4]]  # pixels 0–3 by 0–3
    cup["category_id"] = 1
    added = {**cup, "id": 99, "instance_id": None, "category_id": 2}
    strange = {**cup, "id": 100, "sample_id": "of somebody else"}
    path.write_text(json.dumps({**data, "annotations": [*data["annotations"], added, strange]}))
    with Workspace.create(tmp_path / "b") as there:
        back = import_coco(there, tmp_path / "out", author="ben")
        assert back.added == 7  # the six, and one of the annotation that belongs to none
        restored = there.store.head(sample).sample
        square = block(0, 0, 4, 4)
        found = {one.id: (one.mask == square, one.label, one.origin.kind) for one in restored.instances}
        former = sorted({a["instance_id"] for a in theirs if a["instance_id"] not in (None, 1)})
        assert found[1] == (True, "", "import")
        assert found[max([1, *former]) + 1] == (True, "cup", "import")
        notes = " ".join(note.note for note in back.notes)
        assert "instance 1 has other pixels than it had" in notes
        assert "instance 1 is now called '', not 'cup'" in notes
