"""Who may do what, for every route and role; and that nothing at all is shown to whoever is not signed in."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from tests.ui.team import PEOPLE, signed_in
from whyseg.schemas.user import Role
from whyseg.ui.roles import LEAST, PREFIX, ROUTES, Verb, may
from whyseg.ui.sessions import OPEN

ROOT = Path(__file__).resolve().parents[2]

# Builds the whole server and asks it for everything, signed in as nobody; in a process of its own, since Gradio leaves
# an event loop behind.
ASK = """
import json, sys
from pathlib import Path
from fastapi.routing import iter_route_contexts
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect
from tests.builders import Clock, filled_workspace
from tests.ui.support import make_clicks
from tests.ui.team import HOSTS, make_logins
from whyseg.ui.server import build_server

def walk(routes, prefix):
    for route in iter_route_contexts(routes):
        inside = getattr(route, "routes", None)
        if inside is None:
            inside = getattr(getattr(route, "app", None), "routes", None)
        path = prefix + route.path
        if inside is not None:
            yield from walk(inside, path)
        yield path, sorted(getattr(route, "methods", None) or ["GET"])

workspace = filled_workspace(Path(sys.argv[1]))
app = build_server(workspace, make_clicks(workspace), team=make_logins(workspace, Clock()), hosts=HOSTS)
found = []
with TestClient(app, raise_server_exceptions=False, follow_redirects=False) as client:
    for path, methods in walk(app.routes, ""):
        for method in methods:
            asked = path.replace("{path:path}", "x").replace("{path_or_url:path}", "x").replace("{url_path:path}", "x")
            answer = client.request(method, asked, headers={"accept": "*/*"})
            found.append([method, path, answer.status_code, answer.text[:40]])
    for name in Path(sys.argv[2]).iterdir():
        answer = client.get(f"/static/{name.name}")
        found.append(["GET", f"/static/{name.name}", answer.status_code, answer.text[:40]])
    try:
        with client.websocket_connect("/app/gradio_api/queue/join"):
            found.append(["WEBSOCKET", "/app/gradio_api/queue/join", 101, ""])
    except Exception as error:
        found.append(["WEBSOCKET", "/app/gradio_api/queue/join", getattr(error, "status_code", 0), ""])
print(json.dumps(found))
"""


def routes_of(app: FastAPI) -> set[tuple[str, str]]:
    paths = app.openapi()["paths"]
    return {
        (method.upper(), path.removeprefix(PREFIX))
        for path, item in paths.items()
        if path.startswith(PREFIX)
        for method in item
    }


def test_nothing_is_shown_to_whoever_is_not_signed_in(tmp_path: Path) -> None:
    static = ROOT / "ui" / "static"
    command = [sys.executable, "-c", ASK, str(tmp_path / "team"), str(static)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    found = json.loads(done.stdout.splitlines()[-1])
    paths = {path for _, path, _, _ in found}
    # The walk has reached what matters.
    assert {"/app/config", "/app/gradio_api/queue/data", "/app/gradio_api/heartbeat/{session_hash}", "/app/theme.css",
            "/api/v1/samples/{sample_id}", "/api/v1/openapi.json", "/static/desk.js", "/"} <= paths  # fmt: skip
    assert len(paths) > 100
    shown = {(method, path) for method, path, status, _ in found if status != 401}
    assert {path for _, path in shown} <= OPEN
    assert all(text.startswith('{"error":"not_signed_in"') for _, path, status, text in found
               if status == 401 and path not in OPEN and text)  # fmt: skip


def test_every_route_has_a_verb(team: FastAPI) -> None:
    without_login = {("POST", "/login"), ("POST", "/logout")}
    assert routes_of(team) - without_login == set(ROUTES)


ROWS = [(method, path, role) for method, path in sorted(ROUTES) for role in Role]


@pytest.fixture(scope="module")
def statuses(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str, Role], tuple[int, str]]:
    """What every role is answered by every route, when it asks for things that are not there."""
    from tests.builders import Clock
    from tests.ui.support import make_clicks
    from tests.ui.team import HOSTS, make_logins
    from whyseg.curation.workspace import Workspace
    from whyseg.ui.server import build_api

    found = {}
    with Workspace.create(tmp_path_factory.mktemp("roles") / "team") as workspace:
        app = build_api(workspace, make_clicks(workspace), team=make_logins(workspace, Clock()), hosts=HOSTS)
        with TestClient(app):
            for name, role in PEOPLE.items():
                with signed_in(app, name) as client:
                    for method, path in ROUTES:
                        answer = client.request(method, PREFIX + re.sub(r"\{\w+\}", "0", path), json={})
                        told: Any = answer.json()
                        found[method, path, role] = (answer.status_code, told.get("error", ""))
    return found


@pytest.mark.parametrize(("method", "path", "role"), ROWS)
def test_a_role_is_let_through_or_refused(
    statuses: dict[tuple[str, str, Role], tuple[int, str]], method: str, path: str, role: Role
) -> None:
    status, error = statuses[method, path, role]
    if may(role, ROUTES[method, path]):
        assert status not in (401, 403)
    else:
        assert (status, error) == (403, "forbidden")


def test_the_roles_are_the_agreed_ones() -> None:
    everybody, reviewers, curators = set(Role), {Role.REVIEWER, Role.CURATOR}, {Role.CURATOR}
    assert {verb: {role for role in Role if may(role, verb)} for verb in Verb} == {
        Verb.LOOK: everybody,
        Verb.OWN: everybody,
        Verb.ANNOTATE: everybody,
        Verb.SUBMIT: everybody,
        Verb.REVIEW: reviewers,
        Verb.CHECK: reviewers,
        Verb.RELEASE: curators,
        Verb.ASSIGN: curators,
        Verb.ADMINISTER: curators,
    }
    assert set(LEAST) == set(Verb)


def test_a_route_that_nobody_thought_about_is_for_curators(team: FastAPI) -> None:
    with signed_in(team, "rea") as client:
        before = ROUTES.pop(("GET", "/samples"))
        try:
            answer = client.get("/api/v1/samples")
        finally:
            ROUTES["GET", "/samples"] = before
        assert (answer.status_code, answer.json()["error"]) == (403, "forbidden")
        assert client.get("/api/v1/samples").status_code == 200


def test_the_documented_table_is_the_real_one() -> None:
    text = (ROOT / "docs" / "team.md").read_text()
    rows = re.findall(r"^\| (.+?) \| (✓?) *\| (✓?) *\| (✓?) *\|$", text, flags=re.MULTILINE)
    documented = {verb: [bool(mark) for mark in marks] for verb, *marks in rows}
    assert documented == {verb.value: [may(role, verb) for role in Role] for verb in Verb}
    assert f"| | {' | '.join(role.value for role in Role)} |" in text
