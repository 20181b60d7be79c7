"""Servers that are killed, two at once, on a slow disk, under a clock that jumps; people save to them all the while."""

import signal
from collections.abc import Sequence
from pathlib import Path

from tests.chaos.preload import CLOCK, SLOW, built
from tests.chaos.process import must, run
from tests.chaos.record import Lab, Outcome
from tests.pictures import encoded, pixels
from tests.ui.annotators import SIZE, Annotator, Judged, at_work, judge, until_saved
from tests.ui.process import ServerProcess
from tests.ui.support import add_picture
from whyseg.curation.workspace import Workspace

DAY = 86_400
JUMPS = (-400 * DAY, -DAY, -3600, -1, 0, 1, 3600, DAY, 400 * DAY)  # seconds


def team(path: Path, count: int) -> list[str]:
    """Make a workspace of some pictures and return their samples."""
    with Workspace.create(path) as workspace:
        return [add_picture(workspace, encoded(pixels(*SIZE, seed=n)), f"{n}.png").id for n in range(count)]


def outcome(fault: str, tried: int, found: Judged, seen: str) -> Outcome:
    """Return what came of saves."""
    return Outcome(
        fault=fault, tried=tried, acknowledged=found.acknowledged, lost=found.lost, wrong=found.wrong,
        seen=f"{seen}; {found.unheard} edits saved of which nobody was told",
    )  # fmt: skip


def kill(lab: Lab) -> Outcome:
    """SIGKILL of the server while three people save."""
    path = lab.folder / "team"
    annotators = [Annotator(sample) for sample in team(path, 3)]
    tried = 0
    for _ in lab.rounds(2, 20):
        with ServerProcess(path) as server, at_work(annotators, [server.url]):
            until_saved(annotators, lab.random.randrange(1, 60))
            server.end(signal.SIGKILL)
        tried += 1
        found = judge(path, annotators)
        if found.lost or found.wrong:
            break
    return outcome("server-kill", tried, found, "saves of three people; after each kill every hash derived again")


def two(lab: Lab) -> Outcome:
    """Two servers on one workspace, two people on each sample through different servers; one server is killed."""
    path = lab.folder / "team"
    samples = team(path, 2)
    annotators = [
        Annotator(sample, name=f"{sample[:6]}-{side}", shares=True) for sample in samples for side in ("a", "b")
    ]
    tried = 0
    for _ in lab.rounds(1, 8):
        with ServerProcess(path) as one, ServerProcess(path) as other:
            with at_work(annotators, [one.url, other.url]):
                until_saved(annotators, lab.random.randrange(5, 60))
                lab.random.choice([one, other]).end(signal.SIGKILL)
                until_saved(annotators, lab.random.randrange(1, 20))
        tried += 1
        found = judge(path, annotators)
        if found.lost or found.wrong:
            break
    return outcome("two-servers", tried, found, "saves of four people, two on each sample, through two servers")


def slow_disk(lab: Lab) -> Outcome:
    """A disk on which every write takes 20 ms and every flush 0.3 s, by a library in front of libc; SIGKILL on it."""
    library = built(lab.folder)
    path = lab.folder / "team"
    annotators = [Annotator(sample) for sample in team(path, 3)]
    tried = 0
    env = {"LD_PRELOAD": str(library), SLOW: "1"}
    for _ in lab.rounds(1, 6):
        with ServerProcess(path, env=env) as server, at_work(annotators, [server.url]):
            until_saved(annotators, lab.random.randrange(1, 20))
            lab.pause(0, 0.5)
            server.end(signal.SIGKILL)
        tried += 1
        found = judge(path, annotators)
        if found.lost or found.wrong:
            break
    return outcome("slow-disk", tried, found, "saves of three people, the server killed on the slow disk")


def clock(lab: Lab) -> Outcome:
    """A clock that jumps by seconds to 400 days, back and ahead, under a server and a release."""
    library, moved = built(lab.folder), lab.folder / "offset"
    path = lab.folder / "team"
    annotators = [Annotator(sample) for sample in team(path, 3)]
    env = {"LD_PRELOAD": str(library), CLOCK: str(moved)}
    tried, wrong = 0, list[str]()
    moved.write_text("0\n")
    for number in lab.rounds(1, 4):
        with ServerProcess(path, env=env) as server, at_work(annotators, [server.url]):
            for _ in range(8):
                moved.write_text(f"{lab.random.choice(JUMPS)}\n")
                tried += 1
                until_saved(annotators, lab.random.randrange(1, 10))
            wrong += _orders(server, annotators)
            server.end(signal.SIGTERM)
        must("release", "create", f"r{number}", "--states", "any", "--workspace", path, env=env)
        checked = run("release", "verify", f"r{number}", "--workspace", path)
        wrong += [] if checked.code == 0 else [f"release r{number}: {checked.out}{checked.err}"]
        found = judge(path, annotators)
        wrong += found.wrong
        if found.lost or wrong:
            break
    done = outcome("clock-jumps", tried, found, "saves of three people, and a release under each last jump")
    return done.model_copy(update={"wrong": tuple(wrong)})


def _orders(server: ServerProcess, annotators: Sequence[Annotator]) -> list[str]:
    """Return what is wrong with what the server shows as newest: its time may be the older one."""
    wrong = list[str]()
    with server.client() as client:
        for annotator in annotators:
            told = max((number for _, number in list(annotator.acknowledged.values())), default=0)
            shown = client.get(f"/api/v1/samples/{annotator.sample_id}").json()["number"]
            if shown < told:
                wrong.append(f"sample {annotator.sample_id} shows number {shown} after {told} was acknowledged")
    return wrong


def stopped_by_restore(lab: Lab) -> Outcome:
    """``restore --replace`` under a server at which three people save."""
    path, archive = lab.folder / "team", lab.folder / "b.tar"
    annotators = [Annotator(sample) for sample in team(path, 3)]
    tried, wrong = 0, list[str]()
    for _ in lab.rounds(1, 3):
        archive.unlink(missing_ok=True)
        must("backup", archive, "--workspace", path)
        with ServerProcess(path) as server, at_work(annotators, [server.url]):
            until_saved(annotators, 5)
            done = run("restore", archive, "--workspace", path, "--replace")
            tried += 1
            if not done.refusal:
                wrong.append(f"the workspace was replaced under its server: {done.out}{done.err}")
            until_saved(annotators, 5)
            server.end(signal.SIGKILL)
        found = judge(path, annotators)
        if found.lost or wrong:
            break
    seen = outcome("restore-under-server", tried, found, "saves of three people; the restore is refused in one line")
    return seen.model_copy(update={"wrong": (*wrong, *found.wrong)})
