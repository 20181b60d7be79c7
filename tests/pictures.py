"""Picture files made in the tests: small, of every kind."""

import io
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image as PilImage

from whyseg.curation.images import RgbArray

# For each EXIF orientation, how a camera that is held so stores the upright picture.
STORED = {
    1: None,
    2: PilImage.Transpose.FLIP_LEFT_RIGHT,
    3: PilImage.Transpose.ROTATE_180,
    4: PilImage.Transpose.FLIP_TOP_BOTTOM,
    5: PilImage.Transpose.TRANSPOSE,
    6: PilImage.Transpose.ROTATE_90,
    7: PilImage.Transpose.TRANSVERSE,
    8: PilImage.Transpose.ROTATE_270,
}


def pixels(height: int = 6, width: int = 8, seed: int = 0) -> RgbArray:
    """Return uint8 (height, width, 3) in which no two neighbours are equal."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def encoded(picture: PilImage.Image | RgbArray, form: str = "PNG", **options: Any) -> bytes:
    """Return a picture as a file of that format."""
    file = io.BytesIO()
    source = picture if isinstance(picture, PilImage.Image) else PilImage.fromarray(picture)
    source.save(file, form, **options)
    return file.getvalue()


def turned(upright: RgbArray, orientation: int, form: str, **options: Any) -> bytes:
    """Return a file whose stored pixels are turned and whose EXIF orientation says so."""
    picture = PilImage.fromarray(upright)
    if (method := STORED[orientation]) is not None:
        picture = picture.transpose(method)
    exif = PilImage.Exif()
    exif[274] = orientation
    return encoded(picture, form, exif=exif, **options)


def chunk(kind: bytes, data: bytes) -> bytes:
    """Return a chunk of a PNG file."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, rows: bytes, *, bits: int = 8, colour: int = 2, extra: bytes = b"") -> bytes:
    """Return a PNG file of raw rows, each with its filter byte; the header may lie about the size."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    body = chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")
