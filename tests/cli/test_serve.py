import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.responses import Response
from typer.testing import CliRunner

from tests.curation.drafting.server import completion, serving
from tests.released import add_sample
from tests.ui.process import ServerProcess
from tests.ui.team import PASSWORD, add_people
from whyseg.cli import app, main
from whyseg.client import Client
from whyseg.curation.workspace import Workspace
from whyseg.schemas.errors import UsageError
from whyseg.training.world.dataset import PLAIN, samples
from whyseg.ui.serving import listen


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--host", "0.0.0.0"], "needs logins: --team"),
        (["--team", "--host", "0.0.0.0"], "--name"),
        (["--team"], "whyseg users add NAME --role curator"),
        (["--segmenter", "magic"], "no segmenter 'magic'"),
        (["--model", "no-such-model"], "no-such-model"),
        (["--workspace", "nowhere"], "nowhere is no workspace"),
        (["--drafter", "openai"], "--drafter openai needs --drafter-model"),
        (["--drafter-model", "m"], "--drafter-model and --endpoint are for the other drafters"),
        (["--drafter", "transformers", "--drafter-model", "m", "--endpoint", "http://x/v1"], "--drafter openai"),
        (["--drafter", "openai", "--drafter-model", "m", "--endpoint", "http://u:key@x/v1"], "carries a name, a key"),
        (["--port", "TAKEN"], "--port 0 takes a free one"),
    ],
)
def test_what_cannot_be_served_exits_2_with_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    said: str,
) -> None:
    Workspace.create(tmp_path / "team").close()
    monkeypatch.chdir(tmp_path)
    with listen("127.0.0.1", 0) as taken:
        taken.listen()
        port = str(taken.getsockname()[1])
        options = ["--workspace", "team", "--port", "0", *(port if one == "TAKEN" else one for one in arguments)]
        monkeypatch.setattr(sys, "argv", ["whyseg", "serve", *options])
        with pytest.raises(SystemExit) as ended:
            main()
    told = capsys.readouterr()
    assert (ended.value.code, told.out) == (2, "")
    (line,) = told.err.splitlines()
    assert line.startswith("whyseg: ")
    assert said in line


def test_a_team_is_served_under_the_names_it_was_given(tmp_path: Path) -> None:
    with Workspace.create(tmp_path / "team") as workspace:
        add_people(workspace)
    with ServerProcess(tmp_path / "team", "--team", "--host", "0.0.0.0", "--name", "team.example") as server:
        port = server.url.rsplit(":", 1)[1]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            asked = {name: client.get("/api/v1/info", headers={"host": name}).status_code
                     for name in (f"team.example:{port}", "127.0.0.1", "evil.example")}  # fmt: skip
            assert asked == {f"team.example:{port}": 401, "127.0.0.1": 401, "evil.example": 400}
            assert client.post("/api/v1/login", json={"name": "ann", "password": PASSWORD}).status_code == 200
            assert client.get("/api/v1/info").json()["user"] == "ann"
            assert client.get("/app/config").status_code == 200


@pytest.mark.slow
def test_a_drafter_that_never_answers_does_not_keep_the_server_from_ending(tmp_path: Path) -> None:
    go = threading.Event()

    def never(_: dict[str, Any]) -> Response:
        go.wait(60)
        return completion(None)

    with Workspace.create(tmp_path / "team") as workspace:
        sample = add_sample(workspace, 1, accept=False)
    with serving(never) as chat, ThreadPoolExecutor(1) as pool:
        options = ("--drafter", "openai", "--endpoint", chat.url, "--drafter-model", "m")
        with ServerProcess(tmp_path / "team", *options) as server, server.client() as client:
            assert client.get("/api/v1/info").json()["drafter"]["name"] == "openai"
            body = {"reasoning_type": "commonsense", "depth": 1}
            asked = pool.submit(client.post, f"/api/v1/samples/{sample.id}/drafts", json=body)
            while not chat.bodies:
                assert not asked.done() or asked.result().status_code == 200
                time.sleep(0.05)
            assert server.end() == 0
            assert asked.exception() or asked.result().json()["error"] == "drafter_unavailable"
            go.set()


def test_a_policy_that_cannot_be_asked_is_refused_at_once(tmp_path: Path) -> None:
    for words, said in (
        (["--policy", "Some/Model"], "give --policy-preset"),
        (["--policy", "m", "--policy-preset", "nothing"], "nothing"),
        (["--policy-preset", "star_7b_stage2"], "need --policy MODEL"),
        (["--policy", "m", "--policy-preset", "star_7b_stage2", "--policy-segmenter", "nowhere"], "nowhere"),
    ):
        result = CliRunner().invoke(app, ["serve", "--workspace", str(tmp_path), *words])
        assert isinstance(result.exception, UsageError), result.exception
        assert said in str(result.exception)


@pytest.mark.slow
def test_a_real_policy_is_asked_over_http(tmp_path: Path) -> None:
    (item,) = samples(1, 5, PLAIN)
    Workspace.create(tmp_path / "team").close()
    with ServerProcess(tmp_path / "team", "--policy", "tiny-world") as server, Client(server.url) as client:
        sent = client.send_picture(item.png, name="drawn.png")
        key = client.ask(sent["image"]["id"], item.asked.text, k=3, temperature=0)["id"]
        while (asked := client.asked(key))["state"] in ("waiting", "asking"):
            time.sleep(0.2)
        assert (asked["state"], len(asked["answers"]), asked["vote"]["agreement"]) == ("done", 3, 1.0), asked
        (thing,) = asked["answers"][0]["objects"]
        assert thing["label"], asked
        assert thing["box"], asked
        assert client.vote(key, mode="consensus")["outcome"] == asked["vote"]["outcome"] == "mask"
        assert client.policy()["newest"] == key
        assert server.end() == 0
