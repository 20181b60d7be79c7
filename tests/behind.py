"""What the tests of verification do behind the store's back, on either kind of database."""

import shutil
from pathlib import Path
from uuid import uuid4

from sqlalchemy import create_engine, make_url, text

from whyseg.curation.workspace import Workspace, read_settings


def tamper(path: Path, *statements: str) -> None:
    """Run statements in a workspace's database, whatever its foreign keys say."""
    database = read_settings(path).database
    engine = create_engine(database or f"sqlite:///{path / 'whyseg.db'}")  # SQLite minds them only where told so
    with engine.begin() as connection:
        if database:
            connection.execute(text("SET session_replication_role = replica"))
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()


def copied(source: Path, target: Path) -> Path:
    """Copy a workspace that nobody has open, with its database."""
    shutil.copytree(source, target)
    if database := read_settings(source).database:
        url = make_url(database)
        copy = url.set(database=uuid4().hex)
        engine = create_engine(url.set(database="postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f'CREATE DATABASE "{copy.database}" TEMPLATE "{url.database}"'))
        engine.dispose()
        settings = target / "whyseg.toml"
        shown = copy.render_as_string(hide_password=False)
        settings.write_text(settings.read_text().replace(database, shown))
    Workspace.open(target).close()
    return target
