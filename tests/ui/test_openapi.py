"""What the server says of its routes is what they do: requests made from the description get answers that it has."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.core import NotSet
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.proposed import add_proposal
from tests.ui.team import signed_in
from whyseg.curation.releases import Releases
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Sample
from whyseg.ui.answers import ANSWERS
from whyseg.ui.roles import PREFIX

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
DESCRIPTION = "/api/v1/openapi.json"


@pytest.fixture
def known(workspace: Workspace, sample: Sample) -> dict[str, str]:
    """Ids that are there, by the names that paths have for them."""
    Releases(workspace).create("v1", author="ann", states="any")
    revision = workspace.store.head(sample.id).revision.id
    proposal = add_proposal(workspace.store, sample.id, query="what is meant?").id
    ids = {"sample_id": sample.id, "image_id": sample.image_id, "revision_id": revision, "proposal_id": proposal}
    return {**ids, "before": "v1", "after": "v1"}


def walk(client: TestClient, ids: dict[str, str], examples: int, description: Any = None) -> set[tuple[str, int]]:
    """Ask every route of a description for things that fit it and things that do not; what came of which."""
    described = description or client.get(DESCRIPTION).json()
    seen: set[tuple[str, int]] = set()
    for found in schemathesis.openapi.from_dict(described).get_all_operations():
        operation: Any = found.ok()  # type: ignore[union-attr]
        if operation.path.endswith(("/login", "/logout")):
            continue  # after these nobody is signed in, or everybody has to wait
        fixed = {name: ids[name] for name in re.findall(r"{(\w+)}", operation.path) if name in ids}
        modes = [operation.as_strategy(mode, path_parameters=there) for mode in schemathesis.GenerationMode
                 for there in (fixed, None) if there is None or there]  # fmt: skip

        @settings(
            max_examples=examples, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(case=st.one_of(modes))
        def ask(case: Any) -> None:
            answer = send(client, case)
            seen.add((case.path, answer.status_code))
            case.validate_response(answer, checks=CHECKS)

        ask()
    return seen


def send(client: TestClient, case: Any) -> Any:
    body: dict[str, Any] = {"json": case.body}
    if isinstance(case.body, bytes | NotSet):
        body = {"content": case.body} if isinstance(case.body, bytes) else {}
    return client.request(case.method, case.formatted_path, params=case.query, headers=case.headers, **body)


@pytest.fixture
def curator(team: FastAPI) -> Iterator[TestClient]:
    with signed_in(team, "cur") as client:
        yield client


@pytest.mark.slow
def test_requests_made_from_the_description_are_answered_as_it_says(client: TestClient, known: dict[str, str]) -> None:
    seen = walk(client, known, 5)
    assert {200, 404, 422} <= {status for _, status in seen}


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("mode", ["client", "curator"])
def test_many_requests_are_answered_as_the_description_says(
    request: pytest.FixtureRequest, known: dict[str, str], mode: str
) -> None:
    seen = {status for _, status in walk(request.getfixturevalue(mode), known, 25)}
    assert {200, 404, 409, 422} <= seen


def test_who_is_not_signed_in_is_refused_as_the_description_says(
    curator: TestClient, visitor: TestClient, known: dict[str, str]
) -> None:
    visitor.headers["accept"] = "application/json"
    described = curator.get(DESCRIPTION).json()
    seen = walk(visitor, known, 2, described)
    assert {(path, status) for path, status in seen if status != 401} == {("/healthz", 200)}


@pytest.mark.parametrize("mode", ["app", "team"])
def test_every_route_says_how_it_refuses(request: pytest.FixtureRequest, mode: str) -> None:
    described = request.getfixturevalue(mode).openapi()
    routes = {(method, path): one for path, item in described["paths"].items() for method, one in item.items()}
    assert len(routes) > 30
    for (method, path), operation in routes.items():
        refusals = {status: one for status, one in operation["responses"].items() if int(status) >= 400}
        form = {"schema": {"$ref": "#/components/schemas/Failure"}}
        assert all(one["content"] == {"application/json": form} for one in refusals.values()), path
        assert {"400", "403", "503"} <= set(refusals)
        assert ("401" in refusals) >= (mode == "team" and path.startswith("/api/v1/") and "login" not in path)
        assert ("422" in refusals) == bool("requestBody" in operation or operation.get("parameters")), path
        assert ("404" in refusals) >= ("{" in path), (method, path)
    ours = {f"{method.upper()} {path.removeprefix(PREFIX)}" for method, path in routes}
    assert set(ANSWERS) - ours <= {"POST /login", "POST /logout"}  # those are a team's alone
    assert described["components"]["schemas"]["Failure"]["required"] == ["error", "message"]
    assert "HTTPValidationError" not in json.dumps(described)
