"""Checkpoints of Meta's code become folders of transformers' format; whether both answer alike is a benchmark."""

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.curation.segmenters.meta import SMALL, shapes, state_of
from whyseg.curation.segmenters import choose, sam2_convert
from whyseg.curation.segmenters.sam2_checkpoint import SIZES, State, read_checkpoint, renamed
from whyseg.curation.segmenters.sam2_convert import convert
from whyseg.schemas import Point, Prompt
from whyseg.schemas.errors import ModelFailed, ModelUnavailable, UsageError

KNOWN = (*SIZES, SMALL)
TOKEN = "sam_mask_decoder.iou_token.weight"
QKV = "image_encoder.trunk.blocks.2.attn.qkv.weight"


@pytest.fixture(scope="module")
def state() -> State:
    return state_of(SMALL)


@pytest.fixture(scope="module")
def folder(state: State, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that a checkpoint as Meta's trainer writes it was converted to."""
    at = tmp_path_factory.mktemp("converted")
    trained = {"model": state, "epoch": 3, "loss": {"mask": 0.5}, "steps": {"train": 10}}
    torch.save(trained, at / "tuned.pt")
    made = convert(at / "tuned.pt", at / "tuned", sizes=KNOWN)
    assert (made.size, made.left_out["memory_attention"], len(made.left_out)) == ("small", 1, 9)
    return at / "tuned"


def saved(path: Path, what: Any) -> Path:
    torch.save(what, path)
    return path


def test_the_folder_is_a_model_of_the_segmenter_sam2(folder: Path) -> None:
    segmenter, reason = choose("auto", model=str(folder))
    assert segmenter.name == "sam2"
    assert reason.startswith("SAM 2 from a folder")
    embedding = segmenter.embed(np.full((30, 40, 3), 120, np.uint8))
    found = segmenter.propose(embedding, Prompt(points=(Point(x=20, y=15), Point(x=3, y=4, positive=False))))
    assert len(found) == 4
    assert all(proposal.logits is not None and np.isfinite(proposal.logits).all() for proposal in found)


def test_nothing_but_the_models_files_is_left(folder: Path) -> None:
    names = {"config.json", "model.json", "model.safetensors", "processor_config.json"}
    assert {path.name for path in folder.iterdir()} == names
    assert {path.name for path in folder.parent.iterdir()} == {"tuned", "tuned.pt"}
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o644}
    assert folder.stat().st_mode & 0o777 == 0o755
    made = json.loads((folder / "model.json").read_text())
    assert made["made_from"]["file"] == "tuned.pt"
    assert json.loads((folder / "processor_config.json").read_text())["target_size"] == 128


def test_every_weight_of_the_image_model_is_under_its_new_name(state: State, folder: Path) -> None:
    """Read side by side from the two implementations' modules."""
    from safetensors.torch import load_file

    got = load_file(folder / "model.safetensors")
    pairs = {
        "image_encoder.trunk.pos_embed_window": "vision_encoder.backbone.pos_embed_window",
        "image_encoder.trunk.patch_embed.proj.bias": "vision_encoder.backbone.patch_embed.projection.bias",
        "image_encoder.trunk.blocks.1.norm1.weight": "vision_encoder.backbone.blocks.1.layer_norm1.weight",
        "image_encoder.trunk.blocks.1.attn.proj.weight": "vision_encoder.backbone.blocks.1.attn.proj.weight",
        "image_encoder.trunk.blocks.1.proj.weight": "vision_encoder.backbone.blocks.1.proj.weight",
        "image_encoder.trunk.blocks.4.mlp.layers.0.bias": "vision_encoder.backbone.blocks.4.mlp.proj_in.bias",
        "image_encoder.trunk.blocks.4.mlp.layers.1.bias": "vision_encoder.backbone.blocks.4.mlp.proj_out.bias",
        "image_encoder.neck.convs.3.conv.weight": "vision_encoder.neck.convs.3.weight",
        "no_mem_embed": "no_memory_embedding",
        "sam_prompt_encoder.mask_downscaling.3.weight": "prompt_encoder.mask_embed.conv2.weight",
        "sam_prompt_encoder.mask_downscaling.4.weight": "prompt_encoder.mask_embed.layer_norm2.weight",
        "sam_mask_decoder.transformer.layers.1.norm4.bias": "mask_decoder.transformer.layers.1.layer_norm4.bias",
        "sam_mask_decoder.transformer.layers.0.self_attn.out_proj.weight": (
            "mask_decoder.transformer.layers.0.self_attn.o_proj.weight"
        ),
        "sam_mask_decoder.transformer.norm_final_attn.bias": "mask_decoder.transformer.layer_norm_final_attn.bias",
        "sam_mask_decoder.output_upscaling.3.weight": "mask_decoder.upscale_conv2.weight",
        "sam_mask_decoder.output_hypernetworks_mlps.2.layers.0.weight": (
            "mask_decoder.output_hypernetworks_mlps.2.proj_in.weight"
        ),
        "sam_mask_decoder.output_hypernetworks_mlps.2.layers.1.weight": (
            "mask_decoder.output_hypernetworks_mlps.2.layers.0.weight"
        ),
        "sam_mask_decoder.iou_prediction_head.layers.2.weight": "mask_decoder.iou_prediction_head.proj_out.weight",
    }
    for meta, ours in pairs.items():
        assert torch.equal(got[ours], state[meta]), ours
    positions = state["sam_prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"]
    assert torch.equal(got["shared_image_embedding.positional_embedding"], positions)
    assert torch.equal(got["prompt_encoder.shared_embedding.positional_embedding"], positions)
    points = [state[f"sam_prompt_encoder.point_embeddings.{number}.weight"] for number in range(4)]
    assert torch.equal(got["prompt_encoder.point_embed.weight"], torch.cat(points))
    # Four point embeddings become one tensor, one matrix of positions becomes two.
    image = [name for name in state if name.startswith(("image_", "sam_", "no_mem_embed"))]
    assert len(got) == len(image) - 3 + 1


@pytest.mark.parametrize("size", SIZES, ids=lambda size: size.name)
def test_the_names_and_shapes_of_the_official_sizes_fit_transformers_model(size: Any) -> None:
    from transformers import Sam2Model

    with torch.device("meta"):
        network = Sam2Model(sam2_convert.config_of(size))
        meta = {name: torch.empty(shape) for name, shape in shapes(size).items()}
        got = renamed({name: t for name, t in meta.items() if name.startswith(("image_", "sam_", "no_mem_embed"))})
    assert {name: t.shape for name, t in got.items()} == {name: t.shape for name, t in network.state_dict().items()}


@pytest.mark.parametrize(
    "wrapped",
    [
        lambda state: state,
        lambda state: {"state_dict": state, "epoch": 1},
        lambda state: {"model": state, "ema": state},
        lambda state: {"model": {f"module.{name}": tensor for name, tensor in state.items()}},
        lambda state: {name: tensor.to(torch.bfloat16) for name, tensor in state.items()},
    ],
    ids=["bare", "another key", "beside another", "DistributedDataParallel", "half precision"],
)
def test_other_wrappings_are_read_too(state: State, tmp_path: Path, wrapped: Callable[[State], Any]) -> None:
    read = read_checkpoint(saved(tmp_path / "x.pt", wrapped(state)), sizes=KNOWN)
    assert read.size == SMALL
    assert read.image[TOKEN].dtype == torch.float32
    torch.testing.assert_close(read.image[TOKEN], state[TOKEN], rtol=0.01, atol=0)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (lambda state: {n: t for n, t in state.items() if n != TOKEN}, r"lacks 1 weights, such as mask_decoder\.iou_t"),
        (lambda state: state | {"adapter.scale": torch.ones(1)}, r"adapter\.scale is no part of SAM 2"),
        (lambda state: state | {"sam_mask_decoder.more.bias": torch.ones(1)}, r"1 weights too many, such as mask_d"),
        (lambda state: state | {"image_encoder.trunk.lora_A.weight": torch.ones(1)}, "LoRA.*merge them into the model"),
        (lambda state: state | {TOKEN: torch.ones(1, 9)}, r"iou_token\.weight has shape \[1, 9\], expected \[1, 256\]"),
        (lambda state: state | {TOKEN: torch.full((1, 256), torch.nan)}, "not finite, so the training .* went astray"),
        (lambda state: {"a": state, "b": state}, "several models, a, b"),
        (lambda state: {n: t for n, t in state.items() if ".blocks.4." not in n}, "not of .* 16 channels, 4 blocks"),
        (lambda state: {n: t for n, t in state.items() if "pos_embed" not in n}, "and 0 positions a side"),
        (lambda state: {"point": torch.ones(2)}, r"no SAM 2 of Meta's code: it has no image_encoder\S*, but point"),
        (lambda state: {"vision_encoder.x": torch.ones(2)}, "transformers' names already"),
        (lambda state: {"model": {"image_encoder.patch_embed.proj.weight": torch.ones(2)}}, "first Segment Anything"),
        (lambda state: [1, 2], "holds a list, expected a dictionary"),
        (lambda state: {"model": {**state, "step": 3}}, "step is no tensor"),
        (lambda state: {f"a.{n}": t for n, t in state.items()} | {"b": torch.ones(1)}, r"b is not below a\., as"),
        (
            lambda state: {n: t for n, t in state.items() if "point_embeddings.2" not in n},
            r"there for N of \[0, 1, 3\], expected 0, 1, 2 and 3",
        ),
    ],
)  # fmt: skip
def test_what_is_no_whole_sam2_is_refused_by_name(
    state: State, tmp_path: Path, changed: Callable[[State], Any], message: str
) -> None:
    file = saved(tmp_path / "x.pt", changed(state))
    with pytest.raises(ModelFailed, match=message) as caught:
        convert(file, tmp_path / "out", sizes=KNOWN)
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["x.pt"]


class Hostile:
    """Unpickled without care, it would make a folder."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.mark),)


@pytest.mark.parametrize("plain", [True, False], ids=["a bare pickle", "torch.save"])
def test_a_hostile_pickle_is_refused_and_nothing_of_it_runs(tmp_path: Path, plain: bool) -> None:
    mark, file = tmp_path / "ran", tmp_path / "x.pt"
    if plain:
        file.write_bytes(pickle.dumps({"model": Hostile(mark)}, protocol=2))
    else:
        torch.save({"model": Hostile(mark)}, file)
    with pytest.raises(ModelFailed, match=r"asks for posix\.mkdir of Python, which is not loaded from a file"):
        read_checkpoint(file)
    assert not mark.exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04junk", b"not a checkpoint at all", b"\x80\x02junk", b"\x80\x04."])
def test_a_file_that_is_no_checkpoint_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.pt").write_bytes(content)
    with pytest.raises(ModelFailed, match="is no checkpoint of PyTorch"):
        read_checkpoint(tmp_path / "x.pt")


def test_a_pickle_that_torch_would_have_loaded_without_care_is_refused_without_that_advice(tmp_path: Path) -> None:
    (tmp_path / "x.pt").write_bytes(pickle.dumps({"model": Hostile(tmp_path / "ran")}, protocol=4))
    with pytest.raises(ModelFailed, match=r"^x\.pt is no checkpoint of PyTorch: it is no pickle of weights$"):
        read_checkpoint(tmp_path / "x.pt")
    assert not (tmp_path / "ran").exists()


def test_a_cut_off_file_is_refused(state: State, tmp_path: Path) -> None:
    file = saved(tmp_path / "x.pt", state)
    file.write_bytes(file.read_bytes()[:-20_000])
    with pytest.raises(ModelFailed, match="is no checkpoint of PyTorch"):
        read_checkpoint(file, sizes=KNOWN)


def test_a_missing_file_and_a_folder_are_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="is not there"):
        read_checkpoint(tmp_path / "none.pt")
    with pytest.raises(ModelUnavailable, match="cannot be read: Is a directory"):
        read_checkpoint(tmp_path)


def test_a_size_that_is_named_must_be_the_files(state: State, tmp_path: Path) -> None:
    file = saved(tmp_path / "x.pt", state)
    assert read_checkpoint(file, config="small", sizes=KNOWN).size == SMALL
    with pytest.raises(ModelFailed, match=r"is not of sam2\.1_hiera_l: its encoder has 16 channels"):
        read_checkpoint(file, config="sam2.1_hiera_l", sizes=KNOWN)
    with pytest.raises(UsageError, match=r"no configuration 'huge': there are sam2\.1_hiera_t"):
        read_checkpoint(tmp_path / "unread.pt", config="huge", sizes=KNOWN)  # said before any file is read


def test_a_folder_that_is_there_is_left_alone(state: State, tmp_path: Path) -> None:
    file = saved(tmp_path / "x.pt", state)
    (tmp_path / "out").mkdir()
    with pytest.raises(UsageError, match="is there already: name another folder with --out"):
        convert(file, tmp_path / "out", sizes=KNOWN)


def test_a_model_that_does_not_answer_leaves_no_folder(
    state: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise ModelFailed("no")

    monkeypatch.setattr(sam2_convert, "_try", fail)
    with pytest.raises(ModelFailed):
        convert(saved(tmp_path / "x.pt", state), tmp_path / "a" / "out", sizes=KNOWN)
    assert list((tmp_path / "a").iterdir()) == []
