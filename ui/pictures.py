"""Pictures as browsers get them: what they show is, pixel for pixel, what coordinates and masks speak of.

A browser gets the original file where it shows that upright and whole; where it would show another picture (turned by
EXIF, 16 bits a channel, CMYK, transparent, animated, a format it does not know), it gets a PNG of the upright pixels.
PNGs and thumbnails lie in the workspace's cache: named by their content, written atomically, safe to delete.
"""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import cv2

from whyseg.curation.blobs import write_atomically
from whyseg.curation.images import RgbArray, examine, read_reduced, read_upright
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Image
from whyseg.schemas.errors import RefusedImage, StoreUnavailable

# Formats that every browser shows, and how they are called there. MPO is a JPEG with previews behind it.
SHOWN = {"JPEG": "image/jpeg", "MPO": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp", "GIF": "image/gif"}
JPEG_QUALITY = 85
PNG_COMPRESSION = 1  # 12 megapixels take 0.6 s; the best compression, six times as long, saves a tenth


@dataclass(frozen=True)
class Picture:
    """A picture file's bytes and media type."""

    data: bytes
    media_type: str


class Pictures:
    """The pictures of a workspace; any thread may ask."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._as_stored: dict[str, bool] = {}

    def pixels(self, image_id: str) -> RgbArray:
        """Return the upright pixels, uint8 (H, W, 3) RGB; raises ``NotFound``, ``RefusedImage`` for broken bytes."""
        image = self.workspace.store.image(image_id)
        return read_upright(self.workspace.blobs.read(image_id), image.file_name).pixels

    def upright(self, image_id: str) -> Picture:
        """Return the picture that a browser shows upright; raises ``NotFound``, ``RefusedImage`` for broken bytes."""
        image = self.workspace.store.image(image_id)
        derived = self.workspace.cache / "upright" / f"{image.id}.png"
        if (data := _cached(derived)) is not None:
            return Picture(data, "image/png")
        original = self.workspace.blobs.read(image_id)
        if self._is_shown_as_stored(image, original):
            return Picture(original, SHOWN[image.format])
        pixels = read_upright(original, image.file_name).pixels
        data = _encode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, PNG_COMPRESSION])
        _keep(derived, data)
        return Picture(data, "image/png")

    def thumbnail(self, image_id: str, side: int) -> Picture:
        """Return a JPEG whose longest side is ``side`` pixels; small pictures are not enlarged."""
        image = self.workspace.store.image(image_id)  # before the name becomes part of a path
        derived = self.workspace.cache / "thumbnails" / f"{image.id}-{side}.jpg"
        if (data := _cached(derived)) is None:
            pixels = read_reduced(self.workspace.blobs.read(image_id), image.file_name, side)
            data = _encode(".jpg", shrink(pixels, side), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
            _keep(derived, data)
        return Picture(data, "image/jpeg")

    def _is_shown_as_stored(self, image: Image, original: bytes) -> bool:
        if image.format not in SHOWN or image.orientation != 1:
            return False
        if image.id not in self._as_stored:
            _, notes = examine(original, image.id)  # under a name without suffix, so the notes are about pixels alone
            self._as_stored[image.id] = not notes
        return self._as_stored[image.id]


def shrink(pixels: RgbArray, side: int) -> RgbArray:
    """Return uint8 (h, w, 3) with a longest side of at most ``side`` pixels, averaging over what each pixel covers."""
    height, width = pixels.shape[:2]
    scale = side / max(height, width)
    if scale >= 1:
        return pixels
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype("uint8", copy=False)


def _encode(suffix: str, pixels: RgbArray, options: list[int]) -> bytes:
    done, data = cv2.imencode(suffix, cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), options)
    if not done:
        raise RefusedImage(suffix, f"{pixels.shape[1]}×{pixels.shape[0]} pixels cannot be written in this format")
    return data.tobytes()


def _keep(path: Path, data: bytes) -> None:
    with suppress(StoreUnavailable):  # a full disk costs the next visitor some time, and nobody a picture
        write_atomically(path, data)


def _cached(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None
