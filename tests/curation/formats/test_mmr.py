import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.pictures import encoded, pixels
from whyseg.curation.formats.mmr import import_mmr
from whyseg.curation.queries import SampleFilter
from whyseg.curation.reading import open_data
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Mask, Sample
from whyseg.schemas.errors import UsageError

HEIGHT, WIDTH = 12, 16
RUNS = {"size": [HEIGHT, WIDTH], "counts": [24, 7, 5, 9, 147]}  # 192 pixels in all
SQUARE = [2, 3, 6, 3, 6, 8, 2, 8]  # pixels x 2–5, y 3–7: 4 × 5 = 20


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace.create(tmp_path / "w") as opened:
        yield opened


def record(**more: Any) -> dict[str, Any]:
    cup = {"id": 5, "segmentation": RUNS, "bbox": [0, 0, 1, 1], "category_name": "cup"}
    plain = {"file_name": "val2017/1.png", "height": HEIGHT, "width": WIDTH, "image_id": 1}
    return {**plain, "questions": ["What is hot?", "the tea"], "answers": [[cup], [cup, cup]], **more}


def folder(path: Path, *records: Any, name: str = "MMR_val.json") -> Path:
    (path / "val2017").mkdir(parents=True)
    (path / "val2017" / "1.png").write_bytes(encoded(pixels(HEIGHT, WIDTH)))
    (path / name).write_text(json.dumps(list(records)))
    return path


def samples(workspace: Workspace) -> list[Sample]:
    found = workspace.store.page(SampleFilter(), limit=100).samples
    return sorted((workspace.store.head(row.id).sample for row in found), key=lambda one: one.source_name)


def test_each_question_is_a_sample_with_an_instance_an_annotation(workspace: Workspace, tmp_path: Path) -> None:
    source = folder(tmp_path / "in", record())
    report = import_mmr(workspace, source, author="ann")
    assert (report.added, report.refused) == (2, ())
    one, two = samples(workspace)
    assert one.query
    assert (one.query.text, one.query.is_sentence, one.split) == ("What is hot?", True, "validation")
    assert [(i.mask.area, i.label, i.source_id) for i in one.instances] == [(16, "cup", "5")]
    assert (len(two.instances), two.query and two.query.is_sentence) == (2, False)
    assert (one.source, one.source_name) == ("mmr", "val2017/1.png (question 0)")
    assert import_mmr(workspace, source, author="ann").skipped == 2


def test_muse_has_polygons_an_address_and_one_key_less(workspace: Workspace, tmp_path: Path) -> None:
    muse = {
        "id": 1,
        "coco_url": "http://images.example.org/val2017/1.png",
        "questions": ["What is square?"],
        "answer": [[{"id": 7, "segmentation": [SQUARE]}]],
    }
    report = import_mmr(workspace, folder(tmp_path / "in", muse, name="muse.json"), author="ann")
    assert (report.added, report.refused) == (1, ())
    expected = np.zeros((HEIGHT, WIDTH), bool)
    expected[3:8, 2:6] = True
    (only,) = samples(workspace)
    assert (only.target(), only.split) == (Mask.encode(expected), None)


def test_questions_without_annotations_are_left_out_and_counted(workspace: Workspace, tmp_path: Path) -> None:
    report = import_mmr(workspace, folder(tmp_path / "in", record(answers=[[], record()["answers"][0]])), author="ann")
    assert (report.added, report.ignored) == (1, 1 + 0)
    assert [note.note for note in report.notes] == ["questions without annotations, left out: 1"]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"file_name": "val2017/2.png"}, "no such file beside the JSON"),
        ({"file_name": "../1.png"}, "without '..'"),
        ({"file_name": ""}, "neither file_name nor coco_url"),
        ({"questions": "What?"}, "questions and answers are lists"),
        ({"questions": ["What?"]}, "1 questions have 2 answers"),
        ({"height": 13}, "size 13×16"),
        ({"questions": ["", "?"], "answers": [[{"segmentation": RUNS}], []]}, "the question is a text"),
        ({"questions": ["?"], "answers": [[3]]}, "an answer is a list of annotations"),
        ({"questions": ["?"], "answers": [[{"id": 4}]]}, "annotation 4 has no outline"),
        ({"questions": ["?"], "answers": [[{"segmentation": {"size": [1, 1], "counts": [1]}}]]}, "size 1×1"),
    ],
)
def test_a_broken_picture_or_question_is_refused_and_the_rest_goes_on(
    workspace: Workspace, tmp_path: Path, changed: dict[str, Any], reason: str
) -> None:
    report = import_mmr(workspace, folder(tmp_path / "in", record(), record(**changed), 3), author="ann")
    assert report.added == 2
    assert [one.file for one in report.refused][-1] == "MMR_val.json: picture 2"
    assert len(report.refused) == 2
    assert reason in report.refused[0].reason


def test_a_folder_without_such_a_file_is_wrong_use(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("[]")
    with pytest.raises(UsageError, match="holds no JSON with a list of pictures"):
        import_mmr(workspace, tmp_path / "a.json", author="ann")
    with pytest.raises(UsageError, match="is no folder of pictures"):
        import_mmr(workspace, tmp_path / "a.json", author="ann", images=tmp_path / "none")


def test_it_is_recognised_and_read_without_a_workspace(tmp_path: Path) -> None:
    data = open_data(folder(tmp_path / "in", record()))
    assert data.layout == "mmr"
    assert [item.sample.query and item.sample.query.text for item in data.items()] == ["What is hot?", "the tea"]


def test_the_command_says_what_it_took(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from whyseg.cli import app

    Workspace.create(tmp_path / "w").close()
    words = ["import", "mmr", str(folder(tmp_path / "in", record())), "-w", str(tmp_path / "w"), "--json"]
    out = json.loads(CliRunner().invoke(app, words).stdout)
    assert (out["added"], out["refused"]) == (2, [])
