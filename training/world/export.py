"""The world as a dataset on the disk: parquet files as ``whyseg export hf`` writes them, and what was planted in them.

`datasets.load_dataset` and ``whyseg import hf`` open the folder. ``planted.json`` holds the truth of each sample with a
mistake, apart from the data, for whoever measures how many mistakes are found.
"""

import errno
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from whyseg.curation.blobs import sync_folder, write_atomically
from whyseg.curation.exporting import Part, Row, held
from whyseg.curation.formats.parquet import ParquetWriter
from whyseg.schemas import Mask, Split
from whyseg.schemas.errors import StoreUnavailable, UsageError
from whyseg.schemas.record import Record
from whyseg.schemas.release import SPLITS
from whyseg.training.world.dataset import World, WorldItem, make_item

PLANTED = "planted.json"
_SHARD = 10_000  # samples a file


class WorldReport(Record):
    """What was written: samples by split, by reasoning type and depth, with nothing to find, by planted mistake."""

    out: str
    seed: int
    samples: int
    splits: dict[Split, int]
    cells: dict[str, dict[int, int]]
    no_target: int
    planted: dict[str, int]


def write_world(
    out: Path,
    n: int,
    seed: int,
    world: World,
    *,
    splits: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> WorldReport:
    """Write ``n`` samples to the new folder ``out``, which takes its name when it is complete.

    ``splits``: eight of ten samples for training, one for validation, one for the test; else all are for training.
    Raises ``UsageError`` when ``out`` holds something, ``ExportRunning`` while another process makes the same folder,
    ``StoreUnavailable`` when the disk refuses.
    """
    whole = Path(os.path.abspath(out))
    if os.path.lexists(whole) and not (whole.is_dir() and not any(whole.iterdir())):
        raise UsageError(f"{out} is there already and holds something; give a new or empty folder")
    tally = _Tally(n, progress)
    try:
        with held(whole.parent / f".{whole.name}.making", out) as work:
            _clear(work)  # what a killed run has left
            try:
                for split in SPLITS if splits else SPLITS[:1]:
                    numbers = [number for number in range(n) if not splits or _split(number) == split]
                    shards = [numbers[start : start + _SHARD] for start in range(0, len(numbers), _SHARD)]
                    for index, shard in enumerate(shards):
                        rows = tally.rows((make_item(number, seed, world) for number in shard), split)
                        ParquetWriter().write(Part(f"{split}-{index:05d}-of-{len(shards):05d}", ()), rows, work)
                write_atomically(work / PLANTED, json.dumps(tally.truths, ensure_ascii=False, indent=1).encode())
                os.rename(work, whole)
                sync_folder(whole.parent)
            finally:
                shutil.rmtree(work, ignore_errors=True)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST) and whole.is_dir():
            raise UsageError(f"{out} has come to hold something meanwhile; give a new or empty folder") from error
        raise StoreUnavailable(f"{out} cannot be written: {error.strerror or error}") from error
    return tally.report(out, seed)


def _clear(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def _split(number: int) -> Split:
    return {8: SPLITS[1], 9: SPLITS[2]}.get(number % 10, SPLITS[0])


class _Tally:
    """What has been written so far."""

    def __init__(self, n: int, progress: Callable[[int, int], None]) -> None:
        self._n, self._progress = n, progress
        self._splits, self._cells = Counter[Split](), Counter[tuple[str, int]]()
        self._no_target, self._planted = 0, Counter[str]()
        self.truths = list[dict[str, Any]]()

    def rows(self, items: Iterator[WorldItem], split: Split) -> Iterator[Row]:
        """Yield items as rows of a dataset, and count them."""
        for item in items:
            sample, png = item.sample, item.png
            self._splits[split] += 1
            self._cells[str(sample.reasoning_type), sample.depth or 0] += 1
            self._no_target += sample.no_target
            if item.planted:
                self._planted[item.planted.kind] += 1
                self.truths.append(_truth(item))
            yield Row(sample, split, item.record, (), (), partial(bytes, png), partial(_shown, png))
            self._progress(self._splits.total(), self._n)

    def report(self, out: Path, seed: int) -> WorldReport:
        cells: dict[str, dict[int, int]] = {}
        for (kind, depth), count in sorted(self._cells.items()):
            cells.setdefault(kind, {})[depth] = count
        return WorldReport(
            out=str(out),
            seed=seed,
            samples=self._splits.total(),
            splits=dict(self._splits),
            cells=cells,
            no_target=self._no_target,
            planted=dict(sorted(self._planted.items())),
        )


def _shown(png: bytes) -> tuple[bytes, str]:
    return png, ".png"


def _truth(item: WorldItem) -> dict[str, Any]:
    """Return what a sample with a mistake should have said, as plain JSON."""
    asked = item.asked
    found = [{"label": target.label, "rle": Mask.encode(target.mask).plain()} for target in asked.targets]
    return {
        "sample_id": item.sample.id,
        "kind": item.planted.kind if item.planted else None,
        "query": asked.text,
        "is_sentence": asked.is_sentence,
        "hops": asked.hops,
        "instances": found,
    }
