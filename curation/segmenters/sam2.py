"""SAM 2 (Ravi et al. 2024, arXiv:2408.00714) through transformers' ``Sam2Model``.

The stock image processor needs torchvision, whose wheels are tied to CUDA builds of torch; the few steps it takes
(squash to a square by antialiased bilinear interpolation, divide by 255, normalise) are done here with Pillow and give
the same pixels. Coordinates are multiplied by the square's side over the image's; the model adds SAM's half pixel.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image as PilImage

from whyseg.curation.segmenters.base import Embedding, FloatArray, Proposal, RgbArray
from whyseg.curation.segmenters.enlarge import LogitsProposal
from whyseg.curation.segmenters.kept import digest
from whyseg.schemas import Prompt
from whyseg.schemas.errors import ModelFailed, ModelUnavailable

MEAN = (0.485, 0.456, 0.406)  # ImageNet's, of RGB in [0, 1]
STD = (0.229, 0.224, 0.225)
_CLAMP = 32.0  # SAM 2's own predictor clamps the logits that it keeps for refinement to this


@dataclass(frozen=True, eq=False)
class Sam2Embedding:
    """The encoder's feature maps, finest first, and (height, width) of the image; half precision on a GPU."""

    features: tuple[torch.Tensor, ...]
    size: tuple[int, int]

    @property
    def nbytes(self) -> int:
        """Memory held, in bytes."""
        return sum(feature.nbytes for feature in self.features)


class Sam2Segmenter:
    """SAM 2 from a folder in transformers' format; ``device`` is cuda where there is a GPU, else cpu."""

    name = "sam2"

    def __init__(self, folder: Path, model: str, device: str | None = None) -> None:
        self.model = model
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.network = load_network(folder, model).to(self.device)
        self._folder = folder
        self._side: int = self.network.prompt_encoder.input_image_size

    def embed(self, image: RgbArray) -> Sam2Embedding:
        """Embed an upright image: uint8 (H, W, 3), RGB."""
        pixels = torch.from_numpy(pixels_of(image, self._side))[None].to(self.device)
        with self._running(), self._autocast():
            features = self.network.get_image_embeddings(pixels)
        kept = torch.float16 if self.device.type == "cuda" else torch.float32
        return Sam2Embedding(tuple(feature.to(kept) for feature in features), (image.shape[0], image.shape[1]))

    @cached_property
    def _digest(self) -> str:
        return digest(path for path in self._folder.iterdir() if path.is_file())

    def weights_digest(self) -> str | None:
        """Name the weights by their content; None on a GPU, which encodes a picture faster than a click is noticed."""
        return self._digest if self.device.type == "cpu" else None

    def arrays(self, embedding: Embedding) -> tuple[FloatArray, ...]:
        """Return the feature maps, finest first."""
        assert isinstance(embedding, Sam2Embedding)
        return tuple(feature.numpy() for feature in embedding.features)

    def restored(self, arrays: tuple[FloatArray, ...], size: tuple[int, int]) -> Sam2Embedding:
        """Return the embedding of an image of ``size`` (height, width) from its feature maps, on the CPU."""
        return Sam2Embedding(tuple(torch.from_numpy(array) for array in arrays), size)

    def propose(self, embedding: Embedding, prompt: Prompt, previous: FloatArray | None = None) -> list[Proposal]:
        """Answer with the three masks for ambiguity after a lone point, else with all four; best predicted IoU first.

        ``previous``: float32 (h, w), the logits of one of the image's proposals. Raises ``ModelFailed`` when the model
        fails, for instance for lack of GPU memory.
        """
        assert isinstance(embedding, Sam2Embedding)
        inputs = self._encoded([prompt], embedding.size)
        if previous is not None:
            inputs["input_masks"] = torch.from_numpy(previous)[None, None]
        return self._decoded(embedding, inputs, lone=_lone(prompt) and previous is None)[0]

    def propose_many(
        self, embedding: Embedding, prompts: Sequence[Prompt], *, together: int = 16
    ) -> list[list[Proposal]]:
        """Answer many prompts on one image, each as `propose` does, in their order.

        Prompts of one form (as many points, a box or none) run through the decoder ``together`` at once, each of which
        takes some 40 MB with a decoder of SAM 2's size. Raises ``ModelFailed``.
        """
        assert isinstance(embedding, Sam2Embedding)
        forms: dict[tuple[int, bool], list[int]] = {}
        for number, prompt in enumerate(prompts):
            forms.setdefault((len(prompt.points), prompt.box is not None), []).append(number)
        found: dict[int, list[Proposal]] = {}
        for numbers in forms.values():
            lone = _lone(prompts[numbers[0]])
            for start in range(0, len(numbers), together):
                some = numbers[start : start + together]
                inputs = self._encoded([prompts[number] for number in some], embedding.size)
                found.update(zip(some, self._decoded(embedding, inputs, lone=lone), strict=True))
        return [found[number] for number in range(len(prompts))]

    def _decoded(
        self, embedding: Sam2Embedding, inputs: dict[str, torch.Tensor], *, lone: bool
    ) -> list[list[Proposal]]:
        """Return each prompt's proposals, best predicted IoU first."""
        placed = {key: value.to(self.device) for key, value in inputs.items()}
        with self._running():
            features = [feature.float() for feature in embedding.features]
            logits, scores = decode_all(self.network, image_embeddings=features, **placed)
            masks = logits[0].clamp(-_CLAMP, _CLAMP).cpu().numpy()
            given = scores[0].cpu().numpy()
        first = 1 if lone else 0  # mask 0 is for prompts that leave no doubt, the other three for a lone point
        orders = first + np.argsort(-given[:, first:], axis=1, kind="stable")
        return [
            [LogitsProposal(float(np.clip(own[k], 0, 1)), mask[k], embedding.size) for k in order]
            for mask, own, order in zip(masks, given, orders, strict=True)
        ]

    def _encoded(self, prompts: Sequence[Prompt], size: tuple[int, int]) -> dict[str, torch.Tensor]:
        """Return the decoder's inputs for prompts of one form."""
        scale = torch.tensor([self._side / size[1], self._side / size[0]])
        inputs = {}
        if prompts[0].points:
            points = [[[point.x, point.y] for point in prompt.points] for prompt in prompts]
            labels = [[int(point.positive) for point in prompt.points] for prompt in prompts]
            inputs["input_points"] = torch.tensor([points]) * scale
            inputs["input_labels"] = torch.tensor([labels])
        boxes = [[box.x0, box.y0, box.x1, box.y1] for prompt in prompts if (box := prompt.box)]
        if boxes:
            inputs["input_boxes"] = torch.tensor([boxes]) * scale.repeat(2)
        return inputs

    @contextmanager
    def _running(self) -> Iterator[None]:
        try:
            with torch.inference_mode():
                yield
        except RuntimeError as error:  # torch's base class, out of memory included
            raise ModelFailed(f"{self.model} failed on {self.device}: {_line(error)}") from error

    def _autocast(self) -> AbstractContextManager[Any]:
        # Only the encoder: in half precision the decoder's coordinates would be off by half a pixel.
        return torch.autocast("cuda", torch.float16) if self.device.type == "cuda" else nullcontext()


def _lone(prompt: Prompt) -> bool:
    return len(prompt.points) == 1 and prompt.box is None


def pixels_of(image: RgbArray, side: int) -> FloatArray:
    """Return an image as the encoder wants it: float32 (3, side, side), squashed to a square and normalised."""
    squashed = PilImage.fromarray(image).resize((side, side), PilImage.Resampling.BILINEAR)
    scaled = (np.asarray(squashed, np.float32) / 255 - np.array(MEAN, np.float32)) / np.array(STD, np.float32)
    return np.ascontiguousarray(scaled.transpose(2, 0, 1))


def load_network(folder: Path, name: str) -> Any:
    """Load a ``Sam2Model`` for inference from a folder.

    Raises ``ModelUnavailable`` when the folder holds no model, ``ModelFailed`` when it is another or lacks weights.
    """
    from transformers import AutoConfig, Sam2Model
    from transformers.utils import logging

    if not (folder / "config.json").is_file():
        raise ModelUnavailable(f"{name}: {folder} holds no config.json, so no model in transformers' format")
    bars, verbosity = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()  # the official checkpoints are of the video model, and a warning would say so
    try:
        kind = AutoConfig.from_pretrained(folder, local_files_only=True).model_type
        if kind not in ("sam2", "sam2_video"):
            raise ModelFailed(f"{name} is a {kind} model, expected sam2")
        network, report = Sam2Model.from_pretrained(folder, local_files_only=True, output_loading_info=True)
    except ModelFailed:
        raise
    except Exception as error:  # whatever a damaged folder makes transformers, safetensors or torch raise
        raise ModelFailed(f"{name} cannot be loaded from {folder}: {_line(error)}") from error
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
    if report["missing_keys"]:
        raise ModelFailed(
            f"{name}: {len(report['missing_keys'])} weights are missing, {min(report['missing_keys'])} first"
        )
    return network.eval()


def decode_all(network: Any, **inputs: Any) -> tuple[Any, Any]:
    """Decode every mask: logits (B, P, 4, h, w) and scores (B, P, 4), the single mask first, then the three others.

    ``inputs`` are those of ``Sam2Model.forward`` without ``multimask_output``, which chooses between the single mask
    and the three for ambiguity. One pass of the decoder computes all four, and hands them to its rule for replacing an
    unstable single mask: for the moment that rule is to keep all. Where transformers has no such rule, two passes run.
    """
    decoder = network.mask_decoder
    with _keeping_all(decoder):
        out = network(multimask_output=False, **inputs)
    if out.pred_masks.shape[2] == decoder.num_mask_tokens:
        return out.pred_masks, out.iou_scores
    more = network(multimask_output=True, **inputs)
    return torch.cat([out.pred_masks, more.pred_masks], 2), torch.cat([out.iou_scores, more.iou_scores], 2)


@contextmanager
def _keeping_all(decoder: Any) -> Iterator[None]:
    had = decoder.dynamic_multimask_via_stability
    decoder.dynamic_multimask_via_stability = hasattr(decoder, "_dynamic_multimask_via_stability")
    decoder._dynamic_multimask_via_stability = lambda masks, scores: (masks, scores)
    try:
        yield
    finally:
        del decoder._dynamic_multimask_via_stability  # the instance's; the class has its own still
        decoder.dynamic_multimask_via_stability = had


def _line(error: Exception) -> str:
    return (" ".join(str(error).split()) or type(error).__name__)[:300]
