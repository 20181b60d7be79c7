"""Users, throughput and the audit log over HTTP: what curators may do, and that no password is ever told."""

import json
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from tests.builders import Clock, block
from tests.ui.support import complete
from tests.ui.team import PASSWORD, sign_in, signed_in
from whyseg.client import Client
from whyseg.curation.users import Users
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Sample
from whyseg.schemas.user import Role
from whyseg.ui.login import BY_NAME

NEW = "another long secret"


def info(client: TestClient) -> int:
    return client.get("/api/v1/info").status_code


# -- users --


def test_a_curator_adds_a_user_who_then_signs_in(team: FastAPI) -> None:
    with signed_in(team, "cur") as client:
        answer = client.post("/api/v1/users", json={"name": "Zoë", "role": "reviewer", "password": NEW})
        assert answer.status_code == 201
        assert {key: answer.json()[key] for key in ("name", "role", "disabled")} == {
            "name": "Zoë", "role": "reviewer", "disabled": False,
        }  # fmt: skip
        listed = client.get("/api/v1/users").json()["users"]
        assert [user["name"] for user in listed] == ["abe", "ann", "cur", "rea", "Zoë"]
        again = client.post("/api/v1/users", json={"name": "zOË", "role": "reviewer", "password": NEW})
        assert (again.status_code, again.json()["error"]) == (400, "usage_error")
        entry = client.get("/api/v1/audit", params={"subject": "user:Zoë"}).json()["entries"][0]
        assert (entry["actor"], entry["action"], entry["detail"]) == ("cur", "add_user", {"role": "reviewer"})
    assert sign_in(TestClient(team), "zoë", NEW) == 200


def test_a_change_of_a_user_is_all_or_nothing(team: FastAPI) -> None:
    with signed_in(team, "cur") as client, signed_in(team, "ann") as ann:
        change = {"role": "reviewer", "password": "short"}
        assert client.put("/api/v1/users/ann", json=change).status_code == 422
        assert client.get("/api/v1/users").json()["users"][1]["role"] == "annotator"
        assert info(ann) == 200
        answer = client.put("/api/v1/users/ANN", json={"role": "reviewer", "password": NEW})
        assert (answer.status_code, answer.json()["name"], answer.json()["role"]) == (200, "ann", "reviewer")
        assert info(ann) == 401  # signed out everywhere
        assert sign_in(ann, "ann") == 401
        assert sign_in(ann, "ann", NEW) == 200
        assert client.put("/api/v1/users/ann", json={"disabled": True}).json()["disabled"]
        assert info(ann) == 401
        assert client.put("/api/v1/users/nobody", json={}).status_code == 404


@pytest.mark.parametrize("change", [{"disabled": True}, {"role": "annotator"}, {"role": "reviewer", "password": NEW}])
def test_the_last_curator_stays_one(team: FastAPI, change: dict[str, Any]) -> None:
    with signed_in(team, "cur") as client:
        answer = client.put("/api/v1/users/cur", json=change)
        assert (answer.status_code, answer.json()["error"], answer.json()["user"]) == (409, "last_curator", "cur")
        assert info(client) == 200
        assert sign_in(client, "cur") == 200  # with the old password
        client.put("/api/v1/users/rea", json={"role": "curator"})
        client.put("/api/v1/users/rea", json={"disabled": True})
        assert client.put("/api/v1/users/cur", json=change).status_code == 409  # who cannot sign in does not count
        client.put("/api/v1/users/rea", json={"disabled": False})
        assert client.put("/api/v1/users/cur", json=change).status_code == 200


def test_a_curator_gives_himself_another_password(team: FastAPI) -> None:
    with signed_in(team, "cur") as client:
        assert client.put("/api/v1/users/cur", json={"role": "curator", "password": NEW}).status_code == 200
        assert sign_in(client, "cur", NEW) == 200


@pytest.mark.parametrize("name", ["a/b", "/", ".", "..", "", " ", "a\u0000", "x" * 65])
def test_a_name_that_no_address_can_hold_is_refused(team: FastAPI, name: str) -> None:
    with signed_in(team, "cur") as client:
        answer = client.post("/api/v1/users", json={"name": name, "role": "annotator", "password": NEW})
        assert (answer.status_code, answer.json()["error"]) == (422, "invalid_record")


@pytest.mark.parametrize("name", ["100%", "a?b", "a#b", "a&b=c", "a b", "Ünal", "${x}", "user:ann", "<b>"])
def test_any_other_name_is_reached_by_its_address(team: FastAPI, workspace: Workspace, name: str) -> None:
    with signed_in(team, "cur") as http:
        client = Client(http=http)
        assert client.add_user(name, "annotator", NEW).name == name
        assert client.change_user(name, role="reviewer").role == Role.REVIEWER
    assert Users(workspace.store.database).get(name).role == Role.REVIEWER


def test_two_curators_cannot_depose_each_other(team: FastAPI, workspace: Workspace) -> None:
    """Both were let through as curators; whoever is second would leave the team without one."""
    users = Users(workspace.store.database)
    users.set_role("rea", Role.CURATOR, author="root")
    with signed_in(team, "cur") as cur, signed_in(team, "rea") as rea:
        assert cur.put("/api/v1/users/rea", json={"role": "annotator"}).status_code == 200
        assert rea.put("/api/v1/users/cur", json={"role": "annotator"}).status_code == 403
    assert users.get("cur").role == Role.CURATOR


def test_no_password_is_in_an_answer_the_audit_log_or_what_is_printed(
    team: FastAPI, capfd: pytest.CaptureFixture[str]
) -> None:
    secret = "s3cret-and-long-enough"
    said: list[str] = []
    with signed_in(team, "cur") as client:
        for method, path, body in (
            ("POST", "/users", {"name": "zoe", "role": "annotator", "password": secret}),
            ("POST", "/users", {"name": secret, "role": "annotator", "password": secret}),
            ("POST", "/users", {"name": "zed", "role": "no role", "password": secret}),
            ("POST", "/users", {"name": "zed", "role": "annotator", "password": [secret]}),
            ("POST", "/users", {"name": "zed", "role": "annotator", "password": secret * 100}),
            ("POST", "/users", {"name": "zed", "role": "annotator", "pasword": secret}),
            ("PUT", "/users/zoe", {"password": secret + "2"}),
            ("PUT", "/users/zoe", {"password": secret, "role": 7}),
            ("PUT", "/users/zoe", {"password": {"is": secret}}),
            ("PUT", "/users/nobody", {"password": secret}),
            ("PUT", "/me/password", {"old": secret, "new": secret}),
            ("PUT", "/me/password", {"old": PASSWORD, "new": secret + "3"}),
            ("PUT", "/me/password", {"old": secret, "new": [secret]}),
        ):
            said.append(client.request(method, f"/api/v1{path}", json=body).text)
        said.append(client.get("/api/v1/users").text)
        said.append(client.get("/api/v1/audit?limit=500").text)
    said.extend(capfd.readouterr())
    assert not [text for text in said if secret in text or "argon2" in text]


# -- one's own password --


def test_whoever_changes_their_password_stays_signed_in_here_and_nowhere_else(team: FastAPI) -> None:
    with signed_in(team, "ann") as here, signed_in(team, "ann") as elsewhere:
        before = dict(here.cookies)
        answer = here.put("/api/v1/me/password", json={"old": PASSWORD, "new": NEW})
        assert (answer.status_code, answer.json()["name"]) == (200, "ann")
        assert info(here) == 200
        assert dict(here.cookies) != before
        assert TestClient(team, cookies=before).get("/api/v1/info").status_code == 401
        assert info(elsewhere) == 401
    assert sign_in(TestClient(team), "ann", PASSWORD) == 401
    assert sign_in(TestClient(team), "ann", NEW) == 200


def test_guessing_the_old_password_takes_ever_longer(team: FastAPI, clock: Clock) -> None:
    with signed_in(team, "ann") as client:
        statuses = [
            client.put("/api/v1/me/password", json={"old": f"guess {n}", "new": NEW}).status_code
            for n in range(BY_NAME.free + 3)
        ]
        assert statuses == [401] * (BY_NAME.free + 1) + [429] * 2
        right = {"old": PASSWORD, "new": NEW}
        assert client.put("/api/v1/me/password", json=right).status_code == 429  # the right one, too
        clock.advance(61)
        assert client.put("/api/v1/me/password", json=right).status_code == 200


# -- what was done --


def test_people_and_audit_tell_who_did_what(team: FastAPI, sample: Sample) -> None:
    path = f"/api/v1/samples/{sample.id}"
    with signed_in(team, "ann") as ann, signed_in(team, "rea") as rea, signed_in(team, "cur") as cur:
        ann.post(f"{path}/lease")
        shown = ann.get(path).json()
        full = complete(shown["sample"], block(2, 3, 10, 8, (30, 40)))
        head = ann.put(path, json={"edit": "e", "parent": shown["revision"], "sample": full}).json()
        head = ann.post(f"{path}/submit", json={"parent": head["revision"]}).json()
        body = {"revision": head["revision"], "decision": "reject", "reasons": ["boundary"]}
        assert rea.post(f"{path}/review", json=body).status_code == 200

        told = {person["name"]: person for person in cur.get("/api/v1/people").json()["people"]}
        assert (told["ann"]["submitted"], told["ann"]["rejected"], told["ann"]["reasons"]) == (1, 1, {"boundary": 1})
        assert (told["rea"]["reviews"], told["rea"]["role"]) == (1, "reviewer")
        early = cur.get("/api/v1/people", params={"until": "2025-12-31"}).json()["people"]
        assert {person["submitted"] for person in early} == {0}

        page = cur.get("/api/v1/audit", params={"subject": sample.id, "limit": 2}).json()
        assert (page["total"], page["verified"]) == (4, True)
        assert [(one["action"], one["actor"], one["sample_id"]) for one in page["entries"]] == [
            ("reject", "rea", sample.id),
            ("submit", "ann", sample.id),
        ]
        story = ann.get(f"{path}/history").json()["history"]
        assert [one["action"] for one in story] == ["reject", "submit", "revise", "add_sample"]


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("people", {"since": "yesterday"}),
        ("people", {"until": "2026-13-01"}),
        ("audit", {"since": "soon"}),
        ("audit", {"until": "0001-01-01T00:00:00+23:59"}),
        ("audit", {"limit": "501"}),
        ("audit", {"offset": "-1"}),
        ("audit", {"actor": "x" * 201}),
    ],
)
def test_what_is_no_day_time_or_page_is_refused(client: TestClient, path: str, wanted: dict[str, str]) -> None:
    answer = client.get(f"/api/v1/{path}", params=wanted)
    assert (answer.status_code, answer.json()["error"]) == (422, "invalid_record")


def test_empty_filters_restrict_nothing(client: TestClient, sample: Sample) -> None:
    empty = dict.fromkeys(("actor", "action", "subject", "since", "until"), "")
    assert client.get("/api/v1/audit", params=empty).json()["total"] == 2
    assert client.get("/api/v1/people", params={"since": "", "until": ""}).status_code == 200


def test_alone_there_is_no_password_to_change(client: TestClient) -> None:
    answer = client.put("/api/v1/me/password", json={"old": PASSWORD, "new": NEW})
    assert (answer.status_code, answer.json()["error"]) == (400, "usage_error")
    assert json.loads(answer.text)["message"].startswith("this server is for one person")
