"""labelme's files in and out; every file is made here."""

import base64
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from tests.builders import block, instance
from tests.curation.formats.drawn import filled, sets
from tests.pictures import encoded, pixels, turned
from whyseg.curation.exporting import REWRITTEN, ExportReport, export, plan_evenly
from whyseg.curation.formats import labelme_writer
from whyseg.curation.formats.labelme import LabelmeWriter, import_labelme
from whyseg.curation.images import inspect
from whyseg.curation.intake import ImportReport
from whyseg.curation.queries import SampleFilter
from whyseg.curation.releases import Releases
from whyseg.curation.verify import verify
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Mask, Sample, union

Drawn = list[tuple[bytes, list[Sample]]]
SQUARE = [[1, 1], [3, 1], [3, 3], [1, 3]]  # columns and rows 1–3
PICTURE = encoded(pixels(6, 8))


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace.create(tmp_path / "w") as opened:
        yield opened


def shape(label: Any, points: Any, kind: Any = "polygon", group: Any = None, **more: Any) -> dict[str, Any]:
    return {"label": label, "points": points, "shape_type": kind, "group_id": group, "flags": {}, **more}


def labelme(*shapes: Any, path: Any = "a.png", **more: Any) -> bytes:
    head = {"version": "5.5.0", "flags": {}, "imagePath": path, "imageData": None, "imageHeight": 6, "imageWidth": 8}
    return json.dumps({**head, "shapes": list(shapes), **more}).encode()


def png(*rows: str) -> str:
    bits = np.array([[character == "#" for character in row] for row in rows], np.uint8)
    return base64.b64encode(encoded(bits)).decode()  # 0 and 1, as labelme writes them


def folder(path: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


def taken(workspace: Workspace, path: Path, files: dict[str, bytes], **options: Any) -> ImportReport:
    return import_labelme(workspace, folder(path / "in", files), author="ann", **options)


def samples(workspace: Workspace) -> list[Sample]:
    rows = workspace.store.page(SampleFilter(), limit=1000).samples
    found = [workspace.store.head(row.id).sample for row in rows]
    return sorted(found, key=lambda sample: [one.label for one in sample.instances])


def text(mask: Mask | None) -> list[str]:
    assert mask is not None
    return ["".join("#" if pixel else "." for pixel in row) for row in mask.decode()]


def findings(workspace: Workspace, sample: Sample) -> list[tuple[str, str]]:
    return sorted((finding.kind, finding.message) for finding in workspace.store.findings(sample.id))


MIXED = labelme(
    shape("cup", SQUARE, group=4),
    shape("cup", [[7, 5], [5, 4]], "rectangle", group=4),  # its corners in any order: columns 5–7, rows 4–5
    shape("cup", [[0, 0], [1, 0], [1, 0]]),
    shape("lid", [[6, 1], [7, 3]], "mask", mask=png("#.", "##", ".#")),
    shape("__ignore__", [[0, 5], [1, 5], [1, 5]]),
)


def test_each_label_becomes_a_draft_whose_instances_are_groups(workspace: Workspace, tmp_path: Path) -> None:
    report = taken(workspace, tmp_path, {"test/a.json": MIXED, "test/a.png": PICTURE})
    assert (report.added, report.ignored, report.refused, report.notes) == (2, 0, (), ())
    cup, lid = samples(workspace)
    assert (cup.query, cup.source, cup.source_name, cup.split) == (None, "labelme", "test/a.json", "test")
    assert [(one.id, one.label, one.source_id) for one in cup.instances] == [(1, "cup", "4"), (2, "cup", "")]
    assert text(cup.instances[0].mask) == [
        "........",
        ".###....",
        ".###....",
        ".###....",
        ".....###",
        ".....###",
    ]
    assert text(cup.instances[1].mask) == ["##......", *["........"] * 5]
    assert text(lid.instances[0].mask)[:4] == ["........", "......#.", "......##", ".......#"]
    assert cup.ignore == lid.ignore == block(5, 0, 1, 2)
    assert workspace.store.head(cup.id).state == "draft"
    assert verify(workspace) == []
    again = taken(workspace, tmp_path, {})
    assert (again.added, again.skipped) == (0, 2)


def test_each_instance_can_become_a_draft_of_its_own(workspace: Workspace, tmp_path: Path) -> None:
    files = {"a.json": MIXED, "a.png": PICTURE}
    assert taken(workspace, tmp_path, files, group="instance", dry_run=True).added == 3
    assert samples(workspace) == []
    assert taken(workspace, tmp_path, files, group="instance").added == 3
    assert [[one.label for one in sample.instances] for sample in samples(workspace)] == [["cup"], ["cup"], ["lid"]]
    assert all(sample.ignore == block(5, 0, 1, 2) for sample in samples(workspace))


def test_circles_lines_points_and_oriented_rectangles_are_drawn(workspace: Workspace, tmp_path: Path) -> None:
    shapes = [
        shape("a", [[10, 10], [10, 7]], "circle"),
        shape("b", [[20, 10], [25, 10]], "line"),
        shape("c", [[20, 30], [25, 30], [25, 36]], "linestrip"),
        shape("d", [[10, 30]], "point"),
        shape("e", [[30, 2], [33, 2], [33, 4], [30, 4]], "oriented_rectangle"),
        shape("f", [[36, 2], [38, 2], [38, 4]], None),
    ]
    files = {"a.json": labelme(*shapes, imageHeight=40, imageWidth=None), "a.png": encoded(pixels(40, 40))}
    taken(workspace, tmp_path, files)
    found = {sample.instances[0].label: sample.target() for sample in samples(workspace)}
    assert found["a"].box_xyxy == (7, 7, 14, 14)  # radius 3, the rim included
    assert found["d"].box_xyxy == (5, 25, 16, 36)  # radius 5
    assert found["e"].area == 12
    assert found["f"].area == 6  # 3 + 2 + 1
    # 10 wide: five rows above the line's centre, four below it and the centre's own; six columns, both ends counted.
    assert (found["b"].box_xyxy[1], found["b"].box_xyxy[3]) in ((5, 15), (6, 16))
    assert found["c"].area > 60


def test_a_picture_inside_the_file_is_taken_where_the_file_is_missing(workspace: Workspace, tmp_path: Path) -> None:
    inside = base64.b64encode(PICTURE).decode()
    other = encoded(pixels(6, 8, 1))
    files = {
        "a.json": labelme(shape("cup", SQUARE), path="gone.png", imageData=inside),
        "b.json": labelme(shape("lid", SQUARE), path="b.png", imageData=inside),
        "b.png": other,
    }
    assert taken(workspace, tmp_path, files).added == 2
    assert [sample.image_id for sample in samples(workspace)] == [inspect(data, "a").id for data in (PICTURE, other)]
    assert workspace.store.image(inspect(PICTURE, "a").id).file_name == "gone.png"


def test_pictures_lie_beside_or_below_also_under_names_of_windows_and_in_archives(
    workspace: Workspace, tmp_path: Path
) -> None:
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
        archive.writestr("x/a.json", labelme(shape("cup", SQUARE), path="pictures\\a.png"))
        archive.writestr("x/pictures/a.png", PICTURE)
    assert import_labelme(workspace, tmp_path / "in.zip", author="ann").added == 1
    source = folder(tmp_path / "in", {"a.json": labelme(shape("cup", SQUARE)), "a.png": PICTURE})
    assert import_labelme(workspace, source / "a.json", author="ann").skipped == 1


def test_flags_and_descriptions_are_kept_as_a_finding(workspace: Workspace, tmp_path: Path) -> None:
    shapes = [
        shape("cup", SQUARE, description="half full", flags={"broken": True, "new": False}),
        shape("lid", SQUARE),
    ]
    files = {"a.json": labelme(*shapes, flags={"indoor": True}), "a.png": PICTURE}
    report = taken(workspace, tmp_path, files)
    cup, lid = samples(workspace)
    said = "flags of the picture: indoor"
    assert findings(workspace, cup) == [("labelme", f"{said}; shape 1: half full, flags broken")]
    assert findings(workspace, lid) == [("labelme", said)]
    assert [note.note for note in report.notes] == [f"{said}; shape 1: half full, flags broken", said]


def test_polygons_outside_across_themselves_or_with_too_few_points_are_found(
    workspace: Workspace, tmp_path: Path
) -> None:
    shapes = [
        shape("cup", [[-2, 4], [2, 4], [2, 9], [-2, 9]]),
        shape("cup", [[3, 0], [7, 4], [7, 0], [3, 4]]),
        shape("cup", [[1, 1], [2, 2]]),
        shape("cup", [[90, 90]], "point"),
    ]
    taken(workspace, tmp_path, {"a.json": labelme(*shapes), "a.png": PICTURE})
    (sample,) = samples(workspace)
    assert text(sample.instances[0].mask) == [*["........"] * 4, "###.....", "###....."]
    assert len(sample.instances) == 3
    geometry = "geometry unchanged, painted as labelme does"
    assert findings(workspace, sample) == [
        ("dropped_part", "shape(s) 3 have too few points (a polygon needs 3) and are left out"),
        ("empty", "no pixel is left of instance(s) 3"),
        ("polygon", f"shape(s) 1 leave the 8×6 picture (width×height): {geometry}"),
        ("polygon", f"shape(s) 2 cross or touch themselves: {geometry}"),
    ]


def test_files_without_targets_and_of_others_are_ignored(workspace: Workspace, tmp_path: Path) -> None:
    files = {
        "a.json": labelme(),
        "b.json": labelme(shape("ignore me", SQUARE)),
        "c.json": b'{"names": []}',
        "d.json": b"[1]",
        "a.png": PICTURE,
        "readme.txt": b"",
    }
    report = taken(workspace, tmp_path, files)
    assert (report.added, report.ignored, report.refused) == (0, 5, ())
    assert [note.file for note in report.notes] == ["a.json", "b.json"]
    assert (workspace.store.images(), list(workspace.blobs.keys())) == ([], [])


def test_a_path_may_go_up_within_the_source_and_further_only_where_the_file_holds_its_picture(
    workspace: Workspace, tmp_path: Path
) -> None:
    inside = base64.b64encode(encoded(pixels(6, 8, seed=2))).decode()
    files = {
        "images/a.png": PICTURE,
        "json/a.json": labelme(shape("a", SQUARE), path="../images/a.png"),
        "json/b.json": labelme(shape("b", SQUARE), path="..\\..\\..\\x\\b.png", imageData=inside),
        "json/c.json": labelme(shape("c", SQUARE), path="D:\\x\\c.png", imageData=inside),
        "json/d.json": labelme(shape("d", SQUARE), path="../../secret.png"),
    }
    (tmp_path / "secret.png").write_bytes(PICTURE)
    report = taken(workspace, tmp_path, files)
    assert [refusal.file for refusal in report.refused] == ["json/d.json"]
    names = [workspace.store.image(sample.image_id).file_name for sample in samples(workspace)]
    assert names == ["images/a.png", "b.png", "b.png"]  # c.json's picture is the one that b.json brought


CUP = shape("cup", SQUARE)
BROKEN: dict[str, tuple[bytes, str]] = {
    "no json": (b"\x00", "no valid JSON"),
    "deep": (b'{"shapes":' * 200_000, "nested too deeply"),
    "surrogate": (labelme(shape("\ud800", SQUARE)), "lone surrogates"),
    "lisa": (json.dumps({"text": [], "shapes": []}).encode(), "whyseg import reasonseg"),
    "up": (labelme(CUP, path="../a.png"), "leads out of its folder"),
    "up on windows": (labelme(CUP, path="x\\..\\..\\a.png"), "leads out of its folder"),
    "absolute": (labelme(CUP, path="/etc/passwd"), "leads out of its folder"),
    "drive": (labelme(CUP, path="C:\\a.png"), "leads out of its folder"),
    "no path": (labelme(CUP, path=None), "'imagePath' is a file's name, got None"),
    "zero": (labelme(CUP, path="a\0.png"), "'imagePath' is a file's name"),
    "long path": (labelme(CUP, path="a" * 5000), "is missing"),
    "missing": (labelme(CUP, path="gone.png"), "its picture gone.png is missing, and 'imageData' is empty"),
    "no base64": (labelme(CUP, path="gone.png", imageData="a"), "'imageData' is no base64"),
    "no picture": (labelme(CUP, path="gone.png", imageData="aaaa"), "its picture gone.png: not a picture"),
    "data": (labelme(CUP, imageData=7), "'imageData' is a text or null, got 7"),
    "size": (labelme(CUP, imageHeight=8, imageWidth=6), "say 8×6, the picture a.png has 6×8"),
    "no size": (labelme(CUP, imageHeight="6"), "say '6'×8, the picture a.png has 6×8"),
    "shapes": (labelme(shapes=None), "'shapes' is a list, got None"),
    "label": (labelme(shape(7, SQUARE)), "the label of shape 1 is a text, got 7"),
    "long label": (labelme(shape("a" * 201, SQUARE)), "at most 200"),
    "type": (labelme(CUP, shape("cup", SQUARE, "cuboid")), "shape 2 is of type 'cuboid', none of polygon, "),
    "no type": (labelme(shape("cup", SQUARE, 7)), "the shape_type of shape 1 is a text, got 7"),
    "group": (labelme(shape("cup", SQUARE, group=[1])), "the group_id of shape 1 is a whole number or null"),
    "corners": (labelme(shape("cup", SQUARE, "rectangle")), "a rectangle has 2 points, got 4"),
    "nan": (labelme(shape("cup", [[1, float("nan")], [2, 2], [3, 3]])), "no finite number: nan"),
    "huge": (labelme(shape("cup", [[1, 10**400], [2, 2], [3, 3]])), "an integer of 1329 bits"),
    "circle": (labelme(shape("cup", [[1, 1], [1e6, 1]], "circle")), "a circle's radius is at most 131072 pixels"),
    "no mask": (labelme(shape("cup", [[1, 1], [2, 2]], "mask")), "'mask' is a text, got None"),
    "small mask": (labelme(shape("cup", [[1, 1], [4, 2]], "mask", mask=png("##"))), "are 1×2 .* span 2×4"),
    "false mask": (labelme(shape("cup", [[1, 1], [2, 2]], "mask", mask="aaaa")), "not a picture"),
    "packed": (labelme(CUP, whyseg={"version": 1, "instances": [{"id": "x"}]}), "."),
}


def test_each_bad_file_is_one_refusal_that_names_it_and_the_rest_comes_in(workspace: Workspace, tmp_path: Path) -> None:
    files = {f"{name}.json": data for name, (data, _) in BROKEN.items()}
    report = taken(workspace, tmp_path, {**files, "good.json": labelme(CUP), "a.png": PICTURE})
    assert [refusal.file for refusal in report.refused] == sorted(files)
    for refusal in report.refused:
        reason = BROKEN[refusal.file.removesuffix(".json")][1]
        assert re.search(reason, refusal.reason), (refusal.file, refusal.reason)
    assert report.added == 1
    assert verify(workspace) == []


def written(workspace: Workspace, out: Path) -> ExportReport:
    if not Releases(workspace).all():
        Releases(workspace).create("r", author="ann", states="any")
    return export(workspace, "r", out, LabelmeWriter())


def tree(path: Path) -> dict[str, bytes]:
    return {str(p.relative_to(path)): p.read_bytes() for p in sorted(path.rglob("*")) if p.is_file()}


@given(sets())
@settings(derandomize=True, deadline=None, max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_goes_out_comes_back_as_the_same_release_elsewhere(
    tmp_path_factory: pytest.TempPathFactory, pictures: Drawn
) -> None:
    path = tmp_path_factory.mktemp("labelme")
    with filled(path / "a", pictures) as here, Workspace.create(path / "b") as there:
        report = written(here, path / "out")
        assert report.losses == ()  # no mask but polygons
        back = import_labelme(there, path / "out", author="ben")
        assert (back.refused, back.notes, back.added) == ((), (), report.samples)
        assert Releases(there).create("r", author="ben", states="any").hash == report.hash
        for data, _ in pictures:
            key = inspect(data, "a.png").id
            record = there.store.image(key)  # but for the split, which it brings along
            assert record.model_copy(update={"split": None}) == here.store.image(key)


def test_empty_masks_and_regions_come_back_as_they_were(tmp_path: Path) -> None:
    data, empty = encoded(pixels(6, 8)), Mask.empty((6, 8))
    cup = ringed(data).instances[0]
    before = ringed(data).model_copy(update={"instances": (instance(2, empty, "lid"), cup), "ignore": empty})
    with filled(tmp_path / "w", [(data, [before])]) as workspace, Workspace.create(tmp_path / "b") as there:
        assert written(workspace, tmp_path / "out").losses == ()
        assert import_labelme(there, tmp_path / "out", author="ben").notes == ()
        assert samples(there) == [before]


def test_another_reader_s_masks_are_ours(tmp_path: Path) -> None:
    """Without what lies under ``whyseg`` the shapes alone give the same pixels, labels and parts."""
    data = encoded(pixels(6, 8))
    with filled(tmp_path / "w", [(data, [ringed(data)])]) as workspace:
        written(workspace, tmp_path / "out")
    (file,) = (tmp_path / "out").rglob("*.json")
    found = json.loads(file.read_text())
    assert {key for key in found if key != "whyseg"} == {
        *("version", "flags", "shapes", "imagePath", "imageData", "imageHeight", "imageWidth"),
    }
    assert all(one["shape_type"] == "polygon" and len(one["points"]) >= 3 for one in found["shapes"])
    file.write_text(json.dumps({key: value for key, value in found.items() if key != "whyseg"}))
    with Workspace.create(tmp_path / "b") as there:
        import_labelme(there, tmp_path / "out", author="ben")
        cup, nameless = samples(there)
    assert [(one.label, one.mask) for one in cup.instances] == [("cup", ringed(data).instances[0].mask)]
    assert [(one.label, one.mask) for one in nameless.instances] == [("object", block(0, 0, 1, 1))]
    assert cup.ignore == block(0, 4, 2, 2)


def ringed(data: bytes) -> Sample:
    """A 4×4 square at (1, 1) without its inner 2×2 pixels and with (7, 5), another instance, and an ignore region."""
    bitmap = np.zeros((6, 8), bool)
    bitmap[1:5, 1:5], bitmap[5, 7] = True, True
    bitmap[2:4, 2:4] = False
    instances = (instance(3, Mask.encode(bitmap), "cup"), instance(5, block(0, 0, 1, 1)))
    fields = {"instances": instances, "ignore": block(0, 4, 2, 2)}
    return Sample.start(inspect(data, "a.png").id, (6, 8), source="images", source_record="0", **fields)


def test_what_was_changed_with_labelme_comes_back_changed(tmp_path: Path) -> None:
    data = encoded(pixels(6, 8))
    with filled(tmp_path / "w", [(data, [ringed(data)])]) as workspace:
        written(workspace, tmp_path / "out")
    (file,) = (tmp_path / "out").rglob("*.json")
    found = json.loads(file.read_text())
    found["shapes"] = [
        shape("cup", SQUARE, group=3),  # another polygon
        shape("mug", [[0, 0], [0, 0], [0, 0]], group=5),  # another label
        shape("lid", [[5, 5], [6, 5], [6, 5]]),  # drawn anew
    ]
    file.write_text(json.dumps(found))
    with Workspace.create(tmp_path / "b") as there:
        assert import_labelme(there, tmp_path / "out", author="ben").added == 1
        (sample,) = samples(there)
        told = [message for _, message in findings(there, sample)]
    assert (sample.id, sample.ignore) == (ringed(data).id, None)
    assert [(one.id, one.label) for one in sample.instances] == [(3, "cup"), (5, "mug"), (6, "lid")]
    assert [one.mask for one in sample.instances] == [block(1, 1, 3, 3), block(0, 0, 1, 1), block(5, 5, 1, 2)]
    assert [one.origin.kind for one in sample.instances] == ["import", "click", "import"]
    assert told == [
        "instance 3 has other pixels than it had",
        "instance(s) 5, 6 have another label than they had",
        "the ignore region has other pixels than it had",
    ]


def test_a_mask_that_no_polygon_gives_is_written_as_a_mask_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = encoded(pixels(6, 8))
    monkeypatch.setattr(labelme_writer, "trace_pixels", lambda mask: [np.array([[0, 0], [1, 0], [1, 1]])])
    with filled(tmp_path / "w", [(data, [ringed(data)])]) as workspace:
        report = written(workspace, tmp_path / "out")
        assert [loss.what for loss in report.losses] == [
            "instance 3 is a mask: no polygon gives its pixels",
            "instance 5 is a mask: no polygon gives its pixels",
            "the ignore region is a mask: no polygon gives its pixels",
        ]
        with Workspace.create(tmp_path / "b") as there:
            assert import_labelme(there, tmp_path / "out", author="ben").notes == ()
            assert Releases(there).create("r", author="ben", states="any").hash == report.hash
    (file,) = (tmp_path / "out").rglob("*.json")
    assert json.loads(file.read_text())["shapes"][0]["points"] == [[1, 1], [7, 5]]


def test_a_mask_of_many_parts_is_written_as_a_mask_and_named(tmp_path: Path) -> None:
    # Every other pixel of every other row: 10 × 10 parts of 20 × 20 pixels are still polygons, 10 × 11 parts are not.
    data = encoded(pixels(20, 22))
    hundred, more = np.zeros((20, 22), bool), np.zeros((20, 22), bool)
    hundred[::2, :20:2], more[::2, ::2] = True, True
    instances = (instance(1, Mask.encode(hundred)), instance(2, Mask.encode(more)))
    image = inspect(data, "a.png")
    sample = Sample.start(image.id, (20, 22), source="images", source_record="0", instances=instances)
    with filled(tmp_path / "w", [(data, [sample])]) as workspace:
        report = written(workspace, tmp_path / "out")
    assert [loss.what for loss in report.losses] == ["instance 2 is a mask: it has 110 parts"]
    (file,) = (tmp_path / "out").rglob("*.json")
    kinds = [shape["shape_type"] for shape in json.loads(file.read_text())["shapes"]]
    assert kinds == ["polygon"] * 100 + ["mask"]
    with Workspace.create(tmp_path / "b") as there:
        assert import_labelme(there, tmp_path / "out", author="ben").notes == ()
        assert Releases(there).create("r", author="ben", states="any").hash == report.hash


def test_a_label_that_says_ignore_and_a_picture_written_anew_are_named(tmp_path: Path) -> None:
    data = turned(pixels(6, 8), 6, "PNG")
    cup = ringed(data).instances[0].model_copy(update={"label": "ignored sign"})
    sample = ringed(data).model_copy(update={"instances": (cup,)})
    with filled(tmp_path / "w", [(data, [sample])]) as workspace:
        report = written(workspace, tmp_path / "out")
    label = "the label 'ignored sign' is written as 'object', for it would mark pixels to ignore"
    assert [loss.what for loss in report.losses] == [REWRITTEN, label]
    with Workspace.create(tmp_path / "b") as there:
        import_labelme(there, tmp_path / "out", author="ben")
        (back,) = samples(there)
    assert [(one.label, one.mask) for one in back.instances] == [("ignored sign", cup.mask)]
    assert union([one.mask for one in back.instances], (6, 8)) == sample.target()


@pytest.mark.parametrize("fatal", [0, 1, 2])
def test_a_killed_export_ends_in_the_same_bytes_when_it_is_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fatal: int
) -> None:
    pictures = [encoded(pixels(6, 8, seed)) for seed in range(3)]
    monkeypatch.setattr(labelme_writer, "plan_evenly", lambda items: plan_evenly(items, 2))
    with filled(tmp_path / "w", [(data, [ringed(data)]) for data in pictures]) as workspace:
        written(workspace, tmp_path / "whole")
        real, calls = labelme_writer._shapes, list[int]()

        def shapes(row: Any) -> Any:
            calls.append(1)
            if len(calls) == fatal + 1:
                raise KeyboardInterrupt
            return real(row)

        with monkeypatch.context() as patch:
            patch.setattr(labelme_writer, "_shapes", shapes)
            with pytest.raises(KeyboardInterrupt):
                written(workspace, tmp_path / "out")
        assert not (tmp_path / "out").exists()
        written(workspace, tmp_path / "out")
    assert tree(tmp_path / "out") == tree(tmp_path / "whole")
