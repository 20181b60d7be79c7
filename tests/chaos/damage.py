"""Bytes that change on the disk by themselves: pages of the database, pictures."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from tests.chaos.commands import filled
from tests.chaos.process import must, run
from tests.chaos.record import Lab, Outcome
from whyseg.curation.verify import verify
from whyseg.curation.workspace import DATABASE, Workspace
from whyseg.schemas.errors import CorruptStore, StoreUnavailable

PAGE = 4096
# What `verify` derives from hashes; the other tables can be made anew, or concern no work that was done.
VOUCHED = ("images", "samples", "revisions", "audit", "reviews", "releases", "release_items", "answers", "proposals")


def page(lab: Lab) -> Outcome:
    """Pages of the database that are overwritten, in part or whole: ``verify`` finds it, ``restore`` heals it."""
    return _damaged(lab, "corrupt-page", _spoil_page, 12)


def blob(lab: Lab) -> Outcome:
    """Pictures with a changed byte, cut off, or gone: ``verify`` finds it, ``restore`` heals it."""
    return _damaged(lab, "corrupt-blob", _spoil_picture, 12)


def _damaged(lab: Lab, fault: str, spoil: Callable[[Lab, Path], str], most: int) -> Outcome:
    path, archive, copy = filled(lab, 120), lab.folder / "b.tar", lab.folder / "copy"
    must("backup", archive, "--workspace", path)
    whole = _rows(path / DATABASE)
    tried, found, harmless, lost, wrong = 0, 0, 0, list[str](), list[str]()
    for number in lab.rounds(4, most):
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(path, copy)
        what = spoil(lab, copy)
        tried += 1
        if _finds(copy):
            found += 1
        elif fault == "corrupt-page" and _rows(copy / DATABASE) == whole:
            harmless += 1
        else:
            wrong.append(f"{what} is not found")
        if number < 1:  # the whole way, as somebody at a terminal goes it
            told = run("verify", "--workspace", copy)
            if found and not harmless and told.code != 1:
                wrong.append(f"whyseg verify exited {told.code} for {what}: {told.err[-300:]}")
            must("restore", archive, "--workspace", copy, "--replace")
            must("verify", "--workspace", copy)
            if _rows(copy / DATABASE) != whole:
                lost.append(f"not all came back after {what}")
            for former in lab.folder.glob("copy.replaced-*"):
                shutil.rmtree(former)
    return Outcome(
        fault=fault, tried=tried, acknowledged=sum(len(rows) for rows in whole.values()), lost=tuple(lost),
        wrong=tuple(wrong),
        seen=f"rows of the backup; {found} damages found, {harmless} hit nothing in use; one restored by the commands",
    )  # fmt: skip


def _finds(path: Path) -> bool:
    try:
        with Workspace.open(path) as workspace:
            return bool(verify(workspace))
    except (CorruptStore, StoreUnavailable):
        return True


def _rows(database: Path) -> dict[str, list[str]]:
    with closing(sqlite3.connect(database)) as connection:
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        kept = [name for name in VOUCHED if name in tables]
        return {name: sorted(map(repr, connection.execute(f"SELECT * FROM {name}"))) for name in kept}


def _spoil_page(lab: Lab, path: Path) -> str:
    file = path / DATABASE
    for journal in path.glob(f"{DATABASE}-*"):
        journal.unlink()
    data = bytearray(file.read_bytes())
    number = lab.random.randrange(1, len(data) // PAGE)
    start, size = number * PAGE, lab.random.choice([1, 64, PAGE])
    at = start + lab.random.randrange(PAGE - size + 1)
    data[at : at + size] = bytes(byte ^ lab.random.randrange(1, 256) for byte in data[at : at + size])
    file.write_bytes(data)
    return f"{size} bytes at {at} of the database"


def _spoil_picture(lab: Lab, path: Path) -> str:
    file = lab.random.choice(sorted((path / "images").glob("??/*")))
    data, how = bytearray(file.read_bytes()), lab.random.randrange(3)
    at = lab.random.randrange(len(data))
    if how == 0:
        data[at] ^= lab.random.randrange(1, 256)
    if how < 2:
        file.write_bytes(data if how == 0 else data[:at])
    else:
        file.unlink()
    return f"{('a changed byte', 'a cut-off file', 'a missing file')[how]}: {file.name}"
