"""What a vision-language model is told and shown when it drafts questions."""

import base64
import io
from typing import Any

import cv2
import numpy as np
from PIL import Image as PilImage

from whyseg.curation.drafting.base import RgbArray
from whyseg.schemas import ReasoningType, Scene, content_hash

LONGEST = 1024  # of the picture as it is sent, in pixels
CROP_LONGEST = 512
CROP_AROUND = 0.3  # of the target's box, on each side
JPEG_QUALITY = 88
_OUTLINE = (255, 0, 255)  # magenta: rare in photographs

TYPES = {
    ReasoningType.FUNCTION_PURPOSE: (
        "Function / purpose: the question asks what serves a purpose, what affords an action, what can be used or "
        "substituted for something."
    ),
    ReasoningType.COMMONSENSE: (
        "Commonsense / knowledge: answering needs knowledge of the world or of a field that the picture itself does "
        "not show."
    ),
    ReasoningType.COMPARATIVE_RELATIONAL: (
        "Comparative / relational: answering needs a comparison of candidates in the picture, a superlative, a place, "
        "a relation or an interaction between things."
    ),
    ReasoningType.COMPOSITIONAL: (
        "Compositional / multi-hop: several conditions must hold together (and, or, not), or one finding leads to the "
        "next."
    ),
}

SYSTEM = """\
You write questions for a reasoning-segmentation dataset: each question is implicit, and its answer is a set of pixels.
You see a photograph in which the target is outlined in magenta, then a crop around it. The outline is not part of the
photograph: never mention it. Everything in the question must be answerable from the photograph together with general
knowledge. Never name the target, neither by a synonym nor by a part of its name. Nothing else in the photograph may
fit the question. Reply with one JSON object and nothing else."""

USER = """\
The target: {target}.
Other things that are labelled in the photograph: {others}.
Wanted: {n} different questions of the type
  {type}
each with exactly {depth} steps of inference between question and target: write the steps in "hops", {depth} short
sentences, the last of which reaches the target. "query" is the question, "is_sentence" false if it is a noun phrase,
"answer" the target in a few words."""

SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["drafts"],
    "properties": {
        "drafts": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["query", "is_sentence", "hops", "answer"],
                "properties": {
                    "query": {"type": "string"},
                    "is_sentence": {"type": "boolean"},
                    "hops": {"type": "array", "items": {"type": "string"}},
                    "answer": {"type": "string"},
                },
            },
        }
    },
}


def prompt_hash(model: str, reasoning_type: ReasoningType, depth: int, n: int) -> str:
    """Return the hash of everything a model is told, but for what the picture holds."""
    return content_hash([model, SYSTEM, USER, SCHEMA, TYPES[reasoning_type], depth, n, LONGEST, CROP_LONGEST])


def instructions(scene: Scene, reasoning_type: ReasoningType, depth: int, n: int) -> str:
    """Return the text beside the pictures."""
    others = "; ".join(f"{thing.label or 'unnamed'} ({_place(thing.centre, scene)})" for thing in scene.others[:40])
    target = " and ".join(
        f"{thing.label or 'the outlined thing'} ({_place(thing.centre, scene)})" for thing in scene.targets
    )
    return USER.format(target=target, others=others or "none", n=n, type=TYPES[reasoning_type], depth=depth)


def _place(centre: tuple[float, float], scene: Scene) -> str:
    height, width = scene.size
    column = ("left", "middle", "right")[min(2, int(3 * centre[0] / width))]
    return f"{('top', 'centre', 'bottom')[min(2, int(3 * centre[1] / height))]} {column}"


def pictures(image: RgbArray, scene: Scene) -> tuple[PilImage.Image, PilImage.Image]:
    """Return the picture with its targets outlined, at most 1024 pixels long, and the crop around them.

    ``image``: uint8 (H, W, 3), RGB, of the scene's size.
    """
    outlined = np.ascontiguousarray(image).copy()
    thickness = max(2, round(max(scene.size) / 300))
    for thing in scene.targets:
        x0, y0, x1, y1 = thing.box
        if thing.mask is None:
            cv2.rectangle(outlined, (x0, y0), (x1 - 1, y1 - 1), _OUTLINE, thickness)
            continue
        edges, _ = cv2.findContours(thing.mask.decode().astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(outlined, edges, -1, _OUTLINE, thickness)
    x0, y0, x1, y1 = _around(scene)
    return _shrunk(outlined, LONGEST), _enlarged(image[y0:y1, x0:x1], CROP_LONGEST)


def _around(scene: Scene) -> tuple[int, int, int, int]:
    boxes = np.array([thing.box for thing in scene.targets])
    (x0, y0), (x1, y1) = boxes[:, :2].min(0).tolist(), boxes[:, 2:].max(0).tolist()
    dx, dy = CROP_AROUND * (x1 - x0) + 8, CROP_AROUND * (y1 - y0) + 8
    height, width = scene.size
    return max(0, int(x0 - dx)), max(0, int(y0 - dy)), min(width, int(x1 + dx)), min(height, int(y1 + dy))


def _shrunk(pixels: RgbArray, longest: int) -> PilImage.Image:
    picture = PilImage.fromarray(pixels)
    picture.thumbnail((longest, longest), PilImage.Resampling.LANCZOS)
    return picture


def _enlarged(pixels: RgbArray, longest: int) -> PilImage.Image:
    picture = PilImage.fromarray(np.ascontiguousarray(pixels))
    scale = longest / max(picture.size)
    return picture.resize(
        (max(1, round(picture.width * scale)), max(1, round(picture.height * scale))), PilImage.Resampling.BICUBIC
    )


def data_url(picture: PilImage.Image) -> str:
    """Return a picture as a JPEG in a data URL."""
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=JPEG_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
