"""A disk that is full, and one that may only be read."""

import hashlib
import os
import resource
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.chaos.commands import filled
from tests.chaos.process import Ran, must, run
from tests.chaos.record import Lab, Outcome, Skipped
from tests.chaos.servers import outcome, team
from tests.pictures import encoded, pixels
from tests.ui.annotators import Annotator, at_work, judge, until_saved
from tests.ui.process import ServerProcess

DISK = 24 * 2**20
ROOM = 400_000  # bytes that are left to the workspace


@contextmanager
def small_disk(folder: Path, size: int = DISK) -> Iterator[Path]:
    """Give a disk of its own, in memory; raises ``Skipped`` where none may be mounted."""
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)]
    try:
        subprocess.run(words, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise Skipped("only root may mount a small disk") from error
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path, left: int) -> Path:
    """Fill a disk but for some bytes and return the file that does it."""
    ballast = folder / "ballast"
    free = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
    with suppress(OSError), ballast.open("wb") as file:
        file.write(bytes(max(0, free - left)))
    return ballast


def full(lab: Lab) -> Outcome:
    """A disk that becomes full while three people save; where no disk may be mounted, files that may not grow."""
    try:
        with small_disk(lab.folder / "disk") as disk:
            return _full_disk(lab, disk)
    except Skipped:
        return _short_files(lab)


def _full_disk(lab: Lab, disk: Path) -> Outcome:
    path = disk / "team"
    annotators = [Annotator(sample, bears=(503,)) for sample in team(path, 3)]
    source = lab.folder / "more.png"
    source.write_bytes(encoded(pixels(300, 400, seed=99)))
    must("release", "create", "v1", "--states", "any", "--workspace", path)
    tried, refused, wrong = 0, 0, list[str]()
    for number in lab.rounds(1, 6):
        ballast = fill(disk, ROOM)
        with ServerProcess(path) as server:
            with at_work(annotators, [server.url]):
                _until_refused(lab, annotators)
                if number % 2:
                    server.end(signal.SIGKILL)
            tried += 1
            for words in (("import", "images", source), ("export", "hf", "v1", disk / "out"), ("backup", disk / "b")):
                fill(disk, 0)
                wrong += _not_plain(words, run(*words, "--workspace", path))
        ballast.unlink(missing_ok=True)
        with ServerProcess(path) as server, at_work(annotators, [server.url]):
            until_saved(annotators, 5)
        found = judge(path, annotators)
        refused = sum(one.refused for one in annotators)
        if found.lost or found.wrong:
            break
    wrong += [] if refused else ["nothing was refused: the disk was not full"]
    kept = [one.name for one in disk.iterdir() if one.name.startswith(".") and not one.name.startswith(".out.")]
    wrong += [f"the full disk keeps {name}" for name in kept]  # an export's finished parts are kept for the next run
    seen = (
        f"saves of three people on a tmpfs of {DISK // 2**20} MiB, {refused} refused with 503; import, export, backup"
    )
    done = outcome("disk-full", tried, found, f"{seen} refused in a line; work goes on when there is room")
    return done.model_copy(update={"wrong": (*found.wrong, *wrong)})


def _until_refused(lab: Lab, annotators: list[Annotator]) -> None:
    before = sum(one.refused for one in annotators)
    for _ in range(300):
        if sum(one.refused for one in annotators) > before + 3:
            return
        lab.pause(0.05, 0.15)


def _not_plain(words: tuple[object, ...], done: Ran) -> list[str]:
    """Return what is wrong with a command that had no room."""
    if done.code == 0 or done.refusal:
        return []
    return [f"whyseg {words[0]} without room exited {done.code} and said: {done.err[-400:]}"]


def _short_files(lab: Lab) -> Outcome:
    path = lab.folder / "team"
    annotators = [Annotator(sample, bears=(503,)) for sample in team(path, 3)]
    tried = 0
    for _ in lab.rounds(1, 6):
        with ServerProcess(path) as server, at_work(annotators, [server.url]):
            largest = max(one.stat().st_size for one in path.glob("whyseg.db*"))
            limit = largest + ROOM
            resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (limit, limit))
            _until_refused(lab, annotators)
        tried += 1
        with ServerProcess(path) as server, at_work(annotators, [server.url]):
            until_saved(annotators, 5)
        found = judge(path, annotators)
        if found.lost or found.wrong:
            break
    refused = sum(one.refused for one in annotators)
    return outcome(
        "disk-full", tried, found, f"saves of three people, files limited in size; {refused} refused with 503"
    )


def readable(lab: Lab) -> Outcome:
    """A workspace on a disk that may only be read: what reads works, what writes is refused in one line."""
    with small_disk(lab.folder / "disk", 64 * 2**20) as disk:
        inner = Lab(disk, lab.random, lab.until)
        path = filled(inner, 60)
        answers = lab.folder / "answers.jsonl"
        answers.write_text("")
        before, wrong, tried = _tree(path), list[str](), 0
        reads: list[tuple[object, ...]] = [
            ("stats",), ("verify",), ("release", "list"), ("release", "show", "v1"), ("release", "verify", "v1"),
            ("export", "hf", "v1", lab.folder / "out"), ("people",), ("backup", lab.folder / "b.tar"),
            ("evaluate", "v1", "--predictions", answers),
        ]  # fmt: skip
        writes: list[tuple[object, ...]] = [
            ("import", "images", lab.folder), ("release", "create", "v2", "--states", "any"), ("check",),
            ("restore", lab.folder / "b.tar", "--replace"),
        ]  # fmt: skip
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        try:
            for words in reads:
                tried += 1
                done = run(*words, "--workspace", path)
                wrong += [] if done.code == 0 else [f"whyseg {' '.join(map(str, words))}: {done.out}{done.err[-400:]}"]
            for words in writes:
                tried += 1
                done = run(*words, "--workspace", path)
                wrong += [] if done.refusal else [f"whyseg {words[0]}: exit {done.code}, {done.out}{done.err[-400:]}"]
            with ServerProcess(path) as server, server.client() as client:
                wrong += _reads_only(client.get("/api/v1/samples").json()["samples"][0]["id"], server)
        finally:
            subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
        lost = sorted(name for name in before if _tree(path).get(name) != before[name])
    return Outcome(
        fault="read-only", tried=tried, acknowledged=len(before), lost=tuple(lost), wrong=tuple(wrong),
        seen="files of a workspace on a disk remounted for reading; stats, verify, export, evaluate, backup and the "
        "server's pages work, what would write is refused in a line",
    )  # fmt: skip


def _reads_only(sample: str, server: ServerProcess) -> list[str]:
    with server.client() as client:
        shown = client.get(f"/api/v1/samples/{sample}").json()
        body = {"edit": "e", "parent": shown["revision"], "sample": {**shown["sample"], "query": {"text": "why?"}}}
        answer = client.put(f"/api/v1/samples/{sample}", json=body)
    return [] if answer.status_code == 503 else [f"a save was answered with {answer.status_code}: {answer.text}"]


def _tree(path: Path) -> dict[str, str]:
    return {
        one.relative_to(path).as_posix(): hashlib.sha256(one.read_bytes()).hexdigest()
        for one in path.rglob("*")
        if one.is_file()
    }
