"""Cells of Arrow tables as what importers need: texts, numbers, pictures, masks; no Python loop runs over pixels."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from whyseg.curation.images import read_upright
from whyseg.schemas import Mask
from whyseg.schemas.errors import InvalidRecord, RefusedInput, SizeMismatch
from whyseg.schemas.mask import BoolArray


class Row:
    """A row of a table. A column that is absent reads as null."""

    def __init__(self, batch: pa.RecordBatch, index: int, name: str) -> None:
        self.batch, self.index, self.name = batch, index, name

    def has(self, column: str) -> bool:
        """Tell whether the table has a column, and one alone of that name."""
        return list(self.batch.schema.names).count(column) == 1

    def cell(self, column: str) -> pa.Scalar | None:
        """Return a cell as Arrow has it; None for null."""
        if not self.has(column):
            return None
        values = self.batch.column(column)
        if isinstance(values, pa.ExtensionArray):  # such as datasets' Array2D
            values = values.storage
        scalar = values[self.index]
        return scalar if scalar.is_valid else None

    def get(self, column: str) -> Any:
        """Return a cell as plain Python data; raises ``InvalidRecord`` for text that is no UTF-8 and the like."""
        scalar = self.cell(column)
        try:
            return None if scalar is None else scalar.as_py()
        except (pa.ArrowException, ValueError, ArithmeticError) as error:
            raise InvalidRecord(f"{column} cannot be read: {error}") from error

    def text(self, column: str) -> str | None:
        """Return a cell's text; a number is written as one. Raises ``InvalidRecord`` for anything else."""
        value = self.get(column)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return str(value)
        if value is not None and not isinstance(value, str):
            raise InvalidRecord(f"{column} is a text, got {type(value).__name__}")
        return value

    def license(self) -> str | None:
        """Return the picture's licence, if there is one in a line of text."""
        found = self.text("license")
        return found if found and found.isprintable() else None

    def require_size(self, size: tuple[int, int]) -> None:
        """Raise ``SizeMismatch`` where the row says another size than the picture's (height, width)."""
        height, width = self.get("img_height"), self.get("img_width")
        if isinstance(height, int) and isinstance(width, int) and (height, width) != size:
            raise SizeMismatch("img_height and img_width", size, (height, width))

    def picture(self, column: str) -> tuple[bytes, str | None]:
        """Return a picture's file and its name there; raises ``RefusedInput`` for a cell that holds no file."""
        value = self.get(column)
        if isinstance(value, bytes):
            return value, None
        if not isinstance(value, dict) or not isinstance(value.get("bytes"), bytes):
            path = value.get("path") if isinstance(value, dict) else None
            reason = f"{column} holds no picture"
            if isinstance(path, str):
                reason = f"{column} is the path of a file, {path[:100]!r}, not the file: save the set with its pictures"
            raise RefusedInput(self.name, reason)
        name = value.get("path")
        return value["bytes"], name.replace("\\", "/").rsplit("/", 1)[-1] if isinstance(name, str) and name else None

    def mask(self, column: str, size: tuple[int, int]) -> Mask:
        """Return a cell's pixels: rows of truth values or numbers, or a picture's file.

        Raises ``InvalidRecord`` when they are not those of an image of ``size`` (height, width).
        """
        scalar = self.cell(column)
        if scalar is None:
            raise InvalidRecord(f"{column} is null")
        if pa.types.is_struct(scalar.type) or pa.types.is_binary(scalar.type):
            red, green, blue = np.moveaxis(read_upright(self.picture(column)[0], f"{self.name}: {column}").pixels, 2, 0)
            pixels = (red | green | blue) != 0
        else:
            pixels = _pixels(scalar, column)
        if pixels.shape != size:
            raise SizeMismatch(column, size, (pixels.shape[0], pixels.shape[1]))
        return Mask.encode(pixels)

    def masks(self, column: str, size: tuple[int, int]) -> list[Mask]:
        """Return a list's masks, each as rows of truth values or numbers; raises as `mask` does."""
        scalar = self.cell(column)
        if scalar is None or not _is_list(scalar.type):
            raise InvalidRecord(f"{column} is a list of masks, got {scalar and scalar.type}")
        found = []
        for number, one in enumerate(scalar.values):
            pixels = _pixels(one, f"{column}[{number}]")
            if pixels.shape != size:
                raise SizeMismatch(f"{column}[{number}]", size, (pixels.shape[0], pixels.shape[1]))
            found.append(Mask.encode(pixels))
        return found


def rle_mask(value: Any, size: tuple[int, int], what: str) -> Mask:
    """Return the mask of {"size": [height, width], "counts": text}.

    Raises ``InvalidRecord`` for anything else, and unless it is of ``size`` (height, width).
    """
    if not isinstance(value, dict):
        raise InvalidRecord(f"{what} is run lengths with size and counts, got {type(value).__name__}")
    mask = Mask.parse({"size": value.get("size"), "counts": value.get("counts")})
    if mask.size != size:
        raise SizeMismatch(what, size, mask.size)
    return mask


def _pixels(scalar: pa.Scalar, what: str) -> BoolArray:
    """Return bool (H, W) of a list of equally long lists."""
    if not scalar.is_valid or not _is_list(scalar.type) or not _is_list(scalar.type.value_type):
        raise InvalidRecord(f"{what} is rows of truth values, got {scalar.type if scalar.is_valid else 'null'}")
    rows = scalar.values
    widths = pc.unique(pc.list_value_length(rows))
    if len(rows) == 0 or len(widths) != 1 or not widths[0].is_valid:
        raise InvalidRecord(f"{what} has rows of different lengths, or none")
    flat = rows.flatten()
    kind = flat.type
    if flat.null_count or not (pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        raise InvalidRecord(f"{what} holds null, or something else than truth values: {kind}")
    pixels: BoolArray = flat.to_numpy(zero_copy_only=False).reshape(len(rows), -1) != 0
    return pixels


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))
