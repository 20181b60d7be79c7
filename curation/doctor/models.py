"""Which segmenters can run now, with which weights, and which one would."""

from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from whyseg.curation.doctor.base import Finding
from whyseg.curation.machine import cache_folder, gpu_driver
from whyseg.curation.segmenters import weights
from whyseg.schemas.errors import ModelUnavailable

_NEEDS = {
    "sam2": ("torch", "transformers"),
    "mobilesam": ("onnxruntime", "onnx"),
    "grabcut": ("opencv-python-headless",),
}


def segmenters() -> Iterator[Finding]:
    """Yield each segmenter with the weights that are here, and last what ``auto`` takes when nothing can be fetched."""
    here = {name: folder for name, model in weights.MODELS.items() if (folder := _here(model))}
    found = {backend: _of(backend, here) for backend in ("sam2", "mobilesam")}
    yield from found.values()
    yield _grabcut()
    yield _package()
    yield _auto(here)


def _here(model: weights.Model) -> Path | None:
    try:
        return weights.here(model)
    except (OSError, ImportError):  # a cache that cannot be read has no weights
        return None


def _of(backend: str, here: dict[str, Path]) -> Finding:
    missing = _missing(backend)
    if missing:
        return Finding(level="problem", what=f"segmenter {backend}", says=f"cannot run: {missing} is missing",
                       mend=f"pip install {missing}")  # fmt: skip
    names = [name for name, model in weights.MODELS.items() if model.backend == backend]
    lying = [f"{name} in {here[name]}" for name in names if name in here]
    official = [name for name in names if name != weights.TINY_TEST.name]
    pull = f"whyseg models pull {official[0]}"
    if any(name in here for name in official):
        return Finding(level="ok", what=f"segmenter {backend}", says="; ".join(lying))
    damaged = _damaged(backend)
    if damaged:
        return Finding(level="warning", what=f"segmenter {backend}", says=f"the weights in {damaged} are damaged",
                       mend=pull)  # fmt: skip
    says = "; ".join(["no weights for pictures here", *lying]) if lying else "no weights here"
    return Finding(level="ok", what=f"segmenter {backend}", says=says, mend=pull)


def _damaged(backend: str) -> Path | None:
    """Return the folder of weights whose SHA-256 is known and not theirs."""
    kind, where = weights.MOBILESAM.source.split(":", 1)
    folder = cache_folder() / "models" / where
    try:
        return folder if backend == "mobilesam" and kind == "npm" and folder.exists() else None
    except OSError:  # a cache that may not be looked into
        return None


def _grabcut() -> Finding:
    missing = _missing("grabcut")
    if missing:
        return Finding(level="problem", what="segmenter grabcut", says=f"cannot run: {missing} is missing",
                       mend=f"pip install {missing}")  # fmt: skip
    return Finding(level="ok", what="segmenter grabcut", says="needs no weights")


def _package() -> Finding:
    what = "segmenter sam2-package"
    try:
        version = metadata.version("sam2")
    except metadata.PackageNotFoundError:
        return Finding(level="ok", what=what, says="not installed", mend="pip install 'whyseg[sam2]'")
    from whyseg.curation.segmenters.sam2_package import package

    try:
        package()
    except ModelUnavailable as error:
        return Finding(level="warning", what=what, says=str(error), mend="whyseg models convert sam2 FILE.pt")
    return Finding(level="ok", what=what, says=f"sam2 {version}; runs a checkpoint of Meta's code, --model FILE.pt")


def _auto(here: dict[str, Path]) -> Finding:
    if gpu_driver() and weights.SAM2_TINY.name in here:
        says = f"{weights.SAM2_TINY.name} on the GPU"
    elif weights.MOBILESAM.name in here:
        says = weights.MOBILESAM.name
    elif weights.SAM2_TINY.name in here:
        says = f"{weights.SAM2_TINY.name} on the CPU"
    else:
        return Finding(
            level="warning",
            what="segmenter auto",
            says="without a network it takes GrabCut, which knows colours but no objects",
            mend=f"whyseg models pull {weights.MOBILESAM.name}",
        )
    return Finding(level="ok", what="segmenter auto", says=f"takes {says}")


def _missing(backend: str) -> str | None:
    for name in _NEEDS[backend]:
        try:
            metadata.version(name)
        except metadata.PackageNotFoundError:
            return name
    return None
