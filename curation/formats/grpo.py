"""``grpo`` out: the training set that VisionReasoner's and StAR's loaders open, in their frame of 840 × 840 pixels.

They call ``datasets.load_from_disk(path)["train"]``, so this is what ``DatasetDict.save_to_disk`` leaves: a folder a
split with Arrow streams and two JSON files. Columns are those of their sets: ``id``, ``problem`` (the question),
``solution`` (a JSON list of ``{"bbox_2d": [x1, y1, x2, y2], "point_2d": [x, y]}``, one an object, boxes half-open),
``image``, ``img_height`` and ``img_width`` (the original size); ``solution_rle`` is ours, ``solution_mask`` StAR's.

Pictures are resized by Pillow's Lanczos filter, which of its filters keeps most (PSNR after scaling back). Of nearest,
linear and area in either direction the pair of `framed` and `unframed` keeps most of a mask, or an IoU within 0.005 of
the most: all of it where both sides are at most 840, else the more the larger the object (at 1920×1080 an IoU of 0.91
for one of 16 pixels' radius, 0.97 for 54, 0.99 for 270).
"""

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from PIL import Image as PilImage

from whyseg.curation.blobs import write_atomically
from whyseg.curation.exporting import Loss, Part, Row
from whyseg.curation.formats.geometry import deepest_pixel, picture_png, pixels_of
from whyseg.curation.formats.hub_schema import IMAGE, Column, arrow_schema, spelled
from whyseg.curation.images import read_upright
from whyseg.schemas import Mask, Release, ReleaseItem, Split, content_hash
from whyseg.schemas.mask import BoolArray
from whyseg.schemas.release import SPLITS

if TYPE_CHECKING:
    import pyarrow as pa

SIDE = 840  # of the frame, in pixels
COLUMNS: dict[str, Column] = {
    "id": "string",
    "problem": "string",
    "solution": "string",
    "image": IMAGE,
    "img_height": "int64",
    "img_width": "int64",
    "solution_rle": [{"size": ["int32"], "counts": "string"}],  # size: height, width
}
_PER_PART = 250  # samples: about 250 MB of pictures
_BATCH_BYTES = 32_000_000


class GrpoWriter:
    """The format ``grpo``; ``bool_masks`` adds StAR's ``solution_mask``, at 88 kB an object."""

    format = "grpo"
    limits: tuple[str, ...] = (
        "pictures in their own size",
        "reasoning types, depth and hops",
        "paraphrases, and whether a question is a sentence",
        "ignore regions",
        "instances' labels, prompts, outlines and origins",
        "sources, file names, licences and reviews",
    )

    def __init__(self, *, bool_masks: bool = False, per_part: int = _PER_PART) -> None:
        self.bool_masks, self.per_part = bool_masks, per_part
        self._picture: tuple[str, bytes] = ("", b"")

    def options(self) -> dict[str, object]:
        """Return what there is to choose."""
        return {"bool_masks": self.bool_masks, "per_part": self.per_part}

    def plan(self, items: Sequence[ReleaseItem]) -> list[Part]:
        """Cut each split into files of ``per_part`` samples; train has one even when it is empty."""
        parts = []
        for split in SPLITS:
            own = [item for item in items if item.split == split]
            count = max(-(-len(own) // self.per_part), split == "train")
            parts += [
                Part(_name(split, number, count), tuple(own[number * self.per_part : (number + 1) * self.per_part]))
                for number in range(count)
            ]
        return parts

    def write(self, part: Part, rows: Iterator[Row], folder: Path) -> tuple[int, list[Loss]]:
        """Write the part's Arrow stream, batch by batch."""
        import pyarrow as pa

        schema, losses, written = arrow_schema(self._columns()), list[Loss](), 0
        split, _, name = part.name.partition("-")
        path = folder / split / f"data-{name}.arrow"
        path.parent.mkdir(exist_ok=True)
        with path.open("wb") as file:
            with pa.ipc.new_stream(file, schema) as out:
                for batch in _batches(self._plain(row, losses) for row in rows):
                    out.write_batch(_arrow(batch, schema))
                    written += len(batch)
            file.flush()
            os.fsync(file.fileno())
        return written, losses

    def finish(self, release: Release, parts: Sequence[Part], folder: Path) -> None:
        """Write the JSON files that `datasets.load_from_disk` reads."""
        files: dict[str, list[str]] = {}
        for part in parts:
            split, _, name = part.name.partition("-")
            files.setdefault(split, []).append(f"data-{name}.arrow")
        for split, names in files.items():
            key = content_hash([release.hash, split, self.options()])
            state: dict[str, Any] = {
                "_data_files": [{"filename": name} for name in names],
                "_fingerprint": key.removeprefix("sha256:")[:16],
                "_format_columns": None,
                "_format_kwargs": {},
                "_format_type": None,
                "_output_all_columns": False,
                "_split": split,
            }
            about = {key: "" for key in ("citation", "description", "homepage", "license")}
            _put(folder / split / "dataset_info.json", {**about, "features": spelled(self._columns())})
            _put(folder / split / "state.json", state)
        _put(folder / "dataset_dict.json", {"splits": list(files)})

    def _columns(self) -> dict[str, Column]:
        return {**COLUMNS, "solution_mask": [[["bool"]]]} if self.bool_masks else COLUMNS

    def _plain(self, row: Row, losses: list[Loss]) -> dict[str, Any] | None:
        """Return a row as plain data, ``solution_mask`` as bool (objects, 840, 840); None when it is left out."""
        sample, image = row.sample, row.image
        shown = [instance for instance in sample.instances if instance.mask.area]
        if sample.query is None or not (shown or sample.no_target):
            lacks = "it has no question" if sample.query is None else "no mask answers its question"
            losses.append(Loss(sample_id=sample.id, what=f"left out: {lacks}", iou=0.0))
            return None
        hidden = [instance.id for instance in sample.instances if not instance.mask.area]
        losses += [Loss(sample_id=sample.id, what=f"instance {key} has no pixels and is left out") for key in hidden]
        originals = [pixels_of(instance.mask) for instance in shown]
        masks = [framed(pixels) for pixels in originals]
        if (kept := _kept(originals, masks)) < 1:
            losses.append(Loss(sample_id=sample.id, what=f"the mask in {SIDE} × {SIDE} pixels is coarser", iou=kept))
        rles = [Mask.encode(mask) for mask in masks]
        return {
            "id": sample.id,
            "problem": sample.query.text,
            "solution": json.dumps([_answer(mask, rle) for mask, rle in zip(masks, rles, strict=True)]),
            "image": {"bytes": self._resized(row), "path": f"{image.id}.png"},
            "img_height": image.height,
            "img_width": image.width,
            "solution_rle": [{"size": list(rle.size), "counts": rle.counts} for rle in rles],
            "solution_mask": masks,
        }

    def _resized(self, row: Row) -> bytes:
        """Return the picture in the frame as PNG; samples on one image follow each other."""
        if self._picture[0] != row.image.id:
            pixels = PilImage.fromarray(read_upright(row.read(), row.image.file_name).pixels)
            resized = pixels.resize((SIDE, SIDE), PilImage.Resampling.LANCZOS)
            self._picture = (row.image.id, picture_png(np.asarray(resized)))
        return self._picture[1]


def framed(pixels: BoolArray, side: int = SIDE) -> BoolArray:
    """Return a mask, bool (H, W), in the frame: bool (side, side).

    Where a side gets shorter, a pixel belongs to it when half of its area does; where none does, those with the
    largest share. Where a side gets longer, pixels repeat, and `unframed` brings back every one.
    """
    height, width = pixels.shape
    fitting = (min(width, side), min(height, side))
    share = cv2.resize(np.ascontiguousarray(pixels, np.float32), fitting, interpolation=cv2.INTER_AREA)
    small = share >= min(0.5, float(share.max()) or 0.5)
    return _repeated(small, (side, side))


def unframed(mask: BoolArray, size: tuple[int, int]) -> BoolArray:
    """Return a mask of the frame, bool (840, 840), in a picture's own (height, width)."""
    fitting = _repeated(mask, (min(size[0], SIDE), min(size[1], SIDE)))
    values = cv2.resize(fitting.astype(np.float32), size[::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(values >= 0.5)


def _repeated(mask: BoolArray, size: tuple[int, int]) -> BoolArray:
    return np.asarray(cv2.resize(mask.view(np.uint8), size[::-1], interpolation=cv2.INTER_NEAREST_EXACT)).view(bool)


def _kept(originals: Sequence[BoolArray], masks: Sequence[BoolArray]) -> float:
    """Return the IoU of the masks' union before and after the frame, in [0, 1]."""
    if not originals:
        return 1.0
    before = np.logical_or.reduce(originals)
    after = unframed(np.logical_or.reduce(masks), before.shape)
    return int((before & after).sum()) / int((before | after).sum())


def _answer(mask: BoolArray, rle: Mask) -> dict[str, list[int]]:
    return {"bbox_2d": list(rle.box_xyxy), "point_2d": list(deepest_pixel(mask, rle.box_xyxy))}


def _batches(rows: Iterator[dict[str, Any] | None]) -> Iterator[list[dict[str, Any]]]:
    batch, filled = list[dict[str, Any]](), 0
    for row in rows:
        if row is None:
            continue
        batch.append(row)
        filled += len(row["image"]["bytes"]) + sum(mask.nbytes for mask in row["solution_mask"])
        if filled >= _BATCH_BYTES:
            yield batch
            batch, filled = [], 0
    if batch:
        yield batch


def _arrow(batch: list[dict[str, Any]], schema: "pa.Schema") -> "pa.RecordBatch":
    import pyarrow as pa

    columns = [
        _bools([row[field.name] for row in batch])
        if field.name == "solution_mask"
        else pa.array([row[field.name] for row in batch], field.type)
        for field in schema
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _bools(rows: list[list[BoolArray]]) -> "pa.ListArray":
    """Return lists of lists of lists of bool without a Python object a pixel."""
    import pyarrow as pa

    masks = [mask for row in rows for mask in row]
    flat = np.concatenate([mask.ravel() for mask in masks]) if masks else np.zeros(0, bool)
    lines = pa.ListArray.from_arrays(pa.array(np.arange(len(masks) * SIDE + 1) * SIDE, pa.int32()), pa.array(flat))
    squares = pa.ListArray.from_arrays(pa.array(np.arange(len(masks) + 1) * SIDE, pa.int32()), lines)
    ends = np.cumsum([0, *(len(row) for row in rows)])
    return pa.ListArray.from_arrays(pa.array(ends, pa.int32()), squares)


def _name(split: Split, number: int, count: int) -> str:
    return f"{split}-{number:05d}-of-{count:05d}"


def _put(path: Path, data: dict[str, Any]) -> None:
    write_atomically(path, json.dumps(data, indent=2).encode())
