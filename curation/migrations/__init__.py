"""The schema's history, run by Alembic."""

from sqlalchemy import Connection

from whyseg.schemas.errors import UsageError


def upgrade(connection: Connection) -> None:
    """Run every migration that the database has not seen, inside the connection's transaction.

    Raises ``UsageError`` when the database is at a migration that is not known here.
    """
    from alembic import command
    from alembic.config import Config
    from alembic.util.exc import CommandError

    config = Config()
    config.set_main_option("script_location", "whyseg.curation:migrations")
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise UsageError(f"the workspace's database was made by a newer whyseg: {error}") from error
