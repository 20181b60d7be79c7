import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Dataset, DatasetDict
from hypothesis import HealthCheck, given, settings
from PIL import Image as PilImage

from tests.curation.formats.drawn import filled, sets
from tests.pictures import encoded, pixels
from whyseg.curation import verify
from whyseg.curation.exporting import export
from whyseg.curation.formats import hub_tables
from whyseg.curation.formats.grpo import GrpoWriter
from whyseg.curation.formats.hub_layouts import import_hf
from whyseg.curation.formats.parquet import ParquetWriter
from whyseg.curation.images import inspect
from whyseg.curation.intake import ImportReport
from whyseg.curation.queries import SampleFilter
from whyseg.curation.releases import Releases
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Mask, Prompt, Sample
from whyseg.schemas.errors import UsageError

HEIGHT, WIDTH = 6, 8
PICTURE = encoded(pixels(HEIGHT, WIDTH))
Columns = dict[str, Any]


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace.create(tmp_path / "w") as opened:
        yield opened


def bits(*rows: str) -> list[list[bool]]:
    """Return a mask drawn with '#'; missing rows and columns are outside."""
    found = np.zeros((HEIGHT, WIDTH), bool)
    for y, row in enumerate(rows):
        for x, mark in enumerate(row):
            found[y, x] = mark == "#"
    return [[bool(value) for value in line] for line in found]


BAR, DOT = bits("", " ###"), bits("", "", "", "       #")


def image(seed: int = 0) -> dict[str, Any]:
    return {"bytes": encoded(pixels(HEIGHT, WIDTH, seed=seed)), "path": f"photo {seed}.png"}


def question(**more: Any) -> Columns:
    """A row of an evaluation set."""
    row = {"image": image(), "text": "what holds the tea?", "mask": BAR, "image_id": "12_tea", "ann_id": 7}
    return {**row, "img_height": HEIGHT, "img_width": WIDTH, **more}


def problem(**more: Any) -> Columns:
    """A row of a training set without masks; the original was twice as large."""
    solution = [{"bbox_2d": [1, 1, 4, 2], "point_2d": [2, 1]}, {"bbox_2d": [7, 3, 8, 4], "point_2d": [7, 3]}]
    row = {"id": "r1", "problem": "the cup", "solution": json.dumps(solution), "image": image()}
    return {**row, "img_height": 12, "img_width": 16, **more}


def parquet(path: Path, rows: list[Columns], **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), path, **options)
    return path


def samples(workspace: Workspace) -> list[Sample]:
    found = workspace.store.page(SampleFilter(), limit=1000).samples
    return [workspace.store.head(row.id).sample for row in found]


def findings(workspace: Workspace) -> dict[str, str]:
    return {finding.kind: finding.message for finding in workspace.store.findings()}


def reasons(report: ImportReport) -> dict[str, str]:
    return {refusal.file: refusal.reason for refusal in report.refused}


def mask_of(rows: list[list[bool]]) -> Mask:
    return Mask.encode(np.array(rows))


@given(sets())
@settings(derandomize=True, deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_hf_writes_comes_back_as_the_same_release_elsewhere(
    tmp_path_factory: pytest.TempPathFactory, pictures: list[tuple[bytes, list[Sample]]]
) -> None:
    path = tmp_path_factory.mktemp("hf")
    with filled(path / "a", pictures) as here, Workspace.create(path / "b") as there:
        release = Releases(here).create("r", author="ann", states="any")
        export(here, "r", path / "out", ParquetWriter())
        back = import_hf(there, path / "out", author="ben")
        assert (back.refused, back.notes, back.added) == ((), (), sum(len(some) for _, some in pictures))
        assert Releases(there).create("r", author="ben", states="any").hash == release.hash
        for data, _ in pictures:
            key = inspect(data, "a.png").id
            record = there.store.image(key)  # but for the split, which it brings along
            assert record.model_copy(update={"split": None}) == here.store.image(key)
        assert import_hf(there, path / "out", author="ben").added == 0
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace in ``a`` and, in ``out``, its export: two samples with two instances and an ignore region each."""
    path = tmp_path_factory.mktemp("made")
    size, fields = (HEIGHT, WIDTH), {"origin": {"kind": "click", "model": "m"}}
    instances = [
        {"id": 2, "mask": mask_of(BAR), "label": "cup", **fields},
        {"id": 5, "mask": mask_of(DOT), "label": "lid", **fields},
    ]
    more = {"query": {"text": "what holds the tea?"}, "ignore": mask_of(bits("#")), "instances": instances}
    key = inspect(PICTURE, "a.png").id
    one, two = (Sample.start(key, size, source="images", source_record=str(n), **more) for n in range(2))
    with filled(path / "a", [(PICTURE, [one, two])]) as here:
        Releases(here).create("r", author="ann", states="any")
        export(here, "r", path / "out", ParquetWriter())
    return path


@pytest.fixture
def exported(made: Path) -> pa.Table:
    return pq.read_table(next((made / "out").rglob("*.parquet")))


def changed(table: pa.Table, path: Path, **columns: Any) -> Path:
    """Write the table's first row with other values in some columns."""
    row = table.slice(0, 1).to_pylist()[0]
    for name, value in columns.items():
        row[name] = value(row[name]) if callable(value) else value
    pq.write_table(pa.Table.from_pylist([row], schema=table.schema), path)
    return path


def test_columns_that_somebody_changed_count(workspace: Workspace, exported: pa.Table, tmp_path: Path) -> None:
    import_hf(workspace, changed(exported, tmp_path / "a.parquet"), author="ann")
    [before] = samples(workspace)
    assert workspace.store.findings() == []
    relabel = lambda cells: [{**cells[0], "label": "mug"}, cells[1]]  # noqa: E731
    edited = changed(
        exported,
        tmp_path / "b.parquet",
        query="what holds the coffee?",
        hops=["tea needs a cup"],
        depth=1,
        reasoning_type="commonsense",
        instances=relabel,
    )
    with Workspace.create(tmp_path / "b") as there:
        report = import_hf(there, edited, author="ann")
        [now] = samples(there)
    assert now.id == before.id
    assert now.query
    assert (now.query.text, now.query.origin.kind) == ("what holds the coffee?", "import")
    assert (now.hops, now.depth, now.reasoning_type) == (("tea needs a cup",), 1, "commonsense")
    assert [one.label for one in now.instances] == ["mug", "lid"]
    assert [(one.id, one.mask, one.origin) for one in now.instances] == [
        (one.id, one.mask, one.origin) for one in before.instances
    ]
    assert sorted(note.note for note in report.notes) == [
        "its depth is not what its record says",
        "its hops is not what its record says",
        "its labels are not what its record says",
        "its query is not what its record says",
        "its reasoning_type is not what its record says",
    ]


def test_an_instance_that_is_gone_or_new_leaves_the_others_as_they_are(
    workspace: Workspace, exported: pa.Table, tmp_path: Path
) -> None:
    new = {"rle": {"size": [HEIGHT, WIDTH], "counts": mask_of(bits("##")).counts}, "label": "new"}
    path = changed(exported, tmp_path / "a.parquet", instances=lambda cells: [new, {**cells[1], "label": None}, new])
    import_hf(workspace, path, author="ann")
    [sample] = samples(workspace)
    # Instance 2 lost its pixels and instance 5 kept its own; the new ones follow.
    assert next((one.id, one.origin.kind, one.label) for one in sample.instances) == (5, "click", "lid")
    assert {one.id for one in sample.instances} == {5, 6, 7}


@pytest.mark.parametrize("keep_key", [True, False])
def test_a_row_without_its_record_comes_from_its_columns(
    workspace: Workspace, exported: pa.Table, tmp_path: Path, keep_key: bool
) -> None:
    path = changed(exported, tmp_path / "a.parquet", provenance=lambda cell: {**cell, "record": None})
    if not keep_key:
        pq.write_table(pq.read_table(path).drop_columns(["provenance"]), path)
    report = import_hf(workspace, path, author="ann")
    assert (report.added, report.refused, report.notes) == (1, (), ())
    [sample] = samples(workspace)
    assert (sample.id == exported["sample_id"][0].as_py()) is keep_key
    assert [(one.id, one.label, one.mask) for one in sample.instances] == [
        (1, "cup", mask_of(BAR)),
        (2, "lid", mask_of(DOT)),
    ]
    assert (sample.ignore, sample.query and sample.query.text) == (mask_of(bits("#")), "what holds the tea?")


def test_several_annotation_ids_are_joined(workspace: Workspace, tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet", [question(ann_id=[7, 8], file_name="val2017/1.jpg")])  # as MMR has them
    assert import_hf(workspace, path, author="ann").refused == ()
    assert [i.source_id for one in samples(workspace) for i in one.instances] == ["7_8"]


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"image": None}, "image holds no picture"),
        ({"image": {"bytes": b"GIF", "path": "a.gif"}}, "not a picture"),
        ({"image": {"bytes": None, "path": "/etc/passwd"}}, "image is the path of a file, '/etc/passwd'"),
        ({"img_height": 9}, "size 9×8 (height×width) is not the image's 6×8"),
        ({"instances": [{"rle": {"size": [8, 6], "counts": "`1"}}]}, "size 8×6 (height×width) is not the image's 6×8"),
        ({"instances": [{"rle": {"size": [6, 8], "counts": "111"}}]}, "run lengths cover 3 pixels"),
        ({"instances": [{"rle": None}]}, "instance 1 is run lengths with size and counts"),
        ({"instances": [None]}, "instances is a list of run lengths"),
        ({"ignore_rle": {"size": [8, 6], "counts": "`1"}}, "ignore_rle: size 8×6"),
        ({"query": " "}, "query.text"),
        ({"depth": 7}, "depth"),
        ({"no_target": True}, "a no-target sample has no instances"),
        ({"reasoning_type": "odd"}, "reasoning_type"),
        ({"provenance": lambda cell: {**cell, "record": "{"}}, "provenance.record is no JSON"),
        ({"provenance": lambda cell: {**cell, "record": "[" * 99_999}}, "provenance.record is no JSON"),
        ({"provenance": lambda cell: {**cell, "record": "[]"}}, "a packed sample has version 1"),
        ({"provenance": lambda cell: {**cell, "record": '{"version": 1}'}}, "source: Field required"),
        ({"provenance": lambda cell: {**cell, "record": '{"version": 1, "id": "\\ud800"}'}}, "what no record can"),
    ],
)
def test_a_broken_row_of_ours_is_refused_by_its_number(
    workspace: Workspace, exported: pa.Table, tmp_path: Path, columns: dict[str, Any], reason: str
) -> None:
    broken = changed(exported, tmp_path / "one.parquet", **columns)
    good = pa.concat_tables([exported.slice(1), pq.read_table(broken), exported.slice(1)])
    pq.write_table(good, tmp_path / "all.parquet")
    report = import_hf(workspace, tmp_path / "all.parquet", author="ann")
    assert list(reasons(report)) == ["all.parquet: row 1"]
    assert reason in reasons(report)["all.parquet: row 1"]
    assert (report.added, report.skipped) == (1, 1)
    assert verify.verify(workspace) == []


def test_a_mask_picture_that_is_not_the_union_is_noted(
    workspace: Workspace, exported: pa.Table, tmp_path: Path
) -> None:
    wrong = encoded(PilImage.fromarray(np.array(BAR).astype(np.uint8) * 255))  # 3 of the union's 4 pixels
    import_hf(workspace, changed(exported, tmp_path / "a.parquet", mask={"bytes": wrong, "path": None}), author="ann")
    [finding] = workspace.store.findings()
    assert "not the union of the instances (IoU 0.7500)" in finding.message


def test_an_evaluation_set_gives_one_instance_a_row(workspace: Workspace, tmp_path: Path) -> None:
    rows = [
        question(reasoning_type=None, bbox=[1, 1, 4, 2]),
        question(text="the tea", image=image(1), mask=DOT, ann_id=8, reasoning_type="C/MH", bbox=[7, 3, 8, 4]),
    ]
    source = parquet(tmp_path / "in" / "data" / "test-00000-of-00001.parquet", rows).parents[1]
    report = import_hf(workspace, source, author="ann", license="CC BY-NC 4.0")
    assert (report.added, report.refused) == (2, ())
    assert report.notes[0].note == "columns that are not taken: bbox"
    one, two = samples(workspace)
    assert one.query
    assert (one.query.text, one.query.is_sentence, one.query.origin.kind) == ("what holds the tea?", True, "import")
    assert two.query
    assert (two.query.is_sentence, two.reasoning_type) == (False, "compositional")
    assert [(i.mask, i.source_id, i.origin.kind) for i in one.instances] == [(mask_of(BAR), "7", "import")]
    assert (one.source, one.source_name, one.split) == ("hf", "12_tea", "test")
    record = workspace.store.image(one.image_id)
    assert (record.file_name, record.license) == ("photo 0.png", "CC BY-NC 4.0")
    assert findings(workspace) == {"ignore_in_target": "the source may count an ignore region as part of this mask"}
    again = import_hf(workspace, source, author="ann")
    assert (again.added, again.skipped) == (0, 2)


def test_an_evaluation_mask_without_pixels_may_have_no_target(workspace: Workspace, tmp_path: Path) -> None:
    import_hf(workspace, parquet(tmp_path / "a.parquet", [question(mask=bits())]), author="ann")
    [sample] = samples(workspace)
    assert (sample.instances, sample.no_target) == ((), True)
    assert "perhaps nothing answers" in findings(workspace)["no_target"]


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"mask": [row[:-1] for row in BAR]}, "mask: size 6×7 (height×width) is not the image's 6×8"),
        ({"mask": [BAR[0], BAR[1][:3]]}, "rows of different lengths"),
        ({"mask": []}, "rows of different lengths, or none"),
        ({"mask": None}, "mask is null"),
        ({"mask": [None, BAR[1]]}, "rows of different lengths"),
        ({"mask": [[None, *row[1:]] for row in BAR]}, "holds null"),
        ({"text": None}, "the row has no question"),
        ({"text": "x" * 5000}, "query.text"),
        ({"image": None}, "image holds no picture"),
        ({"img_height": 5}, "size 5×8"),
        ({"ann_id": None, "image": {"bytes": PICTURE[:100], "path": None}}, "cannot be decoded"),
    ],
)
def test_a_broken_row_of_an_evaluation_set_is_refused(
    workspace: Workspace, tmp_path: Path, columns: dict[str, Any], reason: str
) -> None:
    path = parquet(tmp_path / "a.parquet", [question(), question(**columns)])
    report = import_hf(workspace, path, author="ann")
    assert (report.added, list(reasons(report))) == (1, ["a.parquet: row 1"])
    assert reason in reasons(report)["a.parquet: row 1"]


def test_a_mask_may_be_numbers_or_a_picture(workspace: Workspace, tmp_path: Path) -> None:
    numbers = [[int(value) * 7 for value in row] for row in BAR]
    drawn = {"bytes": encoded(PilImage.fromarray(np.array(BAR).astype(np.uint8))), "path": None}  # 0 and 1
    for name, mask in (("a", numbers), ("b", drawn)):
        import_hf(workspace, parquet(tmp_path / f"{name}.parquet", [question(mask=mask, text=name)]), author="ann")
    assert [sample.instances[0].mask for sample in samples(workspace)] == [mask_of(BAR)] * 2


def test_a_training_set_without_masks_gives_prompts_to_run(workspace: Workspace, tmp_path: Path) -> None:
    path = parquet(tmp_path / "in" / "train-00000.parquet", [problem(img_height=12, img_width=16)])
    report = import_hf(workspace, path, author="ann")
    assert (report.added, report.refused) == (1, ())
    [sample] = samples(workspace)
    assert [one.mask for one in sample.instances] == [Mask.empty((HEIGHT, WIDTH))] * 2
    assert sample.instances[1].prompt == Prompt.parse(
        {"points": [{"x": 7, "y": 3}], "box": {"x0": 7, "y0": 3, "x1": 8, "y1": 4}}
    )
    assert (sample.source_name, sample.split, sample.no_target) == ("r1", "train", False)
    assert findings(workspace) == {
        "resized": "the picture was resized: 8×6 of 16×12 (width×height)",
        "no_mask": "the set has no masks: run the boxes and points as prompts",
    }
    assert workspace.store.findings()[0].evidence == {"img_height": 12, "img_width": 16}


def test_seg_zeros_tags_are_read(workspace: Workspace, tmp_path: Path) -> None:
    text = "<box>(1,2),(5,4)</box><points>(2,3),(4, 3)</points>"
    import_hf(workspace, parquet(tmp_path / "a.parquet", [problem(solution=text)]), author="ann")
    [one] = samples(workspace)[0].instances
    assert one.prompt == Prompt.parse(
        {"points": [{"x": 2, "y": 3}, {"x": 4, "y": 3}], "box": {"x0": 1, "y0": 2, "x1": 5, "y1": 4}}
    )


def test_a_training_set_with_masks_has_one_for_each_object(workspace: Workspace, tmp_path: Path) -> None:
    size = {"img_height": HEIGHT, "img_width": WIDTH}
    rle = [{"size": [HEIGHT, WIDTH], "counts": mask_of(mask).counts} for mask in (BAR, DOT)]
    for name, more in (("bools", {"solution_mask": [BAR, DOT]}), ("rle", {"solution_rle": rle})):
        path = parquet(tmp_path / f"{name}.parquet", [problem(problem=name, **size, **more)])
        assert import_hf(workspace, path, author="ann").notes == ()
    assert [[one.mask for one in s.instances] for s in samples(workspace)] == [[mask_of(BAR), mask_of(DOT)]] * 2
    assert all(one.prompt.box for sample in samples(workspace) for one in sample.instances)


def test_masks_count_where_boxes_are_not_as_many(workspace: Workspace, tmp_path: Path) -> None:
    import_hf(workspace, parquet(tmp_path / "a.parquet", [problem(solution_mask=[DOT])]), author="ann")
    [one] = samples(workspace)[0].instances
    assert (one.mask, one.prompt) == (mask_of(DOT), Prompt())
    rows = [{key: value for key, value in problem(solution_mask=[BAR]).items() if key != "solution"}]
    assert import_hf(workspace, parquet(tmp_path / "b.parquet", rows), author="ann").added == 1


@pytest.mark.parametrize(
    ("solution", "reason"),
    [
        ("on the left", "neither JSON nor Seg-Zero's tags"),
        ("[" * 99_999, "neither JSON nor Seg-Zero's tags"),
        ('{"bbox_2d": [1, 2, 3, 4]}', "a list of at most"),
        ("[3]", "got int"),
        ('[{"box": 3}]', "neither bbox_2d nor point_2d"),
        ('[{"bbox_2d": [1, 2, 3]}]', "a box is 4 numbers, got 3 values"),
        ('[{"bbox_2d": [4, 2, 3, 4]}]', "a box needs x0 < x1"),
        ('[{"bbox_2d": [1, 2, 3, NaN]}]', "Box: y1"),
        ('[{"point_2d": [1, 1e300]}]', "Point: y"),
        ('[{"point_2d": [1, 1' + "0" * 400 + "]}]", "Point: y"),
        ('[{"point_2d": [true, 1]}]', "a point is 2 numbers"),
        ('[{"point_2d": [1, 1], "label": 3}]', "a label is a text"),
        ("<box>(1,2)</box>", "a box has two corners"),
        ("<box>(1,2),(0,0)</box>", "a box needs x0 < x1"),
        (None, "the row has no question"),
    ],
)
def test_a_solution_that_is_none_is_refused(
    workspace: Workspace, tmp_path: Path, solution: str | None, reason: str
) -> None:
    broken = problem(problem=None) if solution is None else problem(solution=solution)
    report = import_hf(workspace, parquet(tmp_path / "a.parquet", [problem(), broken]), author="ann")
    assert (report.added, list(reasons(report))) == (1, ["a.parquet: row 1"])
    assert reason in reasons(report)["a.parquet: row 1"]


def test_points_outside_the_picture_are_said(workspace: Workspace, tmp_path: Path) -> None:
    rows = [problem(solution='[{"point_2d": [40, 3]}]'), problem(problem="nothing", solution="[]")]
    report = import_hf(workspace, parquet(tmp_path / "a.parquet", rows), author="ann")
    assert any("point 40,3 is outside the 8×6 image" in note.note for note in report.notes)
    assert [sample.no_target for sample in samples(workspace)] == [False, True]


def test_a_folder_of_save_to_disk_is_read(workspace: Workspace, tmp_path: Path) -> None:
    picture = PilImage.fromarray(pixels(HEIGHT, WIDTH))
    columns = {"image": [picture] * 20, "text": [f"what is {n}?" for n in range(20)], "mask": [BAR] * 20}
    DatasetDict({"validation": Dataset.from_dict(columns)}).save_to_disk(tmp_path / "in")
    report = import_hf(workspace, tmp_path / "in", author="ann")
    assert (report.added, report.refused) == (20, ())
    assert {sample.split for sample in samples(workspace)} == {"validation"}


def test_what_map_has_left_in_a_saved_dataset_is_none_of_its_data(workspace: Workspace, tmp_path: Path) -> None:
    from datasets import Dataset, load_from_disk

    row = question(mask=bits("##..", "##..", "...."))
    Dataset.from_list([row]).save_to_disk(tmp_path / "in")
    load_from_disk(tmp_path / "in").map(lambda row: {"length": len(row["text"])}, remove_columns=["mask"])
    assert len(list((tmp_path / "in").glob("*.arrow"))) == 2
    assert import_hf(workspace, tmp_path / "in", author="ann").added == 1
    for broken in ("[" * 100_000, "{}", "[1]", '{"_data_files": [1]}'):  # then all files count
        (tmp_path / "in" / "state.json").write_text(broken)
        with pytest.raises(UsageError, match="no known layout"):
            import_hf(workspace, tmp_path / "in", author="ann")


def test_what_grpo_writes_comes_in_with_its_masks_but_not_beside_the_same_samples(
    workspace: Workspace, made: Path, tmp_path: Path
) -> None:
    with Workspace.open(made / "a") as here:
        export(here, "r", tmp_path / "grpo", GrpoWriter())
    report = import_hf(workspace, tmp_path / "grpo", author="ann")
    assert (report.added, report.refused) == (1, ())  # the two samples differ in their source records alone
    [sample] = samples(workspace)
    assert len(sample.instances) == 2
    assert all(one.mask.area and one.prompt.box for one in sample.instances)
    shutil.copytree(made / "out", tmp_path / "both")
    shutil.move(tmp_path / "grpo", tmp_path / "both" / "grpo")
    both = import_hf(workspace, tmp_path / "both", author="ann")
    assert (both.added, both.refused) == (2, ())
    assert both.ignored == len(list((tmp_path / "both").rglob("*.arrow")))


def test_a_dataset_of_the_hub_is_streamed_by_datasets(workspace: Workspace, tmp_path: Path) -> None:
    """The Hub cannot be reached in a test: its reader is given a folder instead of an owner and a name."""
    parquet(tmp_path / "in" / "data" / "validation-00000-of-00001.parquet", [question(), question(text="and this?")])
    [table] = hub_tables._on_hub(str(tmp_path / "in"), None)
    assert (table.split, "mask" in table.columns) == ("validation", True)
    assert sum(batch.num_rows for batch in table.batches()) == 2
    with pytest.raises(UsageError, match="cannot be opened"):
        hub_tables._on_hub(str(tmp_path / "nothing"), None)


def test_columns_of_no_known_layout_are_told(workspace: Workspace, tmp_path: Path) -> None:
    parquet(tmp_path / "in" / "a.parquet", [question()])
    parquet(tmp_path / "in" / "b.parquet", [{"picture": 1, "caption": "x"}])
    with pytest.raises(UsageError, match=r"b.parquet: no known layout has the columns picture, caption; known are "):
        import_hf(workspace, tmp_path / "in", author="ann")
    assert samples(workspace) == []


def test_files_that_cannot_be_read_are_refused_and_the_rest_goes_on(workspace: Workspace, tmp_path: Path) -> None:
    good = parquet(tmp_path / "in" / "good.parquet", [question()])
    data = good.read_bytes()
    (tmp_path / "in" / "cut.parquet").write_bytes(data[: len(data) // 2])
    (tmp_path / "in" / "text.parquet").write_text("I am a table")
    (tmp_path / "in" / "text.arrow").write_text("I am a table")
    (tmp_path / "in" / "none.parquet").write_bytes(b"")
    secret = parquet(tmp_path / "secret.parquet", [question(text="a secret?")])
    (tmp_path / "in" / "link.parquet").symlink_to(secret)
    os.mkfifo(tmp_path / "in" / "pipe.parquet")
    body = bytearray(data)
    body[200:900] = bytes(700)  # the head and the foot are whole
    (tmp_path / "in" / "torn.parquet").write_bytes(bytes(body))
    report = import_hf(workspace, tmp_path / "in", author="ann")
    names = [name.split(":")[0] for name in reasons(report)]
    assert sorted(names) == [f"{n}" for n in sorted(("cut.parquet", "link.parquet", "none.parquet", "pipe.parquet",
                                                     "text.arrow", "text.parquet", "torn.parquet"))]  # fmt: skip
    assert [sample.query and sample.query.text for sample in samples(workspace)] == ["what holds the tea?"]


def test_links_into_the_blobs_of_the_hubs_cache_are_followed(workspace: Workspace, tmp_path: Path) -> None:
    blob = parquet(tmp_path / "cache" / "blobs" / "abc", [question()])
    snapshot = tmp_path / "cache" / "snapshots" / "main"
    snapshot.mkdir(parents=True)
    (snapshot / "train.parquet").symlink_to(blob)
    assert import_hf(workspace, snapshot, author="ann").added == 1


def test_wrong_use_is_said(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist, and is no dataset's owner/name"):
        import_hf(workspace, tmp_path / "nothing", author="ann")
    with pytest.raises(UsageError, match=r"holds no \.parquet"):
        import_hf(workspace, tmp_path / "w", author="ann")
    path = parquet(tmp_path / "a.parquet", [question()])
    with pytest.raises(UsageError, match="a revision is of a dataset on the Hub"):
        import_hf(workspace, path, author="ann", revision="main")


def test_a_dry_run_writes_nothing_and_progress_names_the_rows(workspace: Workspace, tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet", [question(), problem() | question(text="and?")])
    seen: list[str] = []
    report = import_hf(workspace, path, author="ann", dry_run=True, progress=seen.append)
    assert (report.added, samples(workspace), list(workspace.blobs.keys())) == (2, [], [])
    assert seen == ["a.parquet: row 0", "a.parquet: row 1"]
