"""Where the rows of a Hugging Face dataset come from: parquet files, folders of ``save_to_disk``, or the Hub.

Files are read by pyarrow a few rows at a time, so that memory does not grow with the set; the Hub is read by datasets,
streamed. Links that leave the folder are refused, but for those into the blobs of the Hub's own cache.
"""

import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from whyseg.curation.formats.split_names import split_of
from whyseg.curation.sources import Refusal
from whyseg.schemas import Split
from whyseg.schemas.errors import RefusedInput, UsageError

if TYPE_CHECKING:
    from datasets import IterableDataset

TOGETHER = 8  # rows that are in memory at once: a picture of 840×840 with its masks takes some MB
_SUFFIXES = (".parquet", ".arrow")
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


@dataclass(frozen=True)
class Table:
    """A file, or a split on the Hub: its columns and how to read its rows; reading raises ``RefusedInput``."""

    name: str
    split: Split | None
    columns: tuple[str, ...]
    batches: Callable[[], Iterator[pa.RecordBatch]]


def tables_of(source: str | Path, revision: str | None = None) -> tuple[list[Table], list[Refusal]]:
    """Return the tables that a file, a folder or a dataset's "owner/name" holds, and the files that cannot be read.

    Raises ``UsageError`` when there is no such thing, and when the Hub does not give it.
    """
    path = Path(source)
    if path.exists():
        if revision is not None:
            raise UsageError(f"{source} lies on this machine; a revision is of a dataset on the Hub")
        return _on_disk(path)
    if _REPOSITORY.fullmatch(str(source)):
        return _on_hub(str(source), revision), []
    raise UsageError(f"{source} does not exist, and is no dataset's owner/name")


def _on_disk(source: Path) -> tuple[list[Table], list[Refusal]]:
    root = source if source.is_dir() else source.parent
    found = sorted(path for path in _below(source) if path.suffix in _SUFFIXES) if source.is_dir() else [source]
    paths = [path for path in found if path == source or not _left_behind(path)]
    tables, refused = list[Table](), list[Refusal]()
    for path in paths:
        name = path.relative_to(root).as_posix()
        try:
            if source.is_dir():
                _require_within(path, root, name)
            split = split_of([root.name, *path.relative_to(root).parts[:-1]], path.name)
            read = _parquet if path.suffix == ".parquet" else _arrow
            tables.append(Table(name, split, _columns(path, name), partial(read, path, name)))
        except RefusedInput as error:
            refused.append(Refusal(file=error.name, reason=error.reason))
    if not paths:
        raise UsageError(f"{source} holds no {' and no '.join(_SUFFIXES)} file")
    return tables, refused


def _below(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder; hidden ones and those behind linked folders are left out."""
    for here, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(here, name) for name in names if not name.startswith("."))


def _left_behind(path: Path) -> bool:
    """Tell whether a file beside a saved dataset is none of its data, such as what ``Dataset.map`` keeps there."""
    try:
        state = json.loads((path.parent / "state.json").read_text("utf-8"))
        return path.suffix == ".arrow" and path.name not in [one["filename"] for one in state["_data_files"]]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):  # it does not say
        return False


def _require_within(path: Path, root: Path, name: str) -> None:
    target = Path(os.path.realpath(path))
    allowed = [root.resolve()]
    if root.absolute().parent.name == "snapshots":  # the Hub's cache: snapshots/REVISION beside blobs
        allowed.append(root.absolute().parent.parent.resolve() / "blobs")
    if not any(target.is_relative_to(folder) for folder in allowed):
        raise RefusedInput(name, "a link that leaves the folder")
    if not target.is_file():
        raise RefusedInput(name, "it is no regular file")


@contextmanager
def _reading(name: str) -> Iterator[None]:
    """Turn whatever pyarrow says of a broken file into a refusal."""
    try:
        yield
    except (pa.ArrowException, OSError, ValueError, NotImplementedError) as error:
        raise RefusedInput(name, f"cannot be read: {_line(error)}") from error


def _columns(path: Path, name: str) -> tuple[str, ...]:
    with _reading(name):
        if path.suffix == ".arrow":
            with pa.memory_map(str(path)) as file, pa.ipc.open_stream(file) as reader:
                return tuple(reader.schema.names)
        return tuple(pq.read_schema(path, memory_map=True).names)


def _parquet(path: Path, name: str) -> Iterator[pa.RecordBatch]:
    with _reading(name), pq.ParquetFile(path, memory_map=True, pre_buffer=False) as file:
        yield from file.iter_batches(batch_size=TOGETHER)


def _arrow(path: Path, name: str) -> Iterator[pa.RecordBatch]:
    with _reading(name), pa.memory_map(str(path)) as file, pa.ipc.open_stream(file) as reader:
        for batch in reader:
            batch.validate(full=True)  # nobody has looked at these offsets yet, and a wrong one reads foreign memory
            for start in range(0, batch.num_rows, TOGETHER):
                yield batch.slice(start, TOGETHER)


def _on_hub(repository: str, revision: str | None) -> list[Table]:
    """Return the splits of a dataset on the Hub."""
    from datasets import load_dataset

    tables = []
    try:
        for name, split in load_dataset(repository, revision=revision, streaming=True).items():
            first = next(split.with_format("arrow").iter(batch_size=1), None)
            if first is not None:
                full = f"{repository}/{name}"
                tables.append(Table(full, split_of([name]), tuple(first.column_names), partial(_streamed, split, full)))
    except Exception as error:  # datasets raises what any of its readers and the network raise
        raise UsageError(f"the dataset {repository} cannot be opened: {_line(error)}") from error
    if not tables:
        raise UsageError(f"the dataset {repository} has no rows")
    return tables


def _streamed(split: "IterableDataset", name: str) -> Iterator[pa.RecordBatch]:
    try:
        for table in split.with_format("arrow").iter(batch_size=TOGETHER):
            yield from table.to_batches()
    except Exception as error:  # as above
        raise RefusedInput(name, f"cannot be read further: {_line(error)}") from error


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
