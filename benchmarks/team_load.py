"""Twenty people at work on one server: errors, double claims, lost updates, and how long a save takes.

    python -m benchmarks.team_load [--people 20] [--seconds 120] [--postgres] [--out FILE]

A real ``whyseg serve --team`` with the tiny SAM 2 that ships with whyseg; people sign in, claim samples and keep their
leases alive, click once a second, save after every click, submit, and four of twenty review. One claim in ten is for
what somebody else has, one save in ten is sent twice. Everybody writes down what the server has acknowledged; when it
has ended, the store is compared with that. Beside the saves stand empty POSTs of the same run. With ``--postgres`` the
records lie on a PostgreSQL of its own (Debian's package ``postgresql``). Figures and machine are printed and written as
JSON; the exit code is 1 when anything was lost, claimed twice or answered with an error.
"""

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil  # type: ignore[import-untyped]

from benchmarks.machine import describe, line
from benchmarks.rows import RESULTS, Budget, Row, options, over, write
from benchmarks.rows import show as show_rows
from benchmarks.team_people import PASSWORD, SIZE, Person, Record
from tests.postgres import cluster, new_database
from tests.provision import postgres
from whyseg.curation.images import inspect
from whyseg.curation.users import Users
from whyseg.curation.verify import verify
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Sample
from whyseg.schemas.user import Role

PICTURES, SAMPLES_EACH = 40, 15
SAVE_BUDGET = 50.0  # ms, the 95th percentile of a save


def main() -> None:
    """Measure, print, write."""
    parser = options(__doc__, "team_load")
    parser.set_defaults(out=None)
    parser.add_argument("--people", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--postgres", action="store_true", help="records on a PostgreSQL of its own")
    asked = parser.parse_args()
    machine = describe("fastapi", "uvicorn", "sqlalchemy", "pydantic")
    machine["real_time"] = os.sched_getscheduler(0) != os.SCHED_OTHER  # as chrt sets it, on a machine with other work
    with tempfile.TemporaryDirectory() as folder, database(asked.postgres) as url:
        found = measure(Path(folder), url, people=asked.people, seconds=20 if asked.quick else asked.seconds)
    name = "postgresql" if asked.postgres else "sqlite"
    machine["load_after"] = describe()["load"]
    print(line(machine))
    show(name, found)
    rows = rows_of(name, found)
    show_rows(rows)
    out = asked.out or RESULTS / ("team_load_postgres.json" if asked.postgres else "team_load.json")
    write(out, rows, machine, quick=asked.quick, database=name, **found)
    if found["errors"] or found["double_claims"] or found["lost"]:
        sys.exit(1)


@contextlib.contextmanager
def database(on_postgres: bool) -> Iterator[str]:
    """Give the URL of an empty database on a server of its own; an empty one for SQLite in the workspace."""
    if not on_postgres:
        yield ""
        return
    with cluster(postgres()) as socket:
        yield new_database(socket, "team")


def measure(
    folder: Path, url: str, *, people: int, seconds: float, pace: float = 1.0, beat: float = 20.0
) -> dict[str, Any]:
    """Let people work on a workspace made in ``folder`` with its records at ``url``, and judge what is left of it."""
    path = folder / "team"
    names = {f"person{n}": Role.REVIEWER if n % 5 == 4 else Role.ANNOTATOR for n in range(people)}
    image_id = fill(path, url, names)
    record = Record()
    with served(path) as (address, server):
        crew = [
            Person(name, address, record, reviews=role is Role.REVIEWER, pace=pace, beat=beat)
            for name, role in names.items()
        ]
        usage = Usage(server)
        asyncio.run(work(crew, image_id, seconds, usage))
    with Workspace.open(path) as workspace:
        problems = judge(workspace, record)
    return {
        "people": people,
        "seconds": seconds,
        "errors": len(record.errors),
        "first_errors": record.errors[:5],
        "double_claims": len(record.double_claims()),
        "lost": len(problems),
        "first_lost": problems[:5],
        "refused_by_rule": dict(sorted(record.refused.items())),
        "done": {"holds": len(record.holds), "saves": len(record.saves), "submits": len(record.submits),
                 "reviews": len(record.reviews), "requests": sum(map(len, record.took.values()))},
        "ms": {kind: spread(values) for kind, values in sorted(record.took.items())},
        "server": usage.figures(),
        "save_budget_ms": SAVE_BUDGET,
    }  # fmt: skip


def fill(path: Path, url: str, people: dict[str, Role]) -> str:
    """Make a workspace of drawn pictures with empty samples, and its users; return the last image's id."""
    with Workspace.create(path, database=url) as workspace:
        rng = np.random.default_rng(0)
        for number in range(PICTURES):
            pixels = np.full((*SIZE, 3), rng.integers(60, 220, 3), np.uint8)
            for _ in range(6):
                centre = (int(rng.integers(0, SIZE[1])), int(rng.integers(0, SIZE[0])))
                cv2.circle(pixels, centre, int(rng.integers(20, 90)), rng.integers(0, 255, 3).tolist(), -1)
            data = cv2.imencode(".jpg", pixels)[1].tobytes()
            image = inspect(data, f"{number}.jpg")
            workspace.blobs.put(data)
            samples = [
                Sample.start(image.id, image.size, source="annotation", source_record=str(n))
                for n in range(SAMPLES_EACH)
            ]
            workspace.store.add_samples([image], samples, author="benchmark")
        users = Users(workspace.store.database)
        for name, role in people.items():
            users.add(name, role, PASSWORD, author="benchmark")
        return image.id


@contextlib.contextmanager
def served(path: Path) -> Iterator[tuple[str, "psutil.Process"]]:
    """Serve a workspace in a process of its own; give its address and the process."""
    command = [
        "serve",
        "--team",
        "--workspace",
        str(path),
        "--port",
        "0",
        "--segmenter",
        "sam2",
        "--model",
        "tiny-test",
    ]
    with subprocess.Popen([sys.executable, "-m", "whyseg", *command], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            found = re.search(r"http://\S+", process.stdout.readline())
            if not found:
                raise RuntimeError("the server did not start")
            yield found[0].rstrip("/"), psutil.Process(process.pid)
            process.send_signal(signal.SIGTERM)
            process.wait(60)
        finally:
            process.kill()


async def work(crew: list[Person], image_id: str, seconds: float, usage: "Usage") -> None:
    """Have everybody sign in, and then work at once."""
    ready = asyncio.Barrier(len(crew) + 1)
    async with asyncio.TaskGroup() as group:
        for person in crew:
            group.create_task(person.work(ready, image_id, seconds))
        await ready.wait()
        crew[0].record.took.pop("encode", None)  # so far that was waiting for the model
        usage.begin()
    usage.end()


class Usage:
    """What the server's process takes while people work."""

    def __init__(self, process: "psutil.Process") -> None:
        self.process = process
        self.memory: list[int] = []
        self._done = threading.Event()
        self._watch = threading.Thread(target=self._sample, daemon=True)

    def begin(self) -> None:
        """Begin to count."""
        self._from = self._now()
        self._watch.start()

    def end(self) -> None:
        """End it."""
        self._done.set()
        self._watch.join()
        self._to = self._now()

    def figures(self) -> dict[str, float]:
        """Return the cores that it kept busy, and its largest resident memory."""
        wall, cpu = (b - a for a, b in zip(self._from, self._to, strict=True))
        return {"cores": round(cpu / wall, 2), "seconds": round(wall, 1), "memory_mb": round(max(self.memory) / 1e6)}

    def _now(self) -> tuple[float, float]:
        times = self.process.cpu_times()
        return time.monotonic(), times.user + times.system

    def _sample(self) -> None:
        self.memory.append(self.process.memory_info().rss)
        while not self._done.wait(0.5):
            self.memory.append(self.process.memory_info().rss)


def judge(workspace: Workspace, record: Record) -> list[str]:
    """Compare the store with what was acknowledged; return what is missing, or there without being asked for."""
    problems = [f"{problem.what}: {problem.message}" for problem in verify(workspace)]
    store = workspace.store
    for key in {one.sample_id for one in record.saves}:
        revisions = store.revisions(key)[::-1]
        if [one.number for one in revisions] != [*range(1, len(revisions) + 1)] or revisions[0].parent is not None:
            problems.append(f"sample {key}: numbers {[one.number for one in revisions]}")
        if any(one.parent != before.id for before, one in pairwise(revisions)):
            problems.append(f"sample {key}: the chain is broken")
        if store.head(key).revision != revisions[-1]:
            problems.append(f"sample {key} does not point to its newest revision")
        kept = {(one.edit, one.author, one.id, one.number, one.content) for one in revisions[1:]}
        told = {
            (one.edit, one.who, one.revision, one.number, one.content) for one in record.saves if one.sample_id == key
        }
        problems += [f"sample {key}: save {edit} is lost" for edit, *_ in told - kept]
        if not record.errors:  # else an answer may have been lost, and its save kept
            problems += [f"sample {key}: nobody made edit {edit}" for edit, *_ in kept - told]
    logged = Counter(
        (entry.subject, entry.actor, str(entry.detail.get("revision")))
        for entry in store.audit_log(limit=1_000_000)
        if entry.action == "submit"
    )
    problems += [f"sample {key}: {who}'s submission is lost" for key, who, _ in (Counter(record.submits) - logged)]
    for key, who, name in record.reviews:
        if not any((one.id, one.reviewer) == (name, who) for one in store.reviews(key)):
            problems.append(f"sample {key}: {who}'s review is lost")
    return problems


def spread(values: list[float]) -> dict[str, float]:
    """Return how many, median, 95th percentile and maximum."""
    p50, p95 = np.percentile(values, [50, 95])
    return {"n": len(values), "p50": round(float(p50), 1), "p95": round(float(p95), 1), "max": round(max(values), 1)}


def rows_of(name: str, found: dict[str, Any]) -> list[Row]:
    """Return what was found as rows."""
    ms, who = found["ms"], f"{found['people']} people, {name}"
    empty = ms["empty"]["p50"]

    def row(kind: str, what: str, budget: Budget | None = None) -> Row:
        seen = {key: ms[kind][key] for key in ("p50", "p95")}
        return Row(what=f"{who}: {what}", **seen, baseline="an empty POST", **over(seen["p50"], empty), budget=budget)

    none = Budget(of="value", at_most=0)
    wrong = [("errors", "errors"), ("lost", "lost updates"), ("double_claims", "samples claimed twice")]
    return [
        row("save", "a save is acknowledged", Budget(of="p95", at_most=SAVE_BUDGET)),
        row("click, beside the model", "a click beside the model"),
        row("open", "a sample is opened"),
        *(Row(what=f"{who}: {what}", unit="", value=found[key], budget=none) for key, what in wrong),
        Row(what=f"{who}: the server's memory", unit="MB", value=found["server"]["memory_mb"]),
    ]


def show(name: str, found: dict[str, Any]) -> None:
    """Print the figures."""
    print(f"{name}: {found['people']} people, {found['seconds']:g} s; {found['done']}")
    print(f"errors {found['errors']}, double claims {found['double_claims']}, lost {found['lost']}")
    for text in [*found["first_errors"], *found["first_lost"]]:
        print(f"  {text}")
    print(f"refused by rule: {found['refused_by_rule']}")
    print(f"server: {found['server']}")
    print(f"{'ms':<26}{'n':>7}{'median':>9}{'p95':>9}{'max':>9}")
    for kind, row in found["ms"].items():
        print(f"{kind:<26}{row['n']:>7}{row['p50']:>9}{row['p95']:>9}{row['max']:>9}")


if __name__ == "__main__":
    main()
