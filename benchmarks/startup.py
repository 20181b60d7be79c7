"""How long the command line and the app take to start, beside a bare Python and a bare import of what they stand on.

    python -m benchmarks.startup [--quick] [--out FILE]

Every start is a process of its own; the programs take turns. Programs are timed in processor time, which is what they
take on a machine with nothing else to do; the app, whose threads work at once, by the clock: on an empty workspace with
the tiny SAM 2 that ships with whyseg, until /healthz answers, and until the page itself has been served.
"""

import contextlib
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

from benchmarks.machine import describe, line
from benchmarks.rows import Budget, Row, options, over, show, spread, write
from whyseg.curation.workspace import Workspace

UNIT = "ms of processor time"
HALF_A_SECOND = Budget(of="p50", at_most=500)
# What each program is compared with, and how the table names that.
PROGRAMS = {
    "python, nothing imported": ["-c", "pass"],
    "import pydantic": ["-c", "import pydantic"],
    "import typer": ["-c", "import typer"],
    "import whyseg": ["-c", "import whyseg"],
    "whyseg --help": ["-m", "whyseg", "--help"],
    "whyseg --version": ["-m", "whyseg", "--version"],
    "import gradio": ["-c", "import gradio"],
}
AGAINST = {"import whyseg": "import pydantic", "whyseg --help": "import typer", "whyseg --version": "import typer"}


def main() -> None:
    asked = options(__doc__, "startup").parse_args()
    times, starts = (5, 2) if asked.quick else (15, 6)
    machine = describe("whyseg", "typer", "gradio", "pydantic")
    took = in_turns(PROGRAMS, times)
    with tempfile.TemporaryDirectory() as name:
        Workspace.create(Path(name) / "team").close()
        app = [started(Path(name) / "team") for _ in range(starts)]
        gradio = spread([clocked(PROGRAMS["import gradio"]) for _ in range(starts)])["p50"]
    rows = [row(name, took) for name in PROGRAMS]
    for what, key in (("the app until /healthz answers", "healthz"), ("the app until its page is served", "page")):
        own = spread([one[key] for one in app])
        rows.append(Row(what=what, **own, baseline="import gradio", **over(own["p50"], gradio)))
    print(line(machine))
    show(rows)
    write(asked.out, rows, machine, quick=asked.quick, times=times, starts=starts)


def row(name: str, took: dict[str, list[float]]) -> Row:
    """Return a program's row."""
    own, against = spread(took[name]), AGAINST.get(name)
    if against is None:
        return Row(what=name, unit=UNIT, **own)
    compared = over(own["p50"], spread(took[against])["p50"])
    return Row(what=name, unit=UNIT, **own, baseline=against, **compared, budget=HALF_A_SECOND)


def in_turns(programs: dict[str, list[str]], times: int) -> dict[str, list[float]]:
    """Run every program so often, in turns; return the milliseconds of processor time of each start."""
    took: dict[str, list[float]] = {name: [] for name in programs}
    for turn in range(times + 1):
        for name, arguments in programs.items():
            began = children()
            subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
            if turn:  # the first reads the disk
                took[name].append(1e3 * (children() - began))
    return took


def clocked(arguments: Sequence[str]) -> float:
    """Run a program; return the milliseconds on the clock."""
    began = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return 1e3 * (time.perf_counter() - began)


def children() -> float:
    """Return the processor seconds of the processes that have ended so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def started(workspace: Path) -> dict[str, float]:
    """Start the app; return the milliseconds until /healthz answered, and until the page was served."""
    port = free_port()
    url, began = f"http://127.0.0.1:{port}", time.perf_counter()
    with serving(workspace, ["--port", str(port)]), httpx.Client(base_url=url) as client:
        healthy = answered(client, "/healthz", began)
        return {"healthz": healthy, "page": answered(client, "/app/", began)}


@contextlib.contextmanager
def serving(workspace: Path, options: Sequence[str]) -> Any:
    """Serve a workspace with the tiny SAM 2 in a process of its own; give the process."""
    command = [sys.executable, "-m", "whyseg", "serve", "--workspace", str(workspace)]
    command += ["--segmenter", "sam2", "--model", "tiny-test", *options]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "GRADIO_ANALYTICS_ENABLED": "False"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        yield process
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    finally:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


def address(process: "subprocess.Popen[str]") -> str:
    """Return the address that a served workspace names in its first line."""
    first = process.stdout.readline() if process.stdout else ""
    found = re.search(r"http://\S+", first)
    if not found:
        raise RuntimeError(f"the app did not start: {first!r}")
    return found[0].rstrip("/")


def answered(client: httpx.Client, path: str, began: float) -> float:
    """Ask for a path until it is there; return the milliseconds since the start."""
    while time.perf_counter() - began < 120:
        with contextlib.suppress(httpx.TransportError):
            reply = client.get(path, follow_redirects=True)
            if reply.status_code == 200:
                return 1e3 * (time.perf_counter() - began)
        time.sleep(0.01)
    raise RuntimeError(f"{path} did not answer within two minutes")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
