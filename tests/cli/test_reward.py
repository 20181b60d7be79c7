import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pytest
from PIL import Image as PilImage

from tests.builders import block
from whyseg.cli import main
from whyseg.schemas import Mask

SIZE = (100, 200)
MASK = block(25, 50, 25, 50, SIZE)  # half-open box 50, 25 – 100, 50
# in the canvas of 840: x × 4.2, y × 8.4
ITEM = {"label": "cup", "bbox_2d": [210, 210, 420, 420], "point_2d": [315, 315]}


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


class Run(Protocol):
    def __call__(self, *words: str) -> Done: ...


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command line in this process: starting another costs a second each time."""

    def call(*words: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["whyseg", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return Done(int(ended.value.code or 0), out, err)

    return call


@pytest.fixture
def target(tmp_path: Path) -> Path:
    path = tmp_path / "target.json"
    item = {"rle": MASK.plain(), "bbox_2d": [50, 25, 100, 50], "point_2d": [75, 37.5], "label": "cup"}
    path.write_text(json.dumps({"size": list(SIZE), "instances": [item]}))
    return path


def written(folder: Path, data: Any, *, end: str = "\n", name: str = "answer.txt") -> Path:
    path = folder / name
    path.write_bytes(f"<think>A cup.</think><answer>{json.dumps(data)}</answer>{end}".encode())
    return path


def masks_file(folder: Path, *masks: Mask | None) -> Path:
    path = folder / "masks.json"
    path.write_text(json.dumps([mask and mask.plain() for mask in masks]))
    return path


def test_json_is_one_document_with_every_term(run: Run, tmp_path: Path, target: Path) -> None:
    done = run("reward", "vision_reasoner_7b", str(written(tmp_path, [ITEM])), "--target", str(target), "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "preset": "vision_reasoner_7b",
        "frame": "canvas_840",
        "terms": {"thinking_format": 1, "answer_format": 2, "accuracy": 3, "non_repeat": 1},
        "total": 7,
    }


def test_a_table_shows_what_each_term_could_have_been(run: Run, tmp_path: Path, target: Path) -> None:
    done = run("reward", "vision_reasoner_7b", str(written(tmp_path, [])), "--target", str(target))
    assert done.stdout.splitlines() == [
        "vision_reasoner_7b, answer in canvas_840: names 0, 1 to find",
        "thinking_format       1.000 of 1",
        "answer_format         0.000 of 2",
        "accuracy              0.000 of 3",
        "non_repeat            1.000 of 1",
        "total                 2.000 of 7",
    ]


@pytest.mark.parametrize(("end", "value"), [("", 1), ("\n", 1), ("\r\n", 1), ("\n\n", 0), (" \n", 0)])
def test_one_newline_at_the_end_of_the_file_is_no_part_of_the_answer(
    run: Run, tmp_path: Path, target: Path, end: str, value: float
) -> None:
    answer = written(tmp_path, [ITEM], end=end)
    done = run("reward", "vision_reasoner_7b", str(answer), "--target", str(target), "--json")
    assert json.loads(done.stdout)["terms"]["thinking_format"] == value


def test_the_frame_may_be_another(run: Run, tmp_path: Path, target: Path) -> None:
    answer = written(tmp_path, [{"bbox_2d": [50, 25, 100, 50], "point_2d": [75, 37.5]}])
    done = run("reward", "vision_reasoner_7b", str(answer), "--target", str(target), "--frame", "pixels", "--json")
    found = json.loads(done.stdout)
    assert (found["frame"], found["total"]) == ("pixels", 7)


def test_masks_of_a_file_take_the_segmenters_place(run: Run, tmp_path: Path, target: Path) -> None:
    answer = written(tmp_path, [ITEM, ITEM])
    half = block(25, 50, 25, 20, SIZE)  # 20 of 50 columns: IoU 0.4, worth 1 of 5
    masks = masks_file(tmp_path, half, None)
    done = run("reward", "star_7b_stage2", str(answer), "--target", str(target), "--masks", str(masks), "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["terms"]["accuracy"] == 1  # 2 × 1 / 2


def test_a_segmenter_makes_the_masks_on_the_picture(run: Run, tmp_path: Path, target: Path) -> None:
    pixels = np.full((*SIZE, 3), 150, np.uint8)
    pixels[25:50, 50:100] = (40, 60, 210)
    PilImage.fromarray(pixels).save(tmp_path / "square.png")
    answer = written(tmp_path, [ITEM])
    words = ("--image", str(tmp_path / "square.png"), "--segmenter", "grabcut", "--json")
    done = run("reward", "star_7b_stage2", str(answer), "--target", str(target), *words)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["terms"]["accuracy"] >= 4  # 2 × at least 2: the IoU is above 0.5


def test_masks_and_picture_are_not_looked_at_where_no_mask_is_compared(run: Run, tmp_path: Path, target: Path) -> None:
    words = ("--target", str(target), "--masks", "no such file", "--image", "none either", "--segmenter", "what")
    done = run("reward", "vision_reasoner_7b", str(written(tmp_path, [ITEM])), *words, "--json")
    assert json.loads(done.stdout)["total"] == 7


def test_an_answer_that_cannot_be_read_has_a_score_and_a_reason(run: Run, tmp_path: Path, target: Path) -> None:
    (tmp_path / "answer.txt").write_bytes(b"\xff\xfe no idea")
    masks = masks_file(tmp_path)
    words = ("--target", str(target), "--masks", str(masks), "--json")
    done = run("reward", "star_7b_stage1", str(tmp_path / "answer.txt"), *words)
    assert done.returncode == 0
    assert "the answer cannot be read: not exactly one block <answer>" in done.stderr
    assert json.loads(done.stdout)["total"] == 1  # nothing is repeated


def test_wrong_use_exits_2_and_says_what_is_wrong_in_one_line(run: Run, tmp_path: Path, target: Path) -> None:
    answer, goal = str(written(tmp_path, [ITEM])), str(target)
    one = str(masks_file(tmp_path, MASK, MASK))
    two = tmp_path / "two.json"
    two.write_text(json.dumps({"size": list(SIZE), "instances": [{"rle": MASK.plain()}, {"rle": MASK.plain()}]}))
    for words, said in [
        (("lisa", answer, "--target", goal), "no preset 'lisa'; there are sam_r1_7b"),
        (("star_7b_stage1", answer, "--target", goal), "give --masks MASKS.json or --image IMAGE"),
        (("vision_reasoner_7b", answer, "--target", goal, "--frame", "grid"), "a frame is pixels"),
        (("seg_zero_3b", answer, "--target", str(two)), "takes targets of one instance, got 2"),
        (("star_7b_stage1", answer, "--target", goal, "--masks", one), "each of the 1 predicted objects, got 2"),
    ]:
        done = run("reward", *words, "--json")
        assert (done.returncode, done.stdout) == (2, ""), done.stderr
        assert said in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_a_file_that_cannot_be_used_exits_1_and_is_named(run: Run, tmp_path: Path, target: Path) -> None:
    answer, goal = str(written(tmp_path, [ITEM])), str(target)
    broken, other = tmp_path / "broken.json", tmp_path / "other.json"
    broken.write_text("{")
    other.write_text('[{"size": [100, 200], "counts": "0"}]')
    PilImage.new("RGB", (20, 20)).save(tmp_path / "small.png")
    for words, said in [
        (("vision_reasoner_7b", str(tmp_path / "none.txt"), "--target", goal), "none.txt"),
        (("vision_reasoner_7b", answer, "--target", str(broken)), "broken.json: not JSON"),
        (("vision_reasoner_7b", answer, "--target", str(other)), "other.json: "),
        (("star_7b_stage1", answer, "--target", goal, "--masks", str(other)), "other.json: Mask: "),
        (("star_7b_stage1", answer, "--target", goal, "--masks", goal), "expected a list of RLEs, got dict"),
        (("star_7b_stage1", answer, "--target", goal, "--image", str(broken)), "broken.json: "),
        (("star_7b_stage1", answer, "--target", goal, "--image", str(tmp_path / "small.png")), "20×20"),
    ]:
        done = run("reward", *words, "--json")
        assert (done.returncode, done.stdout) == (1, ""), (words, done.stderr)
        assert said in done.stderr
        assert len(done.stderr.splitlines()) == 1
