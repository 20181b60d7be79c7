"""Checkpoints as Meta's ``sam2`` code makes them, with random weights: names and shapes stand here as it has them."""

import torch

from whyseg.curation.segmenters.sam2_checkpoint import Hiera, State

Shapes = dict[str, tuple[int, ...]]

SMALL = Hiera("small", "for tests", 16, 1, (1, 1, 2, 1), (3,), 7, (8, 4, 8, 4), 128)
WIDE, HALF, FOLDED = 256, 128, 2048  # the decoder's width, that of its attention to the picture, its MLPs'


def state_of(size: Hiera, *, seed: int = 0) -> State:
    """Return random weights of a whole video model, by Meta's names."""
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.randn(shape, generator=generator) * 0.1 for name, shape in shapes(size).items()}


def shapes(size: Hiera) -> Shapes:
    return _trunk(size) | _neck(size) | _prompt_encoder() | _mask_decoder() | _video() | {"no_mem_embed": (1, 1, WIDE)}


def _linear(name: str, out: int, into: int) -> Shapes:
    return {f"{name}.weight": (out, into), f"{name}.bias": (out,)}


def _conv(name: str, out: int, into: int, side: int) -> Shapes:
    return {f"{name}.weight": (out, into, side, side), f"{name}.bias": (out,)}


def _norm(name: str, width: int) -> Shapes:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def _trunk(size: Hiera) -> Shapes:
    trunk = "image_encoder.trunk"
    found: Shapes = {
        f"{trunk}.pos_embed": (1, size.width, size.background, size.background),
        f"{trunk}.pos_embed_window": (1, size.width, size.windows[0], size.windows[0]),
    } | _conv(f"{trunk}.patch_embed.proj", size.width, 3, 7)
    number, into = 0, size.width
    for stage, blocks in enumerate(size.blocks):
        width = size.width * 2**stage
        for _ in range(blocks):
            block = f"{trunk}.blocks.{number}"
            found |= _norm(f"{block}.norm1", into) | _norm(f"{block}.norm2", width)
            found |= _linear(f"{block}.attn.qkv", 3 * width, into) | _linear(f"{block}.attn.proj", width, width)
            found |= _linear(f"{block}.mlp.layers.0", 4 * width, width)
            found |= _linear(f"{block}.mlp.layers.1", width, 4 * width)
            if into != width:
                found |= _linear(f"{block}.proj", width, into)
            number, into = number + 1, width
    return found


def _neck(size: Hiera) -> Shapes:
    found: Shapes = {}
    for level, stage in enumerate(reversed(range(len(size.blocks)))):
        found |= _conv(f"image_encoder.neck.convs.{level}.conv", WIDE, size.width * 2**stage, 1)
    return found


def _prompt_encoder() -> Shapes:
    encoder = "sam_prompt_encoder"
    found: Shapes = {f"{encoder}.pe_layer.positional_encoding_gaussian_matrix": (2, HALF)}
    for name in (*(f"point_embeddings.{k}" for k in range(4)), "not_a_point_embed", "no_mask_embed"):
        found[f"{encoder}.{name}.weight"] = (1, WIDE)
    down = f"{encoder}.mask_downscaling"
    found |= _conv(f"{down}.0", 4, 1, 2) | _norm(f"{down}.1", 4) | _conv(f"{down}.3", 16, 4, 2)
    return found | _norm(f"{down}.4", 16) | _conv(f"{down}.6", WIDE, 16, 1)


def _attention(name: str, inner: int) -> Shapes:
    found: Shapes = {}
    for part in ("q_proj", "k_proj", "v_proj"):
        found |= _linear(f"{name}.{part}", inner, WIDE)
    return found | _linear(f"{name}.out_proj", WIDE, inner)


def _head(name: str, out: int) -> Shapes:
    return (
        _linear(f"{name}.layers.0", WIDE, WIDE)
        | _linear(f"{name}.layers.1", WIDE, WIDE)
        | _linear(f"{name}.layers.2", out, WIDE)
    )


def _mask_decoder() -> Shapes:
    decoder = "sam_mask_decoder"
    found: Shapes = {
        f"{decoder}.iou_token.weight": (1, WIDE),
        f"{decoder}.mask_tokens.weight": (4, WIDE),
        f"{decoder}.obj_score_token.weight": (1, WIDE),
    }
    for number in range(2):
        layer = f"{decoder}.transformer.layers.{number}"
        found |= _attention(f"{layer}.self_attn", WIDE) | _attention(f"{layer}.cross_attn_token_to_image", HALF)
        found |= _attention(f"{layer}.cross_attn_image_to_token", HALF)
        found |= _linear(f"{layer}.mlp.layers.0", FOLDED, WIDE) | _linear(f"{layer}.mlp.layers.1", WIDE, FOLDED)
        for norm in range(1, 5):
            found |= _norm(f"{layer}.norm{norm}", WIDE)
    found |= _attention(f"{decoder}.transformer.final_attn_token_to_image", HALF)
    found |= _norm(f"{decoder}.transformer.norm_final_attn", WIDE)
    up = f"{decoder}.output_upscaling"
    found |= {f"{up}.0.weight": (WIDE, 64, 2, 2), f"{up}.0.bias": (64,)} | _norm(f"{up}.1", 64)
    found |= {f"{up}.3.weight": (64, 32, 2, 2), f"{up}.3.bias": (32,)}
    found |= _conv(f"{decoder}.conv_s0", 32, WIDE, 1) | _conv(f"{decoder}.conv_s1", 64, WIDE, 1)
    for number in range(4):
        found |= _head(f"{decoder}.output_hypernetworks_mlps.{number}", 32)
    return found | _head(f"{decoder}.iou_prediction_head", 4) | _head(f"{decoder}.pred_obj_score_head", 1)


def _video() -> Shapes:
    """Some of the weights that only videos need: one of each part, not all."""
    return {
        "maskmem_tpos_enc": (7, 1, 1, 64),
        "no_mem_pos_enc": (1, 1, WIDE),
        "no_obj_ptr": (1, WIDE),
        "no_obj_embed_spatial": (1, 64),
        "mask_downsample.weight": (1, 1, 4, 4),
        "memory_attention.norm.weight": (WIDE,),
        "memory_encoder.out_proj.bias": (64,),
        "obj_ptr_proj.layers.0.bias": (WIDE,),
        "obj_ptr_tpos_proj.bias": (64,),
    }
