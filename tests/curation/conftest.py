"""The databases that the store's tests run on: SQLite always, PostgreSQL with the slow tests."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.postgres import cluster, new_database
from tests.provision import postgres

POSTGRES = pytest.param("postgres", marks=[pytest.mark.postgres, pytest.mark.slow])


@pytest.fixture(scope="session")
def postgres_socket() -> Iterator[Path]:
    with cluster(postgres()) as socket:
        yield socket


@pytest.fixture
def postgres_url(postgres_socket: Path) -> str:
    return new_database(postgres_socket, uuid4().hex)


@pytest.fixture(params=["sqlite", POSTGRES])
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of an empty database, of each kind in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'whyseg.db'}"
    url: str = request.getfixturevalue("postgres_url")
    return url
