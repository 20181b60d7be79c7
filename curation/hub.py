"""A folder of files on the Hub: what differs is sent in one commit, and a tag is put on it that never moves.

Files go by the Hub's LFS protocol. Its newer path, Xet, is switched off for the time of a push: it sends the parts of
one push in several commits, and a tag stands for one.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, constants, get_session, get_token
from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError, RepositoryNotFoundError

from whyseg.curation.images import printable
from whyseg.schemas.errors import HubConflict, HubDenied, HubError, HubUnavailable

if TYPE_CHECKING:
    from huggingface_hub.hf_api import RepoFile

PATIENCE_S = 120.0  # without a byte of an answer
OURS = ("data/", "assets/")  # what a push deletes below these in the repository when the release has it no longer
AGAIN = "push again: what has arrived is not sent twice"
_TYPE = "dataset"
# The base of all errors of the HTTP library that the client uses, whichever that is.
_HttpError: type[Exception] = HfHubHTTPError.__bases__[0]
_ERRORS = (_HttpError, ConnectionError, LocalTokenNotFoundError, ValueError)
_LONG = 300

Outcome = Literal["pushed", "tagged", "unchanged"]


@dataclass(frozen=True)
class LocalFile:
    """A file to send: its path in the repository, and where it lies."""

    path: str
    file: Path

    @cached_property
    def size(self) -> int:
        """Bytes."""
        return self.file.stat().st_size

    @cached_property
    def sha256(self) -> str:
        """As LFS names a file."""
        return self._digest("sha256")

    @cached_property
    def blob_id(self) -> str:
        """As git names a file."""
        return self._digest("sha1", f"blob {self.size}\0".encode())

    def same_as(self, remote: "RepoFile | None") -> bool:
        """Say whether a file of the repository holds the same bytes."""
        if remote is None or remote.size != self.size:
            return False
        if remote.lfs:
            return remote.lfs.sha256 == self.sha256
        return remote.blob_id == self.blob_id

    def _digest(self, name: str, start: bytes = b"") -> str:
        with self.file.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.new(name, start, usedforsecurity=False)).hexdigest()


def files_below(folder: Path) -> list[LocalFile]:
    """Return a folder's files by their paths; hidden ones are none of them."""
    found = (path for path in folder.rglob("*") if path.is_file())
    named = ((path.relative_to(folder).as_posix(), path) for path in found)
    return [LocalFile(name, path) for name, path in sorted(named) if not name.startswith(".")]


def send(
    files: Sequence[LocalFile], repo: str, tag: str, *, message: str, private: bool, api: HfApi | None = None
) -> tuple[Outcome, str]:
    """Bring files to a dataset's repository and tag them; return what had to be done, and the commit.

    The repository is made where there is none, private if asked for. What it has already is not sent again. A tag that
    is there with the same files means that nothing is to be done, whatever came after it. Raises ``HubConflict`` when
    the tag holds other files, when a repository that should be private is public, or when somebody else pushed at the
    same time; ``HubDenied``, ``HubUnavailable`` or ``HubError`` for all else that the Hub answers.
    """
    api = api or HfApi()
    token = api.token if isinstance(api.token, str) else get_token()
    if token is None:
        raise HubDenied("no token for the Hub: log in with hf auth login, or set HF_TOKEN")
    with _settled(), _typed(repo, token):
        _ensure(api, repo, private)
        refs = api.list_repo_refs(repo, repo_type=_TYPE)
        tagged = {ref.name: ref.target_commit for ref in refs.tags}
        if tag in tagged:
            if others := _others(files, _tree(api, repo, tag)):
                raise HubConflict(
                    f"{repo} has a tag {tag} with other content ({_named(others)}); "
                    "a tag never moves: push under another one with --revision"
                )
            return "unchanged", tagged[tag]
        head = next((ref.target_commit for ref in refs.branches if ref.name == "main"), None)
        changes = _changes(files, _tree(api, repo, head) if head else {})
        outcome: Outcome = "tagged"
        if changes or head is None:
            sent = api.create_commit(
                repo, changes, commit_message=message, repo_type=_TYPE, revision="main", parent_commit=head
            )
            head, outcome = sent.oid, "pushed"
            if others := _others(files, _tree(api, repo, head)):
                raise HubConflict(
                    f"{repo} did not take all files ({_named(others)}); does its .gitignore keep them out?"
                )
        api.create_tag(repo, tag=tag, revision=head, repo_type=_TYPE)
        return outcome, head


def _ensure(api: HfApi, repo: str, private: bool) -> None:
    try:
        known = api.repo_info(repo, repo_type=_TYPE)
    except RepositoryNotFoundError:
        api.create_repo(repo, repo_type=_TYPE, private=private or None, exist_ok=True)
        known = api.repo_info(repo, repo_type=_TYPE)
    if private and not known.private:
        raise HubConflict(f"{repo} is there and public; make it private on the Hub first, or push without --private")


def _tree(api: HfApi, repo: str, revision: str) -> dict[str, "RepoFile"]:
    from huggingface_hub.hf_api import RepoFile

    entries = api.list_repo_tree(repo, recursive=True, revision=revision, repo_type=_TYPE)
    return {entry.path: entry for entry in entries if isinstance(entry, RepoFile)}


def _stale(files: Sequence[LocalFile], remote: Mapping[str, "RepoFile"]) -> list[str]:
    kept = {file.path for file in files}
    return [path for path in remote if path.startswith(OURS) and path not in kept]


def _changes(
    files: Sequence[LocalFile], remote: Mapping[str, "RepoFile"]
) -> list[CommitOperationAdd | CommitOperationDelete]:
    added = [file for file in files if not file.same_as(remote.get(file.path))]
    return [
        *(CommitOperationDelete(path) for path in _stale(files, remote)),
        *(CommitOperationAdd(file.path, str(file.file)) for file in added),
    ]


def _others(files: Sequence[LocalFile], remote: Mapping[str, "RepoFile"]) -> list[str]:
    """Return the paths at which a revision holds something else than the files."""
    return [file.path for file in files if not file.same_as(remote.get(file.path))] + _stale(files, remote)


def _named(paths: Sequence[str]) -> str:
    return f"{len(paths)} {'file differs' if len(paths) == 1 else 'files differ'}, such as {printable(paths[0])}"


@contextmanager
def _settled() -> Iterator[None]:
    """Switch Xet off and let the client wait for an answer, but not for ever."""
    before, variable = constants.HF_HUB_DISABLE_XET, os.environ.get("HF_HUB_DISABLE_XET")
    constants.HF_HUB_DISABLE_XET = True  # read from the environment when the client was imported
    os.environ["HF_HUB_DISABLE_XET"] = "1"
    session = get_session()
    patience, session.timeout = session.timeout, PATIENCE_S
    try:
        yield
    finally:
        constants.HF_HUB_DISABLE_XET = before
        if variable is None:
            del os.environ["HF_HUB_DISABLE_XET"]
        else:
            os.environ["HF_HUB_DISABLE_XET"] = variable
        session.timeout = patience


@contextmanager
def _typed(repo: str, token: str) -> Iterator[None]:
    """Turn what the client raises into one line; the token stands in none."""
    try:
        yield
    except HubError:
        raise
    except RuntimeError as error:  # the client's name for a file that could not be sent; why is its cause
        if isinstance(error.__cause__, _ERRORS):
            raise _error(error.__cause__, repo, token) from error
        raise
    except _ERRORS as error:
        raise _error(error, repo, token) from error


def _error(error: BaseException, repo: str, token: str) -> HubError:
    said = getattr(error, "server_message", None) or str(error) or type(error).__name__
    line = printable(" ".join(said.replace(token, "***").split()))[:_LONG]
    if not isinstance(error, HfHubHTTPError):
        if isinstance(error, LocalTokenNotFoundError):
            return HubDenied(line)
        if isinstance(error, ValueError):  # an answer that makes no sense, or metadata that the Hub does not take
            return HubError(f"{repo}: {line}")
        return HubUnavailable(f"the Hub does not answer ({type(error).__name__}: {line}); {AGAIN}")
    status = error.response.status_code
    match status:
        case 401:
            return HubDenied(
                f"the Hub does not accept the token (401: {line}); log in with hf auth login, or set HF_TOKEN"
            )
        case 403:
            return HubDenied(f"the token may not write to {repo} (403: {line})")
        case 404:
            return HubError(f"{repo} is not there, or the token may not see it (404: {line})")
        case 409 | 412:
            return HubConflict(
                f"{repo} was changed by somebody else meanwhile ({status}: {line}); look at it, then {AGAIN}"
            )
        case 408 | 429:
            return HubUnavailable(f"the Hub asks to wait ({status}: {line}); later {AGAIN}")
        case _ if status >= 500:
            return HubUnavailable(f"the Hub fails ({status}: {line}); {AGAIN}")
    return HubError(f"the Hub refuses this for {repo} ({status}: {line})")
