"""Try every fault in turn, within a number of minutes, and count what was lost.

    python -m tests.chaos [--minutes 12] [--seed N] [--only NAME …] [--results FOLDER]

Each fault has a folder and random numbers of its own, so that one alone behaves as it does among all. The whole run
writes ``benchmarks/results/chaos.json`` and the table of docs/reliability.md; with --only or --results it writes
neither, but ``chaos.json`` in that folder, ``build/chaos`` unless given. Exit 1 when anything is lost, or wrong.
"""

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.machine import describe, line
from tests.chaos import browsers, commands, damage, disks, network, servers, training
from tests.chaos.page import summary, table, with_table
from tests.chaos.process import ROOT
from tests.chaos.record import Fault, Lab, Outcome, Skipped

PAGE = ROOT / "docs" / "reliability.md"
RESULTS = ROOT / "benchmarks" / "results"
FAULTS: dict[str, Fault] = {
    "server-kill": servers.kill,
    "two-servers": servers.two,
    "slow-disk": servers.slow_disk,
    "clock-jumps": servers.clock,
    "restore-under-server": servers.stopped_by_restore,
    "disk-full": disks.full,
    "read-only": disks.readable,
    "import-kill": commands.importer,
    "export-kill": commands.exporter,
    "release-kill": commands.releaser,
    "restore-kill": commands.restorer,
    "world-kill": commands.world,
    "train-kill": training.kill,
    "corrupt-page": damage.page,
    "corrupt-blob": damage.blob,
    "push-cut": network.cut,
    "browser-gone": browsers.vanish,
}


def try_fault(name: str, seconds: float, seed: int) -> Outcome:
    """Try one fault in a folder of its own; what it raises is something wrong."""
    folder = Path(tempfile.mkdtemp(prefix=f"whyseg-chaos-{name}-"))
    began = time.monotonic()
    lab = Lab(folder, random.Random(f"{seed} {name}"), began + seconds)
    try:
        done = FAULTS[name](lab)
    except Skipped as error:
        done = Outcome(fault=name, skipped=str(error))
    except Exception as error:  # noqa: BLE001 - the other faults are tried all the same
        traceback.print_exc()
        done = Outcome(fault=name, wrong=(f"{type(error).__name__}: {error}",))
    what = (FAULTS[name].__doc__ or "").strip()
    done = done.model_copy(update={"what": what, "seconds": round(time.monotonic() - began, 1)})
    if done.holds:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        print(f"left as it was: {folder}", file=sys.stderr)
    return done


def write(outcomes: Sequence[Outcome], folder: Path, seed: int) -> None:
    """Write what came out as JSON."""
    plain = {
        "date": datetime.now(UTC).date().isoformat(), "seed": seed, "machine": describe("whyseg", "sqlalchemy"),
        "faults": [one.plain() for one in outcomes],
    }  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "chaos.json").write_text(json.dumps(plain, indent=1, ensure_ascii=False) + "\n")


def main() -> None:
    """Run, print, write."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--minutes", type=float, default=12, help="about how long all of it may take")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", action="append", default=[], choices=list(FAULTS))
    parser.add_argument("--results", type=Path, help="the folder of chaos.json")
    wanted = parser.parse_args()
    names = wanted.only or list(FAULTS)
    end = time.monotonic() + 60 * wanted.minutes
    outcomes = list[Outcome]()
    for number, name in enumerate(names):
        left = max(0.0, end - time.monotonic()) / (len(names) - number)
        print(f"== {name}", flush=True)
        outcomes.append(try_fault(name, left, wanted.seed))
        print(table(outcomes[-1:]).splitlines()[-1], f"({outcomes[-1].seconds:.0f} s)", flush=True)
    print(f"\n{table(outcomes)}\n\n{summary(outcomes)}")
    whole = not wanted.only and wanted.results is None
    write(outcomes, RESULTS if whole else wanted.results or ROOT / "build" / "chaos", wanted.seed)
    if whole:
        PAGE.write_text(with_table(PAGE.read_text(), outcomes, wanted.seed, line(describe("whyseg", "sqlalchemy"))))
    sys.exit(0 if all(one.holds for one in outcomes) else 1)


if __name__ == "__main__":
    main()
