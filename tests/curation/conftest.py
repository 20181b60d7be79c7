"""The databases that the store's tests run on: SQLite always, PostgreSQL with the slow tests."""

from pathlib import Path
from uuid import uuid4

import pytest

from tests.postgres import new_database

POSTGRES = pytest.param("postgres", marks=[pytest.mark.postgres, pytest.mark.slow])


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
