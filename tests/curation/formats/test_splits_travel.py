"""A release that grew keeps its splits wherever it is taken: what was published as a test set stays one."""

from pathlib import Path

import pytest

from tests.frozen import add, splits
from whyseg.curation.exporting import Writer, export
from whyseg.curation.formats.coco import import_coco
from whyseg.curation.formats.coco_writer import CocoWriter
from whyseg.curation.formats.hub_layouts import import_hf
from whyseg.curation.formats.labelme import LabelmeWriter, import_labelme
from whyseg.curation.formats.parquet import ParquetWriter
from whyseg.curation.formats.reasonseg import ReasonSegWriter, import_reasonseg
from whyseg.curation.releases import Releases
from whyseg.curation.workspace import Workspace


@pytest.mark.parametrize(
    ("writer", "importer"),
    [
        (ParquetWriter(), import_hf),
        (CocoWriter(), import_coco),
        (ReasonSegWriter(), import_reasonseg),
        (LabelmeWriter(), import_labelme),
    ],
    ids=["hf", "coco", "reasonseg", "labelme"],
)
def test_a_release_that_grew_has_its_splits_and_its_hash_elsewhere(
    writer: Writer, importer: object, tmp_path: Path
) -> None:
    with Workspace.create(tmp_path / "here") as here, Workspace.create(tmp_path / "there") as there:
        for number in range(12):
            add(here, number)
        Releases(here).create("r1", author="ann", states="any")
        for number in range(12):
            add(here, number, copy=True)  # a group's smallest id, which would decide anew, may now be the copy's
        grown = Releases(here).create("r2", author="ann", states="any")
        export(here, "r2", tmp_path / "out", writer)
        importer(there, tmp_path / "out", author="ben")  # type: ignore[operator]
        assert Releases(there).create("r2", author="ben", states="any").hash == grown.hash
        assert splits(there, "r2") == splits(here, "r2")
