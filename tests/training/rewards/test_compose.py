"""Whole answers, their terms worked out by hand.

The image is 840 × 840 unless it says otherwise, so that its pixels are those of the canvas; the target is one box
100, 100 – 200, 200 with its point at 150, 150.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import block
from tests.training.test_presets import edited
from whyseg.schemas import Mask
from whyseg.schemas.errors import SizeMismatch, UsageError
from whyseg.training.answers import Answer
from whyseg.training.frames import Frame
from whyseg.training.rewards.compose import Reward
from whyseg.training.targets import Target

SIZE = (840, 840)
BOX, POINT = [100, 100, 200, 200], [150, 150]
RIGHT = {"bbox_2d": BOX, "point_2d": POINT}
ONE = {"bbox": BOX, "points_1": [150, 150], "points_2": [120, 180]}


def reply(data: Any, thinking: str = "It is the cup.") -> str:
    return f"<think>{thinking}</think><answer>{json.dumps(data)}</answer>"


def target(*instances: dict[str, Any], size: tuple[int, int] = SIZE) -> Target:
    return Target.from_json({"size": list(size), "instances": list(instances)})


def terms(preset: str, text: str, goal: Target, masks: Sequence[Mask | None] | None = None, **more: Any) -> list[float]:
    scored = Reward.of(preset).score(text, goal, masks, **more)
    assert scored.total == pytest.approx(sum(scored.terms.values()))
    return list(scored.terms.values())


SEG_TARGET = target({"bbox_2d": BOX, "points": [[150, 150], [120, 180]]})


@pytest.mark.parametrize(
    ("data", "expected"),
    [  # thinking, format, IoU > 0.5, L1 < 10, points < 100
        (ONE, [1, 1, 1, 1, 1]),
        ({**ONE, "bbox": [109, 109, 209, 209]}, [1, 1, 1, 1, 1]),  # L1 9; IoU 92² / (2 × 101² − 92²) = 0.71
        ({**ONE, "bbox": [110, 110, 210, 210]}, [1, 1, 1, 0, 1]),  # L1 10; IoU 91² / (2 × 101² − 91²) = 0.68
        ({**ONE, "bbox": [100, 100, 200, 150]}, [1, 1, 1, 0, 0]),  # IoU 51/101 > 0.5; L1 12.5; 120,180 is outside
        ({**ONE, "bbox": [100, 100, 200, 149]}, [1, 1, 0, 0, 0]),  # IoU 50/101 < 0.5
        ({**ONE, "bbox": [0, 0, 839, 839]}, [1, 1, 0, 0, 1]),
        ({**ONE, "points_1": [120, 180], "points_2": [150, 150]}, [1, 1, 1, 1, 1]),  # the other way round
        ({**ONE, "points_1": [150.5, 150.5]}, [1, 1, 1, 1, 1]),
        ({**ONE, "points_2": [99, 180]}, [1, 1, 1, 1, 0]),  # one pixel outside the box
        ({"bbox": BOX, "points_1": [150, 150]}, [1, 0, 1, 1, 0]),  # a point is missing: its own terms alone
        ({"points_1": [150, 150], "points_2": [120, 180]}, [1, 0, 0, 0, 0]),  # no box, so nowhere to be inside
        ({"bbox_2d": BOX, "point_1": [150, 150], "point_2": [120, 180]}, [1, 0, 0, 0, 0]),  # soft keys
        ({**ONE, "bbox": [200, 200, 100, 100]}, [1, 1, 0, 0, 0]),  # corners swapped
        ([ONE], [1, 0, 0, 0, 0]),
        ({}, [1, 0, 0, 0, 0]),
        ("cup", [1, 0, 0, 0, 0]),
    ],
)
def test_seg_zero_by_hand(data: Any, expected: list[float]) -> None:
    assert terms("seg_zero_3b", reply(data), SEG_TARGET) == expected


def test_seg_zero_with_a_soft_format_and_soft_accuracy(tmp_path: Path) -> None:
    soft = str(edited(tmp_path, "seg_zero_3b", ('format = "strict"', 'format = "soft"')))
    data = {"bbox_2d": BOX, "point_1": [150, 150], "point_2": [120, 180]}
    assert terms(soft, reply(data), SEG_TARGET) == [1, 1, 1, 1, 1]
    assert terms("seg_zero_3b", reply(data), SEG_TARGET) == [1, 0, 0, 0, 0]
    soft = str(edited(tmp_path, "seg_zero_3b", ('accuracy = "hard"', 'accuracy = "soft"')))
    # the box 5 to the right: IoU 96 / (2 × 101 − 96) = 96/106; L1 10/4 = 2.5 of 20; the second point 20 off: 10 of 200
    data = {"bbox": [105, 100, 205, 200], "points_1": [150, 150], "points_2": [140, 180]}
    assert terms(soft, reply(data), SEG_TARGET) == pytest.approx([1, 1, 96 / 106, 0.875, 0.95])


def test_box_only_and_points_only(tmp_path: Path) -> None:
    box = str(edited(tmp_path, "seg_zero_3b", ("", 'geometry = "box"')))
    assert terms(box, reply({"bbox": BOX}), SEG_TARGET) == [1, 1, 1, 1]
    points = str(edited(tmp_path, "seg_zero_3b", ("", 'geometry = "points"')))
    assert terms(points, reply({"points_1": [150, 150], "points_2": [120, 180]}), SEG_TARGET) == [1, 1, 1]
    points = str(edited(tmp_path, "vision_reasoner_7b", ("", 'geometry = "points"')))
    assert terms(points, reply([{"point_2d": POINT}]), target(RIGHT)) == [1, 2, 1, 1]


def test_without_label_prediction_no_label_is_asked_for(tmp_path: Path) -> None:
    bare = str(edited(tmp_path, "star_7b_stage1", ("", "label = false")))
    goal = target({"rle": block(0, 0, 10, 10, (20, 20)).plain()}, size=(20, 20))
    assert terms(bare, reply([RIGHT]), goal, [None])[1] == 2
    assert terms("star_7b_stage1", reply([RIGHT]), goal, [None])[1] == 4 / 3


FAR = {"bbox_2d": [600, 600, 700, 700], "point_2d": [650, 650]}


@pytest.mark.parametrize(
    ("data", "instances", "format_", "accuracy"),
    [
        ([RIGHT], [RIGHT], 2, 3),
        ([FAR, RIGHT], [RIGHT, FAR], 2, 3),  # the order does not count
        ([RIGHT], [RIGHT, FAR], 2, 1.5),  # one of two is found: 3 / 2
        ([RIGHT, FAR, FAR], [RIGHT], 2, 1),  # two too many: 3 / 3
        ([RIGHT, RIGHT], [RIGHT, FAR], 2, 1.5),  # one instance is not counted twice
        ([RIGHT, {"bbox_2d": FAR["bbox_2d"]}], [RIGHT, FAR], 1.5, 2.5),  # (3 + 2) / 2: a point is missing
        ([RIGHT, {"point_2d": [650, 650]}], [RIGHT, FAR], 1.5, 1.5),  # without its box a point is nowhere inside
        ([RIGHT, "cup"], [RIGHT, FAR], 1, 1.5),
        ([{**RIGHT, "point_2d": [180, 150]}], [RIGHT], 2, 2),  # 30 away
        ([{**RIGHT, "point_2d": [179.5, 150]}], [RIGHT], 2, 3),
        ([{**RIGHT, "bbox_2d": [109.9, 110, 210, 210]}], [RIGHT], 2, 3),  # (9.9 + 10 + 10 + 10) / 4 < 10
        ([{**RIGHT, "bbox_2d": [110, 110, 210, 210]}], [RIGHT], 2, 2),
        ([], [RIGHT], 0, 0),
        ([{}], [RIGHT], 0, 0),
        ([FAR], [], 2, 0),
        ([], [], 0, 0),  # questions that nothing answers are no part of the paper
        ({}, [RIGHT], 0, 0),
        (RIGHT, [RIGHT], 0, 0),  # an object where a list is asked for
    ],
)
def test_vision_reasoner_by_hand(data: Any, instances: list[Any], format_: float, accuracy: float) -> None:
    assert terms("vision_reasoner_7b", reply(data), target(*instances)) == [1, format_, accuracy, 1]


def test_a_target_of_fractions_scores_a_right_answer_in_full() -> None:
    box = {"bbox_2d": [100.25, 99.5, 200.75, 200.125], "point_2d": [150.5, 149.875]}
    assert terms("vision_reasoner_7b", reply([RIGHT]), target(box)) == [1, 2, 3, 1]


def test_a_repeating_thinker_loses_the_point_and_an_answers_own_points_cost_nothing() -> None:
    assert terms("vision_reasoner_7b", reply([RIGHT], "So. So. So."), target(RIGHT)) == [1, 2, 3, 0]
    many = [{"bbox_2d": [0.5, 0.5, 1.5, 1.5], "point_2d": [0.5, 0.5]}] * 4
    assert terms("vision_reasoner_7b", reply(many), target(RIGHT))[3] == 1


SAM_TARGET = target({"rle": block(0, 0, 10, 10, (20, 20)).plain()}, size=(20, 20))


@pytest.mark.parametrize(("rows", "value"), [(10, 4), (9, 4), (8, 3), (7, 2), (6, 2), (5, 0), (0, 0)])
def test_sam_r1_by_hand(rows: int, value: float) -> None:
    mask = block(0, 0, rows, 10, (20, 20))  # its IoU is rows / 10
    assert terms("sam_r1_7b", reply(ONE), SAM_TARGET, [mask]) == [1, 1, value]


def test_sam_r1_without_a_mask_or_a_readable_answer() -> None:
    assert terms("sam_r1_7b", reply(ONE), SAM_TARGET, [None]) == [1, 1, 0]
    assert terms("sam_r1_7b", reply("cup"), SAM_TARGET) == [1, 0, 0]
    assert terms("sam_r1_7b", "cup", SAM_TARGET, [None]) == [0, 0, 0]  # nothing was read, so masks are not looked at


LEFT, RIGHT_MASK = block(0, 0, 10, 10, (20, 20)), block(0, 10, 10, 10, (20, 20))
STAR_TARGET = target({"rle": LEFT.plain()}, {"rle": RIGHT_MASK.plain()}, size=(20, 20))
# on 20 × 20 a pixel is 42 of the canvas: boxes 0,0,10,10 and 10,0,20,10; LEFT's deepest pixels are 4,4–5,5
FOUND = [
    {"label": "a", "bbox_2d": [420, 0, 840, 420], "point_2d": [630, 200]},
    {"label": "b", "bbox_2d": [0, 0, 420, 420], "point_2d": [189, 189]},
]


def test_star_stage_1_by_hand() -> None:
    # thinking, format, non-repeat, (mask 5 + IoU 1 + L1 1 + point 1) each over two, count
    first, second = STAR_TARGET.instances[0].points[0], STAR_TARGET.instances[1].points[0]
    assert first == (4, 4)
    assert second == (14, 4)  # 588, 168 in the canvas; the 630, 200 of FOUND is 53 away
    right = [{**FOUND[0], "point_2d": [588, 168]}, {**FOUND[1], "point_2d": [168, 168]}]
    assert terms("star_7b_stage1", reply(right), STAR_TARGET, [RIGHT_MASK, LEFT]) == [1, 2, 1, 8, 1]
    # the points are wrong once: 8 + 7; the other mask has 6 of 10 rows, IoU 0.6: 2 in place of 5
    nearly = [FOUND[0], right[1]]
    masks = [RIGHT_MASK, block(0, 0, 6, 10, (20, 20))]
    assert terms("star_7b_stage1", reply(nearly), STAR_TARGET, masks) == [1, 2, 1, (7 + 5) / 2, 1]
    # one of two: (5 + 3) / 2, no bonus; without its label 4/3 of the format
    one = [{key: value for key, value in right[0].items() if key != "label"}]
    assert terms("star_7b_stage1", reply(one), STAR_TARGET, [RIGHT_MASK]) == [1, 4 / 3, 1, 4, 0]


def test_the_count_bonus_needs_a_readable_answer() -> None:
    assert terms("star_7b_stage1", "two of them", STAR_TARGET) == [0, 0, 1, 0, 0]
    assert terms("star_7b_stage1", reply(["a", "b"]), STAR_TARGET, [None, None]) == [1, 0, 1, 0, 1]


def test_star_stage_2_matches_on_masks_alone_and_doubles() -> None:
    anywhere = [{"label": "a", "bbox_2d": [1, 1, 2, 2], "point_2d": [700, 700]}] * 2
    assert terms("star_7b_stage2", reply(anywhere), STAR_TARGET, [RIGHT_MASK, LEFT]) == [1, 2, 1, 10]
    assert terms("star_7b_stage2", reply(anywhere), STAR_TARGET, [None, LEFT]) == [1, 2, 1, 5]  # 2 × 5 / 2
    assert terms("star_7b_stage2", reply(anywhere), STAR_TARGET, [LEFT, LEFT]) == [1, 2, 1, 5]


def test_the_worlds_questions_without_an_answer() -> None:
    nothing, something = target(size=(20, 20)), reply([FOUND[0]])
    canvas = Frame("canvas_840")
    assert terms("world_cpu", reply([]), nothing, frame=canvas) == [1, 2, 1, 8, 1]
    assert terms("world_cpu", reply([{}]), nothing, frame=canvas) == [1, 0, 1, 8, 1]
    assert terms("world_cpu", something, nothing, [LEFT], frame=canvas) == [1, 2, 1, 0, 0]
    assert terms("world_cpu", "nothing", nothing, frame=canvas) == [0, 0, 1, 0, 0]
    assert terms("world_cpu", reply([]), STAR_TARGET, frame=canvas) == [1, 0, 1, 0, 0]
    # the papers' presets know of no such question
    assert terms("star_7b_stage1", reply([]), nothing) == [1, 0, 1, 0, 0]


@pytest.mark.parametrize(
    ("name", "box", "point"),
    [
        ("pixels", [50, 25, 100, 50], [75, 37.5]),
        ("canvas_840", [210, 210, 420, 420], [315, 315]),
        ("grid_1000", [250, 250, 500, 500], [375, 375]),
        ("canvas_112", [28, 28, 56, 56], [42, 42]),
    ],
)
def test_an_answer_is_worth_the_same_in_every_frame(name: str, box: list[float], point: list[float]) -> None:
    # an image 200 wide and 100 high
    goal = target({"bbox_2d": [50, 25, 100, 50], "point_2d": [75, 37.5]}, size=(100, 200))
    text = reply([{"bbox_2d": box, "point_2d": point}])
    scored = Reward.of("vision_reasoner_7b").score(text, goal, frame=Frame(name))
    assert (scored.frame, scored.total) == (name, 7)


def test_the_limits_hold_in_the_canvas_whatever_the_frame() -> None:
    # on the grid 840 px are 1000: 10 px are 11.9; a box off by 11.8 on all sides is within, by 12 is not
    goal = target({"bbox_2d": [84, 84, 420, 420], "point_2d": [252, 252]})
    for off, accuracy in [(11.8, 3), (12, 2)]:
        text = reply([{"bbox_2d": [100 + off, 100 + off, 500 + off, 500 + off], "point_2d": [300, 300]}])
        assert terms("vision_reasoner_7b", text, goal, frame=Frame("grid_1000"))[2] == accuracy


def test_targets_and_masks_that_do_not_fit_a_preset_are_wrong_use() -> None:
    with pytest.raises(UsageError, match="seg_zero_3b takes targets of one instance, got 2"):
        terms("seg_zero_3b", reply(ONE), target(RIGHT, FAR))
    with pytest.raises(UsageError, match="takes targets of one instance, got 0"):
        terms("seg_zero_3b", reply(ONE), target())
    with pytest.raises(UsageError, match="compares two points, but the target has one"):
        terms("seg_zero_3b", reply(ONE), target(RIGHT))
    with pytest.raises(UsageError, match="an instance without one"):
        terms("star_7b_stage1", reply([RIGHT]), target(RIGHT), [None])
    with pytest.raises(UsageError, match="a mask for each of the 2 predicted objects, got none"):
        terms("star_7b_stage1", reply(FOUND), STAR_TARGET)
    with pytest.raises(UsageError, match="a mask for each of the 2 predicted objects, got 1"):
        terms("star_7b_stage1", reply(FOUND), STAR_TARGET, [None])
    with pytest.raises(SizeMismatch, match="predicted mask 1"):
        terms("star_7b_stage1", reply(FOUND), STAR_TARGET, [block(0, 0, 1, 1), None])


def test_many_objects_are_worth_nothing_more() -> None:
    assert terms("vision_reasoner_7b", reply([RIGHT] * 10_000), target(RIGHT)) == [1, 0, 0, 1]
    assert terms("vision_reasoner_7b", reply([RIGHT] * 120), target(RIGHT)) == [1, 2, 3 / 120, 1]


def test_repairs_earn_nothing_where_the_form_is_rewarded() -> None:
    text = "<think>a</think><answer>[{'bbox_2d': [100,100,200,200], 'point_2d': [150,150]}]</answer>"
    assert terms("vision_reasoner_7b", text, target(RIGHT)) == [1, 0, 0, 1]


NUMBER = st.integers(-50, 900) | st.floats(-1e9, 1e9) | st.sampled_from([0, 150, 1e308])
ITEM = st.fixed_dictionaries(
    {},
    optional={
        "label": st.text(max_size=3),
        "bbox_2d": st.lists(NUMBER, min_size=3, max_size=5) | st.just(BOX),
        "point_2d": st.lists(NUMBER, min_size=1, max_size=3) | st.just(POINT),
        "bbox": st.just(BOX),
        "points_1": st.just(POINT),
    },
)
REWARDS = {
    name: Reward.of(name) for name in ("seg_zero_3b", "vision_reasoner_7b", "sam_r1_7b", "star_7b_stage1", "world_cpu")
}
GOALS = [target(RIGHT), target(RIGHT, FAR), target(*[FAR, RIGHT] * 3)]


@settings(max_examples=100, deadline=None)
@given(st.lists(ITEM, max_size=6) | ITEM, st.sampled_from(GOALS), st.randoms(use_true_random=False))
def test_no_answer_has_more_than_the_maximum_and_the_order_of_its_objects_does_not_count(
    data: Any, goal: Target, random: Any
) -> None:
    reward = REWARDS["vision_reasoner_7b"]
    scored = reward.score(reply(data), goal)
    for name, value in scored.terms.items():
        assert 0 <= value <= reward.maxima[name]
    assert 0 <= scored.total <= reward.maximum
    if isinstance(data, list):
        mixed = random.sample(data, len(data))
        assert reward.score(reply(mixed), goal).terms == scored.terms


@settings(max_examples=100, deadline=None)
@given(st.lists(ITEM, max_size=4), st.lists(st.integers(0, 3), min_size=4, max_size=4), st.permutations(range(4)))
def test_masks_go_with_their_objects(data: list[Any], made: list[int], order: list[int]) -> None:
    reward = REWARDS["star_7b_stage1"]
    masks = [(None, LEFT, RIGHT_MASK, block(0, 5, 10, 10, (20, 20)))[kind] for kind in made][: len(data)]
    read = reward.read(reply(data))
    if not isinstance(read, Answer) or len(read.things) != len(data):
        return
    scored = reward.score(reply(data), STAR_TARGET, masks)
    kept = [number for number in order if number < len(data)]
    other = reward.score(reply([data[k] for k in kept]), STAR_TARGET, [masks[k] for k in kept])
    assert other.terms == scored.terms
    assert scored.total <= reward.maximum


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet=st.sampled_from('<>/thinkanswer[]{}":,.0123456789bboxpoint_2d \n') | st.characters()))
def test_any_text_has_a_score(text: str) -> None:
    for reward in REWARDS.values():
        goal = SAM_TARGET if reward.spec.single_object else STAR_TARGET
        for whole in (text, f"<think>{text}</think><answer>{text}</answer>"):
            read = reward.read(whole)
            masks = [None] * len(read.things) if isinstance(read, Answer) else None
            assert 0 <= reward.score(whole, goal, masks).total <= reward.maximum


def test_scoring_imports_neither_torch_nor_a_trainer() -> None:
    code = "import sys; from whyseg.training.rewards.compose import Reward; print(Reward.of('star_7b_stage1').maximum)"
    code += "; print([name for name in ('torch', 'trl', 'transformers', 'datasets') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n") == ["13.0", "[]", ""]


def test_a_hundred_objects_are_scored_as_matrices() -> None:
    rng = np.random.default_rng(0)
    corners = rng.integers(0, 700, (100, 2))
    items = [
        {"bbox_2d": [int(x), int(y), int(x) + 90, int(y) + 90], "point_2d": [int(x) + 45, int(y) + 45]}
        for x, y in corners
    ]
    mixed = [items[k] for k in rng.permutation(100)]
    assert terms("vision_reasoner_7b", reply(mixed), target(*items)) == [1, 2, 3, 1]
