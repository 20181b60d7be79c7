"""Columns for Hugging Face's datasets, in the one spelling that every version of it reads.

datasets 4 gave lists a type of its own, ``List``, and writes its name into files, which versions before 4 then refuse.
The spelling of those, a list with the type of its items in it, is read by all of them, and means the same.
"""

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Features


def spelled(features: "Features") -> dict[str, Any]:
    """Return columns as plain data that any version of datasets reads."""
    return {name: _plain_lists(column) for name, column in features.to_dict().items()}


def arrow_schema(features: "Features") -> "pa.Schema":
    """Return the Arrow schema of columns, with the columns in its metadata as datasets puts them there."""
    info = {"info": {"features": spelled(features)}}
    return features.arrow_schema.with_metadata({"huggingface": json.dumps(info)})


def _plain_lists(column: Any) -> Any:
    if not isinstance(column, dict):
        return column
    if column.get("_type") == "List":
        return [_plain_lists(column["feature"])]
    return {key: _plain_lists(value) for key, value in column.items()}
