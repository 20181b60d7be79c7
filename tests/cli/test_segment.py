import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as PilImage

from tests import provision
from tests.cli.test_workspace import run
from whyseg.schemas import Mask

TINY = ("--segmenter", "sam2", "--model", "tiny-test")


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A blue square, columns 90–149 and rows 40–99, on grey; 200 × 140."""
    image = np.full((140, 200, 3), 150, np.uint8)
    image[40:100, 90:150] = (40, 60, 210)
    path = tmp_path / "square.png"
    PilImage.fromarray(image).save(path)
    return path


def masks_of(stdout: str) -> list[tuple[Mask, float]]:
    """Read the masks of standard output, which must be one JSON document."""
    document: Any = json.loads(stdout)
    assert set(document) == {"masks", "segmenter", "embed_ms", "decode_ms"}
    return [(Mask.parse(found["rle"]), found["score"]) for found in document["masks"]]


def test_the_square_is_found_and_the_answer_is_one_json_document(picture: Path) -> None:
    done = run("segment", str(picture), "--point", "120,70", "--box", "90,40,149,99", *TINY, "--json")
    assert done.returncode == 0, done.stderr
    found = masks_of(done.stdout)
    assert len(found) == 4
    assert [score for _, score in found] == sorted((score for _, score in found), reverse=True)
    square = np.zeros((140, 200), bool)
    square[40:100, 90:150] = True
    assert found[0][0].iou(Mask.encode(square)) > 0.7
    assert json.loads(done.stdout)["segmenter"] == "sam2"


@pytest.mark.slow
def test_points_are_clicks_one_after_another_each_refining_the_one_before(picture: Path) -> None:
    """The same masks as the steps taken by hand, and others than those of all points at once."""
    from whyseg.curation.segmenters import choose
    from whyseg.curation.segmenters.crops import encode_crop, mask_from_crop
    from whyseg.schemas import Point, Prompt

    done = run("segment", str(picture), "--point", "95,45", "--point", "140,90", "--point", "30,20,0", *TINY, "--json")
    segmenter, _ = choose("sam2", model="tiny-test")
    embedding = segmenter.embed(np.asarray(PilImage.open(picture)))
    clicks = (Point(x=95, y=45), Point(x=140, y=90), Point(x=30, y=20, positive=False))
    proposals = segmenter.propose(embedding, Prompt(points=clicks[:1]))
    for n in (2, 3):
        proposals = segmenter.propose(embedding, Prompt(points=clicks[:n]), proposals[0].logits)
    at_once = segmenter.propose(embedding, Prompt(points=clicks))
    expected, others = (
        [mask_from_crop((140, 200), crop.bbox, crop.counts) for crop in (encode_crop(p)[0] for p in found)]
        for found in (proposals, at_once)
    )
    assert [mask for mask, _ in masks_of(done.stdout)] == expected
    assert expected != others


def test_without_json_a_table_is_shown(picture: Path) -> None:
    done = run("segment", str(picture), "--point", "120,70", "--segmenter", "grabcut")
    assert done.returncode == 0
    assert "score" in done.stdout.splitlines()[0]
    assert done.stdout.splitlines()[-1].startswith("grabcut opencv/grabcut: embedded in")
    assert done.stderr.startswith("GrabCut, as asked")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "a prompt is missing"),
        (("--point", "200,1"), "point 200,1 is outside the 200×140 image"),
        (("--point", "-1,1"), "outside"),
        (("--point", "5"), "expected a point X,Y"),
        (("--point", "5,x"), "expected a point X,Y"),
        (("--point", "nan,5"), "expected a point X,Y"),
        (("--point", "1e300,5"), "expected a point X,Y"),
        (("--point", "5,5,2"), "label is 1"),
        (("--box", "5,5,5,9"), "X1 < X2"),
        (("--box", "5,5,9"), "expected a box"),
        (("--box", "300,5,310,9"), "outside"),
        (("--point", "5,5", "--segmenter", "magic"), "there are auto, sam2, mobilesam, grabcut"),
    ],
)
def test_wrong_use_exits_2_with_one_line(picture: Path, arguments: tuple[str, ...], message: str) -> None:
    done = run("segment", str(picture), *arguments, "--json")
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_picture_that_cannot_be_read_exits_1_with_one_line(tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture")
    for name in ("broken.jpg", "missing.jpg", "."):
        done = run("segment", name, "--point", "1,1", "--json", cwd=tmp_path)
        assert (done.returncode, done.stdout) == (1, ""), name
        assert done.stderr.count("\n") == 1
        assert name in done.stderr


def test_a_model_that_cannot_be_had_exits_1_with_one_line(picture: Path, tmp_path: Path) -> None:
    done = run("segment", str(picture), "--point", "1,1", "--segmenter", "sam2", "--model", str(tmp_path))
    assert done.returncode == 1
    assert "holds no config.json" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.mobilesam
def test_mobilesam_finds_the_cup_of_a_photograph(tmp_path: Path) -> None:
    provision.mobilesam()
    from skimage import data

    PilImage.fromarray(np.asarray(data.coffee())).save(tmp_path / "coffee.png")
    done = run("segment", "coffee.png", "--point", "300,160", "--segmenter", "mobilesam", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    # The candidates: saucer with cup, the coffee in it, the cup; the coffee covers about a sixteenth of the picture.
    shares = sorted(mask.area / (400 * 600) for mask, _ in masks_of(done.stdout))
    assert 0.03 < shares[0] < 0.10
    assert shares[-1] > 0.3
