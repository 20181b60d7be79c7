"""The click service, driven by a segmenter that stops at a gate, so that who waits is certain."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from tests.fakes import FakeEmbedding, FakeProposal, FakeSegmenter
from whyseg.curation.clicks import KEPT_BY_CLIENT, ClickReply, ClickService, Superseded
from whyseg.curation.segmenters.base import Embedding, FloatArray, Proposal, RgbArray
from whyseg.curation.segmenters.crops import mask_from_crop
from whyseg.curation.segmenters.replay import replayed
from whyseg.schemas import Box, Mask, Point, Prompt
from whyseg.schemas.errors import InvalidRecord, ModelFailed, ModelUnavailable, NotFound, RefusedImage, SizeMismatch

SIZE = (60, 80)


class GatedSegmenter(FakeSegmenter):
    """Stops at every model call until a pass is given; says what it is at."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.passes = threading.Semaphore(0)
        self.entered: list[str] = []

    def _stop(self, what: str) -> None:
        self.entered.append(what)
        assert self.passes.acquire(timeout=20)

    def embed(self, image: RgbArray) -> FakeEmbedding:
        self._stop(f"embed {image[0, 0, 0]}")
        return super().embed(image)

    def propose(self, embedding: Embedding, prompt: Prompt, previous: FloatArray | None = None) -> list[Proposal]:
        self._stop(f"propose {prompt.points[-1].x:g}")
        return super().propose(embedding, prompt, previous)


def picture(image_id: str) -> RgbArray:
    """Return the picture of an image named by a number, filled with that number."""
    return np.full((*SIZE, 3), int(image_id), np.uint8)


def at(*xs: float) -> Prompt:
    return Prompt(points=tuple(Point(x=x, y=30) for x in xs))


def wait_for(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not happened():
        assert time.monotonic() < end, "waited 20 s in vain"
        time.sleep(0.002)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as executor:
        yield executor


@pytest.fixture
def gated() -> Iterator[tuple[GatedSegmenter, ClickService]]:
    segmenter = GatedSegmenter()
    service = ClickService(segmenter, picture)
    yield segmenter, service
    segmenter.passes.release(1000)
    service.close()


@pytest.fixture
def service() -> Iterator[ClickService]:
    made = ClickService(FakeSegmenter(), picture)
    yield made
    made.close()


def reply_of(answer: ClickReply | Superseded) -> ClickReply:
    assert isinstance(answer, ClickReply)
    return answer


def test_the_reply_is_the_best_candidates_crop_and_every_score(service: ClickService) -> None:
    reply = reply_of(service.click("a", 1, "1", SIZE, at(40)))
    assert (reply.seq, reply.scores, reply.best.score) == (1, (0.9, 0.8, 0.7), 0.9)
    assert reply.best.bbox == (32, 22, 17, 17)  # a disc of radius 8 around (40, 30)
    ys, xs = np.mgrid[: SIZE[0], : SIZE[1]]
    disc = Mask.encode((xs - 40) ** 2 + (ys - 30) ** 2 <= 64)
    assert mask_from_crop(SIZE, reply.best.bbox, reply.best.counts) == disc


def test_another_candidate_of_a_click_can_be_asked_for(service: ClickService) -> None:
    service.click("a", 7, "1", SIZE, at(40))
    assert service.candidate("a", 7, 1).bbox == (36, 26, 9, 9)  # radius 4
    assert service.candidate("a", 7, 2).bbox == (28, 18, 25, 25)  # radius 12


def test_candidates_that_are_gone_or_never_were_are_not_found(service: ClickService) -> None:
    for seq in range(KEPT_BY_CLIENT + 1):
        service.click("a", seq, "1", SIZE, at(40))
    assert service.candidate("a", 1, 0).score == 0.9
    for client, seq, k in [("a", 0, 0), ("a", 1, 3), ("a", 1, -1), ("b", 1, 0)]:
        with pytest.raises(NotFound, match="click again"):
            service.candidate(client, seq, k)


def test_a_refinement_gets_the_chosen_candidates_logits(service: ClickService) -> None:
    segmenter = service._segmenter
    assert isinstance(segmenter, FakeSegmenter)
    service.click("a", 1, "1", SIZE, at(20))
    reply = reply_of(service.click("a", 2, "1", SIZE, at(20, 60), refine=(1, 2)))
    (_, first), (_, second) = segmenter.asked
    assert first is None
    # The third candidate's disc has radius 12: its refinement reaches from x = 20 - 12 on, give or take a logit's 4 px.
    assert second is not None
    assert abs(reply.best.bbox[0] - 8) <= 2


def test_logits_that_are_gone_are_made_again_by_replaying_the_points_one_by_one(service: ClickService) -> None:
    segmenter = service._segmenter
    assert isinstance(segmenter, FakeSegmenter)
    box = Box(x0=5, y0=5, x1=70, y1=50)
    prompt = Prompt(points=at(20, 40, 60).points, box=box)
    service.click("a", 9, "1", SIZE, prompt, refine=(8, 0))
    assert [(tuple(point.x for point in asked.points), asked.box) for asked, _ in segmenter.asked] == [
        ((20,), box),
        ((20, 40), box),
        ((20, 40, 60), box),
    ]
    assert [previous is not None for _, previous in segmenter.asked] == [False, True, True]


def test_logits_of_another_image_are_not_refined(service: ClickService) -> None:
    segmenter = service._segmenter
    assert isinstance(segmenter, FakeSegmenter)
    service.click("a", 1, "1", SIZE, at(20))
    service.click("a", 2, "2", SIZE, at(30), refine=(1, 0))
    assert segmenter.asked[-1] == (at(30), None)


def test_a_box_alone_is_replayed_as_itself() -> None:
    segmenter = FakeSegmenter()
    prompt = Prompt(box=Box(x0=5, y0=5, x1=70, y1=50))
    replayed(segmenter, segmenter.embed(picture("1")), prompt)
    assert segmenter.asked == [(prompt, None)]


def test_of_many_waiting_clicks_of_one_client_only_the_newest_is_decoded(
    gated: tuple[GatedSegmenter, ClickService], pool: ThreadPoolExecutor
) -> None:
    segmenter, service = gated
    waiting: list[Future[ClickReply | Superseded]] = []
    for seq in range(1, 6):
        waiting.append(pool.submit(service.click, "a", seq, "1", SIZE, at(10 * seq)))
        wait_for(lambda seq=seq: service._latest.get("a") == seq)  # type: ignore[misc]
    other = pool.submit(service.click, "b", 1, "1", SIZE, at(7))
    wait_for(lambda: len(service._jobs) == 2)
    segmenter.passes.release(3)
    assert [type(future.result(20)) for future in waiting] == [Superseded] * 4 + [ClickReply]
    assert isinstance(other.result(20), ClickReply)
    assert segmenter.entered == ["embed 1", "propose 50", "propose 7"]


def test_a_click_that_is_overtaken_while_it_is_decoded_is_not_answered(
    gated: tuple[GatedSegmenter, ClickService], pool: ThreadPoolExecutor
) -> None:
    segmenter, service = gated
    segmenter.passes.release()
    old = pool.submit(service.click, "a", 1, "1", SIZE, at(10))
    wait_for(lambda: "propose 10" in segmenter.entered)
    new = pool.submit(service.click, "a", 2, "1", SIZE, at(20))
    wait_for(lambda: service._latest["a"] == 2)
    segmenter.passes.release(2)
    assert old.result(20) == Superseded(seq=1)
    assert reply_of(new.result(20)).seq == 2


def test_a_click_that_arrives_after_a_newer_one_is_not_decoded(service: ClickService) -> None:
    segmenter = service._segmenter
    assert isinstance(segmenter, FakeSegmenter)
    service.click("a", 5, "1", SIZE, at(10))
    assert service.click("a", 4, "1", SIZE, at(20)) == Superseded(seq=4)
    assert len(segmenter.asked) == 1
    assert isinstance(service.click("a", 5, "1", SIZE, at(10)), ClickReply), "a repeat after a lost reply is answered"


def test_clicks_come_before_the_opened_image_and_that_before_those_ahead(
    gated: tuple[GatedSegmenter, ClickService], pool: ThreadPoolExecutor
) -> None:
    segmenter, service = gated
    service.want(["1"])
    wait_for(lambda: segmenter.entered == ["embed 1"])
    service.want(["2", "3", "4"])
    click = pool.submit(service.click, "a", 1, "1", SIZE, at(10))
    elsewhere = pool.submit(service.click, "b", 1, "5", SIZE, at(20))
    wait_for(lambda: len(service._jobs) == 2)
    segmenter.passes.release(7)
    click.result(20)
    elsewhere.result(20)
    wait_for(lambda: service.status("4").state == "ready")
    encoded = [step for step in segmenter.entered if step.startswith("embed")]
    assert encoded == ["embed 1", "embed 5", "embed 2", "embed 3", "embed 4"]


def test_a_click_is_answered_while_another_image_is_encoded() -> None:
    started, finish = threading.Event(), threading.Event()

    def slow(image_id: str) -> RgbArray:
        if image_id == "2":
            started.set()
            assert finish.wait(20)
        return picture(image_id)

    service = ClickService(FakeSegmenter(), slow)
    service.click("a", 1, "1", SIZE, at(10))
    service.want(["1", "2"])
    assert started.wait(20)
    assert isinstance(service.click("a", 2, "1", SIZE, at(20)), ClickReply)
    assert service.status("2").state == "encoding"
    finish.set()
    service.close()


def test_a_click_is_answered_even_when_its_image_is_thrown_out_before_its_turn(
    gated: tuple[GatedSegmenter, ClickService], pool: ThreadPoolExecutor
) -> None:
    segmenter, service = gated
    service._cache_bytes = 1  # room for one image
    first = pool.submit(service.click, "a", 1, "1", SIZE, at(10))
    wait_for(lambda: segmenter.entered == ["embed 1"])
    second = pool.submit(service.click, "b", 1, "1", SIZE, at(20))
    third = pool.submit(service.click, "c", 1, "2", SIZE, at(30))
    wait_for(lambda: len(service._jobs) == 3)
    segmenter.passes.release(10)
    for future in (first, second, third):
        assert isinstance(future.result(20), ClickReply)
    assert sorted(segmenter.entered) == ["embed 1", "embed 2", "propose 10", "propose 20", "propose 30"]


def test_a_new_wish_supersedes_what_was_to_be_encoded_ahead(gated: tuple[GatedSegmenter, ClickService]) -> None:
    segmenter, service = gated
    service.want(["1", "2", "3"])
    wait_for(lambda: segmenter.entered == ["embed 1"])
    service.want(["7", "3", "8"])
    assert [service.status(key).state for key in ("1", "2", "3", "7")] == ["encoding", "absent", "queued", "queued"]
    segmenter.passes.release(4)
    wait_for(lambda: service.status("8").state == "ready")
    assert segmenter.entered == ["embed 1", "embed 7", "embed 3", "embed 8"]
    assert service.status("2").state == "absent"


def test_embeddings_are_kept_up_to_a_number_of_bytes_and_the_oldest_go_first() -> None:
    segmenter = FakeSegmenter()
    service = ClickService(segmenter, picture, cache_bytes=2500)  # the fake's embeddings count 1000 bytes each
    for seq, image_id in enumerate(["1", "2", "1", "3"]):
        service.click("a", seq, image_id, SIZE, at(10))
    assert [service.status(key).state for key in ("1", "2", "3")] == ["ready", "absent", "ready"]
    assert segmenter.embedded == 3
    service.close()


def test_encoding_ahead_stops_where_the_cache_ends_and_never_throws_out_the_opened_image() -> None:
    segmenter = FakeSegmenter()
    service = ClickService(segmenter, picture, cache_bytes=2500)
    service.want(["1"])
    wait_for(lambda: service.status("1").state == "ready")
    service.want(["1", "2", "3", "4"])
    wait_for(lambda: not service._ahead and service._encoding is None)
    assert [service.status(key).state for key in ("1", "2", "3", "4")] == ["ready", "ready", "absent", "absent"]
    assert segmenter.embedded == 2
    service.close()


def test_an_embedding_larger_than_the_whole_cache_still_answers_clicks() -> None:
    service = ClickService(FakeSegmenter(), picture, cache_bytes=10)
    assert isinstance(service.click("a", 1, "1", SIZE, at(10)), ClickReply)
    assert isinstance(service.click("a", 2, "2", SIZE, at(10)), ClickReply)
    service.close()


def test_a_corrupt_image_fails_its_own_clicks_and_nobody_elses() -> None:
    loaded: list[str] = []

    def load(image_id: str) -> RgbArray:
        loaded.append(image_id)
        if image_id == "13" and loaded.count("13") < 3:
            raise RefusedImage("13.jpg", "is truncated")
        return picture(image_id)

    service = ClickService(FakeSegmenter(), load)
    service.want(["13", "2"])
    wait_for(lambda: service.status("2").state == "ready")
    assert service.status("13").state == "failed"
    assert service.status("13").message == "13.jpg: is truncated"
    service.want(["13"])  # a page that asks again and again does not keep the worker busy
    assert service.status("13").state == "failed"
    with pytest.raises(RefusedImage, match="truncated"):
        service.click("a", 1, "13", SIZE, at(10))
    assert isinstance(service.click("a", 2, "2", SIZE, at(10)), ClickReply)
    assert isinstance(service.click("a", 3, "13", SIZE, at(10)), ClickReply), "a click tries again"
    assert service.status("13").state == "ready"
    service.close()


def test_a_page_that_asks_while_a_corrupt_image_is_loaded_does_not_have_it_loaded_again() -> None:
    loading, go_on, loaded = threading.Event(), threading.Event(), []

    def load(image_id: str) -> RgbArray:
        loaded.append(image_id)
        loading.set()
        assert go_on.wait(20)
        raise RefusedImage("13.jpg", "is truncated")

    service = ClickService(FakeSegmenter(), load)
    service.want(["13"])
    assert loading.wait(20)
    service.want(["13"])
    go_on.set()
    wait_for(lambda: service.status("13").state == "failed")
    service.want(["13"])
    service.close()
    assert loaded == ["13"]


class BrokenSegmenter(FakeSegmenter):
    """Fails as libraries do."""

    def propose(self, embedding: Embedding, prompt: Prompt, previous: FloatArray | None = None) -> list[Proposal]:
        if prompt.points[0].x == 13:
            raise IndexError("index 7 is out of bounds\nfor axis 0")
        return super().propose(embedding, prompt, previous)


def test_whatever_the_decoder_raises_is_a_typed_error_and_the_worker_goes_on() -> None:
    service = ClickService(BrokenSegmenter(), picture)
    with pytest.raises(ModelFailed, match="fake failed: index 7 is out of bounds for axis 0"):
        service.click("a", 1, "1", SIZE, at(13))
    assert isinstance(service.click("a", 2, "1", SIZE, at(10)), ClickReply)
    service.close()


def test_a_prompt_that_is_empty_or_outside_the_image_is_refused(service: ClickService) -> None:
    for prompt in (Prompt(), at(79.6), Prompt(box=Box(x0=90, y0=1, x1=95, y1=5))):
        with pytest.raises(InvalidRecord):
            service.click("a", 1, "1", SIZE, prompt)


def test_an_image_of_another_size_than_the_stated_one_is_an_error(service: ClickService) -> None:
    with pytest.raises(SizeMismatch, match="60×80"):
        service.click("a", 1, "1", (61, 80), at(10))


def test_a_mask_of_no_pixel_travels_as_one_background_pixel() -> None:
    segmenter = FakeSegmenter()
    service = ClickService(segmenter, picture)
    negative = Prompt(points=(Point(x=10, y=10, positive=False),))
    reply = reply_of(service.click("a", 1, "1", SIZE, negative))
    assert (reply.best.bbox, reply.best.counts) == ((0, 0, 1, 1), "1")
    assert mask_from_crop(SIZE, reply.best.bbox, reply.best.counts) == Mask.empty(SIZE)
    service.close()


def test_closing_refuses_what_waits_and_ends_the_workers(pool: ThreadPoolExecutor) -> None:
    segmenter = GatedSegmenter()
    service = ClickService(segmenter, picture)
    running = pool.submit(service.click, "a", 1, "1", SIZE, at(10))
    wait_for(lambda: bool(segmenter.entered))
    threads = list(service._threads)
    closing = pool.submit(service.close)
    with pytest.raises(ModelUnavailable, match="closed"):
        running.result(20)
    segmenter.passes.release(10)
    closing.result(20)
    assert threads
    assert not any(thread.is_alive() for thread in threads)
    with pytest.raises(ModelUnavailable, match="closed"):
        service.click("a", 2, "1", SIZE, at(10))


def test_a_closed_service_can_be_started_again(service: ClickService) -> None:
    service.close()
    service.start()
    assert isinstance(service.click("a", 1, "1", SIZE, at(10)), ClickReply)


def test_thirty_clients_clicking_at_once_are_all_answered_right(pool: ThreadPoolExecutor) -> None:
    service = ClickService(FakeSegmenter(), picture, cache_bytes=3000)
    with ThreadPoolExecutor(30) as many:
        asked = {n: many.submit(service.click, f"c{n}", 1, str(n % 5), SIZE, at(10 + n)) for n in range(30)}
        for n, future in asked.items():
            x = max(0, 10 + n - 8)
            assert reply_of(future.result(30)).best.bbox[0] == x
    service.close()


@pytest.mark.parametrize("bbox", [(-1, 0, 2, 2), (0, 5, 2, 2), (7, 0, 2, 2)])
def test_a_crop_that_leaves_the_image_is_refused(bbox: tuple[int, int, int, int]) -> None:
    with pytest.raises(InvalidRecord, match="leaves the 8×6 image"):
        mask_from_crop((6, 8), bbox, Mask.empty((2, 2)).counts)


def test_a_crop_lands_at_its_place_in_the_image() -> None:
    # Columns of the 2×2 crop: (1, 0), (1, 1); runs 0 1 1 2 → at rows 3–4, columns 1–2 of a 6×8 image.
    crop = Mask.encode(np.array([[1, 1], [0, 1]], bool))
    expected = np.zeros((6, 8), bool)
    expected[3, 1] = expected[3, 2] = expected[4, 2] = True
    assert mask_from_crop((6, 8), (1, 3, 2, 2), crop.counts) == Mask.encode(expected)


def test_a_proposals_pixels_are_encoded_from_any_memory_order() -> None:
    mask = np.zeros((6, 8), bool)
    mask[1:3, 2:5] = True
    assert FakeProposal(mask, 0.5, None).crop()[0] == (2, 1, 3, 2)


def test_a_long_prompt_is_replayed_in_a_bounded_number_of_steps() -> None:
    segmenter = FakeSegmenter()
    embedding = segmenter.embed(picture("1"))
    prompt = Prompt(points=tuple(Point(x=n, y=n) for n in range(20)))
    replayed(segmenter, embedding, prompt, steps=3)
    assert [len(asked.points) for asked, _ in segmenter.asked] == [18, 19, 20]
    assert [previous is None for _, previous in segmenter.asked] == [True, False, False]


def test_a_service_that_is_started_while_it_closes_has_one_set_of_workers(
    gated: tuple[GatedSegmenter, ClickService], pool: ThreadPoolExecutor
) -> None:
    segmenter, service = gated
    service.want(["1"])
    wait_for(lambda: segmenter.entered == ["embed 1"])
    former = list(service._threads)
    closing = pool.submit(service.close)
    wait_for(lambda: service._closed)
    service.start()
    segmenter.passes.release(10)
    closing.result(20)
    assert not any(thread.is_alive() for thread in former)
    assert isinstance(service.click("a", 1, "1", SIZE, at(10)), ClickReply)
