"""From a checkpoint of Meta's ``sam2`` code to a folder in transformers' format, which the ``sam2`` segmenter loads."""

import json
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from whyseg.curation.segmenters.sam2 import MEAN, STD, load_network
from whyseg.curation.segmenters.sam2_checkpoint import SIZES, Checkpoint, Hiera, State, read_checkpoint, renamed
from whyseg.curation.segmenters.weights import sha256_of
from whyseg.schemas.errors import ModelFailed, UsageError
from whyseg.schemas.record import Record

_FOLDER, _FILE = 0o755, 0o644  # what is made below is its owner's alone


class Converted(Record):
    """A folder that was made; ``left_out``: how many weights of each part that only videos need stayed out."""

    folder: str
    size: str
    parameters: int
    left_out: dict[str, int]


def convert(file: Path, out: Path, *, config: str = "auto", sizes: Iterable[Hiera] = SIZES) -> Converted:
    """Make the folder ``out`` of a checkpoint: config.json, model.safetensors, processor_config.json, model.json.

    The folder appears whole or not at all, after the model in it was loaded and answered a prompt. Raises
    ``UsageError`` when ``out`` is there already, ``ModelUnavailable`` and ``ModelFailed`` as `read_checkpoint` does,
    and ``ModelFailed`` when weights are missing or have other shapes, or the model gives no finite answer.
    """
    if out.exists():
        raise UsageError(f"{out} is there already: name another folder with --out")
    checkpoint = read_checkpoint(file, config=config, sizes=sizes)
    network = network_of(checkpoint, file.name)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".new-{out.name}-"))
    except OSError as error:
        raise UsageError(f"{out} cannot be made: {error.strerror}") from error
    try:
        _write(network, checkpoint, file, scratch)
        _try(scratch, checkpoint.size, file.name)
        scratch.chmod(_FOLDER)
        for path in scratch.iterdir():
            path.chmod(_FILE)
        os.rename(scratch, out)
    except OSError as error:
        raise UsageError(f"{out} cannot be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return Converted(folder=str(out), size=checkpoint.size.name, parameters=parameters, left_out=_parts(checkpoint))


def network_of(checkpoint: Checkpoint, file: str) -> Any:
    """Return transformers' ``Sam2Model`` with a checkpoint's weights; raises ``ModelFailed`` when some do not fit."""
    from transformers import Sam2Model

    with torch.device("meta"):
        network = Sam2Model(config_of(checkpoint.size))
    state = renamed(checkpoint.image)
    _require(state, {name: tensor.shape for name, tensor in network.state_dict().items()}, file)
    network.load_state_dict(state, assign=True)
    return network.eval()


def config_of(size: Hiera) -> Any:
    """Return the ``Sam2Config`` of a size; what it does not say is as transformers has it for all of them."""
    from transformers import Sam2Config

    cell = size.side // 4
    backbone = {
        "model_type": "sam2_hiera_det_model",
        "image_size": [size.side, size.side],
        "hidden_size": size.width,
        "num_attention_heads": size.heads,
        "embed_dim_per_stage": list(size.widths),
        "num_attention_heads_per_stage": [size.heads * 2**stage for stage in range(len(size.blocks))],
        "blocks_per_stage": list(size.blocks),
        "window_size_per_stage": list(size.windows),
        "global_attention_blocks": list(size.everywhere),
        "window_positional_embedding_background_size": [size.background, size.background],
    }
    vision = {
        "backbone_config": backbone,
        "backbone_channel_list": list(reversed(size.widths)),
        "backbone_feature_sizes": [[cell // 2**level, cell // 2**level] for level in range(3)],
    }
    return Sam2Config(vision_config=vision, prompt_encoder_config={"image_size": size.side})


def _require(state: State, expected: dict[str, torch.Size], file: str) -> None:
    missing = sorted(expected.keys() - state.keys())
    if missing:
        raise ModelFailed(f"{file} lacks {len(missing)} weights, such as {missing[0]} (as transformers calls it)")
    strange = sorted(state.keys() - expected.keys())
    if strange:
        raise ModelFailed(f"{file} holds {len(strange)} weights too many, such as {strange[0]}")
    for name, shape in sorted(expected.items()):
        if state[name].shape != shape:
            raise ModelFailed(f"{file}: {name} has shape {list(state[name].shape)}, expected {list(shape)}")


def _write(network: Any, checkpoint: Checkpoint, file: Path, folder: Path) -> None:
    network.config.architectures = ["Sam2Model"]
    network.config.save_pretrained(folder)
    save_file(network.state_dict(), folder / "model.safetensors", metadata={"format": "pt"})
    side = {"height": checkpoint.size.side, "width": checkpoint.size.side}
    cell = {"height": checkpoint.size.side // 4, "width": checkpoint.size.side // 4}
    # Not through transformers' own class: it cannot be made without torchvision.
    processor = {
        "image_processor": {
            "image_processor_type": "Sam2ImageProcessor",
            "do_convert_rgb": True,
            "do_normalize": True,
            "do_rescale": True,
            "do_resize": True,
            "image_mean": list(MEAN),
            "image_std": list(STD),
            "mask_size": cell,
            "resample": 2,
            "rescale_factor": 1 / 255,
            "size": side,
        },
        "point_pad_value": -10,
        "processor_class": "Sam2Processor",
        "target_size": checkpoint.size.side,
    }
    facts = {
        "made_from": {"file": file.name, "sha256": sha256_of(file), "size": checkpoint.size.name},
        "left_out": _parts(checkpoint),
        "versions": {name: version(name) for name in ("whyseg", "torch", "transformers")},
    }
    for name, content in (("processor_config.json", processor), ("model.json", facts)):
        (folder / name).write_text(json.dumps(content, indent=2) + "\n")


def _parts(checkpoint: Checkpoint) -> dict[str, int]:
    return dict(Counter(name.split(".")[0] for name in checkpoint.video))


def _try(folder: Path, size: Hiera, file: str) -> None:
    """Load what was written and have it answer a click."""
    network = load_network(folder, file)
    middle = torch.full((1, 1, 1, 2), size.side / 2)
    with torch.inference_mode():
        grey = torch.zeros(1, 3, size.side, size.side)
        out = network(pixel_values=grey, input_points=middle, input_labels=torch.ones(1, 1, 1, dtype=torch.long))
    if not (torch.isfinite(out.pred_masks).all() and torch.isfinite(out.iou_scores).all()):
        raise ModelFailed(f"{file}: the model's answer to a click is not finite")
