"""LISA's layout in and out; every file is made here."""

import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings

from tests.builders import block, instance
from tests.curation.formats.drawn import filled, sets
from tests.pictures import encoded, pixels, turned
from whyseg.curation.exporting import REWRITTEN, ExportReport, export, plan_evenly
from whyseg.curation.formats import reasonseg
from whyseg.curation.formats.reasonseg import ReasonSegWriter, import_reasonseg
from whyseg.curation.images import inspect
from whyseg.curation.intake import ImportReport
from whyseg.curation.queries import SampleFilter
from whyseg.curation.releases import Releases
from whyseg.curation.verify import verify
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Mask, Query, Sample

Drawn = list[tuple[bytes, list[Sample]]]
SQUARE = [[1, 1], [3, 1], [3, 3], [1, 3]]  # columns and rows 1–3
PICTURE = encoded(pixels(6, 8), "JPEG")


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace.create(tmp_path / "w") as opened:
        yield opened


def lisa(shapes: Any, text: Any = ("what holds the drink?",), sentence: Any = True, **more: Any) -> bytes:
    text = list(text) if isinstance(text, tuple) else text
    return json.dumps({"text": text, "is_sentence": sentence, "shapes": shapes, **more}).encode()


def shape(points: Any, label: Any = "target", **more: Any) -> dict[str, Any]:
    return {"label": label, "points": points, **more}


def folder(path: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


def taken(workspace: Workspace, path: Path, files: dict[str, bytes]) -> ImportReport:
    return import_reasonseg(workspace, folder(path / "in", files), author="ann")


def samples(workspace: Workspace) -> list[Sample]:
    rows = workspace.store.page(SampleFilter(), limit=1000).samples
    return [workspace.store.head(row.id).sample for row in rows]


def text(mask: Mask | None) -> list[str]:
    assert mask is not None
    return ["".join("#" if pixel else "." for pixel in row) for row in mask.decode()]


def findings(workspace: Workspace, sample: Sample) -> list[tuple[str, str]]:
    return sorted((finding.kind, finding.severity) for finding in workspace.store.findings(sample.id))


def read_as_lisa_does(path: Path) -> tuple[npt.NDArray[np.uint8], list[str], bool]:
    """LISA's rule, written down once more and on the whole picture: 0, 1 for the target, 255 for ignore."""
    picture = cv2.imread(str(path.with_suffix(".jpg")))
    assert picture is not None
    data = json.loads(path.read_text())
    painted = []
    for one in data["shapes"]:
        if one["label"].lower() == "flag":
            continue
        corners: Any = np.array([one["points"]], dtype=np.int32)
        alone = np.zeros(picture.shape[:2], np.uint8)
        cv2.polylines(alone, corners, True, 1, 1)
        cv2.fillPoly(alone, corners, 1)
        painted.append((int(alone.sum()), corners, 255 if "ignore" in one["label"].lower() else 1))
    canvas = np.zeros(picture.shape[:2], np.uint8)
    for _, corners, value in sorted(painted, key=lambda one: one[0], reverse=True):
        cv2.polylines(canvas, corners, True, value, 1)
        cv2.fillPoly(canvas, corners, value)
    return canvas, data["text"], data["is_sentence"]


def test_a_folder_comes_in_as_lisa_reads_it(workspace: Workspace, tmp_path: Path) -> None:
    shapes = [
        shape([[5.9, 0.9], [7.9, 0.9], [7.9, 1.2], [5, 1]]),  # cut to columns 5–7, rows 0–1
        shape(SQUARE, "Target"),
        shape([[2, 2], [3, 2], [3, 3], [2, 3]], "IGNORE this"),  # smaller, so it is painted over the square
        shape([[0, 0], [7, 0], [7, 5], [0, 5]], "FLAG"),
    ]
    files = {"val/cup.jpg": PICTURE, "val/cup.json": lisa(shapes, (" what holds it? ", "which one keeps it?"), False)}
    report = taken(workspace, tmp_path, files)
    assert (report.added, report.refused, report.ignored, report.findings) == (1, (), 0, 0)
    (sample,) = samples(workspace)
    assert sample.query is not None
    assert sample.query.plain() == {
        "text": "what holds it?",
        "is_sentence": False,
        "alternates": ["which one keeps it?"],
        "origin": {"kind": "import", "model": None, "edit_distance": None},
    }
    assert (sample.split, sample.source, sample.source_name) == ("validation", "reasonseg", "val/cup.json")
    assert [one.label for one in sample.instances] == ["", ""]
    assert [one.origin.kind for one in sample.instances] == ["import", "import"]
    first, second = (one.mask for one in sample.instances)
    assert text(first) == [".....###", ".....###", *["........"] * 4]
    assert text(second) == ["........", ".###....", ".#......", ".#......", "........", "........"]
    assert text(sample.ignore) == ["........", "........", "..##....", "..##....", "........", "........"]
    assert verify(workspace) == []


def test_a_second_run_and_the_same_content_under_another_name_add_nothing(workspace: Workspace, tmp_path: Path) -> None:
    files = {"a.jpg": PICTURE, "a.json": lisa([shape(SQUARE)])}
    assert taken(workspace, tmp_path, files).added == 1
    again = taken(workspace, tmp_path, {**files, "b.jpg": PICTURE, "b.json": files["a.json"]})
    assert (again.added, again.skipped, again.refused) == (0, 2, ())
    assert taken(workspace, tmp_path, {"a.json": lisa([shape([[1, 1], [2, 1], [2, 2]])])}).added == 1


def test_pictures_lie_under_any_suffix_and_jpg_comes_first(workspace: Workspace, tmp_path: Path) -> None:
    files = {
        "a.png": encoded(pixels(6, 8, 1)),
        "a.json": lisa([shape(SQUARE)]),
        "b.JPG": encoded(pixels(6, 8, 2)),
        "b.json": lisa([shape(SQUARE)]),
        "c.jpg": encoded(pixels(6, 8, 3)),
        "c.png": encoded(pixels(6, 8, 4)),
        "c.json": lisa([shape(SQUARE)]),
        "notes.txt": b"hello",
    }
    report = taken(workspace, tmp_path, files)
    assert (report.added, report.ignored, report.refused) == (3, 2, ())  # c.png and notes.txt are nothing for it
    ids = {inspect(files[name], name).id for name in ("a.png", "b.JPG", "c.jpg")}
    assert {sample.image_id for sample in samples(workspace)} == ids


def test_the_folder_s_own_name_tells_the_split_where_no_folder_below_does(workspace: Workspace, tmp_path: Path) -> None:
    files = {"a.jpg": PICTURE, "a.json": lisa([shape(SQUARE)])}
    source = folder(tmp_path / "ReasonSeg" / "test", files)
    assert import_reasonseg(workspace, source / "a.json", author="ann", dry_run=True).added == 1
    assert samples(workspace) == []
    assert import_reasonseg(workspace, source, author="ann").added == 1
    assert samples(workspace)[0].split == "test"


def test_archives_single_files_and_globs_come_in(workspace: Workspace, tmp_path: Path) -> None:
    some = {
        f"{name}.{suffix}": lisa([shape(SQUARE)], (name,)) if suffix == "json" else PICTURE
        for name in "abc"
        for suffix in ("json", "png")
    }
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
        for name in sorted(some, key=lambda name: name.endswith("png")):  # pictures last
            archive.writestr(f"train/{name}", some[name])
    assert import_reasonseg(workspace, tmp_path / "in.zip", author="ann").added == 3
    assert {sample.split for sample in samples(workspace)} == {"train"}
    source = folder(tmp_path / "on disk", {name.replace(".", "2."): data for name, data in some.items()})
    for path, count in ((source / "a2.json", (0, 1)), (source / "*.json", (0, 3))):
        report = import_reasonseg(workspace, path, author="ann")
        assert (report.added, report.skipped, report.refused) == (*count, ())


def test_a_file_in_cp1252_comes_in(workspace: Workspace, tmp_path: Path) -> None:
    data = json.dumps({"text": ["the café’s cup"], "is_sentence": True, "shapes": [shape(SQUARE)]}, ensure_ascii=False)
    taken(workspace, tmp_path, {"a.jpg": PICTURE, "a.json": data.encode("cp1252")})
    query = samples(workspace)[0].query
    assert query is not None
    assert query.text == "the café’s cup"


def test_a_file_without_polygons_becomes_a_no_target_candidate(workspace: Workspace, tmp_path: Path) -> None:
    files = {
        "a.jpg": PICTURE,
        "a.json": lisa([]),
        "b.jpg": PICTURE,
        "b.json": lisa([shape(SQUARE, "ignore"), shape(SQUARE, "flag")], ("anything?",)),
    }
    report = taken(workspace, tmp_path, files)
    assert (report.added, report.findings) == (2, 2)
    for sample in samples(workspace):
        assert (sample.no_target, sample.instances) == (True, ())
        assert findings(workspace, sample) == [("no_polygons", "warning")]
    assert sorted(sample.ignore.area if sample.ignore else 0 for sample in samples(workspace)) == [0, 9]


def test_polygons_outside_and_across_themselves_are_painted_as_lisa_does_with_a_finding(
    workspace: Workspace, tmp_path: Path
) -> None:
    bow = [[0, 0], [4, 4], [4, 0], [0, 4]]
    outside = [[-3, 4], [2, 4], [2, 9], [-3, 9]]
    taken(workspace, tmp_path, {"a.jpg": PICTURE, "a.json": lisa([shape(bow), shape(outside)])})
    (sample,) = samples(workspace)
    # The even-odd inside of the bow with its lines, which are the diagonals and the sides at x = 0 and x = 4.
    assert text(sample.instances[0].mask) == ["#...#...", "##.##...", "#####...", "##.##...", "#...#...", "........"]
    assert text(sample.instances[1].mask) == [*["........"] * 4, "###.....", "###....."]
    assert findings(workspace, sample) == [("polygon", "info"), ("polygon", "info")]
    messages = sorted(finding.message for finding in workspace.store.findings(sample.id))
    assert messages == [
        "shape(s) 1 cross or touch themselves: geometry unchanged, painted as LISA does",
        "shape(s) 2 leave the 8×6 picture (width×height): geometry unchanged, painted as LISA does",
    ]


def test_parts_with_too_few_points_are_dropped_with_a_finding(workspace: Workspace, tmp_path: Path) -> None:
    files = {
        "a.jpg": PICTURE,
        "a.json": lisa([shape([[1, 1], [2, 2]]), shape(SQUARE), shape([])]),
        "b.jpg": PICTURE,
        "b.json": lisa([shape([[1, 1]])]),
    }
    assert taken(workspace, tmp_path, files).added == 2
    first, second = sorted(samples(workspace), key=lambda sample: sample.source_name)
    assert (len(first.instances), findings(workspace, first)) == (1, [("dropped_part", "info")])
    assert (second.instances, second.no_target) == ((), False)  # something was drawn: no word of no target
    assert findings(workspace, second) == [("dropped_part", "info"), ("no_polygons", "warning")]


def test_a_target_that_vanishes_and_a_missing_question_are_found(workspace: Workspace, tmp_path: Path) -> None:
    gone = [[20, 20], [30, 20], [30, 30]]
    taken(workspace, tmp_path, {"a.jpg": PICTURE, "a.json": lisa([shape(gone)], ("", " "))})
    (sample,) = samples(workspace)
    assert (sample.query, sample.instances[0].mask.area) == (None, 0)
    expected = [("empty", "warning"), ("no_question", "warning"), ("polygon", "info")]
    assert findings(workspace, sample) == expected


BROKEN: dict[str, tuple[bytes, str]] = {
    "no json": (b"{", "no valid JSON"),
    "empty": (b"", "no valid JSON"),
    "bytes": (b"\xff\xfe\x81\x8d", "neither UTF-8 nor cp1252"),
    "deep": (b"[" * 200_000, "nested too deeply"),
    "digits": (b'{"text": ' + b"1" * 5000 + b"}", "no valid JSON"),
    "surrogate": (lisa([shape(SQUARE)], ("a\ud800",)), "lone surrogates"),
    "list": (b"[1]", "'text' and 'shapes'"),
    "text": (lisa([shape(SQUARE)], 7), "'text' is a list of texts, got 7"),
    "texts": (lisa([shape(SQUARE)], [["a"]]), "'text' is a list of texts, got a list"),
    "long text": (lisa([shape(SQUARE)], ("a" * 4001,)), "at most 4000"),
    "sentence": (lisa([shape(SQUARE)], ("a",), 1), "'is_sentence' is true or false, got 1"),
    "shapes": (lisa({}), "'shapes' is a list, got an object"),
    "shape": (lisa([7]), "shape 1 is an object with label and points, got 7"),
    "label": (lisa([shape(SQUARE, None)]), "the label of shape 1 is a text, got None"),
    "points": (lisa([shape(SQUARE), shape("abc")]), "the points of shape 2 are a list"),
    "point": (lisa([shape([[1, 2], [3, 4], [5]])]), r"a point of shape 1 is two numbers \[x, y\], got \[5\]"),
    "texts as numbers": (lisa([shape([["1", "2"], [3, 4], [5, 6]])]), "two numbers"),
    "booleans": (lisa([shape([[True, 2], [3, 4], [5, 6]])]), "two numbers"),
    "nan": (lisa([shape([[float("nan"), 2], [3, 4], [5, 6]])]), "no finite number: nan"),
    "infinity": (lisa([shape([[1, 2], [3, 4], [5, -float("inf")]])]), "no finite number: -inf"),
    "far": (lisa([shape([[1, 2], [3, 4], [5, 1e9]])]), "farther away than 1e"),
    "huge": (lisa([shape([[1, 2], [3, 4], [5, 10**400]])]), "farther away than 1e.*an integer of 1329 bits"),
    "labelme": (json.dumps({"shapes": []}).encode(), "whyseg import labelme"),
    "whyseg": (lisa([shape(SQUARE)], whyseg=[]), "'whyseg' is an object"),
    "packed": (lisa([shape(SQUARE)], whyseg={"version": 99}), "a packed sample has version 1, got 99"),
}


def test_each_bad_file_is_one_refusal_that_names_it_and_the_rest_comes_in(workspace: Workspace, tmp_path: Path) -> None:
    files = {f"{name}.json": data for name, (data, _) in BROKEN.items()} | {"good.json": lisa([shape(SQUARE)])}
    report = taken(workspace, tmp_path, files | {name.replace(".json", ".jpg"): PICTURE for name in files})
    assert [refusal.file for refusal in report.refused] == sorted(f"{name}.json" for name in BROKEN)
    for refusal in report.refused:
        reason = BROKEN[refusal.file.removesuffix(".json")][1]
        assert re.search(reason, refusal.reason), (refusal.file, refusal.reason)
    assert report.added == 1
    assert verify(workspace) == []


def test_more_shapes_or_pixels_than_any_picture_needs_are_refused(workspace: Workspace, tmp_path: Path) -> None:
    files = {"a.jpg": PICTURE, "a.json": lisa([shape([])] * 200_001)}
    assert "over the limit of 200000" in taken(workspace, tmp_path, files).refused[0].reason
    far = [[0, -1e7], [8, -1e7], [8, 1e7]]
    report = taken(workspace, tmp_path, {"a.json": lisa([shape(far)] * 1000)})
    assert "pixels together, over the limit" in report.refused[0].reason


def test_a_missing_or_broken_picture_is_a_refusal_of_its_json(workspace: Workspace, tmp_path: Path) -> None:
    files = {
        "a.json": lisa([shape(SQUARE)]),
        "b.json": lisa([shape(SQUARE)]),
        "b.jpg": PICTURE[:50],
        "labels.json": b'{"0": "cup"}',  # nothing of LISA's, beside no picture
        "explanatory/train.json": b'[{"image": "a.jpg", "query": "", "outputs": ""}]',
    }
    report = taken(workspace, tmp_path, files)
    assert [refusal.file for refusal in report.refused] == ["a.json", "b.json"]
    assert report.refused[0].reason == "its picture a.jpg is missing beside it, under any suffix"
    assert report.refused[1].reason.startswith("its picture b.jpg: ")
    assert (report.added, report.ignored) == (0, 2)


def test_masks_lie_on_the_upright_picture(workspace: Workspace, tmp_path: Path) -> None:
    stored = turned(pixels(6, 8), 6, "JPEG")  # OpenCV, and so LISA, turns it too
    taken(workspace, tmp_path, {"a.jpg": stored, "a.json": lisa([shape([[5, 1], [7, 1], [7, 5]])])})
    (sample,) = samples(workspace)
    assert (sample.size, sample.instances[0].mask.box_xyxy) == ((6, 8), (5, 1, 8, 6))


def written(workspace: Workspace, out: Path) -> ExportReport:
    if not Releases(workspace).all():
        Releases(workspace).create("r", author="ann", states="any")
    return export(workspace, "r", out, ReasonSegWriter())


def tree(path: Path) -> dict[str, bytes]:
    return {str(p.relative_to(path)): p.read_bytes() for p in sorted(path.rglob("*")) if p.is_file()}


def holdable(pictures: Drawn) -> Drawn:
    """Take from drawn samples what LISA's layout cannot hold: no question, no mask, pixels both target and ignored."""
    found = []
    for data, some in pictures:
        kept = []
        for sample in some:
            ignore = sample.ignore and Mask.encode(sample.ignore.decode() & ~sample.target().decode())
            fields = {"query": sample.query or Query(text="why?"), "no_target": not sample.instances, "ignore": ignore}
            if sample.no_target or not sample.instances or sample.target().area:
                kept.append(sample.model_copy(update=fields))
        found += [(data, kept)] if kept else []
    return found


@given(sets())
@settings(derandomize=True, deadline=None, max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_goes_out_comes_back_as_the_same_release_elsewhere(
    tmp_path_factory: pytest.TempPathFactory, pictures: Drawn
) -> None:
    pictures = holdable(pictures)
    if not pictures:
        return
    path = tmp_path_factory.mktemp("reasonseg")
    with filled(path / "a", pictures) as here, Workspace.create(path / "b") as there:
        report = written(here, path / "out")
        assert report.losses == ()
        back = import_reasonseg(there, path / "out", author="ben")
        assert (back.refused, back.notes, back.ignored) == ((), (), 1)  # the report
        assert Releases(there).create("r", author="ben", states="any").hash == report.hash
        for data, _ in pictures:
            key = inspect(data, "a.png").id
            record = there.store.image(key)  # but for the split, which it brings along
            assert record.model_copy(update={"split": None}) == here.store.image(key)
    by_id = {sample.id: sample for _, some in pictures for sample in some}
    for file in sorted((path / "out").rglob("*.json")):
        sample = by_id[file.stem.rsplit("-", 1)[-1]]
        labels, texts, sentence = read_as_lisa_does(file)
        assert sample.query is not None
        assert (texts, sentence) == ([sample.query.text, *sample.query.alternates], sample.query.is_sentence)
        assert np.array_equal(labels == 1, sample.target().decode())
        assert np.array_equal(labels == 255, sample.ignore.decode() if sample.ignore else labels < 0)


@given(sets())
@settings(derandomize=True, deadline=None, max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_the_layout_cannot_hold_is_named(tmp_path_factory: pytest.TempPathFactory, pictures: Drawn) -> None:
    path = tmp_path_factory.mktemp("reasonseg")
    with filled(path / "a", pictures) as here, Workspace.create(path / "b") as there:
        report = written(here, path / "out")
        import_reasonseg(there, path / "out", author="ben")
        back = {sample.id: sample for sample in samples(there)}
        assert report.written == len(back)
    losses = {loss.sample_id: loss for loss in report.losses}
    for _, some in pictures:
        for sample in some:
            if sample.id not in back:
                assert losses[sample.id].what.startswith("left out: ")
            elif back[sample.id] != sample:
                assert losses[sample.id].what == "pixels that are target and ignored are target alone"
                assert back[sample.id].target() == sample.target()
            else:
                assert sample.id not in losses


def ring() -> Mask:
    """A 4×4 square at (1, 1) without its inner 2×2 pixels, and a pixel of its own at (7, 5)."""
    bitmap = np.zeros((6, 8), bool)
    bitmap[1:5, 1:5], bitmap[5, 7] = True, True
    bitmap[2:4, 2:4] = False
    return Mask.encode(bitmap)


def ringed(data: bytes) -> Sample:
    fields = {"query": Query(text="what holds it?"), "instances": (instance(3, ring(), "cup"),)}
    return Sample.start(inspect(data, "a.png").id, (6, 8), source="images", source_record="0", **fields)


def test_the_files_are_those_that_lisa_globs(tmp_path: Path) -> None:
    data = encoded(pixels(6, 8))
    with filled(tmp_path / "w", [(data, [ringed(data)])]) as workspace:
        report = written(workspace, tmp_path / "out")
        (item,) = Releases(workspace).items("r")
    home = {"train": "train", "validation": "val", "test": "test"}[item.split]
    names = [f"{home}/0-{item.sample_id}.jpg", f"{home}/0-{item.sample_id}.json"]
    assert sorted(tree(tmp_path / "out")) == sorted(["export-report.jsonl", *names])
    assert (tmp_path / "out" / names[0]).read_bytes() == data  # a PNG, as it came: readers go by the content
    found = json.loads((tmp_path / "out" / names[1]).read_text())
    assert [one["label"] for one in found["shapes"]] == ["target", "target"]
    assert [one["group_id"] for one in found["shapes"]] == [3, 3]
    assert [7, 5] in [one["points"][0] for one in found["shapes"] if len(one["points"]) == 3]
    assert (report.written, report.losses) == (1, ())


def test_what_was_changed_in_the_file_comes_back_changed(tmp_path: Path) -> None:
    data = encoded(pixels(6, 8))
    with filled(tmp_path / "w", [(data, [ringed(data)])]) as workspace:
        written(workspace, tmp_path / "out")
    (file,) = (tmp_path / "out").rglob("*.json")
    found = json.loads(file.read_text())
    found["shapes"] = [
        {"label": "target", "points": SQUARE, "group_id": 3},
        {"label": "target", "points": [[5, 0], [6, 0], [6, 0]], "group_id": None},  # drawn anew
        {"label": "ignore", "points": [[0, 5], [1, 5], [1, 5]], "group_id": None},
    ]
    found["text"] = ["what holds the water?"]
    file.write_text(json.dumps(found))
    with Workspace.create(tmp_path / "b") as there:
        assert import_reasonseg(there, tmp_path / "out", author="ben").added == 1
        (sample,) = samples(there)
        assert findings(there, sample) == [("import", "warning")] * 2
    assert sample.id == ringed(data).id
    assert [(one.id, one.label, one.origin.kind) for one in sample.instances] == [
        (3, "cup", "import"),
        (4, "", "import"),
    ]
    assert sample.instances[0].mask == block(1, 1, 3, 3)
    assert sample.instances[1].mask == block(0, 5, 1, 2)
    assert sample.ignore == block(5, 0, 1, 2)
    assert sample.query is not None
    assert (sample.query.text, sample.query.origin.kind) == ("what holds the water?", "import")


def test_a_no_target_sample_that_was_given_a_polygon_has_a_target(tmp_path: Path) -> None:
    data = encoded(pixels(6, 8))
    none = ringed(data).model_copy(update={"instances": (), "no_target": True})
    with filled(tmp_path / "w", [(data, [none])]) as workspace:
        assert written(workspace, tmp_path / "out").written == 1
    (file,) = (tmp_path / "out").rglob("*.json")
    found = json.loads(file.read_text())
    assert found["shapes"] == []
    file.write_text(json.dumps({**found, "shapes": [{"label": "target", "points": SQUARE}]}))
    with Workspace.create(tmp_path / "b") as there:
        import_reasonseg(there, tmp_path / "out", author="ben")
        (sample,) = samples(there)
    assert (sample.no_target, sample.target()) == (False, block(1, 1, 3, 3))


def test_a_picture_that_readers_see_differently_is_written_anew_and_named(tmp_path: Path) -> None:
    data = turned(pixels(6, 8), 6, "PNG")
    with filled(tmp_path / "w", [(data, [ringed(data)])]) as workspace:
        report = written(workspace, tmp_path / "out")
    assert [(loss.what, loss.iou) for loss in report.losses] == [(REWRITTEN, None)]
    (file,) = (tmp_path / "out").rglob("*.jpg")
    seen = cv2.imread(str(file), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    assert seen is not None
    assert np.array_equal(seen[..., ::-1], pixels(6, 8))


def test_a_gif_keeps_its_bytes_and_is_named(tmp_path: Path) -> None:
    data = encoded(pixels(6, 8), "GIF")
    with filled(tmp_path / "w", [(data, [ringed(data)])]) as workspace:
        report = written(workspace, tmp_path / "out")
    assert [loss.what for loss in report.losses] == ["the picture is a GIF, which OpenCV reads from 4.11 on"]
    assert next((tmp_path / "out").rglob("*.jpg")).read_bytes() == data


@pytest.mark.parametrize("fatal", [0, 1, 2])
def test_a_killed_export_ends_in_the_same_bytes_when_it_is_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fatal: int
) -> None:
    pictures = [encoded(pixels(6, 8, seed)) for seed in range(3)]
    monkeypatch.setattr(reasonseg, "plan_evenly", lambda items: plan_evenly(items, 2))
    with filled(tmp_path / "w", [(data, [ringed(data)]) for data in pictures]) as workspace:
        written(workspace, tmp_path / "whole")
        real, calls = reasonseg._document, list[int]()

        def document(row: Any) -> Any:
            calls.append(1)
            if len(calls) == fatal + 1:
                raise KeyboardInterrupt
            return real(row)

        with monkeypatch.context() as patch:
            patch.setattr(reasonseg, "_document", document)
            with pytest.raises(KeyboardInterrupt):
                written(workspace, tmp_path / "out")
        assert not (tmp_path / "out").exists()
        written(workspace, tmp_path / "out")
    assert tree(tmp_path / "out") == tree(tmp_path / "whole")
