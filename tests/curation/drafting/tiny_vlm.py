"""Random vision-language models of real architectures, small enough for tests, in folders like the Hub's."""

import json
from pathlib import Path
from typing import Any

CORPUS = ["You write questions for a dataset. What keeps the rain off? Which is the largest of these?"] * 20
SPECIAL = (
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>",
    "<|image_pad|>", "<|video_pad|>",
)  # fmt: skip
CHAT = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% for part in message['content'] %}{% if part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% else %}{{ part['text'] }}{% endif %}{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
HIDDEN, HEADS = 64, 4


def tokenizer() -> Any:
    """Return a byte-level tokenizer that was trained on a few sentences."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    made.train_from_iterator(CORPUS, trainer)
    made.add_special_tokens([AddedToken(word, special=True, normalized=False) for word in SPECIAL])
    found = PreTrainedTokenizerFast(
        tokenizer_object=made, eos_token="<|im_end|>", pad_token="<|endoftext|>", model_max_length=32_768
    )
    found.chat_template = CHAT
    return found


def save_qwen(folder: Path, generation: str) -> Path:
    """Write a random Qwen2.5-VL (``"2.5"``) or Qwen3-VL (``"3"``) and its processor's parts to a folder."""
    import torch
    import transformers

    words = tokenizer()
    ids = {word: words.convert_tokens_to_ids(word) for word in SPECIAL}
    patch = 14 if generation == "2.5" else 16
    text: dict[str, Any] = {
        "vocab_size": len(words), "hidden_size": HIDDEN, "intermediate_size": 2 * HIDDEN, "num_hidden_layers": 2,
        "num_attention_heads": HEADS, "num_key_value_heads": 2, "max_position_embeddings": 4096,
        "bos_token_id": ids["<|endoftext|>"], "eos_token_id": ids["<|im_end|>"], "pad_token_id": ids["<|endoftext|>"],
        "rope_parameters": {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [2, 3, 3]},
    }  # fmt: skip
    vision: dict[str, Any] = {
        "depth": 2, "hidden_size": HIDDEN, "intermediate_size": 2 * HIDDEN, "num_heads": 4,
        "out_hidden_size": HIDDEN, "patch_size": patch, "spatial_merge_size": 2, "temporal_patch_size": 2,
    }  # fmt: skip
    if generation == "2.5":
        vision |= {"window_size": 112, "fullatt_block_indexes": [1]}
        kinds = transformers.Qwen2_5_VLConfig, transformers.Qwen2_5_VLForConditionalGeneration
    else:
        text |= {"head_dim": 16}
        text["rope_parameters"] |= {"mrope_section": [4, 2, 2], "mrope_interleaved": True}
        vision |= {"num_position_embeddings": 256, "deepstack_visual_indexes": [0]}
        kinds = transformers.Qwen3VLConfig, transformers.Qwen3VLForConditionalGeneration
    config = kinds[0](
        text_config=text, vision_config=vision, tie_word_embeddings=False, image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"], vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
    )  # fmt: skip
    torch.manual_seed(0)
    network = kinds[1](config)
    settings = network.generation_config
    settings.bos_token_id, settings.eos_token_id, settings.pad_token_id = 0, ids["<|im_end|>"], ids["<|endoftext|>"]
    network.save_pretrained(folder)
    words.save_pretrained(folder)
    side = 2 * patch
    pictures = {
        "image_processor_type": "Qwen2VLImageProcessor", "patch_size": patch, "merge_size": 2,
        "temporal_patch_size": 2, "size": {"shortest_edge": side * side, "longest_edge": 16 * side * side},
    }  # fmt: skip
    (folder / "preprocessor_config.json").write_text(json.dumps(pictures))
    return folder
