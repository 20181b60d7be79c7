import importlib
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.fakes import FakeSegmenter
from whyseg.curation.segmenters import weights
from whyseg.curation.segmenters.base import Segmenter
from whyseg.curation.segmenters.choose import choose
from whyseg.schemas.errors import ModelUnavailable, UsageError

choosing = importlib.import_module("whyseg.curation.segmenters.choose")  # the package shows the function by that name
TINY = "facebook/sam2.1-hiera-tiny"


@dataclass
class Machine:
    """What a machine has: a GPU or none, weights that are here, weights that could be fetched."""

    gpu: bool = False
    cached: set[str] = field(default_factory=set)
    pullable: set[str] = field(default_factory=set)
    fetched: list[str] = field(default_factory=list)

    def here(self, model: weights.Model) -> Path | None:
        return Path("/weights") if model.name in self.cached else None

    def pull(self, model: weights.Model) -> Path:
        self.fetched.append(model.name)
        if model.name not in self.pullable:
            raise ModelUnavailable(f"no network for {model.name}")
        return Path("/weights")

    def load(self, backend: str, folder: Path, name: str) -> tuple[Segmenter, str]:
        where = {"mobilesam": "", "sam2": " on the GPU" if self.gpu else " on the CPU"}[backend]
        return FakeSegmenter(name=backend, model=name), where


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine()
    monkeypatch.setattr(weights, "here", made.here)
    monkeypatch.setattr(weights, "pull", made.pull)
    monkeypatch.setattr(choosing, "load", made.load)
    monkeypatch.setattr(choosing, "_has_gpu", lambda: made.gpu)
    return made


def chosen(name: str = "auto", model: str | None = None) -> tuple[str, str, str]:
    segmenter, reason = choose(name, model=model)
    return segmenter.name, segmenter.model, reason


def test_with_a_gpu_and_weights_it_is_sam2_tiny(machine: Machine) -> None:
    machine.gpu, machine.cached = True, {TINY, "mobilesam"}
    assert chosen() == ("sam2", TINY, "SAM 2.1 Hiera tiny on the GPU, as this machine has one.")
    assert machine.fetched == []


def test_with_a_gpu_the_weights_are_fetched_once(machine: Machine) -> None:
    machine.gpu, machine.pullable = True, {TINY}
    assert chosen()[:2] == ("sam2", TINY)
    assert machine.fetched == [TINY]


def test_with_a_gpu_but_no_hub_it_is_mobilesam(machine: Machine) -> None:
    machine.gpu, machine.pullable = True, {"mobilesam"}
    name, _, reason = chosen()
    assert (name, reason) == ("mobilesam", f"MobileSAM, as SAM 2 is missing (no network for {TINY}).")
    assert machine.fetched == [TINY, "mobilesam"], "one attempt at each"


def test_without_a_gpu_it_is_mobilesam_and_the_hub_is_left_alone(machine: Machine) -> None:
    machine.cached = {TINY, "mobilesam"}
    assert chosen() == ("mobilesam", "mobilesam", "MobileSAM, as this machine has no GPU.")
    machine.cached, machine.pullable = {TINY}, {"mobilesam", TINY}
    assert chosen()[0] == "mobilesam"
    assert machine.fetched == ["mobilesam"]


def test_without_mobilesam_a_cached_sam2_runs_on_the_cpu(machine: Machine) -> None:
    machine.cached = {TINY}
    assert chosen() == (
        "sam2",
        TINY,
        "SAM 2.1 Hiera tiny on the CPU, as MobileSAM is missing (no network for mobilesam).",
    )


def test_with_nothing_at_hand_it_is_grabcut_never_the_test_model(machine: Machine) -> None:
    machine.cached, machine.pullable = {"tiny-test"}, {"tiny-test"}
    name, _, reason = chosen()
    assert name == "grabcut"
    assert "no model weights (no network for mobilesam)" in reason


def test_what_is_asked_for_by_name_runs_or_fails(machine: Machine) -> None:
    machine.cached = {"tiny-test", "mobilesam"}
    assert chosen("sam2", "tiny-test")[:2] == ("sam2", "tiny-test")
    assert chosen("auto", "tiny-test")[:2] == ("sam2", "tiny-test")
    assert chosen("mobilesam")[:2] == ("mobilesam", "mobilesam")
    assert chosen("grabcut")[0] == "grabcut"
    with pytest.raises(ModelUnavailable, match="no network"):
        choose("sam2")


@pytest.mark.parametrize(
    ("name", "model", "message"),
    [
        ("sam3", None, "no segmenter 'sam3'; there are auto, sam2, mobilesam, grabcut, sam2-package"),
        ("sam2-package", None, "sam2-package needs a checkpoint of Meta's code: --model FILE.pt"),
        ("sam2-package", TINY, "is a model of sam2, not of sam2-package"),
        ("sam2", __file__, f"is a model of sam2-package, not of sam2; .* whyseg models convert sam2 {__file__}"),
        ("sam2", "nonsense", "no model 'nonsense'"),
        ("mobilesam", TINY, "is a model of sam2, not of mobilesam"),
        ("grabcut", "mobilesam", "GrabCut has no models"),
    ],
)
def test_wrong_names_are_wrong_use(machine: Machine, name: str, model: str | None, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        choose(name, model=model)


def test_the_user_hears_what_is_fetched(machine: Machine) -> None:
    machine.pullable = {"mobilesam"}
    heard: list[str] = []
    choose("auto", told=heard.append)
    assert heard == ["fetching MobileSAM"]
