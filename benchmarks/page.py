"""One table of everything that was measured, for docs/performance.md, between two marks."""

from collections.abc import Sequence

from benchmarks.machine import line
from benchmarks.rows import Budget, Report, Row

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
HEAD = ("what", "unit", "median", "p95", "baseline of the same run", "its figure", "ratio", "budget", "")
NAMES = {"p50": "median", "p95": "p95", "value": "", "ratio": "ratio"}


def with_table(text: str, reports: Sequence[Report], failed: Sequence[str]) -> str:
    """Return a page's text with what stands between the marks made anew; raise ValueError when a mark is missing."""
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page has not both marks, {BEGIN} and {END}")
    return f"{head}{BEGIN}\n\n{table(reports, failed)}\n{END}{tail}"


def table(reports: Sequence[Report], failed: Sequence[str]) -> str:
    """Return the rows of all scripts as one Markdown table, what failed, and what they ran on as a second table."""
    lines = [_line(HEAD), _line(["---", "---", *["---:"] * 2, "---", *["---:"] * 2, "---", "---"])]
    for report in reports:
        lines.append(_line([f"**{report.script}**", *[""] * 8]))
        lines += [_line(_cells(row)) for row in report.rows]
    budgets = [row.holds for report in reports for row in report.rows if row.holds is not None]
    lines += ["", f"{sum(budgets)} of {len(budgets)} budgets hold.", ""]
    if failed:
        lines += [f"Failed when last run, so that older figures or none stand above: {', '.join(failed)}.", ""]
    lines += [_line(["script", "measured", "run", "machine"]), _line(["---"] * 4)]
    lines += [
        _line([one.script, str(one.date), "quick" if one.quick else "whole", line(one.machine)]) for one in reports
    ]
    return "\n".join(lines) + "\n"


def _cells(row: Row) -> list[str]:
    held = {None: "", True: "holds", False: "**misses**"}[row.holds]
    figure = row.p50 if row.value is None else row.value
    ratio = f"{_number(row.ratio)} {row.means}".strip() if row.ratio is not None else ""
    limits = _limit(row.budget) if row.budget else ""
    return [
        row.what,
        row.unit,
        _number(figure),
        _number(row.p95),
        row.baseline,
        _number(row.against),
        ratio,
        limits,
        held,
    ]


def _limit(budget: Budget) -> str:
    sign, limit = ("≥", budget.at_least) if budget.at_least is not None else ("≤", budget.at_most)
    return f"{NAMES[budget.of]} {sign} {_number(limit)}".strip()


def _number(value: float | None) -> str:
    if value is None:
        return ""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
