"""A drafter whose model is loaded while people work already."""

import threading
from collections.abc import Callable

from whyseg.curation.drafting.base import Drafter, RgbArray
from whyseg.curation.machine import LOADING
from whyseg.schemas import Drafted, DraftProblem, ReasoningType, Scene
from whyseg.schemas.errors import DrafterError, DrafterUnavailable


class LateDrafter:
    """Stands for a model in this process until that is loaded: who asks before is told to ask again."""

    name = "transformers"
    looks = True

    def __init__(self, model: str, load: Callable[[], Drafter]) -> None:
        self.model, self._load = model, load
        self._found: Drafter | None = None
        self._failed: DrafterError | None = None
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to load, on a thread of its own; does nothing the second time."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="whyseg-load-drafter", daemon=True)
                self._thread.start()

    @property
    def state(self) -> str:
        """How far the loading is, in words."""
        if self._failed is not None:
            return str(self._failed)
        return "in the server's process" if self._found is not None else "the model is being loaded"

    def draft(self, image: RgbArray, scene: Scene, *, reasoning_type: ReasoningType, depth: int, n: int) -> Drafted:
        """Draft as the model does; raises ``DrafterError`` as its loading did."""
        self.start()
        if self._failed is not None:
            raise self._failed
        if self._found is None:
            reason = f"{self.model} is being loaded; ask again in a while"
            return Drafted.without(DraftProblem(kind="unanswered", reason=reason))
        return self._found.draft(image, scene, reasoning_type=reasoning_type, depth=depth, n=n)

    def prompt_hash(self, reasoning_type: ReasoningType, depth: int, n: int) -> str:
        """Return the model's own; raises ``DrafterUnavailable`` before that is loaded."""
        if self._found is None:
            raise DrafterUnavailable(self.state)
        return self._found.prompt_hash(reasoning_type, depth, n)

    def _run(self) -> None:
        failed: DrafterError = DrafterUnavailable(f"{self.model} cannot be loaded; the server's log says why")
        try:
            with LOADING:
                self._found = self._load()
        except DrafterError as error:
            failed = error
        finally:  # whatever else a library raises is in the log, and nobody waits
            if self._found is None:
                self._failed = failed
