"""A throw-away PostgreSQL for tests: a cluster of its own in a temporary folder, reached by a Unix socket alone."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, create_engine, text

OWNER = "whyseg"


@contextmanager
def cluster(programs: Path) -> Iterator[Path]:
    """Run a new cluster with the programs of a folder; give the folder of its socket. All of it goes at the end."""
    # Not in pytest's own folder: PostgreSQL refuses to run as root, and nobody else may look into that.
    home = Path(tempfile.mkdtemp(prefix="whyseg-postgres-"))
    account = _account()
    if account is not None:
        os.chown(home, account, -1)

    def run(program: str, *arguments: str) -> None:
        command = [str(programs / program), "-D", str(home / "data"), *arguments]
        done = subprocess.run(
            command, user=account, cwd=home, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{program}: {done.stdout}{done.stderr}"

    try:
        run("initdb", "-U", OWNER, "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")
        options = f"-c listen_addresses= -c unix_socket_directories={home} -c fsync=off -c max_connections=300"
        run("pg_ctl", "-w", "-l", str(home / "log"), "-o", options, "start")
        try:
            yield home
        finally:
            run("pg_ctl", "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(home)


def new_database(socket: Path, name: str) -> str:
    """Make an empty database; return its URL."""
    engine = create_engine(_url(socket, "postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f'CREATE DATABASE "{name}"'))
    engine.dispose()
    return _url(socket, name).render_as_string()


def _url(socket: Path, database: str) -> URL:
    return URL.create("postgresql+psycopg", username=OWNER, database=database, query={"host": str(socket)})


def _account() -> int | None:
    """Return another user's number where the tests run as root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_uid
        except KeyError:
            continue
    raise AssertionError("root cannot run PostgreSQL, and there is neither a user postgres nor nobody")
