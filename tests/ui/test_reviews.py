from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.builders import block
from tests.ui.support import complete
from whyseg.curation.workspace import Workspace

CUP = block(2, 3, 10, 8, (30, 40))


@pytest.fixture
def submitted(client: TestClient, shown: Any) -> Any:
    """A sample that waits for review: its id and its head."""
    sample = shown["sample"]
    body = {"edit": "e1", "parent": shown["revision"], "sample": complete(sample, CUP)}
    head = client.put(f"/api/v1/samples/{sample['id']}", json=body).json()
    head = client.post(f"/api/v1/samples/{sample['id']}/submit", json={"parent": head["revision"]}).json()
    return {"id": sample["id"], **head}


def decide(client: TestClient, submitted: Any, decision: str, **more: Any) -> Any:
    body = {"revision": submitted["revision"], "decision": decision, **more}
    return client.post(f"/api/v1/samples/{submitted['id']}/review", json=body)


def test_a_rejection_keeps_its_reasons_and_pinned_remarks(client: TestClient, submitted: Any) -> None:
    remark = {"text": "the handle is missing", "pin": [12.5, 3.0]}
    answer = decide(client, submitted, "reject", reasons=["boundary", "other"], comments=[remark])
    assert (answer.status_code, answer.json()["state"]) == (200, "rejected")
    [review] = client.get(f"/api/v1/samples/{submitted['id']}/reviews").json()["reviews"]
    assert (review["decision"], review["reasons"], review["comments"]) == ("reject", ["boundary", "other"], [remark])
    assert (review["reviewer"], review["revision_id"]) == ("local", submitted["revision"])


def test_a_decision_repeated_after_a_lost_reply_is_the_same(client: TestClient, submitted: Any) -> None:
    first = decide(client, submitted, "accept", id="d1")
    assert decide(client, submitted, "accept", id="d1").json() == first.json()
    assert len(client.get(f"/api/v1/samples/{submitted['id']}/reviews").json()["reviews"]) == 1


def test_another_decision_under_a_name_that_was_used_is_refused(client: TestClient, submitted: Any) -> None:
    decide(client, submitted, "accept", id="d1")
    answer = decide(client, submitted, "reject", id="d1", reasons=["other"])
    assert (answer.status_code, answer.json()["error"]) == (422, "invalid_record")


def test_a_second_decision_is_refused(client: TestClient, submitted: Any) -> None:
    decide(client, submitted, "accept")
    answer = decide(client, submitted, "reject", reasons=["other"])
    assert (answer.status_code, answer.json()["error"]) == (409, "illegal_transition")


def test_a_decision_on_an_older_revision_is_refused(client: TestClient, submitted: Any) -> None:
    answer = decide(client, {**submitted, "revision": "sha256:" + "0" * 64}, "accept")
    assert (answer.status_code, answer.json()["error"]) == (409, "stale_parent")


@pytest.mark.parametrize(
    "body",
    [
        {"decision": "reject"},  # without a reason
        {"decision": "accept", "reasons": ["other"]},
        {"decision": "maybe"},
        {"decision": "reject", "reasons": ["ugly"]},
        {"decision": "accept", "comments": [{"text": ""}]},
        {"decision": "accept", "comments": [{"text": "x", "pin": [1]}]},
    ],
)
def test_a_decision_that_says_nothing_sensible_is_refused(
    client: TestClient, submitted: Any, body: dict[str, Any]
) -> None:
    answer = client.post(f"/api/v1/samples/{submitted['id']}/review", json={"revision": submitted["revision"], **body})
    assert answer.status_code == 422
    assert client.get(f"/api/v1/samples/{submitted['id']}").json()["state"] == "submitted"


def test_an_accepted_sample_is_locked_until_it_is_reopened(
    client: TestClient, workspace: Workspace, submitted: Any
) -> None:
    path = f"/api/v1/samples/{submitted['id']}"
    decide(client, submitted, "accept")
    sample = client.get(path).json()["sample"]
    change = {
        "edit": "e2",
        "parent": submitted["revision"],
        "sample": {**sample, "no_target": False, "depth": None, "hops": []},
    }
    assert client.put(path, json=change).json()["error"] == "illegal_transition"
    assert client.post(f"{path}/reopen", json={"reason": ""}).status_code == 422
    assert client.post(f"{path}/reopen", json={"reason": "a second cup"}).json()["state"] == "draft"
    assert client.put(path, json=change).status_code == 200
    [entry] = [one for one in workspace.store.audit_log(subject=submitted["id"]) if one.action == "reopen"]
    assert entry.detail["reason"] == "a second cup"


def test_a_version_is_shown_by_its_revision(client: TestClient, shown: Any, submitted: Any) -> None:
    path = f"/api/v1/samples/{submitted['id']}/revisions"
    assert client.get(f"{path}/{shown['revision']}").json()["sample"] == shown["sample"]
    assert client.get(f"{path}/{submitted['revision']}").json()["number"] == 2
    assert client.get(f"{path}/none").status_code == 404
    other = client.post("/api/v1/samples", json={"image_id": shown["sample"]["image_id"]}).json()
    assert client.get(f"{path}/{other['revision']}").status_code == 404


def test_reviews_of_no_sample_are_not_found(client: TestClient) -> None:
    assert client.get("/api/v1/samples/none/reviews").status_code == 404
