"""Parts of a measurement that is long or may break, each in a process of its own, within one budget of minutes.

A part that fails, is cut off or no longer fits is noted with its reason, and the others go on: what a GPU breaks in one
process, or a model too large for it, spoils none of the rest.
"""

import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SHOWN = 400  # characters of a failure's last line


@dataclass
class Parts:
    """Runs parts of a command until its minutes are over.

    ``command``: what every part begins with; ``logs``: the folder of what they print. ``seconds``: what each part took
    that went well; ``failed``: what broke of the others, ``left_out``: what the budget has cost.
    """

    command: Sequence[str]
    minutes: float
    logs: Path
    seconds: dict[str, float] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)

    @classmethod
    def of(cls, module: str, minutes: float, logs: Path) -> "Parts":
        return cls([sys.executable, "-m", f"benchmarks.{module}"], minutes, logs)

    @property
    def left(self) -> float:
        """Seconds that are left of the budget."""
        return self.began + 60 * self.minutes - time.monotonic()

    def run(self, name: str, *arguments: str, needs: float = 0.0) -> bool:
        """Run one part to its end and say whether it went well; ``needs``: the seconds it can be expected to take."""
        if self.left < max(needs, 1):
            return self.leave_out(
                name, f"{max(0, self.left):.0f} s of the budget were left, the like took {needs:.0f} s"
            )
        print(f"{name} …", file=sys.stderr, flush=True)
        self.logs.mkdir(parents=True, exist_ok=True)
        log, began, limit = self.logs / f"{name}.log", time.monotonic(), self.left
        try:
            with log.open("w") as told:
                done = subprocess.run(
                    [*self.command, *arguments], cwd=ROOT, stdout=told, stderr=subprocess.STDOUT, timeout=limit
                )
        except subprocess.TimeoutExpired:
            return self.leave_out(name, f"cut off after {limit:.0f} s: the {self.minutes:g} minutes were over")
        if done.returncode:
            return _noted(self.failed, name, f"exit code {done.returncode}: {last_line(log)}")
        self.seconds[name] = round(time.monotonic() - began, 1)
        print(f"{name}: {self.seconds[name]:.0f} s", file=sys.stderr, flush=True)
        return True

    def leave_out(self, name: str, why: str) -> bool:
        """Note why a part has no result, though it did not fail."""
        return _noted(self.left_out, name, why)

    def notes(self) -> dict[str, dict[str, str]]:
        """Return what has no result, as a result file says it."""
        return {"failed": self.failed, "left_out": self.left_out}

    def finish(self) -> None:
        """Exit with 1 when a part failed."""
        if self.failed:
            raise SystemExit(f"failed: {', '.join(self.failed)}")


def _noted(where: dict[str, str], name: str, what: str) -> bool:
    where[name] = what
    print(f"{name}: {what}", file=sys.stderr, flush=True)
    return False


def last_line(log: Path) -> str:
    """Return the last line that says something, as that of a traceback."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1][:SHOWN] if lines else "it printed nothing"
