"""Embeddings on disk: found again by the same weights and picture, and never a reason for a click to fail."""

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from tests.fakes import FakeEmbedding, FakeSegmenter
from whyseg.curation.clicks import ClickReply, ClickService
from whyseg.curation.segmenters.base import Embedding, FloatArray, RgbArray
from whyseg.curation.segmenters.kept import KeptEmbeddings, digest
from whyseg.schemas import Point, Prompt
from whyseg.schemas.errors import ModelFailed

SIZE = (60, 80)
CLICK = Prompt(points=(Point(x=40, y=30),))


@dataclass
class KeepableSegmenter(FakeSegmenter):
    """The fake, whose embeddings are their mean colours."""

    weights: str | None = "one"
    seen: list[tuple[float, ...]] = field(default_factory=list)

    def weights_digest(self) -> str | None:
        """Return the name that a test gave."""
        return self.weights

    def arrays(self, embedding: Embedding) -> tuple[FloatArray, ...]:
        """Return the mean colour."""
        assert isinstance(embedding, FakeEmbedding)
        return (np.array(embedding.mean, np.float32),)

    def restored(self, arrays: tuple[FloatArray, ...], size: tuple[int, int]) -> FakeEmbedding:
        """Return the embedding of a mean colour."""
        return FakeEmbedding(size, tuple(float(value) for value in arrays[0]))


def picture(value: int) -> RgbArray:
    return np.full((*SIZE, 3), value, np.uint8)


@pytest.fixture
def kept(tmp_path: Path) -> KeptEmbeddings:
    return KeptEmbeddings(tmp_path / "embeddings", spare=0)


def answered(segmenter: FakeSegmenter, kept: KeptEmbeddings, load: Callable[[str], RgbArray]) -> ClickReply:
    """Return the first answer of a service that was just started."""
    service = ClickService(segmenter, load, kept=kept)
    try:
        reply = service.click("page", 1, "a", SIZE, CLICK)
    finally:
        service.close()  # when its thread has ended, the embedding is on disk
    assert isinstance(reply, ClickReply)
    return reply


def test_a_server_that_starts_again_answers_without_the_picture_or_the_encoder(kept: KeptEmbeddings) -> None:
    first, again = KeepableSegmenter(), KeepableSegmenter()
    reply = answered(first, kept, lambda key: picture(7))

    def gone(image_id: str) -> RgbArray:
        raise AssertionError("the picture was decoded")

    assert answered(again, kept, gone).best == reply.best
    assert (first.embedded, again.embedded) == (1, 0)


def test_other_weights_and_other_pictures_find_nothing(kept: KeptEmbeddings) -> None:
    segmenter = KeepableSegmenter()
    kept.keep(segmenter, "a", segmenter.embed(picture(7)))
    assert kept.load(segmenter, "a") == FakeEmbedding(SIZE, (7.0, 7.0, 7.0))  # whole numbers up to 2048 are exact
    assert kept.load(segmenter, "b") is None
    assert kept.load(KeepableSegmenter(weights="two"), "a") is None


def test_a_segmenter_that_cannot_or_will_not_keep_leaves_the_disk_alone(kept: KeptEmbeddings) -> None:
    for segmenter in (FakeSegmenter(), KeepableSegmenter(weights=None)):
        kept.keep(segmenter, "a", segmenter.embed(picture(7)))
        assert kept.load(segmenter, "a") is None
    assert not kept.folder.exists()


def test_what_half_precision_cannot_hold_is_not_kept(kept: KeptEmbeddings) -> None:
    segmenter = KeepableSegmenter()
    kept.keep(segmenter, "a", FakeEmbedding(SIZE, (1.0, 70_000.0)))  # float16 ends at 65,504
    assert kept.load(segmenter, "a") is None


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04", None])
def test_a_damaged_file_is_as_if_it_were_not_there(
    kept: KeptEmbeddings, damage: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    segmenter = KeepableSegmenter()
    kept.keep(segmenter, "a", segmenter.embed(picture(7)))
    (file,) = kept.folder.iterdir()
    whole = file.read_bytes()
    value = whole.index(np.float16(7).tobytes() * 3)  # its three numbers, one of whose bits turns
    file.write_bytes(damage if damage is not None else whole[:value] + b"\x01" + whole[value + 1 :])
    with caplog.at_level(logging.WARNING):
        assert kept.load(segmenter, "a") is None
    assert "damaged" in caplog.text
    assert answered(segmenter, kept, lambda key: picture(7)).scores
    assert kept.load(segmenter, "a") == FakeEmbedding(SIZE, (7.0, 7.0, 7.0))


def test_what_was_not_used_for_longest_makes_room(tmp_path: Path) -> None:
    segmenter, sized = KeepableSegmenter(), KeptEmbeddings(tmp_path / "one", spare=0)
    embedding = segmenter.embed(picture(7))
    sized.keep(segmenter, "a", embedding)
    (file,) = sized.folder.iterdir()
    kept = KeptEmbeddings(tmp_path / "some", limit=2 * file.stat().st_size, spare=0)
    for age, name in ((300, "a"), (200, "b")):
        kept.keep(segmenter, name, embedding)
        newest = max(kept.folder.iterdir(), key=lambda path: path.stat().st_mtime_ns)
        os.utime(newest, (newest.stat().st_mtime - age,) * 2)
    assert kept.load(segmenter, "a")  # used now, so b is the oldest
    kept.keep(segmenter, "c", embedding)
    assert [kept.load(segmenter, name) is not None for name in "abc"] == [True, False, True]


def test_nothing_is_kept_where_the_disk_is_nearly_full(tmp_path: Path) -> None:
    segmenter, kept = KeepableSegmenter(), KeptEmbeddings(tmp_path, spare=2**62)
    kept.keep(segmenter, "a", segmenter.embed(picture(7)))
    assert not list(tmp_path.iterdir())


def test_a_disk_that_refuses_costs_no_click(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "embeddings").write_text("a file where the folder should be")
    kept = KeptEmbeddings(tmp_path / "embeddings", spare=0)
    assert answered(KeepableSegmenter(), kept, lambda key: picture(7)).scores
    assert "cannot be kept" in caplog.text


def test_weights_that_are_gone_cost_no_click(kept: KeptEmbeddings, caplog: pytest.LogCaptureFixture) -> None:
    class Gone(KeepableSegmenter):
        def weights_digest(self) -> str | None:
            raise FileNotFoundError("encoder.onnx")

    assert answered(Gone(), kept, lambda key: picture(7)).scores
    assert "not kept" in caplog.text


def test_a_model_that_fails_is_not_kept(kept: KeptEmbeddings) -> None:
    class Failing(KeepableSegmenter):
        def embed(self, image: RgbArray) -> FakeEmbedding:
            raise ModelFailed("no memory")

    with pytest.raises(ModelFailed, match="no memory"):
        answered(Failing(), kept, lambda key: picture(7))
    assert not kept.folder.exists()


def test_a_digest_changes_with_a_files_name_and_content(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_bytes(b"weights")
    two.write_bytes(b"weights")
    before = digest([one])
    assert digest([two]) != before
    one.write_bytes(b"Weights")
    assert digest([one]) != before
