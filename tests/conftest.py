"""How the tests are shared out among processes: the browser's all to one, the others file by file."""

from pathlib import Path
from typing import Any

import pytest

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
