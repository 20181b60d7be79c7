"""What some tests need from outside: a Chromium, the MobileSAM weights, PostgreSQL, installed where that is allowed.

Where they cannot be had, the tests skip and say so; ``WHYSEG_REQUIRE_BROWSER=1``, ``WHYSEG_REQUIRE_MODELS=1`` and
``WHYSEG_REQUIRE_POSTGRES=1`` turn that skip into a failure.
"""

import fcntl
import functools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import NoReturn

import pytest


def chromium() -> str:
    """Return Chromium's path; skip or fail the test when there is none."""
    path, why = _find_chromium()
    if path is None:
        _unavailable("WHYSEG_REQUIRE_BROWSER", f"no Chromium: {why}")
    return path


def mobilesam() -> None:
    """See that the MobileSAM weights are in the cache; skip or fail the test when they are not."""
    if why := _pull_mobilesam():
        _unavailable("WHYSEG_REQUIRE_MODELS", f"no MobileSAM weights: {why}")


def postgres() -> Path:
    """Return the folder of PostgreSQL's server programs; skip or fail the test when there is none."""
    path, why = _find_postgres()
    if path is None:
        _unavailable("WHYSEG_REQUIRE_POSTGRES", f"no PostgreSQL: {why}")
    return path


@functools.cache
def _find_chromium() -> tuple[str | None, str]:
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, map(shutil.which, names)), None)
    if found:
        return found, ""
    why = _install("chromium")
    return shutil.which("chromium"), why or "apt-get installed none"


@functools.cache
def _find_postgres() -> tuple[Path | None, str]:
    try:
        import psycopg  # noqa: F401
    except ImportError as error:
        return None, f"no driver: {error}"
    found = _server_programs()
    if found:
        return found, ""
    why = _install("postgresql")
    return _server_programs(), why or "apt-get installed none"


def _server_programs() -> Path | None:
    on_path = shutil.which("initdb")
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return Path(on_path).resolve().parent if on_path else debian[-1].parent if debian else None


def _install(package: str) -> str:
    """Install a package of Debian; return why that failed, or nothing."""
    if not (shutil.which("apt-get") and os.geteuid() == 0):
        return "not installed, and only root may install Debian's package"
    with (Path(tempfile.gettempdir()) / "whyseg-tests-install").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)  # several processes share the tests, and apt-get refuses a second one
        return _apt_get(package)


def _apt_get(package: str) -> str:
    for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", package]):
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=280)
        if done.returncode:
            return (done.stderr.strip().splitlines() or ["apt-get failed"])[-1]
    return ""


@functools.cache
def _pull_mobilesam() -> str:
    from whyseg.curation.segmenters import weights
    from whyseg.schemas.errors import WhysegError

    try:
        weights.pull("mobilesam")
    except WhysegError as error:
        return str(error)
    return ""


def _unavailable(variable: str, why: str) -> NoReturn:
    if os.environ.get(variable) == "1":
        pytest.fail(why, pytrace=False)
    pytest.skip(why)
