"""Commands that are killed at any moment: import, export, release, backup, restore, world make."""

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

from sqlalchemy import select

from tests.builders import block
from tests.chaos.process import command, killed, must, run
from tests.chaos.record import Lab, Outcome
from tests.pictures import encoded, pixels
from whyseg.curation.blobs import FRESH_SECONDS, TEMPORARY
from whyseg.curation.intake import WorkspaceIntake
from whyseg.curation.releases import Releases
from whyseg.curation.tables import SampleRow
from whyseg.curation.verify import verify
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Sample
from whyseg.schemas.errors import NotAWorkspace

PICTURES = 600
WORLD = 600
SAMPLES = 600


def importer(lab: Lab) -> Outcome:
    """SIGKILL of ``whyseg import images``, repeated until the import is done; then what the kills left is swept."""
    source, path = lab.folder / "pictures", lab.folder / "w"
    source.mkdir()
    for number in range(PICTURES):
        (source / f"{number:05d}.png").write_bytes(encoded(pixels(24, 32, seed=number)))
    must("init", path)
    words = ("import", "images", source, "--workspace", path)
    had, lost, wrong, tried = set[str](), list[str](), list[str](), 0
    for _ in lab.rounds(2, 12):
        files = _count(path / "images") + lab.random.randrange(1, 200)
        if not killed(command(*words), partial(_more, path / "images", files), lambda: None):
            break
        tried += 1
        now_there, problems = _look(path)
        lost += sorted(had - now_there)
        wrong += problems
        had = now_there
    must(*words)
    now_there, problems = _look(path)
    lost += sorted(had - now_there)
    wrong += problems
    if len(now_there) != PICTURES:
        wrong.append(f"{len(now_there)} samples after the whole import, expected {PICTURES}")
    left = _leftovers(path)
    wrong += _swept(path, words, left)
    return Outcome(
        fault="import-kill", tried=tried, acknowledged=len(had), lost=tuple(lost), wrong=tuple(wrong),
        seen=f"samples that were there after a kill; {len(left)} unfinished files left, removed by a later import",
    )  # fmt: skip


def _swept(path: Path, words: tuple[object, ...], left: list[Path]) -> list[str]:
    old = time.time() - FRESH_SECONDS - 60
    made = path / "images" / "00" / f"{TEMPORARY}made"
    made.parent.mkdir(exist_ok=True)
    made.write_bytes(b"cut o")
    for one in (made, *left):
        os.utime(one, (old, old))
    must(*words)
    return [f"{one.name} is left after a later import" for one in _leftovers(path)]


def _leftovers(path: Path) -> list[Path]:
    return sorted((path / "images").glob(f"*/{TEMPORARY}*"))


def _more(folder: Path, files: int) -> bool:
    return _count(folder) > files


def _count(folder: Path) -> int:
    return sum(1 for _ in folder.glob("*/*"))


def _within(lab: Lab, least: float, most: float) -> Callable[[], None]:
    return lambda: lab.pause(least, most)


def _look(path: Path) -> tuple[set[str], list[str]]:
    """Return the ids of a workspace's samples, and what does not verify."""
    with Workspace.open(path) as workspace:
        problems = [f"{problem.what}: {problem.message}" for problem in verify(workspace)]
        with workspace.store.database.read() as session:
            return set(session.scalars(select(SampleRow.id))), problems


def filled(lab: Lab, samples: int = SAMPLES) -> Path:
    """Return a workspace of small pictures with complete samples, and a release v1 of them."""
    path = lab.folder / "w"
    with Workspace.create(path) as workspace:
        intake = WorkspaceIntake(workspace, author="ann")
        for number in range(samples):
            name = f"{number:05d}.png"
            picture = intake.picture(encoded(pixels(24, 32, seed=number)), name)
            thing = {"id": 1, "mask": block(number % 16, number % 24, 8, 8, (24, 32)), "origin": {"kind": "brush"}}
            asked = {"query": {"text": f"what is {number}?"}, "instances": (thing,)}
            image = picture.image
            intake.take(
                name, picture, [Sample.start(image.id, image.size, source="drawn", source_record=name, **asked)]
            )
        intake.flush()
        Releases(workspace).create("v1", author="ann", states="any")
    return path


def exporter(lab: Lab) -> Outcome:
    """SIGKILL of ``whyseg export labelme``; the finished parts are kept, and the end is the same bytes."""
    path, out, whole = filled(lab), lab.folder / "out", lab.folder / "whole"
    must("export", "labelme", "v1", whole, "--workspace", path)
    parts, told, lost, wrong, tried = set[str](), 0, list[str](), list[str](), 0
    for _ in lab.rounds(2, 12):
        some = lab.random.randrange(len(parts), 7)  # parts of which a receipt is there
        words = command("export", "labelme", "v1", out, "--workspace", path)
        if not killed(words, partial(_parts, lab.folder, some), _within(lab, 0, 0.1)):
            wrong += _differs(whole, out)
            _remove(out)
            parts = set()
            continue
        tried += 1
        if out.exists():  # it had its name already
            wrong += _differs(whole, out)
            _remove(out)
            parts = set()
            continue
        now_there = {one.name for one in lab.folder.glob(".out.*/.receipts/0*")}
        lost += sorted(parts - now_there)
        told += len(now_there - parts)
        parts = now_there
    must("export", "labelme", "v1", out, "--workspace", path)
    wrong += _differs(whole, out)
    wrong += [f"{one.name} is left" for one in lab.folder.glob(".out.*")]
    return Outcome(
        fault="export-kill", tried=tried, acknowledged=told, lost=tuple(lost), wrong=tuple(wrong),
        seen=f"finished parts of an export of {SAMPLES} samples; its end is byte for byte that of an undisturbed one",
    )  # fmt: skip


def _parts(folder: Path, some: int) -> bool:
    return any(folder.glob(".out.*")) and len(list(folder.glob(".out.*/.receipts/0*"))) >= some


def _remove(folder: Path) -> None:
    os.rename(folder, folder.with_name(f"{folder.name}-{time.monotonic_ns()}"))


def _differs(one: Path, other: Path) -> list[str]:
    first, second = dict(_sums(one)), dict(_sums(other))
    names = sorted(name for name in first.keys() | second.keys() if first.get(name) != second.get(name))
    return [f"{name} differs from that of an undisturbed run" for name in names]


def _sums(folder: Path) -> Iterator[tuple[str, str]]:
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            if path.is_file():
                yield path.relative_to(folder).as_posix(), hashlib.sha256(path.read_bytes()).hexdigest()


def releaser(lab: Lab) -> Outcome:
    """SIGKILL of ``whyseg release create`` and of ``whyseg backup``: there wholly, or not at all."""
    path = filled(lab, 300)
    made, lost, wrong, tried = ["v1"], list[str](), list[str](), 0
    for number in lab.rounds(2, 10):
        name, archive = f"r{number}", lab.folder / f"{number}.tar"
        begun = time.monotonic() + lab.random.uniform(0.4, 2.5)  # nothing shows when its transaction begins
        words = ("release", "create", name, "--states", "any") if number % 2 == 0 else ("backup", archive)
        tried += killed(command(*words, "--workspace", path), partial(_after, begun), lambda: None)
        wrong += _look(path)[1]
        listed = run("release", "list", "--workspace", path).out
        lost += [f"release {one}" for one in made if one not in listed]
        if name in listed:
            made.append(name)
            wrong += [] if run("release", "verify", name, "--workspace", path).code == 0 else [f"release {name}"]
        if archive.exists():
            back = lab.folder / f"back{number}"
            must("restore", archive, "--workspace", back)
            made.append("v1")
            lost += [] if "v1" in run("release", "list", "--workspace", back).out else [f"v1 of {archive.name}"]
    return Outcome(
        fault="release-kill", tried=tried, acknowledged=len(made), lost=tuple(lost), wrong=tuple(wrong),
        seen="releases that were listed, and backups that were there, each restored and verified",
    )  # fmt: skip


def _after(moment: float) -> bool:
    return time.monotonic() > moment


def restorer(lab: Lab) -> Outcome:
    """SIGKILL of ``whyseg restore --replace``: the workspace is the old or the new one, and neither is gone."""
    path, archive = filled(lab, 200), lab.folder / "b.tar"
    must("backup", archive, "--workspace", path)
    must("release", "create", "later", "--states", "any", "--workspace", path)
    lost, wrong, tried, apart = list[str](), list[str](), 0, 0
    for _ in lab.rounds(2, 8):
        killed_at = lab.random.uniform(0, 1.0)
        words = ("restore", archive, "--workspace", path, "--replace")
        tried += killed(command(*words), lambda: any(lab.folder.glob(".w-restoring-*")), partial(time.sleep, killed_at))
        places = [path, *lab.folder.glob("w.replaced-*")]
        releases = set[str]()
        for place in places:
            try:
                wrong += _look(place)[1]
                releases |= {word.rstrip(":") for word in run("release", "list", "--workspace", place).out.split()}
            except NotAWorkspace:
                apart += place == path
        lost += [f"release {name}" for name in ("v1", "later") if name not in releases]
        if not path.exists():
            os.rename(max(lab.folder.glob("w.replaced-*")), path)
    return Outcome(
        fault="restore-kill", tried=tried, acknowledged=2 * tried, lost=tuple(lost), wrong=tuple(wrong),
        seen=f"both releases, in the workspace or in the one that it replaced; {apart} times only the latter was there",
    )  # fmt: skip


def world(lab: Lab) -> Outcome:
    """SIGKILL of ``whyseg world make``: its folder appears whole or not, and the next run removes what is left."""
    out, whole = lab.folder / "out", lab.folder / "whole"
    words = ("world", "make", out, "--n", WORLD, "--plain")
    must("world", "make", whole, "--n", WORLD, "--plain")
    wrong, tried = list[str](), 0
    for _ in lab.rounds(2, 5):
        tried += killed(command(*words), lambda: any(lab.folder.glob(".out.*")), _within(lab, 0, 2.0))
        if out.exists():
            wrong += _differs(whole, out)
            _remove(out)
    must(*words)
    wrong += _differs(whole, out)
    wrong += [f"{one.name} is left" for one in lab.folder.glob(".out.*")]
    return Outcome(
        fault="world-kill", tried=tried, acknowledged=1, wrong=tuple(wrong),
        seen=f"the world of {WORLD} samples that was made at last, byte for byte that of an undisturbed run",
    )  # fmt: skip
