from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.builders import block
from tests.ui.support import drawn
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Suggestion

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
