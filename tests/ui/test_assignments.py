"""Handing out work over HTTP, and who sees what of a blind answer: nobody but its user and curators, by any route."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from tests.builders import Clock, block
from tests.ui.support import complete, drawn, edited, make_clicks
from tests.ui.team import CHEAP, HOSTS, PEOPLE, signed_in
from whyseg.curation.releases import Releases
from whyseg.curation.sessions import Sessions
from whyseg.curation.users import Users
from whyseg.curation.verify import verify
from whyseg.curation.workspace import Settings, Workspace
from whyseg.schemas import Sample
from whyseg.ui.login import Logins, Throttle
from whyseg.ui.roles import PREFIX, ROUTES
from whyseg.ui.server import build_api

SIZE = (30, 40)
KEYS = re.compile(r"\{(\w+)\}")


@pytest.fixture
def people(team: FastAPI) -> Iterator[dict[str, TestClient]]:
    """Everybody's browser."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(signed_in(team, name)) for name in PEOPLE}


@pytest.fixture
def asked(people: dict[str, TestClient], sample: Sample, workspace: Workspace) -> str:
    """A sample that rea has annotated, and that is accepted."""
    accept(people, sample.id, complete(shown(people["rea"], sample.id)["sample"], block(2, 2, 10, 10, SIZE)))
    return sample.id


def shown(client: TestClient, key: str) -> Any:
    answer = client.get(f"/api/v1/samples/{key}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def save(client: TestClient, key: str, sample: dict[str, Any]) -> dict[str, Any]:
    """Claim a sample and save it as it is given; the answer."""
    assert client.post(f"/api/v1/samples/{key}/lease").status_code == 200
    body = {"edit": f"e{shown(client, key)['number']}", "parent": shown(client, key)["revision"], "sample": sample}
    answer = client.put(f"/api/v1/samples/{key}", json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def submit(client: TestClient, key: str, sample: dict[str, Any]) -> str:
    revision = save(client, key, sample)["revision"]
    assert client.post(f"/api/v1/samples/{key}/submit", json={"parent": revision}).status_code == 200
    return str(revision)


def accept(people: dict[str, TestClient], key: str, sample: dict[str, Any]) -> str:
    revision = submit(people["rea"], key, sample)
    body = {"revision": revision, "decision": "accept"}
    assert people["cur"].post(f"/api/v1/samples/{key}/review", json=body).status_code == 200
    return revision


def hand_out(people: dict[str, TestClient], key: str, *users: str, route: str = "overlaps") -> list[str]:
    body = {"sample_ids": [key], "users": users}
    answer = people["cur"].post(f"/api/v1/{route}", json=body)
    assert answer.status_code == 201, answer.text
    return [one["sample_id"] for one in answer.json()["answers"]]


def answered(client: TestClient, key: str, left: int) -> str:
    """Answer with a block of 10×10 pixels from a column on, and hand it in; the revision."""
    sample = drawn(shown(client, key)["sample"], 1, block(2, left, 10, 10, SIZE), "the secret label")
    return submit(client, key, edited(sample, reasoning_type="commonsense", hops=["a secret hop"], depth=1))


def fill(path: str, values: dict[str, str]) -> str:
    return PREFIX + KEYS.sub(lambda found: values.get(found[1], "0"), path)


def test_by_no_route_does_anybody_else_learn_of_an_answer(
    people: dict[str, TestClient], asked: str, workspace: Workspace
) -> None:
    (key,) = hand_out(people, asked, "ann")
    revision = answered(people["ann"], key, left=7)
    secrets = (key, revision, "secret")
    for name in ("abe", "rea"):
        client = people[name]
        for method, path in sorted(ROUTES):
            names = KEYS.findall(path)
            if "sample_id" in names or "revision_id" in names:
                told = [
                    client.request(method, fill(path, values), json={"token": "0", "parent": revision})
                    for values in ({"sample_id": key, "revision_id": revision}, {"sample_id": "0", "revision_id": "0"})
                ]
                assert told[0].status_code in (403, 404), (name, method, path)
                if told[1].status_code != 422:  # word for word what is said of a sample that does not exist
                    texts = [answer.text.replace(revision, "0").replace(key, "0") for answer in told]
                    assert (told[0].status_code, texts[0]) == (told[1].status_code, texts[1]), (name, method, path)
            elif method == "GET":
                answer = client.get(fill(path, {}))
                assert not any(secret in answer.text for secret in secrets), (name, path)
        for query in ("state=submitted", "text=drink", "order=updated&limit=500", "assigned=ann"):
            answer = client.get(f"/api/v1/samples?{query}")
            assert answer.status_code == 200
            assert not any(secret in answer.text for secret in secrets), (name, query)
        # A revision under another sample's name is no way round, and says no more either.
        assert client.get(f"/api/v1/samples/{asked}/revisions/{revision}").status_code == 404
        known = shown(client, asked)["revision"]
        texts = [client.get(f"/api/v1/samples/{one}/revisions/{known}").text.replace(one, "0") for one in (key, "00")]
        assert texts[0] == texts[1]
    assert verify(workspace) == []


def test_the_original_is_not_there_for_whoever_is_answering_it(people: dict[str, TestClient], asked: str) -> None:
    ann, revision = people["ann"], shown(people["cur"], asked)["revision"]
    (key,) = hand_out(people, asked, "ann")
    values = {"sample_id": asked, "revision_id": revision}
    walked = 0
    for method, path in sorted(ROUTES):
        names = KEYS.findall(path)
        if method == "GET" and {"sample_id", "revision_id"} & set(names):
            answer = ann.get(fill(path, values))
            assert answer.status_code in (403, 404), path
            walked += 1
    assert walked >= 6
    assert [one["id"] for one in ann.get("/api/v1/samples").json()["samples"]] == [key]
    assert ann.post(f"/api/v1/samples/{asked}/lease").status_code == 404
    answered(ann, key, left=7)
    assert shown(ann, asked)["revision"] == revision


def test_what_an_answer_shows_is_what_a_draft_shows(people: dict[str, TestClient], asked: str) -> None:
    """The JSON that the page gets of an overlap, a gold item and a sample made in the app, compared key by key."""
    ann = people["ann"]
    image = shown(ann, asked)["sample"]["image_id"]
    made = people["abe"].post("/api/v1/samples", json={"image_id": image}).json()
    ordinary = made["sample"]["id"]
    text = {"query": {"text": "what keeps the drink warm?"}}
    save(people["abe"], ordinary, edited(made["sample"], **text))
    another = people["abe"].post("/api/v1/samples", json={"image_id": image}).json()
    accept(people, another["sample"]["id"], complete(another["sample"], block(0, 0, 5, 5, SIZE)))
    people["cur"].post("/api/v1/gold", json={"sample_ids": [another["sample"]["id"]]})
    (overlap,) = hand_out(people, asked, "ann")
    (gold,) = hand_out(people, another["sample"]["id"], "ann", route="gold/hand-out")
    people["cur"].post("/api/v1/assignments", json={"sample_ids": [ordinary], "user": "ann"})

    def masked(path: str, key: str) -> str:
        """What is told of a sample, without what every sample has of its own."""
        found = ann.get(f"/api/v1/{path.replace('KEY', key)}")
        assert found.status_code == 200
        told = re.sub(r"sha256:\w+|[0-9a-f]{24,64}|\d{4}-\d\d-\d\dT[^\"]+", "#", found.text)
        return re.sub(r'"(previous|next|position|number)":("#"|null|\d+)', r'"\1":0', told)

    for path in ("samples/KEY", "samples/KEY/reviews", "samples/KEY/drafts"):
        assert masked(path, overlap) == masked(path, gold) == masked(path, ordinary)
    begun = [ann.get(f"/api/v1/samples/{key}/history").json()["history"] for key in (overlap, gold, ordinary)]
    assert [[event["action"] for event in events] for events in begun] == [
        ["add_sample"], ["add_sample"], ["revise", "add_sample"],
    ]  # fmt: skip
    assert [events[-1]["by"] for events in begun] == ["ann", "abe", "abe"]  # who brought the originals
    assert begun[0][-1]["entry"] < begun[1][-1]["entry"]  # and when
    told = ann.get(f"/api/v1/samples/{another['sample']['id']}/history")
    assert told.status_code == 404  # while it is open
    assert "gold" not in people["abe"].get(f"/api/v1/samples/{another['sample']['id']}/history").text
    assert "gold" in people["cur"].get(f"/api/v1/samples/{another['sample']['id']}/history").text
    lists = ann.get("/api/v1/samples?assigned=ann").json()["samples"]
    assert {one["id"] for one in lists} == {overlap, gold, ordinary}
    kept = [{name: one[name] for name in one if name not in ("id", "updated_at", "number")} for one in lists]
    assert kept[0] == kept[1] == kept[2]
    # Author and time of the first revision are the original's, not those of handing out.
    first = [shown(people["cur"], key) and ann.get(f"/api/v1/samples/{key}/revisions").json()["revisions"][-1]["author"]
             for key in (overlap, gold)]  # fmt: skip
    assert first == ["ann", "abe"]  # of `sample`, which "ann" brought, and of what abe made


def test_an_answer_goes_the_way_of_any_sample_and_ends_when_it_is_handed_in(
    people: dict[str, TestClient], asked: str
) -> None:
    ann = people["ann"]
    (key,) = hand_out(people, asked, "ann")
    assert ann.post("/api/v1/samples/next", json={"after": None}).json()["lease"]["sample_id"] == key
    assert people["abe"].post("/api/v1/samples/next", json={"after": None}).json()["lease"] is None
    assert shown(ann, key)["locked"] is False
    assert shown(people["cur"], key)["locked"] is True  # another person's
    revision = answered(ann, key, left=7)
    assert shown(ann, key)["locked"] is True
    sample = edited(shown(ann, key)["sample"], hops=["another"])
    late = ann.put(f"/api/v1/samples/{key}", json={"edit": "late", "parent": revision, "sample": sample})
    assert (late.status_code, late.json()["error"]) == (409, "illegal_transition")
    decided = people["cur"].post(f"/api/v1/samples/{key}/review", json={"revision": revision, "decision": "accept"})
    assert decided.status_code == 403  # nobody else's to touch
    assert people["cur"].post(f"/api/v1/samples/{key}/lease").status_code == 403
    assert shown(people["cur"], key)["state"] == "submitted"  # and a curator's to look at
    assert people["cur"].get("/api/v1/samples?state=submitted").json()["total"] == 0  # it waits for no review
    assert people["rea"].get("/api/v1/samples?state=submitted").json()["total"] == 0
    assert ann.get("/api/v1/samples?state=submitted").json()["total"] == 1


def test_a_curator_compares_and_adopts(people: dict[str, TestClient], asked: str, workspace: Workspace) -> None:
    cur = people["cur"]
    assert cur.get("/api/v1/overlaps").json() == {"total": 0, "overlaps": []}
    ann, abe = hand_out(people, asked, "ann", "abe")
    answered(people["ann"], ann, left=7)
    answered(people["abe"], abe, left=12)
    found = cur.get(f"/api/v1/overlaps/{asked}").json()
    assert found["masks"]["people"] == ["rea (original)", "ann", "abe"]
    # Blocks of 10×10 from columns 2, 7 and 12: neighbours share 5 of 15 columns.
    assert [[round(value, 4) for value in row] for row in found["masks"]["iou"]] == [
        [1, 0.3333, 0], [0.3333, 1, 0.3333], [0, 0.3333, 1],
    ]  # fmt: skip
    report = cur.get("/api/v1/agreement").json()
    assert (report["items"], report["pairs"], report["iou"]["count"]) == (1, 3, 1)
    assert report["iou"]["value"] == pytest.approx(2 / 9)
    assert cur.get("/api/v1/overlaps?order=worst").json()["overlaps"] == [found]
    body = {"answer": abe, "parent": shown(cur, asked)["revision"]}
    refused = cur.post(f"/api/v1/overlaps/{asked}/adopt", json=body)
    assert (refused.status_code, refused.json()["error"]) == (409, "illegal_transition")  # accepted: locked
    cur.post(f"/api/v1/samples/{asked}/reopen", json={"reason": "a better answer"})
    adopted = cur.post(f"/api/v1/overlaps/{asked}/adopt", json=body).json()
    assert cur.post(f"/api/v1/overlaps/{asked}/adopt", json=body).json() == adopted
    now = shown(people["rea"], asked)
    assert (now["revision"], now["state"]) == (adopted["revision"], "draft")
    assert now["sample"]["instances"][0]["label"] == "the secret label"
    stale = cur.post(f"/api/v1/overlaps/{asked}/adopt", json={"answer": ann, "parent": body["parent"]})
    assert (stale.status_code, stale.json()["error"]) == (409, "stale_parent")
    release = Releases(workspace).create("v1", author="cur", states="any")
    assert release.samples == 1  # the original alone
    assert [one.sample_id for one in Releases(workspace).newest("any")] == [asked]
    assert verify(workspace) == []


def test_assignments_and_gold_are_listed_and_taken_back(people: dict[str, TestClient], asked: str) -> None:
    cur = people["cur"]
    assert cur.post("/api/v1/assignments", json={"sample_ids": [asked], "user": "ANN"}).json() == {"changed": 1}
    listed = cur.get("/api/v1/assignments?user=ann").json()
    assert [(one["sample_id"], one["user"], one["by"]) for one in listed["assignments"]] == [(asked, "ann", "cur")]
    assert cur.post("/api/v1/assignments", json={"sample_ids": [asked], "user": None}).json() == {"changed": 1}
    assert cur.get("/api/v1/assignments").json() == {"total": 0, "assignments": []}
    assert cur.post("/api/v1/gold", json={"sample_ids": [asked]}).json() == {"changed": 1}
    assert cur.get("/api/v1/gold").json()["gold"][0]["sample_id"] == asked
    given = cur.post("/api/v1/gold/hand-out", json={"users": ["ann", "rea"], "each": 2}).json()
    assert [one["user"] for one in given["answers"]] == ["ann"]
    assert given["skipped"] == [{"sample_id": asked, "user": "rea", "reason": "has worked on it"}]
    answered(people["ann"], given["answers"][0]["sample_id"], left=2)
    (score,) = cur.get("/api/v1/agreement").json()["gold"]
    assert (score["user"], score["iou"]["value"], score["right_type"], score["right_depth"]) == ("ann", 1, 0, 1)
    assert cur.delete(f"/api/v1/gold/{asked}").json() == {}
    assert cur.delete(f"/api/v1/gold/{asked}").status_code == 404


BAD = [
    ("assignments", {"sample_ids": ["KEY"], "user": "eve"}, 404, "not_found"),
    ("assignments", {"sample_ids": ["none"], "user": "ann"}, 404, "not_found"),
    ("assignments", {"sample_ids": [], "user": "ann"}, 422, "invalid_record"),
    ("assignments", {"sample_ids": ["KEY"]}, 422, "invalid_record"),
    ("assignments", {"sample_ids": ["KEY"] * 1001, "user": "ann"}, 422, "invalid_record"),
    ("overlaps", {"sample_ids": ["KEY"], "users": []}, 422, "invalid_record"),
    ("overlaps", {"sample_ids": ["KEY"], "users": ["ann"], "each": 0}, 422, "invalid_record"),
    ("overlaps", {"sample_ids": ["KEY"], "users": ["ann", "eve"]}, 404, "not_found"),
    ("overlaps", {"sample_ids": ["KEY"], "users": ["ann"], "kind": "gold"}, 422, "invalid_record"),
    ("gold/hand-out", {"sample_ids": ["KEY"], "users": ["ann"]}, 422, "invalid_record"),  # it is not gold
    ("gold", {"sample_ids": ["none"]}, 404, "not_found"),
    ("overlaps/KEY/adopt", {"answer": "KEY", "parent": "0"}, 404, "not_found"),
]


def test_what_makes_no_sense_is_refused_and_nothing_is_written(
    people: dict[str, TestClient], asked: str, workspace: Workspace
) -> None:
    before = workspace.store.audit_log()
    for route, body, status, error in BAD:
        wanted = {key: [asked if one == "KEY" else one for one in value] if isinstance(value, list) else value
                  for key, value in body.items()}  # type: ignore[attr-defined]  # fmt: skip
        answer = people["cur"].post(f"/api/v1/{route.replace('KEY', asked)}", json=wanted)
        assert (answer.status_code, answer.json()["error"]) == (status, error), (route, body)
    assert workspace.store.audit_log() == before


def test_every_so_many_submissions_next_is_a_gold_item_as_the_settings_say(
    workspace: Workspace, clock: Clock, asked: str, people: dict[str, TestClient]
) -> None:
    people["cur"].post("/api/v1/gold", json={"sample_ids": [asked]})
    image = shown(people["cur"], asked)["sample"]["image_id"]
    workspace.settings = Settings.parse({"team": {"gold_every": 1}})
    app = build_api(workspace, make_clicks(workspace), team=Logins(
        Users(workspace.store.database, hasher=CHEAP), Sessions(workspace.store.database, clock=clock),
        Throttle(lambda: clock().timestamp())), hosts=HOSTS)  # fmt: skip
    with TestClient(app), signed_in(app, "ann") as ann:
        made = ann.post("/api/v1/samples", json={"image_id": image}).json()
        submit(ann, made["sample"]["id"], complete(made["sample"], block(0, 0, 5, 5, SIZE)))
        lease = ann.post("/api/v1/samples/next", json={"after": made["sample"]["id"]}).json()["lease"]
        assert shown(ann, lease["sample_id"])["sample"]["query"]["text"] == "what keeps the drink warm?"
        listed = people["cur"].get(f"/api/v1/overlaps/{asked}").json()["answers"]
        assert [(one["sample_id"], one["user"], one["kind"]) for one in listed[1:]] == [
            (lease["sample_id"], "ann", "gold")
        ]
        # What a curator handed out is ann's by assignment; so is this, and its history names nobody who gave it.
        other = people["abe"].post("/api/v1/samples", json={"image_id": image}).json()
        save(people["abe"], other["sample"]["id"], edited(other["sample"], query={"text": "what is red?"}))
        (overlap,) = hand_out(people, other["sample"]["id"], "ann")
        assert {one["id"] for one in ann.get("/api/v1/samples?assigned=ann").json()["samples"]} == {
            overlap, lease["sample_id"],
        }  # fmt: skip
        for key, brought in ((overlap, "abe"), (lease["sample_id"], "ann")):
            events = ann.get(f"/api/v1/samples/{key}/history").json()["history"]
            assert [(event["action"], event["by"]) for event in events] == [("add_sample", brought)]


def test_who_drafts_for_an_answer_learns_nothing_of_the_original(people: dict[str, TestClient], asked: str) -> None:
    (key,) = hand_out(people, asked, "ann")
    ann = people["ann"]
    sample = drawn(shown(ann, key)["sample"], 1, block(20, 20, 5, 5, SIZE), "mug")
    save(ann, key, sample)
    for kind in ("function_purpose", "comparative_relational"):
        told = ann.post(f"/api/v1/samples/{key}/drafts", json={"reasoning_type": kind, "depth": 1, "n": 10})
        assert told.status_code == 200
        assert "cup" not in told.text
