"""whyseg's commands as processes, which are run to their end or killed at some moment."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 400.0


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def refusal(self) -> str:
        """The line in which it was refused; empty where it was not, or in more than one line, as of a bug."""
        said = [line for line in self.err.splitlines() if line.startswith("whyseg: ")]
        return said[0] if self.code in (1, 2) and len(said) == 1 and "Traceback" not in self.err else ""


def command(*words: object) -> list[str]:
    """Return the arguments of a whyseg command."""
    return [sys.executable, "-m", "whyseg", *map(str, words)]


def surroundings(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return a command's environment."""
    return {**os.environ, "OMP_NUM_THREADS": "1", **(more or {})}


def run(*words: object, env: Mapping[str, str] | None = None) -> Ran:
    """Run a whyseg command to its end."""
    done = subprocess.run(
        command(*words), env=surroundings(env), cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def must(*words: object, env: Mapping[str, str] | None = None) -> Ran:
    """Run a whyseg command that has to succeed."""
    done = run(*words, env=env)
    if done.code:
        raise AssertionError(f"whyseg {' '.join(map(str, words))} exited {done.code}: {done.err}")
    return done


def killed(arguments: list[str], begun: Callable[[], bool], wait: Callable[[], None]) -> bool:
    """Start a process, kill it some time after it has begun its work; say whether it still lived then."""
    with subprocess.Popen(
        arguments, env=surroundings(), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        end = time.monotonic() + PATIENCE
        while process.poll() is None and not begun():
            if time.monotonic() > end:
                process.kill()
                raise AssertionError(f"{arguments[2:]} did not begin in {PATIENCE:.0f} s")
            time.sleep(0.005)
        if process.poll() is None:
            wait()
        process.kill()
        return process.wait() == -signal.SIGKILL
