"""Python, packages, GPU, disks and the port: what every workspace needs."""

import importlib
import os
import platform
import shutil
import socket
import tempfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion

from whyseg.curation.doctor.base import Finding, Level
from whyseg.curation.machine import cache_folder, gpu_driver

SCARCE, FULL = 2 * 2**30, 200 * 2**20  # bytes: from here on a warning, a problem
_UNTOLD = {"test"}  # the extras that only whyseg's own development needs


class Broken(Exception):
    """A package that is there and cannot be imported."""


def imported(name: str) -> ModuleType:
    """Import a third-party module; raises `Broken` with one line for whatever its import raises."""
    try:
        return importlib.import_module(name)
    except Exception as error:  # a wheel for another CPU, CUDA or torch raises OSError, RuntimeError, AttributeError
        raise Broken(f"{type(error).__name__}: {' '.join(str(error).split())[:200]}") from error


def python() -> Finding:
    """Say which Python runs, and whether whyseg wants it."""
    says = f"{platform.python_version()} ({platform.system()} {platform.machine()})"
    try:
        wanted = (metadata.metadata("whyseg").get_all("Requires-Python") or [""])[0]
    except metadata.PackageNotFoundError:
        return Finding(level="warning", what="python", says=f"{says}; whyseg is not installed as a package",
                       mend="pip install whyseg")  # fmt: skip
    if platform.python_version() not in SpecifierSet(wanted, prereleases=True):
        return Finding(level="problem", what="python", says=f"{says}, whyseg wants {wanted}",
                       mend="make an environment with such a Python and install whyseg there")  # fmt: skip
    return Finding(level="ok", what="python", says=says)


def packages() -> Iterator[Finding]:
    """Yield every package that is missing or of another version than whyseg wants; one line when there is none."""
    wanted = [requirement for requirement in _requirements() if _extra_of(requirement) is None]
    wrong = [finding for requirement in wanted if (finding := _judged(requirement))]
    yield from wrong
    if wanted and not wrong:
        yield Finding(level="ok", what="packages", says=f"all {len(wanted)} that whyseg needs, in versions it knows")


def clashes() -> Iterator[Finding]:
    """Yield packages that whyseg does not need and that break others when they are there."""
    if _version("torchvision") is not None:
        try:
            imported("torchvision")
        except Broken as error:
            yield Finding(
                level="problem",
                what="torchvision",
                says=f"does not fit the installed torch, and breaks every model of transformers ({error})",
                mend="pip uninstall torchvision",
            )
    if _version("opencv-python") is not None and _version("opencv-python-headless") is not None:
        yield Finding(
            level="warning",
            what="opencv",
            says="opencv-python and opencv-python-headless share one folder, so either may be damaged",
            mend="pip uninstall opencv-python opencv-python-headless && pip install opencv-python-headless",
        )


def extras() -> Iterator[Finding]:
    """Yield every extra of whyseg with whether all of it is installed."""
    wanted: dict[str, list[Requirement]] = {}
    for requirement in _requirements():
        extra = _extra_of(requirement)
        if extra is not None and extra not in _UNTOLD:
            wanted.setdefault(extra, []).append(requirement)
    for extra, requirements in wanted.items():
        missing = [requirement.name for requirement in requirements if _version(requirement.name) is None]
        wrong = [finding for one in requirements if one.name not in missing and (finding := _judged(one))]
        mend = f"pip install 'whyseg[{extra}]'"
        if missing:
            yield Finding(level="ok", what=f"extra {extra}", says=f"not installed: {', '.join(missing)}", mend=mend)
        elif wrong:
            told = "; ".join(f"{finding.what} {finding.says}" for finding in wrong)
            yield Finding(level="warning", what=f"extra {extra}", says=told, mend=mend)
        else:
            yield Finding(level="ok", what=f"extra {extra}", says="installed")


def torch() -> Iterator[Finding]:
    """Yield what torch computes on: the GPUs, else why there is none, and the processor's threads."""
    try:
        module: Any = imported("torch")
    except Broken as error:
        yield Finding(level="problem", what="torch", says=f"cannot be imported: {error}", mend="pip install torch")
        return
    built = f"for CUDA {module.version.cuda}" if module.version.cuda else "for the CPU alone"
    yield Finding(level="ok", what="torch", says=f"{module.__version__}, built {built}")
    driver = gpu_driver()
    if module.cuda.is_available():
        for number in range(module.cuda.device_count()):
            facts = module.cuda.get_device_properties(number)
            says = f"{facts.name}, {facts.total_memory / 2**30:.0f} GiB"
            yield Finding(level="ok", what=f"gpu {number}", says=says)
    elif driver:
        why = "torch is built for the CPU alone" if module.version.cuda is None else "torch cannot use it"
        yield Finding(
            level="warning",
            what="gpu",
            says=f"a driver is there ({driver}), but {why}",
            mend="install the build of torch that fits the driver: nvidia-smi says its CUDA version",
        )
    else:
        yield Finding(
            level="ok", what="gpu", says="none: segmenting and drawn scenes work, training real models does not"
        )
    yield _threads(module.get_num_threads())


def _threads(threads: int) -> Finding:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    says = f"{threads} for torch, of {cores} core{'s' * (cores != 1)}"
    if threads > cores:
        return Finding(level="warning", what="threads", says=f"{says}: more only wait for each other",
                       mend=f"export OMP_NUM_THREADS={cores}")  # fmt: skip
    return Finding(level="ok", what="threads", says=says)


def disks(path: Path | None) -> Iterator[Finding]:
    """Yield how much room there is for the workspace, for weights, and for temporary files."""
    places = {"disk of weights": cache_folder(), "disk of temporary files": Path(tempfile.gettempdir())}
    if path is not None:
        places = {"disk of the workspace": path} | places
    for what, folder in places.items():
        try:
            there = next(one for one in (folder, *folder.absolute().parents) if one.exists())
            free = shutil.disk_usage(there).free
        except OSError as error:
            yield Finding(level="problem", what=what, says=f"{folder}: {error.strerror or error}")
            continue
        level: Level = "problem" if free < FULL else "warning" if free < SCARCE else "ok"
        says = f"{free / 2**30:.1f} GiB free at {there}"
        if not os.access(there, os.W_OK):
            level, says = ("warning" if level == "ok" else level), f"{says}, which cannot be written to"
        yield Finding(level=level, what=what, says=says, mend=_room(what, there) if level != "ok" else None)


def _room(what: str, there: Path) -> str:
    if what == "disk of weights":
        return "set WHYSEG_CACHE and HF_HOME to folders on another disk"
    if what == "disk of temporary files":
        return "set TMPDIR to a folder on another disk"
    return f"make room at {there}, or move the workspace, which is a folder, to another disk"


def port_free(port: int) -> Finding:
    """Say whether the port that ``whyseg serve`` takes by default is free."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: one that has just ended is gone
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            says = f"{port} cannot be taken ({error.strerror}), perhaps because a whyseg serves there"
            return Finding(level="warning", what="port", says=says, mend="whyseg serve --port 0")
    return Finding(level="ok", what="port", says=f"{port} is free")


def _requirements() -> list[Requirement]:
    try:
        return [Requirement(line) for line in metadata.requires("whyseg") or ()]
    except (metadata.PackageNotFoundError, InvalidRequirement):
        return []


def _extra_of(requirement: Requirement) -> str | None:
    """Return the extra that a requirement belongs to; None for what whyseg always needs."""
    marker = requirement.marker
    if marker is None or marker.evaluate({"extra": ""}):
        return None
    offered = metadata.metadata("whyseg").get_all("Provides-Extra") or []
    return next((extra for extra in offered if marker.evaluate({"extra": extra})), "")


def _judged(requirement: Requirement) -> Finding | None:
    """Return what is wrong with a package; None when nothing is."""
    version = _version(requirement.name)
    bare = f"{requirement.name}{requirement.specifier}"
    mend = f"pip install '{bare}'"
    if version is None:
        return Finding(level="problem", what=requirement.name, says="is missing", mend=mend)
    try:
        fits = requirement.specifier.contains(version, prereleases=True)
    except InvalidVersion:
        fits = False
    if fits:
        return None
    return Finding(
        level="problem", what=requirement.name, says=f"is {version}, wanted {requirement.specifier}", mend=mend
    )


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
