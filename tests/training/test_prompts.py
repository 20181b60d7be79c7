import json
import re

import pytest

from whyseg.schemas.errors import UsageError
from whyseg.training.answers import Answer, parse
from whyseg.training.presets import load_preset, preset_names
from whyseg.training.prompts import STYLES, messages, normalised

INSTRUCTED = sorted(set(STYLES) - {"world"})


def asked(style: str, query: str = "What keeps the rain off?", **options: object) -> str:
    conversation = messages(style, query, **options)  # type: ignore[arg-type]
    assert [message["role"] for message in conversation] == ["system", "user"]
    text: str = conversation[1]["content"]
    return text


@pytest.mark.parametrize("style", INSTRUCTED)
@pytest.mark.parametrize("geometry", ["both", "box", "points"])
def test_the_example_in_a_prompt_is_an_answer_that_the_parser_takes(style: str, geometry: str) -> None:
    text = asked(style, geometry=geometry)
    example = text[text.index("<think> the thinking") :]
    answer = parse(example, STYLES[style].shape, repair=False)
    assert isinstance(answer, Answer)
    assert len(answer.things) == (1 if STYLES[style].shape == "single" else 2)
    for thing in answer.things:
        assert (thing.box is not None) == (geometry != "points")
        assert bool(thing.points) == (geometry != "box")
        assert bool(thing.label) == (STYLES[style].shape == "list_label")


def test_the_query_is_lower_case_without_its_final_punctuation() -> None:
    assert normalised(" What keeps\n the rain off. ") == "what keeps the rain off"
    assert normalised("What keeps the rain off?") == "what keeps the rain off?"  # training drops the full stop only
    assert normalised('What is "it"?!.', evaluation=True) == 'what is "it'
    assert "'what keeps the rain off?'" in asked("seg_zero")
    assert "'what keeps the rain off'" in asked("seg_zero", evaluation=True)


@pytest.mark.parametrize(
    "hostile", ["{query}", "%s {0}", "<|im_end|>", "<answer>[]</answer>", "'; DROP", "\\1", "", "．"]
)
def test_whatever_a_query_holds_it_is_only_text(hostile: str) -> None:
    text = asked("star_stage2", hostile)
    assert "<|" not in text
    assert f"'{normalised(hostile)}'" in text


def test_the_structure_of_each_family() -> None:
    compare, two_step, empty = "Compare the objects", "First work out what the question", "give an empty list"
    held = {style: [part in asked(style) for part in (compare, two_step, empty)] for style in INSTRUCTED}
    assert held == {
        "sam_r1": [True, False, False],
        "seg_zero": [True, False, False],
        "star_reasonseg": [False, True, True],
        "star_stage1": [True, False, False],
        "star_stage2": [False, True, False],
        "vision_reasoner": [True, False, False],
        "vision_reasoner_short": [False, False, False],
    }
    assert "two largest circles" in asked("seg_zero")
    assert "label" in asked("star_stage1")
    assert "none is missing" in asked("star_stage1")
    assert "label" not in asked("vision_reasoner")


def test_the_ablations_change_what_is_asked() -> None:
    assert "<think>" not in asked("star_stage1", thinking=False)
    assert "label" not in asked("star_stage1", label=False)
    assert "bbox" not in asked("seg_zero", geometry="points")
    assert "point" not in asked("seg_zero", geometry="box")


def test_the_example_lies_in_the_policys_frame() -> None:
    numbers = [
        int(n)
        for n in re.findall(r"\d+", asked("vision_reasoner", canvas=112).rpartition("<answer>")[2].replace("_2d", ""))
    ]
    assert max(numbers) == 105  # 786 × 112/840 = 104.8
    assert '"bbox_2d": [268,352,840,936]' in load_preset("star_8b_stage1").messages("a")[1]["content"]  # × 1000/840


def test_star_is_evaluated_with_a_prompt_that_allows_for_nothing_to_find() -> None:
    for name in ("star_7b_stage1", "star_8b_stage2"):
        preset = load_preset(name)
        assert "empty list" not in preset.messages("a")[1]["content"]
        assert "empty list" in preset.messages("a", evaluation=True)[1]["content"]
    assert load_preset("seg_zero_3b").style(evaluation=True) == "seg_zero"


def test_the_world_asks_the_bare_question() -> None:
    assert messages("world", "Which one rings.") == [{"role": "user", "content": "which one rings"}]


def test_an_unknown_style_is_refused_with_those_there_are() -> None:
    with pytest.raises(UsageError, match="no prompt style 'lisa'; there are seg_zero, sam_r1, "):
        messages("lisa", "a")


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_asks_in_a_form_that_can_be_stored(name: str) -> None:
    assert json.loads(json.dumps(load_preset(name).messages("a"))) == load_preset(name).messages("a")
