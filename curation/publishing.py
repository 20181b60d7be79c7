"""A release on the Hub: the hf export of a release, sent once and tagged with its name."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from whyseg import __version__
from whyseg.curation.blobs import write_atomically
from whyseg.curation.card import card_options
from whyseg.curation.exporting import export
from whyseg.curation.formats.parquet import ParquetWriter
from whyseg.curation.hub import files_below, send
from whyseg.curation.releases import Releases
from whyseg.curation.workspace import Workspace
from whyseg.schemas import content_hash
from whyseg.schemas.errors import UsageError
from whyseg.schemas.record import Record

if TYPE_CHECKING:
    from huggingface_hub import HfApi

_REPO = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*/[A-Za-z0-9_][A-Za-z0-9._-]*")
_TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*")


class PushedFile(Record):
    """A file of a release on the Hub, and its bytes."""

    path: str
    size: int


class PushReport(Record):
    """What a push did, or would do.

    ``outcome``: "pushed" when files were sent, "tagged" when all were there and the tag was not, "unchanged" when all
    was there, "planned" for a dry run, which asks the Hub nothing. ``commit``: the commit that the tag is on.
    """

    repo: str
    release: str
    hash: str
    tag: str
    private: bool
    outcome: Literal["pushed", "tagged", "unchanged", "planned"]
    commit: str | None = None
    bytes: int
    files: tuple[PushedFile, ...]


def push(
    workspace: Workspace,
    name: str,
    repo: str,
    *,
    revision: str | None = None,
    private: bool = False,
    dry_run: bool = False,
    api: "HfApi | None" = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> PushReport:
    """Send a release to the dataset ``repo`` of the Hub, and tag it with ``revision``, else with its name.

    The export lies in the workspace's cache; ``progress`` is that of `export`. Safe to repeat: whatever a killed push
    had done is found again. Raises ``NotFound`` for the release, ``UsageError`` for names that no repository or tag can
    have, and as `whyseg.curation.hub.send` does.
    """
    tag = revision or name
    if not _REPO.fullmatch(repo) or len(repo) > 96 or re.search(r"--|\.\.|\.git$|[.-](/|$)", repo):
        raise UsageError(f"a repository of the Hub is OWNER/NAME, got {repo!r}")
    if not _TAG.fullmatch(tag) or len(tag) > 100 or tag == "main" or re.search(r"\.\.|\.lock(/|$)|\.(/|$)", tag):
        raise UsageError(f"a tag is letters, digits, '.', '_', '-' and '/', and not main; got {tag!r}")
    release = Releases(workspace).get(name)
    folder = exported(workspace, name, progress=progress)
    files = files_below(folder)
    plan = PushReport(
        repo=repo,
        release=name,
        hash=release.hash,
        tag=tag,
        private=private,
        outcome="planned",
        bytes=sum(file.size for file in files),
        files=tuple(PushedFile(path=file.path, size=file.size) for file in files),
    )
    if dry_run:
        return plan
    message = f"Release {name}: {release.samples} samples, {release.hash}"
    outcome, commit = send(files, repo, tag, message=message, private=private, api=api)
    return plan.model_copy(update={"outcome": outcome, "commit": commit})


def exported(workspace: Workspace, name: str, *, progress: Callable[[int, int], None]) -> Path:
    """Return the folder of a release's hf export in the workspace's cache, which is made unless it is there.

    Of a release only the newest is kept: what an earlier version of whyseg or other settings gave is removed. An export
    of which something was taken away, as those who tidy up caches do, is made again.
    """
    release = Releases(workspace).get(name)
    key = content_hash([__version__, name, release.hash, card_options(workspace)]).removeprefix("sha256:")[:16]
    folder = workspace.cache / "hub" / name / key
    folder.parent.mkdir(parents=True, exist_ok=True)
    for other in folder.parent.iterdir():
        if key in other.name:
            continue
        if other.is_dir():
            shutil.rmtree(other)
        else:
            other.unlink()
    manifest = folder.parent / f"{key}.json"
    if folder.exists() and not (manifest.exists() and json.loads(manifest.read_text()) == _sizes(folder)):
        shutil.rmtree(folder)
    export(workspace, name, folder, ParquetWriter(), progress=progress)
    write_atomically(manifest, json.dumps(_sizes(folder)).encode())
    return folder


def _sizes(folder: Path) -> dict[str, int]:
    return {file.path: file.size for file in files_below(folder)}
