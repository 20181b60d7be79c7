"""Which segmenter runs, and why: the one place that turns a name into a segmenter."""

from collections.abc import Callable
from pathlib import Path

from whyseg.curation.machine import gpu_driver
from whyseg.curation.segmenters import weights
from whyseg.curation.segmenters.base import Segmenter
from whyseg.schemas.errors import ModelUnavailable, UsageError

NAMES = ("auto", "sam2", "mobilesam", "grabcut", "sam2-package")

Told = Callable[[str], None]


def choose(name: str = "auto", *, model: str | None = None, told: Told = lambda text: None) -> tuple[Segmenter, str]:
    """Return a segmenter and one sentence for the user that says why it is this one.

    ``name``: one of `NAMES`; auto is SAM 2.1 tiny where there is a GPU and its weights are or can be had, else
    MobileSAM if its weights are or can be had, else SAM 2.1 tiny on the CPU if its weights are here, else GrabCut.
    ``model``: a known model, a Hub id, or a folder, for sam2; a checkpoint of Meta's code, a file, for sam2-package.
    ``told`` hears what takes long. Raises ``UsageError`` for a name or a model that does not exist,
    ``ModelUnavailable`` and ``ModelFailed`` as the backends do.
    """
    if name not in NAMES:
        raise UsageError(f"no segmenter {name!r}; there are {', '.join(NAMES)}")
    if name == "auto":
        if model is None:
            return _auto(told)
        name = weights.find(model).backend
    if name == "grabcut":
        if model is not None:
            raise UsageError(f"GrabCut has no models, got {model}")
        return _grabcut(), "GrabCut, as asked: it knows colours, not objects, and takes a few clicks more."
    usual = {"sam2": weights.SAM2_TINY.name, "mobilesam": weights.MOBILESAM.name}
    if name not in usual and model is None:
        raise UsageError(f"{name} needs a checkpoint of Meta's code: --model FILE.pt")
    found = weights.find(model or usual[name])
    if found.backend != name:
        raise UsageError(f"{found.name} is a model of {found.backend}, not of {name}{_mend(found, name)}")
    segmenter, where = _loaded(found, told)
    return segmenter, f"{_title(found)}{where}, as asked."


def _auto(told: Told) -> tuple[Segmenter, str]:
    lacking = []
    if _has_gpu():
        try:
            segmenter, where = _loaded(weights.SAM2_TINY, told)
            return segmenter, f"{_title(weights.SAM2_TINY)}{where}, as this machine has one."
        except ModelUnavailable as error:
            lacking.append(str(error))
    try:
        segmenter, _ = _loaded(weights.MOBILESAM, told)
        why = f"SAM 2 is missing ({lacking[0]})" if lacking else "this machine has no GPU"
        return segmenter, f"{_title(weights.MOBILESAM)}, as {why}."
    except ModelUnavailable as error:
        lacking.append(str(error))
    if weights.here(weights.SAM2_TINY):
        segmenter, where = _loaded(weights.SAM2_TINY, told)
        return segmenter, f"{_title(weights.SAM2_TINY)}{where}, as MobileSAM is missing ({lacking[-1]})."
    why = f"there are no model weights ({lacking[-1]}); `whyseg models pull mobilesam` gets some"
    return _grabcut(), f"GrabCut, which knows colours but no objects, as {why}."


def _loaded(model: weights.Model, told: Told) -> tuple[Segmenter, str]:
    """Load a model, fetching it first where need be; say on which device it runs where there is a choice."""
    folder = weights.here(model)
    if folder is None:
        told(f"fetching {_title(model)}")
        folder = weights.pull(model)
    return load(model.backend, folder, model.name)


def load(backend: str, folder: Path, name: str) -> tuple[Segmenter, str]:
    """Load a backend's weights from a folder; the second value says on which device, where there is a choice."""
    try:
        if backend == "mobilesam":
            from whyseg.curation.segmenters.mobilesam import MobileSamSegmenter

            return MobileSamSegmenter(folder, name), ""
        if backend == "sam2-package":
            from whyseg.curation.segmenters.sam2_package import Sam2PackageSegmenter

            packaged = Sam2PackageSegmenter(folder / Path(name).name, name)
            return packaged, " on the GPU" if packaged.device.type == "cuda" else " on the CPU"
        from whyseg.curation.segmenters.sam2 import Sam2Segmenter

        segmenter = Sam2Segmenter(folder, name)
        return segmenter, " on the GPU" if segmenter.device.type == "cuda" else " on the CPU"
    except ImportError as error:
        raise ModelUnavailable(f"{name} needs the Python package {error.name}, which cannot be imported") from error


def _mend(found: weights.Model, name: str) -> str:
    if (found.backend, name) == ("sam2-package", "sam2"):
        return f"; make a folder of it with: whyseg models convert sam2 {found.name}"
    return ""


def _grabcut() -> Segmenter:
    from whyseg.curation.segmenters.grabcut import GrabCutSegmenter

    return GrabCutSegmenter()


def _title(model: weights.Model) -> str:
    return model.what.split(",")[0]


def _has_gpu() -> bool:
    """Say whether torch sees a GPU; torch is not even imported where no driver is."""
    if gpu_driver() is None:
        return False
    try:
        import torch
    except ImportError:
        return False
    return torch.cuda.is_available()
