"""What a whole server refuses, Gradio's routes included: foreign pages, strangers, too much, files of others."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.ui.team import PEOPLE
from whyseg.ui.sessions import OPEN

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What `tests.ui.walls` found out."""
    folder = tmp_path_factory.mktemp("walls") / "team"
    command = [sys.executable, "-m", "tests.ui.walls", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    return json.loads(done.stdout.splitlines()[-1])


def test_whatever_changes_something_refuses_foreign_pages(told: Any) -> None:
    assert len(told["foreign"]) > 40
    assert {"/app/gradio_api/upload", "/app/gradio_api/queue/join", "/api/v1/users", "/api/v1/me/password",
            "/api/v1/samples/sample_id/review"} <= {path for path, _, _ in told["foreign"]}  # fmt: skip
    assert [one for one in told["foreign"] if one[1] != 403 or "foreign_origin" not in one[2]] == []


def test_whatever_takes_a_body_refuses_one_that_is_too_large(told: Any) -> None:
    assert len(told["oversized"]) == len(told["foreign"])
    assert [one for one in told["oversized"] if one[1] != 413] == []
    assert told["upload"] == 413  # an upload that does not say how large it is, and goes on


def test_strangers_are_shown_the_login_page_and_nothing_else_by_any_method(told: Any) -> None:
    assert len(told["stranger"]) > 400
    shown = [(path, status) for path, status, _ in told["stranger"] if status != 401]
    assert {path for path, _ in shown} <= OPEN
    assert {status for _, status in shown} <= {405, 422}  # wrong method; a login without name and password


def test_strangers_open_no_socket(told: Any) -> None:
    assert len(told["sockets"]) == 6
    assert {status for _, status in told["sockets"]} == {401}


def test_gradio_gives_no_file_of_the_workspace_or_the_machine_away(told: Any) -> None:
    """Asked by a curator, while the current folder is the workspace's."""
    assert len(told["files"]) > 50
    given = [one for one in told["files"] if one[1] < 400 or "SQLite" in one[2] or "root:" in one[2]]
    assert given == []


def test_the_team_tabs_events_answer_curators_alone(told: Any) -> None:
    assert len(told["annotator"]) == len(told["curator"]) >= 8
    for (_, status, refused), (_, _, answered) in zip(told["annotator"], told["curator"], strict=True):
        assert status == 200
        data, theirs = json.loads(refused)["data"], json.loads(answered)["data"]
        if any(value for value in theirs if value not in ("", {"__type__": "update"})):
            assert "your role, annotator, does not allow this" in refused
        names = [word for word in ('"abe', '"rea', '"cur', "root") if word in json.dumps(data)]
        assert names == []  # of other people


def test_the_page_itself_names_nobody_but_who_asks(told: Any) -> None:
    """Its description is one for all, whatever a role shows of it."""
    assert len(told["config"]) > 1000
    assert not [name for name in PEOPLE.keys() - {"ann"} if f'"{name}"' in told["config"]]
