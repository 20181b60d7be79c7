"""Checkpoints made with Meta's ``sam2`` code: what they hold, and the same weights under transformers' names.

Meta's names are those of the modules of github.com/facebookresearch/sam2, transformers' those of ``Sam2Model``. A
checkpoint holds the video model; segmenting pictures takes its encoder, prompt encoder and mask decoder.
"""

import re
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from whyseg.schemas.errors import ModelFailed, ModelUnavailable, UsageError

State = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Hiera:
    """A size of SAM 2 by Meta's name for its configuration; the windows, blocks and sides are those it states.

    ``blocks``: so many in each stage. ``everywhere``: the blocks that attend to the whole picture. ``background``: the
    side of the grid of positions. ``windows``: the side of each stage's attention windows. ``side``: the picture's.
    """

    name: str
    what: str
    width: int
    heads: int
    blocks: tuple[int, ...]
    everywhere: tuple[int, ...]
    background: int
    windows: tuple[int, ...] = (8, 4, 14, 7)
    side: int = 1024

    @property
    def widths(self) -> tuple[int, ...]:
        """The channels of each stage."""
        return tuple(self.width * 2**stage for stage in range(len(self.blocks)))


SIZES = (
    Hiera("sam2.1_hiera_t", "tiny", 96, 1, (1, 2, 7, 2), (5, 7, 9), 7),
    Hiera("sam2.1_hiera_s", "small", 96, 1, (1, 2, 11, 2), (7, 10, 13), 7),
    Hiera("sam2.1_hiera_b+", "base-plus", 112, 2, (2, 3, 16, 3), (12, 16, 20), 14),
    Hiera("sam2.1_hiera_l", "large", 144, 2, (2, 6, 36, 4), (23, 33, 43), 7, (8, 4, 16, 8)),
)
_ANCHOR = "image_encoder.trunk.patch_embed.proj.weight"
_IMAGE = ("image_encoder.", "sam_prompt_encoder.", "sam_mask_decoder.", "no_mem_embed")
VIDEO = (
    "maskmem_tpos_enc",
    "mask_downsample.",
    "memory_attention.",
    "memory_encoder.",
    "no_mem_pos_enc",
    "no_obj_embed_spatial",
    "no_obj_ptr",
    "obj_ptr_proj.",
    "obj_ptr_tpos_proj.",
)
_POINTS = "sam_prompt_encoder.point_embeddings."
_POSITIONS = "prompt_encoder.shared_embedding.positional_embedding"
_HEADS = r"^(mask_decoder\.(?:iou_prediction_head|pred_obj_score_head|output_hypernetworks_mlps\.\d))\.layers\."
# One after another; each on what those before it have made.
_RENAMED = tuple(
    (re.compile(pattern), new)
    for pattern, new in (
        (r"^sam_(prompt_encoder|mask_decoder)\.", r"\1."),
        (r"^no_mem_embed$", "no_memory_embedding"),
        (r"^image_encoder\.trunk\.", "vision_encoder.backbone."),
        (r"^image_encoder\.neck\.convs\.(\d+)\.conv\.", r"vision_encoder.neck.convs.\1."),
        (r"\.patch_embed\.proj\.", ".patch_embed.projection."),
        (r"\.norm(\d)\.", r".layer_norm\1."),
        (r"\.norm_final_attn\.", ".layer_norm_final_attn."),
        (r"\.out_proj\.", ".o_proj."),
        (r"\.mlp\.layers\.0\.", ".mlp.proj_in."),
        (r"\.mlp\.layers\.1\.", ".mlp.proj_out."),
        (_HEADS + r"0\.", r"\1.proj_in."),
        (_HEADS + r"1\.", r"\1.layers.0."),
        (_HEADS + r"2\.", r"\1.proj_out."),
        (r"^mask_decoder\.output_upscaling\.0\.", "mask_decoder.upscale_conv1."),
        (r"^mask_decoder\.output_upscaling\.1\.", "mask_decoder.upscale_layer_norm."),
        (r"^mask_decoder\.output_upscaling\.3\.", "mask_decoder.upscale_conv2."),
        (r"^prompt_encoder\.mask_downscaling\.0\.", "prompt_encoder.mask_embed.conv1."),
        (r"^prompt_encoder\.mask_downscaling\.1\.", "prompt_encoder.mask_embed.layer_norm1."),
        (r"^prompt_encoder\.mask_downscaling\.3\.", "prompt_encoder.mask_embed.conv2."),
        (r"^prompt_encoder\.mask_downscaling\.4\.", "prompt_encoder.mask_embed.layer_norm2."),
        (r"^prompt_encoder\.mask_downscaling\.6\.", "prompt_encoder.mask_embed.conv3."),
        (r"^prompt_encoder\.pe_layer\.positional_encoding_gaussian_matrix$", _POSITIONS),
    )
)


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A checkpoint's weights by Meta's names: those of the image model in float32, and which others there are."""

    size: Hiera
    image: State
    video: tuple[str, ...]


def read_checkpoint(path: Path, *, config: str = "auto", sizes: Iterable[Hiera] = SIZES) -> Checkpoint:
    """Read a checkpoint of Meta's code; only tensors and plain data are unpickled, so that no code of it can run.

    Understood are bare weights, those under a key such as ``model`` of a trainer's checkpoint, and a prefix that all
    have, such as ``module.``. ``config``: the size by Meta's name, or ``auto``, which goes by the shapes. Raises
    ``ModelUnavailable`` when there is no such file, ``ModelFailed`` for whatever is no SAM 2 of a known size, and says
    what is wrong with it, ``UsageError`` for an unknown ``config``.
    """
    known = tuple(sizes)
    wanted = [size for size in known if config in ("auto", size.name)]
    if not wanted:
        raise UsageError(f"no configuration {config!r}: there are {', '.join(size.name for size in known)}, and auto")
    state = _without_prefix(_weights(_unpickled(path), path.name), path.name)
    _refuse_strangers(state, path.name)
    image = {name: tensor.float() for name, tensor in state.items() if name.startswith(_IMAGE)}
    broken = sorted(name for name, tensor in image.items() if not bool(torch.isfinite(tensor).all()))
    if broken:
        raise ModelFailed(f"{path.name}: {_some(broken)} not finite, so the training that made it went astray")
    video = tuple(sorted(name for name in state if name.startswith(VIDEO)))
    return Checkpoint(_size_of(image, wanted, path.name), image, video)


def renamed(image: State) -> State:
    """Return an image model's weights under the names of transformers' ``Sam2Model``; raises ``ModelFailed``."""
    made: State = {}
    points: dict[int, torch.Tensor] = {}
    for name, tensor in image.items():
        if name.startswith(_POINTS):
            number = name.removeprefix(_POINTS).removesuffix(".weight")
            points[int(number) if number.isdecimal() else -1] = tensor
            continue
        for pattern, replacement in _RENAMED:
            name = pattern.sub(replacement, name)
        made[name] = tensor
    if sorted(points) != [0, 1, 2, 3]:
        raise ModelFailed(f"{_POINTS}N.weight is there for N of {sorted(points)}, expected 0, 1, 2 and 3")
    made["prompt_encoder.point_embed.weight"] = torch.cat([points[number] for number in range(4)])
    if _POSITIONS in made:  # one matrix, which transformers keeps twice
        made["shared_image_embedding.positional_embedding"] = made[_POSITIONS].clone()
    return made


def _unpickled(path: Path) -> Any:
    try:
        with warnings.catch_warnings(action="ignore"):  # an odd pickle is warned of, then refused
            return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise ModelUnavailable(f"{path} is not there") from error
    except OSError as error:
        raise ModelUnavailable(f"{path} cannot be read: {error.strerror or error}") from error
    except UnpicklingError as error:
        found = re.search(r"GLOBAL ([\w.]+)", str(error))
        if not found:
            # torch's own text advises to load it without care.
            raise ModelFailed(f"{path.name} is no checkpoint of PyTorch: it is no pickle of weights") from error
        raise ModelFailed(
            f"{path.name} asks for {found[1]} of Python, which is not loaded from a file; where you trust the file, "
            f"save its weights alone where it was made: torch.save({{'model': model.state_dict()}}, ...)"
        ) from error
    except Exception as error:  # whatever a damaged file makes torch raise
        raise ModelFailed(f"{path.name} is no checkpoint of PyTorch: {_line(error)}") from error


def _weights(loaded: Any, file: str) -> State:
    """Return the dictionary of weights in what was unpickled."""
    if not isinstance(loaded, Mapping):
        raise ModelFailed(f"{file} holds a {type(loaded).__name__}, expected a dictionary of weights")
    candidates = {"": loaded} | {str(key): value for key, value in loaded.items() if isinstance(value, Mapping)}
    holding = {key: value for key, value in candidates.items() if any(str(name).endswith(_ANCHOR) for name in value)}
    if len(holding) > 1 and "model" in holding:
        holding = {"model": holding["model"]}
    if len(holding) > 1:
        raise ModelFailed(f"{file} holds several models, {', '.join(sorted(holding))}: save one of them by itself")
    if not holding:
        raise ModelFailed(f"{file} is no SAM 2 of Meta's code: {_instead(candidates)}")
    (state,) = holding.values()
    tensors = {str(name): value for name, value in state.items() if isinstance(value, torch.Tensor)}
    if len(tensors) != len(state):
        other = sorted(str(name) for name in state if str(name) not in tensors)
        raise ModelFailed(f"{file}: {_some(other)} no tensor")
    return tensors


def _instead(candidates: Mapping[str, Mapping[Any, Any]]) -> str:
    names = [str(name) for state in candidates.values() for name in state]
    if any(name.startswith("vision_encoder.") for name in names):
        return "its weights have transformers' names already; put them beside a config.json as model.safetensors"
    if any(name.endswith("image_encoder.patch_embed.proj.weight") for name in names):
        return "it is one of the first Segment Anything"
    return f"it has no {_ANCHOR}, but {', '.join(sorted(names)[:3]) or 'nothing'}"


def _without_prefix(state: State, file: str) -> State:
    """Return the weights without the prefix that wrappers such as DistributedDataParallel give to all of them."""
    prefixes = [name.removesuffix(_ANCHOR) for name in state if name.endswith(_ANCHOR)]
    if len(prefixes) > 1:
        raise ModelFailed(f"{file} holds several models, below {', '.join(sorted(prefixes))}")
    (prefix,) = prefixes
    outside = sorted(name for name in state if not name.startswith(prefix))
    if outside:
        raise ModelFailed(f"{file}: {_some(outside)} not below {prefix}, as the others are")
    return {name.removeprefix(prefix): tensor for name, tensor in state.items()}


def _refuse_strangers(state: State, file: str) -> None:
    adapters = sorted(name for name in state if "lora_" in name or ".base_layer." in name)
    if adapters:
        raise ModelFailed(
            f"{file} holds LoRA adapters apart from the weights ({adapters[0]}): merge them into the model and save it "
            "again, with PEFT by merge_and_unload()"
        )
    strange = sorted(name for name in state if not name.startswith((*_IMAGE, *VIDEO)))
    if strange:
        raise ModelFailed(f"{file}: {_some(strange)} no part of SAM 2")


def _size_of(image: State, wanted: list[Hiera], file: str) -> Hiera:
    """Return the size whose width, blocks, stages and positions the weights have."""
    trunk = "image_encoder.trunk."
    blocks = {int(found[1]) for name in image if (found := re.match(trunk + r"blocks\.(\d+)\.", name))}
    starts = tuple(
        sorted(int(found[1]) for n in image if (found := re.match(trunk + r"blocks\.(\d+)\.proj\.weight", n)))
    )
    positions = image.get(f"{trunk}pos_embed", torch.empty(0)).shape
    facts = (image[_ANCHOR].shape[0], len(blocks), starts, positions[-1] if positions else 0)
    for size in wanted:
        stages = tuple(sum(size.blocks[:stage]) for stage in range(1, len(size.blocks)))
        if facts == (size.width, sum(size.blocks), stages, size.background):
            return size
    raise ModelFailed(
        f"{file} is not of {' or '.join(size.name for size in wanted)}: its encoder has {facts[0]} channels, "
        f"{facts[1]} blocks, stages from {', '.join(map(str, starts)) or 'none'} on, and {facts[3]} positions a side"
    )


def _some(names: list[str]) -> str:
    """Return the first of some names with the verb that fits how many there are."""
    return f"{names[0]} is" if len(names) == 1 else f"{names[0]} and {len(names) - 1} more are"


def _line(error: Exception) -> str:
    return (" ".join(str(error).split()) or type(error).__name__)[:200]
