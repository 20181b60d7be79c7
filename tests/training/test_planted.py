"""The rules of ``whyseg score`` on the world with planted mistakes: a short form of `benchmarks.planted`."""

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np
import pytest

from benchmarks.planted import cases, figures, share
from benchmarks.simulated_policy import SimulatedPolicy
from tests.fakes import FakeSegmenter
from whyseg.curation.segmenters import choose
from whyseg.curation.segmenters.base import RgbArray
from whyseg.schemas import Mask, Prompt
from whyseg.schemas.mask import BoolArray
from whyseg.training.diagnosis import THRESHOLDS
from whyseg.training.mask_reward import Masks
from whyseg.training.world.dataset import World, WorldItem, make_item


def test_an_interval_of_a_share() -> None:
    # Wilson, 9 of 10: centre (0.9 + 0.19207)/(1.38415) = 0.78898, half 0.19302.
    assert share(9, 10) == {"count": 9, "of": 10, "share": 0.9, "low": 0.5958, "high": 0.9821}
    assert share(0, 0)["share"] is None


class Cutter(Masks):
    """Masks without a model: within the prompt's box, the thing or part of the scene that the point is on."""

    def __init__(self, items: Sequence[WorldItem]) -> None:
        super().__init__(FakeSegmenter())
        self.items = {item.sample.image_id: item for item in items}

    def scored(
        self, key: Hashable, picture: Callable[[], RgbArray], prompts: Sequence[Prompt | None]
    ) -> list[tuple[Mask, float] | None]:
        """Cut each prompt's thing out."""
        item = self.items[str(key)]
        known = [target.mask for target in item.asked.targets] + [thing.mask for thing in item.asked.scene.things]
        return [None if prompt is None else (Mask.encode(cut(known, prompt)), 0.9) for prompt in prompts]


def cut(known: Sequence[BoolArray], prompt: Prompt) -> BoolArray:
    (point,), box = prompt.points, prompt.box
    assert box is not None
    inside = np.zeros_like(known[0])
    inside[max(0, round(box.y0)) : max(0, round(box.y1)), max(0, round(box.x0)) : max(0, round(box.x1))] = True
    hit = next((mask for mask in known if mask[round(point.y), round(point.x)]), np.ones_like(inside))
    return hit & inside


def test_planted_mistakes_are_found_and_good_samples_are_not_flagged() -> None:
    found = short(Cutter, 40)
    assert found["recall"]["all"]["of"] >= 12
    assert found["recall"]["all"]["share"] >= 0.9
    assert found["false_alarms"]["share"] <= 0.1
    # What is proposed is nearer to the truth than what stands there.
    assert found["proposals"]["iou_after"] > found["proposals"]["iou_before"] + 0.3


@pytest.mark.slow
def test_planted_mistakes_are_found_with_the_masks_of_a_small_segmenter() -> None:
    found = short(lambda items: Masks(choose(model="tiny-test")[0], cache_bytes=2**24), 60)
    assert found["recall"]["all"]["share"] >= 0.9
    assert found["false_alarms"]["share"] <= 0.1


def short(masks_of: Callable[[Sequence[WorldItem]], Masks], count: int) -> dict[str, Any]:
    """Return the figures of a simulated policy that is right in 0.8 of its answers, half of the samples mistaken."""
    items = [make_item(number, 7, World(errors=0.5)) for number in range(count)]
    masks = masks_of(items)
    found = cases(items, SimulatedPolicy(masks, 0.8, 7).candidates, masks)
    return figures(found, THRESHOLDS.model_copy(update={"most": 1}))


def test_the_simulated_policy_never_sees_what_is_annotated() -> None:
    item = next(one for one in (make_item(n, 7, World(errors=1)) for n in range(20)) if planted(one))
    policy = SimulatedPolicy(Cutter([item]), 1.0, 1)
    truth = item.asked.targets[0].mask
    for answer in policy.candidates(item, 4).answers:
        x0, y0, x1, y1 = answer.objects[0].box or (0, 0, 0, 0)
        inside = truth[int(max(0, y0)) : int(y1) + 1, int(max(0, x0)) : int(x1) + 1].sum()
        assert inside > 0.8 * truth.sum()


def planted(item: WorldItem) -> bool:
    return item.planted is not None and item.planted.kind == "wrong_instance"
