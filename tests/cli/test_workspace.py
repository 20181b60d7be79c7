import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.behind import tamper
from tests.builders import filled_workspace


def run(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "whyseg", *arguments], capture_output=True, text=True, cwd=cwd, check=False
    )


def test_init_stats_and_verify_work_headless(tmp_path: Path) -> None:
    made = run("init", str(tmp_path / "w"), "--json")
    assert (made.returncode, json.loads(made.stdout)) == (0, {"workspace": str(tmp_path / "w")})
    counted = run("stats", "--json", cwd=tmp_path / "w")  # the current folder is the default
    assert (counted.returncode, json.loads(counted.stdout)["images"]) == (0, 0)
    checked = run("verify", "--workspace", str(tmp_path / "w"), "--json")
    assert (checked.returncode, json.loads(checked.stdout)) == (0, {"ok": True, "problems": []})
    assert "checking revisions" in checked.stderr


def test_a_failed_verification_exits_1_and_says_what(tmp_path: Path) -> None:
    workspace = filled_workspace(tmp_path / "w")
    workspace.close()
    next(iter((tmp_path / "w" / "images").glob("??/*"))).unlink()
    checked = run("verify", "-w", str(tmp_path / "w"), "--json")
    assert checked.returncode == 1
    assert "missing" in json.loads(checked.stdout)["problems"][0]["message"]


@pytest.mark.sqlite
def test_a_verification_may_make_the_search_index_anew(tmp_path: Path) -> None:
    path = tmp_path / "w"
    filled_workspace(path).close()
    tamper(path, "DELETE FROM sample_words_data")
    checked = run("verify", "-w", str(path))
    assert checked.returncode == 1
    assert "search index: cannot be read" in checked.stdout
    checked = run("verify", "-w", str(path), "--reindex")
    assert (checked.returncode, checked.stdout) == (0, "everything agrees\n")


def test_wrong_use_exits_2_with_one_line(tmp_path: Path) -> None:
    for arguments in (
        ("stats", "-w", str(tmp_path)),
        ("verify", "-w", str(tmp_path / "no")),
        ("backup", "b.tar", "-w", "no"),
    ):
        done = run(*arguments, cwd=tmp_path)
        assert done.returncode == 2
        assert done.stdout == ""
        assert len(done.stderr.strip().splitlines()) == 1
    assert run("nonsense").returncode == 2
    assert run("stats", "--colour").returncode == 2


def test_backup_and_restore_bring_everything_back(tmp_path: Path) -> None:
    filled_workspace(tmp_path / "w").close()
    made = run("backup", "b.tar", "-w", "w", "--json", cwd=tmp_path)
    assert (made.returncode, json.loads(made.stdout)["images"]) == (0, 1)
    done = run("restore", "b.tar", "-w", "again", "--json", cwd=tmp_path)
    assert (done.returncode, json.loads(done.stdout)["images"]) == (0, 1)
    refused = run("restore", "b.tar", "-w", "again", cwd=tmp_path)
    assert (refused.returncode, "--replace" in refused.stderr) == (2, True)
    (tmp_path / "b.tar").write_bytes(b"x" * 2000)
    assert run("restore", "b.tar", "-w", "third", cwd=tmp_path).returncode == 1
    assert run("verify", "-w", "again", cwd=tmp_path).returncode == 0


def test_stats_say_what_the_targets_lack(tmp_path: Path) -> None:
    filled_workspace(tmp_path / "w").close()
    plain = run("stats", "-w", "w", cwd=tmp_path)
    assert "targets" not in plain.stdout
    (tmp_path / "w" / "whyseg.toml").write_text("targets = { compositional = [0, 3, 0, 0] }")
    cell = {"reasoning_type": "compositional", "depth": 2, "wanted": 3, "accepted": 0, "under_way": 0, "missing": 3}
    assert json.loads(run("stats", "-w", "w", "--json", cwd=tmp_path).stdout)["targets"] == [cell]
    assert "depth 2: 0 of 3 accepted; 3 missing, 0 under way" in run("stats", "-w", "w", cwd=tmp_path).stdout
