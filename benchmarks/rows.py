"""The frame that every result file has: when and on what it was measured, and rows that one table can show.

A result file is JSON with ``script``, ``date``, ``quick``, ``machine`` and ``rows``; beside these a script keeps
whatever else it found.
"""

import argparse
import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import model_validator

from whyseg.schemas.record import Record

RESULTS = Path(__file__).parent / "results"
OF = Literal["p50", "p95", "value", "ratio"]


class Budget(Record):
    """What a row's figure should be: at least or at most a number."""

    of: OF
    at_least: float | None = None
    at_most: float | None = None

    @model_validator(mode="after")
    def _one_limit(self) -> "Budget":
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("a budget has one limit, at_least or at_most")
        return self

    def holds(self, seen: float) -> bool:
        """Say whether a figure keeps the budget."""
        return seen >= self.at_least if self.at_least is not None else seen <= (self.at_most or 0)


class Row(Record):
    """One figure: a median with its 95th percentile, or one value; its baseline of the same run; its budget.

    ``against`` is the baseline's figure in the same unit, the median where there is one. ``ratio`` says how the two
    compare, and ``means`` what of: "times as fast", "times the cost".
    """

    what: str
    unit: str = "ms"
    p50: float | None = None
    p95: float | None = None
    value: float | None = None
    baseline: str = ""
    against: float | None = None
    ratio: float | None = None
    means: str = ""
    budget: Budget | None = None

    @property
    def holds(self) -> bool | None:
        """Whether the budget holds; None without one."""
        return None if self.budget is None else self.budget.holds(float(getattr(self, self.budget.of)))


class Report(Record):
    """What a script found, as far as one table shows it."""

    script: str
    date: date
    quick: bool
    machine: dict[str, Any]
    rows: tuple[Row, ...]


def spread(values: Sequence[float]) -> dict[str, Any]:
    """Return median and 95th percentile, as a `Row` names them."""
    return {"p50": round(float(np.median(values)), 2), "p95": round(float(np.percentile(values, 95)), 2)}


def faster(ours: float, theirs: float) -> dict[str, Any]:
    """Return how many times as fast ours is as a baseline, as a `Row` names it."""
    return {"against": round(theirs, 2), "ratio": round(theirs / ours, 2), "means": "times as fast"}


def over(ours: float, bare: float) -> dict[str, Any]:
    """Return how many times ours costs what the bare work costs, as a `Row` names it."""
    return {"against": round(bare, 2), "ratio": round(ours / bare, 2), "means": "times the cost"}


def options(doc: str | None, script: str) -> argparse.ArgumentParser:
    """Return a parser with what every script takes, ``--quick`` and ``--out``."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{script}", description=(doc or "").split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="small numbers: does it run, and about what comes out")
    parser.add_argument("--out", type=Path, default=RESULTS / f"{script}.json", help="where the JSON goes")
    return parser


def write(path: Path, rows: Sequence[Row], machine: dict[str, Any], *, quick: bool, **more: Any) -> None:
    """Write a result file, under the script's name, with whatever else was found."""
    report = Report(
        script=path.stem, date=datetime.now(UTC).date(), quick=quick, machine=machine, rows=tuple(rows)
    )  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(plain(report) | more, indent=1, ensure_ascii=False) + "\n")


def read(path: Path) -> Report | None:
    """Return what a result file reports, or None when it has no such frame; raise ``InvalidRecord`` when broken."""
    found = json.loads(path.read_text())
    if not isinstance(found, dict) or not found.keys() >= {"script", "rows"}:
        return None
    rows = [{key: value for key, value in row.items() if key != "holds"} for row in found["rows"]]
    return Report.parse({key: found.get(key) for key in Report.model_fields} | {"rows": rows})


def plain(report: Report) -> dict[str, Any]:
    """Return a report as JSON data, its rows without what they do not have, and each with whether it holds."""
    rows = []
    for row in report.rows:
        judged = {} if row.holds is None else {"holds": row.holds}
        rows.append(row.model_dump(mode="json", exclude_defaults=True) | judged)
    return report.plain() | {"rows": rows}


def show(rows: Sequence[Row]) -> None:
    """Print rows as a table."""
    for row in rows:
        figures = row.p50 if row.value is None else row.value
        tail = "" if row.p95 is None else f"/{row.p95:g}"
        beside = f"  {row.ratio:g} {row.means} of: {row.baseline}" if row.ratio is not None else ""
        held = {None: "", True: "  holds", False: "  FAILS"}[row.holds]
        print(f"{row.what:<72}{figures:>12g}{tail:<10} {row.unit}{beside}{held}", flush=True)
