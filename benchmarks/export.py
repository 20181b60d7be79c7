"""What exports cost: bytes a row, time to read, samples a second on one core, memory, beside the seeds' bool layout.

    python -m benchmarks.export [--quick] [--out FILE]

Samples lie on made-up photographs of 640×480, one each, with one to three instances that have parts and holes. The
baseline is how the papers' sets were made: ``Dataset.from_list`` with each union as a list of lists of bool. On the Hub
that is parquet, which packs bools well; on the disk of whoever trains, be it ``load_from_disk`` or the cache of
``load_dataset``, it is Arrow, a bit a pixel. Both are shown, and the budget is of Arrow, the union's bytes to hf's.
Every export runs in a process of its own, bound to one core; its time includes what the format imports late, and not
the start of Python. The budget is of processor time: what else runs on the machine does not count. Nothing is asserted;
figures, budgets and machine are printed and written as JSON.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import export_data
from benchmarks.machine import describe, line
from benchmarks.rows import Budget, Row, options, over, write
from benchmarks.rows import show as show_rows
from whyseg.curation.exporting import Writer, export
from whyseg.curation.releases import Releases
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Mask

FORMATS = ("hf", "grpo", "reasonseg", "coco", "labelme")
BASELINE = "bool"
BASELINE_ROWS = 200  # as the papers' validation set has; more would fill the memory
GROWTH = (500, 2000)  # samples, for the memory
GROWING = ("hf", "coco")
SLOW = ("grpo", BASELINE)
SHARE = 20  # of the bool layout's bytes, masks may take one in so many
RATE = 200  # samples a second on a core


def main() -> None:
    """Measure, print, write; or be the process that one measurement runs in."""
    parser = options(__doc__, "export")
    parser.add_argument("--run", nargs=3, metavar=("FORMAT", "WORKSPACE", "OUT"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.run:
        print(json.dumps(run(asked.run[0], Path(asked.run[1]), Path(asked.run[2]))))
        return
    machine = describe("whyseg", "datasets", "pyarrow", "numpy", "opencv-python-headless")
    result = measured(10 if asked.quick else 1)
    print(line(machine))
    show(result)
    rows = table_rows(result)
    show_rows(rows)
    write(asked.out, rows, machine, quick=asked.quick, **result)


def measured(divisor: int) -> dict[str, Any]:
    few, many = (number // divisor for number in GROWTH)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number in (few, many):
            export_data.make(folder / f"w{number}", number)
        small, large = folder / f"w{few}", folder / f"w{many}"
        exports = {form: best_of(form, small, folder) for form in (*FORMATS, BASELINE)}
        memory = {form: grown(exports[form], process(form, large, folder / f"large-{form}")) for form in GROWING}
        layouts = {"hf": read_hf(folder / "hf"), BASELINE: read_bools(folder / BASELINE)}
    return {
        "size": list(export_data.SIZE), "samples": few, "exports": exports, "memory_mb": memory, "masks": layouts,
    }  # fmt: skip


def table_rows(found: dict[str, Any]) -> list[Row]:
    """Return what was found as rows, with the budgets."""
    exports, (hf, bools) = found["exports"], (found["masks"][name] for name in ("hf", BASELINE))
    plain = exports[BASELINE]["a_core_second"]
    rows = []
    for form in FORMATS:
        rate = exports[form]["a_core_second"]
        rows.append(
            Row(
                what=f"export {form}", unit="samples/s a core", value=rate,
                baseline="Dataset.from_list, masks as bools", against=plain,
                ratio=round(rate / plain, 1), means="times as many",
                budget=Budget(of="value", at_least=RATE) if form == "hf" else None,
            )
        )  # fmt: skip
    for what, ours in (("a union's mask, PNG", hf["union_arrow"]), ("an instance's mask", hf["instance_arrow"])):
        dense = bools["union_arrow"]
        rows.append(
            Row(
                what=what, unit="bytes", value=ours, baseline="as bools in Arrow", against=dense,
                ratio=round(dense / ours, 1), means="times smaller", budget=Budget(of="ratio", at_least=SHARE),
            )
        )  # fmt: skip
    for form, sizes in found["memory_mb"].items():
        (few, less), (many, more) = sizes.items()
        rows.append(
            Row(
                what=f"memory of export {form}, {many} samples", unit="MB", value=more,
                baseline=f"{few} samples", **over(more, less), budget=Budget(of="ratio", at_most=1.1),
            )
        )  # fmt: skip
    return rows


def grown(small: dict[str, Any], large: dict[str, Any]) -> dict[str, int]:
    """Return the memory of an export of few and of one of many samples, by their number."""
    return {str(figures["samples"]): figures["peak_mb"] for figures in (small, large)}


def best_of(form: str, workspace: Path, folder: Path) -> dict[str, Any]:
    """Return the fastest of some runs, of one where a run takes long; the outputs stay."""
    runs = 1 if form in SLOW else 2
    done = [process(form, workspace, folder / (f"{form}{number}" if number else form)) for number in range(runs)]
    return max(done, key=lambda figures: figures["a_core_second"])


def process(form: str, workspace: Path, out: Path) -> dict[str, Any]:
    """Run one export in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.export", "--run", form, str(workspace), str(out)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def run(form: str, folder: Path, out: Path) -> dict[str, Any]:
    """Export on one core; return seconds, samples a second and the process's largest size in memory."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    with Workspace.open(folder) as workspace:
        before, cpu = time.perf_counter(), time.process_time()
        if form == BASELINE:
            count = as_bools(workspace, out)
        else:
            count = export(workspace, export_data.RELEASE, out, writer_of(form)).written
        seconds, cpu = time.perf_counter() - before, time.process_time() - cpu
    return {
        "samples": count,
        "seconds": round(seconds, 2),
        "samples_a_second": round(count / seconds, 1),
        "a_core_second": round(count / cpu, 1),
        "bytes_a_sample": sum(path.stat().st_size for path in out.rglob("*") if path.is_file()) // count,
        "peak_mb": peak_mb(),
    }


def peak_mb() -> int:
    """Return the largest size that this process had in memory, in MB; `getrusage` would count its parent in."""
    for row in Path("/proc/self/status").read_text().splitlines():
        if row.startswith("VmHWM:"):
            return int(row.split()[1]) * 1024 // 10**6
    raise RuntimeError("/proc/self/status has no VmHWM")


def writer_of(form: str) -> Writer:
    """Return a format's writer; its import belongs to the measurement, as it does for a user."""
    if form == "hf":
        from whyseg.curation.formats.parquet import ParquetWriter

        return ParquetWriter()
    if form == "grpo":
        from whyseg.curation.formats.grpo import GrpoWriter

        return GrpoWriter()
    if form == "reasonseg":
        from whyseg.curation.formats.reasonseg import ReasonSegWriter

        return ReasonSegWriter()
    if form == "coco":
        from whyseg.curation.formats.coco_writer import CocoWriter

        return CocoWriter()
    from whyseg.curation.formats.labelme import LabelmeWriter

    return LabelmeWriter()


def as_bools(workspace: Workspace, out: Path) -> int:
    """Write the first samples as the papers' sets were made; return their number."""
    from datasets import Dataset, Features, Image, List, Value

    releases = Releases(workspace)
    items = releases.items(export_data.RELEASE)[:BASELINE_ROWS]
    rows = [
        {
            "image": {"bytes": workspace.blobs.read(item.image_id), "path": None},
            "text": revision.sample.query.text if revision.sample.query else "",
            "mask": revision.sample.target().decode().tolist(),
            "image_id": item.image_id,
            "ann_id": item.sample_id,
            "img_height": revision.sample.size[0],
            "img_width": revision.sample.size[1],
        }
        for item, revision in zip(items, releases.revisions(items), strict=True)
    ]
    text, number = Value("string"), Value("int64")
    columns = Features(
        {
            "image": Image(), "text": text, "mask": List(List(Value("bool"))), "image_id": text, "ann_id": text,
            "img_height": number, "img_width": number,
        }
    )  # fmt: skip
    out.mkdir()
    made = Dataset.from_list(rows, features=columns)
    made.to_parquet(str(out / "data.parquet"))
    return len(rows)


def read_hf(folder: Path) -> dict[str, Any]:
    """Return bytes and milliseconds to read: of a row's union as PNG, and of its instances as run lengths."""
    files = sorted((folder / "data").iterdir())
    rle = "instances.list.element.rle."

    def union(row: dict[str, Any]) -> Any:
        return np.asarray(row["mask"]) > 0

    def instances(row: dict[str, Any]) -> Any:
        return [Mask.parse(instance["rle"]).decode() for instance in row["instances"]]

    masks = [table_of(path, ["mask.bytes"]).column("mask").nbytes for path in files]
    counts = [table_of(path, [f"{rle}size.list.element", f"{rle}counts"]).column("instances") for path in files]
    number = sum(len(column.combine_chunks().flatten()) for column in counts)
    return {
        "union_parquet": stored(files, "mask."),
        "union_arrow": sum(masks) // rows_of(files),
        "instance_parquet": stored(files, rle) * rows_of(files) // number,
        "instance_arrow": sum(column.nbytes for column in counts) // number,
        "read_union_ms": reading(files[0], "mask", union),
        "read_instances_ms": reading(files[0], "instances", instances),
    }


def read_bools(folder: Path) -> dict[str, Any]:
    """Return bytes and milliseconds to read, of a row's union as bools; an instance takes as many as a union."""
    files = [folder / "data.parquet"]
    return {
        "union_parquet": stored(files, "mask."),
        "union_arrow": table_of(files[0], ["mask"]).nbytes // rows_of(files),
        "read_union_ms": reading(files[0], "mask", lambda row: np.array(row["mask"], bool)),
    }


def table_of(path: Path, columns: list[str]) -> Any:
    import pyarrow.parquet as pq

    return pq.ParquetFile(path).read(columns=columns)  # which takes the paths of single leaves, too


def rows_of(files: list[Path]) -> int:
    import pyarrow.parquet as pq

    return sum(int(pq.read_metadata(path).num_rows) for path in files)


def stored(files: list[Path], column: str) -> int:
    """Return how many bytes a row the columns whose paths begin so take in parquet files, as compressed."""
    import pyarrow.parquet as pq

    size = 0
    for path in files:
        metadata = pq.read_metadata(path)
        for group in range(metadata.num_row_groups):
            chunks = [metadata.row_group(group).column(number) for number in range(metadata.num_columns)]
            size += sum(chunk.total_compressed_size for chunk in chunks if chunk.path_in_schema.startswith(column))
    return size // rows_of(files)


def reading(path: Path, column: str, decode: Callable[[dict[str, Any]], Any], most: int = 100) -> float:
    """Return the milliseconds a row to read a column from disk through datasets and turn it into arrays."""
    from datasets import Dataset

    started = time.perf_counter()
    table = table_of(path, [column])
    loaded = (time.perf_counter() - started) / table.num_rows
    rows = Dataset(table.slice(0, most))
    started = time.perf_counter()
    for row in rows:
        decode(row)
    decoded = (time.perf_counter() - started) / len(rows)
    return float(round((loaded + decoded) * 1000, 2))


def show(result: dict[str, Any]) -> None:
    """Print everything as tables."""
    height, width = result["size"]
    print(f"{result['samples']} samples on {width}×{height}; {BASELINE}: Dataset.from_list with lists of bool\n")
    names = ("samples_a_second", "a_core_second", "bytes_a_sample", "peak_mb")
    print(f"{'export':<12}" + "".join(f"{name.replace('_', ' '):>18}" for name in names))
    for form, row in result["exports"].items():
        print(f"{form:<12}" + "".join(f"{row[name]:>18,}" for name in names))
    names = tuple(result["masks"]["hf"])
    print(f"\n{'masks':<12}" + "".join(f"{name.replace('_', ' '):>18}" for name in names))
    for form, row in result["masks"].items():
        print(f"{form:<12}" + "".join(f"{row[name] if name in row else '':>18}" for name in names))
    for form, row in result["memory_mb"].items():
        print(f"\n{form}: " + ", ".join(f"{samples} samples {peak} MB" for samples, peak in row.items()), end="")
    print("\n")


if __name__ == "__main__":
    main()
