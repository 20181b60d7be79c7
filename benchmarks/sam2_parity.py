"""Do the segmenters `sam2` and `sam2-package` answer alike, on the same weights?

A model of Meta's code with random weights is saved as its trainer saves them, converted by ``whyseg models convert
sam2``, and asked about a photograph beside the converted one. Every weight is moved a little from where it starts, for
many start at 0 or 1, and two that were mixed up would not show. It wants Meta's ``sam2`` package, in an environment of
its own; without it, it says so and does nothing.
"""

import importlib
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image as PilImage

from benchmarks.machine import describe, line
from benchmarks.rows import Row, options, show, write
from whyseg.curation.segmenters.base import RgbArray, Segmenter
from whyseg.curation.segmenters.enlarge import LogitsProposal, pixels_of
from whyseg.curation.segmenters.sam2 import STD, Sam2Segmenter, decode_all
from whyseg.curation.segmenters.sam2 import pixels_of as squashed
from whyseg.curation.segmenters.sam2_convert import convert
from whyseg.curation.segmenters.sam2_package import Sam2PackageSegmenter, package
from whyseg.schemas import Box, Point, Prompt
from whyseg.schemas.errors import ModelUnavailable

NUDGE = 0.02


def stand_in_for_torchvision() -> None:
    """Declare the two compiled operators that torchvision asks for when imported, and SAM 2 never calls.

    So a torchvision that was built for another torch can be imported.
    """
    for name in ("nms", "qnms"):
        torch.library.define(f"torchvision::{name}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")


def random_model(build: Any, config: str, seed: int) -> Any:
    """Return a model of Meta's code with random weights, none of them where it starts."""
    torch.manual_seed(seed)
    model = build(f"configs/sam2.1/{config}.yaml", device="cpu", apply_postprocessing=False)
    with torch.no_grad():
        for tensor in (*model.parameters(), *model.buffers()):
            tensor.add_(NUDGE * torch.randn_like(tensor))
    return model


def prompts(width: int, height: int) -> dict[str, Prompt]:
    """Return the prompts that are asked, by what they are."""
    lone = Point(x=width // 3, y=height // 2)
    off = Point(x=width - 5, y=4, positive=False)
    box = Box(x0=width * 0.2, y0=height * 0.15, x1=width * 0.7, y1=height * 0.9)
    return {
        "a point": Prompt(points=(lone,)),
        "a point on and one off": Prompt(points=(lone, off)),
        "a box": Prompt(box=box),
        "a box and two points": Prompt(points=(lone, off), box=box),
    }


def pixels(theirs: Sam2PackageSegmenter, image: RgbArray) -> float:
    """Return the greatest difference of the pixels that the two encoders are shown, in steps of 1/255."""
    seen = theirs.embed(image).predictor._transforms(image).numpy()
    apart = np.abs(seen - squashed(image, 1024)).max((1, 2)) * np.array(STD)
    return float(apart.max() * 255)


def features(theirs: Any, ours: Sam2Segmenter, image: RgbArray) -> list[float]:
    """Return the greatest difference of each feature map over its greatest value, on the same pixels."""
    pixels = torch.from_numpy(squashed(image, 1024))[None]
    with torch.inference_mode():
        got = ours.network.get_image_embeddings(pixels)
        found = theirs.forward_image(pixels)
        maps = found["backbone_fpn"]
        maps[-1] = maps[-1] + theirs.no_mem_embed.transpose(1, 2)[..., None]
    return [float((one - other).abs().max() / other.abs().max()) for one, other in zip(got, maps, strict=True)]


def decoded(theirs: Any, ours: Sam2Segmenter, image: RgbArray) -> tuple[float, float]:
    """Return the greatest differences of logits and scores of a box and a point, of the same feature maps."""
    pixels = torch.from_numpy(squashed(image, 1024))[None]
    point, box = torch.tensor([[[300.0, 400.0]]]), torch.tensor([[[100.0, 200.0], [700.0, 900.0]]])
    with torch.inference_mode():
        maps = ours.network.get_image_embeddings(pixels)
        got = decode_all(
            ours.network,
            image_embeddings=maps,
            input_points=point[:, None],
            input_labels=torch.ones(1, 1, 1, dtype=torch.int),
            input_boxes=box.reshape(1, 1, 4),
        )
        sparse, dense = theirs.sam_prompt_encoder(
            points=(torch.cat([box, point], 1), torch.tensor([[2, 3, 1]])), boxes=None, masks=None
        )
        logits, scores, _, _ = theirs.sam_mask_decoder.predict_masks(
            image_embeddings=maps[-1],
            image_pe=theirs.sam_prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            repeat_image=False,
            high_res_features=maps[:-1],
        )
    return float((got[0][0] - logits).abs().max()), float((got[1][0] - scores).abs().max())


def compared(ours: Segmenter, theirs: Segmenter, image: RgbArray) -> dict[str, dict[str, float]]:
    """Return, for each prompt and for one that refines, how far the two segmenters' answers are apart."""
    one, other = ours.embed(image), theirs.embed(image)
    found = {}
    for what, prompt in prompts(image.shape[1], image.shape[0]).items():
        found[what] = _apart(ours.propose(one, prompt), theirs.propose(other, prompt))
    lone, two = (prompts(image.shape[1], image.shape[0])[name] for name in ("a point", "a point on and one off"))
    previous = theirs.propose(other, lone)[0].logits
    found["two points and the logits before"] = _apart(
        ours.propose(one, two, previous), theirs.propose(other, two, previous)
    )
    return found


def _apart(ours: Sequence[Any], theirs: Sequence[Any]) -> dict[str, float]:
    assert len(ours) == len(theirs)
    worst = {"logits": 0.0, "spread": 0.0, "scores": 0.0, "iou": 1.0}
    for proposal in ours:  # scores of random weights are close to one another, so the order says little
        near = min(theirs, key=lambda other: float(np.abs(other.logits - proposal.logits).max()))
        masks = [_mask(proposal), _mask(near)]
        iou = (
            (masks[0] & masks[1]).sum() / max(1, (masks[0] | masks[1]).sum()) if masks[0].any() or masks[1].any() else 1
        )
        worst["logits"] = max(worst["logits"], float(np.abs(near.logits - proposal.logits).max()))
        worst["spread"] = max(worst["spread"], float(np.ptp(near.logits)))
        worst["scores"] = max(worst["scores"], abs(near.score - proposal.score))
        worst["iou"] = min(worst["iou"], float(iou))
    return worst


def _mask(proposal: LogitsProposal) -> Any:
    (x, y, width, height), inside = pixels_of(*proposal.runs())
    mask = np.zeros(proposal.size, bool)
    mask[y : y + height, x : x + width] = inside
    return mask


def main() -> None:
    parser = options(__doc__, "sam2_parity")
    parser.add_argument("--picture", type=Path, help="a photograph; scikit-image's coffee cup unless given")
    parser.add_argument("--config", default="sam2.1_hiera_t", help="default %(default)s")
    asked = parser.parse_args()
    try:
        importlib.import_module("torchvision")
    except ImportError:
        pass
    except RuntimeError:
        stand_in_for_torchvision()
    try:
        build, _ = package()
    except ModelUnavailable as error:
        print(f"nothing compared: {error}")
        return
    image = picture(asked.picture)
    with tempfile.TemporaryDirectory() as folder:
        file, out = Path(folder) / "random.pt", Path(folder) / "random"
        model = random_model(build, asked.config, seed=0)
        torch.save({"model": model.state_dict()}, file)
        convert(file, out)
        ours, theirs = Sam2Segmenter(out, "converted", "cpu"), Sam2PackageSegmenter(file, "random.pt", "cpu")
        maps = features(theirs.network, ours, image)
        logits, scores = decoded(theirs.network, ours, image)
        segmenters = compared(ours, theirs, image)
        seen = pixels(theirs, image)
    rows = [
        Row(what="pixels that the encoders are shown: greatest difference", unit="1/255", value=seen),
        Row(what="feature maps, same pixels: greatest difference", unit="of the greatest value", value=max(maps)),
        Row(what="logits, same feature maps: greatest difference", unit="logits", value=logits),
        Row(what="scores, same feature maps: greatest difference", unit="IoU", value=scores),
    ]
    for what, apart in segmenters.items():
        rows += [
            Row(what=f"segmenters, {what}: lowest IoU of a candidate", unit="IoU", value=round(apart["iou"], 6)),
            Row(what=f"segmenters, {what}: greatest difference of scores", unit="IoU", value=apart["scores"]),
        ]
    machine = describe("torch", "torchvision", "transformers", "sam2")
    print(line(machine))
    show(rows)
    write(asked.out, rows, machine, quick=asked.quick, config=asked.config, size=list(image.shape[:2]), **segmenters)


def picture(path: Path | None) -> RgbArray:
    """Return a picture's pixels, by default those of a photograph that scikit-image ships."""
    if path is None:
        from skimage import data

        return np.ascontiguousarray(data.coffee())
    return np.ascontiguousarray(PilImage.open(path).convert("RGB"))


if __name__ == "__main__":
    main()
