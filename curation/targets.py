"""What a team still wants: targets for cells of the reasoning type × depth matrix, against what is accepted."""

from collections.abc import Mapping, Sequence

from whyseg.curation.queries import Stats
from whyseg.schemas import ReasoningType, Record


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
