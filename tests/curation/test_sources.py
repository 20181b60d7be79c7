"""A source's files beside each other."""

import zipfile
from pathlib import Path

import pytest

from whyseg.curation.sources import File, Listing
from whyseg.schemas.errors import RefusedInput


def test_files_are_found_beside_the_one_that_is_named_and_nowhere_else(tmp_path: Path) -> None:
    for name in ("in/a.json", "in/a.png", "in/below/b.png", "secret.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    (tmp_path / "in" / "leaves.png").symlink_to(tmp_path / "secret.png")
    (tmp_path / "in" / "stays.png").symlink_to("below/b.png")
    for source in (tmp_path / "in" / "a.json", tmp_path / "in", tmp_path / "in" / "*.json"):
        with Listing(source) as listing:
            assert "a.json" in [found.name for found in listing.found if isinstance(found, File)]
            for name, content in (("a.png", "a.png"), ("below/b.png", "below/b.png"), ("stays.png", "below/b.png")):
                file = listing.get(name)
                assert file is not None
                assert (file.name, file.read(None)) == (name, f"in/{content}".encode())
            bad = (
                "../secret.png",
                str(tmp_path / "secret.png"),
                "leaves.png",
                "gone.png",
                "below",
                "a\0",
                "a" * 5000,
                "",
            )
            assert [listing.get(name) for name in bad] == [None] * len(bad)


def test_an_archive_s_files_can_be_read_until_the_listing_is_closed(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
        archive.writestr("a.json", b"{}")
        archive.writestr("a.png", b"picture")
    with Listing(tmp_path / "in.zip") as listing:
        file = listing.get("a.png")
        assert file is not None
        assert file.read(None) == b"picture"
        assert (listing.get("in.zip"), listing.get("gone.png")) == (None, None)
    with pytest.raises(RefusedInput, match="cannot be read"):
        file.read(None)
