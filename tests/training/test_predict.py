import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from tests.fakes import FakeSegmenter
from tests.training.answers import row, sample
from tests.training.scripted import ScriptedPolicy, said
from tests.training.test_evaluate import Fixed
from whyseg.schemas import Query, Sample
from whyseg.schemas.errors import UsageError
from whyseg.training.candidates import CandidateFile
from whyseg.training.mask_reward import Masks
from whyseg.training.predict import CANDIDATES, PREDICTIONS, Predictor, Sampling, Share, predict, usual_segmenter
from whyseg.training.predictions import read_predictions
from whyseg.training.voting import Settings

# The fake segmenter's best answer to a box is the box less 4 pixels on every side: one from −4 to 4 leaves row 0.


def asked(text: str, number: int) -> Sample:
    one = sample(row("####······"), number=number)
    return one.model_copy(update={"query": Query(text=text)})


def box(x0: int, x1: int) -> tuple[int, int, int, int]:
    """Return the box that the fake segmenter answers with pixels x0 … x1."""
    return x0 - 4, -4, x1 + 4, 4


def predictor(policy: ScriptedPolicy, **words: int | float) -> Predictor:
    return Predictor(policy, Masks(FakeSegmenter()), Sampling.of(int(words.pop("k", 1)), **words))


def test_all_objects_of_an_answer_together_are_the_mask(tmp_path: Path) -> None:
    script = {"two": said(box(0, 1), box(5, 7)), "none": said(), "lost": "no answer at all"}
    policy = ScriptedPolicy(lambda query, number: script[query])
    data = Fixed(*[asked(text, number) for number, text in enumerate(script)])
    file = predict(data, predictor(policy), tmp_path / "out").file
    found = read_predictions(file)
    two, none, lost = (found[one.id] for one in data.samples)
    assert (two.mask, two.boxes) == (row("##···###··"), ((-4, -4, 5, 4), (1, -4, 11, 4)))
    assert (two.tokens, two.text) == (14, script["two"])
    assert (none.mask and none.mask.area, none.failed) == (0, False)
    assert (lost.mask, lost.failed, lost.tokens) == (None, True, 4)


def test_answers_are_scaled_from_the_policys_frame(tmp_path: Path) -> None:
    # The picture is 10 × 1 pixels: x ÷ 100 × 10, y ÷ 100 × 1.
    policy = ScriptedPolicy(lambda query, number: said((-40, -400, 60, 400)), frame="canvas_100")
    data = Fixed(asked("which?", 1))
    found = read_predictions(predict(data, predictor(policy), tmp_path / "out").file)
    assert found[data.samples[0].id].boxes == ((-4, -4, 6, 4),)
    assert found[data.samples[0].id].mask == row("###·······")


def test_several_answers_are_voted_on_and_kept(tmp_path: Path) -> None:
    policy = ScriptedPolicy(lambda query, number: said(box(0, 1)) if number < 3 else said(box(5, 9)))
    data = Fixed(asked("which?", 1))
    file = predict(data, predictor(policy, k=5), tmp_path / "out", settings=Settings()).file
    key = data.samples[0].id
    assert read_predictions(file)[key].mask == row("##········")
    kept = CandidateFile(tmp_path / "out" / CANDIDATES)[key]
    assert [one.objects[0].score for one in kept.answers] == [0.9] * 5
    assert (len(kept.texts), len(kept.tokens)) == (5, 5)
    # Again, with another setting: nothing is asked, the vote is another one.
    again = ScriptedPolicy(policy.script, most=0)
    file = predict(data, predictor(again, k=5), tmp_path / "out", settings=Settings(votes=0.7, iou=0.1)).file
    assert read_predictions(file)[key].mask == row("##········")


def test_a_run_that_was_cut_off_goes_on_where_it_was(tmp_path: Path) -> None:
    data = Fixed(*[asked(f"question {number}", number) for number in range(5)])
    first = ScriptedPolicy(lambda query, number: said(box(0, 1)), most=3)
    with pytest.raises(KeyboardInterrupt):
        predict(data, predictor(first, k=2), tmp_path / "out")
    with (tmp_path / "out" / "candidates-0.jsonl").open("ab") as file:
        file.write(b'{"sample_id": "torn')
    second = ScriptedPolicy(first.script)
    done: list[int] = []
    predict(data, predictor(second, k=2), tmp_path / "out", progress=done.append)
    assert first.asked + second.asked == [f"question {number}" for number in range(5)]
    assert done == [4, 5]
    assert len(read_predictions(tmp_path / "out" / PREDICTIONS)) == 5
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [CANDIDATES, "predict.json", PREDICTIONS]


def test_several_processes_share_the_questions(tmp_path: Path) -> None:
    data = Fixed(*[asked(f"question {number}", number) for number in range(5)])
    policies = [ScriptedPolicy(lambda query, number: said(box(0, 1))) for _ in range(2)]
    barrier = Barrier(2, timeout=60)

    def wait() -> None:
        barrier.wait()

    def work(rank: int) -> Path:
        share = Share(rank=rank, processes=2)
        return predict(data, predictor(policies[rank]), tmp_path / "out", share=share, wait=wait).file

    with ThreadPoolExecutor(2) as workers:
        files = list(workers.map(work, range(2)))
    assert [policy.asked for policy in policies] == [
        ["question 0", "question 2", "question 4"],
        ["question 1", "question 3"],
    ]
    assert files[0] == files[1]
    assert read_predictions(files[0]).keys() == {one.id for one in data.samples}


def test_a_question_that_cannot_be_scored_or_is_none_is_not_asked(tmp_path: Path) -> None:
    bare = sample(row("####······"), number=1).model_copy(update={"query": None})
    unknown = asked("unknown", 2).model_copy(update={"instances": ()})
    again = asked("once", 3)
    policy = ScriptedPolicy(lambda query, number: said())
    predict(Fixed(bare, unknown, again, again), predictor(policy), tmp_path / "out")
    assert policy.asked == ["once"]


def test_what_nobody_answered_is_asked_again(tmp_path: Path) -> None:
    data = Fixed(*[asked(f"question {number}", number) for number in range(3)])
    gone = ScriptedPolicy(lambda query, number: said() if query == "question 0" else "")
    found = predict(data, predictor(gone), tmp_path / "out")
    assert (found.answered, found.unanswered) == (1, 2)
    assert len(read_predictions(found.file)) == 1
    back = ScriptedPolicy(lambda query, number: said())
    found = predict(data, predictor(back), tmp_path / "out")
    assert (found.answered, found.unanswered, back.asked) == (3, 0, ["question 1", "question 2"])


def test_a_folder_of_another_run_is_left_alone(tmp_path: Path) -> None:
    data = Fixed(asked("which?", 1))
    policy = ScriptedPolicy(lambda query, number: said())
    predict(data, predictor(policy), tmp_path / "out")
    with pytest.raises(UsageError, match="holds the answers of another run: sampling differ"):
        predict(data, predictor(policy, k=2), tmp_path / "out")
    with pytest.raises(UsageError, match="another run: split differ"):
        predict(data, predictor(policy), tmp_path / "out", split="test")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").write_text("x")
    with pytest.raises(UsageError, match="is not empty, and holds no answers"):
        predict(data, predictor(policy), tmp_path / "other")


def test_what_was_asked_is_written_down(tmp_path: Path) -> None:
    policy = ScriptedPolicy(lambda query, number: said())
    predict(Fixed(asked("which?", 1)), predictor(policy, k=3, temperature=0.5), tmp_path / "out")
    assert json.loads((tmp_path / "out" / "predict.json").read_text()) == {
        "name": "scripted",
        "style": "vision_reasoner",
        "shape": "list",
        "frame": "pixels",
        "segmenter": "fake fake/discs",
        "sampling": {"k": 3, "temperature": 0.5, "top_p": 0.9, "max_tokens": 1024, "seed": 42},
        "data": "made up",
        "split": None,
    }


def test_one_answer_is_greedy_and_several_are_sampled_as_star_does() -> None:
    one, several = Sampling.of(1), Sampling.of(32)
    assert (one.temperature, one.top_p) == (0.0, 1.0)
    assert (several.temperature, several.top_p, several.seed, several.max_tokens) == (1.0, 0.9, 42, 1024)
    assert Sampling.of(32, temperature=0.5, top_p=None).temperature == 0.5


def test_the_world_has_a_segmenter_of_its_own() -> None:
    policy = ScriptedPolicy(lambda query, number: "")
    assert usual_segmenter(policy) == "facebook/sam2.1-hiera-large"
    policy.style = "world"
    assert usual_segmenter(policy) == "tiny-test"
