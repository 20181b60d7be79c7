"""10,000 broken and hostile inputs: each is refused with a typed error or comes in whole, and nothing in between."""

import copy
import itertools
import json
import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.pictures import encoded, pixels
from whyseg.curation.formats.coco import import_coco
from whyseg.curation.formats.hub_layouts import import_hf
from whyseg.curation.formats.labelme import import_labelme
from whyseg.curation.formats.reasonseg import import_reasonseg
from whyseg.curation.importing import import_images
from whyseg.curation.intake import ImportReport
from whyseg.curation.verify import verify
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Mask
from whyseg.schemas.errors import WhysegError

Importer = Callable[..., ImportReport]
Mutant = Callable[[Path], bool]  # writes a source into an empty folder; False when no file can hold the values

HEIGHT, WIDTH = 30, 40
HOSTILE: tuple[Any, ...] = (
    None, True, False, -1, 0, 1, 3, 29.5, 1e9, -1e9, 1e30, 1e308, 5e-324, float("nan"), float("inf"), 2**31, 2**63,
    10**30, "", " ", "target", "ignore", "flag", "\x00", "\ud800", "../../etc/passwd", "/etc/passwd", "a\nb",
    "<script>hit()</script>", "${hit()}", "a" * 5000, [], {}, [[]], [[[]]], [1], [1, 2], [[1, 2]],
    [[1, 2], [3, 4], [5, 6]],
    [["x", "y"]], {"a": 1}, {"size": [1, 1], "counts": "1"}, {"size": [HEIGHT, WIDTH], "counts": [1200]},
    {"size": [HEIGHT, WIDTH], "counts": "o" * 50}, {"size": [10**6, 10**6], "counts": "0"},
)  # fmt: skip


def places(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    if isinstance(data, dict | list):
        for key in data if isinstance(data, dict) else range(len(data)):
            yield from places(data[key], (*path, key))


def changed(data: Any, rng: random.Random) -> Any:
    """Return a copy with one to three values replaced, removed, repeated or wrapped."""
    data = copy.deepcopy(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        path = rng.choice(list(places(data)))
        if not path:
            return copy.deepcopy(rng.choice(HOSTILE))
        *parents, last = path
        holder = data
        for key in parents:
            holder = holder[key]
        what = rng.random()
        if what < 0.6:
            holder[last] = copy.deepcopy(rng.choice(HOSTILE))
        elif what < 0.75:
            del holder[last]
        elif what < 0.9 and isinstance(holder, list):
            holder.insert(last, copy.deepcopy(rng.choice(holder)))
        else:
            holder[last] = [holder[last]]
    return data


def text_of(data: Any, rng: random.Random) -> bytes:
    """Return the JSON text of a changed document; of some, broken text."""
    text = json.dumps(changed(data, rng) if rng.random() < 0.85 else data).encode()
    what = rng.random()
    if what < 0.08:
        return text[: rng.randrange(len(text))]
    if what < 0.16:
        return flipped(text, rng)
    if what < 0.18:
        return b"[" * 100_000 + text
    if what < 0.2:
        return text.replace(b":", b": 1" + b"0" * 5000 + b', "x":', 1)
    return text


def flipped(data: bytes, rng: random.Random) -> bytes:
    found = bytearray(data)
    for _ in range(rng.randint(1, 8)):
        found[rng.randrange(len(found))] = rng.randrange(256)
    return bytes(found)


def picture() -> bytes:
    return encoded(pixels(HEIGHT, WIDTH))


RING = [[5.0, 5.0], [20.0, 5.0], [20.0, 20.0], [5.0, 20.0]]
REASONSEG: dict[str, Any] = {
    "text": ["what keeps the rain off?", "which thing is waterproof?"], "is_sentence": True,
    "shapes": [{"label": "target", "points": RING}, {"label": "ignore", "points": [[25, 5], [35, 5], [30, 25]]}],
}  # fmt: skip
LABELME: dict[str, Any] = {
    "version": "5.5.0", "flags": {}, "imagePath": "a.png", "imageData": None, "imageHeight": HEIGHT,
    "imageWidth": WIDTH,
    "shapes": [
        {"label": "cup", "points": RING, "group_id": 1, "shape_type": "polygon", "flags": {}},
        {"label": "cup", "points": [[25, 5], [35, 15]], "group_id": 1, "shape_type": "rectangle", "flags": {}},
        {"label": "lid", "points": [[10, 10], [10, 14]], "group_id": None, "shape_type": "circle", "flags": {}},
        {"label": "tap", "points": [[1, 1], [9, 3]], "group_id": None, "shape_type": "line", "flags": {}},
    ],
}  # fmt: skip
SQUARE = Mask.encode(np.pad(np.ones((6, 8)), ((4, HEIGHT - 10), (5, WIDTH - 13))))
COCO: dict[str, Any] = {
    "info": {}, "licenses": [{"id": 1, "name": "CC BY 4.0", "url": "x"}],
    "images": [{"id": 7, "file_name": "a.png", "height": HEIGHT, "width": WIDTH, "license": 1}],
    "categories": [{"id": 1, "name": "cup"}, {"id": 2, "name": "lid"}],
    "annotations": [
        {"id": 1, "image_id": 7, "category_id": 1, "iscrowd": 0, "bbox": [5, 5, 15, 15], "area": 225,
         "segmentation": [[5, 5, 20, 5, 20, 20, 5, 20]]},
        {"id": 2, "image_id": 7, "category_id": 2, "iscrowd": 1, "bbox": [0, 0, 1, 1], "area": 1,
         "segmentation": {"size": [HEIGHT, WIDTH], "counts": [100, 20, HEIGHT * WIDTH - 120]}},
        {"id": 3, "image_id": 7, "category_id": 2, "iscrowd": 0, "bbox": [0, 0, 1, 1], "area": 48,
         "segmentation": {"size": [HEIGHT, WIDTH], "counts": SQUARE.counts}},
    ],
}  # fmt: skip
HUB: tuple[dict[str, Any], ...] = (
    {"image": {"bytes": picture(), "path": None}, "text": "why?", "mask": SQUARE.decode().tolist(), "image_id": "7",
     "ann_id": "3", "img_height": HEIGHT, "img_width": WIDTH},
    {"id": "7", "problem": "why?", "solution": '[{"bbox_2d": [5, 5, 20, 20], "point_2d": [10, 10]}]',
     "image": {"bytes": picture(), "path": None}, "img_height": HEIGHT, "img_width": WIDTH},
    {"sample_id": "0" * 24, "image": {"bytes": picture(), "path": "a.png"}, "query": "why?", "alternates": ["how?"],
     "is_sentence": True, "instances": [{"rle": {"size": [HEIGHT, WIDTH], "counts": SQUARE.counts},
     "bbox_2d": [5, 4, 13, 10], "point_2d": [8, 7], "label": "cup"}], "ignore_rle": None, "no_target": False,
     "reasoning_type": "commonsense", "depth": 1, "hops": ["a cup holds"], "image_id": "0" * 64, "img_height": HEIGHT,
     "img_width": WIDTH, "source": "annotation", "license": None, "provenance": {"record": "{}"}},
)  # fmt: skip


def document(name: str, data: Any) -> Callable[[random.Random], Mutant]:
    def mutant(rng: random.Random) -> Mutant:
        text = text_of(data, rng)
        image = flipped(picture(), rng) if rng.random() < 0.05 else picture()

        def write(folder: Path) -> bool:
            (folder / name).write_bytes(text)
            (folder / "a.png").write_bytes(image)
            return True

        return write

    return mutant


def parquet(rng: random.Random) -> Mutant:
    row = rng.choice(HUB)
    rows = rng.choice(([changed(row, rng)], [changed(row, rng)], [changed(row, rng), row], [row]))
    broken = rng.random() < 0.3

    def write(folder: Path) -> bool:
        path = folder / "train-00000-of-00001.parquet"
        try:
            pq.write_table(pa.Table.from_pylist([found for found in rows if isinstance(found, dict)] or [row]), path)
        except (pa.ArrowException, TypeError, ValueError, OverflowError):
            return False
        if broken:
            path.write_bytes(flipped(path.read_bytes(), rng))
        return True

    return write


def broken_picture(rng: random.Random) -> Mutant:
    whole = encoded(pixels(HEIGHT, WIDTH), rng.choice(("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")))
    data = flipped(whole, rng) if rng.random() < 0.7 else whole[: rng.randrange(1, len(whole))]

    def write(folder: Path) -> bool:
        (folder / "a.png").write_bytes(data)
        return True

    return write


@pytest.mark.slow
@pytest.mark.parametrize(
    ("importer", "mutants", "count"),
    [
        (import_reasonseg, document("a.json", REASONSEG), 2500),
        (import_labelme, document("a.json", LABELME), 2500),
        (import_coco, document("instances.json", COCO), 3000),
        (import_hf, parquet, 1500),
        (import_images, broken_picture, 500),
    ],
    ids=["reasonseg", "labelme", "coco", "hf", "images"],
)
def test_every_mutated_input_is_refused_or_comes_in_whole(
    importer: Importer, mutants: Callable[[random.Random], Mutant], count: int, tmp_path: Path
) -> None:
    ends = Counter[str]()
    folder = tmp_path / "in"
    with Workspace.create(tmp_path / "workspace") as workspace:
        for seed in itertools.count():
            folder.mkdir()
            if mutants(random.Random(seed))(folder):
                ends[end(workspace, importer, folder, seed)] += 1
            shutil.rmtree(folder)
            if ends.total() == count:
                break
        assert verify(workspace) == []
        stored = set(workspace.blobs.keys())
        assert stored == set(workspace.store.images())  # no picture without a record, no record without a picture
    print(f"{importer.__name__}: {dict(ends)}")
    assert ends["added"] > 0
    assert ends["refused"] > count / 20


def end(workspace: Workspace, importer: Importer, folder: Path, seed: int) -> str:
    before = workspace.store.stats()
    try:
        report = importer(workspace, folder, author="ann")
    except WhysegError:
        assert workspace.store.stats() == before
        return "refused"
    except Exception as error:
        raise AssertionError(f"seed {seed}: {type(error).__name__}: {error}") from error
    after = workspace.store.stats()
    assert after.samples - before.samples == report.added, f"seed {seed}"
    if report.added:
        return "added"
    return "refused" if report.refused else "skipped" if report.skipped else "ignored"
