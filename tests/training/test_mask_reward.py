"""The masks behind answers: one embedding a picture, identical prompts once, the same masks as one by one."""

import numpy as np
import pytest

from tests.fakes import FakeSegmenter
from whyseg import data
from whyseg.curation.segmenters.crops import encode_crop, mask_from_crop, mask_of
from whyseg.curation.segmenters.enlarge import LogitsProposal
from whyseg.curation.segmenters.sam2 import Sam2Segmenter
from whyseg.schemas import Box, Mask, Point, Prompt
from whyseg.training.mask_reward import Masks

PICTURE = np.random.default_rng(1).integers(0, 255, (90, 120, 3), np.uint8)


def at(x: float, y: float) -> Prompt:
    return Prompt(points=(Point(x=x, y=y),))


def test_a_picture_is_embedded_once_and_identical_prompts_are_decoded_once() -> None:
    segmenter = FakeSegmenter()
    masks = Masks(segmenter)
    found = masks.masks("a", lambda: PICTURE, [at(20, 30), None, at(60, 30), at(20, 30)])
    assert segmenter.embedded == 1
    assert len(segmenter.asked) == masks.decoded == 2
    assert found[1] is None
    assert found[0] == found[3] != found[2]
    # The fake's best candidate is the disc of radius 8: 197 pixels have centres within 8 of a pixel's centre.
    assert found[0] is not None
    assert found[0].area == 197
    masks.masks("a", lambda: pytest.fail("the embedding was kept"), [at(5, 5)])
    assert segmenter.embedded == 1


def test_without_a_prompt_no_picture_is_looked_at() -> None:
    assert Masks(FakeSegmenter()).masks("a", lambda: pytest.fail("nothing to ask"), [None, None]) == [None, None]


def test_the_least_recently_used_embedding_makes_room() -> None:
    segmenter = FakeSegmenter()  # whose embeddings say that they hold 1,000 bytes
    masks = Masks(segmenter, cache_bytes=2000)
    for key in "aabacab":
        masks.masks(key, lambda: PICTURE, [at(20, 30)])
    # a, then b; c drops b, for a was used since; a is there still, b is not.
    assert masks.embedded == segmenter.embedded == 4
    small = Masks(segmenter, cache_bytes=10)
    small.masks("a", lambda: PICTURE, [at(20, 30)])
    small.masks("a", lambda: pytest.fail("the only one stays, however large"), [at(20, 30)])


def test_sam_2_gives_the_same_masks_as_one_by_one() -> None:
    segmenter = Sam2Segmenter(data.path("models/tiny_sam2"), "tiny-test", device="cpu")
    prompts = [
        Prompt(points=(Point(x=10 + 6 * k, y=20 + 3 * k),), box=Box(x0=5 * k, y0=4, x1=5 * k + 30, y1=60))
        for k in range(10)
    ]
    found = Masks(segmenter, together=4).scored("a", lambda: PICTURE, prompts)
    embedding = segmenter.embed(PICTURE)
    for prompt, one in zip(prompts, found, strict=True):
        best = segmenter.propose(embedding, prompt)[0]
        crop, _, _ = encode_crop(best)
        assert one is not None
        assert one[0].iou(mask_from_crop(embedding.size, crop.bbox, crop.counts)) > 0.999
        assert one[1] == pytest.approx(best.score, abs=1e-4)


@pytest.mark.parametrize("seed", range(8))
def test_a_mask_from_run_lengths_is_that_of_its_pixels(seed: int) -> None:
    rng = np.random.default_rng(seed)
    logits = rng.normal(0.2 * (seed - 4), 1, (12, 16)).astype(np.float32)
    size = [(48, 64), (12, 16), (7, 90), (200, 31)][seed % 4]
    proposal = LogitsProposal(0.5, logits, size)
    crop, _, _ = encode_crop(proposal)
    assert mask_of(proposal, size) == mask_from_crop(size, crop.bbox, crop.counts)
    everywhere = LogitsProposal(0.5, np.ones((4, 4), np.float32), size)
    assert mask_of(everywhere, size) == Mask.encode(np.ones(size, bool))
    assert mask_of(LogitsProposal(0.5, -np.ones((4, 4), np.float32), size), size) == Mask.empty(size)
