"""``hf`` out: parquet files for Hugging Face's datasets and the Hub's viewer; nothing of a sample is lost.

A row is a sample: its picture and the union of its masks as PNG, its instances as run lengths, and the packed record
in ``provenance.record``, from which an import restores the very sample. One schema for all files; a file is a part of
the export, and its row groups are written as they fill.
"""

import hashlib
import io
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from whyseg.curation.blobs import write_atomically
from whyseg.curation.card import card_files, card_options
from whyseg.curation.exporting import REWRITTEN, Loss, Part, Row, images_of
from whyseg.curation.formats import own
from whyseg.curation.formats.geometry import deepest_pixel, mask_png, pixels_of
from whyseg.curation.formats.hub_schema import IMAGE, Column, arrow_schema
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Instance, Mask, Release, ReleaseItem, Sample
from whyseg.schemas.mask import BoolArray
from whyseg.schemas.release import SPLITS

if TYPE_CHECKING:
    import pyarrow as pa

FOLDER = "data"
SHARD_BYTES = 450_000_000  # by estimate, so that a file stays below 500 MB
GROUP_BYTES = 16_000_000  # of a row group: some hundred photographs; the Hub's viewer refuses 286 MiB
# Pages that end where their content says so: a version that changes little is uploaded in little.
_CHUNKS = {"min_chunk_size": 256 * 1024, "max_chunk_size": 1024 * 1024, "norm_level": 0}


_RLE: Column = {"size": ["int32"], "counts": "string"}  # size: height, width
COLUMNS: dict[str, Column] = {
    "sample_id": "string",
    "image": IMAGE,
    "query": "string",
    "alternates": ["string"],
    "is_sentence": "bool",
    "mask": IMAGE,
    "instances": [{"rle": _RLE, "bbox_2d": ["int32"], "point_2d": ["int32"], "label": "string"}],
    "ignore_rle": _RLE,
    "no_target": "bool",
    "reasoning_type": "string",
    "depth": "int32",
    "hops": ["string"],
    "image_id": "string",
    "img_height": "int32",
    "img_width": "int32",
    "source": "string",
    "license": "string",
    "provenance": {
        "mask_origins": ["string"],  # of each instance, as are the next two
        "mask_models": ["string"],
        "mask_retouched": ["bool"],
        "query_origin": "string",
        "query_model": "string",
        "query_edit_distance": "float64",
        "reviewers": ["string"],
        "agreement": "float64",
        "revision_reasons": ["string"],  # of the proposals that were accepted about it
        "source_record": "string",
        "source_name": "string",
        "file_name": "string",
        "record": "string",
    },
}


class _Sink(io.RawIOBase):
    """A file for Arrow to write to: what the disk refuses is kept for later.

    An error within a write, when pages end where their content says so, makes Arrow end the whole process.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._error: OSError | None = None

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        if self._error is None:
            try:
                return self._file.write(data)
            except OSError as error:
                self._error = error
        return len(data)

    def tell(self) -> int:
        return 0  # asked once, in the beginning

    def check(self) -> None:
        """Raise what the disk has refused."""
        if self._error is not None:
            raise self._error


class ParquetWriter:
    """The format ``hf``; ``shard_bytes`` and ``group_bytes`` bound a file, by estimate, and a row group."""

    format = "hf"
    limits: tuple[str, ...] = ()

    def __init__(self, *, shard_bytes: int = SHARD_BYTES, group_bytes: int = GROUP_BYTES) -> None:
        self.shard_bytes, self.group_bytes = shard_bytes, group_bytes
        self._salt = ""
        self._workspace: Workspace | None = None

    def options(self) -> dict[str, object]:
        """Return the sizes, the columns, and what the card takes from the workspace's settings."""
        sizes = {"shard_bytes": self.shard_bytes, "group_bytes": self.group_bytes}
        return {**sizes, "columns": COLUMNS, "card": card_options(self._known())}

    def prepare(self, workspace: Workspace, release: Release) -> None:
        """Learn where the pictures' sizes are known, and the release's own salt for the names of reviewers."""
        self._workspace, self._salt = workspace, release.hash

    def plan(self, items: Sequence[ReleaseItem]) -> list[Part]:
        """Cut each split into files of ``shard_bytes`` at most, by the pictures' sizes; an empty split has no file."""
        weights = self._weights(items)
        parts = []
        for split in SPLITS:
            shards, filled = list[list[ReleaseItem]](), 0
            for item in items:
                if item.split != split:
                    continue
                if not shards or filled + weights[item.image_id] > self.shard_bytes:
                    shards.append([])
                    filled = 0
                shards[-1].append(item)
                filled += weights[item.image_id]
            names = (f"{split}-{number:05d}-of-{len(shards):05d}" for number in range(len(shards)))
            parts += [Part(name, tuple(shard)) for name, shard in zip(names, shards, strict=True)]
        return parts

    def write(self, part: Part, rows: Iterator[Row], folder: Path) -> tuple[int, list[Loss]]:
        """Write the part's file, one row group after the other."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        schema, losses, written = arrow_schema(COLUMNS), list[Loss](), 0
        path = folder / FOLDER / f"{part.name}.parquet"
        path.parent.mkdir(exist_ok=True)
        with path.open("wb") as file:
            sink = _Sink(file)
            with pq.ParquetWriter(sink, schema, **_storage(schema)) as out:
                for group in _groups((self._plain(row, losses) for row in rows), self.group_bytes):
                    out.write_table(pa.Table.from_pylist(group, schema=schema))
                    sink.check()
                    written += len(group)
                    del group  # before the next one fills
            sink.check()
            file.flush()
            os.fsync(file.fileno())
        return written, losses

    def finish(self, release: Release, parts: Sequence[Part], folder: Path) -> None:
        """Write the card and the pictures that it shows."""
        for name, data in card_files(self._known(), release.name).items():
            write_atomically(folder / name, data)

    def _weights(self, items: Sequence[ReleaseItem]) -> dict[str, int]:
        """Return about how many bytes of a file a sample on each picture takes: the picture, masks, texts."""
        found = images_of(self._known(), items)
        return {image.id: image.byte_size + image.height * image.width // 32 + 4096 for image in found}

    def _known(self) -> Workspace:
        if self._workspace is None:
            raise RuntimeError("prepare comes first")
        return self._workspace

    def _plain(self, row: Row, losses: list[Loss]) -> dict[str, Any]:
        sample, image = row.sample, row.image
        picture, suffix = row.picture
        if row.rewritten:
            losses.append(Loss(sample_id=sample.id, what=REWRITTEN))
        target = np.zeros(sample.size, bool, "F")
        instances = [_instance(instance, target) for instance in sample.instances]
        query = sample.query
        return {
            "sample_id": sample.id,
            "image": {"bytes": picture, "path": f"{image.id}{suffix}"},
            "query": query.text if query else None,
            "alternates": list(query.alternates) if query else [],
            "is_sentence": query.is_sentence if query else True,
            "mask": {"bytes": mask_png(target), "path": f"{sample.id}.png"},
            "instances": instances,
            "ignore_rle": _rle(sample.ignore) if sample.ignore else None,
            "no_target": sample.no_target,
            "reasoning_type": sample.reasoning_type.value if sample.reasoning_type else None,
            "depth": sample.depth,
            "hops": list(sample.hops),
            "image_id": image.id,
            "img_height": image.height,
            "img_width": image.width,
            "source": sample.source,
            "license": image.license,
            "provenance": self._provenance(row, sample),
        }

    def _provenance(self, row: Row, sample: Sample) -> dict[str, Any]:
        origins = [instance.origin for instance in sample.instances]
        origin = sample.query.origin if sample.query else None
        return {
            "mask_origins": [origin.kind for origin in origins],
            "mask_models": [origin.model for origin in origins],
            "mask_retouched": [origin.retouched for origin in origins],
            "query_origin": origin.kind if origin else None,
            "query_model": origin.model if origin else None,
            "query_edit_distance": origin.edit_distance if origin else None,
            "reviewers": sorted({self._pseudonym(review.reviewer) for review in row.reviews}),
            "agreement": None,
            "revision_reasons": list(row.reasons),
            "source_record": sample.source_record,
            "source_name": sample.source_name,
            "file_name": row.image.file_name,
            "record": json.dumps(own.pack(sample), ensure_ascii=False),
        }

    def _pseudonym(self, name: str) -> str:
        """Return what stands for a person: the same within a release, another in the next one.

        Whoever guesses a name can still see that it is the one: this hides names, it does not make them secret.
        """
        return hashlib.sha256(f"{self._salt}\n{name}".encode()).hexdigest()[:16]


def _instance(instance: Instance, target: BoolArray) -> dict[str, Any]:
    """Return an instance as plain data, and add its pixels to ``target``."""
    mask, box = pixels_of(instance.mask), instance.mask.box_xyxy
    target |= mask
    point = deepest_pixel(mask, box) if instance.mask.area else ()
    return {"rle": _rle(instance.mask), "bbox_2d": list(box), "point_2d": list(point), "label": instance.label}


def _rle(mask: Mask) -> dict[str, Any]:
    return {"size": list(mask.size), "counts": mask.counts}


def _groups(rows: Iterator[dict[str, Any]], most: int) -> Iterator[list[dict[str, Any]]]:
    """Gather rows until their pictures and run lengths fill ``most`` bytes; a larger row is a group of its own."""
    group, filled = list[dict[str, Any]](), 0
    for row in rows:
        size = len(row["image"]["bytes"]) + len(row["mask"]["bytes"]) + len(row["provenance"]["record"])
        size += sum(len(instance["rle"]["counts"]) for instance in row["instances"])
        if group and filled + size > most:
            yield group
            group, filled = [], 0
        group.append(row)
        filled += size
    if group:
        yield group


def _storage(schema: "pa.Schema") -> dict[str, Any]:
    """Return how columns are stored: pictures as they are, all else with dictionaries and compressed."""
    import pyarrow as pa

    def leaves(path: str, kind: pa.DataType) -> list[str]:
        if pa.types.is_struct(kind):
            return [leaf for field in kind for leaf in leaves(f"{path}.{field.name}", field.type)]
        return leaves(f"{path}.list.element", kind.value_type) if pa.types.is_list(kind) else [path]

    compression, encoding, dictionary = dict[str, str](), dict[str, str](), list[str]()
    for field in schema:
        for leaf in leaves(field.name, field.type):
            compression[leaf] = "none" if COLUMNS[field.name] == IMAGE else "zstd"
            if COLUMNS[field.name] == IMAGE:
                encoding[leaf] = "PLAIN"
            else:
                dictionary.append(leaf)
    return {
        "compression": compression,
        "column_encoding": encoding,
        "use_dictionary": dictionary,
        "use_content_defined_chunking": _CHUNKS,
        "write_page_index": True,
    }
