"""A trainer over a random vision-language model of 0.4 million parameters, and pictures of several sizes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as PilImage

from tests.curation.drafting.tiny_vlm import save_qwen

PLACEHOLDERS = ("<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>")
PROMPTS = 8
Rewards = Callable[..., list[float]]


def length_reward(completions: list[Any], **_: Any) -> list[float]:
    """Reward the length of a text, in steps, so that rollouts differ and some tie."""
    return [float(len(answer[0]["content"]) % 7) for answer in completions]


def pictures() -> list[PilImage.Image]:
    """Return a picture for each prompt; their sizes, and so their numbers of patches, differ."""
    rng = np.random.default_rng(5)
    sizes = [(60 + 20 * (k % 3), 60 + 30 * (k % 4)) for k in range(PROMPTS)]
    return [PilImage.fromarray(rng.integers(0, 255, (*size, 3), np.uint8)) for size in sizes]


def settings(folder: Path, **changed: Any) -> Any:
    """Return TRL's settings with ours for a run of two steps on one core."""
    from whyseg.training.grpo import RestConfig

    plain: dict[str, Any] = {
        "output_dir": str(folder), "per_device_train_batch_size": 16, "num_generations": 8, "max_steps": 2,
        "max_completion_length": 16, "beta": 0.04, "epsilon_high": 0.28, "loss_type": "dapo", "learning_rate": 1e-3,
        "use_cpu": True, "bf16": False, "gradient_checkpointing": False, "report_to": "none", "save_strategy": "no",
        "remove_unused_columns": False, "disable_tqdm": True, "logging_steps": 1, "seed": 0,
    }  # fmt: skip
    return RestConfig(**{**plain, **changed})


def trainer(model: Path, args: Any, *, kind: type | None = None, reward: Rewards = length_reward, **more: Any) -> Any:
    """Return a trainer of LoRA adapters in the language model of the folder ``model``; `save_qwen` makes one there."""
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForImageTextToText

    from whyseg.curation.drafting.local import load_processor
    from whyseg.training.grpo import RestTrainer

    if not (model / "config.json").exists():
        save_qwen(model, "2.5")
    processor = load_processor(str(model))
    args.generation_kwargs = {"suppress_tokens": processor.tokenizer.convert_tokens_to_ids(list(PLACEHOLDERS))}
    rows = [
        {"prompt": [{"role": "user", "content": f"find {k}"}], "image": picture, "row": k}
        for k, picture in enumerate(pictures())
    ]
    adapters = LoraConfig(r=4, target_modules=r".*language_model.*\.(q_proj|v_proj)")
    return (kind or RestTrainer)(
        model=AutoModelForImageTextToText.from_pretrained(model),
        processing_class=processor,
        reward_funcs=reward,
        args=args,
        train_dataset=Dataset.from_list(rows),
        peft_config=adapters,
        **more,
    )


def trained(run: Any) -> tuple[list[float], list[Any]]:
    """Train, and return the losses and the weights that were trained."""
    run.train()
    losses = [entry["loss"] for entry in run.state.log_history if "loss" in entry]
    return losses, [weight.detach().clone() for weight in run.model.parameters() if weight.requires_grad]
