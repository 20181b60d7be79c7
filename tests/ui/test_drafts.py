import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest
from fastapi.testclient import TestClient
from starlette.responses import Response

from tests.builders import block
from tests.curation.drafting.server import Cut, completion, draft_json, error, serving
from tests.ui.support import drawn, make_clicks
from whyseg.curation.drafting.base import Drafter
from whyseg.curation.drafting.choose import open_drafter
from whyseg.curation.drafting.late import LateDrafter
from whyseg.curation.drafting.template import TemplateDrafter
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Suggestion
from whyseg.schemas.errors import DrafterUnavailable
from whyseg.ui.drafting import AT_ONCE
from whyseg.ui.server import build_api

SIZE = (30, 40)


def save(client: TestClient, shown: Any, label: str, left: int) -> str:
    """Give a sample one instance of that label; its id."""
    sample = drawn(shown["sample"], 1, block(5, left, 10, 8, SIZE), label)
    body = {"edit": f"e-{sample['id']}", "parent": shown["revision"], "sample": sample}
    client.put(f"/api/v1/samples/{sample['id']}", json=body).raise_for_status()
    return str(sample["id"])


@pytest.fixture
def umbrella(client: TestClient, shown: Any) -> str:
    """A sample whose target is an umbrella, on a picture where another sample has a chair."""
    other = client.post("/api/v1/samples", json={"image_id": shown["sample"]["image_id"]}).json()
    save(client, other, "chair", 2)
    return save(client, shown, "umbrella", 25)


def ask(client: TestClient, sample: str, **wanted: Any) -> Any:
    body = {"reasoning_type": "function_purpose", "depth": 1, **wanted}
    return client.post(f"/api/v1/samples/{sample}/drafts", json=body)


def test_drafts_are_made_judged_and_kept(client: TestClient, workspace: Workspace, umbrella: str) -> None:
    told = ask(client, umbrella).json()
    assert (told["drafter"], told["problem"]) == ("template", None)
    assert all("rain" in draft["text"] and "umbrella" not in draft["text"] for draft in told["drafts"])
    assert [draft["marks"] for draft in told["drafts"]] == [[]] * len(told["drafts"])
    kept = client.get(f"/api/v1/samples/{umbrella}/drafts").json()["drafts"]
    assert {draft["id"] for draft in kept} == {draft["id"] for draft in told["drafts"]}
    assert client.get(f"/api/v1/samples/{umbrella}").json()["sample"]["query"] is None  # a draft changes no sample


def test_a_sample_without_masks_or_labels_gets_the_reason(client: TestClient, shown: Any) -> None:
    assert "no mask" in ask(client, shown["sample"]["id"]).json()["problem"]["reason"]
    bare = save(client, shown, "", 2)
    told = ask(client, bare).json()
    assert (told["drafts"], told["problem"]["kind"]) == ([], "declined")
    assert "instance 1 lacks a label" in told["problem"]["reason"]


def test_a_kept_suggestion_that_is_no_draft_is_left_out(
    client: TestClient, workspace: Workspace, umbrella: str
) -> None:
    plain = {"id": "s1", "sample_id": umbrella, "kind": "query", "value": {"text": "?"}, "model": "other"}
    workspace.store.add_suggestion(Suggestion.parse({**plain, "created_at": "2026-01-01T00:00:00Z"}))
    assert client.get(f"/api/v1/samples/{umbrella}/drafts").json() == {"drafts": []}


@pytest.mark.parametrize("wanted", [{"depth": 0}, {"depth": 5}, {"n": 0}, {"n": 11}, {"reasoning_type": "psychic"}])
def test_what_nobody_can_draft_is_refused(client: TestClient, umbrella: str, wanted: dict[str, Any]) -> None:
    assert ask(client, umbrella, **wanted).status_code == 422


def test_drafts_of_no_sample_are_not_found(client: TestClient) -> None:
    assert ask(client, "none").status_code == 404
    assert client.get("/api/v1/samples/none/drafts").status_code == 404


class Asking:
    """A server whose drafter is a model behind an endpoint that answers as it is told."""

    def __init__(self, workspace: Workspace, *replies: Any) -> None:
        self.workspace, self.replies = workspace, replies

    def __enter__(self) -> "Asking":
        self.stack = ExitStack()
        self.chat = self.stack.enter_context(serving(*self.replies))
        drafter = self.stack.enter_context(
            open_drafter("openai", model="m", endpoint=self.chat.url, seconds=20, tries=1)
        )
        app = build_api(self.workspace, make_clicks(self.workspace), hosts=("testserver",), drafter=drafter)
        self.client = self.stack.enter_context(TestClient(app, raise_server_exceptions=False))
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()


def test_a_model_behind_an_endpoint_drafts_and_the_page_learns_which(workspace: Workspace, umbrella: str) -> None:
    with Asking(workspace, completion(draft_json("What keeps people dry?"))) as asking:
        drafter = asking.client.get("/api/v1/info").json()["drafter"]
        assert drafter == {"name": "openai", "model": "m", "reason": f"behind {asking.chat.url}"}
        told = ask(asking.client, umbrella).json()
        assert (told["drafter"], [draft["text"] for draft in told["drafts"]]) == ("openai", ["What keeps people dry?"])
        assert asking.chat.bodies[0]["model"] == "m"
        assert asking.client.get(f"/api/v1/samples/{umbrella}/drafts").json()["drafts"] == told["drafts"]


@pytest.mark.parametrize(
    ("reply", "status", "said"),
    [
        (error(401, "bad key"), 503, "answered 401 to model m; is OPENAI_API_KEY set and right?: "),
        (error(503, "busy"), 200, "the server answered 503, in 1 tries"),
        (Cut(), 200, "no connection"),
        (completion("I would rather not."), 200, ""),
        (completion(None, refusal="no"), 200, "the model declines"),
    ],
)
def test_why_an_endpoint_gave_nothing_is_said(
    workspace: Workspace, umbrella: str, reply: Any, status: int, said: str
) -> None:
    with Asking(workspace, reply) as asking:
        told = ask(asking.client, umbrella)
        assert told.status_code == status
        assert said in (told.json()["problem"]["reason"] if status == 200 else told.json()["message"])
        if status != 200:
            assert told.json()["error"] == "endpoint_denied"


def test_a_slow_endpoint_keeps_nobody_else_waiting_and_takes_so_many_at_a_time(
    workspace: Workspace, umbrella: str
) -> None:
    go = threading.Event()

    def slow(_: dict[str, Any]) -> Response:
        assert go.wait(30)
        return completion(draft_json())

    with Asking(workspace, slow) as asking, ThreadPoolExecutor(AT_ONCE) as pool:
        # The endpoint answers one at a time: this one holds it up, and all the others behind it.
        waiting = [pool.submit(ask, asking.client, umbrella) for _ in range(AT_ONCE)]
        while asking.client.app.state.drafting.waiting < AT_ONCE:  # type: ignore[attr-defined]
            time.sleep(0.01)
        assert asking.client.get(f"/api/v1/samples/{umbrella}").status_code == 200
        refused = ask(asking.client, umbrella).json()
        assert "being waited for already" in refused["problem"]["reason"]
        go.set()
        assert [future.result().json()["problem"] for future in waiting] == [None] * AT_ONCE
        assert ask(asking.client, umbrella).json()["problem"] is None


def test_the_end_of_the_server_lets_everybody_go_who_waits(workspace: Workspace, umbrella: str) -> None:
    go = threading.Event()

    def slow(_: dict[str, Any]) -> Response:
        go.wait(30)
        return completion(draft_json())

    with Asking(workspace, slow) as asking, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(ask, asking.client, umbrella)
        drafting = asking.client.app.state.drafting  # type: ignore[attr-defined]
        while not asking.chat.bodies:
            time.sleep(0.01)
        drafting.close()
        told = waiting.result(10)
        assert (told.status_code, told.json()["message"]) == (503, "the server is being stopped")
        go.set()


class Loading:
    """A model that takes as long to load as a test says, or cannot be had."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.go, self.failure = threading.Event(), failure

    def load(self) -> Drafter:
        assert self.go.wait(30)
        if self.failure:
            raise self.failure
        return TemplateDrafter()


def test_a_model_that_is_being_loaded_is_no_reason_to_wait(workspace: Workspace, umbrella: str) -> None:
    loading = Loading()
    late = LateDrafter("big", loading.load)
    app = build_api(workspace, make_clicks(workspace), hosts=("testserver",), drafter=late)
    with TestClient(app) as client:
        assert client.get("/api/v1/info").json()["drafter"]["reason"] == "the model is being loaded"
        assert "big is being loaded" in ask(client, umbrella).json()["problem"]["reason"]
        loading.go.set()
        while late.state == "the model is being loaded":
            time.sleep(0.01)
        assert ask(client, umbrella).json()["problem"] is None


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize(
    ("failure", "said"), [(DrafterUnavailable("big is not there"), "big is not there"), (KeyError("x"), "server's log")]
)
def test_a_model_that_cannot_be_loaded_is_said(
    workspace: Workspace, umbrella: str, failure: Exception, said: str
) -> None:
    loading = Loading(failure)
    loading.go.set()
    late = LateDrafter("big", loading.load)
    with TestClient(build_api(workspace, make_clicks(workspace), hosts=("testserver",), drafter=late)) as client:
        while late.state == "the model is being loaded":
            time.sleep(0.01)
        told = ask(client, umbrella)
        assert (told.status_code, told.json()["error"]) == (503, "drafter_unavailable")
        assert said in told.json()["message"]
