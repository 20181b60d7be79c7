"""Meta's own code as a segmenter; most of it runs only where the package is installed."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.curation.segmenters.meta import shapes, state_of
from whyseg.curation.segmenters import choose
from whyseg.curation.segmenters.base import Segmenter
from whyseg.curation.segmenters.sam2_checkpoint import SIZES, VIDEO, Hiera
from whyseg.curation.segmenters.sam2_package import package
from whyseg.schemas import Box, Point, Prompt
from whyseg.schemas.errors import ModelUnavailable

POINT = Point(x=20, y=12)
OFF = Point(x=39, y=29, positive=False)
BOX = Box(x0=5, y0=4, x1=33, y1=25)


def installed() -> bool:
    try:
        package()
    except ModelUnavailable:
        return False
    return True


def test_without_the_package_one_is_told_how_to_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sam2", None)
    monkeypatch.setitem(sys.modules, "sam2.build_sam", None)
    (tmp_path / "mine.pt").write_bytes(b"")
    for name in ("sam2-package", "auto"):
        with pytest.raises(ModelUnavailable) as caught:
            choose(name, model=str(tmp_path / "mine.pt"))
        assert "pip install 'whyseg[sam2]'" in str(caught.value)
        assert "whyseg models convert sam2 FILE" in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.fixture(scope="module")
def segmenter(tmp_path_factory: pytest.TempPathFactory) -> Segmenter:
    if not installed():
        pytest.skip("Meta's sam2 package is not installed")
    file = tmp_path_factory.mktemp("meta") / "tiny.pt"
    torch.save({"model": state_of(SIZES[0])}, file)
    return choose("auto", model=str(file))[0]


@pytest.mark.slow
def test_it_answers_as_the_protocol_says(segmenter: Segmenter) -> None:
    assert segmenter.name == "sam2-package"
    embedding = segmenter.embed(np.random.default_rng(0).integers(0, 255, (30, 40, 3), np.uint8))
    assert embedding.size == (30, 40)
    # Three maps of 32, 64 and 256 channels at 256, 128 and 64 cells a side, float32.
    assert embedding.nbytes == 4 * (32 * 256**2 + 64 * 128**2 + 256 * 64**2)
    lone = segmenter.propose(embedding, Prompt(points=(POINT,)))
    assert len(lone) == 3
    for prompt, previous in (
        (Prompt(points=(POINT,)), lone[0].logits),
        (Prompt(points=(POINT, OFF)), None),
        (Prompt(box=BOX), None),
        (Prompt(points=(POINT,), box=BOX), None),
    ):
        found = segmenter.propose(embedding, prompt, previous)
        assert len(found) == 4
        scores = [proposal.score for proposal in found]
        assert scores == sorted(scores, reverse=True)
        assert 0 <= scores[-1] <= scores[0] <= 1
        assert all(proposal.logits is not None and proposal.logits.shape == (256, 256) for proposal in found)


@pytest.mark.slow
def test_an_image_embedded_earlier_is_still_answered_for_itself(segmenter: Segmenter) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (2, 30, 40, 3), np.uint8)
    first = segmenter.embed(noise[0])
    before = segmenter.propose(first, Prompt(points=(POINT,)))[0].logits
    segmenter.embed(noise[1])
    after = segmenter.propose(first, Prompt(points=(POINT,)))[0].logits
    np.testing.assert_array_equal(before, after)


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES, ids=lambda size: size.name)
def test_the_names_and_shapes_of_the_tests_are_metas(size: Hiera) -> None:
    if not installed():
        pytest.skip("Meta's sam2 package is not installed")
    network = package()[0](f"configs/sam2.1/{size.name}.yaml", device="cpu")
    theirs = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    ours = shapes(size)
    assert {name: shape for name, shape in theirs.items() if not name.startswith(VIDEO)} == {
        name: shape for name, shape in ours.items() if not name.startswith(VIDEO)
    }
    assert {name: theirs[name] for name in ours} == ours
