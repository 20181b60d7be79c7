"""Taking in a large COCO set: pictures and annotations a second, peak memory, beside the bare work on the same files.

    python -m benchmarks.import_many [--quick] [--out FILE]

5,000 made-up JPEGs of 320×240 with 8 polygons each, 40,000 in all. The bare work reads and hashes every file,
decodes it in full, and turns the polygons into run lengths with pycocotools; it runs before and after the import, and
the mean of both is the baseline, in processor time. A second import finds everything there. Every run is a process of
its own; the memory of a fifth of the set stands beside that of the whole.
"""

import argparse
import hashlib
import io
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image as PilImage

from benchmarks.export import peak_mb
from benchmarks.machine import describe, line
from benchmarks.rows import Row, options, over, show, write
from whyseg.curation.formats.coco import import_coco
from whyseg.curation.workspace import Workspace

PICTURES, EACH, SIZE = 5_000, 8, (240, 320)


def main() -> None:
    """Measure, print, write; or be the process that one measurement runs in."""
    parser = options(__doc__, "import_many")
    parser.add_argument("--run", nargs=3, metavar=("WHAT", "SET", "WORKSPACE"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.run:
        print(json.dumps(run(asked.run[0], Path(asked.run[1]), Path(asked.run[2]))))
        return
    pictures = PICTURES // 10 if asked.quick else PICTURES
    machine = describe("whyseg", "pillow", "pycocotools", "sqlalchemy")
    with tempfile.TemporaryDirectory() as name:
        found = measured(Path(name), pictures)
    rows = rows_of(found)
    print(line(machine))
    show(rows)
    write(asked.out, rows, machine, quick=asked.quick, **found)


def make(folder: Path, pictures: int) -> None:
    """Write a set: pictures with coarse shapes, and wavy polygons of 24 corners in three categories."""
    folder.mkdir()
    rng, (height, width) = np.random.default_rng(0), SIZE
    turn = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    images, annotations = [], []
    for number in range(pictures):
        coarse = rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)
        pixels = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        PilImage.fromarray(pixels.astype(np.uint8)).save(folder / f"{number:05d}.jpg", quality=85)
        images.append({"id": number, "file_name": f"{number:05d}.jpg", "width": width, "height": height})
        for k in range(EACH):
            centre, radius = rng.uniform(50, 190, 2), rng.uniform(8, 40) * rng.uniform(0.8, 1.2, 24)
            ring = centre + radius[:, None] * np.stack([np.cos(turn), np.sin(turn)], 1)
            annotations.append(
                {
                    "id": number * EACH + k, "image_id": number, "category_id": 1 + k % 3, "iscrowd": 0,
                    "segmentation": [ring.round(2).ravel().tolist()],
                    "bbox": [*ring.min(0).tolist(), *np.ptp(ring, axis=0).tolist()],
                }
            )  # fmt: skip
    categories = [{"id": n, "name": name} for n, name in enumerate(("cup", "dog", "kite"), 1)]
    (folder / "set.json").write_text(
        json.dumps({"images": images, "annotations": annotations, "categories": categories})
    )


def measured(folder: Path, pictures: int) -> dict[str, Any]:
    make(folder / "large", pictures)
    make(folder / "small", pictures // 5)
    before = process("bare", folder / "large", folder / "team")
    whole = process("import", folder / "large", folder / "team")
    again = process("import", folder / "large", folder / "team")
    after = process("bare", folder / "large", folder / "team")
    small = process("import", folder / "small", folder / "other")
    return {"pictures": pictures, "bare": [before, after], "import": whole, "again": again, "small": small}


def process(what: str, source: Path, workspace: Path) -> dict[str, Any]:
    """Run one part in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.import_many", "--run", what, str(source), str(workspace)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{what} failed: {done.stderr[-2000:]}")
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def run(what: str, source: Path, folder: Path) -> dict[str, Any]:
    """Import a set or do the bare work; return what was taken, seconds, processor seconds and the largest memory."""
    with Workspace.open(folder) if folder.exists() else Workspace.create(folder) as workspace:
        began, cpu = time.perf_counter(), time.process_time()
        if what == "bare":
            taken = bare(source)
        else:
            report = import_coco(workspace, source / "set.json", author="benchmark")
            if report.refused:
                raise RuntimeError(f"refused: {report.refused[:3]}")
            taken = report.added + report.skipped
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    return {"taken": taken, "seconds": round(seconds, 2), "cpu_seconds": round(cpu, 2), "peak_mb": peak_mb()}


def bare(source: Path) -> int:
    """Hash and decode all pictures, and make run lengths of all polygons."""
    from pycocotools import mask as coco

    data = json.loads((source / "set.json").read_text())
    for entry in data["images"]:
        content = (source / entry["file_name"]).read_bytes()
        hashlib.sha256(content).hexdigest()
        PilImage.open(io.BytesIO(content)).convert("RGB").load()
    for annotation in data["annotations"]:
        coco.merge(coco.frPyObjects(annotation["segmentation"], *SIZE))
    return len(data["images"])


def rows_of(found: dict[str, Any]) -> list[Row]:
    """Return what was found as rows."""
    pictures, whole, again = found["pictures"], found["import"], found["again"]
    plain = sum(one["cpu_seconds"] for one in found["bare"]) / 2
    name = f"import of {pictures:,} pictures, {pictures * EACH:,} annotations"
    small = found["small"]["peak_mb"]
    return [
        Row(
            what=name, unit="s of processor time", value=whole["cpu_seconds"],
            baseline="reading, hashing, decoding in full, run lengths", **over(whole["cpu_seconds"], plain),
        ),
        Row(what=f"{name}: pictures", unit="pictures/s", value=round(pictures / whole["seconds"], 1)),
        Row(what=f"{name}: annotations", unit="annotations/s", value=round(pictures * EACH / whole["seconds"], 1)),
        Row(
            what=f"{name}, all of it there already", unit="s of processor time", value=again["cpu_seconds"],
            baseline="the first import", **over(again["cpu_seconds"], whole["cpu_seconds"]),
        ),
        Row(
            what=f"{name}: memory", unit="MB", value=whole["peak_mb"], baseline="a fifth of the set",
            **over(whole["peak_mb"], small),
        ),
    ]  # fmt: skip


if __name__ == "__main__":
    main()
