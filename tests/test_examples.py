"""Every script in examples/ runs as its own docstring says."""

import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image as PilImage

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


def test_every_example_is_tested() -> None:
    tested = Path(__file__).read_text()
    assert all(path.name in tested for path in EXAMPLES.glob("*.py"))
