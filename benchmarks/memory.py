"""The app's memory while 1,000 pictures are opened and clicked on: does it grow beyond its cache of embeddings?

    python -m benchmarks.memory [--quick] [--out FILE]

The real server with the tiny SAM 2, its cache of embeddings bound to what a tenth of the pictures take, in a process
of its own. Each sample is opened as the page does it: sample, picture, thumbnail, encoding, a click, another candidate,
a save. Resident memory is read after every ten.
"""

import argparse
import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil  # type: ignore[import-untyped]
import uvicorn

from benchmarks import export_data
from benchmarks.machine import describe, line
from benchmarks.rows import Budget, Row, options, show, spread, write
from benchmarks.startup import answered, free_port
from whyseg import data
from whyseg.curation.clicks import ClickService
from whyseg.curation.queries import SampleFilter
from whyseg.curation.segmenters.sam2 import Sam2Segmenter
from whyseg.curation.workspace import Workspace

PICTURES, EVERY = 1000, 10


def main() -> None:
    """Measure, print, write; or be the server."""
    parser = options(__doc__, "memory")
    parser.add_argument("--serve", nargs=3, metavar=("WORKSPACE", "PORT", "BYTES"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.serve:
        serve(Path(asked.serve[0]), int(asked.serve[1]), int(asked.serve[2]))
        return
    pictures = PICTURES // 10 if asked.quick else PICTURES
    machine = describe("whyseg", "torch", "fastapi", "gradio")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "team"
        export_data.make(folder, pictures)
        bound = embedding_bytes(folder) * pictures // 10
        with served(folder, bound) as (url, process):
            found = watched(folder, url, process, pictures)
    rows = rows_of(found, bound)
    print(line(machine))
    show(rows)
    write(asked.out, rows, machine, quick=asked.quick, pictures=pictures, bound=bound, **found)


def segmenter() -> Sam2Segmenter:
    return Sam2Segmenter(data.path("models/tiny_sam2"), "tiny-test")


def serve(folder: Path, port: int, cache_bytes: int) -> None:
    """Serve a workspace whose embeddings may take so many bytes."""
    from whyseg.ui.pictures import Pictures
    from whyseg.ui.server import build_server

    with Workspace.open(folder) as workspace:
        clicks = ClickService(segmenter(), Pictures(workspace).pixels, cache_bytes=cache_bytes)
        uvicorn.run(build_server(workspace, clicks), port=port, log_level="warning", access_log=False)


def embedding_bytes(folder: Path) -> int:
    """Return what the embedding of one of the pictures takes."""
    height, width = export_data.SIZE
    return int(segmenter().embed(np.zeros((height, width, 3), np.uint8)).nbytes)


@contextlib.contextmanager
def served(folder: Path, bound: int) -> Iterator[tuple[str, "psutil.Process"]]:
    """Serve in a process of its own; give its address and the process."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.memory", "--serve", str(folder), str(port), str(bound)]
    server = subprocess.Popen(command)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
            answered(client, "/app/", time.perf_counter())
        yield f"http://127.0.0.1:{port}", psutil.Process(server.pid)
    finally:
        server.terminate()
        server.wait(30)


def watched(folder: Path, url: str, process: "psutil.Process", pictures: int) -> dict[str, Any]:
    """Open and click everything; return the memory after every few, in MB, and what a picture took, in ms."""
    with Workspace.open(folder) as workspace:
        rows = workspace.store.page(SampleFilter(), limit=pictures).samples
    memory, took = [megabytes(process)], []
    with httpx.Client(base_url=url, timeout=60) as client:
        for number, row in enumerate(rows, 1):
            began = time.perf_counter()
            at_work(client, row.id, row.image_id, number)
            took.append(1e3 * (time.perf_counter() - began))
            if number % EVERY == 0:
                memory.append(megabytes(process))
    return {"memory_mb": memory, "picture_ms": spread(took)}


def at_work(client: httpx.Client, sample_id: str, image_id: str, seq: int) -> None:
    """Do with one sample what the page does."""
    opened = asked(client, "GET", f"samples/{sample_id}").json()
    asked(client, "GET", f"images/{image_id}")
    asked(client, "GET", f"images/{image_id}/thumbnail")
    asked(client, "POST", "encode", json={"image_ids": [image_id]})
    height, width = export_data.SIZE
    body = {"client": "one page", "seq": seq, "image_id": image_id, "points": [[width // 2, height // 2, 1]]}
    asked(client, "POST", "click", json=body)
    asked(client, "GET", f"click/one page/{seq}/1")
    sample = opened["sample"] | {"depth": 1 + seq % 3, "hops": [f"hop {k}" for k in range(1 + seq % 3)]}
    saved = {"edit": f"edit {seq}", "parent": opened["revision"], "sample": sample}
    asked(client, "PUT", f"samples/{sample_id}", json=saved)


def asked(client: httpx.Client, method: str, path: str, **more: Any) -> httpx.Response:
    reply = client.request(method, f"/api/v1/{path}", **more)
    if reply.status_code != 200:
        raise RuntimeError(f"{method} {path}: {reply.status_code} {reply.text[:300]}")
    return reply


def megabytes(process: "psutil.Process") -> float:
    return float(round(process.memory_info().rss / 1e6, 1))


def rows_of(found: dict[str, Any], bound: int) -> list[Row]:
    """Return what was found as rows."""
    memory = found["memory_mb"]
    half, last, pictures = memory[len(memory) // 2], memory[-1], (len(memory) - 1) * EVERY
    embeddings = round(bound / 1e6, 1)
    grown = Row(
        what=f"the app's memory after {pictures:,} pictures", unit="MB", value=last,
        baseline=f"after {pictures // 2:,}", against=half, ratio=round(last / half, 3), means="times the memory",
        budget=Budget(of="ratio", at_most=1.05),
    )  # fmt: skip
    return [
        Row(what="the app's memory when its page has been served", unit="MB", value=memory[0]),
        Row(what="what its embeddings may take", unit="MB", value=embeddings),
        Row(what=f"the app's memory after {EVERY} pictures", unit="MB", value=memory[1]),
        grown,
        Row(what="a picture is opened, encoded, clicked on twice and saved", **found["picture_ms"]),
    ]


if __name__ == "__main__":
    main()
