import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pycocotools import mask as pycoco
from pycocotools.coco import COCO

from tests.pictures import encoded, pixels, turned
from whyseg.curation import verify
from whyseg.curation.formats import coco_file
from whyseg.curation.formats.coco import Group, import_coco
from whyseg.curation.intake import ImportReport
from whyseg.curation.queries import SampleFilter
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Mask, Prompt, Sample
from whyseg.schemas.errors import UsageError

HEIGHT, WIDTH = 12, 16
SQUARE = [2, 3, 6, 3, 6, 8, 2, 8]  # pixels x 2–5, y 3–7: 4 × 5 = 20
TRIANGLE = [1.5, 1.25, 13.75, 2.5, 4.0, 10.125]
RUNS = {"size": [HEIGHT, WIDTH], "counts": [24, 7, 5, 9, 147]}  # 192 pixels in all


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace.create(tmp_path / "w") as opened:
        yield opened


def annotation(number: int, segmentation: Any, category: int = 1, image: int = 1, **more: Any) -> dict[str, Any]:
    return {"id": number, "image_id": image, "category_id": category, "segmentation": segmentation, "iscrowd": 0} | more


def document(annotations: list[Any], images: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "images": [{"id": n, "file_name": f"{n}.png", "height": HEIGHT, "width": WIDTH} for n in range(1, images + 1)],
        "categories": [{"id": 1, "name": "cup"}, {"id": 2, "name": "plate"}],
        "annotations": annotations,
    } | more


def folder(path: Path, data: Any, images: int = 1, where: str = "") -> Path:
    """Write a JSON (a text as it is) and its pictures."""
    (path / where).mkdir(parents=True, exist_ok=True)
    for n in range(1, images + 1):
        (path / where / f"{n}.png").write_bytes(encoded(pixels(HEIGHT, WIDTH, seed=n)))
    (path / "instances.json").write_text(data if isinstance(data, str) else json.dumps(data))
    return path


def samples(workspace: Workspace) -> list[Sample]:
    found = workspace.store.page(SampleFilter(), limit=1000).samples
    return [workspace.store.head(row.id).sample for row in found]


def take(workspace: Workspace, path: Path, annotations: list[Any], **more: Any) -> ImportReport:
    return import_coco(workspace, folder(path, document(annotations, **more)), author="ann")


def reasons(report: ImportReport) -> dict[str, str]:
    return {refusal.file: refusal.reason for refusal in report.refused}


def test_every_kind_of_segmentation_comes_out_as_pycocotools_makes_it(workspace: Workspace, tmp_path: Path) -> None:
    text = pycoco.encode(np.asfortranarray(np.eye(HEIGHT, WIDTH, dtype=np.uint8)))["counts"].decode()
    given = [
        [SQUARE],
        [TRIANGLE, SQUARE],
        [[-5, 2, 40, 3.5, 7, 30.25]],  # leaves the picture on three sides
        [[1, 1, 9, 9, 9, 1, 1, 9]],  # crosses itself
        RUNS,
        {"size": [HEIGHT, WIDTH], "counts": [0, 5, 0, 7, 180]},  # runs of no pixel within
        {"size": [HEIGHT, WIDTH], "counts": text},
    ]
    source = folder(tmp_path / "in", document([annotation(n, one) for n, one in enumerate(given, 1)]))
    report = import_coco(workspace, source, author="ann")
    assert (report.added, report.refused) == (1, ())
    [sample] = samples(workspace)
    coco = COCO(source / "instances.json")
    assert [one.source_id for one in sample.instances] == [str(n) for n in range(1, 8)]
    for one in sample.instances:
        assert np.array_equal(one.mask.decode(), coco.annToMask(coco.anns[int(one.source_id)]).astype(bool))
    assert sample.instances[0].mask.area == 20
    assert {one.label for one in sample.instances} == {"cup"}
    assert [one.origin.kind for one in sample.instances] == ["import"] * 7
    assert (sample.query, workspace.store.head(sample.id).state) == (None, "draft")
    assert [note.note for note in report.notes] == [
        "annotation 3: an outline leaves the 16×12 picture (width×height)",
        "annotation 4: an outline crosses or touches itself, or has no area",
    ]
    found = workspace.store.findings(sample.id)
    assert sorted(finding.message for finding in found) == [note.note for note in report.notes]


@given(st.lists(st.lists(st.floats(-20, 40, width=32), min_size=6, max_size=14), min_size=1, max_size=3))
@settings(derandomize=True, deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_outlines_come_out_bit_for_bit(tmp_path_factory: pytest.TempPathFactory, parts: list[list[float]]) -> None:
    path = tmp_path_factory.mktemp("coco")
    source = folder(path / "in", document([annotation(1, parts)]))
    with Workspace.create(path / "w") as workspace:
        assert import_coco(workspace, source, author="ann").refused == ()
        mask = samples(workspace)[0].instances[0].mask
    even = [part[: len(part) // 2 * 2] for part in parts]
    assert mask.counts == Mask(size=(HEIGHT, WIDTH), counts=merged(even)).counts


def test_a_ring_alone_is_valid_exactly_where_its_polygon_is() -> None:
    rng, told = np.random.default_rng(0), set[bool]()
    for number in range(500):
        ring = rng.uniform(0, 30, (int(rng.integers(3, 8)), 2))
        if number % 2:
            ring = np.round(ring / 8) * 8  # corners and edges that touch
        ring = np.concatenate([ring, ring[:1]])
        told.add(valid := bool(shapely.is_valid(shapely.linearrings(ring))))
        assert valid == shapely.is_valid(shapely.polygons(ring))
    assert told == {True, False}


@pytest.mark.parametrize(("far", "leaves"), [([16, 5], False), ([16.5, 5], True), ([5, 12], False), ([5, 12.5], True)])
def test_an_outline_may_touch_the_edges_but_not_leave(
    workspace: Workspace, tmp_path: Path, far: list[float], leaves: bool
) -> None:
    report = take(workspace, tmp_path / "in", [annotation(1, [[0, 0, 4, 0, *far]])])
    assert [note.note.split(": ")[1] for note in report.notes] == [
        "an outline leaves the 16×12 picture (width×height)" for _ in range(leaves)
    ]


def merged(parts: Sequence[Sequence[float]]) -> str:
    return str(pycoco.merge(pycoco.frPyObjects(list(parts), HEIGHT, WIDTH))["counts"].decode())


MIXED = [
    annotation(1, [SQUARE]),
    annotation(2, [TRIANGLE]),
    annotation(3, RUNS, iscrowd=1),
    annotation(4, [SQUARE], category=2),
    annotation(5, RUNS, category=2, image=2, iscrowd=1),
]


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        ("category", [(["1", "2"], True), (["4"], False), ([], True)]),
        ("instance", [(["1"], True), (["2"], True), (["4"], False), ([], True)]),
    ],
)
def test_crowds_are_ignored_in_what_is_of_their_image_and_category(
    workspace: Workspace, tmp_path: Path, group: Group, expected: list[tuple[list[str], bool]]
) -> None:
    source = folder(tmp_path / "in", document(MIXED, images=2), images=2)
    report = import_coco(workspace, source, author="ann", group=group)
    found = [([one.source_id for one in sample.instances], sample.ignore is not None) for sample in samples(workspace)]
    assert found == expected
    assert samples(workspace)[0].ignore == Mask.encode(runs_array())
    assert [note.note for note in report.notes] == ["only crowds of 'plate': an ignore region and no instance"]


def runs_array() -> np.ndarray[Any, Any]:
    """Decode RUNS by hand: background and object in turns, down the columns."""
    flat = np.repeat([0, 1, 0, 1, 0], RUNS["counts"])
    return flat.reshape((HEIGHT, WIDTH), order="F")


def test_names_ids_licences_and_splits_are_kept(workspace: Workspace, tmp_path: Path) -> None:
    data = document([annotation(7, [SQUARE], image=17)])
    data["images"] = [{"id": 17, "file_name": "val2017/1.png", "height": HEIGHT, "width": WIDTH, "license": 3}]
    data["licenses"] = [{"id": 3, "name": "Attribution License", "url": "http://creativecommons.org/licenses/by/2.0/"}]
    source = folder(tmp_path / "in", data, where="val2017")
    import_coco(workspace, source, author="ann", license="another")
    [sample] = samples(workspace)
    image = workspace.store.image(sample.image_id)
    assert image.file_name == "val2017/1.png"
    assert image.license == "Attribution License (http://creativecommons.org/licenses/by/2.0/)"
    assert (sample.source, sample.source_name) == ("coco", "val2017/1.png (image 17)")
    assert (sample.instances[0].source_id, sample.split) == ("7", "validation")


def test_a_second_run_and_another_copy_under_other_names_and_ids_add_nothing(
    workspace: Workspace, tmp_path: Path
) -> None:
    source = folder(tmp_path / "in", document(MIXED, images=2), images=2)
    dry = import_coco(workspace, source, author="ann", dry_run=True)
    assert (dry.added, samples(workspace), list(workspace.blobs.keys())) == (3, [], [])
    assert import_coco(workspace, source, author="ann").added == 3
    again = import_coco(workspace, source, author="ann")
    assert (again.added, again.skipped, again.refused) == (0, 3, ())
    other = document([one | {"id": one["id"] + 50} for one in MIXED], images=2)
    for entry in other["images"]:
        (tmp_path / "other").mkdir(exist_ok=True)
        (tmp_path / "other" / f"x{entry['id']}.png").write_bytes((source / entry["file_name"]).read_bytes())
        entry["file_name"] = f"x{entry['id']}.png"
    (tmp_path / "other" / "a.json").write_text(json.dumps(other))
    copy = import_coco(workspace, tmp_path / "other", author="ann")
    assert (copy.added, copy.skipped) == (0, 3)
    assert verify.verify(workspace) == []


def test_an_annotation_with_a_box_alone_is_an_instance_to_be_run(workspace: Workspace, tmp_path: Path) -> None:
    report = take(workspace, tmp_path / "in", [annotation(1, [], bbox=[2, 3, 4, 5]), annotation(2, [])])
    [sample] = samples(workspace)
    assert sample.instances[0].prompt == Prompt.parse({"box": {"x0": 2, "y0": 3, "x1": 6, "y1": 8}})
    assert sample.instances[0].mask == Mask.empty((HEIGHT, WIDTH))
    assert reasons(report) == {"instances.json: annotation 2": "1.png: it has neither an outline nor a box"}


def test_images_without_annotations_are_counted_and_left_out(workspace: Workspace, tmp_path: Path) -> None:
    source = folder(tmp_path / "in", document([annotation(1, [SQUARE]), annotation(2, [SQUARE], 9, 4)], images=4))
    report = import_coco(workspace, source, author="ann")
    # The pictures of two images are not even there; the fourth has an annotation, if of no category.
    assert (report.added, report.ignored, list(reasons(report))) == (1, 2, ["instances.json: annotation number 2"])
    assert report.notes[0].note.startswith("images without annotations, left out: 2; ")


def test_the_report_says_what_of_the_file_was_not_taken(workspace: Workspace, tmp_path: Path) -> None:
    more = annotation(1, [SQUARE], keypoints=[1, 2, 2], attributes={"occluded": True}, score=None)
    report = take(workspace, tmp_path / "in", [more, {"id": 2, "image_id": 1, "caption": "a cup"}])
    assert [note.note for note in report.notes] == [
        "captions, not taken: 1",
        "not taken of the annotations: keypoints (1), attributes (1), caption (1)",
    ]
    assert (report.added, report.refused) == (1, ())


def test_pictures_are_found_beside_in_images_and_below(workspace: Workspace, tmp_path: Path) -> None:
    data = document([annotation(n, [SQUARE], image=n) for n in range(1, 6)], images=5)
    source = folder(tmp_path / "in", data, images=5)
    for number, place in ((2, "images"), (3, "deep/er"), (4, "deep"), (4, "other")):
        (source / place).mkdir(parents=True, exist_ok=True)
        (source / place / f"{number}.png").write_bytes((source / "1.png").read_bytes() + bytes([number]))
    for number in (2, 3, 4, 5):
        (source / f"{number}.png").unlink()
    report = import_coco(workspace, source, author="ann")
    assert [workspace.store.image(one.image_id).file_name for one in samples(workspace)] == ["1.png", "2.png", "3.png"]
    assert reasons(report) == {
        "4.png": "2 files have this name: deep/4.png, other/4.png",
        "5.png": "no such file beside the JSON, in images/, or anywhere below",
    }
    # The folder's name tells two files of one name apart; a folder of pictures may lie elsewhere.
    data["images"][3]["file_name"] = "other/4.png"
    (tmp_path / "my.json").write_text(json.dumps(data))
    report = import_coco(workspace, tmp_path / "my.json", images=source, author="ann")
    assert (report.added, list(reasons(report))) == (1, ["5.png"])


@pytest.mark.parametrize(
    "name", ["../secret.png", "/etc/secret.png", "C:\\secret.png", "a/../../secret.png", "link.png"]
)
def test_names_that_lead_out_of_the_folder_are_refused(workspace: Workspace, tmp_path: Path, name: str) -> None:
    data = document([annotation(1, [SQUARE]), annotation(2, [SQUARE], image=2)], images=2)
    data["images"][1]["file_name"] = name
    source = folder(tmp_path / "in", data)
    (tmp_path / "secret.png").write_bytes(encoded(pixels(HEIGHT, WIDTH, seed=9)))
    (source / "link.png").symlink_to(tmp_path / "secret.png")
    report = import_coco(workspace, source, author="ann")
    assert report.added == 1
    [reason] = reasons(report).values()
    assert "without '..'" in reason or "a link that leaves the folder" in reason


TEXT = pycoco.encode(np.asfortranarray(np.zeros((HEIGHT, WIDTH), np.uint8)))["counts"].decode()


@pytest.mark.parametrize(
    ("segmentation", "reason"),
    [
        ([[float("nan"), 1, 2, 3, 4, 5]], "no finite number: nan"),
        ([[float("inf"), 1, 2, 3, 4, 5]], "no finite number: inf"),
        ([[1e300, 1, 2, 3, 4, 5]], "farther away than 1e+07 pixels: 1e+300"),
        ([[10**400, 1, 2, 3, 4, 5]], "farther away than 1e+07 pixels: an integer of 1329 bits"),
        ([[-9e6, -9e6, 9e6, 9e6, -9e6, 9e6]], "the outlines are longer than 838860 pixels"),
        ([[0, 0, 50_000, 0, 0, 50_000]] * 20, "the outlines are longer than 838860 pixels"),
        ([["1", "2", "3", "4", "5", "6"]], "an outline is a flat list of numbers"),
        ([[True, 1, 2, 3, 4, 5]], "an outline is a flat list of numbers"),
        ([[None, 1, 2, 3, 4, 5]], "an outline is a flat list of numbers"),
        ([[[1, 1], [5, 1], [5, 5]]], "an outline is a flat list of numbers"),
        (SQUARE, "an outline is a flat list of numbers x0, y0, x1, y1, …, got 2"),
        ("polygon", "a list of polygons or run lengths, got 'polygon'"),
        ({"size": [HEIGHT, WIDTH]}, "run lengths are a list of numbers or COCO's text, got None"),
        ({"counts": [192]}, "run lengths need size [height, width], got None"),
        ({"size": [WIDTH, HEIGHT], "counts": [192]}, "size 16×12 (height×width) is not the image's 12×16"),
        ({"size": [10**12, 10**12], "counts": "0"}, "no picture has it"),
        ({"size": [HEIGHT, WIDTH], "counts": [100]}, "cover 100 pixels, the size 12×16 has 192"),
        ({"size": [HEIGHT, WIDTH], "counts": [-8, 200]}, "whole numbers from 0 to 192"),
        ({"size": [HEIGHT, WIDTH], "counts": [2**64, 1]}, "whole numbers from 0 to 192"),
        ({"size": [HEIGHT, WIDTH], "counts": [1.0, 191]}, "whole numbers from 0 to 192"),
        ({"size": [HEIGHT, WIDTH], "counts": []}, "cover 0 pixels"),
        ({"size": [HEIGHT, WIDTH], "counts": ""}, "run lengths are empty"),
        ({"size": [HEIGHT, WIDTH], "counts": TEXT + "1"}, "run lengths cover 193 pixels"),
        ({"size": [HEIGHT, WIDTH], "counts": "P" * 40}, "run lengths"),
        ({"size": [HEIGHT, WIDTH], "counts": "\ud800"}, "outside COCO's alphabet"),
        (None, "it has neither an outline nor a box"),
    ],
)
def test_a_segmentation_that_is_none_is_refused_and_the_rest_goes_on(
    workspace: Workspace, tmp_path: Path, segmentation: Any, reason: str
) -> None:
    report = take(workspace, tmp_path / "in", [annotation(1, [SQUARE]), annotation(2, segmentation)])
    [refusal] = report.refused
    assert refusal.file == "instances.json: annotation 2"
    assert reason in refusal.reason
    [sample] = samples(workspace)
    assert [one.source_id for one in sample.instances] == ["1"]
    [finding] = workspace.store.findings(sample.id)  # whoever looks at this sample learns that one is missing
    assert finding.message.startswith("annotation 2 was refused: ")
    assert verify.verify(workspace) == []


def test_numbers_may_be_floats_and_a_crowd_null_as_tools_that_write_tables_make_them(
    workspace: Workspace, tmp_path: Path
) -> None:
    data = document([annotation(1, [SQUARE], iscrowd=0.0), annotation(2, [SQUARE], iscrowd=None)])
    data["annotations"].append(annotation(3, [TRIANGLE], iscrowd=1.0))
    data["images"][0] |= {"id": 1.0, "height": float(HEIGHT), "width": float(WIDTH)}
    report = import_coco(workspace, folder(tmp_path / "in", data), author="ann")
    [sample] = samples(workspace)
    assert (report.refused, [one.source_id for one in sample.instances]) == ((), ["1", "2"])
    assert sample.ignore is not None


def test_outlines_of_less_than_three_points_are_left_out_with_a_finding(workspace: Workspace, tmp_path: Path) -> None:
    parts = [[1, 1, 5, 5], SQUARE, [3, 3], [*TRIANGLE, 7]]
    report = take(workspace, tmp_path / "in", [annotation(1, parts)])
    [sample] = samples(workspace)
    assert sample.instances[0].mask == Mask(size=(HEIGHT, WIDTH), counts=merged([SQUARE, TRIANGLE]))
    assert [note.note for note in report.notes] == [
        "annotation 1: 1 of 4 outlines end in an x without its y, which is left out",
        "annotation 1: 2 of 4 outlines have fewer than 3 points and are left out",
    ]


@pytest.mark.parametrize(
    ("change", "name", "reason"),
    [
        ({"image_id": 9}, "annotation 2", "image 9, which is not among the images"),
        ({"image_id": None}, "annotation number 2", "it names no image"),
        ({"image_id": True}, "annotation number 2", "it names no image"),
        ({"category_id": 9}, "annotation number 2", "category 9, which is not among the categories"),
        ({"category_id": [1]}, "annotation number 2", "category None"),
        ({"id": 1}, "annotation 1", "a second annotation of this id"),
        ({"iscrowd": 2}, "annotation number 2", "iscrowd is 0 or 1, got 2"),
    ],
)
def test_annotations_that_belong_to_nothing_are_refused_by_their_id(
    workspace: Workspace, tmp_path: Path, change: dict[str, Any], name: str, reason: str
) -> None:
    report = take(workspace, tmp_path / "in", [annotation(1, [SQUARE]), annotation(2, [SQUARE]) | change])
    [refusal] = report.refused
    assert (refusal.file, reason in refusal.reason) == (f"instances.json: {name}", True), refusal
    assert [one.source_id for one in samples(workspace)[0].instances] == ["1"]


@pytest.mark.parametrize(
    ("change", "name", "reason"),
    [
        ({"height": 16, "width": 12}, "2.png", "size 16×12 (height×width) is not the image's 12×16"),
        ({"height": "12"}, "image number 2", "height and width are whole numbers"),
        ({"file_name": None}, "image number 2", "an image needs a file_name"),
        ({"file_name": "\ud800.png"}, "image number 2", "an image needs a file_name"),
        ({"file_name": "a\0.png"}, "a\\x00.png", "a picture's name is a path"),
        ({"file_name": "x" * 5000}, "x" * 5000, "no such file"),
        ({"file_name": "instances.json"}, "instances.json", "not a picture"),
        ({"id": 1.5}, "image number 2", "an image needs an id"),
        ({"file_name": "1.png"}, "1.png", "a second image entry of the same file"),
    ],
)
def test_images_that_cannot_be_are_refused_by_their_name(
    workspace: Workspace, tmp_path: Path, change: dict[str, Any], name: str, reason: str
) -> None:
    data = document([annotation(1, [SQUARE]), annotation(2, [SQUARE], image=2)], images=2)
    data["images"][1] |= change
    if "id" in change:
        data["annotations"].pop()
    report = import_coco(workspace, folder(tmp_path / "in", data, images=2), author="ann")
    [refusal] = report.refused
    assert refusal.file in (name, f"instances.json: {name}")
    assert reason in refusal.reason
    assert report.added == 1


def test_images_of_one_id_are_all_refused(workspace: Workspace, tmp_path: Path) -> None:
    data = document([annotation(1, [SQUARE])], images=2)
    data["images"][1]["id"] = 1
    report = import_coco(workspace, folder(tmp_path / "in", data, images=2), author="ann")
    assert reasons(report) == {f"{n}.png": "image id 1 is given 2 times" for n in (1, 2)}


def test_sizes_are_those_of_the_upright_picture(workspace: Workspace, tmp_path: Path) -> None:
    source = folder(tmp_path / "in", document([annotation(1, [SQUARE])]))
    (source / "1.png").write_bytes(turned(pixels(HEIGHT, WIDTH), 6, "PNG"))
    report = import_coco(workspace, source, author="ann")
    assert report.added == 1
    assert "stored turned (EXIF 6)" in report.notes[0].note


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "it is no JSON"),
        ("", "it is no JSON"),
        ("\udcff".encode("utf-8", "surrogateescape").decode("latin-1"), "it is no JSON"),
        ("[" * 100_000, "nested too deeply"),
        ("[]", "got a list"),
        ("3", "got a int"),
        ('{"images": {}}', "'images' is no list"),
        ('{"images": [], "annotations": []}', "it lists no images"),
        ('{"images": [{}], "annotations": 3}', "'annotations' is no list"),
        ('{"images": [{}], "annotations": [{"segments_info": []}]}', "panoptic"),
        ('{"images": [{"id": ' + "9" * 5000 + "}]}", "it is no JSON"),
    ],
)
def test_a_file_that_is_none_is_refused_whole(workspace: Workspace, tmp_path: Path, text: str, reason: str) -> None:
    report = import_coco(workspace, folder(tmp_path / "in", text), author="ann")
    assert [refusal.file for refusal in report.refused] == ["instances.json"]
    assert reason in report.refused[0].reason
    assert samples(workspace) == []


def test_a_file_over_the_limit_is_not_read(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coco_file, "MAX_JSON_BYTES", 100)
    report = take(workspace, tmp_path / "in", [annotation(1, [SQUARE])])
    assert "bytes are over the limit of 100" in report.refused[0].reason


def test_wrong_use_is_said_before_anything_is_looked_at(workspace: Workspace, tmp_path: Path) -> None:
    source = folder(tmp_path / "in", document([annotation(1, [SQUARE])]))
    with pytest.raises(UsageError, match="does not exist"):
        import_coco(workspace, tmp_path / "no", author="ann")
    with pytest.raises(UsageError, match="is no folder of pictures"):
        import_coco(workspace, source, author="ann", images=tmp_path / "no")
    (source / "b.json").write_text("{}")
    with pytest.raises(UsageError, match=r"holds 2 JSON files, name one: b.json, instances.json"):
        import_coco(workspace, source, author="ann")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="holds no JSON file"):
        import_coco(workspace, tmp_path / "empty", author="ann")


def test_the_json_may_lie_in_a_folder_of_its_own(workspace: Workspace, tmp_path: Path) -> None:
    source = folder(tmp_path / "in", document([annotation(1, [SQUARE])]), where="val2017")
    (source / "annotations").mkdir()
    (source / "instances.json").rename(source / "annotations" / "instances_val2017.json")
    assert import_coco(workspace, source, author="ann").added == 1
    assert samples(workspace)[0].split == "validation"


def test_mutations_end_in_a_refusal_or_in_a_correct_import(workspace: Workspace, tmp_path: Path) -> None:
    rng = random.Random(7)
    good = json.dumps(document(MIXED, images=2, licenses=[{"id": 1, "name": "x"}], whyseg={"samples": [{"image": 1}]}))
    odd = ["null", "-1", "1e999", "NaN", '"\\ud800"', "{}", "[]", "[[]]", "true", '""', "99999999999999999999", "0.5"]
    source = folder(tmp_path / "in", good, images=2)
    for _ in range(300):
        text = good
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(len(text))
            kind = rng.random()
            if kind < 0.3:
                text = text[:at] + rng.choice('{}[]",:0-9ae') + text[at + 1 :]
            elif kind < 0.4:
                text = text[:at]
            else:  # a value for another one
                spots = [i for i, c in enumerate(text) if c in ":[," and i + 2 < len(text)]
                start = rng.choice(spots) + 1 if spots else 0
                end = next((i for i in range(start + 1, len(text)) if text[i] in ",]}"), len(text))
                text = text[:start] + rng.choice(odd) + text[end:]
        (source / "instances.json").write_text(text)
        report = import_coco(workspace, source, author="ann", dry_run=True)
        assert report.added + report.ignored or report.refused or report.notes, text
    assert list(workspace.blobs.keys()) == []
