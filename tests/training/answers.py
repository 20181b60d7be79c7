"""Samples of one row of pixels, for numbers that can be worked out by hand."""

from typing import Any

import numpy as np

from whyseg.schemas import Instance, Mask, Origin, Query, Sample

ROW = (1, 10)


def row(text: str) -> Mask:
    """Return the mask of a row: `#` belongs to it."""
    return Mask.encode(np.array([[letter == "#" for letter in text]]))


def sample(
    *masks: Mask,
    ignore: Mask | None = None,
    no_target: bool = False,
    number: int = 0,
    size: tuple[int, int] = ROW,
    record: str = "",
    **fields: Any,
) -> Sample:
    """Return a sample on picture ``number`` with one instance a mask."""
    return Sample.start(
        f"{number:064x}",
        size,
        source="test",
        source_record=record,
        query=Query(text="which one?"),
        instances=tuple(
            Instance(id=k, mask=mask, origin=Origin(kind="click", model="fake")) for k, mask in enumerate(masks, 1)
        ),
        ignore=ignore,
        no_target=no_target,
        **fields,
    )
