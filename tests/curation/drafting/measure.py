"""How well the critic's rules find faults: ``python -m tests.curation.drafting.measure seen|unseen``.

Recall is the share of bad drafts with any mark, a false alarm a good draft with any mark; 95 % Wilson intervals. Beside
them stands what chance gives: marking all, none, and as many at random as the rules mark.
"""

import math
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.curation.drafting.scenes import Case, cases
from whyseg.curation.drafting.critic import judge
from whyseg.schemas import Critique, Fault


@dataclass(frozen=True)
class Rate:
    """A share of a number."""

    hits: int
    total: int

    @property
    def value(self) -> float:
        return self.hits / self.total

    def interval(self, z: float = 1.96) -> tuple[float, float]:
        """Return Wilson's interval."""
        middle = (self.value + z * z / (2 * self.total)) / (1 + z * z / self.total)
        spread = self.value * (1 - self.value) / self.total + z * z / (4 * self.total**2)
        half = z * math.sqrt(spread) / (1 + z * z / self.total)
        return middle - half, middle + half

    def __str__(self) -> str:
        low, high = self.interval()
        return f"{self.hits}/{self.total} = {self.value:.0%} ({low:.0%}–{high:.0%})"


@dataclass(frozen=True)
class Measured:
    """Rates over one half of the corpus: any mark, and for each fault any mark, and the right one."""

    recall: Rate
    false_alarms: Rate
    by_fault: dict[Fault, tuple[Rate, Rate]]

    def table(self) -> str:
        marked = Rate(self.recall.hits + self.false_alarms.hits, self.recall.total + self.false_alarms.total)
        rows = [
            "| drafts | marked (95 % interval) | with the right fault |",
            "|---|---|---|",
            *(f"| bad: {fault.value} | {found} | {right} |" for fault, (found, right) in self.by_fault.items()),
            f"| **all bad: recall** | {self.recall} | |",
            f"| **good: false alarms** | {self.false_alarms} | |",
            "| chance: mark all | recall 100 %, false alarms 100 % | |",
            "| chance: mark none | recall 0 %, false alarms 0 % | |",
            f"| chance: mark as many at random | recall and false alarms {marked.value:.0%} | |",
        ]
        return "\n".join(rows)


def judged(half: str) -> list[tuple[Case, Critique]]:
    return [(case, judge(case.draft, case.scene)) for case in cases(half)]


def measured(half: str) -> Measured:
    """Return the rates over ``seen`` or ``unseen``."""
    found = judged(half)
    bad = [(case, critique) for case, critique in found if case.fault]
    good = [critique for case, critique in found if not case.fault]
    by_fault = {}
    for fault in Fault:
        own = [critique for case, critique in bad if case.fault == fault]
        right = Rate(sum(fault in critique.faults for critique in own), len(own))
        by_fault[fault] = Rate(sum(bool(critique.marks) for critique in own), len(own)), right
    recall = Rate(sum(bool(critique.marks) for _, critique in bad), len(bad))
    return Measured(recall, Rate(sum(bool(critique.marks) for critique in good), len(good)), by_fault)


if __name__ == "__main__":
    print(f"{Path(__file__).stem}: {sys.argv[1]}\n\n{measured(sys.argv[1]).table()}")
