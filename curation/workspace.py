"""A workspace: the folder that holds a team's database, images, releases and settings."""

import json
import os
import shlex
import tomllib
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import quote

from pydantic import BeforeValidator, Field, StringConstraints
from sqlalchemy import URL

from whyseg.curation.blobs import Blobs, write_atomically
from whyseg.curation.claims import Claim
from whyseg.curation.store import Store
from whyseg.schemas.errors import NotAWorkspace, StoreUnavailable, UsageError, WhysegError
from whyseg.schemas.record import Record
from whyseg.schemas.sample import MAX_DEPTH, ReasoningType, as_reasoning_type

SETTINGS = "whyseg.toml"
DATABASE = "whyseg.db"
FOLDERS = ("images", "releases", "cache")
TEMPLATE = """\
# The settings of this whyseg workspace.

# Where the records lie: empty for whyseg.db beside this file, or a URL such as postgresql+psycopg://user@host/name
database = ""

# The licence of what people annotate here, for the cards of releases: an identifier of the Hub such as "cc-by-4.0", or
# a name with an address. The pictures keep their own.
license = ""

# The languages of the questions, for the same: codes such as ["en", "de"]
languages = []

# How many accepted samples are wanted of a reasoning type, at depth 1, 2, 3 and 4; whyseg stats says what is missing:
# targets = { comparative_relational = [50, 100, 50, 0], compositional = [0, 50, 100, 50] }
targets = {}

# Of a team: after how many submissions somebody is given a gold item next; 0 for never
team = { gold_every = 0 }
"""


Wanted = Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=MAX_DEPTH, max_length=MAX_DEPTH)]


class TeamSettings(Record):
    """How a team works; ``gold_every``: after so many submissions *next* is a gold item, 0 for never."""

    gold_every: Annotated[int, Field(ge=0)] = 0


class Settings(Record):
    """What ``whyseg.toml`` says.

    ``database``: a SQLAlchemy URL; empty for ``whyseg.db`` in the workspace. ``license`` and ``languages`` are those of
    the annotations, as cards of releases state them. ``targets``: how many accepted samples of each reasoning type are
    wanted, at depth 1, 2, 3 and 4.
    """

    database: str = ""
    license: Annotated[str, StringConstraints(strip_whitespace=True, max_length=300)] = ""
    languages: tuple[Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{1,8})*$")], ...] = ()
    targets: dict[Annotated[ReasoningType, BeforeValidator(as_reasoning_type)], Wanted] = Field(default_factory=dict)
    team: TeamSettings = TeamSettings()


class Workspace:
    """An open workspace; use it as a context manager, or call `close`."""

    def __init__(self, path: Path, settings: Settings) -> None:
        self.path = path
        self.settings = settings
        self.blobs = Blobs(path / "images")
        self.cache = path / "cache"
        self.releases = path / "releases"
        self._claim = Claim(path)
        try:
            self.store = Store(settings.database or _records(path))
        except WhysegError:
            self._claim.close()
            raise

    @classmethod
    def create(cls, path: Path, *, database: str = "") -> Self:
        """Make a workspace of a new or empty folder, and open it.

        ``database``: as in `Settings`. Raises ``UsageError`` when the folder, or that database, holds anything already.
        """
        if (path / SETTINGS).exists():
            raise UsageError(f"{path} is a workspace already")
        try:
            if path.exists() and not _only_begun(path):
                raise UsageError(f"{path} is not empty; give a new or empty folder")
            for folder in FOLDERS:
                (path / folder).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreUnavailable(f"{path} cannot become a workspace: {error.strerror}") from error
        workspace = cls(path, Settings(database=database))
        if database and workspace.store.audit_log(limit=1):
            workspace.close()
            raise UsageError("that database holds the records of a workspace already; give an empty one")
        text = TEMPLATE.replace('database = ""', f"database = {json.dumps(database, ensure_ascii=False)}", 1)
        write_atomically(path / SETTINGS, text.encode())  # last: its presence says that the workspace is complete
        return workspace

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a workspace; raises ``NotAWorkspace`` when the folder is none, ``UsageError`` for broken settings."""
        settings = read_settings(path)
        if not settings.database and not (path / DATABASE).exists():
            raise StoreUnavailable(f"{path / DATABASE} is missing; whyseg restore brings a backup back")
        return cls(path, settings)

    @classmethod
    def ensure(cls, path: Path) -> Self:
        """Open the workspace, or make it where there is none, whoever else does so at the same time."""
        try:
            return cls.open(path)
        except NotAWorkspace:
            try:
                return cls.create(path)
            except UsageError:
                if (path / SETTINGS).exists():  # somebody was faster
                    return cls.open(path)
                raise

    def close(self) -> None:
        """Close the database."""
        self.store.close()
        self._claim.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _advice(path: Path) -> str:
    """Return what somebody should do who named ``path``, which is no workspace: most stand one folder too high."""
    if path.is_file():
        return "name its folder"
    try:
        inside = sorted(file.parent for file in path.glob(f"*/{SETTINGS}"))
    except OSError:
        inside = []
    if inside:
        return f"{inside[0]} is one: --workspace {shlex.quote(str(inside[0]))}"
    return f"name one with --workspace, or make one with: whyseg init {shlex.quote(str(path))}"


def read_settings(path: Path) -> Settings:
    """Read a workspace's settings; raises ``NotAWorkspace`` when there are none, ``UsageError`` for broken ones."""
    file = path / SETTINGS
    try:
        text = file.read_text()
    except (FileNotFoundError, NotADirectoryError):
        raise NotAWorkspace(f"{path} is no workspace (no {SETTINGS} there); {_advice(path)}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} cannot be read: {error}") from error
    try:
        return Settings.parse(tomllib.loads(text))
    except ValueError as error:
        raise UsageError(f"{file}: {error}") from error


def _records(path: Path) -> URL:
    """Return where the workspace's own records lie; as a file that nobody changes where the disk may only be read."""
    file = path / DATABASE
    if not file.exists() or os.access(path, os.W_OK):
        return URL.create("sqlite", database=str(file))
    log = file.with_name(f"{DATABASE}-wal")
    settled = {} if log.exists() and log.stat().st_size else {"immutable": "1"}
    return URL.create(
        "sqlite", database=f"file:{quote(str(file.absolute()))}", query=settled | {"mode": "ro", "uri": "true"}
    )


def _only_begun(path: Path) -> bool:
    """Say whether a folder holds nothing but what making a workspace leaves when it is cut off."""
    ours = {*FOLDERS, DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm", f"{DATABASE}-journal"}
    if not path.is_dir():
        return False
    return all(entry.name in ours and not (entry.is_dir() and any(entry.iterdir())) for entry in path.iterdir())
