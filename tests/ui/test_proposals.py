"""What a model says of samples over HTTP, and two people who decide about a change that it proposes."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cv2
import numpy as np
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from tests.builders import block
from tests.proposed import add_proposal, add_signals
from tests.ui.support import complete
from tests.ui.team import signed_in
from whyseg.curation.answers import Answers
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Sample

SIZE = (30, 40)
PROPOSALS, SAMPLES = "/api/v1/proposals", "/api/v1/samples"
LEFT, RIGHT = block(5, 2, 20, 10, SIZE), block(5, 25, 20, 10, SIZE)
HOSTILE = "<img src=x onerror=alert(1)> ${alert(2)} {{says}} \u202e"


@pytest.fixture
def key(workspace: Workspace, sample: Sample) -> str:
    """A complete draft whose mask is at the left."""
    record = Sample.parse(complete(sample.plain(), LEFT))
    workspace.store.revise(sample.id, record, parent=workspace.store.head(sample.id).revision.id, author="ann")
    return sample.id


def accept(client: TestClient, proposal: str) -> tuple[int, Any]:
    answer = client.post(f"{PROPOSALS}/{proposal}/accept")
    return answer.status_code, answer.json()


def test_an_accepted_proposal_is_the_samples_newest_revision(
    client: TestClient, workspace: Workspace, key: str
) -> None:
    made = add_proposal(workspace.store, key, RIGHT, says=HOSTILE, label=HOSTILE)
    add_proposal(workspace.store, key, query="what holds the tea?", reason="query_rewrite", score=0.3)
    told = client.get(PROPOSALS).json()
    assert (told["total"], told["reasons"]) == (2, {"wrong_target": 1, "query_rewrite": 1})
    first = told["proposals"][0]
    assert (first["id"], first["says"], first["state"], first["query"]) == (made.id, HOSTILE, "open", None)
    assert [one["reason"] for one in client.get(f"{PROPOSALS}?reason=query_rewrite").json()["proposals"]] == [
        "query_rewrite"
    ]
    assert client.get(f"{SAMPLES}?proposed=true&order=proposed").json()["samples"][0]["id"] == key
    status, head = accept(client, made.id)
    assert (status, head["number"], head["state"]) == (200, 3, "submitted")
    shown = client.get(f"{SAMPLES}/{key}").json()["sample"]
    assert shown["instances"][0]["mask"] == RIGHT.plain()
    assert accept(client, made.id) == (200, head)
    assert client.get(PROPOSALS).json()["total"] == 0
    assert client.get(f"{PROPOSALS}?state=stale").json()["total"] == 1
    [done] = client.get(f"{PROPOSALS}?state=accepted&sample_id={key}").json()["proposals"]
    assert (done["decision"]["by"], done["decision"]["revision_id"]) == ("local", head["revision"])
    assert client.get(f"{PROPOSALS}?state=&sample_id={key}").json()["total"] == 2
    assert client.get(f"{SAMPLES}?proposed=true").json()["total"] == 0


def test_a_proposal_for_a_revised_sample_is_told_as_stale(client: TestClient, workspace: Workspace, key: str) -> None:
    made = add_proposal(workspace.store, key, RIGHT)
    head = workspace.store.head(key)
    changed = head.sample.model_copy(update={"no_target": True, "instances": ()})
    newer = workspace.store.revise(key, changed, parent=head.revision.id, author="ann").revision.id
    status, told = accept(client, made.id)
    assert (status, told["error"], told["expected"], told["sample_id"]) == (409, "stale_parent", newer, key)
    assert workspace.store.head(key).revision.id == newer


def test_a_dismissed_proposal_is_not_accepted_any_more(client: TestClient, workspace: Workspace, key: str) -> None:
    made = add_proposal(workspace.store, key, RIGHT)
    dismissed = client.post(f"{PROPOSALS}/{made.id}/dismiss").json()
    assert (dismissed["state"], dismissed["decision"]["accepted"]) == ("dismissed", False)
    assert client.post(f"{PROPOSALS}/{made.id}/dismiss").json() == dismissed
    status, told = accept(client, made.id)
    assert (status, told["error"]) == (409, "illegal_transition")


def test_two_reviewers_at_once_make_one_revision(team: FastAPI, workspace: Workspace, key: str) -> None:
    made = add_proposal(workspace.store, key, RIGHT)
    with signed_in(team, "rea") as first, signed_in(team, "cur") as second, ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda client: accept(client, made.id), (first, second)))
        assert answers[0] == answers[1]
        assert answers[0][0] == 200
        [done] = first.get(f"{PROPOSALS}?state=accepted").json()["proposals"]
    assert done["decision"]["by"] in ("rea", "cur")
    assert workspace.store.head(key).revision.number == 3


def test_annotators_look_and_do_not_decide(team: FastAPI, workspace: Workspace, key: str) -> None:
    made = add_proposal(workspace.store, key, RIGHT)
    with signed_in(team, "ann") as client:
        assert client.get(f"{PROPOSALS}?sample_id={key}").json()["total"] == 1
        assert client.get(f"{SAMPLES}/{key}/signals").json() == {"run": None, "signals": None}
        assert accept(client, made.id)[0] == 403
        assert client.post(f"{PROPOSALS}/{made.id}/dismiss").status_code == 403
    assert workspace.store.head(key).revision.number == 2


def test_who_answers_a_sample_blindly_learns_nothing_of_what_a_model_says(
    team: FastAPI, workspace: Workspace, key: str
) -> None:
    made = add_proposal(workspace.store, key, RIGHT)
    add_signals(workspace.store, key)
    Answers(workspace.store).hand_out([key], ["rea"], by="cur")
    with signed_in(team, "rea") as client:
        assert client.get(PROPOSALS).json() == {"total": 0, "reasons": {}, "proposals": []}
        assert client.get(f"{PROPOSALS}?sample_id={key}&state=").json()["total"] == 0
        hidden = [client.get(f"{PROPOSALS}/{made.id}/picture"), client.post(f"{PROPOSALS}/{made.id}/accept")]
        hidden += [client.post(f"{PROPOSALS}/{made.id}/dismiss"), client.get(f"{SAMPLES}/{key}/signals")]
        assert [(one.status_code, one.json()["error"]) for one in hidden] == [(404, "not_found")] * 4
    with signed_in(team, "cur") as client:
        assert client.get(PROPOSALS).json()["total"] == 1


def test_the_picture_is_before_beside_after(client: TestClient, workspace: Workspace, key: str) -> None:
    made = add_proposal(workspace.store, key, RIGHT)
    answer = client.get(f"{PROPOSALS}/{made.id}/picture")
    assert answer.headers["content-type"] == "image/jpeg"
    found = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)
    assert found is not None
    assert found.shape[:2] == (30, 84)  # two pictures of 40 columns and a gap of 4
    red = [
        found[5:25, at : at + 40, 2].mean(0) for at in (0, 44)
    ]  # by column; a mask's tint is redder than what it hides
    assert (red[0] - red[1])[3:11].min() > 20
    assert (red[1] - red[0])[26:34].min() > 20
    assert np.abs(red[1] - red[0])[14:23].max() < 20
    again = client.get(f"{PROPOSALS}/{made.id}/picture", headers={"if-none-match": answer.headers["etag"]})
    assert again.status_code == 304
    assert client.get(f"{PROPOSALS}/nobody/picture").status_code == 404


def test_signals_are_the_newest_runs(client: TestClient, workspace: Workspace, key: str) -> None:
    kept = add_signals(workspace.store, key, clusters=[(RIGHT, HOSTILE, 6)])
    told = client.get(f"{SAMPLES}/{key}/signals").json()
    assert (told["run"]["policy"], told["signals"]["clusters"][0]["label"]) == ("tiny", HOSTILE)
    assert told["signals"] == kept.plain()
    assert client.get(f"{SAMPLES}/nobody/signals").status_code == 404


@pytest.mark.parametrize("asked", ["state=odd", "reason=odd", "limit=0", "limit=501", "offset=-1", "offset=1e99"])
def test_odd_questions_are_refused(client: TestClient, asked: str) -> None:
    assert client.get(f"{PROPOSALS}?{asked}").status_code == 422
