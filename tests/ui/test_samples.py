from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.builders import block
from tests.pictures import encoded, pixels
from tests.ui.support import add_picture, complete, drawn, edited
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Sample

SIZE = (30, 40)
CUP, LID = block(2, 3, 10, 8, SIZE), block(15, 20, 5, 5, SIZE)


def put(client: TestClient, sample: dict[str, Any], parent: str, edit: str = "e1") -> Any:
    body = {"edit": edit, "parent": parent, "sample": sample}
    return client.put(f"/api/v1/samples/{sample['id']}", json=body)


def test_a_sample_is_shown_with_its_image_and_its_neighbours(client: TestClient, workspace: Workspace) -> None:
    first, second, third = (add_picture(workspace, encoded(pixels(seed=n)), f"{n}.png") for n in range(3))
    shown = client.get(f"/api/v1/samples/{second.id}").json()
    assert Sample.parse(shown["sample"]) == second
    assert (shown["number"], shown["state"]) == (1, "draft")
    assert shown["revision"] == workspace.store.head(second.id).revision.id
    assert (shown["image"]["id"], shown["image"]["width"], shown["image"]["height"]) == (second.image_id, 8, 6)
    assert shown["image"]["file_name"] == "1.png"
    assert (shown["previous"], shown["next"], shown["position"], shown["total"]) == (first.id, third.id, 2, 3)


def test_an_edit_is_saved_and_a_repeat_of_it_is_recognised(
    client: TestClient, workspace: Workspace, shown: Any
) -> None:
    mine = drawn(shown["sample"], 1, CUP, "cup")
    first = put(client, mine, shown["revision"])
    assert (first.status_code, first.json()["number"], first.json()["state"]) == (200, 2, "draft")
    assert put(client, mine, shown["revision"]).json() == first.json()
    assert workspace.store.head(mine["id"]).sample.plain() == mine
    assert len(workspace.store.revisions(mine["id"])) == 2


def test_a_save_names_its_author(client: TestClient, workspace: Workspace, shown: Any) -> None:
    put(client, drawn(shown["sample"], 1, CUP), shown["revision"])
    assert workspace.store.head(shown["sample"]["id"]).revision.author == "local"


def test_a_stale_edit_gets_both_versions_and_their_merge(client: TestClient, workspace: Workspace, shown: Any) -> None:
    theirs = edited(shown["sample"], query={"text": "what holds it?"})
    newest = put(client, theirs, shown["revision"], "theirs").json()
    mine = drawn(shown["sample"], 1, CUP)
    answer = put(client, mine, shown["revision"], "mine")
    told = answer.json()
    assert (answer.status_code, told["error"]) == (409, "stale_parent")
    assert (told["expected"], told["got"]) == (newest["revision"], shown["revision"])
    assert (told["theirs"], told["theirs_number"]) == (theirs, 2)
    assert (told["merged"], told["conflicts"]) == ({**mine, "query": theirs["query"]}, [])
    assert workspace.store.head(mine["id"]).sample.plain() == theirs


def test_what_both_changed_differently_is_named_as_a_conflict(client: TestClient, shown: Any) -> None:
    put(client, edited(shown["sample"], query={"text": "theirs"}), shown["revision"], "theirs")
    told = put(client, edited(shown["sample"], query={"text": "mine"}), shown["revision"], "mine").json()
    assert told["merged"]["query"]["text"] == "mine"
    assert told["conflicts"] == ["both changed the query"]


def test_an_edit_on_an_unknown_revision_is_stale_and_cannot_be_merged(client: TestClient, shown: Any) -> None:
    answer = put(client, drawn(shown["sample"], 1, CUP), "sha256:made-up")
    told = answer.json()
    assert (answer.status_code, told["merged"], told["conflicts"]) == (409, None, [])
    assert told["theirs"] == shown["sample"]


def test_an_edit_on_another_samples_revision_cannot_be_merged(
    client: TestClient, workspace: Workspace, shown: Any
) -> None:
    other = add_picture(workspace, encoded(pixels(seed=5)), "other.png")
    head = workspace.store.head(other.id).revision.id
    answer = put(client, drawn(shown["sample"], 1, CUP), head)
    assert (answer.status_code, answer.json()["merged"]) == (409, None)


@pytest.mark.parametrize("change", [{"split": "test"}, {"source_name": "elsewhere"}])
def test_what_the_source_said_of_a_sample_is_no_annotators_to_change(
    client: TestClient, shown: Any, change: dict[str, str]
) -> None:
    """A release follows ``split``: whoever could write it would move a picture to the test side."""
    answer = put(client, {**shown["sample"], **change}, shown["revision"])
    assert (answer.status_code, answer.json()["error"]) == (422, "invalid_record")
    assert client.get(f"/api/v1/samples/{shown['sample']['id']}").json()["revision"] == shown["revision"]


def test_an_edit_about_another_sample_is_refused(client: TestClient, workspace: Workspace, shown: Any) -> None:
    other = add_picture(workspace, encoded(pixels(seed=5)), "other.png")
    body = {"edit": "e", "parent": shown["revision"], "sample": shown["sample"]}
    answer = client.put(f"/api/v1/samples/{other.id}", json=body)
    assert (answer.status_code, answer.json()["error"]) == (422, "invalid_record")


@pytest.mark.parametrize("parent", [None, "sha256:made-up"])
def test_an_edit_of_another_size_is_refused(client: TestClient, shown: Any, parent: str | None) -> None:
    answer = put(client, {**shown["sample"], "size": [31, 40]}, parent or shown["revision"])
    assert (answer.status_code, answer.json()["error"]) == (422, "invalid_record")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"instances": [{"id": 1, "mask": {"size": [30, 40], "counts": "04"}, "origin": {"kind": "click"}}]}, "cover"),
        ({"instances": [{"id": 1, "mask": {"size": [3, 4], "counts": "<"}, "origin": {"kind": "click"}}]}, "3×4"),
        ({"depth": 9}, "depth"),
        ({"colour": "red"}, "colour"),
        ({"query": {"text": "  "}}, "text"),
        ({"id": "another"}, "does not follow"),
    ],
)
def test_a_sample_that_no_record_can_hold_is_refused(
    client: TestClient, shown: Any, change: dict[str, Any], said: str
) -> None:
    body = {"edit": "e", "parent": shown["revision"], "sample": {**shown["sample"], **change}}
    answer = client.put(f"/api/v1/samples/{shown['sample']['id']}", json=body)
    assert (answer.status_code, answer.json()["error"]) == (422, "invalid_record")
    assert said in answer.json()["message"]


def test_a_complete_sample_is_submitted(client: TestClient, workspace: Workspace, shown: Any) -> None:
    saved = put(client, complete(shown["sample"], CUP), shown["revision"]).json()
    answer = client.post(f"/api/v1/samples/{shown['sample']['id']}/submit", json={"parent": saved["revision"]})
    assert answer.json() == {**saved, "state": "submitted"}
    assert workspace.store.head(shown["sample"]["id"]).state == "submitted"


def test_an_incomplete_sample_is_told_what_it_lacks(client: TestClient, shown: Any) -> None:
    answer = client.post(f"/api/v1/samples/{shown['sample']['id']}/submit", json={"parent": shown["revision"]})
    assert (answer.status_code, answer.json()["error"]) == (422, "incomplete")
    assert "the question is missing" in answer.json()["problems"]


def test_a_stale_submission_is_refused(client: TestClient, shown: Any) -> None:
    newest = put(client, complete(shown["sample"], CUP), shown["revision"]).json()
    answer = client.post(f"/api/v1/samples/{shown['sample']['id']}/submit", json={"parent": shown["revision"]})
    told = answer.json()
    assert (answer.status_code, told["error"], told["expected"]) == (409, "stale_parent", newest["revision"])
    assert told["theirs"]["query"]["text"] == "what keeps the drink warm?"


def test_an_accepted_sample_is_locked(client: TestClient, workspace: Workspace, shown: Any) -> None:
    from datetime import UTC, datetime

    from whyseg.schemas import Review

    mine = complete(shown["sample"], CUP)
    saved = put(client, mine, shown["revision"]).json()
    client.post(f"/api/v1/samples/{mine['id']}/submit", json={"parent": saved["revision"]})
    keys = {"id": "r", "sample_id": mine["id"], "revision_id": saved["revision"], "reviewer": "bob"}
    workspace.store.review(Review(**keys, decision="accept", created_at=datetime.now(UTC)))
    answer = put(client, drawn(mine, 2, LID), saved["revision"], "late")
    assert (answer.status_code, answer.json()["error"], answer.json()["state"]) == (
        409,
        "illegal_transition",
        "accepted",
    )


def test_another_sample_of_an_image_is_added(client: TestClient, workspace: Workspace, shown: Any) -> None:
    answer = client.post("/api/v1/samples", json={"image_id": shown["image"]["id"]})
    added = answer.json()
    assert answer.status_code == 201
    assert added["sample"]["id"] != shown["sample"]["id"]
    assert (added["image"], added["previous"], added["total"]) == (shown["image"], shown["sample"]["id"], 2)
    assert client.get(f"/api/v1/samples/{added['sample']['id']}").json() == added


def test_samples_are_listed_by_filter_and_page(client: TestClient, workspace: Workspace) -> None:
    samples = [add_picture(workspace, encoded(pixels(30, 40, seed=n)), f"{n}.png") for n in range(3)]
    shown = client.get(f"/api/v1/samples/{samples[1].id}").json()
    put(client, complete(shown["sample"], CUP), shown["revision"])

    def listed(**wanted: object) -> tuple[int, list[str]]:
        page = client.get("/api/v1/samples", params={key: str(value) for key, value in wanted.items()}).json()
        return page["total"], [one["file_name"] for one in page["samples"]]

    assert listed() == (3, ["0.png", "1.png", "2.png"])
    assert listed(state="", reasoning_type="", depth="", text="") == (3, ["0.png", "1.png", "2.png"])
    assert listed(offset=1, limit=1) == (3, ["1.png"])
    assert listed(order="updated", limit=1) == (3, ["1.png"])
    assert listed(reasoning_type="P/F", depth=1, state="draft") == (1, ["1.png"])
    assert listed(text="DRINK") == (1, ["1.png"])
    assert listed(text="2.p") == (1, ["2.png"])
    (one,) = client.get("/api/v1/samples", params={"text": "drink"}).json()["samples"]
    assert (one["id"], one["number"], one["instances"], one["query"]) == (
        samples[1].id,
        2,
        1,
        "what keeps the drink warm?",
    )


@pytest.mark.parametrize(
    "wanted", ["state=done", "depth=0", "depth=5", "limit=0", "limit=501", "offset=-1", "order=x", "offset=1e30"]
)
def test_a_question_that_makes_no_sense_is_refused(client: TestClient, wanted: str) -> None:
    answer = client.get(f"/api/v1/samples?{wanted}")
    assert (answer.status_code, answer.json()["error"]) == (422, "invalid_record")
    assert wanted.split("=")[0] in answer.json()["message"]


def test_the_history_of_a_sample_is_listed_newest_first(client: TestClient, shown: Any) -> None:
    saved = put(client, drawn(shown["sample"], 1, CUP), shown["revision"]).json()
    newest, first = client.get(f"/api/v1/samples/{shown['sample']['id']}/revisions").json()["revisions"]
    assert set(newest) == {"revision", "number", "parent", "author", "created_at", "content"}
    assert (newest["revision"], newest["parent"], newest["number"]) == (saved["revision"], first["revision"], 2)


@pytest.mark.parametrize("path", ["x", "x/revisions", pytest.param("%00", marks=pytest.mark.sqlite), "a" * 500])
def test_an_unknown_sample_is_not_found(client: TestClient, path: str) -> None:
    answer = client.get(f"/api/v1/samples/{path}")
    assert (answer.status_code, answer.json()["error"]) == (404, "not_found")


def test_what_is_not_found_is_named(client: TestClient) -> None:
    facts = {"kind": "sample", "key": "x"}
    assert client.get("/api/v1/samples/x").json() == {"error": "not_found", "message": "no sample x", **facts}
