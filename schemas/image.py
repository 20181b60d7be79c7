"""An image: its content's hash, and the size of the upright picture."""

from typing import Annotated, Literal

from pydantic import Field

from whyseg.schemas.record import Record

Split = Literal["train", "validation", "test"]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Image(Record):
    """A picture as it was taken in.

    ``id`` is the SHA-256 of the original file. ``width`` and ``height`` are those of the picture after its EXIF
    orientation was applied: every coordinate and mask in whyseg is of that upright picture.
    """

    id: Sha256
    width: Annotated[int, Field(ge=1)]
    height: Annotated[int, Field(ge=1)]
    format: str  # as Pillow names it: JPEG, PNG, …
    orientation: Annotated[int, Field(ge=1, le=8)] = 1  # EXIF tag 274 of the original file
    byte_size: Annotated[int, Field(ge=1)]
    file_name: str  # of the first file that brought it
    license: str | None = None
    split: Split | None = None  # that it had in a release elsewhere, and keeps

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the upright picture."""
        return self.height, self.width
