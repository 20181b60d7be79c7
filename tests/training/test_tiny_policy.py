"""The tiny policy: a folder that transformers opens, digits apart in its tokenizer, weights that a seed decides."""

from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image as PilImage
from safetensors.torch import load_file
from transformers import AutoModelForImageTextToText, AutoTokenizer

from whyseg.schemas.errors import UsageError
from whyseg.training.frames import Frame
from whyseg.training.processors import load_processor
from whyseg.training.tiny_policy import make_policy
from whyseg.training.world.dataset import samples
from whyseg.training.world.lessons import conversation, reply


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("policy")
    make_policy(path)
    return path


def inputs_of(folder: Path, number: int) -> Any:
    item = next(samples(1, 0, start=number))
    processor = load_processor(folder)
    (message,) = conversation(item.sample)
    content = [{"type": "image"}, {"type": "text", "text": message["content"]}]
    chat = [{"role": "user", "content": content}]
    text = processor.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)
    return processor(text=[text], images=[[PilImage.fromarray(item.image)]], return_tensors="pt")


def test_transformers_opens_the_folder_and_generates(folder: Path) -> None:
    model = AutoModelForImageTextToText.from_pretrained(folder, local_files_only=True)
    assert 1e6 < sum(weights.numel() for weights in model.parameters()) < 2e6
    inputs = inputs_of(folder, 0)
    # 112 pixels are four cells of 28 a side: sixteen tokens.
    assert int((inputs["input_ids"] == model.config.image_token_id).sum()) == 16
    suppressed = [model.config.image_token_id, model.config.video_token_id]
    out = model.generate(**inputs, max_new_tokens=4, do_sample=False, suppress_tokens=suppressed)
    assert out.shape[1] == inputs["input_ids"].shape[1] + 4


def test_pictures_of_any_size_become_the_same_number_of_tokens(folder: Path) -> None:
    processor = load_processor(folder)
    for size in ((112, 112), (448, 448), (50, 50)):
        inputs = processor(text=["<|image_pad|>"], images=[[PilImage.new("RGB", size)]], return_tensors="pt")
        assert inputs["input_ids"].shape[1] == 16


def test_every_digit_is_a_token_and_tags_survive_decoding(folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    assert len(tokenizer("1047").input_ids) == 4
    for item in samples(20, 77):
        answer = reply(item.sample, Frame("canvas_112"))
        ids = tokenizer(answer).input_ids
        assert tokenizer.decode(ids, skip_special_tokens=True) == answer
        assert len(ids) < 100 + 40 * len(item.sample.instances)
    strange = "ein Stück 🙂 Kuchen <b>"
    assert tokenizer.decode(tokenizer(strange).input_ids) == strange


def test_an_answer_about_one_thing_in_one_step_is_short(folder: Path) -> None:
    from whyseg.training.world.dataset import PLAIN

    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    answers = [reply(item.sample, Frame("canvas_112")) for item in samples(40, 1, PLAIN)]
    assert max(len(tokenizer(answer).input_ids) for answer in answers) < 80


def test_the_seed_decides_the_weights(folder: Path, tmp_path: Path) -> None:
    for name, seed in (("same", 0), ("other", 1)):
        make_policy(tmp_path / name, seed=seed)
    first, same, other = (
        load_file(path / "model.safetensors") for path in (folder, tmp_path / "same", tmp_path / "other")
    )
    assert all(torch.equal(first[key], same[key]) for key in first)
    assert not all(torch.equal(first[key], other[key]) for key in first)
    assert (folder / "tokenizer.json").read_bytes() == (tmp_path / "other" / "tokenizer.json").read_bytes()


def test_a_side_that_is_no_multiple_of_a_token_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a multiple of 28 pixels a side, got 100"):
        make_policy(tmp_path / "policy", side=100)
