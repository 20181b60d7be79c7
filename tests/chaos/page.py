"""What was tried and what was lost, as the table of docs/reliability.md and of a terminal."""

from collections.abc import Sequence

from tests.chaos.record import Outcome

BEGIN, END = "<!-- chaos: begin -->", "<!-- chaos: end -->"
HEAD = ("fault", "happened", "acknowledged", "lost", "of what")


def with_table(text: str, outcomes: Sequence[Outcome], seed: int, machine: str) -> str:
    """Return a page's text with what stands between the marks made anew; raises ValueError without the marks."""
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page has not both marks, {BEGIN} and {END}")
    return f"{head}{BEGIN}\n\n{table(outcomes)}\n\n{summary(outcomes)} Seed {seed}; {machine}.\n\n{END}{tail}"


def table(outcomes: Sequence[Outcome]) -> str:
    """Return the outcomes as a Markdown table."""
    lines = [_line(HEAD), _line(["---", "---:", "---:", "---:", "---"])]
    for one in outcomes:
        if one.skipped:
            lines.append(_line([one.fault, "skipped", "", "", one.skipped]))
            continue
        found = one.seen if one.holds else f"**{'; '.join((*one.lost, *one.wrong))[:300]}** {one.seen}"
        lines.append(_line([one.fault, f"{one.tried}", f"{one.acknowledged:,}", f"{len(one.lost)}", found]))
    return "\n".join(lines)


def summary(outcomes: Sequence[Outcome]) -> str:
    """Return one sentence about all outcomes."""
    tried, told = sum(one.tried for one in outcomes), sum(one.acknowledged for one in outcomes)
    lost, wrong = sum(len(one.lost) for one in outcomes), sum(len(one.wrong) for one in outcomes)
    skipped = sum(bool(one.skipped) for one in outcomes)
    said = f"{tried:,} faults, {told:,} acknowledged, {lost} lost"
    said += f", {wrong} otherwise wrong" if wrong else ""
    return said + (f", {skipped} kinds skipped." if skipped else ".")


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
