"""The drafter with a model in this process: real loading code, random weights, so its replies are gibberish."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.curation.drafting.scenes import scene, thing
from tests.curation.drafting.tiny_vlm import save_qwen
from whyseg.curation.drafting import local
from whyseg.curation.drafting.local import TransformersDrafter
from whyseg.schemas import Drafted, ReasoningType, Usage
from whyseg.schemas.errors import DrafterUnavailable

STREET = scene(thing("umbrella", 20, 10, 60, 40, target=True), thing("car", 100, 50, 190, 90))
GREY = np.full((100, 200, 3), 128, np.uint8)


def draft(drafter: TransformersDrafter) -> Drafted:
    return drafter.draft(GREY, STREET, reasoning_type=ReasoningType.COMMONSENSE, depth=2, n=2)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "TOKENS_A_DRAFT", 4)


@pytest.mark.parametrize("generation", ["2.5", "3"])
@pytest.mark.usefixtures("short")
def test_a_real_architecture_loads_from_a_folder_sees_two_pictures_and_its_gibberish_is_a_value(
    tmp_path: Path, generation: str
) -> None:
    said: list[str] = []
    drafter = TransformersDrafter.load(str(save_qwen(tmp_path, generation)), device="cpu", told=said.append)
    done = draft(drafter)
    assert done.problem is not None
    assert done.problem.kind == "parse_failure"
    assert 0 < done.usage.completion_tokens <= 12  # 4 for each of two drafts and 4 more
    assert done.usage.prompt_tokens > 100  # the instructions alone
    assert said == [f"loading {tmp_path} onto cpu"]


class FakeProcessor:
    """Hands texts through and lets the network say what it was told to say."""

    def __init__(self, reply: str) -> None:
        self.reply = reply
        self.shown: list[Any] = []

    def apply_chat_template(self, messages: list[dict[str, Any]], **_: Any) -> str:
        self.shown = messages
        return "prompt"

    def __call__(self, **_: Any) -> "FakeInputs":
        return FakeInputs(input_ids=np.zeros((1, 30), int))

    def batch_decode(self, _: Any, **__: Any) -> list[str]:
        return [self.reply]


class FakeInputs(dict[str, Any]):
    """What a processor returns."""

    def to(self, _: Any) -> "FakeInputs":
        return self


class FakeNetwork:
    """Answers 30 tokens with 12 more."""

    device = "cpu"
    config = None

    def __init__(self, error: RuntimeError | None = None) -> None:
        self.error = error

    def generate(self, **_: Any) -> Any:
        if self.error:
            raise self.error
        return np.zeros((1, 42), int)


def test_a_reply_that_is_json_becomes_drafts() -> None:
    hops = ["Rain wets.", "It is kept off."]
    reply = json.dumps({"drafts": [{"query": "What keeps it off?", "is_sentence": True, "hops": hops, "answer": "it"}]})
    processor = FakeProcessor(f"```json\n{reply}\n```")
    done = draft(TransformersDrafter(FakeNetwork(), processor, "some/model"))
    (found,) = done.drafts
    assert (found.text, found.hops, found.drafter, found.model) == (
        "What keeps it off?",
        tuple(hops),
        "transformers",
        "some/model",
    )
    assert done.usage == Usage(prompt_tokens=30, completion_tokens=12)
    kinds = [part["type"] for part in processor.shown[1]["content"]]
    assert kinds == ["text", "image", "image"]


def test_a_model_that_runs_out_of_memory_stops_the_work_with_one_line() -> None:
    network = FakeNetwork(RuntimeError("CUDA out of memory.\nTried to allocate"))
    with pytest.raises(DrafterUnavailable, match=r"^some/model failed: CUDA out of memory\. Tried to allocate$"):
        draft(TransformersDrafter(network, FakeProcessor(""), "some/model"))


def test_a_folder_without_a_model_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(DrafterUnavailable, match="cannot be loaded") as refused:
        TransformersDrafter.load(str(tmp_path), device="cpu")
    assert "\n" not in str(refused.value)
