"""A policy small enough for a CPU: Qwen2.5-VL's shape, own tokenizer, trained on nothing but the world.

It exists so that the whole way, warm-up, GRPO, voting, evaluation, can be walked without a download.
"""

from functools import cache
from pathlib import Path
from typing import Any, Literal

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from whyseg.schemas.errors import UsageError
from whyseg.training.bars import without_bars
from whyseg.training.frames import Frame
from whyseg.training.processors import Qwen25Processor
from whyseg.training.world.lessons import texts
from whyseg.training.world.scenes import SIDE

Size = Literal["cpu", "gpu"]
_SPECIAL = (
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>",
    "<|image_pad|>", "<|video_pad|>",
)  # fmt: skip
# Not special: decoding leaves special tokens out, and these are a part of the answer.
_TAGS = ("<think>", "</think>", "<answer>", "</answer>")
_CHAT = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% elif part['type'] == 'text' %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# Width and depth of text and vision.
_SHAPES: dict[Size, dict[str, int]] = {
    "cpu": {"hidden": 128, "layers": 3, "vision_hidden": 96, "vision_layers": 2},
    "gpu": {"hidden": 512, "layers": 8, "vision_hidden": 384, "vision_layers": 6},
}
CELL = 28  # pixels a side that become one token
_VOCABULARY = 900
_TEXTS = 1000  # samples of the world that the tokenizer learns from
_HEAD = 32  # numbers a head of attention


@without_bars()
def make_policy(folder: Path, size: Size = "cpu", *, side: int = SIDE, seed: int = 0) -> None:
    """Write an untrained policy with its processor to a folder, in transformers' format.

    ``side``: every picture is shown in so many pixels, a multiple of 28; the policy's frame is ``canvas_<side>``. The
    same seed gives the same weights.
    """
    if side % CELL:
        raise UsageError(f"a policy's pictures have a multiple of {CELL} pixels a side, got {side}")
    tokenizer = _tokenizer(side)
    torch.manual_seed(seed)
    model = Qwen2_5_VLForConditionalGeneration(_config(tokenizer, **_SHAPES[size]))
    with torch.no_grad():
        for weights in model.parameters():
            # With transformers' scale of 0.02 a network this narrow hardly comes to look at its picture.
            if weights.ndim == 2:
                torch.nn.init.normal_(weights, std=weights.shape[1] ** -0.5)
        for layer in model.model.language_model.layers:
            # So like attends to like: a word to what it names, once the tower's tokens resemble words.
            asks, keys = layer.self_attn.q_proj.weight, layer.self_attn.k_proj.weight
            keys.copy_(asks.unflatten(0, (-1, 2, _HEAD))[:, 0].flatten(0, 1))
    special = model.generation_config
    special.eos_token_id, special.pad_token_id = tokenizer.eos_token_id, tokenizer.pad_token_id
    special.bos_token_id = tokenizer.pad_token_id
    images = Qwen2VLImageProcessorPil(size={"shortest_edge": side**2, "longest_edge": side**2})
    model.save_pretrained(folder)
    Qwen25Processor(images, tokenizer, chat_template=_CHAT).save_pretrained(folder)


@cache
def _words(side: int) -> str:
    """Train a byte-level tokenizer that keeps every digit a token of its own: so coordinates are learnt by place."""
    bytewise = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), bytewise])
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=_VOCABULARY, show_progress=False, initial_alphabet=sorted(alphabet))
    tokenizer.train_from_iterator(texts(_TEXTS, 0, Frame(f"canvas_{side}")), trainer)
    tokenizer.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in _SPECIAL])
    tokenizer.add_tokens([AddedToken(text, normalized=False) for text in _TAGS])
    return str(tokenizer.to_str())


def _tokenizer(side: int) -> PreTrainedTokenizerFast:
    fast = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(_words(side)),
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        padding_side="left",
        model_max_length=4096,
        clean_up_tokenization_spaces=False,
    )
    fast.chat_template = _CHAT
    return fast


def _config(tokenizer: Any, *, hidden: int, layers: int, vision_hidden: int, vision_layers: int) -> Qwen2_5_VLConfig:
    known = {name.strip("<|>"): tokenizer.convert_tokens_to_ids(name) for name in _SPECIAL}
    text = {
        "vocab_size": len(tokenizer),
        "hidden_size": hidden,
        "intermediate_size": 2 * hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": hidden // _HEAD,
        "num_key_value_heads": hidden // _HEAD // 2,
        "max_position_embeddings": 4096,
        # time, height, width: together half a head
        "rope_parameters": {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [4, 6, 6]},
        "bos_token_id": known["endoftext"],
        "eos_token_id": known["im_end"],
        "pad_token_id": known["endoftext"],
    }
    vision = {
        "depth": vision_layers,
        "hidden_size": vision_hidden,
        "intermediate_size": 2 * vision_hidden,
        "num_heads": vision_hidden // _HEAD,
        "out_hidden_size": hidden,
        "patch_size": 14,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
        "window_size": 112,
        "fullatt_block_indexes": [vision_layers - 1],
    }
    return Qwen2_5_VLConfig(
        text_config=text,
        vision_config=vision,
        image_token_id=known["image_pad"],
        video_token_id=known["video_pad"],
        vision_start_token_id=known["vision_start"],
        vision_end_token_id=known["vision_end"],
        tie_word_embeddings=True,
    )
