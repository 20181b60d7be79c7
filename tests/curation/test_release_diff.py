from pathlib import Path

import pytest

from tests.builders import block
from tests.frozen import SIZE, accept, add, revised
from whyseg.curation.release_diff import diff
from whyseg.curation.releases import Releases
from whyseg.curation.workspace import Workspace
from whyseg.schemas.errors import NotFound


def test_added_removed_and_changed_samples_are_told_apart(tmp_path: Path) -> None:
    with Workspace.create(tmp_path / "w") as workspace:
        kept, gone, asked, moved = (add(workspace, number) for number in range(4))
        for sample in (kept, gone, asked, moved):
            accept(workspace, sample)
        releases = Releases(workspace)
        releases.create("v1", author="ann")
        for sample in (gone, asked, moved):
            workspace.store.reopen(sample.id, author="ann", reason="look again")
        accept(workspace, revised(workspace, asked, "what else?"))
        # 4×6 = 24 pixels, shifted by two columns: 16 in common, 32 in either
        accept(workspace, revised(workspace, moved, "what is 3?", block(2, 5, 4, 6, SIZE)))
        new = add(workspace, 4)
        accept(workspace, new)
        releases.create("v2", author="ann")

        found = diff(workspace, "v1", "v2")
        assert (found.before.name, found.after.name, found.same) == ("v1", "v2", 1)
        assert [item.sample_id for item in found.added] == [new.id]
        assert [item.sample_id for item in found.removed] == [gone.id]
        changed = {one.sample_id: one for one in found.changed}
        assert sorted(changed) == sorted([asked.id, moved.id])
        assert (changed[asked.id].fields, changed[asked.id].iou) == (("query",), 1.0)
        assert changed[asked.id].queries == ("what is 2?", "what else?")
        assert (changed[moved.id].fields, changed[moved.id].iou) == (("instances",), 0.5)
        assert changed[moved.id].before.revision_id != changed[moved.id].after.revision_id

        back = diff(workspace, "v2", "v1")
        assert ([item.sample_id for item in back.added], len(back.changed)) == ([gone.id], 2)
        nothing = diff(workspace, "v1", "v1")
        assert (nothing.same, nothing.added, nothing.removed, nothing.changed) == (4, (), (), ())
        with pytest.raises(NotFound, match="no release v3"):
            diff(workspace, "v1", "v3")


def test_a_sample_that_only_changed_sides_is_changed(tmp_path: Path) -> None:
    """Nobody moves within a workspace; releases of elsewhere may have been added to it."""
    with Workspace.create(tmp_path / "w") as workspace:
        sample = add(workspace, 0)
        releases = Releases(workspace)
        first = releases.create("v1", author="ann", states="any")
        (item,) = releases.items("v1")
        other = "test" if item.split != "test" else "train"
        releases.add(first.model_copy(update={"name": "v2"}), [item.model_copy(update={"split": other})])
        (change,) = diff(workspace, "v1", "v2").changed
        assert (change.sample_id, change.fields, change.iou) == (sample.id, ("side",), 1.0)
