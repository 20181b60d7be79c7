"""Pictures in: what is taken, what is refused and why, and the upright pixels that every coordinate speaks of.

The upright picture is the file's first frame, decoded in full, its EXIF orientation applied, as 8-bit RGB. Pixel values
stay as stored: an embedded colour profile is not applied. Transparency is shown on white, 16-bit values are scaled to 8
bits over their whole range, CMYK is converted without its profile. Orientation is read from EXIF (in TIFF from its own
tag) and from nowhere else: viewers and browsers do not look at XMP.
"""

import hashlib
import io
import math
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePath

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image as PilImage
from PIL import UnidentifiedImageError

from whyseg.schemas import Image
from whyseg.schemas.errors import RefusedImage

RgbArray = npt.NDArray[np.uint8]

FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "AVIF")  # every other decoder of Pillow stays shut
MAX_IMAGE_PIXELS = 89_478_485  # from where on Pillow too suspects a decompression bomb; 268 MB as 8-bit RGB
MAX_SIDE = 65_535  # the longest side that a mask can have
MAX_FILE_BYTES = 2**29  # the pixel limit as uncompressed 16-bit RGB fits

_SUFFIXES = {
    ".jpg": "JPEG", ".jpeg": "JPEG", ".jpe": "JPEG", ".jfif": "JPEG", ".mpo": "JPEG", ".png": "PNG", ".apng": "PNG",
    ".webp": "WEBP", ".tif": "TIFF", ".tiff": "TIFF", ".bmp": "BMP", ".dib": "BMP", ".gif": "GIF", ".ppm": "PPM",
    ".pgm": "PPM", ".pbm": "PPM", ".pnm": "PPM", ".avif": "AVIF",
}  # fmt: skip
RAW_SUFFIXES = frozenset({".arw", ".cr2", ".cr3", ".dng", ".nef", ".orf", ".pef", ".raf", ".rw2", ".srw"})
PICTURE_SUFFIXES = frozenset(_SUFFIXES) | RAW_SUFFIXES | {
    ".ai", ".eps", ".exr", ".hdr", ".heic", ".heif", ".ico", ".j2k", ".jp2", ".jxl", ".pcx", ".pdf", ".psd", ".qoi",
    ".svg", ".svgz", ".tga", ".xcf",
}  # fmt: skip
_STARTS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"II*\x00", b"MM\x00*")  # those that no text begins with

_PORTABLE = {"JPEG": ".jpg", "MPO": ".jpg", "PNG": ".png", "WEBP": ".webp", "GIF": ".gif", "BMP": ".bmp"}

_MAGIC = (  # files that people take for pictures, or that hold some
    (0, b"%PDF", "PDF"),
    (0, b"%!PS", "PostScript"),
    (0, b"\xc5\xd0\xd3\xc6", "PostScript"),
    (0, b"8BPS", "PSD"),
    (4, b"ftyphei", "HEIC"),
    (4, b"ftypmif1", "HEIC"),
    (4, b"ftypmsf1", "HEIC"),
    (4, b"jP  ", "JPEG 2000"),
    (0, b"\xffO\xffQ", "JPEG 2000"),
    (0, b"\xff\x0a", "JPEG XL"),
    (4, b"JXL ", "JPEG XL"),
    (0, b"\x00\x00\x01\x00", "ICO"),
    (0, b"PK\x03\x04", "ZIP"),
    (0, b"\x1f\x8b", "gzip"),
    (4, b"ftyp", "a video"),
    (0, b"\x1aE\xdf\xa3", "a video"),
)

_UPRIGHT = {
    2: PilImage.Transpose.FLIP_LEFT_RIGHT,
    3: PilImage.Transpose.ROTATE_180,
    4: PilImage.Transpose.FLIP_TOP_BOTTOM,
    5: PilImage.Transpose.TRANSPOSE,
    6: PilImage.Transpose.ROTATE_270,
    7: PilImage.Transpose.TRANSVERSE,
    8: PilImage.Transpose.ROTATE_90,
}
_ORIENTATION = 274  # the EXIF and TIFF tag
_WIDE = ("I;16", "I;16L", "I;16B", "I;16N")
_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBX", "RGBA", "RGBa", "CMYK", "YCbCr")
_NARROWED = "16-bit values scaled to 8 bits"


@dataclass(frozen=True, eq=False)
class UprightImage:
    """A picture as everything in whyseg sees it.

    ``pixels``: uint8 (H, W, 3), RGB, upright. ``format`` as Pillow names it, ``orientation`` the EXIF value of the file
    (1 when it has none), ``width`` and ``height`` those of ``pixels``. ``notes`` say what was changed beside that;
    with none and orientation 1 any reader that decodes the file to RGB gets these very pixels.
    """

    pixels: RgbArray
    format: str
    orientation: int
    width: int
    height: int
    notes: tuple[str, ...]

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        return self.height, self.width


@dataclass(frozen=True, eq=False)
class _Decoded:
    """A loaded picture of Pillow, not yet converted nor rotated."""

    picture: PilImage.Image
    format: str
    orientation: int
    size: tuple[int, int]  # (height, width), upright
    notes: tuple[str, ...]  # what becoming upright 8-bit RGB changes, beside the rotation


def read_upright(data: bytes, name: str) -> UprightImage:
    """Decode a picture file to upright RGB.

    ``name`` is what a refusal calls it. Raises ``RefusedImage`` for whatever is no picture, is broken or truncated, is
    over the limits, or is in a format or colour mode that is not taken in.
    """
    with _refusing(data, name):
        decoded = _load(data, name)
        pixels = _rgb(decoded)
    height, width = decoded.size
    return UprightImage(
        pixels=pixels,
        format=decoded.format,
        orientation=decoded.orientation,
        width=width,
        height=height,
        notes=decoded.notes,
    )


def read_reduced(data: bytes, name: str, side: int) -> RgbArray:
    """Decode a picture file to upright RGB, uint8 (h, w, 3), of ``side`` pixels or more on its longest side.

    A JPEG is reduced to a half, a quarter or an eighth while it is decoded, in a fifth of the time at 12 megapixels;
    everything else comes in full. Raises ``RefusedImage`` as `read_upright` does.
    """
    with _refusing(data, name):
        return _rgb(_load(data, name, draft=(None, side)))


def inspect(data: bytes, name: str) -> Image:
    """Return the record of a picture file after decoding all of it; raises ``RefusedImage`` as `read_upright` does."""
    return examine(data, name)[0]


def examine(data: bytes, name: str) -> tuple[Image, tuple[str, ...]]:
    """Return the record of a picture file, and notes: what `read_upright` changes in it, and a suffix that is false.

    Raises ``RefusedImage`` exactly when `read_upright` does.
    """
    with _refusing(data, name):
        decoded = _load(data, name, draft=("L", 1))
    height, width = decoded.size
    image = Image(
        id=hashlib.sha256(data).hexdigest(),
        width=width,
        height=height,
        format=decoded.format,
        orientation=decoded.orientation,
        byte_size=len(data),
        file_name=printable(name),
    )
    return image, decoded.notes + _suffix_notes(decoded.format, name)


def portable(data: bytes, name: str) -> tuple[bytes, str]:
    """Return a picture as a file that every reader sees upright and in 8 bits, and that file's suffix.

    These are the original bytes where its header says that readers agree on them, else a PNG of the upright pixels.
    Raises ``RefusedImage`` as `read_upright` does.
    """
    with _refusing(data, name):
        picture = PilImage.open(io.BytesIO(data), formats=FORMATS)
        suffix = _PORTABLE.get(picture.format or "")
        plain = picture.mode in ("RGB", "L", "P") and not picture.has_transparency_data
        wide = _raw_mode(picture).endswith(("16L", "16B", "16N"))
        still = picture.format == "MPO" or not getattr(picture, "is_animated", False)
        if suffix and plain and still and not wide and _exif_orientation(picture)[0] == 1:
            return data, suffix
        pixels = read_upright(data, name).pixels
    return cv2.imencode(".png", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))[1].tobytes(), ".png"


def has_picture_suffix(name: str) -> bool:
    """Tell whether a file name says that it is a picture, of a format that is taken in or not."""
    return PurePath(name).suffix.lower() in PICTURE_SUFFIXES


def begins_like_picture(head: bytes) -> bool:
    """Tell whether a file's first 16 bytes are those of a format that is taken in; BMP and PPM begin as texts may."""
    return head.startswith(_STARTS) or head[8:12] == b"WEBP" or head[4:12] == b"ftypavif"


def printable(name: str) -> str:
    r"""Return a file name as one line of text: what cannot be printed, or is no Unicode, is written as an escape.

    >>> printable("a\nb")
    'a\\nb'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)


@contextmanager
def _refusing(data: bytes, name: str) -> Iterator[None]:
    """Turn whatever Pillow raises into a refusal; nothing else in whyseg catches a decoder's exceptions."""
    try:
        yield
    except RefusedImage:
        raise
    except UnidentifiedImageError as error:
        raise RefusedImage(name, _unidentified(data)) from error
    except (PilImage.DecompressionBombError, PilImage.DecompressionBombWarning) as error:
        raise RefusedImage(name, f"over the limit of {MAX_IMAGE_PIXELS} pixels: {_line(error)}") from error
    except Exception as error:  # broken files make decoders raise nearly anything
        raise RefusedImage(name, f"cannot be decoded: {_line(error)}") from error


def _load(data: bytes, name: str, *, draft: tuple[str | None, int] | None = None) -> _Decoded:
    """Open a picture, check its size before any pixel is decoded, and decode it.

    ``draft``: the mode (None: its own) and the longest side that suffice. A JPEG's pixels may then come out at 1/8 of
    the size; all of its data is read just the same, in a fifth of the time at 12 megapixels.
    """
    if not data:
        raise RefusedImage(name, "the file is empty")
    if PurePath(name).suffix.lower() in RAW_SUFFIXES:  # Pillow would take the preview for the picture
        raise RefusedImage(name, "a camera's raw file is not taken in; export it as JPEG, PNG or TIFF")
    if len(data) > MAX_FILE_BYTES:
        raise RefusedImage(name, f"{len(data)} bytes are over the limit of {MAX_FILE_BYTES}")
    picture = PilImage.open(io.BytesIO(data), formats=FORMATS)
    form = picture.format or "unknown"
    width, height = picture.size
    if width < 1 or height < 1:
        raise RefusedImage(name, f"the picture has no pixels: {width}×{height} (width×height)")
    if width * height > MAX_IMAGE_PIXELS or max(width, height) > MAX_SIDE:
        limit = f"{MAX_IMAGE_PIXELS} pixels, {MAX_SIDE} a side"
        raise RefusedImage(name, f"{width}×{height} pixels (width×height) are over the limit of {limit}")
    notes = []
    if form != "MPO" and getattr(picture, "is_animated", False):  # an MPO's further pictures are previews of its first
        notes.append("the first of several frames is taken")
    if _raw_mode(picture).endswith(("16L", "16B", "16N")) and picture.mode not in ("I", *_WIDE):
        notes.append(_NARROWED)
    if form == "PNG":  # loading does not compare the checksums of the pixel data
        PilImage.open(io.BytesIO(data), formats=("PNG",)).verify()
    if draft:
        mode, side = draft
        scale = side / max(width, height)
        picture.draft(mode, (math.ceil(width * scale), math.ceil(height * scale)))
    if form == "TIFF":  # of an upright size from the start; loading rotates the pixels and drops the tag
        orientation, odd = _checked(getattr(picture, "tag_v2", {}).get(_ORIENTATION, 1))
        picture.load()
    else:
        picture.load()
        orientation, odd = _exif_orientation(picture)
    size = (width, height) if form != "TIFF" and orientation >= 5 else (height, width)
    return _Decoded(picture, form, orientation, size, (*notes, *odd, *_changes(picture, form, name)))


def _raw_mode(picture: PilImage.Image) -> str:
    """Return the mode in which the file stores its pixels, as its decoder was told."""
    tiles = getattr(picture, "tile", None)
    arguments = tiles[0][3] if tiles else ""
    first = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
    return first if isinstance(first, str) else ""


def _exif_orientation(picture: PilImage.Image) -> tuple[int, tuple[str, ...]]:
    stored = picture.info.get("exif")
    if not isinstance(stored, bytes):
        return 1, ()
    exif = PilImage.Exif()
    try:
        exif.load(stored)
        return _checked(exif.get(_ORIENTATION, 1))
    except (SyntaxError, ValueError, TypeError, LookupError, OSError, ArithmeticError, struct.error):
        return 1, ("the EXIF data is broken and was ignored",)


def _checked(orientation: object) -> tuple[int, tuple[str, ...]]:
    if isinstance(orientation, int) and 1 <= orientation <= 8:
        return orientation, ()
    return 1, (f"the EXIF orientation {str(orientation)[:20]!r} is none of 1–8 and was ignored",)


def _changes(picture: PilImage.Image, form: str, name: str) -> tuple[str, ...]:
    """Say what turning a loaded picture into 8-bit RGB changes; refuse a mode that has no such picture."""
    mode = picture.mode
    if mode in _WIDE or (mode == "I" and form == "PPM"):  # which Pillow scales to 16 bits
        return (_NARROWED,)
    if mode not in _MODES:
        raise RefusedImage(name, f"pixels of mode {mode} are not taken in: save it as 8-bit RGB or grey")
    notes = []
    if mode == "CMYK":
        notes.append("CMYK converted to RGB without a colour profile")
    if picture.has_transparency_data and picture.convert("RGBA").getchannel("A").getextrema() != (255, 255):
        notes.append("transparency shown on white")
    return tuple(notes)


def _rgb(decoded: _Decoded) -> RgbArray:
    """Return the upright pixels, uint8 (H, W, 3)."""
    picture = decoded.picture
    if picture.mode in ("I", *_WIDE):
        wide = np.asarray(picture).astype(np.uint32)
        picture = PilImage.fromarray(((wide * 255 + 32_895) >> 16).astype(np.uint8))  # round(value / 257)
    elif picture.has_transparency_data:
        white = PilImage.new("RGBA", picture.size, "white")
        picture = PilImage.alpha_composite(white, picture.convert("RGBA"))
    if picture.mode != "RGB":
        picture = picture.convert("RGB")
    if decoded.format != "TIFF" and decoded.orientation > 1:
        picture = picture.transpose(_UPRIGHT[decoded.orientation])
    return np.array(picture, np.uint8)


def _suffix_notes(form: str, name: str) -> tuple[str, ...]:
    claimed = _SUFFIXES.get(PurePath(name).suffix.lower())
    actual = "JPEG" if form == "MPO" else form
    return (f"the name says {claimed}, the content is {actual}",) if claimed and claimed != actual else ()


def _unidentified(data: bytes) -> str:
    kind = next((kind for at, magic, kind in _MAGIC if data[at : at + len(magic)] == magic), None)
    if kind is None and b"<svg" in data[:1024].lower():
        kind = "SVG"
    if kind:
        return f"{kind} is not taken in; pictures are {', '.join(FORMATS)}"
    return f"not a picture, or its header is broken; pictures are {', '.join(FORMATS)}"


def _line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text[:200] if text else type(error).__name__
