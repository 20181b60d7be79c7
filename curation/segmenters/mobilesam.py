"""MobileSAM (Zhang et al. 2023, arXiv:2306.14289) on onnxruntime: the default on a machine without a GPU.

The image is resized so that its longer side is 1024, normalised and padded at the right and the bottom; a prompt's
coordinates are multiplied by the same scale, as SAM's own predictor does, whole numbers being pixel centres. The
exported decoder gives one mask of the four it computes, enlarged to the picture, so the graph is given other outputs
when it is loaded: all four low-resolution masks and their predicted IoUs.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from PIL import Image as PilImage

from whyseg.curation.segmenters.base import Embedding, FloatArray, Proposal, RgbArray
from whyseg.curation.segmenters.enlarge import LogitsProposal, fitted
from whyseg.curation.segmenters.kept import digest
from whyseg.schemas import Prompt
from whyseg.schemas.errors import ModelFailed

SIDE = 1024
LOGITS_SIDE = 256
_MEAN = np.array([123.675, 116.28, 103.53], np.float32)
_STD = np.array([58.395, 57.12, 57.375], np.float32)
_ALL_MASKS, _ALL_SCORES = "/Reshape_9_output_0", "/iou_prediction_head/layers.2/Gemm_output_0"


@dataclass(frozen=True, eq=False)
class MobileSamEmbedding:
    """The encoder's output, float32 (1, 256, 64, 64), and (height, width) of the image."""

    features: FloatArray
    size: tuple[int, int]

    @property
    def nbytes(self) -> int:
        """Memory held, in bytes."""
        return self.features.nbytes


class MobileSamSegmenter:
    """MobileSAM from a folder that holds ``encoder.onnx`` and ``sam.onnx``."""

    name = "mobilesam"

    def __init__(self, folder: Path, model: str = "mobilesam") -> None:
        self.model = model
        self._weights = folder / "encoder.onnx"
        self._encoder = _session(self._weights)
        self._decoder = _session(decoder(folder / "sam.onnx").SerializeToString())

    def embed(self, image: RgbArray) -> MobileSamEmbedding:
        """Embed an upright image: uint8 (H, W, 3), RGB."""
        size = image.shape[0], image.shape[1]
        height, width = fitted(size, SIDE)
        resized = PilImage.fromarray(image).resize((width, height), PilImage.Resampling.BILINEAR)
        pixels = np.zeros((SIDE, SIDE, 3), np.float32)
        pixels[:height, :width] = (np.asarray(resized, np.float32) - _MEAN) / _STD
        (features,) = _run(self._encoder, ["output"], {"input": pixels.transpose(2, 0, 1)[None]})
        return MobileSamEmbedding(features, size)

    @cached_property
    def _digest(self) -> str:
        return digest([self._weights])

    def weights_digest(self) -> str:
        """Name the encoder's weights by their content."""
        return self._digest

    def arrays(self, embedding: Embedding) -> tuple[FloatArray, ...]:
        """Return what the encoder gave."""
        assert isinstance(embedding, MobileSamEmbedding)
        return (embedding.features,)

    def restored(self, arrays: tuple[FloatArray, ...], size: tuple[int, int]) -> MobileSamEmbedding:
        """Return the embedding of an image of ``size`` (height, width) from the encoder's array."""
        (features,) = arrays
        return MobileSamEmbedding(features, size)

    def propose(self, embedding: Embedding, prompt: Prompt, previous: FloatArray | None = None) -> list[Proposal]:
        """Answer with the three masks for ambiguity after a lone point, else with all four; best predicted IoU first.

        ``previous``: float32 (256, 256), the logits of one of the image's proposals. Raises ``ModelFailed`` when the
        decoder fails.
        """
        assert isinstance(embedding, MobileSamEmbedding)
        coordinates, labels = encoded_prompt(prompt, embedding.size)
        inputs = {
            "image_embeddings": embedding.features,
            "point_coords": coordinates[None],
            "point_labels": labels[None],
            "mask_input": np.zeros((1, 1, LOGITS_SIDE, LOGITS_SIDE), np.float32)
            if previous is None
            else previous[None, None],
            "has_mask_input": np.array([previous is not None], np.float32),
        }
        masks, scores = _run(self._decoder, [_ALL_MASKS, _ALL_SCORES], inputs)
        lone = len(prompt.points) == 1 and prompt.box is None and previous is None
        first = 1 if lone else 0  # SAM: mask 0 is for prompts that leave no doubt, the other three for a lone point
        order = first + np.argsort(-scores[0, first:], kind="stable")
        return [
            LogitsProposal(float(np.clip(scores[0, k], 0, 1)), masks[0, k], embedding.size, padded_side=SIDE)
            for k in order
        ]


def encoded_prompt(prompt: Prompt, size: tuple[int, int]) -> tuple[FloatArray, FloatArray]:
    """Return coordinates float32 (N, 2) in the resized image and labels float32 (N,).

    Labels: 1 positive, 0 negative, 2 and 3 a box's corners, −1 the padding point that SAM wants where there is no box.
    """
    height, width = fitted(size, SIDE)
    rows = [(point.x, point.y, 1 if point.positive else 0) for point in prompt.points]
    if prompt.box:
        rows += [(prompt.box.x0, prompt.box.y0, 2), (prompt.box.x1, prompt.box.y1, 3)]
    else:
        rows.append((0, 0, -1))
    table = np.array(rows, np.float64)
    coordinates = table[:, :2] * (width / size[1], height / size[0])
    return coordinates.astype(np.float32), table[:, 2].astype(np.float32)


def decoder(path: Path) -> onnx.ModelProto:
    """Return SAM's exported decoder without its enlarging to the whole picture, a third of its time at 12 megapixels.

    Its outputs are all four masks, float32 (1, 4, 256, 256), and their scores, float32 (1, 4).
    """
    model = onnx.load(path)
    graph, needed, nodes = model.graph, {_ALL_MASKS, _ALL_SCORES}, list[onnx.NodeProto]()
    for node in reversed(graph.node):  # which are in the order they run in
        if needed.intersection(node.output):
            nodes.insert(0, node)
            needed.update(node.input)
    inputs, weights = ([one for one in part if one.name in needed] for part in (graph.input, graph.initializer))
    outputs = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in (_ALL_MASKS, _ALL_SCORES)
    ]
    cut = onnx.helper.make_graph(nodes, graph.name, inputs, outputs, weights)
    return onnx.helper.make_model(cut, opset_imports=model.opset_import, ir_version=model.ir_version)


def _session(model: Path | bytes) -> Any:
    options = onnxruntime.SessionOptions()
    # Threads that spin while they wait take the cores from the server's other work.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors have no base class of their own
        what = model.name if isinstance(model, Path) else "sam.onnx"
        raise ModelFailed(f"onnxruntime cannot load {what}: {_line(error)}") from error


def _run(session: Any, outputs: list[str], inputs: dict[str, npt.NDArray[Any]]) -> list[Any]:
    try:
        return session.run(outputs, inputs)  # type: ignore[no-any-return]
    except Exception as error:  # as above
        raise ModelFailed(f"onnxruntime failed: {_line(error)}") from error


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
