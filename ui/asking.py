"""Questions to the policy, one after another: each waits for its turn, and its answers are kept for a while."""

import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Literal

from whyseg.curation.asking import AskedAnswer, Asker, Settings, Vote
from whyseg.curation.images import RgbArray
from whyseg.curation.machine import LOADING
from whyseg.schemas import Record
from whyseg.schemas.errors import Busy, IllegalTransition, ModelUnavailable, NotFound, WhysegError

WAITING = 8  # questions that wait for their turn
KEPT = 32  # questions whose answers can still be looked at
NONE = "no policy runs: start the server with whyseg serve --policy MODEL"
_UNFORESEEN = "it failed unexpectedly; the server's log says how"
_REPLACED = "you have asked something else since"

Told = Callable[[str], None]
Load = Callable[[Told], Asker]
Phase = Literal["waiting", "asking", "done", "failed", "cancelled"]


class Question(Record):
    """What is asked about the picture of a file with the hash ``image_id``, of ``size`` (height, width)."""

    image_id: str
    size: tuple[int, int]
    file_name: str = ""
    query: str
    k: int
    temperature: float | None = None
    settings: Settings = Settings()


class AskState(Record):
    """How far a question is.

    ``place``: how many wait before it; ``done``: how many of its answers there are; ``seconds``: since it began to be
    asked. ``answers`` and ``vote``, by the question's own settings, are there when ``state`` is "done"; ``problem``
    says why it failed or was cancelled.
    """

    id: str
    state: Phase
    question: Question
    policy: str
    segmenter: str
    place: int = 0
    done: int = 0
    seconds: float = 0.0
    problem: str | None = None
    answers: tuple[AskedAnswer, ...] = ()
    vote: Vote | None = None


class _Cancelled(Exception):
    """Nobody waits for the answers any more."""


class _Job:
    def __init__(self, question: Question, by: str, pixels: Callable[[], RgbArray]) -> None:
        self.id, self.question, self.by, self.pixels = uuid.uuid4().hex, question, by, pixels
        self.state: Phase = "waiting"
        self.done, self.began, self.ended = 0, 0.0, 0.0
        self.problem: str | None = None
        self.answers: Sequence[AskedAnswer] = ()
        self.vote: Vote | None = None

    def end(self, state: Phase, problem: str | None = None) -> None:
        if self.state in ("waiting", "asking"):
            self.state, self.problem, self.ended = state, problem, time.monotonic()

    @property
    def seconds(self) -> float:
        return round((self.ended or time.monotonic()) - self.began, 3) if self.began else 0.0


class Asking:
    """Has a policy answer people's questions; any thread may ask. ``load`` brings the policy, None: there is none.

    What ``load`` is told while it works is its state, for `describe`; ``loaded`` hears the last sentence. ``after``
    returns when the policy's turn to be loaded has come, so that whoever annotates does not wait for it.
    """

    def __init__(
        self,
        load: Load | None = None,
        loaded: Told = lambda text: None,
        *,
        after: Callable[[], None] = lambda: None,
    ) -> None:
        self._load, self._loaded, self._after = load, loaded, after
        self._lock = threading.RLock()
        self._jobs: OrderedDict[str, _Job] = OrderedDict()
        self._asker: Asker | None = None
        self._failed = load is None
        self._started = self._busy = self._ending = False
        self.reason = NONE if load is None else "the policy is being loaded"

    def start(self) -> None:
        """Begin to load the policy, on a thread of its own; does nothing the second time."""
        with self._lock:
            if self._load is None or self._started:
                return
            self._started = True
        # Not a thread of the server's pool: these are joined when the process ends, however long a model takes.
        threading.Thread(target=self._bring, args=(self._load,), name="whyseg-policy", daemon=True).start()

    def close(self) -> None:
        """Ask nothing any more; the policy gives back what it holds as soon as it is not at work."""
        with self._lock:
            self._ending = True
            for job in self._jobs.values():
                job.end("cancelled", "the server is being stopped")
            idle = None if self._busy else self._asker
        if idle is not None:
            idle.close()

    def describe(self) -> dict[str, str]:
        """Return ``name``, ``segmenter`` and ``reason``; the names are "none" or "loading" where there is no policy."""
        with self._lock:
            absent = "none" if self._failed else "loading"
            names = (self._asker.name, self._asker.segmenter) if self._asker else (absent, absent)
            return {"name": names[0], "segmenter": names[1], "reason": self.reason}

    def newest(self, by: str) -> AskState | None:
        """Return the newest question of somebody, None where they have none."""
        with self._lock:
            return next((self._state(job) for job in reversed(self._jobs.values()) if job.by == by), None)

    def ask(self, question: Question, by: str, pixels: Callable[[], RgbArray]) -> AskState:
        """Have a question asked, in place of the one of the same person that has no answer yet; returns at once.

        ``pixels`` gives the picture, uint8 (H, W, 3), upright. Raises ``ModelUnavailable`` where no policy runs and
        none is being loaded, ``Busy`` when too many wait already.
        """
        with self._lock:
            if self._failed or self._ending:
                raise ModelUnavailable(self.reason)
            if sum(other.by != by for other in self._queue()) >= WAITING:
                raise Busy(f"{WAITING} questions wait for the policy already; ask again in a while")
            for other in self._jobs.values():
                if other.by == by:
                    other.end("cancelled", _REPLACED)
            job = _Job(question, by, pixels)
            self._jobs[job.id] = job
            while len(self._jobs) > KEPT:
                self._forget()
            self._next()
            return self._state(job)

    def state(self, key: str, by: str) -> AskState:
        """Return how far a question of somebody is; raises ``NotFound``, also for those of others."""
        with self._lock:
            return self._state(self._job(key, by))

    def cancel(self, key: str, by: str) -> AskState:
        """End a question that has no answers yet."""
        with self._lock:
            job = self._job(key, by)
            job.end("cancelled", "as you wished")
            return self._state(job)

    def vote(self, key: str, by: str, settings: Settings) -> Vote:
        """Vote on a question's answers again; raises ``IllegalTransition`` where there are none."""
        with self._lock:
            job, asker = self._job(key, by), self._asker
            if job.state != "done" or asker is None:
                raise IllegalTransition(key, job.state, "vote on its answers")
        return asker.vote(job.answers, job.question.size, settings)

    def _job(self, key: str, by: str) -> _Job:
        job = self._jobs.get(key)
        if job is None or job.by != by:
            raise NotFound("question", key)
        return job

    def _queue(self) -> list[_Job]:
        return [job for job in self._jobs.values() if job.state == "waiting"]

    def _forget(self) -> None:
        """Drop the oldest question that has ended."""
        self._jobs.pop(next(key for key, job in self._jobs.items() if job.ended))

    def _state(self, job: _Job) -> AskState:
        known = self.describe()
        queue = self._queue()
        return AskState(
            id=job.id, state=job.state, question=job.question, policy=known["name"], segmenter=known["segmenter"],
            place=queue.index(job) if job in queue else 0, done=job.done, seconds=job.seconds, problem=job.problem,
            answers=tuple(job.answers), vote=job.vote,
        )  # fmt: skip

    # -- on threads of their own --

    def _tell(self, text: str) -> None:
        with self._lock:
            self.reason = text

    def _bring(self, load: Load) -> None:
        asker, reason = None, f"the policy cannot be loaded: {_UNFORESEEN}"
        try:
            self._after()  # outside the lock, which whoever is waited for needs
            with LOADING:
                asker = load(self._tell)
            reason = self.reason
        except WhysegError as error:
            reason = str(error)
        finally:  # a bug is in the log, and nobody waits for it
            with self._lock:
                self._asker, self._failed, self.reason = asker, asker is None, reason
                for job in self._queue() if asker is None else ():
                    job.end("failed", reason)
                self._next()
            self._loaded(f"policy: {asker.name}; {reason}" if asker else reason)

    def _next(self) -> None:
        """Begin with the question that has waited longest, unless one is being asked."""
        queue = self._queue()
        if self._asker is None or self._busy or self._ending or not queue:
            return
        self._busy, job = True, queue[0]
        job.state, job.began = "asking", time.monotonic()
        threading.Thread(target=self._work, args=(self._asker, job), name="whyseg-ask", daemon=True).start()

    def _work(self, asker: Asker, job: _Job) -> None:
        question, vote = job.question, None
        answers: tuple[AskedAnswer, ...] = ()
        problem: str | None = _UNFORESEEN

        def told(done: int) -> None:
            if job.state != "asking":
                raise _Cancelled
            job.done = done

        try:
            answers = asker.ask(
                question.image_id,
                job.pixels(),
                question.query,
                k=question.k,
                temperature=question.temperature,
                told=told,
            )
            vote = asker.vote(answers, question.size, question.settings)
            problem = None if any(one.text for one in answers) else "no answer came"
        except WhysegError as error:
            problem = str(error)
        except _Cancelled:
            pass  # it has ended already
        finally:  # whatever it was that ended it, the next may be asked
            with self._lock:
                if job.state == "asking" and problem is None:
                    job.answers, job.vote = answers, vote
                job.end("done" if problem is None else "failed", problem)
                self._busy = False
                self._next()
                ended = self._ending
            if ended:
                asker.close()
