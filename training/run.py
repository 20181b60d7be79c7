"""A training run: a folder that says what was trained on what, and holds curves, answers, checkpoints and the result.

    run.json        the record: preset, data with its hash, machine, versions, commit, seed, times
    data/           rows and pictures as the policy sees them, and what was left out with the reasons
    curves.jsonl    a line an update; samples.jsonl: some sampled answers with their masks
    checkpoints/    what a run that was cut off goes on from
    start/          the world's policy before the run; other presets start from a model that lies elsewhere
    policy/         the trained policy, its processor and policy.json
    curves/ events/ samples/ report.html    drawn from the lines above; events are TensorBoard's

A run that was cut off goes on from its last complete checkpoint: lines beyond it are dropped, random numbers, optimiser
and the order of the rows are those that the run would have had.
"""

import fcntl
import json
import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import numpy as np

from whyseg.curation.blobs import write_atomically
from whyseg.schemas.errors import UsageError
from whyseg.schemas.record import Record, Utc
from whyseg.training.data import DataFacts
from whyseg.training.presets import Preset
from whyseg.training.settings import Machine, Plan

RECORD, CURVES, SAMPLES, WHOLE = "run.json", "curves.jsonl", "samples.jsonl", "complete"
LOCK = ".lock"
BEGUN = {LOCK, "data", "untrained", "start"}  # all that is there before a run trains
PACKAGES = ("whyseg", "torch", "transformers", "trl", "peft", "accelerate", "datasets", "numpy")


class Start(Record):
    """What the policy was before: ``base``, the model's folder or Hub id, and ``adapters``, a policy's folder."""

    base: str
    adapters: str | None = None
    of_run: str | None = None  # the run that made them


class RunRecord(Record):
    """All that is needed to tell what a run did; ``state`` is done when the policy is there.

    ``save_every``: updates between checkpoints; ``segmenter``: whose masks were rewarded, and where it ran.
    """

    preset: Preset
    data: DataFacts
    machine: Machine
    plan: Plan
    start: Start
    segmenter: str | None
    segmenter_device: str | None = None
    save_every: int
    seed: int
    versions: dict[str, str]
    commit: str | None
    host: str
    created_at: Utc
    finished_at: Utc | None = None
    resumed_at: tuple[int, ...] = ()
    state: Literal["running", "done"] = "running"


class RunFolder:
    """The folder of a run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.data, self.policy = path / "data", path / "policy"
        self.start, self.untrained = path / "start", path / "untrained"  # the world's policy before this run
        self.checkpoints, self.curves, self.samples = path / "checkpoints", path / CURVES, path / SAMPLES
        self._claim: int | None = None

    @classmethod
    def new(cls, path: Path) -> "RunFolder":
        """Return the claimed folder of a new run; raises ``UsageError`` where something lies already.

        What a run left that was killed before it began to train is no obstacle, and is removed.
        """
        _require_free(path)
        path.mkdir(parents=True, exist_ok=True)
        folder = cls(path)
        folder.claim()
        try:
            _require_free(path)  # whoever had the claim until now may have begun to train
            for entry in path.iterdir():
                if entry.name != LOCK:
                    shutil.rmtree(entry)
        except BaseException:
            folder.close()
            raise
        return folder

    @classmethod
    def of(cls, path: Path) -> "RunFolder":
        """Return the folder of a run that is there; raises ``UsageError`` where there is none."""
        if not (path / RECORD).is_file():
            raise UsageError(f"{path} holds no run (no {RECORD} there)")
        return cls(path)

    def claim(self) -> None:
        """Keep other processes from this run until `close`, or the end of this one; raises ``UsageError``."""
        handle = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            raise UsageError(f"another process is at work on {self.path}") from None
        self._claim = handle

    def close(self) -> None:
        """Give up the claim, if there is one."""
        if self._claim is not None:
            os.close(self._claim)
            self._claim = None

    def read(self) -> RunRecord:
        """Return the record."""
        return RunRecord.parse((self.path / RECORD).read_bytes())

    def write(self, record: RunRecord) -> None:
        """Replace the record."""
        write_atomically(self.path / RECORD, record.model_dump_json(indent=2).encode())

    def checkpoint(self) -> Path | None:
        """Return the newest checkpoint that is whole; None where there is none."""
        found = [path.parent for path in self.checkpoints.glob(f"checkpoint-*/{WHOLE}")]
        return max(found, key=lambda path: int(path.name.rpartition("-")[2]), default=None)

    def rewind(self, update: int) -> None:
        """Drop curves and answers of updates after ``update``, and lines that were cut off."""
        for path, last in ((self.curves, update), (self.samples, update - 1)):
            kept = [json.dumps(line, ensure_ascii=False) + "\n" for line in lines(path) if line["update"] <= last]
            write_atomically(path, "".join(kept).encode())


def _require_free(path: Path) -> None:
    if (path / RECORD).exists():
        raise UsageError(f"{path} holds a run already; --resume {path} goes on with it")
    if path.exists() and not (path.is_dir() and {entry.name for entry in path.iterdir()} <= BEGUN):
        raise UsageError(f"{path} is there already and holds something else; give a new or empty folder")


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the JSON lines of a file; nothing where there is no file, and not a last line that was cut off."""
    text = path.read_text("utf-8") if path.exists() else ""
    yield from (json.loads(line) for line in text.split("\n")[:-1] if line)


def append(path: Path, data: dict[str, Any]) -> None:
    """Add a JSON line to a file, in one write."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(data, ensure_ascii=False) + "\n")


def order(rows: int, prompts: int, seed: int) -> list[int]:
    """Return which row each prompt of a run is, in order: one shuffled pass over the rows after the other.

    Passes run into each other, so none loses the rows that do not fill a last batch.
    """
    passes = -(-prompts // rows)
    shuffled = [np.random.default_rng([seed, number]).permutation(rows) for number in range(passes)]
    return [int(row) for row in np.concatenate(shuffled)[:prompts]]


def versions() -> dict[str, str]:
    """Return the versions of Python and the packages that a run depends on."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def commit() -> str | None:
    """Return the git commit of whyseg's own sources, with "+" where they were changed since; None where unknown."""
    folder = Path(__file__).resolve().parent

    def git(*words: str) -> str:
        return subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, check=True).stdout

    try:
        changed = git("status", "--porcelain", "--untracked-files=no").strip()
        return git("rev-parse", "HEAD").strip() + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def is_main() -> bool:
    """Say whether this is the only process, or the first of those that accelerate started."""
    return int(os.environ.get("RANK", "0")) == 0


def processes() -> int:
    """Return how many processes accelerate started for this run."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def named(preset: Preset, at: datetime) -> str:
    """Return a run's default name: its preset's and the time."""
    return f"{preset.name}-{at:%Y%m%d-%H%M%S}"
