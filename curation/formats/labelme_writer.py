"""A release as labelme's files: a picture and a JSON for each sample, in folders named after the splits.

Polygons run through pixel centres, as labelme draws them; holes lie behind bridges, and the parts of an instance share
its id as ``group_id``. What labelme has no place for lies under ``whyseg``, which labelme keeps when it saves a file.
"""

import base64
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from whyseg.curation.exporting import REWRITTEN, Loss, Part, Row, plan_evenly
from whyseg.curation.formats import lisa, own
from whyseg.curation.formats.labelme_shapes import paint
from whyseg.curation.formats.packed import packed_row, readable_name
from whyseg.curation.formats.polygons import IntArray, cut, merged, trace_pixels
from whyseg.schemas import Instance, Mask, Release, ReleaseItem

VERSION = "5.5.0"  # of labelme, whose fields these are; from 5.3 on it knows masks
NAMELESS = "object"  # the label of instances without one
IGNORE = "__ignore__"
MOST_PARTS = 100  # of a mask: with more, polygons take megabytes, and nobody edits them by hand


def written_label(instance: Instance) -> str:
    """Return the label that an instance's shapes get: its own, unless it has none or one that says ignore."""
    return instance.label if instance.label and not lisa.ignores(instance.label) else NAMELESS


class LabelmeWriter:
    """Writes labelme's files; see the module. A mask that no polygon gives exactly becomes a shape of type mask."""

    format = "labelme"
    limits: tuple[str, ...] = (
        "reviews and earlier revisions",
        "questions, reasoning type, hops and depth but under 'whyseg', which labelme keeps and does not show",
    )

    def options(self) -> dict[str, object]:
        """Return nothing: there is no choice."""
        return {}

    def plan(self, items: Sequence[ReleaseItem]) -> list[Part]:
        """Cut the items into parts of a hundred."""
        return plan_evenly(items)

    def write(self, part: Part, rows: Iterator[Row], folder: Path) -> tuple[int, list[Loss]]:
        """Write the pictures and JSON files of a part."""
        count, losses = 0, list[Loss]()
        for row in rows:
            home = folder / row.split
            home.mkdir(parents=True, exist_ok=True)
            name, (picture, suffix) = readable_name(row), row.picture
            shapes, lost = _shapes(row)
            data = {
                "version": VERSION,
                "flags": {},
                "shapes": shapes,
                "imagePath": f"{name}{suffix}",
                "imageData": None,
                "imageHeight": row.image.height,
                "imageWidth": row.image.width,
                own.KEY: packed_row(row),
            }
            (home / f"{name}{suffix}").write_bytes(picture)
            (home / f"{name}.json").write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")
            losses += lost
            count += 1
        return count, losses

    def finish(self, release: Release, parts: Sequence[Part], folder: Path) -> None:
        """Write nothing: no file speaks of all parts."""


def _shapes(row: Row) -> tuple[list[dict[str, Any]], list[Loss]]:
    """Return the shapes of a sample, and what of it they do not carry."""
    sample, losses = row.sample, list[Loss]()
    if row.rewritten:
        losses.append(Loss(sample_id=sample.id, what=REWRITTEN))
    shapes = []
    for one in sample.instances:
        label = written_label(one)
        if one.label and label != one.label:
            what = f"the label {one.label!r} is written as {label!r}, for it would mark pixels to ignore"
            losses.append(Loss(sample_id=sample.id, what=what))
        found, why = _drawn(one.mask, label, one.id)
        shapes += found
        if why:
            losses.append(Loss(sample_id=sample.id, what=f"instance {one.id} is a mask: {why}"))
    if sample.ignore is not None:
        found, why = _drawn(sample.ignore, IGNORE, None)
        shapes += found
        if why:
            losses.append(Loss(sample_id=sample.id, what=f"the ignore region is a mask: {why}"))
    return shapes, losses


def _drawn(mask: Mask, label: str, group: int | None) -> tuple[list[dict[str, Any]], str]:
    """Return the shapes of a mask, and why they are no polygons; nothing where they are."""
    patch = cut(mask)
    rings = trace_pixels(patch)
    if not rings:
        return [], ""
    why = f"it has {len(rings)} parts" if len(rings) > MOST_PARTS else "no polygon gives its pixels"
    if len(rings) <= MOST_PARTS:
        painted = [paint("polygon", ring.astype(np.float64), mask.size) for ring in rings]
        if merged(painted).same(patch):
            return [_shape(label, group, "polygon", ring) for ring in rings], ""
    height, width = patch.pixels.shape
    corners = [[patch.left, patch.top], [patch.left + width - 1, patch.top + height - 1]]
    png = cv2.imencode(".png", patch.pixels.astype(np.uint8))[1].tobytes()
    shape = _shape(label, group, "mask", np.array(corners, np.int32))
    return [{**shape, "mask": base64.b64encode(png).decode()}], why


def _shape(label: str, group: int | None, kind: str, points: IntArray) -> dict[str, Any]:
    return {
        "label": label,
        "points": points.tolist(),
        "group_id": group,
        "description": "",
        "shape_type": kind,
        "flags": {},
        "mask": None,
    }
