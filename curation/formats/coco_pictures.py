"""Where the pictures of a COCO file lie."""

import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath, PureWindowsPath

from whyseg.curation.sources import File, Refusal, candidates
from whyseg.schemas.errors import RefusedImage


class PictureFolder:
    """Finds pictures below a folder: at their relative path, in ``images/``, else anywhere by their base name."""

    def __init__(self, folder: Path, names: Iterable[str]) -> None:
        self.folder = folder.resolve()
        self._wanted = {PurePosixPath(name).name for name in names}
        self._found: dict[str, list[File | Refusal]] | None = None

    def read(self, name: str) -> bytes:
        """Return the bytes of a picture that a COCO file names.

        Raises ``RefusedImage`` for a name that leads out of the folder, fits several files or none, and for a file that
        cannot be read.
        """
        path = PurePosixPath(name)
        if path.is_absolute() or PureWindowsPath(name).drive or ".." in path.parts or "\0" in name:
            raise RefusedImage(name, "a picture's name is a path below the folder of pictures, without '..'")
        for folder in (self.folder, self.folder / "images"):
            if (found := self._at(folder / name, name)) is not None:
                return found
        matches = self._by_name(path.name)
        matches = [one for one in matches if f"/{_path(one)}".endswith(f"/{name}")] or matches
        if not matches:
            raise RefusedImage(name, "no such file beside the JSON, in images/, or anywhere below")
        if len(matches) > 1:
            shown = ", ".join(_path(one) for one in matches[:3]) + (", …" if len(matches) > 3 else "")
            raise RefusedImage(name, f"{len(matches)} files have this name: {shown}")
        if isinstance(matches[0], Refusal):
            raise RefusedImage(name, matches[0].reason)
        return matches[0].read(None)

    def _at(self, path: Path, name: str) -> bytes | None:
        try:
            if not path.is_file():
                return None
        except OSError:  # a name that no file can have
            return None
        if not Path(os.path.realpath(path)).is_relative_to(self.folder):
            raise RefusedImage(name, "it lies behind a link that leaves the folder")
        found = next(candidates(path), None)
        if not isinstance(found, File) or not found.named:
            raise RefusedImage(name, "an archive is no picture")
        return found.read(None)

    def _by_name(self, name: str) -> list[File | Refusal]:
        """Return the files of a base name; the folder is walked once, for all names."""
        if self._found is None:
            self._found = {}
            for found in candidates(self.folder):
                if found is not None and (base := PurePosixPath(_path(found)).name) in self._wanted:
                    self._found.setdefault(base, []).append(found)
        return self._found.get(name, [])


def _path(found: File | Refusal) -> str:
    return found.file if isinstance(found, Refusal) else found.name
