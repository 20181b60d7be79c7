"""Run the benchmarks one after another, and make one table of what they found.

    python -m benchmarks.all [--quick] [--only NAME …] [--results FOLDER] [--table-only]

Each script is a process of its own and writes its own file. A script that fails is named at the end, and the others go
on; the exit code is 1 then. The table goes to ``performance.json`` beside the results, and between two marks of
docs/performance.md; that of ``--quick`` or of another folder stays in that folder, ``build/bench`` unless given.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.page import BEGIN, END, with_table
from benchmarks.rows import RESULTS, Report, plain, read

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "performance.md"
SUMMARY = "performance.json"


@dataclass(frozen=True)
class Script:
    """One thing to run: its module, its own arguments, and the name of its result file."""

    module: str
    arguments: tuple[str, ...] = ()
    name: str = ""

    @property
    def label(self) -> str:
        """The result file's name."""
        return self.name or self.module


SCRIPTS = (
    Script("startup"),
    Script("click_latency"),
    Script("click_profile"),
    Script("segmenter_levers"),
    Script("memory"),
    Script("import_many"),
    Script("browse_many"),
    Script("export"),
    Script("team_load"),
    Script("team_load", ("--postgres",), "team_load_postgres"),
    Script("similarity"),
    Script("vote"),
    Script("reward_speed"),
    Script("mask_reward"),
    Script("rest_update"),
)
# What has a door of its own: it asks what is learned and paid, not how fast, or needs another machine.
ELSEWHERE = {
    "all": "runs the others",
    "gpu_train": "needs a GPU: make gpu",
    "world_gpu": "needs a GPU: make gpu",
    "world_cpu": "trains three policies, an hour: docs/log.md",
    "warm_up": "trains policies, twenty minutes: docs/log.md",
    "fix_and_retrain": "trains many policies, hours: docs/log.md",
    "voting_world": "asks what votes add, not how fast: docs/log.md",
    "planted": "asks what rules find, not how fast: docs/log.md",
    "reward_floor": "asks what rewards pay, not how fast: docs/log.md",
    "click_apps": "the server of click_latency",
    "browser_decode": "asks what a way that was not taken would give, in five minutes: docs/decisions/0006",
    "sam2_parity": "needs Meta's sam2 package, in an environment of its own: docs/decisions/0002",
}


def main() -> None:
    """Run, collect, write; exit with 1 when a script failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.all", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="small numbers, into build/bench")
    parser.add_argument("--only", action="append", default=[], choices=[one.label for one in SCRIPTS])
    parser.add_argument("--results", type=Path, help="the folder of the result files")
    parser.add_argument("--table-only", action="store_true", help="run nothing: the table of the files that are there")
    asked = parser.parse_args()
    folder: Path = (asked.results or (ROOT / "build" / "bench" if asked.quick else RESULTS)).resolve()
    wanted = [] if asked.table_only else [one for one in SCRIPTS if not asked.only or one.label in asked.only]
    failed = [one.label for one in wanted if not ran(one, folder, quick=asked.quick)]
    tabulate(folder, sorted({*failed, *(failures(folder) - {one.label for one in wanted})}))
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


def ran(script: Script, folder: Path, *, quick: bool) -> bool:
    """Run one script to its end; say whether it went well."""
    out = folder / f"{script.label}.json"
    command = [sys.executable, "-m", f"benchmarks.{script.module}", *script.arguments, "--out", str(out)]
    print(f"\n== {script.label}", flush=True)
    began = time.monotonic()
    environment = {"OMP_NUM_THREADS": "1", "GRADIO_ANALYTICS_ENABLED": "False"} | os.environ
    code = subprocess.run([*command, "--quick"] if quick else command, cwd=ROOT, env=environment).returncode
    print(f"== {script.label}: {time.monotonic() - began:.0f} s" + (f", exit code {code}" if code else ""), flush=True)
    return code == 0


def failures(folder: Path) -> set[str]:
    """Return the scripts that had failed when the summary was last written."""
    path = folder / SUMMARY
    return set(json.loads(path.read_text())["failed"]) if path.exists() else set()


def reports(folder: Path) -> list[Report]:
    """Return what the result files of a folder report, in the order of the scripts."""
    found = [read(path) for path in (folder / f"{one.label}.json" for one in SCRIPTS) if path.exists()]
    return [report for report in found if report]


def tabulate(folder: Path, failed: list[str]) -> None:
    """Write the summary beside the results, and the page that belongs to them."""
    known = reports(folder)
    folder.mkdir(parents=True, exist_ok=True)
    summary = {"date": str(datetime.now(UTC).date()), "failed": failed, "scripts": [plain(one) for one in known]}
    (folder / SUMMARY).write_text(json.dumps(summary, indent=1, ensure_ascii=False) + "\n")
    ours = folder.resolve() == RESULTS.resolve()
    page = PAGE if ours else folder / "performance.md"
    text = PAGE.read_text() if ours else f"{BEGIN}\n{END}\n"
    page.write_text(with_table(text, known, failed))
    print(f"\n{sum(len(one.rows) for one in known)} rows of {len(known)} scripts: {page}")


if __name__ == "__main__":
    main()
