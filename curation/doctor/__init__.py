"""A look at an installation and a workspace: how they stand, and what would mend them; nothing is changed or fetched.

Whatever is broken becomes a finding, never an exception; parts that cannot be looked at any more are left out.
"""

from collections.abc import Iterator
from pathlib import Path

from whyseg.curation.doctor import machine
from whyseg.curation.doctor.base import Finding as Finding

__all__ = ["Finding", "examine"]


def examine(path: Path | None, *, port: int) -> Iterator[Finding]:
    """Yield what is found of Python, packages, GPU, segmenters, disks and ``port``, then of the workspace if any."""
    yield machine.python()
    yield from machine.packages()
    yield from machine.clashes()
    yield from machine.extras()
    yield from machine.torch()
    try:
        models = machine.imported("whyseg.curation.doctor.models")
        yield from models.segmenters()
    except machine.Broken as error:
        yield _broken("segmenters", error)
    yield from machine.disks(path)
    yield machine.port_free(port)
    if path is not None:
        try:
            workspace = machine.imported("whyseg.curation.doctor.workspace")
            yield from workspace.findings(path)
        except machine.Broken as error:
            yield _broken("workspace", error)


def _broken(what: str, error: machine.Broken) -> Finding:
    says = f"cannot be looked at, for a package is broken: {error}"
    return Finding(level="problem", what=what, says=says, mend="pip install --force-reinstall PACKAGE")
