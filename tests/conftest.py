"""How the tests are shared out among processes, and what ``--postgres`` does.

The browser's tests all go to one process, the others file by file. With ``--postgres`` every workspace that a test
makes has its records on a PostgreSQL server; tests that open SQLite's file themselves, marked ``sqlite``, are left out.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.postgres import cluster, new_database
from tests.provision import postgres

BROWSER = Path(__file__).parent / "e2e"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give whole files to a process, since their tests share servers; tests/e2e shares one Chromium and is one unit."""
    from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

    class ByFile(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            return "tests/e2e" if nodeid.startswith("tests/e2e/") else nodeid.split("::", 1)[0]

    return ByFile(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with the longest unit, where several processes share the tests."""
    if config.getoption("numprocesses", None):
        items.sort(key=lambda item: BROWSER not in item.path.parents)
    if config.getoption("--postgres"):
        config.hook.pytest_deselected(items=[item for item in items if item.get_closest_marker("sqlite")])
        items[:] = [item for item in items if not item.get_closest_marker("sqlite")]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--postgres", action="store_true", help="workspaces have their records on a PostgreSQL server")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--postgres"):
        # Of a workspace that a test leaves open; SQLite's connections end without a word.
        config.addinivalue_line("filterwarnings", "ignore:<psycopg.Connection object:ResourceWarning")


@pytest.fixture(scope="session")
def postgres_socket() -> Iterator[Path]:
    with cluster(postgres()) as socket:
        yield socket


@pytest.fixture(scope="session", autouse=True)
def _workspaces_on_postgres(request: pytest.FixtureRequest) -> Iterator[None]:
    if not request.config.getoption("--postgres"):
        yield
        return
    from whyseg.curation.workspace import Workspace

    socket = request.getfixturevalue("postgres_socket")
    create = Workspace.create.__func__  # type: ignore[attr-defined]

    def on_postgres(cls: type[Workspace], path: Path, *, database: str = "") -> Workspace:
        made: Workspace = create(cls, path, database=database or new_database(socket, uuid4().hex))
        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Workspace, "create", classmethod(on_postgres))
        yield
