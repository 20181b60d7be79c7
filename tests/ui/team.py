"""A team for tests: its people, and clients that are signed in as one of them."""

from collections.abc import Iterator
from contextlib import contextmanager

from argon2 import PasswordHasher
from fastapi import FastAPI
from fastapi.testclient import TestClient

from tests.builders import Clock
from whyseg.curation.sessions import Sessions
from whyseg.curation.users import Users
from whyseg.curation.workspace import Workspace
from whyseg.schemas.user import Role
from whyseg.ui.login import Logins, Throttle

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
PASSWORD = "correct horse battery"
PEOPLE = {"ann": Role.ANNOTATOR, "abe": Role.ANNOTATOR, "rea": Role.REVIEWER, "cur": Role.CURATOR}
HOSTS = ("127.0.0.1", "testserver")


def add_people(workspace: Workspace) -> Users:
    """Add `PEOPLE`, each named after the role, with `PASSWORD`."""
    users = Users(workspace.store.database, hasher=CHEAP)
    for name, role in PEOPLE.items():
        users.add(name, role, PASSWORD, author="root")
    return users


def make_logins(workspace: Workspace, clock: Clock) -> Logins:
    """Return what lets `PEOPLE` in; its times are the clock's."""
    sessions = Sessions(workspace.store.database, clock=clock)
    return Logins(add_people(workspace), sessions, Throttle(lambda: clock().timestamp()))


def sign_in(client: TestClient, name: str, password: str = PASSWORD) -> int:
    """Sign a client in; the answer's status."""
    return client.post("/api/v1/login", json={"name": name, "password": password}).status_code


@contextmanager
def signed_in(app: FastAPI, name: str) -> Iterator[TestClient]:
    """A browser of its own in which somebody is signed in."""
    client = TestClient(app, raise_server_exceptions=False)
    assert sign_in(client, name) == 200
    yield client
    client.close()
