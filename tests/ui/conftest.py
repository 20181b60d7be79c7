from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from tests.asked import scripted_asker
from tests.builders import Clock
from tests.pictures import encoded, pixels
from tests.ui.support import add_picture, make_clicks
from tests.ui.team import HOSTS, make_logins
from whyseg.curation.store import Store
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Sample
from whyseg.ui.asking import Asking
from whyseg.ui.server import build_api


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace.create(tmp_path / "team") as made:
        yield made


@pytest.fixture
def app(workspace: Workspace) -> FastAPI:
    asking = Asking(lambda told: scripted_asker())
    return build_api(workspace, make_clicks(workspace), hosts=("127.0.0.1", "testserver"), asking=asking)


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app, raise_server_exceptions=False) as made:
        yield made


@pytest.fixture
def sample(workspace: Workspace) -> Sample:
    """An empty sample of a picture of 40×30 pixels (width×height)."""
    return add_picture(workspace, encoded(pixels(30, 40)), "cup.png")


@pytest.fixture
def shown(client: TestClient, sample: Sample) -> Any:
    """The sample as the server shows it."""
    return client.get(f"/api/v1/samples/{sample.id}").json()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def team(workspace: Workspace, clock: Clock) -> Iterator[FastAPI]:
    """The application in team mode, running; its leases, sessions and limits go by `clock`."""
    workspace.store.close()
    workspace.store = Store(workspace.store.database.engine.url, clock=clock)
    app = build_api(workspace, make_clicks(workspace), team=make_logins(workspace, clock), hosts=HOSTS)
    with TestClient(app):
        yield app
    workspace.store.close()


@pytest.fixture
def visitor(team: FastAPI) -> Iterator[TestClient]:
    """A browser in which nobody is signed in; it follows no redirects."""
    client = TestClient(team, raise_server_exceptions=False, follow_redirects=False)
    yield client
    client.close()
