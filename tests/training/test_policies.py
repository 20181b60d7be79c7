"""Policies: in this process and behind an endpoint, with the prompt and the frame of their preset."""

import base64
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from starlette.responses import JSONResponse, Response

from tests.curation.drafting.server import error, serving
from tests.training.tiny_run import SIDE, policy, preset
from whyseg.schemas.errors import EndpointDenied, ModelUnavailable, UsageError
from whyseg.training.endpoint_policy import EndpointPolicy
from whyseg.training.launch import masks_of
from whyseg.training.local_policy import LocalPolicy
from whyseg.training.policies import CARD, TINY_WORLD, PolicyCard, open_policy

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
PICTURES = [np.random.default_rng(k).integers(0, 255, (60 + 10 * k, 90, 3), np.uint8) for k in range(3)]
QUERIES = ["What holds the tea?", "what is red", "what is it?"]


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> LocalPolicy:
    folder = tmp_path_factory.mktemp("policy") / "model"
    policy(folder)
    (folder / CARD).write_text(PolicyCard(preset=preset()).model_dump_json())
    found = open_policy(str(folder), device="cpu")
    assert isinstance(found, LocalPolicy)
    return found


def test_a_trained_policy_knows_how_it_is_asked(local: LocalPolicy) -> None:
    assert (local.frame.name, local.style, local.shape) == (f"canvas_{SIDE}", "world", "list_label")


def test_the_packaged_policy_goes_by_its_name_wherever_it_lies() -> None:
    assert open_policy(TINY_WORLD, device="cpu").name == "tiny-world"


def test_what_is_wrong_with_a_policys_place_is_said_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=r"/absent cannot be loaded: nothing is there, and it is no id"):
        open_policy(str(tmp_path / "absent"), preset="world_cpu")
    (tmp_path / CARD).write_text("{")
    with pytest.raises(UsageError, match=r"policy\.json is broken: PolicyCard: Invalid JSON"):
        open_policy(str(tmp_path))


def test_rewards_want_a_folder_and_say_how_to_make_one_of_a_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "mine.pt").write_bytes(b"weights")
    with pytest.raises(UsageError, match=r"whyseg models convert sam2 .*mine\.pt"):
        masks_of(str(tmp_path / "mine.pt"), "cpu")


def test_greedy_answers_are_the_same_however_many_are_wanted(local: LocalPolicy) -> None:
    one = local.answer(PICTURES, QUERIES, max_tokens=8)
    three = local.answer(PICTURES, QUERIES, k=3, max_tokens=8)
    assert [len(own) for own in three] == [3, 3, 3]
    assert [set(own) for own in three] == [set(own) for own in one]


def test_samples_differ_and_a_seed_brings_them_back(local: LocalPolicy) -> None:
    import torch

    torch.manual_seed(5)
    before = torch.rand(1)
    torch.manual_seed(5)
    first = local.answer(PICTURES, QUERIES, k=4, temperature=1.0, seed=1, max_tokens=8)
    assert torch.equal(torch.rand(1), before), "the caller's random numbers were used up"
    assert [len(own) for own in first] == [4, 4, 4]
    assert all(len(set(own)) > 1 for own in first)
    assert local.answer(PICTURES, QUERIES, k=4, temperature=1.0, seed=1, max_tokens=8) == first
    assert local.answer(PICTURES, QUERIES, k=4, temperature=1.0, seed=2, max_tokens=8) != first


def test_a_bare_model_needs_a_preset_and_an_absent_one_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="give --preset"):
        open_policy(policy(tmp_path / "bare"))
    with pytest.raises(UsageError, match="give --preset"):
        open_policy("owner/name", endpoint="http://localhost:1/v1")
    with pytest.raises(ModelUnavailable, match="nowhere cannot be loaded"):
        open_policy(str(tmp_path / "nowhere"), preset="world_cpu")


def choices(*texts: str | None) -> Response:
    return JSONResponse({"choices": [{"message": {"content": text}, "finish_reason": "stop"} for text in texts]})


def asked(chat: Any, k: int = 1, **more: Any) -> list[list[str]]:
    with EndpointPolicy(chat.url, "qwen", preset(), at_once=1) as remote:
        return remote.answer(PICTURES[:1], QUERIES[:1], k=k, **more)


def test_all_samples_of_a_question_come_in_one_request() -> None:
    with serving(choices("a", "b", "c")) as chat:
        assert asked(chat, 3, temperature=1.0, top_p=0.9, seed=4, max_tokens=50) == [["a", "b", "c"]]
    (body,) = chat.bodies
    assert {key: body[key] for key in ("n", "temperature", "top_p", "seed", "max_tokens")} == {
        "n": 3, "temperature": 1.0, "top_p": 0.9, "seed": 4, "max_tokens": 50,
    }  # fmt: skip
    picture, text = body["messages"][-1]["content"]
    assert text["text"] == "what holds the tea"
    png = base64.b64decode(picture["image_url"]["url"].removeprefix("data:image/png;base64,"))
    shown = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    assert shown is not None
    assert shown.shape == (SIDE, SIDE, 3)


def test_a_server_that_gives_one_answer_at_a_time_is_asked_again() -> None:
    with serving(choices("a"), choices("b"), choices("c")) as chat:
        assert asked(chat, 3, temperature=1.0) == [["a", "b", "c"]]
    assert [body["n"] for body in chat.bodies] == [3, 2, 1]
    assert [body["seed"] for body in chat.bodies] == [0, 1, 2]  # or a server that heeds it would repeat itself


def test_greedy_answers_are_asked_for_once() -> None:
    with serving(choices("a")) as chat:
        assert asked(chat, 4) == [["a"] * 4]
    assert [body["n"] for body in chat.bodies] == [1]


def test_an_answer_that_cannot_be_had_is_empty_and_a_wrong_key_ends_it() -> None:
    with serving(error(422, "the picture is too large")) as chat:
        assert asked(chat, 2, temperature=1.0) == [["", ""]]
    with serving(choices(None, "b")) as chat:
        assert asked(chat, 2, temperature=1.0) == [["", "b"]]
    with serving(error(401)) as chat, pytest.raises(EndpointDenied):
        asked(chat)
