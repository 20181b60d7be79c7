"""The checks as a server runs them: one run at a time, on its own thread, with progress and the last result."""

import threading
import time
from datetime import datetime

from whyseg.curation.checks import CheckReport, LeftOut, check_workspace
from whyseg.curation.times import now
from whyseg.curation.workspace import Workspace
from whyseg.schemas.errors import AlreadyRunning, WhysegError
from whyseg.schemas.record import Record, Utc

_UNFORESEEN = "the run ended unexpectedly; the server's log says how"
_END_SECONDS = 5.0  # how long the end of a server waits for a run that was told to stop


class Running(Record):
    """A run at work: ``part`` is what it looks at, ``done`` of ``total`` of that."""

    by: str
    started_at: Utc
    part: str = ""
    done: int = 0
    total: int = 0


class Ran(Record):
    """A run that has ended: with ``problem``, or with counts as in `CheckReport`."""

    by: str
    started_at: Utc
    seconds: float
    problem: str | None = None
    checked: int = 0
    findings: int = 0
    new: int = 0
    gone: int = 0
    set_aside: int = 0
    left_out: tuple[LeftOut, ...] = ()


class CheckRunState(Record):
    """The run that is at work, if any, and the last one that ended since the server was started."""

    running: Running | None
    last: Ran | None


class CheckRuns:
    """Runs the checks of a workspace; any thread may ask."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._lock = threading.Lock()
        self._running: Running | None = None
        self._last: Ran | None = None
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    def state(self) -> CheckRunState:
        """Return how far the run is, and what came of the last one."""
        with self._lock:
            return CheckRunState(running=self._running, last=self._last)

    def start(self, by: str) -> CheckRunState:
        """Begin a run and return at once; raises ``AlreadyRunning`` while another is at work."""
        with self._lock:
            if self._running is not None:
                raise AlreadyRunning(self._running.by, self._running.started_at)
            self._running = Running(by=by, started_at=now())
            self._thread = threading.Thread(target=self._run, args=(by,), name="whyseg-checks", daemon=True)
            self._thread.start()
            return CheckRunState(running=self._running, last=self._last)

    def close(self) -> None:
        """Have a run that is at work stop, and wait for it a little; what it found until then is not written."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join(_END_SECONDS)

    def _run(self, by: str) -> None:
        started, began = now(), time.monotonic()
        report: CheckReport | None = None
        problem: str | None = _UNFORESEEN
        try:
            report = check_workspace(self.workspace, self._progress)
            problem = None
        except WhysegError as error:
            problem = str(error)
        except _Stopped:
            problem = "the server was stopped"
        finally:  # whatever it was that ended it, the next run may begin
            ended = _ended(by, started, time.monotonic() - began, report, problem)
            with self._lock:
                self._running, self._last = None, ended

    def _progress(self, part: str, done: int, total: int) -> None:
        if self._ending.is_set():
            raise _Stopped
        with self._lock:
            if self._running is not None:
                changes = {"part": part, "done": done, "total": total}
                self._running = self._running.model_copy(update=changes)


class _Stopped(Exception):
    """The server is being stopped."""


def _ended(by: str, started: datetime, seconds: float, report: CheckReport | None, problem: str | None) -> Ran:
    if report is None:
        return Ran(by=by, started_at=started, seconds=round(seconds, 3), problem=problem)
    kept = ("checked", "new", "gone", "set_aside", "left_out")
    counts = {name: getattr(report, name) for name in kept}
    return Ran(by=by, started_at=started, seconds=round(seconds, 3), findings=len(report.findings), **counts)
