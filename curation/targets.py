"""What a team still wants: targets for cells of the reasoning type × depth matrix, against what is accepted."""

import stat
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from whyseg.curation import audit
from whyseg.curation.blobs import write_atomically
from whyseg.curation.queries import Stats
from whyseg.curation.times import now
from whyseg.curation.workspace import SETTINGS, Settings, Workspace, read_settings
from whyseg.schemas import ReasoningType, Record
from whyseg.schemas.errors import UsageError
from whyseg.schemas.sample import MAX_DEPTH, as_reasoning_type


class Cell(Record):
    """A cell that has a target: how many accepted samples are wanted, there are, and are missing.

    ``under_way``: the cell's samples that are not accepted, whatever their state.
    """

    reasoning_type: ReasoningType
    depth: int
    wanted: int
    accepted: int
    under_way: int
    missing: int


class Coverage(Record):
    """What the workspace holds, and what it should: ``targets`` in the order of types and depths.

    ``wanted``: the cells that miss samples; first those that still miss most when all that is under way is accepted.
    """

    stats: Stats
    targets: tuple[Cell, ...]
    wanted: tuple[Cell, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the counts with targets and what is wanted beside them, as plain data."""
        plain = self.plain()
        return {**plain.pop("stats"), **plain}


def coverage(workspace: Workspace) -> Coverage:
    """Count what there is, and compare it with the targets as ``whyseg.toml`` has them now."""
    stats = workspace.store.stats()
    found = cells(read_settings(workspace.path).targets, stats)
    return Coverage(stats=stats, targets=found, wanted=most_wanted(found))


def cells(targets: Mapping[ReasoningType, Sequence[int]], stats: Stats) -> tuple[Cell, ...]:
    """Return the cells of which samples are wanted, in the order of types and depths."""
    found = []
    for kind in ReasoningType:
        for depth, wanted in enumerate(targets.get(kind, ()), 1):
            if not wanted:
                continue
            accepted = stats.accepted.get(kind.value, {}).get(str(depth), 0)
            found.append(
                Cell(
                    reasoning_type=kind,
                    depth=depth,
                    wanted=wanted,
                    accepted=accepted,
                    under_way=stats.matrix.get(kind.value, {}).get(str(depth), 0) - accepted,
                    missing=max(0, wanted - accepted),
                )
            )
    return tuple(found)


def most_wanted(found: Sequence[Cell]) -> tuple[Cell, ...]:
    """Return the cells that miss samples, those first that would miss most with all that is under way accepted."""
    lacking = [cell for cell in found if cell.missing]
    return tuple(sorted(lacking, key=lambda cell: (min(0, cell.under_way - cell.missing), -cell.missing)))


def set_target(workspace: Workspace, kind: ReasoningType, depth: int, wanted: int, *, author: str) -> None:
    """Write a cell's target into ``whyseg.toml``; comments, order and permissions stay as they are.

    Writers wait for one another, across processes too. Raises ``UsageError`` for settings that are broken, or written
    in a way that no program can change safely.
    """
    with workspace.store.database.write() as session:
        before = read_settings(workspace.path)
        row = list(before.targets.get(kind, (0,) * MAX_DEPTH))
        was, row[depth - 1] = row[depth - 1], wanted
        if was == wanted:
            return
        after = before.model_copy(update={"targets": {**before.targets, kind: tuple(row)}})
        file = (workspace.path / SETTINGS).resolve()  # a link stays one
        text = _changed(file, kind, depth, wanted)
        try:
            same = Settings.parse(tomllib.loads(text)) == after
        except ValueError:
            same = False
        if not same:
            raise UsageError(f"{file}: its targets are written in a way that cannot be changed here; edit the file")
        detail = {"reasoning_type": kind.value, "depth": depth, "before": was, "after": wanted}
        audit.append(session, now(), author, "set_target", "targets", **detail)
        session.flush()
        write_atomically(file, text.encode(), mode=stat.S_IMODE(file.stat().st_mode))


def _changed(file: Path, kind: ReasoningType, depth: int, wanted: int) -> str:
    """Return the settings' text with one target changed; a type keeps the name that the file gives it."""
    import tomlkit

    document = tomlkit.parse(file.read_bytes().decode())
    if "targets" not in document:
        document["targets"] = tomlkit.inline_table()
    targets: Any = document["targets"]
    names = [name for name in targets if as_reasoning_type(name) is kind] or [kind.value]
    for name in names:
        if name not in targets:
            targets[name] = [0] * MAX_DEPTH
        targets[name][depth - 1] = wanted  # in place: so the comments beside it stay
    return tomlkit.dumps(document)
