"""The wheel works alone: in a clean environment, beside a package that owns a top-level ``training``."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PilImage
from pycocotools import mask as coco

ROOT = Path(__file__).resolve().parents[1]
STUB = """\
[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"
[project]
name = "owner-of-training"
version = "1"
[tool.setuptools]
packages = ["training"]
"""


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheels")
    stub = tmp_path_factory.mktemp("stub")
    (stub / "pyproject.toml").write_text(STUB)
    (stub / "training").mkdir()
    (stub / "training" / "__init__.py").write_text("OWNER = 'stub'\n")
    for folder in (ROOT, stub):
        run(sys.executable, "-m", "build", "--wheel", "--outdir", str(out), str(folder))
    return out


def run(*command: str, cwd: Path | None = None) -> str:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False, env=environment)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_wheel_holds_every_module_and_all_data(wheels: Path) -> None:
    held = set(zipfile.ZipFile(next(wheels.glob("whyseg-*.whl"))).namelist())
    tracked = run("git", "ls-files", "schemas", "curation", "training", "ui", "data", cwd=ROOT).split()
    wanted = {f"whyseg/{name}" for name in tracked}
    assert wanted - held == set()
    assert {name.split("/")[0] for name in held} == {"whyseg", f"whyseg-{version()}.dist-info"}


def version() -> str:
    from whyseg import __version__

    return __version__


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_wheel_alone_makes_a_workspace_and_segments(wheels: Path, tmp_path: Path) -> None:
    run(sys.executable, "-m", "venv", str(tmp_path / "venv"))
    python = str(tmp_path / "venv" / "bin" / "python")
    whyseg = str(tmp_path / "venv" / "bin" / "whyseg")
    constraints = ["-c", str(ROOT / "constraints.txt")]
    run(python, "-m", "pip", "install", "-q", *constraints, "torch==2.13.0")
    run(python, "-m", "pip", "install", "-q", *constraints, *map(str, wheels.glob("*.whl")))
    installed = {package["name"].lower() for package in json.loads(run(python, "-m", "pip", "list", "--format=json"))}
    assert not installed & {"torchvision", "timm", "sam2", "trl", "scikit-image", "pytest"}
    ours = "import training, whyseg.training; print(training.OWNER, whyseg.training.__name__)"
    assert run(python, "-c", ours, cwd=tmp_path).split() == ["stub", "whyseg.training"]

    run(whyseg, "init", "w", cwd=tmp_path)
    picture = np.full((96, 128, 3), 235, np.uint8)
    picture[30:60, 40:90] = (220, 40, 40)
    PilImage.fromarray(picture).save(tmp_path / "scene.png")
    imported = json.loads(run(whyseg, "import", "images", "scene.png", "--workspace", "w", "--json", cwd=tmp_path))
    assert imported["added"] == 1
    command = ("segment", "scene.png", "--point", "65,45", "--segmenter", "sam2", "--model", "tiny-test", "--json")
    found = json.loads(run(whyseg, *command, cwd=tmp_path))
    best = coco.decode(found["masks"][0]["rle"]).astype(bool)
    assert best.shape == (96, 128)
    wanted = np.zeros((96, 128), bool)
    wanted[30:60, 40:90] = True
    assert (best & wanted).sum() / (best | wanted).sum() > 0.5  # the whole picture would give 0.12
    assert json.loads(run(whyseg, "verify", "--workspace", "w", "--json", cwd=tmp_path))["ok"]
