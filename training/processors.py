"""Processors of Qwen's vision-language models for pictures alone, which need no torchvision.

The stock processors want one for videos as well, and that one cannot be built without torchvision.
"""

from pathlib import Path
from typing import Any

from transformers import AutoConfig, AutoTokenizer, Qwen2_5_VLProcessor, Qwen3VLProcessor
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil
from transformers.processing_utils import ProcessorMixin


def _image_only(stock: Any) -> Any:
    class ImageOnly(stock):  # type: ignore[misc]
        """The stock processor less its videos: transformers reads from this signature what it consists of."""

        def __init__(
            self, image_processor: Any = None, tokenizer: Any = None, chat_template: str | None = None, **_: Any
        ) -> None:
            for name in ("image_pad", "video_pad", "vision_start", "vision_end"):
                attribute = f"{name.removesuffix('_pad')}_token"
                setattr(self, attribute, f"<|{name}|>")
                setattr(self, f"{attribute}_id", tokenizer.convert_tokens_to_ids(f"<|{name}|>"))
            ProcessorMixin.__init__(self, image_processor, tokenizer, chat_template=chat_template)

    ImageOnly.__name__ = ImageOnly.__qualname__ = stock.__name__  # what is saved is a folder for the stock one
    return ImageOnly


Qwen25Processor = _image_only(Qwen2_5_VLProcessor)
Qwen3Processor = _image_only(Qwen3VLProcessor)
_OF_MODEL = {"qwen2_5_vl": Qwen25Processor, "qwen3_vl": Qwen3Processor}


def load_processor(source: str | Path, **options: Any) -> Any:
    """Load the processor of a model's folder or Hub id, for pictures alone where we know its family.

    Tokens are padded on the left, as generation wants it. ``options`` go to transformers' loaders.
    """
    from transformers import AutoProcessor

    kind = AutoConfig.from_pretrained(source, **options).model_type
    if kind not in _OF_MODEL:
        return AutoProcessor.from_pretrained(source, padding_side="left", **options)
    tokenizer = AutoTokenizer.from_pretrained(source, padding_side="left", **options)
    images = Qwen2VLImageProcessorPil.from_pretrained(source, **options)
    return _OF_MODEL[kind](images, tokenizer, chat_template=tokenizer.chat_template)
