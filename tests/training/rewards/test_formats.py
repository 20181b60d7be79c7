from typing import Any

import pytest

from whyseg.training.rewards.formats import answer_format, non_repeat, segmentation_format, thinking_format

ITEM = {"bbox_2d": [1, 2, 3, 4], "point_2d": [2, 3]}
SINGLE = {"bbox": [1, 2, 3, 4], "points_1": [2, 3], "points_2": [2, 4]}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("<think>a</think><answer>b</answer>", 1),
        ("<think>a</think> \n\t<answer>b</answer>", 1),
        ("<think></think><answer></answer>", 1),
        ("<think>two\nlines</think>\n<answer>two\nlines</answer>", 1),
        (" <think>a</think><answer>b</answer>", 0),
        ("<think>a</think><answer>b</answer>\n", 0),  # the whole reply, so a newline at its end counts
        ("<think>a</think> then <answer>b</answer>", 0),
        ("<answer>b</answer><think>a</think>", 0),
        ("<think>a<answer>b</answer></think>", 0),
        ("<answer><think>a</think></answer>", 0),
        ("<think>a</think><answer>b</answer><answer>b</answer>", 0),
        ("<think>a</think><think>a</think><answer>b</answer>", 0),
        ("<think>about <answer></think><answer>b</answer>", 0),
        ("<Think>a</Think><answer>b</answer>", 0),
        ("a", 0),
        ("", 0),
    ],
)
def test_thinking_format_is_the_whole_reply_in_two_blocks(text: str, value: float) -> None:
    assert thinking_format(text) == value


@pytest.mark.parametrize(
    ("data", "strict", "soft"),
    [
        (SINGLE, 1, 1),
        ({**SINGLE, "why": "a"}, 1, 1),  # more keys may stand beside
        ({**SINGLE, "bbox": [1.5, 2, 3, 4e2]}, 1, 1),
        ({"my_BBox": [1, 2, 3, 4], "point_a": [2, 3], "Points": [2, 4]}, 0, 1),
        ({"bbox": [1, 2, 3, 4], "points_1": [2, 3]}, 0, 0),  # one point is missing
        ({**SINGLE, "bbox": [1, 2, 3]}, 0, 0),
        ({**SINGLE, "points_2": [1, 2, 3]}, 0, 0),
        ({**SINGLE, "bbox": ["1", "2", "3", "4"]}, 0, 0),
        ({**SINGLE, "bbox": [1, 2, 3, True]}, 0, 0),
        ({**SINGLE, "bbox": [1, 2, 3, 1e308]}, 0, 0),
        ([SINGLE], 0, 0),
        (None, 0, 0),
        ("bbox", 0, 0),
    ],
)
def test_segmentation_format_strict_and_soft(data: Any, strict: float, soft: float) -> None:
    assert segmentation_format(data) == strict
    assert segmentation_format(data, soft=True) == soft


def test_segmentation_format_asks_only_for_the_fields_of_an_ablation() -> None:
    assert segmentation_format({"bbox": [1, 2, 3, 4]}, ["bbox"]) == 1
    assert segmentation_format({"points_1": [1, 2], "points_2": [1, 2]}, ["point"]) == 1
    assert segmentation_format({"bbox": [1, 2, 3, 4]}, ["point"]) == 0


@pytest.mark.parametrize(
    ("data", "value"),
    [
        ([ITEM], 2),
        ([ITEM, ITEM], 2),
        ([ITEM, {"bbox_2d": [1, 2, 3, 4]}], 1.5),  # (2 + 1) / 2
        ([ITEM, ITEM, {}], 4 / 3),  # (2 + 2 + 0) / 3
        ([ITEM, "cup", None, [1, 2, 3, 4]], 0.5),  # 2 / 4
        ([{"bbox_2d": [1, 2], "point_2d": [1]}], 0),
        ([{"bbox_2d": "1234", "point_2d": {"x": 1, "y": 2}}], 0),
        ([], 0),
        ([{}], 0),
        (ITEM, 0),
        (None, 0),
        ([ITEM] * 120, 2),
        ([ITEM] * 121, 0),
    ],
)
def test_answer_format_is_the_mean_over_the_items(data: Any, value: float) -> None:
    assert answer_format(data) == value


@pytest.mark.parametrize(
    ("label", "value"), [("cup", 2), ("", 4 / 3), (" ", 4 / 3), (None, 4 / 3), (7, 4 / 3), (["cup"], 4 / 3)]
)
def test_a_label_is_worth_a_third_for_being_there(label: Any, value: float) -> None:
    assert answer_format([{**ITEM, "label": label}], ["bbox", "point", "label"]) == value


@pytest.mark.parametrize(
    ("thinking", "value"),
    [
        ("", 1),
        ("A. B. C.", 1),
        ("A. A. B.", 1),  # one repetition is free
        ("A. A. A.", 0),  # two repetitions of one sentence
        ("A. B. A. B.", 0),  # one of each of two
        ("A. a. A .", 1),  # case counts, the space around a sentence does not: A is repeated once
        ("......", 1),  # empty sentences are none
        ("At 0.5 it is. At 0.5 it is. Not 0.6.", 1),  # split at the numbers' points, "5 it is" and "At 0" would repeat
        ("It is 1. It is 1. It is 1.", 0),  # a point after a digit still ends a sentence
    ],
)
def test_two_repeated_sentences_cost_the_point(thinking: str, value: float) -> None:
    assert non_repeat(thinking) == value
