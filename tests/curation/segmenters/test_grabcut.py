import numpy as np
import pytest

from whyseg.curation.segmenters.base import BoolArray, Proposal, RgbArray
from whyseg.curation.segmenters.grabcut import WORKING_SIDE, GrabCutSegmenter
from whyseg.schemas import Box, Point, Prompt


def scene(height: int = 200, width: int = 300) -> tuple[RgbArray, BoolArray]:
    """A red disc and a blue square on grey with a little noise; the mask is the disc's."""
    rng = np.random.default_rng(0)
    image = np.full((height, width, 3), 128, np.int16)
    ys, xs = np.mgrid[:height, :width]
    disc = (xs - width * 0.3) ** 2 + (ys - height * 0.5) ** 2 < (0.2 * height) ** 2
    image[disc] = (200, 30, 30)
    image[int(height * 0.3) : int(height * 0.7), int(width * 0.65) : int(width * 0.9)] = (30, 30, 200)
    image += rng.integers(-9, 10, image.shape, np.int16)
    return image.astype(np.uint8), disc


def iou(proposal: Proposal, mask: BoolArray) -> float:
    (x, y, width, height), pixels = proposal.crop()
    found = np.zeros(mask.shape, bool)
    found[y : y + height, x : x + width] = pixels
    return float((found & mask).sum() / (found | mask).sum())


def points(*given: tuple[float, float, bool]) -> tuple[Point, ...]:
    return tuple(Point(x=x, y=y, positive=positive) for x, y, positive in given)


@pytest.mark.parametrize(
    "prompt",
    [
        Prompt(points=points((90, 100, True))),
        Prompt(points=points((90, 100, True), (230, 100, False))),
        Prompt(box=Box(x0=45, y0=55, x1=135, y1=145)),
        Prompt(points=points((90, 100, True)), box=Box(x0=45, y0=55, x1=135, y1=145)),
    ],
)
def test_a_shape_of_one_colour_is_cut_out(prompt: Prompt) -> None:
    image, disc = scene()
    segmenter = GrabCutSegmenter()
    best = segmenter.propose(segmenter.embed(image), prompt)[0]
    assert iou(best, disc) > 0.9


def test_negative_points_alone_are_answered_with_what_differs_from_them() -> None:
    image, disc = scene()
    segmenter = GrabCutSegmenter()
    (only,) = segmenter.propose(segmenter.embed(image), Prompt(points=points((10, 10, False), (150, 20, False))))
    (_, _, width, height), pixels = only.crop()
    assert pixels.any()
    assert width * height < disc.size


def test_large_photographs_are_cut_on_a_copy_and_masks_are_of_their_size() -> None:
    image, disc = scene(1500, 2250)
    segmenter = GrabCutSegmenter()
    embedding = segmenter.embed(image)
    assert max(embedding.image.shape) == WORKING_SIDE
    assert embedding.size == (1500, 2250)
    assert embedding.nbytes == embedding.image.nbytes
    best = segmenter.propose(embedding, Prompt(points=points((675, 750, True))))[0]
    assert iou(best, disc) > 0.95


def test_the_same_prompt_gives_the_same_masks() -> None:
    image, _ = scene()
    segmenter = GrabCutSegmenter()
    prompt = Prompt(points=points((90, 100, True)))
    first, second = (segmenter.propose(segmenter.embed(image), prompt) for _ in range(2))
    assert [p.score for p in first] == [p.score for p in second]
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.crop()[1], other.crop()[1])


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (2, 2), (3, 400), (7, 6)])
@pytest.mark.parametrize("positive", [True, False])
@pytest.mark.parametrize("boxed", [True, False])
def test_tiny_and_thin_images_are_answered(size: tuple[int, int], positive: bool, boxed: bool) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    segmenter = GrabCutSegmenter()
    box = Box(x0=-3, y0=-3, x1=0.4, y1=0.4) if boxed else None
    prompt = Prompt(points=points((size[1] - 1, size[0] - 1, positive)), box=box)
    for proposal in segmenter.propose(segmenter.embed(image), prompt):
        (x, y, width, height), pixels = proposal.crop()
        assert pixels.shape == (height, width)
        assert x + width <= size[1]
        assert y + height <= size[0]
        assert 0 <= proposal.score <= 1


def test_a_picture_of_one_colour_is_answered() -> None:
    segmenter = GrabCutSegmenter()
    embedding = segmenter.embed(np.full((40, 50, 3), 7, np.uint8))
    for prompt in (Prompt(points=points((20, 20, True))), Prompt(box=Box(x0=0, y0=0, x1=49, y1=39))):
        assert segmenter.propose(embedding, prompt)
