"""Leases over HTTP: who may change a sample, until when, and what "next" means for several people."""

import threading
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from tests.builders import Clock, block
from tests.pictures import encoded, pixels
from tests.ui.support import add_picture, complete, edited
from tests.ui.team import signed_in
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Review, Sample
from whyseg.schemas.user import Role
from whyseg.ui.roles import Verb, may


@pytest.fixture
def samples(team: FastAPI, workspace: Workspace) -> list[str]:
    """Three empty samples, of pictures of 40×30 pixels."""
    return [add_picture(workspace, encoded(pixels(30, 40, seed)), f"{seed}.png").id for seed in range(3)]


def lease(client: TestClient, sample: str) -> Any:
    return client.post(f"/api/v1/samples/{sample}/lease")


def save(client: TestClient, sample: str, text: str, edit: str = "e1") -> Any:
    shown = client.get(f"/api/v1/samples/{sample}").json()
    changed = edited(shown["sample"], query={"text": text})
    return client.put(f"/api/v1/samples/{sample}", json={"edit": edit, "parent": shown["revision"], "sample": changed})


def following(client: TestClient, after: str | None = None) -> Any:
    found = client.post("/api/v1/samples/next", json={"after": after}).json()["lease"]
    return found and found["sample_id"]


def test_who_opens_a_sample_keeps_others_from_changing_it(team: FastAPI, samples: list[str]) -> None:
    with signed_in(team, "ann") as ann, signed_in(team, "abe") as abe:
        claimed = lease(ann, samples[0]).json()
        assert (claimed["holder"], claimed["seconds"]) == ("ann", 60)
        for refused in (lease(abe, samples[0]), save(abe, samples[0], "mine")):
            assert (refused.status_code, refused.json()["error"], refused.json()["holder"]) == (
                409,
                "lease_held",
                "ann",
            )
        assert abe.get(f"/api/v1/samples/{samples[0]}").status_code == 200
        assert save(ann, samples[0], "what holds tea?").json()["number"] == 2
        (newest, _) = abe.get(f"/api/v1/samples/{samples[0]}/revisions").json()["revisions"]
        assert newest["author"] == "ann"


def test_saving_and_submitting_need_a_lease_that_is_alive(team: FastAPI, samples: list[str], clock: Clock) -> None:
    with signed_in(team, "ann") as ann:
        refused = save(ann, samples[0], "no lease")
        assert (refused.status_code, refused.json()["error"]) == (409, "lease_lost")
        lease(ann, samples[0])
        clock.advance(60)
        assert save(ann, samples[0], "too late").json()["error"] == "lease_lost"
        parent = ann.get(f"/api/v1/samples/{samples[0]}").json()["revision"]
        submitted = ann.post(f"/api/v1/samples/{samples[0]}/submit", json={"parent": parent})
        assert submitted.json()["error"] == "lease_lost"
        assert ann.get(f"/api/v1/samples/{samples[0]}").json()["number"] == 1


def test_a_save_that_is_repeated_after_the_lease_has_ended_is_the_same(
    team: FastAPI, samples: list[str], clock: Clock
) -> None:
    """The reply was lost; the page that comes back sends that very edit again."""
    with signed_in(team, "ann") as ann:
        lease(ann, samples[0])
        shown = ann.get(f"/api/v1/samples/{samples[0]}").json()
        body = {"edit": "e", "parent": shown["revision"], "sample": edited(shown["sample"], query={"text": "what?"})}
        first = ann.put(f"/api/v1/samples/{samples[0]}", json=body)
        clock.advance(61)
        again = ann.put(f"/api/v1/samples/{samples[0]}", json=body)
        assert (again.status_code, again.json()) == (200, first.json())


def test_a_heartbeat_keeps_a_lease_and_a_dead_pages_sample_is_free(
    team: FastAPI, samples: list[str], clock: Clock
) -> None:
    with signed_in(team, "ann") as ann, signed_in(team, "abe") as abe:
        token = lease(ann, samples[0]).json()["token"]
        for _ in range(5):
            clock.advance(59)
            assert ann.put(f"/api/v1/samples/{samples[0]}/lease", json={"token": token}).status_code == 200
        clock.advance(59)
        assert lease(abe, samples[0]).status_code == 409
        clock.advance(1)  # 60 seconds after the last beat
        assert lease(abe, samples[0]).json()["holder"] == "abe"
        lost = ann.put(f"/api/v1/samples/{samples[0]}/lease", json={"token": token})
        assert (lost.status_code, lost.json()["error"]) == (409, "lease_lost")
        assert save(abe, samples[0], "now mine").status_code == 200


def test_a_lease_is_given_back_by_its_holder_alone(team: FastAPI, samples: list[str]) -> None:
    path = f"/api/v1/samples/{samples[0]}/lease"
    with signed_in(team, "ann") as ann, signed_in(team, "abe") as abe:
        token = lease(ann, samples[0]).json()["token"]
        for client, shown in ((abe, token), (ann, "made up"), (ann, "é"), (ann, "")):
            assert client.request("DELETE", path, json={"token": shown}).status_code == 200
            assert client is ann or client.put(path, json={"token": shown}).status_code == 409
        assert lease(abe, samples[0]).status_code == 409
        ann.request("DELETE", path, json={"token": token})
        assert lease(abe, samples[0]).status_code == 200


def test_next_goes_round_what_others_do_not_have(team: FastAPI, samples: list[str]) -> None:
    first, second, third = samples
    with signed_in(team, "ann") as ann, signed_in(team, "abe") as abe:
        assert (following(ann), following(abe)) == (first, second)
        assert following(ann, first) == third
        assert following(ann, third) == first  # round again; its own is free to it
        assert lease(abe, first).status_code == 409
        assert following(abe, second) is None  # ann has the other two


def test_next_leads_to_drafts_and_then_to_what_was_rejected(
    team: FastAPI, samples: list[str], workspace: Workspace, clock: Clock
) -> None:
    first, second, third = samples
    store = workspace.store
    for key in (first, second):
        head = store.head(key)
        full = Sample.parse(complete(head.sample.plain(), block(2, 3, 10, 8, (30, 40))))
        made = store.revise(key, full, parent=head.revision.id, author="ann").revision.id
        store.submit(key, parent=made, author="ann")
    reject = {"id": "r", "sample_id": second, "revision_id": store.head(second).revision.id, "reviewer": "rea",
              "decision": "reject", "reasons": ["boundary"], "created_at": clock()}  # fmt: skip
    store.review(Review.parse(reject))
    with signed_in(team, "ann") as ann:
        assert following(ann) == third
        assert following(ann, third) == second
        assert following(ann, second) == third


def test_many_who_ask_for_the_next_sample_at_once_get_different_ones(team: FastAPI, workspace: Workspace) -> None:
    for seed in range(12):
        add_picture(workspace, encoded(pixels(30, 40, seed)), f"{seed}.png")
    found: list[str | None] = []
    begin = threading.Barrier(4)

    def work(name: str) -> None:
        with signed_in(team, name) as client:
            begin.wait()
            for _ in range(3):
                found.append(following(client, found_by[name][-1] if found_by[name] else None))
                found_by[name].append(found[-1])

    found_by: dict[str, list[Any]] = {name: [] for name in ("ann", "abe", "rea", "cur")}
    threads = [threading.Thread(target=work, args=(name,)) for name in found_by]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    holders = {key: {name for name, keys in found_by.items() if key in keys} for key in found}
    assert len(found) == 12
    assert all(len(names) == 1 for names in holders.values())  # nobody was sent where somebody else was


def test_the_one_person_of_a_server_without_a_team_needs_no_lease(client: TestClient, shown: Any) -> None:
    assert save(client, shown["sample"]["id"], "what holds tea?").status_code == 200


def test_every_author_is_who_is_signed_in(team: FastAPI, samples: list[str], workspace: Workspace) -> None:
    with signed_in(team, "ann") as ann, signed_in(team, "rea") as rea:
        lease(ann, samples[0])
        shown = ann.get(f"/api/v1/samples/{samples[0]}").json()
        full = complete(shown["sample"], block(2, 3, 10, 8, (30, 40)))
        path = f"/api/v1/samples/{samples[0]}"
        saved = ann.put(path, json={"edit": "e", "parent": shown["revision"], "sample": full}).json()
        ann.post(f"{path}/submit", json={"parent": saved["revision"]})
        decision = {"revision": saved["revision"], "decision": "accept"}
        assert not may(Role.ANNOTATOR, Verb.REVIEW)
        assert ann.post(f"{path}/review", json=decision).status_code == 403
        assert rea.post(f"{path}/review", json=decision).json()["state"] == "accepted"
        assert rea.post(f"{path}/reopen", json={"reason": "a better mask"}).json()["state"] == "draft"
        made = ann.post("/api/v1/samples", json={"image_id": shown["image"]["id"]}).json()["sample"]["id"]
    log = [(entry.actor, entry.action) for entry in workspace.store.audit_log(subject=samples[0])]
    assert log[1:] == [("ann", "revise"), ("ann", "submit"), ("rea", "accept"), ("rea", "reopen")]
    assert [entry.actor for entry in workspace.store.audit_log(subject=made)] == ["ann"]
