import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whyseg.schemas.errors import UsageError
from whyseg.training.answers import LONGEST, MAX_THINGS, Answer, ParseFailure, Shape, Thing, parse
from whyseg.training.frames import Frame

ITEM = '{"bbox_2d": [1, 2, 30, 40], "point_2d": [5, 6]}'
THING = Thing(box=(1, 2, 30, 40), points=((5, 6),))


def reply(body: str, thinking: str = "a cup") -> str:
    return f"<think>{thinking}</think><answer>{body}</answer>"


def things(text: str, shape: Shape = "list", *, repair: bool = True) -> tuple[Thing, ...]:
    answer = parse(text, shape, repair=repair)
    assert isinstance(answer, Answer), answer
    return answer.things


def failure(text: str, shape: Shape = "list", *, repair: bool = True) -> str:
    found = parse(text, shape, repair=repair)
    assert isinstance(found, ParseFailure), found
    assert found.text == text
    return found.reason


def test_a_single_object_has_its_box_and_two_points() -> None:
    body = '{"bbox": [1, 2, 30.5, 40], "points_1": [5, 6], "points_2": [7, 8]}'
    assert things(reply(body), "single", repair=False) == (Thing(box=(1, 2, 30.5, 40), points=((5, 6), (7, 8))),)


def test_a_list_has_its_things_in_order_and_labels_only_where_they_are_asked_for() -> None:
    body = '[{"label": " cup ", "bbox_2d": [1, 2, 30, 40], "point_2d": [5, 6]}, {"bbox_2d": [0, 0, 1, 1]}]'
    second = Thing(box=(0, 0, 1, 1))
    assert things(reply(body), "list", repair=False) == (THING, second)
    assert things(reply(body), "list_label", repair=False) == (THING.model_copy(update={"label": "cup"}), second)


def test_the_thinking_is_what_the_tags_hold_or_what_comes_before_the_answer() -> None:
    for text, thinking in [
        (reply("[]", "a cup"), "a cup"),
        ("no tags here <answer>[]</answer>", "no tags here "),
        ("<think>left open <answer>[]</answer>", "left open "),
        ("\n<think>x</think> and more <answer>[]</answer>", "x"),
    ]:
        answer = parse(text, "list", repair=False)
        assert isinstance(answer, Answer)
        assert answer.thinking == thinking


@pytest.mark.parametrize("body", ["[]", "[{}]", " [ ] "])
def test_an_empty_list_says_that_nothing_is_there(body: str) -> None:
    assert things(reply(body), repair=False) == ()


def test_an_answer_tag_that_is_thought_of_is_no_answer() -> None:
    assert things(reply(f"[{ITEM}]", "I put it in <answer>[]</answer>."), repair=False) == (THING,)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nothing",
        "<answer>",
        "</answer>",
        "</answer>[]<answer>",
        f"<think>a</think><answer>[{ITEM}]</answer><answer>[]</answer>",
        f"<answer>[{ITEM}]</answer></answer>",
        "<answer><answer>[]</answer></answer>",
        "<answer><think>a</think>[]</answer></answer>",
    ],
)
def test_no_answer_block_or_several_are_a_failure(text: str) -> None:
    assert "not exactly one block" in failure(text, repair=False) or "JSON" in failure(text, repair=False)
    assert isinstance(parse(text, "list"), ParseFailure)


@pytest.mark.parametrize(
    "body",
    [
        "[{'bbox_2d': [1, 2, 30, 40], 'point_2d': [5, 6]}]",  # single quotes
        '[{"bbox_2d": [1, 2, 30, 40], "point_2d": [5, 6],},]',  # commas before closing brackets
        f"[{ITEM}}}]",  # a stray bracket
        f"[{ITEM}",  # the list left open
        '[{"bbox_2d": [1, 2, 30, 40], "point_2d": [5, 6]]',  # the object left open
        '[{"bbox_2d": ["1", " 2", "30", "40.0"], "point_2d": ["5", "6"]}]',  # numbers in quotes
        f"```json\n[{ITEM}]\n```",  # a fence
        f"Here it is: [{ITEM}] as you wished, I hope.",  # words around it
        ITEM,  # the object without its list
        f"[[{ITEM}]]",  # a list in a list
        f"[[{ITEM}]",
    ],
)
def test_what_has_one_reading_is_put_right_but_not_where_the_form_is_rewarded(body: str) -> None:
    assert things(reply(body)) == (THING,)
    strict = parse(reply(body), "list", repair=False)
    assert isinstance(strict, ParseFailure) or strict.things != (THING,)


@pytest.mark.parametrize("text", [f"[{ITEM}]", f"```\n[{ITEM}]```", f"<think>a</think>\n[{ITEM}]", f"<answer>[{ITEM}]"])
def test_missing_answer_tags_are_put_right_too(text: str) -> None:
    assert things(text) == (THING,)
    assert isinstance(parse(text, "list", repair=False), ParseFailure)


@pytest.mark.parametrize(
    "body",
    [
        '[{"bbox_2d": [1, 2, 30, 40], "point_2d": [5, 6',  # 6, or 61?
        f'[{ITEM}, {{"bbox_2d": [1, 2',
        f'[{ITEM}, {{"label": "a',
        f'[{{"bbox_2d": [1, 2, 30, 40], "point_2d": [5, 6}}, {ITEM}]',  # a bracket is missing: where?
        "[{'label': 'the dog's tail', 'bbox_2d': [1, 2, 30, 40]}]",
        f"[{ITEM}] or [{ITEM}]",
        f"```\n[{ITEM}]\n```\n```\n[]\n```",
        '[{"bbox_2d": [1, 2, 30, 40], "bbox_2d": [5, 6, 70, 80], "point_2d": [5, 6]}]',
        '[{"bbox_2d": [NaN, 2, 30, 40]}]',
        '[{"bbox_2d": [Infinity, 2, 30, 40]}]',
        "null",
        "7",
        '"[]"',
    ],
)
def test_what_has_no_reading_or_several_is_a_failure(body: str) -> None:
    failure(reply(body))


PAIR = [
    {"label": "a cup", "bbox_2d": [10, 2, 30, 40], "point_2d": [15, 6]},
    {"label": "b", "bbox_2d": [1, 2, 3, 4], "point_2d": [5, 6]},
]
WHOLE = reply(json.dumps(PAIR))


@pytest.mark.parametrize(
    "whole", [WHOLE, WHOLE.replace('"', "'"), WHOLE.partition("</think>")[2], reply(ITEM), reply("[]")]
)
def test_a_reply_that_breaks_off_anywhere_says_all_or_nothing(whole: str) -> None:
    expected = things(whole, "list_label")
    for length in range(len(whole)):
        answer = parse(whole[:length], "list_label")
        assert isinstance(answer, ParseFailure) or answer.things == expected, whole[:length]


def test_a_bracket_that_is_lost_loses_no_object_silently() -> None:
    expected = things(WHOLE, "list_label")
    for at, character in enumerate(WHOLE):
        if character in '[]{}",:':
            answer = parse(WHOLE[:at] + WHOLE[at + 1 :], "list_label")
            assert isinstance(answer, ParseFailure) or answer.things == expected, WHOLE[max(0, at - 20) : at + 20]


def test_a_list_of_one_stands_for_its_object_and_odd_keys_for_the_right_ones_where_they_are_clear() -> None:
    body = '[{"bbox_2d": [1, 2, 30, 40], "point_1": [5, 6], "point_2": [7, 8]}]'
    assert things(reply(body), "single") == (Thing(box=(1, 2, 30, 40), points=((5, 6), (7, 8))),)
    assert failure(reply(body), "single", repair=False) == "the answer is one object, got a list of 1"
    three = '{"bbox_2d": [1, 2, 30, 40], "point_1": [5, 6], "point_2": [7, 8], "point_3": [7, 8]}'
    assert things(reply(three), "single") == (Thing(),)


@pytest.mark.parametrize(
    "numbers",
    [
        "[1, 2, 3]",
        "[1, 2, 3, 4, 5]",
        "[true, 2, 3, 4]",
        "[[1], 2, 3, 4]",
        "[null, 2, 3, 4]",
        '["a", 2, 3, 4]',
        "{}",
        "[1e308, 2, 3, 4]",
        *["[1e999, 2, 3, 4]", f"[{'9' * 4000}, 2, 3, 4]", '["１", 2, 3, 4]', '["1_0", 2, 3, 4]', "7", "null"],
    ],
)
def test_what_is_no_box_is_missing_and_the_rest_stays(numbers: str) -> None:
    body = f'[{{"bbox_2d": {numbers}, "point_2d": [5, 6]}}, {ITEM}]'
    assert things(reply(body)) == (Thing(points=((5, 6),)), THING)


@pytest.mark.parametrize("item", ["7", "null", '"cup"', "[1, 2, 3, 4]", "{}"])
def test_what_is_no_object_still_counts_as_a_thing(item: str) -> None:
    assert things(reply(f"[{item}, {ITEM}]")) == (Thing(), THING)


@pytest.mark.parametrize(
    ("label", "read"), [('""', None), ('"  "', None), ("7", None), ('["a"]', None), ('"\\ud800x"', "?x")]
)
def test_a_label_is_a_text_that_is_not_empty(label: str, read: str | None) -> None:
    assert things(reply(f'[{{"label": {label}}}, {{}}]'), "list_label")[0].label == read


def test_more_than_120_things_are_not_read() -> None:
    assert len(things(reply(f"[{', '.join([ITEM] * MAX_THINGS)}]"))) == 120
    assert failure(reply(f"[{', '.join([ITEM] * 121)}]")) == "121 objects, at most 120 are read"


def test_a_reply_of_more_than_100_000_characters_is_not_read() -> None:
    frame = len(reply(f"[{ITEM}]", ""))
    assert things(reply(f"[{ITEM}]", "x" * (LONGEST - frame))) == (THING,)
    assert failure(reply(f"[{ITEM}]", "x" * (LONGEST - frame + 1))) == "100001 characters, at most 100000 are read"


def test_an_unknown_shape_is_wrong_use() -> None:
    with pytest.raises(UsageError, match="single, list, list_label"):
        parse("", "box")  # type: ignore[arg-type]


HOSTILE = [
    "[" * 90_000,
    "{" * 90_000,
    '[{"a":' * 15_000,
    '"\\' * 45_000,
    "'\\" * 45_000,
    "```a " * 18_000,
    "," * 90_000,
]
HOSTILE += [
    "[," + " " * 90_000,
    "<think>" * 12_000,
    "<answer>" * 11_000,
    "[1]" * 30_000,
    "9" * 90_000,
    "x" * 10_000_000,
]
HOSTILE += [
    "[" + "{}," * 30_000 + "{}]",
    "[" + '"a",' * 20_000 + "1]",
    '{"bbox": ' * 10_000,
    "\ud800",
    "\0",
    "['" * 40_000,
]


@pytest.mark.timeout(60)  # each takes a tenth of a second; going through a text again and again, minutes
@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text[:6]))
@pytest.mark.parametrize("shape", ["single", "list_label"])
def test_hostile_replies_are_failures_and_are_read_once(text: str, shape: Shape) -> None:
    for whole in (text, f"<answer>{text}</answer>", reply(text, text)):
        assert isinstance(parse(whole, shape), ParseFailure)


@given(
    st.text(alphabet=st.sampled_from("<>/thinkanswer[]{}\"\\:,.0123456789'bboxpoint_2d \n") | st.characters()),
    st.booleans(),
)
def test_any_text_has_a_reading_or_a_reason(text: str, repair: bool) -> None:
    shapes: tuple[Shape, ...] = ("single", "list", "list_label")
    for shape in shapes:
        for whole in (text, f"<answer>{text}</answer>"):
            assert isinstance(parse(whole, shape, repair=repair), Answer | ParseFailure)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(st.sampled_from(["bbox", "points_1", "bbox_2d", "point_2d", "label"]), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(JSON)
def test_any_json_has_a_reading_or_a_reason(data: object) -> None:
    shapes: tuple[Shape, ...] = ("single", "list", "list_label")
    for shape in shapes:
        assert isinstance(parse(reply(json.dumps(data)), shape), Answer | ParseFailure)


def test_a_thing_becomes_a_prompt_in_pixels_of_the_image() -> None:
    # canvas 840 on an image 420 wide and 210 high: x halves, y quarters
    prompt = Thing(box=(100, 200, 40, 80), points=((84, 84),)).prompt(Frame("canvas_840"), (210, 420))
    assert prompt is not None
    assert prompt.box is not None
    assert (prompt.box.x0, prompt.box.y0, prompt.box.x1, prompt.box.y1) == (20, 20, 50, 50)
    assert [(point.x, point.y, point.positive) for point in prompt.points] == [(42, 21, True)]


def test_a_box_without_width_is_asked_about_as_one_pixel_and_nothing_at_all_is_no_prompt() -> None:
    prompt = Thing(box=(5, 5, 5, 9)).prompt(Frame("pixels"), (20, 20))
    assert prompt is not None
    assert prompt.box is not None
    assert (prompt.box.x0, prompt.box.x1) == (5, 6)
    assert Thing(label="cup").prompt(Frame("pixels"), (20, 20)) is None


def test_coordinates_that_leave_all_bounds_in_pixels_are_left_out() -> None:
    # 10⁷ on a canvas of 28 is 10⁷ × 1000/28 pixels, beyond what a prompt takes
    far = Thing(box=(0, 0, 1e7, 1e7), points=((1e7, 0),))
    assert far.prompt(Frame("canvas_28"), (1000, 1000)) is None
