"""Pictures that people ask about without adding them to the workspace: in memory, each for who sent it, for a while."""

import threading
from collections import OrderedDict
from dataclasses import dataclass

from whyseg.curation.images import RgbArray, inspect, portable, read_upright
from whyseg.schemas import Image
from whyseg.schemas.errors import NotFound
from whyseg.ui.pictures import SHOWN, Picture

KEPT = 8  # pictures of all people together; a request's body is limited, and so is each of them
_TYPES = {
    ".jpg": SHOWN["JPEG"],
    ".png": SHOWN["PNG"],
    ".webp": SHOWN["WEBP"],
    ".gif": SHOWN["GIF"],
    ".bmp": "image/bmp",
}


@dataclass(frozen=True)
class _Upload:
    image: Image
    data: bytes


class Uploads:
    """Keeps the newest pictures that were sent; any thread may ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, str], _Upload] = OrderedDict()

    def add(self, data: bytes, name: str, by: str) -> Image:
        """Keep a picture file and return its record; raises ``RefusedImage`` for what would not be taken in."""
        image = inspect(data, name)
        with self._lock:
            self._kept[by, image.id] = _Upload(image, data)
            self._kept.move_to_end((by, image.id))
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return image

    def image(self, image_id: str, by: str) -> Image:
        """Return the record of a picture that somebody has sent; raises ``NotFound``."""
        return self._upload(image_id, by).image

    def pixels(self, image_id: str, by: str) -> RgbArray:
        """Return the upright pixels, uint8 (H, W, 3), RGB; raises ``NotFound``."""
        found = self._upload(image_id, by)
        return read_upright(found.data, found.image.file_name).pixels

    def upright(self, image_id: str, by: str) -> Picture:
        """Return the picture as browsers show it upright; raises ``NotFound``."""
        found = self._upload(image_id, by)
        data, suffix = portable(found.data, found.image.file_name)
        return Picture(data, _TYPES[suffix])

    def _upload(self, image_id: str, by: str) -> _Upload:
        with self._lock:
            if (by, image_id) not in self._kept:
                raise NotFound("picture", f"{image_id}: send it again")
            self._kept.move_to_end((by, image_id))
            return self._kept[by, image_id]
