"""SAM 2 through the packaged test model; the official ones differ in size only."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from whyseg import data
from whyseg.curation.segmenters.base import BoolArray, FloatArray, Proposal, RgbArray
from whyseg.curation.segmenters.kept import KeptEmbeddings
from whyseg.curation.segmenters.sam2 import Sam2Segmenter, decode_all, load_network, pixels_of
from whyseg.schemas import Box, Point, Prompt
from whyseg.schemas.errors import ModelFailed, ModelUnavailable

FOLDER = data.path("models/tiny_sam2")


@pytest.fixture(scope="module")
def segmenter() -> Sam2Segmenter:
    return Sam2Segmenter(FOLDER, "tiny-test", device="cpu")


def shapes(height: int = 180, width: int = 240) -> tuple[RgbArray, BoolArray]:
    """A red disc with a white middle and a blue square on grey; the mask is the square's."""
    image = np.full((height, width, 3), 150, np.uint8)
    ys, xs = np.mgrid[:height, :width]
    ring = (xs - width * 0.3) ** 2 + (ys - height * 0.5) ** 2
    image[ring < (0.25 * height) ** 2] = (210, 40, 40)
    image[ring < (0.12 * height) ** 2] = (240, 240, 240)
    square = (abs(xs - width * 0.75) < width * 0.15) & (abs(ys - height * 0.5) < height * 0.2)
    image[square] = (40, 60, 210)
    return image, square


def full(proposal: Proposal, size: tuple[int, int]) -> BoolArray:
    (x, y, width, height), pixels = proposal.crop()
    mask = np.zeros(size, bool)
    mask[y : y + height, x : x + width] = pixels
    return mask


def iou(one: BoolArray, other: BoolArray) -> float:
    return float((one & other).sum() / max(1, (one | other).sum()))


def click(*given: tuple[float, float, bool]) -> tuple[Point, ...]:
    return tuple(Point(x=x, y=y, positive=positive) for x, y, positive in given)


def test_a_box_and_a_click_find_the_shape(segmenter: Sam2Segmenter) -> None:
    image, square = shapes()
    embedding = segmenter.embed(image)
    assert embedding.size == (180, 240)
    for prompt in (
        Prompt(box=Box(x0=144, y0=54, x1=216, y1=126)),
        Prompt(points=click((180, 90, True))),
        Prompt(points=click((180, 90, True), (72, 90, False))),
    ):
        assert iou(full(segmenter.propose(embedding, prompt)[0], embedding.size), square) > 0.7


def test_a_lone_point_has_three_candidates_and_every_other_prompt_four(segmenter: Sam2Segmenter) -> None:
    embedding = segmenter.embed(shapes()[0])
    for positive in (True, False):
        lone = segmenter.propose(embedding, Prompt(points=click((72, 90, positive))))
        assert len(lone) == 3
    previous = lone[0].logits
    others = [
        (Prompt(points=click((72, 90, True))), previous),
        (Prompt(points=click((72, 90, True), (180, 90, False))), None),
        (Prompt(box=Box(x0=30, y0=40, x1=120, y1=140)), None),
        (Prompt(points=click((72, 90, True)), box=Box(x0=30, y0=40, x1=120, y1=140)), None),
    ]
    for prompt, refined in others:
        proposals = segmenter.propose(embedding, prompt, refined)
        assert len(proposals) == 4
        scores = [proposal.score for proposal in proposals]
        assert scores == sorted(scores, reverse=True)
        assert 0 <= scores[-1] <= scores[0] <= 1


def test_the_candidates_are_the_models_own_masks(segmenter: Sam2Segmenter) -> None:
    """One pass with the rule replaced gives what two passes of the untouched model give."""
    embedding = segmenter.embed(shapes()[0])
    inputs = {
        "image_embeddings": list(embedding.features),
        "input_points": torch.tensor([[[[30.0, 64.0], [96.0, 64.0]]]]),
        "input_labels": torch.tensor([[[1, 0]]]),
    }
    network = segmenter.network
    with torch.inference_mode():
        logits, scores = decode_all(network, **inputs)
        several = network(multimask_output=True, **inputs)
        network.mask_decoder.dynamic_multimask_via_stability = False
        single = network(multimask_output=False, **inputs)
        network.mask_decoder.dynamic_multimask_via_stability = True
    torch.testing.assert_close(logits, torch.cat([single.pred_masks, several.pred_masks], 2))
    torch.testing.assert_close(scores, torch.cat([single.iou_scores, several.iou_scores], 2))


def test_a_library_without_that_rule_is_asked_twice(segmenter: Sam2Segmenter, monkeypatch: pytest.MonkeyPatch) -> None:
    embedding = segmenter.embed(shapes()[0])
    inputs = {"image_embeddings": list(embedding.features), "input_boxes": torch.tensor([[[70.0, 30.0, 120.0, 90.0]]])}
    with torch.inference_mode():
        expected = decode_all(segmenter.network, **inputs)
        monkeypatch.delattr(type(segmenter.network.mask_decoder), "_dynamic_multimask_via_stability")
        got = decode_all(segmenter.network, **inputs)
    torch.testing.assert_close(got, expected)


@pytest.mark.parametrize("had", [True, False])
def test_decoding_leaves_the_model_as_it_was(segmenter: Sam2Segmenter, had: bool) -> None:
    decoder = segmenter.network.mask_decoder
    embedding = segmenter.embed(shapes()[0])
    decoder.dynamic_multimask_via_stability = had
    segmenter.propose(embedding, Prompt(points=click((72, 90, True))))
    kept = decoder.dynamic_multimask_via_stability
    decoder.dynamic_multimask_via_stability = True
    assert kept is had
    assert "_dynamic_multimask_via_stability" not in vars(decoder)


def test_coordinates_are_scaled_to_the_square_and_previous_logits_go_in_as_they_are(segmenter: Sam2Segmenter) -> None:
    embedding = segmenter.embed(shapes(180, 240)[0])
    seen: list[dict[str, Any]] = []
    encoder = segmenter.network.prompt_encoder
    hook = encoder.register_forward_pre_hook(lambda module, args, given: seen.append(given), with_kwargs=True)
    previous = np.linspace(-9, 9, 32 * 32, dtype=np.float32).reshape(32, 32)
    prompt = Prompt(points=click((60, 45, True), (239, 179, False)), box=Box(x0=24, y0=18, x1=120, y1=90))
    segmenter.propose(embedding, prompt, previous)
    hook.remove()
    # The square's side is 128: x · 128/240, y · 128/180.
    torch.testing.assert_close(seen[0]["input_points"][0, 0], torch.tensor([[32.0, 32.0], [127.46667, 127.28889]]))
    assert seen[0]["input_labels"].tolist() == [[[1, 0]]]
    torch.testing.assert_close(seen[0]["input_boxes"][0, 0], torch.tensor([12.8, 12.8, 64.0, 64.0]))
    np.testing.assert_array_equal(seen[0]["input_masks"][0, 0].numpy(), previous)


def test_pixels_are_squashed_and_normalised() -> None:
    image = np.zeros((2, 4, 3), np.uint8)
    image[:, :, 0] = 255
    pixels = pixels_of(image, 8)
    assert pixels.shape == (3, 8, 8)
    assert pixels.dtype == np.float32
    # (1 - 0.485) / 0.229, (0 - 0.456) / 0.224, (0 - 0.406) / 0.225
    np.testing.assert_allclose(pixels[:, 3, 3], [2.2489083, -2.0357144, -1.8044444], rtol=1e-6)


def test_what_an_embedding_holds_is_counted(segmenter: Sam2Segmenter) -> None:
    # Three maps of 8, 16 and 64 channels at 32 × 32, 16 × 16 and 8 × 8, float32.
    assert segmenter.embed(shapes()[0]).nbytes == 4 * (8 * 32 * 32 + 16 * 16 * 16 + 64 * 8 * 8)


def test_logits_are_clamped_as_sam_2_clamps_them(segmenter: Sam2Segmenter) -> None:
    embedding = segmenter.embed(shapes()[0])
    strong: FloatArray = np.full((32, 32), 500, np.float32)
    for proposal in segmenter.propose(embedding, Prompt(points=click((72, 90, True))), strong):
        assert proposal.logits is not None
        assert np.abs(proposal.logits).max() <= 32


def test_a_folder_without_a_model_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=r"holds no config\.json"):
        load_network(tmp_path, "mine")


@pytest.mark.parametrize(
    ("config", "weights", "message"),
    [
        ("{}", None, "cannot be loaded"),
        ("not json", None, "cannot be loaded"),
        ('{"model_type": "resnet"}', None, "is a resnet model, expected sam2"),
        (None, b"junk", "cannot be loaded"),
        (None, None, "cannot be loaded"),
    ],
)
def test_damaged_folders_fail_with_one_line(
    tmp_path: Path, config: str | None, weights: bytes | None, message: str
) -> None:
    (tmp_path / "config.json").write_text(config or (FOLDER / "config.json").read_text())
    if weights is not None:
        (tmp_path / "model.safetensors").write_bytes(weights)
    with pytest.raises(ModelFailed, match=message) as caught:
        load_network(tmp_path, "mine")
    assert "\n" not in str(caught.value)


def test_a_model_that_lacks_weights_is_not_run_on_random_ones(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    kept = load_file(FOLDER / "model.safetensors")
    del kept["mask_decoder.iou_token.weight"]
    save_file(kept, tmp_path / "model.safetensors", metadata={"format": "pt"})
    (tmp_path / "config.json").write_text((FOLDER / "config.json").read_text())
    with pytest.raises(ModelFailed, match=r"1 weights are missing, mask_decoder\.iou_token\.weight first"):
        load_network(tmp_path, "mine")


def test_a_checkpoint_of_the_video_model_is_read_as_the_official_ones_are(
    tmp_path: Path, segmenter: Sam2Segmenter
) -> None:
    from transformers import Sam2VideoConfig, Sam2VideoModel

    parts = segmenter.network.config
    narrow = dict.fromkeys(
        (
            "memory_attention_hidden_size",
            "memory_attention_feed_forward_hidden_size",
            "memory_encoder_hidden_size",
            "memory_encoder_output_channels",
            "mask_downsampler_embed_dim",
            "memory_fuser_embed_dim",
            "memory_fuser_intermediate_dim",
        ),
        32,
    )
    config = Sam2VideoConfig(
        vision_config=parts.vision_config.to_dict(),
        prompt_encoder_config=parts.prompt_encoder_config.to_dict(),
        mask_decoder_config=parts.mask_decoder_config.to_dict(),
        image_size=128,
        **narrow,
    )
    video = Sam2VideoModel(config)
    video.save_pretrained(tmp_path)
    read = load_network(tmp_path, "video")
    assert torch.equal(read.mask_decoder.iou_token.weight, video.mask_decoder.iou_token.weight)
    assert torch.equal(read.vision_encoder.neck.convs[0].weight, video.vision_encoder.neck.convs[0].weight)


@pytest.mark.slow
def test_torchvision_is_not_needed() -> None:
    script = (
        "import sys; sys.modules['torchvision'] = None\n"
        "import numpy as np\n"
        "from whyseg.curation.segmenters import choose\n"
        "from whyseg.schemas import Point, Prompt\n"
        "segmenter, reason = choose('sam2', model='tiny-test')\n"
        "embedding = segmenter.embed(np.zeros((40, 50, 3), np.uint8))\n"
        "print(len(segmenter.propose(embedding, Prompt(points=(Point(x=20, y=20),)))))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "3", done.stderr
    assert done.stderr == ""


def test_many_prompts_at_once_are_answered_as_one_by_one(segmenter: Sam2Segmenter) -> None:
    embedding = segmenter.embed(shapes()[0])
    box = Box(x0=144, y0=54, x1=216, y1=126)
    forms = [
        Prompt(points=click((180, 90, True))),
        Prompt(box=box),
        Prompt(points=click((180, 90, True)), box=box),
        Prompt(points=click((180, 90, True), (72, 90, False))),
    ]
    moved = [Prompt(points=click((60 + 3 * k, 80, True)), box=box) for k in range(5)]
    prompts = [forms[0], *moved[:3], *forms[1:], *moved[3:], forms[0]]
    for together in (1, 2, 16):
        found = segmenter.propose_many(embedding, prompts, together=together)
        for prompt, many in zip(prompts, found, strict=True):
            alone = segmenter.propose(embedding, prompt)
            assert [one.score for one in many] == pytest.approx([one.score for one in alone], abs=1e-4)
            assert iou(full(many[0], embedding.size), full(alone[0], embedding.size)) > 0.999
    assert segmenter.propose_many(embedding, []) == []


def test_an_embedding_from_disk_gives_the_same_masks(segmenter: Sam2Segmenter, tmp_path: Path) -> None:
    image, _ = shapes()
    fresh = segmenter.embed(image)
    kept = KeptEmbeddings(tmp_path, spare=0)
    kept.keep(segmenter, "a", fresh)
    again = kept.load(Sam2Segmenter(FOLDER, "tiny-test", device="cpu"), "a")
    assert again is not None
    assert again.size == fresh.size
    for x, y in ((72.0, 90.0), (180.0, 90.0), (20.0, 20.0)):
        prompt = Prompt(points=click((x, y, True)))
        both = (full(segmenter.propose(one, prompt)[0], (180, 240)) for one in (fresh, again))
        assert iou(*both) >= 0.99
