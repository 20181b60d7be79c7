from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from tests.builders import block, image_record
from tests.fakes import FakeEmbedding, FakeProposal
from whyseg.curation.segmenters.base import Embedding, FloatArray, Proposal, RgbArray
from whyseg.schemas import Instance, Mask, Origin, Prompt, Query, Sample
from whyseg.training.edges import EdgeLimits, edges_elsewhere
from whyseg.training.mask_reward import Masks

SIZE = (60, 60)  # 2 % of the diagonal of 84.9 pixels: edges are two pixels wide
THING = block(10, 10, 30, 30, SIZE)


@dataclass
class Knows:
    """A segmenter that sees one thing wherever it is asked, and another where it is shown a box alone."""

    thing: Mask = THING
    alone: Mask = THING
    score: float = 0.95
    name: str = "knows"
    model: str = "knows/one"
    asked: list[Prompt] = field(default_factory=list)

    def embed(self, image: RgbArray) -> FakeEmbedding:
        return FakeEmbedding((image.shape[0], image.shape[1]), ())

    def propose(self, embedding: Embedding, prompt: Prompt, previous: FloatArray | None = None) -> list[Proposal]:
        self.asked.append(prompt)
        mask = self.thing if prompt.points else self.alone
        return [FakeProposal(mask.decode(), self.score, None)]


def annotated(*masks: Mask, ignore: Mask | None = None) -> Sample:
    instances = [
        Instance(id=number, mask=mask, label="cup", outline=(((1, 1), (2, 1), (2, 2)),), origin=Origin(kind="polygon"))
        for number, mask in enumerate(masks, 1)
    ]
    words: dict[str, Any] = {"query": Query(text="what holds it?"), "instances": instances, "ignore": ignore}
    return Sample.start(image_record(0, SIZE).id, SIZE, source="images", source_record="", **words)


def elsewhere(sample: Sample, segmenter: Knows, **limits: float) -> list[int]:
    found = edges_elsewhere(sample, Masks(segmenter), lambda: np.zeros((*SIZE, 3), np.uint8), EdgeLimits.parse(limits))
    return [edge.before.id for edge in found]


def test_an_edge_two_pixels_too_far_out_is_drawn_anew() -> None:
    rough = annotated(block(8, 8, 34, 34, SIZE))
    (edge,) = edges_elsewhere(rough, Masks(Knows()), lambda: np.zeros((*SIZE, 3), np.uint8))
    # 900 of 1,156 pixels; the two rings of two pixels beside each other share nothing.
    assert edge.iou == pytest.approx(900 / 1156)
    assert (edge.boundary_iou, edge.steady, edge.sure) == (0, 1, 0.95)
    assert (edge.after.mask, edge.after.outline, edge.after.label) == (THING, (), "cup")
    assert edge.after.origin == Origin(kind="model", model="knows/one")
    # The box of the annotation, half-open, and its deepest pixel, as `whyseg export grpo` would write them.
    assert edge.after.prompt.box.plain() == {"x0": 8, "y0": 8, "x1": 42, "y1": 42}  # type: ignore[union-attr]


def test_only_the_same_thing_drawn_surely_elsewhere_counts() -> None:
    rough = annotated(block(8, 8, 34, 34, SIZE))
    assert elsewhere(rough, Knows()) == [1]
    assert elsewhere(annotated(THING), Knows()) == []
    assert elsewhere(annotated(block(45, 45, 12, 12, SIZE)), Knows()) == []  # another thing
    assert elsewhere(rough, Knows(alone=block(10, 10, 30, 24, SIZE))) == []  # 0.8 of the same from the box alone
    assert elsewhere(rough, Knows(score=0.8)) == []
    # An edge one pixel too far out: rings of 224 and 240 pixels share 116, a third of both.
    one_pixel = annotated(block(9, 9, 32, 32, SIZE))
    assert elsewhere(one_pixel, Knows()) == [1]
    assert elsewhere(one_pixel, Knows(), edge=0.3) == []


def test_a_thing_that_is_all_edge_is_not_asked_about() -> None:
    segmenter = Knows()
    assert elsewhere(annotated(block(0, 0, 7, 9, SIZE), Mask.empty(SIZE)), segmenter) == []
    assert segmenter.asked == []


def test_each_instance_is_judged_by_itself_and_the_ignore_region_does_not_count() -> None:
    sample = annotated(THING, block(8, 8, 34, 34, SIZE))
    assert elsewhere(sample, Knows()) == [2]
    ignored = annotated(block(10, 10, 30, 50, SIZE), ignore=block(0, 40, 60, 20, SIZE))
    # 900 of 1,500 pixels are the thing; outside the ignore region all of them are.
    assert elsewhere(ignored, Knows(), same=0.9) == [1]
