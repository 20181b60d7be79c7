"""SAM 2 through Meta's own code: ``SAM2ImagePredictor`` of the optional package ``sam2``, on checkpoints made with it.

The candidates are those of the ``sam2`` segmenter: the decoder's three masks for ambiguity, and before them, unless the
prompt is a lone point, its mask for prompts that leave no doubt; Meta's rule that swaps that mask is off.
"""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from whyseg.curation.segmenters.base import Embedding, FloatArray, Proposal, RgbArray
from whyseg.curation.segmenters.enlarge import LogitsProposal
from whyseg.curation.segmenters.sam2_checkpoint import VIDEO, read_checkpoint
from whyseg.schemas import Prompt
from whyseg.schemas.errors import ModelFailed, ModelUnavailable

INSTALL = "pip install 'whyseg[sam2]', beside a torchvision that was built for your torch"


@dataclass(frozen=True, eq=False)
class PackageEmbedding:
    """A predictor of Meta's that has seen the image, and (height, width) of it."""

    predictor: Any
    size: tuple[int, int]

    @property
    def nbytes(self) -> int:
        """Memory held, in bytes, without the model, which all share."""
        features = self.predictor._features  # there is no public way to the two finer maps
        return sum(int(tensor.nbytes) for tensor in (features["image_embed"], *features["high_res_feats"]))


class Sam2PackageSegmenter:
    """SAM 2 from a checkpoint of Meta's code, run by it; ``device`` is cuda where there is a GPU, else cpu.

    Raises ``ModelUnavailable`` when the package or the file is missing, ``ModelFailed`` when the file is no SAM 2.
    """

    name = "sam2-package"

    def __init__(self, file: Path, model: str, device: str | None = None) -> None:
        build, self._predictor = package()
        self.model = model
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        checkpoint = read_checkpoint(file)
        with self._running():
            # SAM 2 and 2.1 differ in the video's part alone.
            self.network = build(
                f"configs/sam2.1/{checkpoint.size.name}.yaml", device=str(self.device), apply_postprocessing=False
            )
            fit = self.network.load_state_dict(checkpoint.image, strict=False)
        wrong = [name for name in fit.missing_keys if not name.startswith(VIDEO)] + fit.unexpected_keys
        if wrong:
            raise ModelFailed(f"{file.name} is no whole {checkpoint.size.name}: {wrong[0]} and {len(wrong) - 1} more")

    def embed(self, image: RgbArray) -> PackageEmbedding:
        """Embed an upright image: uint8 (H, W, 3), RGB."""
        predictor = self._predictor(self.network)  # it keeps the image, so each has its own
        with self._running():
            predictor.set_image(image)
        return PackageEmbedding(predictor, (image.shape[0], image.shape[1]))

    def propose(self, embedding: Embedding, prompt: Prompt, previous: FloatArray | None = None) -> list[Proposal]:
        """Answer with the three masks for ambiguity after a lone point, else with all four; best predicted IoU first.

        ``previous``: float32 (256, 256), the logits of one of the image's proposals. Raises ``ModelFailed``.
        """
        assert isinstance(embedding, PackageEmbedding)
        given: dict[str, Any] = {"mask_input": None if previous is None else previous[None]}
        if prompt.points:
            given["point_coords"] = np.array([[point.x, point.y] for point in prompt.points], np.float32)
            given["point_labels"] = np.array([point.positive for point in prompt.points], np.int32)
        if box := prompt.box:
            given["box"] = np.array([box.x0, box.y0, box.x1, box.y1], np.float32)
        lone = len(prompt.points) == 1 and box is None and previous is None
        found: list[Proposal] = []
        with self._running():
            for several in (True,) if lone else (False, True):
                _, scores, logits = embedding.predictor.predict(multimask_output=several, return_logits=True, **given)
                found += [
                    LogitsProposal(float(np.clip(score, 0, 1)), field, embedding.size)
                    for score, field in zip(scores, logits, strict=True)
                ]
        return sorted(found, key=lambda proposal: -proposal.score)

    @contextmanager
    def _running(self) -> Iterator[None]:
        try:
            with torch.inference_mode():
                yield
        except RuntimeError as error:  # torch's base class, out of memory and another shape included
            line = " ".join(str(error).split())[:300]
            raise ModelFailed(f"{self.model} failed on {self.device}: {line}") from error


def package() -> tuple[Any, Any]:
    """Return ``build_sam2`` and ``SAM2ImagePredictor``; raises ``ModelUnavailable``, which says how to install them."""
    try:
        build = importlib.import_module("sam2.build_sam").build_sam2
        return build, importlib.import_module("sam2.sam2_image_predictor").SAM2ImagePredictor
    except Exception as error:  # a torchvision that was built for another torch raises RuntimeError
        what = (
            f"it needs {error.name}" if isinstance(error, ModuleNotFoundError) else " ".join(str(error).split())[:200]
        )
        raise ModelUnavailable(
            f"Meta's sam2 package cannot be imported ({what}); install it: {INSTALL}. Or make a folder for the "
            "segmenter sam2 of the checkpoint: whyseg models convert sam2 FILE"
        ) from error
