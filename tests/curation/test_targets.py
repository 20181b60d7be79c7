from pathlib import Path

import pytest

from tests.released import accepted, add_sample
from whyseg.curation.targets import Cell, cells
from whyseg.curation.workspace import Workspace, read_settings
from whyseg.schemas import ReasoningType
from whyseg.schemas.errors import UsageError

FUNCTION = ReasoningType.FUNCTION_PURPOSE
BAD = ["{ nonsense = [1, 2, 3, 4] }", "{ commonsense = [1, 2] }", "{ commonsense = [1, 2, 3, -4] }"]


def cell(depth: int, wanted: int, *, there: int = 0, under_way: int = 0, missing: int = 0) -> Cell:
    counts = {"wanted": wanted, "accepted": there, "under_way": under_way, "missing": missing}
    return Cell.parse({"reasoning_type": FUNCTION, "depth": depth, **counts})


def test_only_accepted_samples_count(tmp_path: Path) -> None:
    with Workspace.create(tmp_path / "w") as workspace:
        first = add_sample(workspace, 0, accept=False)  # function_purpose at depth 1
        add_sample(workspace, 4, accept=False)  # another one
        add_sample(workspace, 1)  # commonsense at depth 2, which nobody wants
        targets = {FUNCTION: (2, 1, 0, 0)}
        lacking = cell(2, 1, missing=1)
        assert cells(targets, workspace.store.stats()) == (cell(1, 2, under_way=2, missing=2), lacking)
        accepted(workspace.store, first.id)
        assert cells(targets, workspace.store.stats()) == (cell(1, 2, there=1, under_way=1, missing=1), lacking)
        targets = {FUNCTION: (1, 0, 0, 0)}
        assert cells(targets, workspace.store.stats()) == (cell(1, 1, there=1, under_way=1),)
        assert workspace.store.stats().accepted == {"function_purpose": {"1": 1}, "commonsense": {"2": 1}}


def test_targets_are_read_from_the_settings_by_any_name_of_a_type(tmp_path: Path) -> None:
    Workspace.create(tmp_path / "w").close()
    file = tmp_path / "w" / "whyseg.toml"
    assert read_settings(tmp_path / "w").targets == {}
    file.write_text('targets = { "P/F" = [1, 2, 3, 4] }')
    assert read_settings(tmp_path / "w").targets == {FUNCTION: (1, 2, 3, 4)}


@pytest.mark.parametrize("text", BAD)
def test_targets_that_are_none_are_refused(tmp_path: Path, text: str) -> None:
    Workspace.create(tmp_path / "w").close()
    (tmp_path / "w" / "whyseg.toml").write_text(f"targets = {text}")
    with pytest.raises(UsageError, match="targets"):
        read_settings(tmp_path / "w")
