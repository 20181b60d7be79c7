from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.released import accepted, add_sample
from whyseg.curation.targets import Cell, cells, coverage, most_wanted, set_target
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


def test_what_is_wanted_most_is_what_nobody_works_on() -> None:
    reached = cell(1, 2, there=2)
    in_work = cell(2, 50, under_way=48, missing=50)  # 2 would still be missing
    few = cell(3, 3, missing=3)  # 3 would
    done_soon = cell(4, 5, under_way=9, missing=5)  # none would
    assert most_wanted([reached, in_work, few, done_soon]) == (few, in_work, done_soon)


WRITTEN = [
    "# ours\ndatabase = ''\n\n# wanted\ntargets = {}  # nothing yet\n",
    "targets = { 'C/MH' = [1, 2, 3, 4] }\nlanguages = ['en']  # both\n",
    "license = 'x'\n\n[targets]\n# why\ncompositional = [\n  1,  # one\n  2,\n  3,  # many\n  4,\n]\n",
    "license = 'x'\n",
    "",
    "targets.compositional = [0, 0, 1, 0]\r\n# the end\r\n",
]


@pytest.mark.parametrize("text", WRITTEN)
def test_a_target_is_written_and_all_else_in_the_file_stays(tmp_path: Path, text: str) -> None:
    with Workspace.create(tmp_path / "w") as workspace:
        file = tmp_path / "w" / "whyseg.toml"
        file.write_bytes(text.encode())
        file.chmod(0o600)  # it may hold a password
        before = read_settings(workspace.path)
        set_target(workspace, ReasoningType.COMPOSITIONAL, 3, 70, author="cur")
        after = read_settings(workspace.path)
        row = before.targets.get(ReasoningType.COMPOSITIONAL, (0, 0, 0, 0))
        assert after.targets == {ReasoningType.COMPOSITIONAL: (row[0], row[1], 70, row[3])}
        assert after.model_copy(update={"targets": before.targets}) == before
        comments = [line[line.index("#") :] for line in text.splitlines() if "#" in line]
        assert all(comment in file.read_text() for comment in comments)
        assert file.stat().st_mode & 0o777 == 0o600
        assert coverage(workspace).wanted[0].wanted == 70
        [entry] = workspace.store.audit_log(subject="targets")
        assert (entry.actor, entry.detail["before"], entry.detail["after"]) == ("cur", row[2], 70)
        set_target(workspace, ReasoningType.COMPOSITIONAL, 3, 70, author="cur")  # nothing changes
        assert len(workspace.store.audit_log(subject="targets")) == 1


def test_settings_that_are_broken_meanwhile_are_left_alone(tmp_path: Path) -> None:
    with Workspace.create(tmp_path / "w") as workspace:
        file = tmp_path / "w" / "whyseg.toml"
        file.write_text("targets = { commonsense = [1, 2] }")
        with pytest.raises(UsageError, match="targets"):
            set_target(workspace, FUNCTION, 1, 5, author="cur")
        assert file.read_text() == "targets = { commonsense = [1, 2] }"
        assert workspace.store.audit_log(subject="targets") == []


def test_a_link_to_shared_settings_stays_a_link(tmp_path: Path) -> None:
    with Workspace.create(tmp_path / "w") as workspace:
        file, shared = tmp_path / "w" / "whyseg.toml", tmp_path / "shared.toml"
        file.rename(shared)
        file.symlink_to(shared)
        set_target(workspace, FUNCTION, 1, 5, author="cur")
        assert file.is_symlink()
        assert "function_purpose = [5, 0, 0, 0]" in shared.read_text()


def test_two_curators_at_once_lose_neither_target(tmp_path: Path) -> None:
    with Workspace.create(tmp_path / "w") as workspace, ThreadPoolExecutor(8) as pool:
        asks = [(kind, depth) for kind in ReasoningType for depth in (1, 2, 3, 4)]
        list(pool.map(lambda ask: set_target(workspace, ask[0], ask[1], 10 * ask[1], author="cur"), asks))
        assert read_settings(workspace.path).targets == dict.fromkeys(ReasoningType, (10, 20, 30, 40))
