import threading
import time

import numpy as np
import pytest

from tests.fakes import FakeEmbedding, FakeSegmenter
from whyseg.curation.drafting.late import LateDrafter
from whyseg.curation.segmenters.base import Embedding, FloatArray, Segmenter
from whyseg.curation.segmenters.kept import Keepable
from whyseg.schemas import Point, Prompt
from whyseg.schemas.errors import ModelFailed, ModelUnavailable
from whyseg.ui.loading import LateSegmenter, Told

PICTURE = np.zeros((6, 8, 3), np.uint8)


def test_whoever_needs_the_model_waits_for_it() -> None:
    go, heard = threading.Event(), list[str]()

    def load(told: Told) -> tuple[Segmenter, str]:
        told("fetching the weights")
        assert go.wait(10)
        return FakeSegmenter(), "the only one there is."

    late = LateSegmenter(load, heard.append)
    late.start()
    late.start()
    while late.reason == "the model is being loaded":
        pass
    assert late.describe() == {"name": "loading", "model": "loading", "reason": "fetching the weights"}
    threading.Timer(0.05, go.set).start()
    embedding = late.embed(PICTURE)
    assert embedding.size == (6, 8)
    assert late.propose(embedding, Prompt(points=(Point(x=3, y=2),)))
    assert late.describe() == {"name": "fake", "model": "fake/discs", "reason": "the only one there is."}
    assert heard == ["the only one there is."]


def test_a_model_is_loaded_by_the_first_who_needs_it() -> None:
    assert LateSegmenter(lambda told: (FakeSegmenter(), "")).embed(PICTURE).size == (6, 8)


def test_a_model_that_cannot_be_had_says_why_at_every_click() -> None:
    def load(told: Told) -> tuple[Segmenter, str]:
        raise ModelUnavailable("no weights: whyseg models pull mobilesam")

    late = LateSegmenter(load)
    for _ in range(2):
        with pytest.raises(ModelUnavailable, match="models pull"):
            late.embed(PICTURE)
    assert late.describe() == {"name": "none", "model": "none", "reason": "no weights: whyseg models pull mobilesam"}


def test_a_library_that_breaks_while_it_loads_is_a_failed_model() -> None:
    def load(told: Told) -> tuple[Segmenter, str]:
        raise RuntimeError("bad magic number\nin file")

    with pytest.raises(ModelFailed, match="bad magic number in file"):
        LateSegmenter(load).embed(PICTURE)


def test_nobody_waits_for_a_model_when_the_server_stops() -> None:
    go = threading.Event()

    def load(told: Told) -> tuple[Segmenter, str]:
        assert go.wait(10)
        return FakeSegmenter(), "too late."

    late = LateSegmenter(load)
    threading.Timer(0.05, late.close).start()
    with pytest.raises(ModelUnavailable, match="being stopped"):
        late.embed(PICTURE)
    go.set()
    while late.reason != "too late.":
        pass
    with pytest.raises(ModelUnavailable):
        late.embed(PICTURE)


def test_models_are_loaded_one_after_the_other() -> None:
    at_once, most = [0], [0]

    def load(told: Told) -> tuple[Segmenter, str]:
        at_once[0] += 1
        most[0] = max(most[0], at_once[0])
        time.sleep(0.05)
        at_once[0] -= 1
        return FakeSegmenter(), ""

    drafter = LateDrafter("m", lambda: load(str)[0])  # type: ignore[arg-type, return-value]
    models = [LateSegmenter(load) for _ in range(3)]
    drafter.start()
    for late in models:
        late.start()
    for late in models:
        late.wait()
    assert most == [1]


def test_embeddings_are_kept_as_the_segmenter_behind_keeps_them() -> None:
    class Keeping(FakeSegmenter):
        def weights_digest(self) -> str:
            return "weights"

        def arrays(self, embedding: Embedding) -> tuple[FloatArray, ...]:
            return (np.array(embedding.size, np.float32),)

        def restored(self, arrays: tuple[FloatArray, ...], size: tuple[int, int]) -> FakeEmbedding:
            return FakeEmbedding(size, tuple(float(value) for value in arrays[0]))

    late = LateSegmenter(lambda told: (Keeping(), ""))
    assert isinstance(late, Keepable)
    assert late.weights_digest() == "weights"
    assert late.restored(late.arrays(late.embed(PICTURE)), (6, 8)) == FakeEmbedding((6, 8), (6.0, 8.0))
    assert LateSegmenter(lambda told: (FakeSegmenter(), "")).weights_digest() is None
