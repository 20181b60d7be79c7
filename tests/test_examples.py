"""Every script in examples/ runs as its own docstring says."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image as PilImage

from whyseg.schemas import Mask

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def test_a_picture_is_annotated_from_python(tmp_path: Path) -> None:
    picture = np.full((60, 80, 3), 230, np.uint8)
    picture[20:40, 30:60] = (200, 30, 30)
    PilImage.fromarray(picture).save(tmp_path / "cup.png")
    command = [sys.executable, str(EXAMPLES / "01_annotate.py"), str(tmp_path / "cup.png"), "45,30"]
    command += ["--segmenter", "grabcut", "--workspace", str(tmp_path / "w")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "imported: 1 added" in done.stdout
    assert "revision 2 is submitted" in done.stdout
    assert "found again: True; problems: 0" in done.stdout


def test_many_answers_become_one_mask(tmp_path: Path) -> None:
    def said(*pixels: int) -> dict[str, object]:
        mask = Mask.encode(np.array([[x in pixels for x in range(8)]]))
        return {"parsed": True, "objects": [{"rle": mask.plain(), "score": 0.5, "label": "cup"}]}

    answers = [said(0, 1, 2, 3), said(0, 1, 2, 3), said(1, 2, 3), {"parsed": False}]
    (tmp_path / "c.json").write_text(json.dumps({"size": [1, 8], "answers": answers}))
    command = [sys.executable, str(EXAMPLES / "04_vote.py"), str(tmp_path / "c.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    # 3 of 4 pixels: apart at an IoU of 0.85, together at 0.75, where pixel 0 has two thirds of the votes.
    assert "best: mask, 4 pixels, agreement 0.67" in done.stdout
    assert "consensus: mask, 4 pixels, agreement 1.00" in done.stdout


def test_every_example_is_tested() -> None:
    tested = Path(__file__).read_text()
    assert all(path.name in tested for path in EXAMPLES.glob("*.py"))
