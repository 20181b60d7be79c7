"""Runs: what they leave behind, going on after a kill, adapters, a second stage, the command line."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.training.tiny_run import DrawnData, moved_adapters, policy, preset
from whyseg.cli import app
from whyseg.schemas.errors import UsageError
from whyseg.training.launch import resume, start
from whyseg.training.policies import card_of, open_policy
from whyseg.training.run import RunFolder, lines, order
from whyseg.training.settings import Machine

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning", "ignore::DeprecationWarning")
LORA = {"r": 4, "alpha": 4, "regex": r".*language_model.*\.(q_proj|v_proj)"}


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> str:
    return policy(tmp_path_factory.mktemp("policy") / "bare")


@pytest.fixture(scope="module")
def finished(bare: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of two updates with adapters."""
    out = tmp_path_factory.mktemp("runs") / "one"
    made = preset(lora=LORA, max_steps=2, n=4, keep=2)
    start(made, DrawnData(8), out, machine=Machine(rows=2), policy=bare, save_every=1)
    return out


def test_a_run_leaves_everything_that_tells_what_was_done(finished: Path, bare: str) -> None:
    record = RunFolder.of(finished).read()
    assert record.state == "done"
    assert record.finished_at is not None
    assert record.preset.name == "tiny"
    assert (record.data.rows, record.data.left_out) == (7, 1)  # the seventh has no question
    assert (record.plan.updates, record.plan.prompts) == (2, 4)
    assert record.start.base == bare
    assert record.segmenter == "tiny-test"
    assert {"torch", "trl", "transformers", "python"} <= record.versions.keys()
    curves = list(lines(finished / "curves.jsonl"))
    assert [line["update"] for line in curves] == [1, 2]
    assert {"reward", "rewards/accuracy/mean", "completions/mean_length", "rest/kept_abs_advantage"} <= curves[0].keys()
    assert [line["rank"] for line in lines(finished / "samples.jsonl")] == ["best", "middle", "worst"] * 2
    assert {path.name for path in (finished / "curves").iterdir()} >= {"reward.png", "terms.png", "length.png"}
    assert len(list((finished / "samples").iterdir())) == 6
    assert list((finished / "events").glob("events.out.tfevents.*"))
    page = (finished / "report.html").read_text()
    assert "tiny on drawn" in page
    assert page.count("<img") >= 8


def test_its_policy_answers_with_the_adapters_that_were_trained(finished: Path, tmp_path: Path) -> None:
    import numpy as np

    found = open_policy(str(finished), device="cpu")
    picture = np.zeros((60, 90, 3), np.uint8)
    greedy = found.answer([picture], ["what is 1?"], max_tokens=8)
    done = CliRunner().invoke(app, ["train", "--merge", str(finished), "--out", str(tmp_path / "m")])
    assert done.exit_code == 0, done.output
    merged = open_policy(str(tmp_path / "m"), device="cpu")
    assert merged.answer([picture], ["what is 1?"], max_tokens=8) == greedy
    known = card_of(tmp_path / "m")
    assert known is not None
    assert known[1].base is None


@pytest.mark.slow
def test_a_second_stage_goes_on_from_the_first_and_keeps_close_to_it(finished: Path, bare: str, tmp_path: Path) -> None:
    first, out = tmp_path / "one", tmp_path / "two"
    shutil.copytree(finished / "policy", first)
    began = moved_adapters(first / "adapter_model.safetensors")
    # Random answers earn all the same, so only the weight decay moves the weights, and the KL term once it did.
    second = preset(
        lora=LORA, max_steps=2, n=4, keep=2, max_completion_tokens=8, lr=0.01, weight_decay=0.5, beta=0.1
    ).model_copy(update={"name": "second"})
    start(second, DrawnData(4), out, machine=Machine(), continues=first, save_every=2)
    record = RunFolder.of(out).read()
    assert record.start.base == str(Path(bare).resolve())
    assert record.start.adapters == str(first)
    ended = weights_of(out / "policy" / "adapter_model.safetensors")
    assert ended.keys() == began.keys()
    assert not all(ended[key].equal(began[key]) for key in began)
    divergence = [line["kl"] for line in lines(out / "curves.jsonl")]
    assert divergence[0] == 0, "the reference is not the first stage's policy, whose own the first answers are"
    assert divergence[1] > 0
    reference = weights_of(out / "checkpoints" / "checkpoint-2" / "ref" / "adapter_model.safetensors")
    assert all(reference[key].equal(began[key]) for key in began)
    assert not (out / "policy" / "ref").exists(), "a policy holds its own adapters alone"


def test_what_does_not_fit_together_is_said_before_a_run_begins(finished: Path, bare: str, tmp_path: Path) -> None:
    plain = preset(lora=LORA).plain()
    stage2 = type(preset()).parse({**plain, "stage": {"continues": "star_7b_stage1"}})
    with pytest.raises(UsageError, match="tiny continues star_7b_stage1: give that run's folder with --continue"):
        start(stage2, DrawnData(4), tmp_path / "a", machine=Machine())
    with pytest.raises(UsageError, match="is of tiny"):
        start(stage2, DrawnData(4), tmp_path / "a", machine=Machine(), continues=finished)
    with pytest.raises(UsageError, match="holds no trained policy"):
        start(stage2, DrawnData(4), tmp_path / "a", machine=Machine(), continues=tmp_path)
    with pytest.raises(UsageError, match="3 rollouts at once do not divide 8 kept ones"):
        start(preset(), DrawnData(4), tmp_path / "a", machine=Machine(rows=3))
    with pytest.raises(UsageError, match="4 rows are of test, asked was train"):
        start(preset(), DrawnData(4, split="test"), tmp_path / "a", machine=Machine(), policy=bare)
    assert not (tmp_path / "a").exists()


def test_a_folder_that_holds_something_is_not_trained_into(finished: Path, bare: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds a run already; --resume"):
        start(preset(), DrawnData(4), finished, machine=Machine(), policy=bare)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="holds something else"):
        start(preset(), DrawnData(4), tmp_path, machine=Machine(), policy=bare)


def test_what_a_killed_warm_up_left_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "start").mkdir()
    (tmp_path / "data" / "images").mkdir(parents=True)
    folder = RunFolder.new(tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == [".lock"]
    folder.close()


def test_two_processes_do_not_train_one_run(tmp_path: Path) -> None:
    first = RunFolder.new(tmp_path / "run")
    (tmp_path / "run" / "data").mkdir()
    with pytest.raises(UsageError, match="another process is at work on"):
        RunFolder.new(tmp_path / "run")
    assert (tmp_path / "run" / "data").is_dir(), "what the first one lays down was removed"
    first.close()
    RunFolder.new(tmp_path / "run").close()


def test_a_finished_run_is_not_trained_again(finished: Path) -> None:
    before = (finished / "run.json").read_bytes()
    told: list[str] = []
    assert resume(finished, told=told.append).state == "done"
    assert told == ["the run is finished"]
    assert (finished / "run.json").read_bytes() == before


@pytest.mark.slow
@pytest.mark.parametrize("lora", [None, LORA])
def test_going_on_starts_from_the_weights_of_the_checkpoint(lora: Any, bare: str, tmp_path: Path) -> None:
    # Random answers earn all the same, so nothing but the weight decay moves the weights: by 0.5 % an update.
    made = preset(lora=lora, max_steps=2, n=4, keep=2, max_completion_tokens=4, lr=0.01, weight_decay=0.5)
    out = tmp_path / "run"
    start(made, DrawnData(4), out, machine=Machine(), policy=bare, save_every=1)
    name = "adapter_model.safetensors" if lora else "model.safetensors"
    undisturbed = weights_of(out / "policy" / name)
    folder = RunFolder.of(out)
    shutil.rmtree(out / "policy")
    shutil.rmtree(out / "checkpoints" / "checkpoint-2")
    folder.write(folder.read().model_copy(update={"state": "running", "finished_at": None}))
    assert resume(out).resumed_at == (1,)
    assert [line["update"] for line in lines(out / "curves.jsonl")] == [1, 2]
    again = weights_of(out / "policy" / name)
    assert again.keys() == undisturbed.keys()
    assert max(float((again[key] - undisturbed[key]).abs().max()) for key in again) == 0
    if lora is None:
        before = weights_of(Path(bare) / name)
        moved = [key for key in before if not before[key].equal(again[key])]
        assert len(moved) > len(before) / 2, "weights that do not move would show nothing"


def weights_of(path: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return dict(load_file(path))


def test_every_row_comes_once_before_any_comes_twice() -> None:
    rows = order(5, 13, seed=3)
    assert len(rows) == 13
    assert sorted(rows[:5]) == sorted(rows[5:10]) == [0, 1, 2, 3, 4]
    assert rows[:5] != rows[5:10]
    assert order(5, 13, seed=3) == rows != order(5, 13, seed=4)
    assert order(100, 3, seed=3) == order(100, 200, seed=3)[:3]


def test_lines_of_later_updates_and_half_lines_are_dropped(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.curves.write_text('{"update": 1}\n{"update": 2}\n{"update": 3}\n{"upd')
    folder.samples.write_text('{"update": 0}\n{"update": 1}\n{"update": 2}\n')
    folder.rewind(2)
    assert [line["update"] for line in lines(folder.curves)] == [1, 2]
    assert [line["update"] for line in lines(folder.samples)] == [0, 1]  # answers of before updates 1 and 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train"], "a preset is missing"),
        (["train", "world_cpu"], "the data is missing"),
        (["train", "nonsense", "--data", "x"], "no preset 'nonsense'"),
        (["train", "--resume", "/nowhere"], "holds no run"),
        (["train", "world_cpu", "--report", "x"], "takes a run's folder alone"),
        (["train", "world_cpu", "--data", "nowhere"], "neither a path nor a release"),
    ],
)
def test_wrong_use_is_said_before_anything_is_done(words: list[str], message: str, tmp_path: Path) -> None:
    found = CliRunner().invoke(app, [*words, "--workspace", str(tmp_path)])
    assert isinstance(found.exception, UsageError)
    assert message in str(found.exception)
    assert list(tmp_path.iterdir()) == []


def test_the_report_is_drawn_anew_on_request(finished: Path) -> None:
    (finished / "report.html").unlink()
    done = CliRunner().invoke(app, ["train", "--report", str(finished), "--json"])
    assert done.exit_code == 0, done.output
    assert Path(json.loads(done.stdout)["report"]).is_file()
