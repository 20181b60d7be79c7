"""A small preset, a random policy and drawn data, for runs of seconds."""

from pathlib import Path
from typing import Any

import numpy as np

from tests.curation.drafting.tiny_vlm import save_qwen
from whyseg.curation.reading import Data, Item
from whyseg.schemas import Image, Mask, Sample
from whyseg.training.presets import Preset, load_preset

SIDE = 84


def preset(**changed: Any) -> Preset:
    """Return the world's preset made small; ``changed``: of its part ``grpo``, or ``lora``."""
    plain = load_preset("world_cpu").plain()
    plain["name"] = "tiny"
    plain["policy"] |= {"frame": f"canvas_{SIDE}", "canvas": SIDE}
    plain["grpo"] |= {
        "n": 8, "keep": 4, "prompts_per_step": 2, "max_steps": 4, "max_completion_tokens": 12, "lr": 1e-3,
    }  # fmt: skip
    plain["lora"] = changed.pop("lora", None)
    plain["grpo"] |= changed
    return Preset.parse(plain)


def policy(folder: Path) -> str:
    """Write a random policy to a folder and return its path."""
    return str(save_qwen(folder, "2.5"))


def schooled_policy(folder: Path, steps: int = 60) -> str:
    """Write a policy that has learnt the answers to the first drawn questions by heart, so that some of it is right."""
    import torch
    from PIL import Image as PilImage
    from transformers import AutoModelForImageTextToText

    from whyseg.training.pictures import squashed
    from whyseg.training.processors import load_processor

    source = policy(folder)
    processor, network = load_processor(source), AutoModelForImageTextToText.from_pretrained(source)
    pictures, texts, starts = [], [], []
    for number in range(4):
        item = drawn_item(number)
        message = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": f"what is {number}?"}]}]
        prompt = processor.apply_chat_template(message, tokenize=False, add_generation_prompt=True)
        things = f'[{{"label":"box","bbox_2d":[19,{14 + number},65,{50 + number}],"point_2d":[42,{32 + number}]}}]'
        pictures.append([PilImage.fromarray(squashed(item.pixels(), SIDE))])
        texts.append(f"{prompt}<think>box</think><answer>{things}</answer><|im_end|>")
        starts.append(prompt)
    processor.tokenizer.padding_side = "right"
    inputs = processor(text=texts, images=pictures, padding=True, return_tensors="pt")
    labels = inputs["input_ids"].clone()
    for row, start in enumerate(starts):
        length = len(processor(text=[start], images=[pictures[row]])["input_ids"][0])
        labels[row, :length] = -100
    labels[inputs["attention_mask"] == 0] = -100
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3)
    for _ in range(steps):
        loss = network(**inputs, labels=labels).loss
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    network.save_pretrained(source)
    return source


def moved_adapters(path: Path) -> dict[str, Any]:
    """Change a file of adapters so that they change the policy a lot, and return them: without them it is another."""
    import torch
    from safetensors.torch import load_file, save_file

    torch.manual_seed(0)
    moved = {key: torch.randn_like(value) if "lora_B" in key else value for key, value in load_file(path).items()}
    save_file(moved, path, metadata={"format": "pt"})
    return moved


class DrawnData(Data):
    """Rectangles on noise; every fifth question has no answer, every seventh sample no question."""

    def __init__(self, count: int = 6, *, split: Any = "train") -> None:
        super().__init__("hf", "drawn", "drawn")
        self.count, self.split = count, split

    def items(self, split: Any = None) -> Any:
        for number in range(self.count):
            yield drawn_item(number, self.split)


def drawn_item(number: int, split: Any = "train") -> Item:
    """Return an item whose picture is 60 + number pixels high and 90 wide."""
    import hashlib

    from whyseg.curation.formats.geometry import picture_png

    rng = np.random.default_rng(number)
    height, width = 60 + number, 90
    pixels = rng.integers(0, 255, (height, width, 3), np.uint8)
    inside = np.zeros((height, width), bool)
    inside[10 + number : 40 + number, 20:70] = True
    png = picture_png(pixels)
    key = hashlib.sha256(png).hexdigest()
    instance = {"id": 1, "mask": Mask.encode(inside), "label": "box", "origin": {"kind": "import"}}
    nothing = number % 5 == 4
    sample = Sample.start(
        key, (height, width), source="drawn", source_record=str(number), no_target=nothing,
        instances=() if nothing else (instance,), query=None if number % 7 == 6 else {"text": f"what is {number}?"},
    )  # fmt: skip
    image = Image(id=key, width=width, height=height, format="PNG", byte_size=len(png), file_name=f"{number}.png")
    return Item(sample, image, png, f"row {number}", split)
