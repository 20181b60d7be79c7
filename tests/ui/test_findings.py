import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from tests.builders import block
from tests.pictures import encoded, pixels
from tests.released import add_sample as released_sample
from tests.ui.support import add_picture, drawn
from tests.ui.team import signed_in
from whyseg.curation import check_runs
from whyseg.curation.checks import CheckReport
from whyseg.curation.finding_picture import PLACE
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Finding
from whyseg.schemas.errors import StoreUnavailable

SIZE = (30, 40)
FINDINGS, CHECKS = "/api/v1/findings", "/api/v1/checks"


@pytest.fixture
def tiny(client: TestClient, shown: Any) -> str:
    """A sample with a mask of 4 pixels and no question."""
    sample = drawn(shown["sample"], 1, block(20, 30, 2, 2, SIZE), "bead")
    body = {"edit": "e", "parent": shown["revision"], "sample": sample}
    client.put(f"/api/v1/samples/{sample['id']}", json=body).raise_for_status()
    return str(sample["id"])


def decoded(data: bytes) -> npt.NDArray[np.int64]:
    """The pixels (H, W, 3) of a JPEG, blue first."""
    found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert found is not None
    return found.astype(np.int64)


def run(client: TestClient) -> Any:
    """Run the checks to their end."""
    client.post(CHECKS).raise_for_status()
    while (told := client.get(CHECKS).json())["running"]:
        time.sleep(0.01)
    return told["last"]


class Gate:
    """A run of the checks that waits in the middle until it is let go."""

    def __init__(self) -> None:
        self.inside, self.go = threading.Event(), threading.Event()

    def check(self, workspace: Workspace, progress: Callable[[str, int, int], None]) -> CheckReport:
        progress("samples", 3, 10)
        self.inside.set()
        assert self.go.wait(30)
        progress("samples", 10, 10)
        return CheckReport(checked=10, findings=(), new=0, gone=0)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    made = Gate()
    monkeypatch.setattr(check_runs, "check_workspace", made.check)
    yield made
    made.go.set()


def test_what_the_checks_find_is_listed_with_the_way_to_its_sample(client: TestClient, tiny: str) -> None:
    last = run(client)
    assert (last["by"], last["checked"], last["problem"]) == ("local", 1, None)
    told = client.get(FINDINGS).json()
    assert (told["total"], last["findings"]) == (1, 1)
    [found] = told["findings"]
    assert (found["kind"], found["severity"], found["opens"]) == ("tiny_mask", "warning", tiny)
    assert (found["file_name"], found["evidence"]["box"], found["set_aside"]) == ("cup.png", [30, 20, 32, 22], None)
    assert client.get(f"{FINDINGS}?kind=empty_mask").json()["kinds"] == {"tiny_mask": 1}
    assert client.get(f"{FINDINGS}?sample_id=another").json()["total"] == 0


def test_the_picture_shows_the_place(client: TestClient, tiny: str) -> None:
    run(client)
    [found] = client.get(FINDINGS).json()["findings"]
    address = f"{FINDINGS}/{found['id']}/picture?side=512"
    answer = client.get(address)
    assert answer.headers["content-type"] == "image/jpeg"
    shown = decoded(answer.content)[:, :, ::-1]
    assert shown.shape == (*SIZE, 3)  # small pictures are not enlarged
    assert np.abs(shown[:, 20:] - PLACE).sum(2).min() < 120  # a circle around the bead at the right
    assert np.abs(shown[:, :15] - PLACE).sum(2).min() > 120
    again = client.get(address, headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


ODD = [
    {}, {"box": "all of it"}, {"box": [1, 2, 3]}, {"box": [-1e9, 5, 1e9, 1e300]}, {"point": [None, 3]}, {"point": []},
    {"instance": 99}, {"instance": [1]}, {"image": "0" * 64}, {"image": {"a": 1}}, {"point": [1e308, -1e308]},
]  # fmt: skip


@pytest.mark.parametrize("evidence", ODD)
def test_evidence_that_is_no_place_is_no_failure(
    client: TestClient, workspace: Workspace, tiny: str, evidence: dict[str, Any]
) -> None:
    values = {"kind": "model", "severity": "info", "message": "?", "created_at": "2026-01-01T00:00:00Z"}
    workspace.store.add_finding(Finding.parse({"id": "f", "sample_id": tiny, "evidence": evidence, **values}))
    assert client.get(f"{FINDINGS}/f/picture").status_code == 200


def test_a_finding_about_two_pictures_shows_both(client: TestClient, workspace: Workspace, tiny: str) -> None:
    other = add_picture(workspace, encoded(pixels(60, 40)), "other.png")
    values = {"kind": "twins", "severity": "info", "message": "?", "created_at": "2026-01-01T00:00:00Z"}
    where = {"image_id": client.get(f"/api/v1/samples/{tiny}").json()["sample"]["image_id"]}
    workspace.store.add_finding(Finding.parse({"id": "f", **where, "evidence": {"image": other.image_id}, **values}))
    assert client.get(FINDINGS).json()["findings"][0]["opens"] == tiny
    assert decoded(client.get(f"{FINDINGS}/f/picture").content).shape == (30, 40 + 4 + 20, 3)  # both 30 pixels high


def test_setting_aside_takes_a_reason_and_remembers_who(client: TestClient, tiny: str) -> None:
    run(client)
    [found] = client.get(FINDINGS).json()["findings"]
    address = f"{FINDINGS}/{found['id']}/set-aside"
    for body in ({}, {"reason": ""}, {"reason": "   "}, {"reason": "x" * 1001}, {"reason": 3}):
        assert client.put(address, json=body).status_code == 422
    aside = client.put(address, json={"reason": "a bead is small"}).json()
    assert (aside["set_aside"]["by"], aside["set_aside"]["reason"]) == ("local", "a bead is small")
    assert client.get(FINDINGS).json()["findings"] == []
    assert client.get(f"{FINDINGS}?set_aside=true").json()["findings"] == [aside]
    assert run(client)["set_aside"] == 1
    assert client.delete(address).json() == found
    assert client.get(FINDINGS).json()["findings"] == [found]


def test_what_is_not_there_is_not_found(client: TestClient) -> None:
    assert client.put(f"{FINDINGS}/none/set-aside", json={"reason": "x"}).status_code == 404
    assert client.delete(f"{FINDINGS}/none/set-aside").status_code == 404
    assert client.get(f"{FINDINGS}/none/picture").status_code == 404


def test_one_run_at_a_time_and_a_second_asker_learns_whose_it_is(client: TestClient, gate: Gate) -> None:
    begun = client.post(CHECKS)
    assert (begun.status_code, begun.json()["running"]["by"]) == (202, "local")
    assert gate.inside.wait(30)
    refused = client.post(CHECKS)
    assert (refused.status_code, refused.json()["error"], refused.json()["by"]) == (409, "already_running", "local")
    now = client.get(CHECKS).json()["running"]
    assert (now["part"], now["done"], now["total"]) == ("samples", 3, 10)
    gate.go.set()
    while client.get(CHECKS).json()["running"]:
        time.sleep(0.01)
    assert client.get(CHECKS).json()["last"]["checked"] == 10


def test_a_run_that_fails_says_why_and_the_next_one_runs(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, tiny: str
) -> None:
    def full(*_: Any) -> CheckReport:
        raise StoreUnavailable("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(check_runs, "check_workspace", full)
        assert run(client)["problem"] == "the disk is full"
    assert run(client)["problem"] is None


def test_a_server_that_ends_does_not_wait_for_the_checks(app: FastAPI, gate: Gate) -> None:
    with TestClient(app) as client:
        client.post(CHECKS).raise_for_status()
        assert gate.inside.wait(30)
        threading.Timer(0.2, gate.go.set).start()  # the next progress finds that the server ends


def test_who_may_look_set_aside_and_run(team: FastAPI, workspace: Workspace, sample: Any) -> None:
    values = {"kind": "odd", "severity": "info", "message": "?", "created_at": "2026-01-01T00:00:00Z"}
    workspace.store.add_finding(Finding.parse({"id": "f", "sample_id": sample.id, **values}))
    with signed_in(team, "ann") as annotator, signed_in(team, "rea") as reviewer:
        assert annotator.get(FINDINGS).json()["total"] == 1
        assert annotator.post(CHECKS).status_code == 403
        assert annotator.put(f"{FINDINGS}/f/set-aside", json={"reason": "fine"}).json()["set_aside"]["by"] == "ann"
        assert reviewer.post(CHECKS).status_code == 202
        while reviewer.get(CHECKS).json()["running"]:
            time.sleep(0.01)
        assert reviewer.get(CHECKS).json()["last"]["by"] == "rea"


def test_whoever_answers_a_sample_blind_learns_nothing_of_its_findings(team: FastAPI, workspace: Workspace) -> None:
    original = released_sample(workspace, 1)  # ann's, accepted
    values = {"kind": "odd", "severity": "info", "message": "a secret", "created_at": "2026-01-01T00:00:00Z"}
    workspace.store.add_finding(Finding.parse({"id": "f", "sample_id": original.id, **values}))
    workspace.store.add_finding(Finding.parse({"id": "g", "image_id": original.image_id, **values}))
    with signed_in(team, "abe") as abe, signed_in(team, "cur") as cur:
        assert abe.get(FINDINGS).json()["total"] == 2
        cur.post("/api/v1/overlaps", json={"sample_ids": [original.id], "users": ["abe"]}).raise_for_status()
        told = abe.get(FINDINGS).json()
        assert (told["total"], told["kinds"]) == (1, {"odd": 1})
        [about_image] = told["findings"]
        assert about_image["id"] == "g"
        assert about_image["opens"] not in (original.id, None)  # his own answer
        for answer in (
            abe.get(f"{FINDINGS}/f/picture"),
            abe.put(f"{FINDINGS}/f/set-aside", json={"reason": "x"}),
            abe.delete(f"{FINDINGS}/f/set-aside"),
        ):
            assert answer.status_code == 404
        assert cur.get(FINDINGS).json()["total"] == 2
