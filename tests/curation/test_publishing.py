import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import HfApi

from tests.hub import HOLD, PASS, TOKEN, FakeHub
from tests.released import add_sample, released
from whyseg.curation.publishing import PushReport, push
from whyseg.curation.releases import Releases
from whyseg.curation.workspace import Settings, Workspace
from whyseg.schemas.errors import HubConflict, NotFound, UsageError

# The client hands its files over by a name that its HTTP library calls old.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")
REPO = "ann/cups"


@pytest.fixture(scope="module")
def running() -> Iterator[FakeHub]:
    with FakeHub().running() as started:
        yield started


@pytest.fixture
def hub(running: FakeHub) -> FakeHub:
    running.reset()
    return running


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    with released(tmp_path_factory.mktemp("untouched") / "w") as made:
        yield made


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with released(tmp_path / "w") as made:
        yield made


def bring(hub: FakeHub, workspace: Workspace, name: str = "v1", **options: Any) -> PushReport:
    return push(workspace, name, REPO, api=HfApi(endpoint=hub.url, token=TOKEN), **options)


def test_a_dry_run_names_everything_and_asks_nothing(hub: FakeHub, workspace: Workspace) -> None:
    report = bring(hub, workspace, dry_run=True, private=True, revision="first")
    assert hub.requests == []
    assert (report.outcome, report.tag, report.repo, report.private) == ("planned", "first", REPO, True)
    names = [file.path for file in report.files]
    assert names == sorted(names)
    assert {"README.md", "assets/sample-1.jpg", "export-report.jsonl"} <= set(names)
    assert sum(name.startswith("data/") for name in names) >= 1
    assert report.bytes == sum(file.size for file in report.files) > 0


def test_what_the_hub_holds_loads_with_datasets(hub: FakeHub, workspace: Workspace, tmp_path: Path) -> None:
    from datasets import load_dataset

    report = bring(hub, workspace)
    assert (report.outcome, report.commit) == ("pushed", hub.repos[REPO].tags["v1"])
    hub.checkout(REPO, "v1", tmp_path / "copy")
    release = Releases(workspace).get("v1")
    files = {split: str(tmp_path / "copy" / "data" / f"{split}-*") for split, n in release.splits.items() if n}
    data = load_dataset("parquet", data_files=files, cache_dir=str(tmp_path / "cache"))
    assert {split: len(rows) for split, rows in data.items()} == {s: n for s, n in release.splits.items() if n}
    row = next(iter(data.values()))[0]
    assert row["image"].size == row["mask"].size == (80, 60)
    # By the card's own configuration, as a reader of the repository loads it.
    same = load_dataset(str(tmp_path / "copy"), cache_dir=str(tmp_path / "cache"))
    assert {split: len(rows) for split, rows in same.items()} == {split: len(rows) for split, rows in data.items()}


def test_a_repeated_push_is_done_at_once_even_without_the_cache(hub: FakeHub, workspace: Workspace) -> None:
    first = bring(hub, workspace)
    shutil.rmtree(workspace.cache / "hub")
    second = bring(hub, workspace)
    assert second == first.model_copy(update={"outcome": "unchanged"})
    assert hub.repos[REPO].messages == ["initial commit", f"Release v1: 4 samples, {first.hash}"]


def test_a_release_after_another_keeps_both_tags(hub: FakeHub, workspace: Workspace) -> None:
    bring(hub, workspace)
    add_sample(workspace, 9)
    Releases(workspace).create("v2", author="ann")
    bring(hub, workspace, "v2")
    repo = hub.repos[REPO]
    assert set(repo.tags) == {"v1", "v2"}
    assert b"4 samples" in repo.at("v1")["README.md"]
    assert b"5 samples" in repo.at("v2")["README.md"]
    assert b"5 samples" in repo.at("main")["README.md"]


def test_another_licence_is_another_card_and_the_tag_refuses_it(hub: FakeHub, workspace: Workspace) -> None:
    bring(hub, workspace)
    workspace.settings = Settings(license="cc-by-4.0")
    with pytest.raises(HubConflict, match=r"tag v1 with other content .* such as README\.md"):
        bring(hub, workspace)
    assert bring(hub, workspace, revision="v1-licensed").outcome == "pushed"
    assert len(list((workspace.cache / "hub" / "v1").iterdir())) == 2  # an export and what it consists of


def test_an_export_that_lost_a_file_in_the_cache_is_made_again(workspace: Workspace) -> None:
    first = push(workspace, "v1", REPO, dry_run=True)
    (shard, *_) = (workspace.cache / "hub" / "v1").glob("*/data/*.parquet")
    before = shard.stat().st_mtime_ns
    assert push(workspace, "v1", REPO, dry_run=True) == first
    assert shard.stat().st_mtime_ns == before  # nothing was written
    shard.unlink()
    assert push(workspace, "v1", REPO, dry_run=True) == first


@pytest.mark.parametrize("repo", ["cups", "a/b/c", "../x", "ann/", "ann/a--b", "ann/x.git", "ann/.x", "a b/c", ""])
def test_names_that_no_repository_has_are_refused(untouched: Workspace, repo: str) -> None:
    with pytest.raises(UsageError, match="OWNER/NAME"):
        push(untouched, "v1", repo, dry_run=True)


@pytest.mark.parametrize("tag", ["main", "a..b", "-x", "a b", "x/", "x.lock", "~1"])
def test_names_that_no_tag_should_have_are_refused(untouched: Workspace, tag: str) -> None:
    with pytest.raises(UsageError, match="a tag is"):
        push(untouched, "v1", REPO, revision=tag, dry_run=True)


def test_no_release_no_push(hub: FakeHub, untouched: Workspace) -> None:
    with pytest.raises(NotFound):
        bring(hub, untouched, "v2")


@pytest.mark.slow
def test_a_push_that_was_killed_is_finished_by_the_next_one_with_the_same_bytes(
    hub: FakeHub, workspace: Workspace, tmp_path: Path
) -> None:
    """The second upload never gets its answer; the process dies there; the next one sends what is missing."""
    hub.fail("PUT", "/large/", PASS, times=1)
    hub.fail("PUT", "/large/", HOLD)
    command = [sys.executable, "-m", "whyseg", "push", "v1", REPO, "-w", str(workspace.path)]
    environment = {**os.environ, "HF_ENDPOINT": hub.url, "HF_TOKEN": TOKEN, "HF_HOME": str(tmp_path / "home")}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    waited = time.monotonic() + 60
    while not (hub.large and hub.count("PUT") >= 2) and process.poll() is None and time.monotonic() < waited:
        time.sleep(0.02)
    assert process.poll() is None, "it ended before it could be killed"
    process.kill()
    process.wait()
    assert hub.repos[REPO].messages == ["initial commit"]
    arrived = set(hub.large)
    assert len(arrived) == 1
    hub.faults.clear()
    asked = len(hub.requests)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not any(path.rpartition("/")[2] in arrived for method, path in hub.requests[asked:] if method == "PUT")
    killed = dict(hub.repos[REPO].at("v1"))

    hub.reset()
    bring(hub, workspace)
    assert hub.repos[REPO].at("v1") == killed
