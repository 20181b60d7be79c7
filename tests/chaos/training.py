"""A trainer that is killed, and goes on from its newest whole checkpoint."""

import sys
from functools import partial
from pathlib import Path

from tests.chaos.process import command, killed, must
from tests.chaos.record import Lab, Outcome
from tests.training.tiny_run import policy
from whyseg.training.run import RunFolder, lines

UPDATES = 20
RUN = f"""
import sys
from functools import partial
from pathlib import Path
from tests.training.tiny_run import DrawnData, preset
from whyseg.training.launch import start
from whyseg.training.settings import Machine
made = preset(n=4, keep=2, max_completion_tokens=8, max_steps={UPDATES})
start(made, DrawnData(4), Path(sys.argv[1]), machine=Machine(), policy=sys.argv[2], save_every=1)
"""


def kill(lab: Lab) -> Outcome:
    """SIGKILL of a training run that writes a checkpoint after every update; then it is resumed to its end."""
    out = lab.folder / "run"
    base = policy(lab.folder / "policy")
    begin = [sys.executable, "-c", RUN, str(out), base]
    lost, wrong, tried, known = list[str](), list[str](), 0, 0
    for number in lab.rounds(1, 4):
        again = number > 0 and (out / "run.json").exists()
        if not killed(
            command("train", "--resume", out) if again else begin,
            partial(_beyond, out, known),
            partial(lab.pause, 0, 0.3),
        ):
            break
        tried += 1
        newest = _newest(out)
        if newest < known:
            lost.append(f"checkpoint {known}: the newest whole one is {newest}")
        known = newest
    ended = (out / "run.json").exists() and RunFolder.of(out).read().state == "done"  # before the kill
    must("train", "--resume", out)
    record = RunFolder.of(out).read()
    updates = [line["update"] for line in lines(out / "curves.jsonl")]
    if record.state != "done" or not (out / "policy").is_dir():
        wrong.append(f"the run is {record.state} after it was resumed")
    if updates != list(range(1, UPDATES + 1)):
        wrong.append(f"its curves hold the updates {updates}")
    if tried and not ended and max(record.resumed_at, default=0) < known:
        lost.append(f"checkpoint {known}: the run went on from {record.resumed_at}")
    return Outcome(
        fault="train-kill", tried=tried, acknowledged=known, lost=tuple(lost), wrong=tuple(wrong),
        seen=f"updates in whole checkpoints; the run went on from {record.resumed_at}, and ended with {len(updates)}",
    )  # fmt: skip


def _beyond(out: Path, known: int) -> bool:
    return _newest(out) > known


def _newest(out: Path) -> int:
    newest = RunFolder(out).checkpoint()
    return int(newest.name.rpartition("-")[2]) if newest else 0
