"""What ships with whyseg: small models made by its own scripts."""

from pathlib import Path


def path(name: str) -> Path:
    """Return the path of a packaged file or folder, e.g. ``models/tiny_sam2``.

    whyseg is installed as plain files (not from a zip archive), so that libraries can open what lies here by path.
    """
    return Path(__file__).parent / name
