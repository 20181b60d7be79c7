import json
import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import Response

from tests.cli.test_workspace import run
from tests.curation.drafting.server import completion, draft_json, error, serving
from tests.curation.drafting.test_bulk import added, labelled, picture
from tests.curation.drafting.tiny_vlm import save_qwen
from whyseg.curation.queries import SampleFilter
from whyseg.curation.workspace import Workspace

KEY = "sk-very-secret-0123456789"


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A workspace with an umbrella and a car, neither asked about."""
    path = tmp_path / "w"
    with Workspace.create(path) as workspace:
        image = picture(workspace, 0)
        added(workspace, image, "1", labelled(1, "umbrella", 0))
        added(workspace, image, "2", labelled(1, "car", 60))
    return path


def test_the_template_drafter_drafts_offline_and_a_second_run_skips(made: Path) -> None:
    command = ("draft", "--type", "P/F", "--type", "C/KI", "--depth", "1", "--workspace", str(made), "--json")
    done = run(*command)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["drafted"], report["declined"], report["failed"]) == (2, 0, [])
    assert report["tokens"] == {"prompt": 0, "completion": 0}
    assert json.loads(run(*command).stdout)["skipped"] == 2


def test_an_endpoint_drafts_costs_are_counted_and_the_key_is_written_nowhere(
    made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    with serving(completion(draft_json()), completion(f"no, {KEY}")) as server:
        done = run(
            "draft", "--drafter", "openai", "--model", "vlm", "--endpoint", server.url, "--key-variable", "MY_KEY",
            "--type", "commonsense", "--depth", "1", "--price-in", "2", "--price-out", "8", "--workspace", str(made),
            "--json",
        )  # fmt: skip
    assert server.keys == [f"Bearer {KEY}"] * 2
    assert done.returncode == 1
    report = json.loads(done.stdout)
    assert report["drafted"] == 1
    assert [failure["kind"] for failure in report["failed"]] == ["parse_failure"]
    assert report["tokens"] == {"prompt": 2000, "completion": 100}
    assert report["cost"] == pytest.approx(0.0048)  # twice 1,000 at 2 and 50 at 8 a million
    assert KEY not in done.stdout + done.stderr
    with sqlite3.connect(made / "whyseg.db") as database:
        assert KEY not in "\n".join(database.iterdump())
    for folder, _, names in os.walk(made):
        for name in names:
            assert KEY.encode() not in (Path(folder) / name).read_bytes(), name


def test_a_wrong_key_is_one_line_and_exit_1(made: Path) -> None:
    with serving(error(401)) as server:
        done = run("draft", "--drafter", "openai", "--model", "vlm", "--endpoint", server.url, "-w", str(made))
    assert done.returncode == 1
    assert done.stderr.startswith("whyseg: ")
    assert "OPENAI_API_KEY set and right?" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--ask",), "--ask needs a model, and --drafter template has none"),
        (("--type", "riddle"), "no reasoning type 'riddle'"),
        (("--drafter", "openai"), "--drafter openai needs --model"),
        (("--drafter", "openai", "--model", "m", "--endpoint", "host"), "expected an endpoint such as"),
        (("--model", "m"), "template has no model"),
        (("--drafter", "transformers", "--model", "m", "--endpoint", "http://h/v1"), "is for --drafter openai"),
    ],
)
def test_wrong_use_exits_2(made: Path, arguments: tuple[str, ...], said: str) -> None:
    done = run("draft", *arguments, "--workspace", str(made))
    assert done.returncode == 2
    assert said in done.stderr


def test_the_template_drafter_needs_no_pixels(made: Path) -> None:
    """The image files may be gone: labels and masks are enough."""
    for path in (made / "images").rglob("*"):
        if path.is_file():
            path.unlink()
    done = run("draft", "--type", "function_purpose", "--depth", "1", "--workspace", str(made))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("drafted 1 questions for 1 samples, 0 of them with marks; 1 samples declined")


def test_the_model_is_asked_about_each_candidate_where_that_is_wanted(made: Path) -> None:
    """For each of two samples one reply is a draft, then two things are asked about, yes to everything: ambiguous."""

    def reply(body: dict[str, Any]) -> Response:
        return completion(draft_json() if "response_format" in body else "Yes.")

    with serving(reply) as server:
        done = run(
            "draft", "--drafter", "openai", "--model", "vlm", "--endpoint", server.url, "--ask", "--concurrency", "2",
            "--type", "function_purpose", "--depth", "1", "--workspace", str(made), "--json",
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["drafted"], report["marked"]) == (2, 2)
    assert report["tokens"]["prompt"] == 2 * (1000 + 4 * 1000)  # the draft, and two questions to each of two things
    with Workspace.open(made) as workspace:
        for summary in workspace.store.page(SampleFilter()).samples:
            (kept,) = workspace.store.suggestions(summary.id)
            assert [mark["by"] for mark in kept.value["critique"]["marks"] if mark["fault"] == "ambiguous"] == ["vlm"]


@pytest.mark.slow
def test_a_model_in_a_folder_is_loaded_and_its_gibberish_fails_each_sample(made: Path, tmp_path: Path) -> None:
    folder = str(save_qwen(tmp_path / "model", "2.5"))
    done = run("draft", "--drafter", "transformers", "--model", folder, "--n", "1", "--workspace", str(made), "--json")
    assert done.returncode == 1, done.stderr
    report = json.loads(done.stdout)
    assert [failure["kind"] for failure in report["failed"]] == ["parse_failure"] * 2
    assert report["tokens"]["completion"] > 0
    assert done.stderr.startswith("loading ")
