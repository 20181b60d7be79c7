"""A segmenter that is loaded, or even fetched, while the pages are open already."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future

from whyseg.curation.machine import LOADING
from whyseg.curation.segmenters.base import Embedding, FloatArray, Proposal, RgbArray, Segmenter
from whyseg.curation.segmenters.kept import Keepable
from whyseg.schemas import Prompt
from whyseg.schemas.errors import ModelFailed, ModelUnavailable, WhysegError

_LOG = logging.getLogger(__name__)
Told = Callable[[str], None]
Load = Callable[[Told], tuple[Segmenter, str]]


class LateSegmenter:
    """Stands for a segmenter until that is there: who embeds waits for it, and fails as its loading failed.

    ``load`` returns the segmenter and one sentence that says why it is this one; while it works it may say what it is
    at, in `reason`. ``loaded`` hears the last sentence, good or bad.
    """

    def __init__(self, load: Load, loaded: Told = lambda text: None) -> None:
        self._load, self._loaded = load, loaded
        self._found: Future[Segmenter] = Future()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self.reason = "the model is being loaded"

    def start(self) -> None:
        """Begin to load, on a thread of its own; does nothing the second time."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="whyseg-load", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Let nobody wait any longer: who does gets ``ModelUnavailable``, and so does whoever asks later."""
        self._settle(ModelUnavailable("the server is being stopped"))

    def wait(self) -> None:
        """Return when the segmenter is there, or is known not to come; does not make it begin."""
        self._found.exception()

    def describe(self) -> dict[str, str]:
        """Return ``name``, ``model`` and ``reason``."""
        return {"name": self.name, "model": self.model, "reason": self.reason}

    @property
    def name(self) -> str:
        """The backend's name; "loading" before it is there, "none" when it cannot be."""
        return self._known("name")

    @property
    def model(self) -> str:
        """Which weights run."""
        return self._known("model")

    def embed(self, image: RgbArray) -> Embedding:
        """Embed an upright image: uint8 (H, W, 3), RGB."""
        self.start()
        return self._found.result().embed(image)

    def propose(self, embedding: Embedding, prompt: Prompt, previous: FloatArray | None = None) -> list[Proposal]:
        """Answer a prompt, best first."""
        return self._found.result().propose(embedding, prompt, previous)

    def weights_digest(self) -> str | None:
        """Name the weights by their content, once they are there; None where embeddings are not to be kept."""
        self.start()
        found = self._found.result()
        return found.weights_digest() if isinstance(found, Keepable) else None

    def arrays(self, embedding: Embedding) -> tuple[FloatArray, ...]:
        """Return an embedding's arrays."""
        return self._keepable().arrays(embedding)

    def restored(self, arrays: tuple[FloatArray, ...], size: tuple[int, int]) -> Embedding:
        """Return the embedding of such arrays."""
        return self._keepable().restored(arrays, size)

    def _keepable(self) -> Keepable:
        found = self._found.result()
        assert isinstance(found, Keepable), f"{found.name} keeps no embeddings"
        return found

    def _known(self, what: str) -> str:
        if not self._found.done():
            return "loading"
        return "none" if self._found.exception() else str(getattr(self._found.result(), what))

    def _tell(self, text: str) -> None:
        self.reason = text

    def _settle(self, outcome: Segmenter | WhysegError) -> None:
        with self._lock:
            if self._found.done():
                return
            if isinstance(outcome, WhysegError):
                self._found.set_exception(outcome)
            else:
                self._found.set_result(outcome)

    def _run(self) -> None:
        try:
            with LOADING:
                segmenter, self.reason = self._load(self._tell)
            self._settle(segmenter)
        except WhysegError as error:
            self.reason = str(error)
            self._settle(error)
        except Exception as error:  # noqa: BLE001 whatever a model library raises, clicks must hear of it, not hang
            _LOG.exception("the segmenter cannot be loaded")
            self.reason = f"the segmenter cannot be loaded: {' '.join(str(error).split()) or type(error).__name__}"
            self._settle(ModelFailed(self.reason))
        self._loaded(self.reason)
