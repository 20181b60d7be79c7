"""Two people, or two tabs, on one sample: nothing that either did is lost."""

import threading
from typing import Any

from fastapi import FastAPI
from fastapi.testclient import TestClient

from tests.builders import block
from tests.ui.support import drawn, edited
from whyseg.curation.verify import verify
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Sample

SIZE = (30, 40)


def put(tab: TestClient, edit: str, parent: str, sample: dict[str, Any]) -> Any:
    body = {"edit": edit, "parent": parent, "sample": sample}
    return tab.put(f"/api/v1/samples/{sample['id']}", json=body)


def test_the_second_to_save_gets_both_versions_and_merges_them(
    app: FastAPI, workspace: Workspace, sample: Sample
) -> None:
    path = f"/api/v1/samples/{sample.id}"
    with TestClient(app) as ann, TestClient(app) as bob:
        before, same = ann.get(path).json(), bob.get(path).json()
        assert before == same
        hers = drawn(before["sample"], 1, block(2, 3, 10, 8, SIZE), "cup")
        first = put(ann, "ann-1", before["revision"], hers).json()

        his = edited(before["sample"], query={"text": "what keeps the drink warm?"})
        refused = put(bob, "bob-1", before["revision"], his)
        assert refused.status_code == 409
        told = refused.json()
        assert told["theirs"] == hers
        assert told["conflicts"] == []
        assert ann.get(path).json()["sample"] == hers  # nothing was overwritten

        merged = put(bob, "bob-2", told["expected"], told["merged"])
        assert merged.status_code == 200
        shown = ann.get(path).json()
        assert shown["number"] == 3
        assert shown["sample"]["instances"] == hers["instances"]
        assert shown["sample"]["query"] == his["query"]
        parents = [one["parent"] for one in ann.get(f"{path}/revisions").json()["revisions"]]
        assert parents == [first["revision"], before["revision"], None]
    assert verify(workspace) == []


def test_two_tabs_that_never_stop_saving_lose_nothing(app: FastAPI, workspace: Workspace, sample: Sample) -> None:
    wrong: list[str] = []

    def work(name: str, tab: TestClient) -> None:
        shown = tab.get(f"/api/v1/samples/{sample.id}").json()
        parent, now = shown["revision"], shown["sample"]
        for n in range(10):
            taken = {one["id"] for one in now["instances"]}
            mine = drawn(now, max(taken, default=0) + 1, block(n, n, 3, 3, SIZE), f"{name} {n}")
            for attempt in range(100):
                answer = put(tab, f"{name}-{n}-{attempt}", parent, mine)
                told = answer.json()
                if answer.status_code == 200:
                    parent, now = told["revision"], mine
                    break
                if answer.status_code != 409 or told["merged"] is None:
                    wrong.append(answer.text)
                    return
                parent, mine = told["expected"], told["merged"]

    with TestClient(app) as ann, TestClient(app) as bob:
        threads = [threading.Thread(target=work, args=pair) for pair in (("ann", ann), ("bob", bob))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []
    labels = sorted(one.label for one in workspace.store.head(sample.id).sample.instances)
    assert labels == sorted(f"{name} {n}" for name in ("ann", "bob") for n in range(10))
    assert verify(workspace) == []
