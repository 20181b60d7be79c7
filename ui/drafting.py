"""Drafting for the pages, on threads of its own: a slow model keeps neither others waiting nor the server's end."""

import threading
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from whyseg.curation.drafting.accepting import suggestion_of
from whyseg.curation.drafting.base import Drafter
from whyseg.curation.drafting.critic import judge
from whyseg.curation.drafting.late import LateDrafter
from whyseg.curation.drafting.openai import OpenAIDrafter
from whyseg.curation.drafting.scenes import scene_of
from whyseg.curation.times import now
from whyseg.curation.visibility import Viewer
from whyseg.curation.workspace import Workspace
from whyseg.schemas import DraftProblem, Instance, ReasoningType, Suggestion
from whyseg.schemas.errors import DrafterUnavailable, WhysegError
from whyseg.ui.pictures import Pictures

AT_ONCE = 8  # drafts that are waited for at the same time


@dataclass(frozen=True)
class Asked:
    """Which questions are wanted, of which sample, for whom."""

    sample_id: str
    reasoning_type: ReasoningType
    depth: int
    n: int
    viewer: Viewer


@dataclass(frozen=True)
class Outcome:
    """What was drafted and kept, or why nothing was."""

    kept: tuple[Suggestion, ...] = ()
    problem: DraftProblem | None = None


class Drafting:
    """Has a drafter propose questions for the samples of a workspace; any thread may ask."""

    def __init__(self, workspace: Workspace, drafter: Drafter) -> None:
        self.store, self.pictures, self.drafter = workspace.store, Pictures(workspace), drafter
        self._free = threading.BoundedSemaphore(AT_ONCE)
        self._lock = threading.Lock()
        self._waiting: set[Future[Outcome]] = set()

    def start(self) -> None:
        """Have a model that is loaded late be loaded."""
        if isinstance(self.drafter, LateDrafter):
            self.drafter.start()

    def close(self) -> None:
        """Let nobody wait any longer; what is still answered is lost."""
        with self._lock:
            waiting = list(self._waiting)
        for future in waiting:
            with suppress(InvalidStateError):
                future.set_exception(DrafterUnavailable("the server is being stopped"))

    @property
    def waiting(self) -> int:
        """How many drafts are waited for."""
        with self._lock:
            return len(self._waiting)

    def describe(self) -> dict[str, str]:
        """Return the drafter's ``name``, ``model``, and in ``reason`` where that is."""
        where = "rules that hold for every labelled object, no model"
        if isinstance(self.drafter, OpenAIDrafter):
            where = f"behind {self.drafter.endpoint.url.removesuffix('/chat/completions')}"
        elif isinstance(self.drafter, LateDrafter):
            where = self.drafter.state
        return {"name": self.drafter.name, "model": self.drafter.model, "reason": where}

    def draft(self, asked: Asked) -> Outcome:
        """Draft for a sample as it is saved, judged by the critic's rules; what comes is kept beside it.

        Raises ``NotFound``, ``DrafterError`` when no draft can be expected.
        """
        if not self._free.acquire(blocking=False):
            return _nothing("unanswered", f"{AT_ONCE} drafts are being waited for already; ask again in a while")
        future: Future[Outcome] = Future()
        with self._lock:
            self._waiting.add(future)
        # Not a thread of the server's pool: these are joined when the process ends, however long an endpoint takes.
        threading.Thread(target=self._answer, args=(asked, future), name="whyseg-draft", daemon=True).start()
        return future.result()

    def _answer(self, asked: Asked, future: "Future[Outcome]") -> None:
        failed: WhysegError = DrafterUnavailable("the drafter failed unexpectedly; the server's log says how")
        outcome = None
        try:
            outcome = self._draft(asked)
        except WhysegError as error:
            failed = error
        finally:  # a bug is in the log, and nobody waits for it
            self._free.release()
            with self._lock:
                self._waiting.discard(future)
            with suppress(InvalidStateError):
                if outcome is not None:
                    future.set_result(outcome)
                else:
                    future.set_exception(failed)

    def _draft(self, asked: Asked) -> Outcome:
        sample = self.store.head(asked.sample_id).sample
        if problem := _lacking(sample.instances):
            return Outcome(problem=problem)
        scene = scene_of(self.store, sample, asked.viewer)
        pixels = self.pictures.pixels(sample.image_id) if self.drafter.looks else np.zeros((1, 1, 3), np.uint8)
        drafted = self.drafter.draft(pixels, scene, reasoning_type=asked.reasoning_type, depth=asked.depth, n=asked.n)
        if drafted.problem is not None:
            return Outcome(problem=drafted.problem)
        kept = tuple(suggestion_of(sample.id, draft, judge(draft, scene), now()) for draft in drafted.drafts)
        for suggestion in kept:
            self.store.add_suggestion(suggestion)
        return Outcome(kept=kept)


def _nothing(kind: str, reason: str) -> Outcome:
    return Outcome(problem=DraftProblem.parse({"kind": kind, "reason": reason}))


def _lacking(instances: tuple[Instance, ...]) -> DraftProblem | None:
    if not instances:
        return DraftProblem(kind="declined", reason="there is no mask yet: a question is drafted for what it answers")
    if unnamed := [str(one.id) for one in instances if not one.label or not one.mask.area]:
        reason = f"instance {', '.join(unnamed)} lacks a label or pixels: a draft goes by both"
        return DraftProblem(kind="declined", reason=reason)
    return None
