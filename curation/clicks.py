"""The click service: prompts in, mask crops out, one thread at the decoder and one at the encoder.

So no click waits for another image to be encoded, which takes seconds on a CPU. The image that is clicked on is encoded
before the one that somebody has opened, and that before those they will look at next; a click whose client has asked
again since is never decoded. Embeddings are kept up to a number of bytes.
"""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TypeVar

from whyseg.curation.replies import ClickReply as ClickReply
from whyseg.curation.replies import EncodeStatus as EncodeStatus
from whyseg.curation.replies import Superseded as Superseded
from whyseg.curation.replies import Timings
from whyseg.curation.segmenters.base import Embedding, FloatArray, Proposal, RgbArray, Segmenter
from whyseg.curation.segmenters.crops import Crop, encode_crop
from whyseg.curation.segmenters.kept import KeptEmbeddings
from whyseg.curation.segmenters.replay import replayed
from whyseg.schemas import Prompt
from whyseg.schemas.errors import InvalidRecord, ModelFailed, ModelUnavailable, NotFound, SizeMismatch, WhysegError

T = TypeVar("T")
_LOG = logging.getLogger(__name__)
KEPT_BY_CLIENT = 8  # answers whose other candidates and logits can still be asked for
KEPT = 128  # of all clients together; each holds four masks of 256 × 256 logits, 1 MiB
REPLAYED = 12  # steps, where logits are gone: everybody else waits meanwhile
LOOKED_AT = 16  # images that may wait to be encoded because somebody opened them
RETRY_SECONDS = 30.0  # how soon a wish tries an image again that could not be encoded; a click always does


@dataclass(eq=False)
class _Job:
    """A click on its way."""

    client: str
    seq: int
    image_id: str
    size: tuple[int, int]
    prompt: Prompt
    refine: tuple[int, int] | None
    arrived: float
    cached: "_Cached | None" = None  # kept for it, even when others throw it out of the cache
    answer: "Future[_Answer | Superseded]" = field(default_factory=Future)


@dataclass(frozen=True, eq=False)
class _Answer:
    image_id: str
    proposals: list[Proposal]
    wait: float
    model: float


@dataclass(frozen=True, eq=False)
class _Cached:
    embedding: Embedding
    seconds: float


class ClickService:
    """One segmenter for all clients; safe to call from any thread.

    ``load_image`` gives an image's upright pixels, uint8 (H, W, 3) RGB; the encoder's thread calls it. ``reason`` says
    why this segmenter runs. An embedding is kept even if it alone is over ``cache_bytes``, or no click could be
    answered. ``kept``: those on disk, which are asked before an image is encoded.
    """

    def __init__(
        self,
        segmenter: Segmenter,
        load_image: Callable[[str], RgbArray],
        *,
        cache_bytes: int = 2**30,
        kept: KeptEmbeddings | None = None,
        reason: str = "",
    ) -> None:
        self._segmenter, self._load_image = segmenter, load_image
        self._cache_bytes, self._kept, self._reason = cache_bytes, kept, reason
        self._changed = threading.Condition()  # guards everything below
        self._jobs: list[_Job] = []
        self._latest: OrderedDict[str, int] = OrderedDict()
        self._answers: OrderedDict[tuple[str, int], _Answer] = OrderedDict()
        self._cache: OrderedDict[str, _Cached] = OrderedDict()
        self._wishes: OrderedDict[str, float] = OrderedDict()  # opened by somebody, oldest first, and since when
        self._ahead: OrderedDict[str, tuple[float, int]] = OrderedDict()  # since when, and how far ahead
        self._failed: dict[str, tuple[float, str]] = {}
        self._encoding: tuple[str, float] | None = None
        self._threads: list[threading.Thread] = []
        self._closed = False
        self._stop = threading.Event()  # of the workers that run now

    def describe(self) -> dict[str, str]:
        """Return the segmenter's ``name`` and ``model``, and the ``reason`` why it runs."""
        return {"name": self._segmenter.name, "model": self._segmenter.model, "reason": self._reason}

    def start(self) -> None:
        """Start the workers; a first click or wish does so too. Does nothing when they run."""
        with self._changed:
            self._closed = False
            self._spawn()

    def close(self) -> None:
        """Let what the model does now end, refuse what waits, and join the workers."""
        with self._changed:
            self._closed, threads, self._threads = True, self._threads, []
            self._stop.set()
            for job in self._jobs:
                job.answer.set_exception(_closed())
            self._jobs.clear()
            self._changed.notify_all()
        for thread in threads:
            thread.join()

    def want(self, image_ids: Sequence[str]) -> None:
        """Ask for images to be encoded: the first now, the rest ahead of need, in this order; returns at once.

        What was asked for ahead before and is not among these is dropped. No more is encoded than the cache holds.
        """
        now = time.monotonic()
        with self._changed:
            if self._closed:
                return
            self._spawn()
            self._ahead, before = OrderedDict(), self._ahead
            for k, image_id in enumerate(image_ids):
                encoding = self._encoding is not None and self._encoding[0] == image_id
                if encoding or image_id in self._cache or self._failed_lately(image_id, now):
                    continue
                self._failed.pop(image_id, None)
                since = self._wishes.get(image_id, before.get(image_id, (now, 0))[0])
                if k == 0:
                    self._wishes[image_id] = since
                    self._wishes.move_to_end(image_id)
                elif image_id not in self._wishes:
                    self._ahead[image_id] = (since, k)
            for image_id in reversed(image_ids):  # so that the next to be looked at is the last to be thrown out
                if image_id in self._cache:
                    self._cache.move_to_end(image_id)
            while len(self._wishes) > LOOKED_AT:
                self._wishes.popitem(last=False)
            self._changed.notify_all()

    def status(self, image_id: str) -> EncodeStatus:
        """Say how far an image is."""
        now = time.monotonic()
        with self._changed:
            if cached := self._cache.get(image_id):
                return EncodeStatus(state="ready", seconds=round(cached.seconds, 3))
            if self._encoding and self._encoding[0] == image_id:
                return EncodeStatus(state="encoding", seconds=round(now - self._encoding[1], 3))
            waiting = [job.arrived for job in self._jobs if job.image_id == image_id]
            waiting += [self._wishes[image_id]] if image_id in self._wishes else []
            waiting += [self._ahead[image_id][0]] if image_id in self._ahead else []
            if waiting:
                return EncodeStatus(state="queued", seconds=round(now - min(waiting), 3))
            if failure := self._failed.get(image_id):
                return EncodeStatus(state="failed", seconds=round(now - failure[0], 3), message=failure[1])
            return EncodeStatus(state="absent")

    def click(
        self,
        client: str,
        seq: int,
        image_id: str,
        size: tuple[int, int],
        prompt: Prompt,
        refine: tuple[int, int] | None = None,
    ) -> ClickReply | Superseded:
        """Answer a prompt; blocks until it is decoded or superseded.

        ``client`` names one open page, ``seq`` grows with each of its clicks. ``size``: (height, width) of the image.
        ``refine``: the (seq, candidate) whose logits the prompt refines; when they are gone, the prompt's points are
        replayed one by one. Raises ``InvalidRecord`` for a prompt that is empty or outside the image, and whatever
        loading, encoding or decoding the image raised, always a ``WhysegError``.
        """
        if not prompt:
            raise InvalidRecord("a click needs a point or a box")
        prompt.require_inside(size)
        job = _Job(client, seq, image_id, size, prompt, refine, time.monotonic())
        with self._changed:
            if self._closed:
                raise _closed()
            self._spawn()
            if seq < self._latest.get(client, seq):
                return Superseded(seq=seq)
            self._latest[client] = seq
            self._latest.move_to_end(client)
            while len(self._latest) > 10_000:
                self._latest.popitem(last=False)
            for older in [other for other in self._jobs if other.client == client]:
                older.answer.set_result(Superseded(seq=older.seq))
                self._jobs.remove(older)
            self._jobs.append(job)
            self._changed.notify_all()
        answer = job.answer.result()
        with self._changed:
            stale = self._latest.get(client, seq) > seq
        if stale or isinstance(answer, Superseded):
            return Superseded(seq=seq)
        best, enlarge, rle = encode_crop(answer.proposals[0])
        ms = Timings(wait=answer.wait, model=answer.model, enlarge=_ms(enlarge), rle=_ms(rle))
        return ClickReply(seq=seq, best=best, scores=tuple(p.score for p in answer.proposals), ms=ms)

    def candidate(self, client: str, seq: int, k: int) -> Crop:
        """Return the ``k``-th best candidate of one of the client's last clicks; raise ``NotFound`` when it is gone."""
        with self._changed:
            answer = self._answers.get((client, seq))
            if answer:
                self._answers.move_to_end((client, seq))
        if answer is None or not 0 <= k < len(answer.proposals):
            raise NotFound("candidate", f"{k} of click {seq}: click again")
        return encode_crop(answer.proposals[k])[0]

    # The workers

    def _decode_clicks(self, stop: threading.Event) -> None:
        while True:
            with self._changed:
                while not stop.is_set() and (job := self._next_job()) is None:
                    self._changed.wait()
                if stop.is_set() or job is None:
                    return
            self._answer(*job)

    def _encode_images(self, stop: threading.Event) -> None:
        while True:
            with self._changed:
                while not stop.is_set() and (image := self._next_image()) is None:
                    self._changed.wait()
                if stop.is_set() or image is None:
                    return
            self._encode(*image)

    def _next_job(self) -> tuple[_Job, _Cached] | None:
        """Take the oldest click whose image is encoded."""
        for job in self._jobs:
            cached = job.cached or self._cache.get(job.image_id)
            if cached:
                self._jobs.remove(job)
                return job, cached
        return None

    def _next_image(self) -> tuple[str, bool] | None:
        """Take the image to encode, and say whether that is ahead of need.

        That of the oldest click, else the last that was opened, else the next ahead that the cache has room for.
        """
        while True:
            ahead = False
            waiting = [job.image_id for job in self._jobs if not job.cached and job.image_id not in self._cache]
            if waiting:
                image_id = waiting[0]
                self._wishes.pop(image_id, None)
            elif self._wishes:
                image_id, _ = self._wishes.popitem()
            elif self._ahead:
                image_id, (_, place) = self._ahead.popitem(last=False)
                ahead = True
                if place >= self._room():
                    continue
            else:
                return None
            self._ahead.pop(image_id, None)
            if image_id not in self._cache:
                self._encoding = (image_id, time.monotonic())
                return image_id, ahead

    def _encode(self, image_id: str, ahead: bool) -> None:
        started = time.monotonic()
        try:
            found = self._typed(lambda: self._kept and self._kept.load(self._segmenter, image_id))
            embedding = found or self._typed(lambda: self._segmenter.embed(self._load_image(image_id)))
        except WhysegError as error:
            with self._changed:
                self._encoding = None
                self._failed[image_id] = (time.monotonic(), str(error))
                for job in [job for job in self._jobs if job.image_id == image_id]:
                    self._jobs.remove(job)
                    job.answer.set_exception(error)
            return
        with self._changed:
            self._encoding = None
            self._failed.pop(image_id, None)
            newest = next(reversed(self._cache), None)
            self._cache[image_id] = _Cached(embedding, time.monotonic() - started)
            if ahead and newest:  # what is looked at now is thrown out last
                self._cache.move_to_end(newest)
            for job in self._jobs:
                if job.image_id == image_id:  # whatever is thrown out before its turn comes
                    job.cached = self._cache[image_id]
            while len(self._cache) > 1 and self._bytes() > self._cache_bytes:
                self._cache.popitem(last=False)
            self._changed.notify_all()
        if self._kept and not found:  # only now, so that nobody waits for the disk
            self._kept.keep(self._segmenter, image_id, embedding)

    def _answer(self, job: _Job, cached: _Cached) -> None:
        with self._changed:
            if job.image_id in self._cache:
                self._cache.move_to_end(job.image_id)
            previous, known = self._previous(job)
        started = time.monotonic()
        try:
            if cached.embedding.size != job.size:
                raise SizeMismatch(f"image {job.image_id}", job.size, cached.embedding.size)
            if known:
                proposals = self._typed(lambda: self._segmenter.propose(cached.embedding, job.prompt, previous))
            else:
                proposals = self._typed(lambda: replayed(self._segmenter, cached.embedding, job.prompt, steps=REPLAYED))
        except WhysegError as error:
            job.answer.set_exception(error)
            return
        ended = time.monotonic()
        wait, model = _ms(started - job.arrived), _ms(ended - started)
        answer = _Answer(job.image_id, proposals, wait, model)
        with self._changed:
            self._answers[(job.client, job.seq)] = answer
            mine = [key for key in self._answers if key[0] == job.client]
            for key in mine[:-KEPT_BY_CLIENT]:
                del self._answers[key]
            while len(self._answers) > KEPT:
                self._answers.popitem(last=False)
        job.answer.set_result(answer)

    def _previous(self, job: _Job) -> tuple[FloatArray | None, bool]:
        """Return the logits that a click refines, and whether it is known which (none, for a fresh prompt)."""
        if job.refine is None:
            return None, True
        seq, k = job.refine
        answer = self._answers.get((job.client, seq))
        if answer is None or answer.image_id != job.image_id or not 0 <= k < len(answer.proposals):
            return None, False
        self._answers.move_to_end((job.client, seq))
        return answer.proposals[k].logits, True

    def _typed(self, call: Callable[[], T]) -> T:
        """Run the model, or what loads an image for it: whatever that raises must not end a worker."""
        try:
            return call()
        except WhysegError:
            raise
        except Exception as error:
            _LOG.exception("the segmenter %s failed", self._segmenter.name)
            text = " ".join(str(error).split()) or type(error).__name__
            raise ModelFailed(f"{self._segmenter.name} failed: {text[:300]}") from error

    # Small things, with the lock held

    def _spawn(self) -> None:
        if not self._threads:
            self._stop = threading.Event()
            for work in (self._decode_clicks, self._encode_images):
                name = f"whyseg-{work.__name__}"
                self._threads.append(threading.Thread(target=work, args=(self._stop,), name=name, daemon=True))
                self._threads[-1].start()

    def _bytes(self) -> int:
        return sum(cached.embedding.nbytes for cached in self._cache.values())

    def _room(self) -> int:
        """Return how many embeddings of the largest size seen the cache holds, 1 at least."""
        largest = max((cached.embedding.nbytes for cached in self._cache.values()), default=1)
        return max(1, self._cache_bytes // max(1, largest))

    def _failed_lately(self, image_id: str, now: float) -> bool:
        failure = self._failed.get(image_id)
        return failure is not None and now - failure[0] < RETRY_SECONDS


def _closed() -> ModelUnavailable:
    return ModelUnavailable("the click service has been closed")


def _ms(seconds: float) -> float:
    return round(1e3 * seconds, 2)
