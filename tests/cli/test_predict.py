import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from starlette.responses import Response
from typer.testing import CliRunner

from tests.curation.drafting.server import completion, error, serving
from tests.fakes import FakeSegmenter
from tests.released import released
from tests.training.scripted import ScriptedPolicy, said
from whyseg.cli import app
from whyseg.curation import segmenters
from whyseg.curation.reading import open_data
from whyseg.schemas import Mask
from whyseg.schemas.errors import UsageError
from whyseg.training import asker, policies
from whyseg.training.frames import Frame
from whyseg.training.world.dataset import PLAIN
from whyseg.training.world.export import write_world
from whyseg.training.world.lessons import reply


@pytest.fixture
def policy(monkeypatch: pytest.MonkeyPatch) -> ScriptedPolicy:
    """Let every policy be this one, which sees a disc where the released pictures have one; segmenters are fakes."""
    found = ScriptedPolicy(lambda query, number: said((18, 18, 42, 42)) if number % 2 == 0 else said())
    monkeypatch.setattr(policies, "open_policy", lambda source, **words: found)
    monkeypatch.setattr(asker, "open_policy", lambda source, **words: found)
    monkeypatch.setattr(segmenters, "choose", lambda model, told: (FakeSegmenter(), f"A fake instead of {model}."))
    return found


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    released(tmp_path / "w").close()
    return tmp_path / "w"


def run(*words: str | Path, expected: int = 0) -> str:
    result = CliRunner().invoke(app, list(map(str, words)))
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == expected, result.output
    return result.stdout


def test_a_policy_is_asked_and_its_answers_are_scored(policy: ScriptedPolicy, workspace: Path, tmp_path: Path) -> None:
    out = json.loads(run("predict", "v1", "-w", workspace, "--policy", "p", "--out", tmp_path / "out", "--json"))
    assert (out["answered"], len(policy.asked)) == (4, 4)
    scored = json.loads(run("evaluate", "v1", "-w", workspace, "--predictions", out["predictions"], "--json"))
    assert (scored["n"], scored["failed"], scored["mean_tokens"]) == (4, 0, 7)
    assert scored["giou"] > 0.2
    # The same in one go, from what is there: nobody is asked again.
    again = json.loads(run("evaluate", "v1", "-w", workspace, "--policy", "p", "--out", tmp_path / "out", "--json"))
    assert again["giou"] == scored["giou"]
    assert len(policy.asked) == 4
    assert (tmp_path / "out" / "report.html").exists()


def test_several_answers_are_voted_on_and_swept(policy: ScriptedPolicy, workspace: Path, tmp_path: Path) -> None:
    words = ("evaluate", "v1", "-w", workspace, "--policy", "p", "--samples", "5", "--out", tmp_path / "out", "--json")
    out = json.loads(run(*words, "--sweep"))
    assert out["giou"] > 0.2  # three of five see the disc
    assert len(out["sweep"]) == 144
    assert json.loads(run(*words, "--no-object", "0.4"))["giou"] == 0
    assert len(policy.asked) == 4


def test_evaluating_a_policy_samples_as_predicting_with_it_does(
    policy: ScriptedPolicy, workspace: Path, tmp_path: Path
) -> None:
    sampling = ("--samples", "3", "--temperature", "0.5", "--top-p", "0.8", "--max-tokens", "99", "--seed", "7")
    words = ("v1", "-w", workspace, "--policy", "p", "--out", tmp_path / "out", *sampling)
    run("evaluate", *words)
    kept = json.loads((tmp_path / "out" / "predict.json").read_text())["sampling"]
    assert kept == {"k": 3, "temperature": 0.5, "top_p": 0.8, "max_tokens": 99, "seed": 7}
    run("predict", *words)
    assert len(policy.asked) == 4, "the other command asked again"
    with pytest.raises(UsageError, match="another"):
        run("evaluate", *words, "--seed", "8")
    with pytest.raises(UsageError, match="Sampling: temperature"):
        run("evaluate", *words, "--temperature", "-1")


def test_answers_of_a_policy_need_a_place_and_a_sweep_several_answers(
    policy: ScriptedPolicy, workspace: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="--out DIR"):
        run("evaluate", "v1", "-w", workspace, "--policy", "p")
    with pytest.raises(UsageError, match="--samples above 1"):
        run("evaluate", "v1", "-w", workspace, "--policy", "p", "--out", tmp_path / "out", "--sweep")
    with pytest.raises(UsageError, match="Sampling: temperature"):
        run("predict", "v1", "-w", workspace, "--policy", "p", "--out", tmp_path / "out", "--temperature", "-1")
    assert not (tmp_path / "out").exists()


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    data = np.full((40, 60, 3), 200, np.uint8)
    cv2.imwrite(str(tmp_path / "any.png"), data)
    return tmp_path / "any.png"


def test_one_picture_outside_any_data_set_is_asked_about(policy: ScriptedPolicy, picture: Path, tmp_path: Path) -> None:
    drawn = tmp_path / "drawn.png"
    out = json.loads(run("predict", picture, "which?", "--policy", "p", "--json", "--overlay", drawn))
    assert (out["size"], out["vote"], out["settings"], policy.asked) == ([40, 60], None, None, ["which?"])
    (answer,) = out["answers"]
    assert (answer["problem"], answer["objects"][0]["box"]) == (None, [18, 18, 42, 42])
    # The fake's first mask of a box alone is the box less 12 − 8 = 4 pixels on each side: 22 … 38, both included.
    assert Mask.parse(out["mask"]).box_xyxy == (22, 22, 39, 39)
    pixels = cv2.imread(str(drawn))
    assert pixels is not None
    assert pixels.shape == (40, 60, 3)
    assert pixels[18, 30].tolist() == [10, 214, 255]  # the box's upper edge, in BGR
    assert pixels[2, 2].tolist() == [200, 200, 200]


def test_several_answers_about_one_picture_are_voted_on(policy: ScriptedPolicy, picture: Path) -> None:
    # Portions of 8: the script counts each from 0, so answers 0, 2, … of each see the box: 5 + 1 of 9 + … = 5 of 9.
    out = json.loads(run("predict", picture, "which?", "--policy", "p", "--votes", "9", "--json"))
    assert (len(out["answers"]), out["vote"]["valid"], out["vote"]["no_object_votes"]) == (9, 9, 4)
    assert out["vote"]["clusters"][0]["votes"] == 5
    nothing = json.loads(run("predict", picture, "?", "--policy", "p", "--votes", "9", "--no-object", "0.4", "--json"))
    assert (nothing["vote"]["outcome"], Mask.parse(nothing["mask"]).area) == ("no_object", 0)


def test_what_a_model_writes_does_not_steer_the_terminal(policy: ScriptedPolicy, picture: Path) -> None:
    policy.script = lambda query, number: "\x1b[2J<answer>{\udcff\u202e</answer>"
    out = run("predict", picture, "which?", "--policy", "p")
    assert out.splitlines()[0] == r"\x1b[2J<answer>{?\u202e</answer>"
    assert "unreadable: the answer is no valid JSON" in out
    assert out.splitlines()[-1] == "no mask: no answer could be read"


def test_a_picture_needs_a_question_and_a_data_set_a_place(policy: ScriptedPolicy, picture: Path) -> None:
    for words, told in (
        ((picture,), "whyseg predict .*any.png QUESTION"),
        ((picture, " "), "the question is empty"),
        ((picture, "which?", "--out", "x"), "--out is for a data set"),
        ((picture, "which?", "--overlay", "x.jpg"), "--overlay is a PNG file"),
        (("v1", "--overlay", "x.png"), "--overlay is for one picture"),
        (("v1",), "--out DIR"),
    ):
        with pytest.raises(UsageError, match=told):
            run("predict", *words, "--policy", "p")
    assert policy.asked == []


def test_a_served_policy_that_answers_rightly_scores_well(tmp_path: Path) -> None:
    write_world(tmp_path / "world", 6, 0, PLAIN)
    right: dict[tuple[str, str], str] = {}
    for item in open_data(tmp_path / "world").items():
        assert item.sample.query
        key = hashlib.sha256(item.pixels().tobytes()).hexdigest(), item.sample.query.text.lower().strip(".?! ")
        right[key] = reply(item.sample, Frame("canvas_112"))

    def answer(body: dict[str, Any]) -> Response:
        picture, text = body["messages"][-1]["content"]
        png = np.frombuffer(base64.b64decode(picture["image_url"]["url"].split(",")[1]), np.uint8)
        pixels = cv2.cvtColor(np.asarray(cv2.imdecode(png, cv2.IMREAD_COLOR)), cv2.COLOR_BGR2RGB)
        return completion(right[hashlib.sha256(pixels.tobytes()).hexdigest(), text["text"]])

    words = (
        "evaluate",
        tmp_path / "world",
        "--policy",
        "m",
        "--preset",
        "world_cpu",
        "--out",
        tmp_path / "out",
        "--json",
    )
    with serving(answer) as chat:
        out = json.loads(run(*words, "--endpoint", chat.url))
    assert (out["n"], out["failed"], len(chat.bodies)) == (6, 0, 6)
    assert out["giou"] > 0.6  # the packaged test model's masks of right boxes and points
    assert out["mean_tokens"] is None


def test_an_endpoint_that_is_gone_leaves_its_questions_for_another_run(tmp_path: Path) -> None:
    write_world(tmp_path / "world", 2, 0, PLAIN)
    words = (
        "predict",
        tmp_path / "world",
        "--policy",
        "m",
        "--preset",
        "world_cpu",
        "--out",
        tmp_path / "out",
        "--json",
    )
    with serving(error(422)) as chat:
        out = json.loads(run(*words, "--endpoint", chat.url, expected=1))
        assert (out["answered"], out["unanswered"]) == (0, 2)
        chat.replies[:] = [completion("<think></think><answer>[]</answer>")]
        out = json.loads(run(*words, "--endpoint", chat.url))
    assert (out["answered"], out["unanswered"]) == (2, 0)
