"""Every route is a method of the client, and every method is its route."""

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import jsonschema_rs
import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient

import whyseg
from tests.builders import block
from tests.proposed import add_proposal, add_signals
from whyseg.client import ROUTES, Client
from whyseg.curation.releases import Releases
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Comment, Finding, Instance, Origin, Point, Query, Reason, Review, Sample
from whyseg.schemas.errors import ServerRefused, ServerUnreachable
from whyseg.schemas.prompt import Box
from whyseg.ui import roles
from whyseg.ui.answers import ANSWERS, answer_schema

SIZE = (30, 40)
SIGNING = {("POST", "/login"), ("POST", "/logout")}  # of a team's server alone


class Recorder:
    """Which routes were asked for, by the application's own templates."""

    def __init__(self, app: FastAPI) -> None:
        self.seen: set[tuple[str, str]] = set()

        def note(request: Request) -> None:
            self.seen.add((request.method, request.scope["route"].path.removeprefix(roles.PREFIX)))

        app.dependency_overrides[roles.authorise] = note  # it stands before every route


@pytest.fixture
def recorder(app: FastAPI) -> Recorder:
    return Recorder(app)


def as_described(answer: httpx.Response) -> None:
    """Fail when a route's answer is not what the description of the routes says of it."""
    answer.read()
    path, method = answer.request.url.path.removeprefix(roles.PREFIX), answer.request.method
    if answer.is_success and answer.headers.get("content-type") == "application/json":
        fitting = [key for key in ANSWERS if re.fullmatch(re.sub(r"{\w+}", "[^/]+", key), f"{method} {path}")]
        key = min(fitting, key=lambda key: key.count("{"))  # "/gold/hand-out" before "/gold/{sample_id}"
        jsonschema_rs.validate(answer_schema(*key.split(" ")), answer.json())


@pytest.fixture
def ours(app: FastAPI, recorder: Recorder) -> Iterator[Client]:
    with TestClient(app) as http, Client(http=http) as client:
        http.event_hooks["response"].append(as_described)
        yield client


def cup(sample: Sample) -> Sample:
    """The sample with all that a submission needs."""
    one = Instance(id=1, mask=block(2, 3, 10, 8, SIZE), label="cup", origin=Origin(kind="brush"))
    text = {"query": Query(text="what keeps the drink warm?"), "reasoning_type": "commonsense"}
    return Sample.parse({**sample.plain(), "instances": [one], **text, "hops": ["a cup holds drinks"], "depth": 1})


def test_the_client_has_a_method_for_every_route_of_the_server(app: FastAPI) -> None:
    paths = app.openapi()["paths"]
    served = {
        (method.upper(), path.removeprefix(roles.PREFIX))
        for path, methods in paths.items()
        for method in methods
        if path.startswith(roles.PREFIX)
    }
    assert set(ROUTES) - SIGNING == served == set(roles.ROUTES)
    assert len(set(ROUTES.values())) == len(ROUTES)
    assert all(callable(getattr(Client, name)) for name in ROUTES.values())
    assert whyseg.Client is Client


def test_every_method_asks_for_its_own_route(
    ours: Client, recorder: Recorder, workspace: Workspace, sample: Sample
) -> None:
    def asks(name: str, *arguments: Any, **options: Any) -> Any:
        recorder.seen.clear()
        answer = getattr(ours, name)(*arguments, **options)
        assert recorder.seen == {route for route, method in ROUTES.items() if method == name}
        asked.add(name)
        return answer

    asked: set[str] = set()
    assert asks("info")["user"] == "local"
    assert asks("image", sample.image_id)[:4] == b"\x89PNG"
    assert asks("thumbnail", sample.image_id, side=64)[:2] == b"\xff\xd8"
    assert asks("samples", state="draft", limit=5)["total"] == 1
    opened = asks("sample", sample.id)
    assert (opened.sample, opened.number) == (sample, 1)
    claim = asks("lease", sample.id)
    claim = asks("renew", claim)
    asks("give_back", claim)
    assert asks("next_sample").sample_id == sample.id
    saved = asks("save", cup(sample), parent=opened.revision)
    assert asks("version", sample.id, opened.revision) == sample
    assert asks("draft", sample.id, reasoning_type="commonsense", depth=1)["drafter"] == "template"
    assert isinstance(asks("drafts", sample.id), list)
    submitted = asks("submit", sample.id, parent=saved.revision)
    assert submitted.state == "submitted"
    remark = Comment(text="the rim", pin=(3.0, 4.0))
    rejected = asks(
        "review", sample.id, "reject", revision=saved.revision, reasons=[Reason.BOUNDARY], comments=[remark]
    )
    assert rejected.state == "rejected"
    ours.submit(sample.id, parent=saved.revision)
    ours.review(sample.id, "accept", revision=saved.revision)
    accepted, first = asks("reviews", sample.id)
    assert (accepted.decision, first.comments) == ("accept", (remark,))
    assert asks("check")["running"]["by"] == "local"
    while asks("checks")["running"]:
        time.sleep(0.01)
    told = {"kind": "odd", "severity": "info", "message": "odd", "created_at": "2026-01-01T00:00:00Z"}
    workspace.store.add_finding(Finding.parse({"id": "odd1", "sample_id": sample.id, **told}))
    assert [one["id"] for one in asks("findings", kind="odd", limit=5)["findings"]] == ["odd1"]
    assert asks("finding_picture", "odd1", side=64)[:2] == b"\xff\xd8"
    assert asks("set_aside", "odd1", "it is meant so")["set_aside"]["by"] == "local"
    assert asks("bring_back", "odd1")["set_aside"] is None
    assert asks("set_target", "commonsense", 1, 3)["targets"][0]["missing"] == 2
    assert asks("stats")["wanted"][0]["reasoning_type"] == "commonsense"
    Releases(workspace).create("v1", author="ann")
    assert [one.name for one in asks("releases")] == ["v1"]
    assert asks("release", "v1").samples == 1
    assert [item.sample_id for item in asks("release_items", "v1", limit=10)] == [sample.id]
    assert asks("release_diff", "v1", "v1")["counts"]["same"] == 1
    assert asks("picture", saved.revision, side=64)[:2] == b"\xff\xd8"
    assert asks("reopen", sample.id, reason="a second cup").state == "draft"
    assert [one["number"] for one in asks("revisions", sample.id)] == [2, 1]
    assert asks("add_sample", sample.image_id).number == 1
    assert sample.image_id in asks("encode", [sample.image_id])
    answer = asks("click", sample.image_id, [Point(x=20, y=15)], box=Box(x0=5, y0=5, x1=30, y1=25))
    again = ours.click(sample.image_id, [Point(x=20, y=15), Point(x=1, y=1, positive=False)], refine=(answer["seq"], 0))
    assert asks("candidate", again["seq"], 1)["score"] == again["scores"][1]
    assert asks("outline", block(2, 3, 10, 8, SIZE))["vertices"] == 4
    assert asks("history", sample.id)[-1]["action"] == "add_sample"
    assert asks("add_user", "Zoe", "reviewer", "correct horse battery").name == "Zoe"
    assert asks("change_user", "zoe", role="curator", disabled=True).disabled
    assert [user.name for user in asks("users")] == ["Zoe"]
    assert [person["name"] for person in asks("people", since="2026-01-01")["people"]] == ["local", "Zoe"]
    assert asks("audit", action="add_user", limit=5)["entries"][0]["subject"] == "user:Zoe"
    hands_out(asks, workspace, sample.id)
    decides_on_proposals(asks, workspace, sample.id)
    asks_the_policy(asks, workspace, sample.image_id)
    with pytest.raises(ServerRefused, match="does not sign in"):
        ours.change_password("correct horse battery", "battery horse correct")
    asked.add("change_password")
    assert asked == set(ROUTES.values()) - {"login", "logout"}


def hands_out(asks: Callable[..., Any], workspace: Workspace, key: str) -> None:
    """Ask for everything about assignments, answers and gold, of a sample that is a draft."""
    asks("change_user", "zoe", disabled=False)
    assert asks("assign", [key], "zoe") == 1
    assert asks("assignments", user="Zoe", limit=5)["assignments"][0]["sample_id"] == key
    asks("assign", [key], None)
    (answer,) = asks("hand_out", [key], ["zoe"], each=1)["answers"]
    store, given = workspace.store, answer["sample_id"]
    made = store.revise(given, cup(store.head(given).sample), parent=store.head(given).revision.id, author="Zoe")
    store.submit(given, parent=made.revision.id, author="Zoe")
    assert asks("overlaps", order="worst")["total"] == 1
    assert asks("overlap", key)["masks"]["mean_iou"] == 1
    assert asks("agreement")["items"] == 1
    head = store.head(key)
    changed = head.sample.model_copy(update={"instances": ()})
    parent = store.revise(key, changed, parent=head.revision.id, author="local").revision.id
    adopted = asks("adopt", key, given, parent=parent)
    assert adopted["revision"] == store.head(key).revision.id != parent
    store.submit(key, parent=adopted["revision"], author="local")
    accepted = {"id": "a", "sample_id": key, "revision_id": adopted["revision"], "reviewer": "local"}
    store.review(Review.parse({**accepted, "decision": "accept", "created_at": "2026-01-01T00:00:00Z"}))
    assert asks("mark_gold", [key]) == 1
    assert asks("gold", limit=5)["gold"][0]["revision_id"] == adopted["revision"]
    assert asks("hand_out_gold", ["zoe"])["skipped"][0]["reason"] == "was given it before"
    asks("unmark_gold", key)


def decides_on_proposals(asks: Callable[..., Any], workspace: Workspace, key: str) -> None:
    """Ask for everything about what a model says of a sample and proposes to change."""
    assert asks("signals", key) is None
    kept = add_signals(workspace.store, key)
    run, found = asks("signals", key)
    assert (run.policy, found) == ("tiny", kept)
    first, second = (add_proposal(workspace.store, key, block(5, 5, number, 3, SIZE)) for number in (4, 5))
    assert {one.id for one in asks("proposals", sample_id=key, limit=5)} == {first.id, second.id}
    assert asks("proposal_picture", first.id, side=64)[:2] == b"\xff\xd8"
    assert asks("dismiss_proposal", second.id).decision.accepted is False
    assert asks("accept_proposal", first.id)["state"] == "submitted"


def asks_the_policy(asks: Callable[..., Any], workspace: Workspace, image_id: str) -> None:
    """Ask for everything that a policy can be asked."""
    assert asks("policy")["policy"]["name"] == "scripted"
    data = workspace.blobs.read(image_id)
    assert asks("send_picture", data)["in_workspace"]
    assert asks("sent_picture", image_id) == data
    key = asks("ask", image_id, "what holds tea?", k=4)["id"]
    while (question := asks("asked", key))["state"] in ("waiting", "asking"):
        time.sleep(0.01)
    assert (question["state"], len(question["answers"])) == ("done", 4)
    assert asks("vote", key, iou=0.3)["clusters"][0]["votes"] == 3
    taken = asks("take", key)
    assert workspace.store.head(taken["sample_id"]).revision.id == taken["revision"]
    assert asks("cancel", key)["state"] == "done"


def test_a_refusal_has_the_servers_words_and_facts(ours: Client, sample: Sample) -> None:
    opened = ours.sample(sample.id)
    ours.save(cup(sample), parent=opened.revision)
    other = cup(sample).model_copy(update={"query": Query(text="another")})
    with pytest.raises(ServerRefused, match="revision") as caught:
        ours.save(other, parent=opened.revision)
    assert (caught.value.status, caught.value.kind) == (409, "stale_parent")
    assert caught.value.facts["expected"] == ours.sample(sample.id).revision
    with pytest.raises(ServerRefused) as caught:
        ours.sample("../info")
    assert caught.value.kind == "not_found"


def test_a_save_repeated_under_its_name_is_the_same(ours: Client, sample: Sample) -> None:
    opened = ours.sample(sample.id)
    first = ours.save(cup(sample), parent=opened.revision, edit="e1")
    assert ours.save(cup(sample), parent=opened.revision, edit="e1") == first


def test_a_server_that_is_not_there_is_told_as_such() -> None:
    with Client("http://127.0.0.1:1") as client, pytest.raises(ServerUnreachable, match="does not answer"):
        client.info()


def test_an_answer_that_is_no_json_is_a_refusal_by_its_status() -> None:
    transport = httpx.MockTransport(lambda request: httpx.Response(502, text="<html>"))
    with Client(http=httpx.Client(base_url="http://a", transport=transport)) as client:
        with pytest.raises(ServerRefused, match="answered 502"):
            client.info()
