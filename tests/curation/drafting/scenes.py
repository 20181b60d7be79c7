"""Scenes for tests: labelled boxes, filled."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from whyseg.schemas import Mask, QueryDraft, Scene, SceneObject

CORPUS = Path(__file__).parent / "corpus"
SIZE = (100, 200)
FILLED = 0.6  # share of a box that an object of the corpus fills


def thing(
    label: str, x0: int, y0: int, x1: int, y1: int, *, target: bool = False, size: tuple[int, int] = SIZE
) -> SceneObject:
    """Return an object that fills its box."""
    bitmap = np.zeros(size, bool)
    bitmap[y0:y1, x0:x1] = True
    return SceneObject(
        label=label, box=(x0, y0, x1, y1), area=(x1 - x0) * (y1 - y0), target=target, mask=Mask.encode(bitmap)
    )


def scene(*things: SceneObject) -> Scene:
    return Scene(size=SIZE, objects=things)


@dataclass(frozen=True)
class Case:
    """A draft of the corpus, its scene, and what is wrong with it, if anything."""

    name: str
    scene: Scene
    draft: QueryDraft
    fault: str | None


def cases(half: str) -> Iterator[Case]:
    """Yield the drafts of ``seen`` or ``unseen``."""
    for picture in json.loads((CORPUS / f"{half}.json").read_text()):
        for number, entry in enumerate(picture["drafts"]):
            yield Case(f"{picture['name']}/{number}", _scene(picture, entry), _draft(picture, entry), entry["fault"])


def _scene(picture: dict[str, Any], entry: dict[str, Any]) -> Scene:
    objects = [
        SceneObject(
            label=value["label"],
            box=tuple(value["box"]),
            area=round(FILLED * (value["box"][2] - value["box"][0]) * (value["box"][3] - value["box"][1])),
            target=key in entry["target"],
        )
        for key, value in picture["objects"].items()
    ]
    return Scene(size=tuple(picture["size"]), objects=tuple(objects))


def _draft(picture: dict[str, Any], entry: dict[str, Any]) -> QueryDraft:
    return QueryDraft(
        text=entry["query"],
        reasoning_type=entry["type"],
        depth=entry["depth"],
        hops=tuple(entry["hops"]),
        label=picture["objects"][entry["target"][0]]["label"],
        drafter="corpus",
        model="corpus",
        prompt_hash="",
    )
