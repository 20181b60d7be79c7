"""A policy's answers drawn on their picture: the mask that they come to, and the boxes and points behind it."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from whyseg.curation.asking import AskedAnswer, AskedObject, Vote
from whyseg.curation.formats.geometry import picture_png
from whyseg.curation.images import RgbArray
from whyseg.curation.report import overlay
from whyseg.schemas import Mask, Prompt
from whyseg.schemas.errors import UsageError
from whyseg.schemas.prompt import Point

BOX = (255, 214, 10)


def behind(answers: Sequence[AskedAnswer], vote: Vote | None) -> list[AskedObject]:
    """Return the objects whose masks count: those of the first answer, or of a vote's chosen clusters."""
    if vote is None:
        return list(answers[0].objects) if answers else []
    members = [member for cluster in vote.clusters if cluster.chosen for member in cluster.members]
    return [answers[answer].objects[place] for answer, place in members]


def draw_answer(pixels: RgbArray, mask: Mask | None, objects: Sequence[AskedObject]) -> RgbArray:
    """Return a copy of the picture, uint8 (H, W, 3), of its own size, with the mask tinted, boxes and points drawn."""
    height, width = pixels.shape[:2]
    points = [Point(x=x, y=y) for one in objects for x, y in one.points]
    drawn = overlay(pixels, [mask] if mask else [], [Prompt(points=tuple(points))], side=max(height, width))
    thick = max(1, round(max(height, width) / 400))
    for box in dict.fromkeys(one.box for one in objects if one.box):
        limits = np.array([width, height, width, height]) - 1
        x0, y0, x1, y1 = np.clip(np.round(np.array(box) - [0, 0, 1, 1]), 0, limits).astype(int).tolist()
        cv2.rectangle(drawn, (x0, y0), (x1, y1), BOX, thick)
    return drawn


def write_answer(path: Path, pixels: RgbArray, mask: Mask | None, objects: Sequence[AskedObject]) -> None:
    """Write what `draw_answer` draws as a PNG file; raises ``UsageError`` where none can be written."""
    data = picture_png(draw_answer(pixels, mask, objects))
    try:
        path.write_bytes(data)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}") from error
