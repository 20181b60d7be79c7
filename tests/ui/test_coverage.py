from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from tests.builders import block
from tests.ui.support import complete
from tests.ui.team import signed_in
from whyseg.curation.workspace import Workspace

PUT = "/api/v1/targets"


def test_the_matrix_says_what_there_is_and_what_is_wanted(client: TestClient, shown: Any) -> None:
    sample = complete(shown["sample"], block(5, 5, 9, 9, (30, 40)))  # function_purpose, depth 1
    body = {"edit": "e", "parent": shown["revision"], "sample": sample}
    client.put(f"/api/v1/samples/{sample['id']}", json=body).raise_for_status()
    client.put(PUT, json={"reasoning_type": "P/F", "depth": 1, "target": 2}).raise_for_status()
    told = client.put(PUT, json={"reasoning_type": "compositional", "depth": 3, "target": 50}).json()
    assert told == client.get("/api/v1/stats").json()
    assert told["matrix"] == {"function_purpose": {"1": 1}}
    first = {"reasoning_type": "function_purpose", "depth": 1, "wanted": 2, "accepted": 0, "under_way": 1, "missing": 2}
    assert told["targets"][0] == first
    assert [(cell["reasoning_type"], cell["missing"]) for cell in told["wanted"]] == [
        ("compositional", 50),  # 50 are missing whatever becomes of what is under way, of the other 1
        ("function_purpose", 2),
    ]


@pytest.mark.parametrize(
    "wrong", [{"depth": 5}, {"depth": 0}, {"target": -1}, {"target": 10**9}, {"target": 1.5}, {"reasoning_type": "x"}]
)
def test_what_is_no_target_is_refused(client: TestClient, workspace: Workspace, wrong: dict[str, Any]) -> None:
    before = (workspace.path / "whyseg.toml").read_bytes()
    assert client.put(PUT, json={"reasoning_type": "commonsense", "depth": 1, "target": 3, **wrong}).status_code == 422
    assert (workspace.path / "whyseg.toml").read_bytes() == before


def test_settings_that_somebody_broke_are_named_and_the_server_goes_on(
    client: TestClient, workspace: Workspace
) -> None:
    (workspace.path / "whyseg.toml").write_text("targets = { commonsense = [1] }")
    told = client.get("/api/v1/stats")
    assert (told.status_code, told.json()["error"]) == (400, "usage_error")
    assert "whyseg.toml" in told.json()["message"]


def test_only_curators_set_targets_and_the_audit_log_names_them(team: FastAPI, workspace: Workspace) -> None:
    body = {"reasoning_type": "commonsense", "depth": 2, "target": 9}
    with signed_in(team, "rea") as reviewer, signed_in(team, "cur") as curator:
        assert reviewer.put(PUT, json=body).status_code == 403
        assert reviewer.get("/api/v1/stats").json()["targets"] == []
        assert curator.put(PUT, json=body).json()["targets"][0]["wanted"] == 9
    [entry] = workspace.store.audit_log(subject="targets")
    assert (entry.actor, entry.detail["after"]) == ("cur", 9)
