"""Columns for Hugging Face's datasets, without importing it, in the one spelling that every version of it reads.

A column's type is the name of a plain type, "Image", a list with the type of its items in it, or a dictionary of named
columns. datasets 4 gave lists a type of its own, ``List``, and writes its name into files, which versions before 4 then
refuse; lists spelled as lists are read by all of them, and mean the same. Importing datasets takes longer than
exporting a hundred samples.
"""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, Union

if TYPE_CHECKING:
    import pyarrow as pa

Column: TypeAlias = Union[str, list["Column"], dict[str, "Column"]]  # noqa: UP007 (a string cannot be or-ed)
IMAGE = "Image"


def spelled(columns: Mapping[str, Column]) -> dict[str, Any]:
    """Return columns as the plain data in which datasets describes its features."""
    return {name: _spelled(column) for name, column in columns.items()}


def arrow_schema(columns: Mapping[str, Column]) -> "pa.Schema":
    """Return the Arrow schema of columns, with the columns in its metadata as datasets puts them there."""
    import pyarrow as pa

    info = {"info": {"features": spelled(columns)}}
    fields = [pa.field(name, _arrow(column)) for name, column in columns.items()]
    return pa.schema(fields, {"huggingface": json.dumps(info)})


def _spelled(column: Column) -> Any:
    if isinstance(column, list):
        return [_spelled(item) for item in column]
    if isinstance(column, dict):
        return spelled(column)
    return {"_type": IMAGE} if column == IMAGE else {"dtype": column, "_type": "Value"}


def _arrow(column: Column) -> "pa.DataType":
    import pyarrow as pa

    if isinstance(column, list):
        return pa.list_(_arrow(column[0]))
    if isinstance(column, dict):
        return pa.struct([pa.field(name, _arrow(inner)) for name, inner in column.items()])
    if column == IMAGE:
        return pa.struct([pa.field("bytes", pa.binary()), pa.field("path", pa.string())])
    return pa.type_for_alias(column)
