"""Drafts by a vision-language model in this process: Qwen2.5-VL, Qwen3-VL and what transformers loads like them.

The stock processors of these models want a video processor, which needs torchvision; a subclass whose constructor has
no such part loads without it, and drafting shows pictures only.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import torch
from PIL import Image as PilImage

from whyseg.curation.drafting import prompts
from whyseg.curation.drafting.base import RgbArray
from whyseg.curation.drafting.openai import TOKENS_A_DRAFT, drafted
from whyseg.curation.drafting.parsing import parse
from whyseg.schemas import Drafted, DraftProblem, ReasoningType, Scene, Usage
from whyseg.schemas.errors import DrafterUnavailable

_QWEN = {
    "qwen2_vl": "Qwen2VLProcessor",
    "qwen2_5_vl": "Qwen2_5_VLProcessor",
    "qwen3_vl": "Qwen3VLProcessor",
    "qwen3_vl_moe": "Qwen3VLProcessor",
}


class TransformersDrafter:
    """A model and its processor; one answer at a time, however many threads ask, sampled as its settings say."""

    name = "transformers"
    looks = True

    def __init__(self, network: Any, processor: Any, model: str) -> None:
        self.network, self.processor, self.model = network, processor, model
        self._one_at_a_time = threading.Lock()

    @classmethod
    def load(cls, model: str, *, device: str | None = None, told: Callable[[str], None] = lambda _: None) -> Self:
        """Load a model from a folder or from the Hub: onto the GPU where there is one, in half precision there.

        Raises ``DrafterUnavailable`` when it cannot be had or is of a kind that shows no pictures.
        """
        place = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        told(f"loading {model} onto {place}")
        with _loading(model):
            from transformers import AutoModelForImageTextToText

            processor = load_processor(model)
            kind = torch.bfloat16 if place.type == "cuda" else torch.float32
            network = AutoModelForImageTextToText.from_pretrained(_source(model), dtype=kind).to(place).eval()
        return cls(network, processor, model)

    def prompt_hash(self, reasoning_type: ReasoningType, depth: int, n: int) -> str:
        """Return the hash of everything the model is told, but for what the picture holds."""
        return prompts.prompt_hash(self.model, reasoning_type, depth, n)

    def draft(self, image: RgbArray, scene: Scene, *, reasoning_type: ReasoningType, depth: int, n: int) -> Drafted:
        """Draft up to ``n`` questions; raises ``DrafterUnavailable`` when the model fails, as for lack of memory."""
        if not scene.targets:
            return Drafted.without(DraftProblem(kind="declined", reason="the sample has no target"))
        text = prompts.instructions(scene, reasoning_type, depth, n)
        shown = prompts.pictures(image, scene)
        reply, usage = self.ask(prompts.SYSTEM, text, shown, tokens=TOKENS_A_DRAFT * (n + 1))
        found = parse(reply)
        if isinstance(found, DraftProblem):
            return Drafted.without(found, usage)
        key = self.prompt_hash(reasoning_type, depth, n)
        return drafted(found[:n], usage, self.name, self.model, key, reasoning_type, depth)

    def ask(self, system: str, text: str, pictures: Sequence[PilImage.Image], *, tokens: int) -> tuple[str, Usage]:
        """Return the model's reply to a text with pictures, and its tokens; raises ``DrafterUnavailable``."""
        content = [{"type": "text", "text": text}, *({"type": "image", "image": picture} for picture in pictures)]
        messages = [
            {"role": "system", "content": [{"type": "text", "text": system}]},
            {"role": "user", "content": content},
        ]
        prompt = self.processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        with self._one_at_a_time, torch.inference_mode():
            try:
                shown = list(pictures) or None
                inputs = self.processor(text=[prompt], images=shown, return_tensors="pt").to(self.network.device)
                out = self.network.generate(**inputs, max_new_tokens=tokens, suppress_tokens=self._placeholders())
            except RuntimeError as error:  # torch's base class, out of memory included
                raise DrafterUnavailable(f"{self.model} failed: {_line(error)}") from error
        given = inputs["input_ids"].shape[1]
        reply = self.processor.batch_decode(out[:, given:], skip_special_tokens=True)[0]
        return reply, Usage(prompt_tokens=given, completion_tokens=out.shape[1] - given)

    def _placeholders(self) -> list[int]:
        """Return the tokens that stand for pictures: written by the model, they would ask for more pictures."""
        names = ("image_token_id", "video_token_id", "vision_start_token_id", "vision_end_token_id")
        ids = [getattr(self.network.config, name, None) for name in names]
        return [number for number in ids if isinstance(number, int)]


def load_processor(model: str) -> Any:
    """Return a model's processor for pictures and text, without a video processor where the stock one wants it."""
    import transformers
    from transformers import AutoConfig, AutoImageProcessor, AutoProcessor, AutoTokenizer

    source = _source(model)
    name = _QWEN.get(AutoConfig.from_pretrained(source).model_type)
    if name is None:
        return AutoProcessor.from_pretrained(source)
    kind = _for_pictures(getattr(transformers, name))
    tokenizer = AutoTokenizer.from_pretrained(source)
    return kind(AutoImageProcessor.from_pretrained(source), tokenizer, chat_template=tokenizer.chat_template)


def _for_pictures(stock: type) -> type:
    """Return a processor's class without its video part: its parts are what its constructor names."""
    from transformers.processing_utils import ProcessorMixin

    def build(self: Any, image_processor: Any = None, tokenizer: Any = None, chat_template: Any = None) -> None:
        for part in ("image", "video"):
            token = getattr(tokenizer, f"{part}_token", None) or f"<|{part}_pad|>"
            setattr(self, f"{part}_token", token)
            setattr(self, f"{part}_token_id", tokenizer.convert_tokens_to_ids(token))
        self.vision_start_token, self.vision_end_token = "<|vision_start|>", "<|vision_end|>"
        self.vision_start_token_id = tokenizer.convert_tokens_to_ids(self.vision_start_token)
        self.vision_end_token_id = tokenizer.convert_tokens_to_ids(self.vision_end_token)
        ProcessorMixin.__init__(self, image_processor, tokenizer, chat_template=chat_template)

    return type(stock.__name__, (stock,), {"__init__": build})


def _source(model: str) -> str:
    path = Path(model).expanduser()
    return str(path) if path.is_dir() else model


@contextmanager
def _loading(model: str) -> Iterator[None]:
    from transformers.utils import logging

    bars, verbosity = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    except Exception as error:  # whatever an absent or damaged model makes transformers, the Hub or torch raise
        raise DrafterUnavailable(f"{model} cannot be loaded: {_line(error)}") from error
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def _line(error: Exception) -> str:
    return (" ".join(str(error).split()) or type(error).__name__)[:300]
