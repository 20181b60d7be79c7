"""A policy in this process, through transformers: a whole model, or one with LoRA adapters. Brings torch."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self

import torch
from PIL import Image as PilImage

from whyseg.schemas.errors import ModelFailed, ModelUnavailable
from whyseg.training.pictures import RgbArray, squashed
from whyseg.training.policies import AskedAsPreset, PolicyCard
from whyseg.training.presets import Preset
from whyseg.training.processors import load_processor

_PLACEHOLDERS = ("<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>")


class LocalPolicy(AskedAsPreset):
    """A model, its processor and the preset that says how it is asked; ``batch``: sequences sampled at once."""

    def __init__(self, network: Any, processor: Any, preset: Preset, name: str, *, batch: int = 32) -> None:
        self.network, self.processor, self.preset = network, processor, preset
        self.name, self.batch = name, batch

    @classmethod
    def load(cls, source: str, card: PolicyCard, *, device: str | None = None, batch: int = 32) -> Self:
        """Load a policy from a folder or the Hub: onto the GPU where there is one, in half precision there."""
        place = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        network = load_network(card.base or source, half=place.type == "cuda")
        with loading(source):
            processor = load_processor(card.base or source)  # training changes no processor
            if card.base is not None:
                from peft import PeftModel

                network = PeftModel.from_pretrained(network, source).merge_and_unload()
        return cls(network.to(place).eval(), processor, card.preset, source, batch=batch)

    def answer(
        self,
        images: Sequence[RgbArray],
        queries: Sequence[str],
        *,
        k: int = 1,
        temperature: float = 0.0,
        top_p: float = 1.0,
        seed: int = 0,
        max_tokens: int = 1024,
    ) -> list[list[str]]:
        """Sample as `Policy.answer` says; the batch's size can change answers, by the padding of its prompts.

        Raises ``ModelFailed`` when the model fails, as for lack of memory.
        """
        greedy = temperature <= 0
        each = 1 if greedy else k
        settings: dict[str, Any] = {"max_new_tokens": max_tokens, "do_sample": not greedy, "num_return_sequences": each}
        if not greedy:
            settings |= {"temperature": temperature, "top_p": top_p, "top_k": 0}
        found: list[list[str]] = []
        together = max(1, self.batch // each)
        devices = [self.network.device] if self.network.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices), torch.inference_mode():
            torch.manual_seed(seed)
            for start in range(0, len(queries), together):
                some = slice(start, start + together)
                texts = self._sampled(images[some], queries[some], settings)
                found += [texts[first : first + each] for first in range(0, len(texts), each)]
        return [own * (k // each) for own in found]

    def count_tokens(self, text: str) -> int:
        """Return how many of the model's tokens a text has."""
        return len(self.processor.tokenizer(text, add_special_tokens=False)["input_ids"])

    def _sampled(self, images: Sequence[RgbArray], queries: Sequence[str], settings: dict[str, Any]) -> list[str]:
        pictures = [[PilImage.fromarray(squashed(image, self.preset.policy.canvas))] for image in images]
        prompts = [self._prompt(query) for query in queries]
        try:
            inputs = self.processor(text=prompts, images=pictures, padding=True, return_tensors="pt")
            inputs = inputs.to(self.network.device)
            suppressed = placeholders(self.processor)
            out = self.network.generate(**inputs, suppress_tokens=suppressed, **settings)
        except RuntimeError as error:  # torch's base class, out of memory included
            raise ModelFailed(f"{self.name} failed: {_line(error)}") from error
        new = out[:, inputs["input_ids"].shape[1] :]
        return list(self.processor.batch_decode(new, skip_special_tokens=True))

    def _prompt(self, query: str) -> str:
        messages = [dict(message) for message in self.preset.messages(query, evaluation=True)]
        for message in messages:
            parts = [{"type": "image"}] if message["role"] == "user" else []
            message["content"] = [*parts, {"type": "text", "text": message["content"]}]
        text: str = self.processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        return text


def load_network(source: str, *, half: bool) -> Any:
    """Load a vision-language model; raises ``ModelUnavailable`` when it cannot be had or loaded."""
    with loading(source):
        from transformers import AutoModelForImageTextToText

        return AutoModelForImageTextToText.from_pretrained(source, dtype=torch.bfloat16 if half else torch.float32)


def placeholders(processor: Any) -> list[int]:
    """Return the tokens that stand for pictures: sampled, they would ask for pictures that are not there."""
    words = processor.tokenizer
    known = [words.convert_tokens_to_ids(word) for word in _PLACEHOLDERS]
    return [number for number in known if isinstance(number, int) and number != words.unk_token_id]


@contextmanager
def loading(source: str) -> Iterator[None]:
    """Keep transformers quiet, and turn whatever it raises into ``ModelUnavailable``."""
    from transformers.utils import logging

    bars, verbosity = logging.is_progress_bar_enabled(), logging.get_verbosity()
    restore: Callable[[], None] = logging.enable_progress_bar if bars else logging.disable_progress_bar
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    except Exception as error:  # whatever an absent or damaged model makes transformers, the Hub or torch raise
        raise ModelUnavailable(f"{source} cannot be loaded: {_line(error)}") from error
    finally:
        logging.set_verbosity(verbosity)
        restore()


def _line(error: Exception) -> str:
    return (" ".join(str(error).split()) or type(error).__name__)[:300]
