"""MobileSAM on real photographs, held against the decoder as its exporter left it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import provision
from whyseg.curation.segmenters.base import BoolArray, FloatArray, Proposal, RgbArray
from whyseg.curation.segmenters.kept import KeptEmbeddings
from whyseg.schemas import Box, Point, Prompt

pytestmark = pytest.mark.mobilesam


def chelsea() -> RgbArray:
    from skimage import data

    return np.asarray(data.chelsea(), np.uint8)


def coffee() -> RgbArray:
    from skimage import data

    return np.asarray(data.coffee(), np.uint8)


def astronaut() -> RgbArray:
    from skimage import data

    return np.asarray(data.astronaut(), np.uint8)


def china() -> RgbArray:
    from sklearn.datasets import load_sample_image

    return np.asarray(load_sample_image("china.jpg"), np.uint8)


# One click a photograph, on: the cat's forehead, the coffee, the orange suit, the pagoda.
PHOTOGRAPHS: list[tuple[Callable[[], RgbArray], float, float]] = [
    (chelsea, 230, 80),
    (coffee, 300, 150),
    (astronaut, 120, 330),
    (china, 210, 200),
]


class Exported:
    """The exported decoder, its graph untouched."""

    def __init__(self, folder: Path) -> None:
        import onnxruntime

        self.session = onnxruntime.InferenceSession(folder / "sam.onnx", providers=["CPUExecutionProvider"])

    def mask(self, embedding: Any, prompt: Prompt, previous: FloatArray | None = None) -> BoolArray:
        """Return bool (H, W): its one mask. Coordinates are scaled here as SAM's own predictor scales them."""
        height, width = embedding.size
        scale = 1024 / max(height, width)
        sides = int(width * scale + 0.5) / width, int(height * scale + 0.5) / height
        rows = [(p.x, p.y, 1.0 if p.positive else 0.0) for p in prompt.points]
        box = prompt.box
        rows += [(box.x0, box.y0, 2.0), (box.x1, box.y1, 3.0)] if box else [(0.0, 0.0, -1.0)]
        inputs = {
            "image_embeddings": embedding.features,
            "point_coords": np.array([[(x * sides[0], y * sides[1]) for x, y, _ in rows]], np.float32),
            "point_labels": np.array([[label for _, _, label in rows]], np.float32),
            "mask_input": np.zeros((1, 1, 256, 256), np.float32) if previous is None else previous[None, None],
            "has_mask_input": np.array([previous is not None], np.float32),
            "orig_im_size": np.array([height, width], np.float32),
        }
        return np.asarray(self.session.run(["masks"], inputs)[0][0, 0] > 0, bool)


@pytest.fixture(scope="module")
def folder() -> Path:
    provision.mobilesam()
    from whyseg.curation.segmenters import weights

    return weights.pull("mobilesam")


@pytest.fixture(scope="module")
def segmenter(folder: Path) -> Any:
    from whyseg.curation.segmenters.mobilesam import MobileSamSegmenter

    return MobileSamSegmenter(folder)


@pytest.fixture(scope="module")
def exported(folder: Path) -> Exported:
    return Exported(folder)


@pytest.fixture(scope="module", params=PHOTOGRAPHS, ids=lambda given: given[0].__name__)
def photograph(request: pytest.FixtureRequest, segmenter: Any) -> tuple[Any, float, float]:
    load, x, y = request.param
    return segmenter.embed(load()), x, y


def test_the_decoder_that_is_cut_answers_to_the_same_bits(folder: Path) -> None:
    import onnx
    import onnxruntime

    from whyseg.curation.segmenters.mobilesam import decoder

    cut, whole = decoder(folder / "sam.onnx"), onnx.load(folder / "sam.onnx")
    whole.graph.output.extend(cut.graph.output)
    rng = np.random.default_rng(0)
    inputs = {
        "image_embeddings": rng.normal(0, 0.5, (1, 256, 64, 64)).astype(np.float32),
        "point_coords": np.array([[[500, 300], [0, 0]]], np.float32),
        "point_labels": np.array([[1, -1]], np.float32),
        "mask_input": np.zeros((1, 1, 256, 256), np.float32),
        "has_mask_input": np.zeros(1, np.float32),
    }
    names = [output.name for output in cut.graph.output]
    found = []
    for graph, more in ((cut, {}), (whole, {"orig_im_size": np.array([3000, 4000], np.float32)})):
        session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
        found.append(session.run(names, inputs | more))
    masks, scores = found[0]
    assert masks.shape == (1, 4, 256, 256)
    assert scores.shape == (1, 4)
    assert np.array_equal(masks, found[1][0])
    assert np.array_equal(scores, found[1][1])


def full(proposal: Proposal, size: tuple[int, int]) -> BoolArray:
    (x, y, width, height), pixels = proposal.crop()
    mask = np.zeros(size, bool)
    mask[y : y + height, x : x + width] = pixels
    return mask


def iou(one: BoolArray, other: BoolArray) -> float:
    return float((one & other).sum() / max(1, (one | other).sum()))


def test_for_a_lone_click_the_first_of_three_is_the_exported_decoders_mask(
    photograph: tuple[Any, float, float], segmenter: Any, exported: Exported
) -> None:
    embedding, x, y = photograph
    for positive in (True, False):
        prompt = Prompt(points=(Point(x=x, y=y, positive=positive),))
        proposals = segmenter.propose(embedding, prompt)
        assert len(proposals) == 3
        assert iou(full(proposals[0], embedding.size), exported.mask(embedding, prompt)) >= 0.999


def test_for_other_prompts_the_exported_decoders_mask_is_among_four(
    photograph: tuple[Any, float, float], segmenter: Any, exported: Exported
) -> None:
    embedding, x, y = photograph
    click, second = Point(x=x, y=y), Point(x=x + 40, y=y + 30, positive=False)
    box = Box(x0=x - 60, y0=y - 50, x1=x + 80, y1=y + 70)
    previous = segmenter.propose(embedding, Prompt(points=(click,)))[1].logits
    cases: list[tuple[Prompt, FloatArray | None]] = [
        (Prompt(points=(click, second)), None),
        (Prompt(points=(click, second)), previous),
        (Prompt(points=(click,)), previous),
        (Prompt(box=box), None),
        (Prompt(points=(click,), box=box), None),
    ]
    for prompt, refined in cases:
        proposals = segmenter.propose(embedding, prompt, refined)
        assert len(proposals) == 4
        expected = exported.mask(embedding, prompt, refined)
        assert max(iou(full(proposal, embedding.size), expected) for proposal in proposals) >= 0.999


def test_candidates_are_sorted_by_predicted_iou(photograph: tuple[Any, float, float], segmenter: Any) -> None:
    embedding, x, y = photograph
    scores = [proposal.score for proposal in segmenter.propose(embedding, Prompt(points=(Point(x=x, y=y),)))]
    assert scores == sorted(scores, reverse=True)
    assert 0 <= scores[-1] <= scores[0] <= 1


def test_previous_logits_change_the_answer(photograph: tuple[Any, float, float], segmenter: Any) -> None:
    embedding, x, y = photograph
    one = Prompt(points=(Point(x=x, y=y),))
    two = Prompt(points=(Point(x=x, y=y), Point(x=x + 5, y=y + 5)))
    smallest = min(segmenter.propose(embedding, one), key=lambda proposal: proposal.crop()[1].sum())
    fresh, refined = segmenter.propose(embedding, two), segmenter.propose(embedding, two, smallest.logits)
    assert not np.array_equal(fresh[0].logits, refined[0].logits)


def test_what_an_embedding_holds_is_four_mebibytes(photograph: tuple[Any, float, float]) -> None:
    assert photograph[0].nbytes == 256 * 64 * 64 * 4


@pytest.mark.parametrize("size", [(1, 1), (3, 900), (2000, 7)])
def test_images_of_any_shape_are_answered(size: tuple[int, int], segmenter: Any) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    for proposal in segmenter.propose(segmenter.embed(image), Prompt(points=(Point(x=0, y=0),))):
        (x, y, width, height), pixels = proposal.crop()
        assert pixels.shape == (height, width)
        assert x + width <= size[1]
        assert y + height <= size[0]


def test_weights_that_are_no_model_fail_with_one_line(tmp_path: Path) -> None:
    from whyseg.curation.segmenters.mobilesam import MobileSamSegmenter
    from whyseg.schemas.errors import ModelFailed

    (tmp_path / "encoder.onnx").write_bytes(b"no model\n\n")
    with pytest.raises(ModelFailed, match=r"encoder\.onnx") as caught:
        MobileSamSegmenter(tmp_path)
    assert "\n" not in str(caught.value)


def test_an_embedding_from_disk_gives_the_same_mask(
    photograph: tuple[Any, float, float], segmenter: Any, tmp_path: Path
) -> None:
    embedding, x, y = photograph
    kept = KeptEmbeddings(tmp_path, spare=0)
    kept.keep(segmenter, "a", embedding)
    again = kept.load(segmenter, "a")
    assert again is not None
    prompt = Prompt(points=(Point(x=x, y=y),))
    assert iou(*(full(segmenter.propose(one, prompt)[0], embedding.size) for one in (embedding, again))) >= 0.99
