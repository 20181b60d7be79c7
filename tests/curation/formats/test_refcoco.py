import json
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.pictures import encoded, pixels
from whyseg.curation.formats.plain_pickle import read_plain_pickle
from whyseg.curation.formats.refcoco import import_refcoco
from whyseg.curation.queries import SampleFilter
from whyseg.curation.reading import open_data
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Mask
from whyseg.schemas.errors import RefusedInput, UsageError

HEIGHT, WIDTH = 12, 16
SQUARE = [2, 3, 6, 3, 6, 8, 2, 8]  # pixels x 2–5, y 3–7: 4 × 5 = 20
RUNS = {"size": [HEIGHT, WIDTH], "counts": [24, 7, 5, 9, 147]}  # 16 pixels


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace.create(tmp_path / "w") as opened:
        yield opened


def ref(number: int, *texts: str, split: Any = "testA", **more: Any) -> dict[str, Any]:
    sentences = [
        {"sent_id": 10 * number + place, "sent": text, "raw": text.upper(), "tokens": text.split()}
        for place, text in enumerate(texts)
    ]
    plain = {"ref_id": number, "ann_id": 50 + number, "image_id": 7, "category_id": 3, "split": split}
    return {**plain, "file_name": "COCO_7_50.png", "sent_ids": [], "sentences": sentences, **more}


def folder(path: Path, *refs: Any, protocol: int = 2) -> Path:
    (path / "images").mkdir(parents=True)
    (path / "images" / "COCO_7.png").write_bytes(encoded(pixels(HEIGHT, WIDTH)))
    annotations = [
        {"id": 50, "image_id": 7, "category_id": 3, "segmentation": [SQUARE], "iscrowd": 0},
        {"id": 51, "image_id": 7, "category_id": 3, "segmentation": RUNS, "iscrowd": 1},
    ]
    known = {
        "images": [{"id": 7, "file_name": "COCO_7.png", "height": HEIGHT, "width": WIDTH}],
        "annotations": annotations,
        "categories": [{"id": 3, "name": "person"}],
    }
    (path / "instances.json").write_text(json.dumps(known))
    (path / "refs(unc).p").write_bytes(pickle.dumps(list(refs), protocol=protocol))
    return path / "refs(unc).p"


REFS = (
    ref(0, "man on the left", "he who sits"),
    ref(1, "everyone else", split="testB"),
    ref(0, "the man", split="val", ref_id=2),
)


@pytest.mark.parametrize("protocol", [0, 1, 2, 4])
def test_every_expression_is_a_sample(workspace: Workspace, tmp_path: Path, protocol: int) -> None:
    source = folder(tmp_path / "in", *REFS, protocol=protocol)
    report = import_refcoco(workspace, source, author="ann")
    assert (report.added, report.refused) == (4, ())
    found = workspace.store.page(SampleFilter(), limit=9).samples
    by_text = {one.query.text: one for row in found if (one := workspace.store.head(row.id).sample).query}
    assert set(by_text) == {"man on the left", "he who sits", "everyone else", "the man"}
    expected = np.zeros((HEIGHT, WIDTH), bool)
    expected[3:8, 2:6] = True
    first = by_text["man on the left"]
    assert first.target() == by_text["the man"].target() == Mask.encode(expected)
    assert by_text["everyone else"].target().area == 16
    assert (first.split, by_text["everyone else"].split, by_text["the man"].split) == ("test", "test", "validation")
    assert (first.instances[0].label, first.instances[0].source_id) == ("person", "50")
    assert first.source_name == "COCO_7.png (testA, ref 0, sentence 0)"
    assert import_refcoco(workspace, source, author="ann").skipped == 4


def test_a_split_is_read_by_expressions_or_by_instances(tmp_path: Path) -> None:
    source = folder(tmp_path / "in", *REFS)

    def texts(name: str) -> list[str]:
        return [item.sample.query.text for item in open_data(f"{source}{name}").items() if item.sample.query]

    assert texts("") == ["man on the left", "he who sits", "everyone else", "the man"]
    assert texts("/testA") == texts("/testA/expressions") == ["man on the left", "he who sits"]
    assert texts("/testA/instances") == ["man on the left"]
    assert texts("/testB/instances") == ["everyone else"]
    with pytest.raises(UsageError, match=r"refs\(unc\)\.p has no split testC; it has testA, testB, val"):
        texts("/testC")
    with pytest.raises(UsageError, match="stands instances or expressions, got rows"):
        texts("/testA/rows")


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (ref(0, "a", ann_id=99), "instances.json has no annotation 99 of image 7"),
        (ref(0, "a", image_id=8), "instances.json has no image 8"),
        (ref(0), "a split and a list of sentences"),
        (ref(0, " "), "sentence 0 has no text"),
        (ref(0, "lone \ud800"), "sentence 0 has no text"),
        (ref(0, "a", split=5), "a split and a list of sentences"),
        (ref(0, "a", ref_id=2**63), "ref_id is a whole number"),
        (ref(0, "a", ann_id="50"), "ann_id is a whole number"),
        ([], "a ref is a dictionary, got list"),
    ],
)
def test_a_broken_ref_is_refused_and_the_rest_comes_in(
    workspace: Workspace, tmp_path: Path, bad: Any, message: str
) -> None:
    report = import_refcoco(workspace, folder(tmp_path / "in", bad, ref(1, "fine")), author="ann")
    assert report.added == 1
    assert [message in refusal.reason for refusal in report.refused] == [True]


def test_without_its_pictures_or_annotations_nothing_is_taken(workspace: Workspace, tmp_path: Path) -> None:
    source = folder(tmp_path / "in", *REFS)
    (tmp_path / "in" / "images" / "COCO_7.png").unlink()
    report = import_refcoco(workspace, source, author="ann")
    assert (report.added, [refusal.file for refusal in report.refused]) == (0, ["COCO_7.png"])
    (tmp_path / "in" / "instances.json").unlink()
    with pytest.raises(UsageError, match=r"needs instances\.json beside it"):
        import_refcoco(workspace, source, author="ann")
    with pytest.raises(UsageError, match="is no pickle of refs"):
        import_refcoco(workspace, tmp_path / "in", author="ann")
    with pytest.raises(UsageError, match=r"refs\(unc\)\.p holds no refs"):
        import_refcoco(workspace, folder(tmp_path / "none"), author="ann")


class Hostile:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_that_would_run_something_is_refused_and_nothing_runs(tmp_path: Path, protocol: int) -> None:
    target = tmp_path / "written"
    source = folder(tmp_path / "in", *REFS)
    source.write_bytes(pickle.dumps([*REFS, Hostile(target)], protocol=protocol))
    with pytest.raises(RefusedInput, match="only lists, dictionaries, numbers and texts are read of a pickle"):
        list(open_data(source).items())
    assert not target.exists()
    pickle.loads(source.read_bytes())  # the file is indeed what it seems
    assert target.exists()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no sound pickle"),
        (b"nothing of the kind", "no sound pickle|got"),
        (pickle.dumps([1, "two"], 2)[:-3], "no sound pickle"),
        (b"]r\xff\xff\xff\x7f.", "no memo of 2147483647 entries"),  # 16 GB of memo in C
        (b"cos\nsystem\n(S'true'\ntR.", "got GLOBAL"),
        (b"\x80\x04\x8c\x02os\x8c\x06system\x93.", "got STACK_GLOBAL"),
        (b"Pid\n.", "got PERSID"),
        (b"\x80\x02\x82\x01.", "got EXT1"),
        (b"]" + b"\x85" * 100_000 + b".", "got TUPLE1"),  # hashed as a key it overflows the stack
        (b"\x80\x05\x96\xff\xff\xff\xff\xff\xff\x00\x00.", "got BYTEARRAY8|no sound pickle"),
        (b"]].", None),
        (b"]K\x01s.", "no sound pickle"),
        (b"}]K\x01s.", "no sound pickle"),  # a list is no key
        (b"].]", "follow the end"),
        (b"I" + b"9" * 10_000 + b"\n.", "no sound pickle"),
    ],
)
def test_broken_and_hostile_pickles_are_refused(data: bytes, message: str | None) -> None:
    if message is None:
        assert read_plain_pickle(data, "x.p") == []
        return
    with pytest.raises(RefusedInput, match=message):
        read_plain_pickle(data, "x.p")


def test_what_any_protocol_writes_of_plain_data_comes_back() -> None:
    plain = [{"a": 1, "b": -(2**70), "ä": [None, True, False, 2.5, ""], "c": {}}, "x" * 300, list(range(300))]
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert read_plain_pickle(pickle.dumps(plain, protocol=protocol), "x.p") == plain
