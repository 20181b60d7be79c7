import re
from pathlib import Path
from typing import get_args

import pytest

from tests.training.presets_page import PAGE, page
from whyseg.schemas.errors import InvalidRecord, UsageError, WhysegError
from whyseg.training.explain import deviations, explain
from whyseg.training.presets import CONFIGS, PairName, Preset, TermName, load_preset, preset_names
from whyseg.training.prompts import STYLES
from whyseg.training.rewards.compose import Reward

MAXIMA = {
    "seg_zero_3b": 5, "seg_zero_7b": 5, "vision_reasoner_7b": 7, "sam_r1_7b": 6,
    "star_7b_stage1": 13, "star_8b_stage1": 13, "star_7b_stage2": 14, "star_8b_stage2": 14,
    "world_cpu": 13, "world_gpu": 13,
}  # fmt: skip


def test_the_shipped_presets_are_those_of_the_papers_and_the_world() -> None:
    assert set(preset_names()) == MAXIMA.keys()


@pytest.mark.parametrize("name", preset_names())
def test_a_shipped_preset_loads_has_its_papers_maximum_and_explains_itself(name: str) -> None:
    preset = load_preset(name)
    assert Reward.of(preset).maximum == MAXIMA[name]
    text = explain(preset)
    assert f"reward: at most {MAXIMA[name]}" in text
    assert preset.paper.deviations
    for line in deviations(preset):
        assert line in text


@pytest.mark.parametrize(
    ("name", "figures"),
    [  # n, keep, prompts a step, lr, weight decay, KL, lower clip, upper clip, longest answer, epochs
        ("seg_zero_7b", (8, None, 16, 1e-6, 0.01, 5e-3, 0.2, 0.2, 1300, 1)),
        ("vision_reasoner_7b", (8, None, 16, 1e-6, 0.01, 1e-2, 0.2, 0.2, 2000, 1)),
        ("sam_r1_7b", (8, None, 16, 1e-6, 0.01, 5e-3, 0.2, 0.3, 2000, 1)),
        ("star_7b_stage1", (16, None, 16, 1e-5, 1e-3, 0, 0.2, 0.2, 2048, 1)),
        ("star_7b_stage2", (256, 16, 16, 5e-6, 1e-3, 0, 0.2, 0.2, 2048, 10)),
        ("star_8b_stage2", (64, 16, 16, 5e-6, 1e-3, 0, 0.2, 0.2, 2048, 10)),
    ],
)
def test_the_papers_settings(name: str, figures: tuple[float | None, ...]) -> None:
    g = load_preset(name).grpo
    found = (g.n, g.keep, g.prompts_per_step, g.lr, g.weight_decay, g.beta, g.clip_low, g.clip_high)
    assert (*found, g.max_completion_tokens, g.epochs) == figures


def test_frames_prompts_and_adapters_of_the_families() -> None:
    assert {name: load_preset(name).policy.frame for name in ("seg_zero_3b", "star_7b_stage1", "star_8b_stage1")} == {
        "seg_zero_3b": "canvas_840",
        "star_7b_stage1": "canvas_840",
        "star_8b_stage1": "grid_1000",
    }
    for name in preset_names():
        preset = load_preset(name)
        assert (preset.lora is not None) == name.startswith("star")
        assert (preset.stage is not None) == name.endswith("stage2")
        if preset.stage:
            assert preset.stage.continues in preset_names()
        if preset.lora:
            assert re.fullmatch(preset.lora.regex, "model.language_model.layers.0.self_attn.q_proj")
            assert not re.fullmatch(preset.lora.regex, "model.visual.blocks.0.attn.proj")
            assert not re.fullmatch(preset.lora.regex, "lm_head")


def edited(tmp_path: Path, name: str, *changes: tuple[str, str]) -> Path:
    """Write a copy of a preset with lines changed or, where the old line is empty, added to [reward]."""
    text = (CONFIGS / f"{name}.toml").read_text()
    for old, new in changes:
        old, new = (old, new) if old else ("[reward]\n", f"[reward]\n{new}\n")
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "own.toml"
    path.write_text(text)
    return path


def test_a_file_of_ones_own_is_a_preset_with_its_name(tmp_path: Path) -> None:
    preset = load_preset(edited(tmp_path, "seg_zero_3b", ("n = 8", "n = 4")))
    assert (preset.name, preset.grpo.n) == ("own", 4)


@pytest.mark.parametrize(
    ("name", "line", "maximum"),
    [
        ("seg_zero_3b", "thinking = false", 4),  # − the thinking's format
        ("seg_zero_3b", 'geometry = "box"', 4),  # − the points
        ("seg_zero_3b", 'geometry = "points"', 3),  # − the box's IoU and L1
        ("vision_reasoner_7b", 'geometry = "box"', 6),  # 1 + 2 + (1 + 1) + 1
        ("vision_reasoner_7b", 'geometry = "points"', 5),  # 1 + 2 + 1 + 1
        ("star_7b_stage1", "label = false", 13),  # two fields in place of three make up the same 2
        ("star_7b_stage1", 'accuracy = "soft"', 13),
    ],
)
def test_an_ablation_is_one_line(tmp_path: Path, name: str, line: str, maximum: float) -> None:
    preset = load_preset(edited(tmp_path, name, ("", line)))
    assert Reward.of(preset).maximum == maximum
    assert "ablation: " in explain(preset)


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("seg_zero_3b", "n = 8", "n = 1", "grpo.n"),
        ("seg_zero_3b", "n = 8", "n = 8\nkeep = 9", "keep is at most n = 8, got 9"),
        ("seg_zero_3b", "epochs = 1", "", "one of the two"),
        ("seg_zero_3b", "epochs = 1", "epochs = 1\nmax_steps = 3", "one of the two"),
        ("seg_zero_3b", "lr = 1e-6", "lr = nan", "grpo.lr"),
        ("seg_zero_3b", "lr = 1e-6", "learning_rate = 1e-6", "grpo.lr: "),
        ("seg_zero_3b", '"canvas_840"', '"canvas"', "a frame is pixels"),
        ("seg_zero_3b", '"seg_zero"', '"lisa"', "no prompt style 'lisa'"),
        ("seg_zero_3b", '"seg_zero"', '"star_stage1"', "asks for another shape than single"),
        ("seg_zero_3b", '"seg_zero"', '"seg_zero"\nevaluation_prompt = "lisa"', "no prompt style 'lisa'"),
        ("seg_zero_3b", '"seg_zero"', '"seg_zero"\nevaluation_prompt = "world"', "asks for another shape than single"),
        ("seg_zero_3b", "single_object = true", "", "a multi-object preset has no term bbox_iou"),
        ("seg_zero_3b", "bbox_iou = 1", "iou = 1", "reward.terms.iou"),
        ("seg_zero_3b", "bbox_iou = 1", "bbox_iou = -1", "reward.terms.bbox_iou"),
        ("seg_zero_3b", "bbox_iou = 1", "answer_format = 1", "a single-object preset has no term answer_format"),
        ("star_7b_stage1", 'pair = ["mask", ', 'pair = ["mask", "mask", ', "names a part twice"),
        ("star_7b_stage1", "accuracy = 1, ", "", "the term accuracy needs pair"),
        ("star_7b_stage1", 'pair = ["mask", ', "pair = [", "a mask term needs tiers"),
        ("star_7b_stage1", "[0.9, 5], [0.8, 4]", "[0.8, 4], [0.9, 5]", "from the highest IoU down"),
        ("star_7b_stage1", "[0.9, 5]", "[1.0, 5]", "reward.tiers"),
    ],
)
def test_values_that_no_preset_can_have_are_refused_in_words(
    tmp_path: Path, name: str, old: str, new: str, said: str
) -> None:
    path = edited(tmp_path, name, (old, new))
    with pytest.raises(InvalidRecord, match=re.escape(said)) as refused:
        load_preset(path)
    assert str(refused.value).startswith(f"{path}: ")


def test_points_only_leave_nothing_of_a_pair_of_boxes(tmp_path: Path) -> None:
    pairs = ('pair = ["bbox_iou", "bbox_l1", "point"]', 'pair = ["bbox_iou"]\ngeometry = "points"')
    with pytest.raises(InvalidRecord, match="no term is left"):
        load_preset(edited(tmp_path, "vision_reasoner_7b", pairs))


def test_an_unknown_preset_is_refused_with_those_there_are() -> None:
    with pytest.raises(UsageError, match=r"no preset 'lisa'; there are sam_r1_7b, seg_zero_3b, .*world_gpu"):
        load_preset("lisa")


@pytest.mark.parametrize("content", [b"[paper", b"\xff", None])
def test_a_file_that_is_no_toml_or_is_not_there_is_wrong_use(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "own.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=r"own\.toml: "):
        load_preset(path)


def test_a_preset_survives_its_plain_form() -> None:
    for name in preset_names():
        assert Preset.parse(load_preset(name).plain()) == load_preset(name)


def test_no_preset_is_an_odd_name() -> None:
    for name in ("", ".", "../seg_zero_3b", "/", "seg_zero_3b.toml", "a" * 300 + ".toml", "\0.toml"):
        with pytest.raises(WhysegError):
            load_preset(name)


def test_the_document_shows_what_every_preset_says() -> None:
    assert PAGE.read_text() == page(), "write it anew: python -m tests.training.presets_page"


def test_the_document_on_training_names_every_term_and_preset() -> None:
    text = (PAGE.parent / "training.md").read_text()
    for name in (*preset_names(), *STYLES, *get_args(TermName), *get_args(PairName)):
        assert f"`{name}`" in text, name
