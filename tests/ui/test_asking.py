"""Questions to the policy over HTTP: answers, votes, samples made of them, and who gets to see what."""

import base64
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from tests.asked import Held, scripted_asker
from tests.builders import Clock
from tests.pictures import encoded, pixels
from tests.ui.support import make_clicks
from tests.ui.team import HOSTS, make_logins, signed_in
from whyseg.curation.answers import Answers
from whyseg.curation.asking import Asker
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Mask, Query, Sample
from whyseg.schemas.errors import Busy, ModelUnavailable, NotFound
from whyseg.ui.asking import KEPT, WAITING, Asking, Question
from whyseg.ui.server import build_api

Make = Callable[[Asker], TestClient]


@pytest.fixture
def make(workspace: Workspace) -> Iterator[Make]:
    """Start servers of an asker each."""
    made: list[TestClient] = []

    def start(asker: Asker) -> TestClient:
        asking = Asking(lambda told: asker)
        app = build_api(workspace, make_clicks(workspace), hosts=("testserver",), asking=asking)
        made.append(TestClient(app, raise_server_exceptions=False).__enter__())
        return made[-1]

    yield start
    for client in made:
        client.__exit__(None, None, None)


def asked(client: TestClient, sample: Sample | str, query: str = "what holds tea?", **more: Any) -> dict[str, Any]:
    image = sample if isinstance(sample, str) else sample.image_id
    answer = client.post("/api/v1/ask", json={"image_id": image, "query": query, **more})
    assert answer.status_code == 202, answer.text
    return dict(answer.json())


def ended(client: TestClient, key: str) -> dict[str, Any]:
    for _ in range(500):
        found = client.get(f"/api/v1/ask/{key}").json()
        if found["state"] not in ("waiting", "asking"):
            return dict(found)
        time.sleep(0.01)
    raise AssertionError(found)


def test_a_question_is_answered_with_thinking_boxes_masks_and_a_vote(make: Make, sample: Sample) -> None:
    client = make(scripted_asker())
    question = asked(client, sample, k=4)
    assert (question["answers"], question["question"]["query"]) == ([], "what holds tea?")
    found = ended(client, question["id"])
    assert (found["state"], found["done"], found["policy"], found["problem"]) == ("done", 4, "scripted", None)
    first, _, plate, unread = found["answers"]
    assert (first["thinking"], first["objects"][0]["box"]) == ("it holds <b>tea</b>", [2, 2, 38, 18])
    assert plate["objects"][0]["box"] == [2, 2, 38, 28]
    assert (unread["objects"], unread["text"]) == ([], "no <script>alert(1)</script> answer \x07")
    assert "not exactly one block" in unread["problem"]
    vote = found["vote"]
    # Three can be read: two see the cup, one the plate, whose mask has an IoU of about 17/27 with it.
    assert (vote["valid"], [one["votes"] for one in vote["clusters"]], vote["clusters"][0]["chosen"]) == (
        3,
        [2, 1],
        True,
    )
    assert Mask.parse(vote["mask"]) == Mask.parse(first["objects"][0]["mask"])
    assert client.get("/api/v1/ask").json() == {
        "policy": {"name": "scripted", "segmenter": "fake fake/discs", "reason": "the policy is being loaded"},
        "newest": question["id"],
    }


def test_other_settings_vote_again_and_nobody_is_asked(make: Make, sample: Sample) -> None:
    asker = scripted_asker()
    client = make(asker)
    key = ended(client, asked(client, sample, k=4)["id"])["id"]
    vote = client.post(f"/api/v1/ask/{key}/vote", json={"settings": {"iou": 0.3}}).json()
    assert [one["votes"] for one in vote["clusters"]] == [3]
    assert len(asker.policy.asked) == 1  # type: ignore[attr-defined]
    assert client.post(f"/api/v1/ask/{key}/vote", json={"settings": {"iou": 3}}).status_code == 422
    assert client.get(f"/api/v1/ask/{key}").json()["vote"]["clusters"][0]["votes"] == 2  # its own stays


def test_a_vote_becomes_a_draft_once(make: Make, sample: Sample, workspace: Workspace) -> None:
    client = make(scripted_asker())
    key = ended(client, asked(client, sample, k=4)["id"])["id"]
    taken = client.post(f"/api/v1/ask/{key}/sample", json={})
    assert taken.status_code == 201
    again = client.post(f"/api/v1/ask/{key}/sample", json={"settings": {}})
    assert again.json() == taken.json()
    head = workspace.store.head(taken.json()["sample_id"])
    (one,) = head.sample.instances
    assert (head.state, head.sample.image_id, head.sample.query and head.sample.query.text) == (
        "draft",
        sample.image_id,
        "what holds tea?",
    )
    assert (one.origin.kind, one.origin.model) == ("model", "scripted, fake fake/discs")
    other = client.post(f"/api/v1/ask/{key}/sample", json={"settings": {"iou": 0.3, "mode": "consensus"}}).json()
    assert other["sample_id"] != taken.json()["sample_id"]


def test_nothing_there_becomes_a_no_target_sample_and_no_answer_none(
    make: Make, sample: Sample, workspace: Workspace
) -> None:
    client = make(scripted_asker(lambda query, number: "?" if query == "what?" else "<answer>[]</answer>"))
    key = ended(client, asked(client, sample)["id"])["id"]
    taken = client.post(f"/api/v1/ask/{key}/sample", json={}).json()["sample_id"]
    assert workspace.store.head(taken).sample.no_target
    key = ended(client, asked(client, sample, "what?")["id"])["id"]
    assert client.post(f"/api/v1/ask/{key}/sample", json={}).status_code == 422


def test_any_picture_can_be_asked_about_without_adding_it(make: Make, workspace: Workspace) -> None:
    client = make(scripted_asker())
    data = encoded(pixels(30, 40, seed=9))
    sent = client.post("/api/v1/ask/pictures", json={"name": "new.png", "data": base64.b64encode(data).decode()})
    assert (sent.status_code, sent.json()["in_workspace"], sent.json()["image"]["width"]) == (201, False, 40)
    key = sent.json()["image"]["id"]
    assert client.get(f"/api/v1/ask/pictures/{key}").content == data
    found = ended(client, asked(client, key, k=4)["id"])
    assert (found["state"], found["in_workspace"], workspace.store.images()) == ("done", False, [])
    refused = client.post(f"/api/v1/ask/{found['id']}/sample", json={})
    assert (refused.status_code, "not in the workspace" in refused.json()["message"]) == (422, True)


def test_what_is_no_picture_is_refused(make: Make) -> None:
    client = make(scripted_asker())
    pdf = base64.b64encode(b"%PDF-1").decode()
    for data, status in (("aGVsbG8=", 415), ("", 415), (pdf, 415), ("\u00e9", 415), (None, 422)):
        assert client.post("/api/v1/ask/pictures", json={"data": data}).status_code == status, data


def test_the_newest_question_of_a_person_replaces_theirs(make: Make, sample: Sample) -> None:
    held = Held()
    client = make(scripted_asker(held))
    first = asked(client, sample, k=8)["id"]
    assert held.begun.wait(20)
    assert client.get(f"/api/v1/ask/{first}").json()["state"] == "asking"
    second = asked(client, sample, "and now?", k=4)["id"]
    assert client.get(f"/api/v1/ask/{second}").json()["state"] == "waiting"
    held.free.set()
    assert ended(client, second)["state"] == "done"
    replaced = client.get(f"/api/v1/ask/{first}").json()
    assert (replaced["state"], replaced["done"], replaced["answers"]) == ("cancelled", 0, [])


def test_a_question_can_be_cancelled_and_has_no_vote(make: Make, sample: Sample) -> None:
    held = Held()
    client = make(scripted_asker(held))
    key = asked(client, sample, k=8)["id"]
    assert held.begun.wait(20)
    assert client.delete(f"/api/v1/ask/{key}").json()["state"] == "cancelled"
    held.free.set()
    refused = client.post(f"/api/v1/ask/{key}/vote", json={})
    assert (refused.status_code, refused.json()["error"]) == (409, "illegal_transition")
    assert ended(client, asked(client, sample)["id"])["state"] == "done"  # the next one has its turn


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # which is how it gets into the log
def test_a_bug_of_a_policy_fails_its_question_alone(make: Make, sample: Sample) -> None:
    def script(query: str, number: int) -> str:
        if query == "bug":
            raise ZeroDivisionError
        return "" if query == "gone" else "<answer>[]</answer>"

    client = make(scripted_asker(script))
    found = ended(client, asked(client, sample, "bug")["id"])
    assert (found["state"], "unexpectedly" in found["problem"]) == ("failed", True)
    assert ended(client, asked(client, sample, "gone")["id"])["problem"] == "no answer came"
    assert ended(client, asked(client, sample, "fine")["id"])["state"] == "done"


def test_without_a_policy_it_is_said_how_to_start_one(sample: Sample, workspace: Workspace) -> None:
    with TestClient(build_api(workspace, make_clicks(workspace), hosts=("testserver",))) as client:
        told = client.get("/api/v1/ask").json()
        assert (told["policy"]["name"], told["newest"]) == ("none", None)
        assert "whyseg serve --policy" in told["policy"]["reason"]
        refused = client.post("/api/v1/ask", json={"image_id": sample.image_id, "query": "what?"})
        assert (refused.status_code, refused.json()["error"]) == (503, "model_unavailable")


def test_a_policy_that_cannot_be_loaded_fails_what_waits_for_it(sample: Sample, workspace: Workspace) -> None:
    fetched = threading.Event()

    def load(told: Callable[[str], None]) -> Asker:
        told("the weights are being fetched")
        assert fetched.wait(20)
        raise ModelUnavailable("the weights are missing")

    asking = Asking(load)
    app = build_api(workspace, make_clicks(workspace), hosts=("testserver",), asking=asking)
    with TestClient(app) as client:
        key = asked(client, sample)["id"]
        assert client.get(f"/api/v1/ask/{key}").json()["state"] == "waiting"
        assert client.get("/api/v1/ask").json()["policy"]["reason"] == "the weights are being fetched"
        fetched.set()
        assert ended(client, key)["problem"] == "the weights are missing"
        assert client.get("/api/v1/ask").json()["policy"]["name"] == "none"


def test_what_makes_no_sense_is_refused(make: Make, sample: Sample) -> None:
    client = make(scripted_asker())
    odd: list[dict[str, Any]] = [
        {"query": " "}, {"k": 0}, {"k": 65}, {"temperature": -1}, {"temperature": 3}, {"x": 1},
        {"settings": {"mode": "x"}}, {"settings": {"iou": 2}},
    ]  # fmt: skip
    for body in odd:
        asks = {"image_id": sample.image_id, "query": "what?", **body}
        assert client.post("/api/v1/ask", json=asks).status_code == 422, body
    assert client.post("/api/v1/ask", json={"image_id": "none", "query": "what?"}).status_code == 404


@pytest.fixture
def people(workspace: Workspace, clock: Clock) -> Iterator[tuple[FastAPI, Held]]:
    held = Held()
    asking = Asking(lambda told: scripted_asker(held))
    app = build_api(workspace, make_clicks(workspace), team=make_logins(workspace, clock), hosts=HOSTS, asking=asking)
    with TestClient(app):
        yield app, held


def test_nobody_sees_the_questions_and_pictures_of_others(people: tuple[FastAPI, Held], sample: Sample) -> None:
    app, held = people
    held.free.set()
    with signed_in(app, "ann") as ann, signed_in(app, "cur") as cur:
        key = ended(ann, asked(ann, sample)["id"])["id"]
        sent = ann.post("/api/v1/ask/pictures", json={"data": base64.b64encode(encoded(pixels(5, 6))).decode()}).json()
        for method, path in (
            ("GET", f"/ask/{key}"), ("DELETE", f"/ask/{key}"), ("POST", f"/ask/{key}/vote"),
            ("POST", f"/ask/{key}/sample"), ("GET", f"/ask/pictures/{sent['image']['id']}"),
        ):  # fmt: skip
            assert cur.request(method, f"/api/v1{path}", json={}).status_code == 404, path
        assert cur.get("/api/v1/ask").json()["newest"] is None


def test_who_answers_blind_learns_nothing_from_the_policy(
    people: tuple[FastAPI, Held], sample: Sample, workspace: Workspace
) -> None:
    app, held = people
    held.free.set()
    asks = sample.model_copy(update={"query": Query(text="what holds tea?")})
    workspace.store.revise(sample.id, asks, parent=workspace.store.head(sample.id).revision.id, author="ann")
    with signed_in(app, "ann") as ann, signed_in(app, "abe") as abe:
        before = ended(abe, asked(abe, sample)["id"])["id"]
        assert len(Answers(workspace.store).hand_out([sample.id], ["abe"], by="cur").answers) == 1
        for method, path in (
            ("GET", f"/ask/{before}"), ("POST", f"/ask/{before}/vote"), ("POST", f"/ask/{before}/sample"),
            ("DELETE", f"/ask/{before}"),
        ):  # fmt: skip
            assert abe.request(method, f"/api/v1{path}", json={}).status_code == 403, path
        refused = abe.post("/api/v1/ask", json={"image_id": sample.image_id, "query": "what?"})
        assert (refused.status_code, "blind answer" in refused.json()["message"]) == (403, True)
        assert abe.get("/api/v1/ask").json()["newest"] is None
        data = workspace.blobs.read(sample.image_id)  # the same file, sent, is the same picture
        abe.post("/api/v1/ask/pictures", json={"data": base64.b64encode(data).decode()})
        assert abe.post("/api/v1/ask", json={"image_id": sample.image_id, "query": "what?"}).status_code == 403
        assert ended(ann, asked(ann, sample)["id"])["state"] == "done"


def test_too_many_questions_are_sent_away_and_old_answers_forgotten(workspace: Workspace, sample: Sample) -> None:
    held = Held()
    asking = Asking(lambda told: scripted_asker(held))
    asking.start()
    question = Question(image_id="i", size=(30, 40), query="what?", k=1)
    first = asking.ask(question, "p0", lambda: pixels(30, 40)).id
    assert held.begun.wait(20)
    places = [asking.ask(question, f"p{number}", lambda: pixels(30, 40)).place for number in range(1, WAITING + 1)]
    assert places == list(range(WAITING))
    with pytest.raises(Busy, match="8 questions wait"):
        asking.ask(question, "late", lambda: pixels(30, 40))
    assert asking.state(first, "p0").state == "asking"
    with pytest.raises(Busy):
        asking.ask(question, "p0", lambda: pixels(30, 40))
    assert asking.state(first, "p0").state == "asking"  # who is sent away keeps the question that is being asked
    assert asking.ask(question, "p1", lambda: pixels(30, 40)).place == WAITING - 1  # and who waits may change it
    held.free.set()
    for number in range(KEPT):
        while True:
            try:
                asking.ask(question, f"q{number}", lambda: pixels(30, 40))
                break
            except Busy:
                time.sleep(0.01)
    with pytest.raises(NotFound):
        asking.state(first, "p0")
    asking.close()
