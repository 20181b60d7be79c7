from pathlib import Path

import pytest

from tests.training.comparing import Pictured, masks, pixels, question
from tests.training.scripted import ScriptedPolicy
from whyseg.schemas.errors import UsageError
from whyseg.training.compare_benchmarks import Rescored, compare_benchmarks
from whyseg.training.compare_page import benchmark_rows, write_benchmark_page
from whyseg.training.predict import Predictor, Sampling
from whyseg.training.protocols import protocol_of

HALF = "##········"
# 1 stays, 2 gets another mask, 3 another question, 4 goes and 5 comes.
OLD = Pictured("v1", question(1), question(2), question(3), question(4))
NEW = Pictured("v2", question(1), question(2, HALF), question(3, text="reworded 3"), question(5))
# Everything is answered with pixels 0 and 1, but the reworded question with 0 to 3.
ANSWERS = {"reworded 3": pixels(0, 3)}


def policy(*, most: int = 1000) -> ScriptedPolicy:
    return ScriptedPolicy(lambda query, _: ANSWERS.get(query, pixels(0, 1)), most=most)


def compared(out: Path, asked: ScriptedPolicy, second: Pictured = NEW) -> Rescored:
    predictor = Predictor(asked, masks(), Sampling.of(1))
    return compare_benchmarks(OLD, second, out, predictor=predictor, protocol=protocol_of("star"))


def test_a_difference_on_shared_samples_is_that_of_labels_and_words_alone(tmp_path: Path) -> None:
    asked = policy()
    found = compared(tmp_path / "c", asked)
    assert asked.asked == ["question 1", "question 2", "question 3", "question 4", "reworded 3", "question 5"]
    assert found.first.giou == 0.5  # 2 of 4 pixels, four times
    assert found.second.giou == pytest.approx((0.5 + 1 + 1 + 0.5) / 4)
    assert found.shared is not None
    assert (found.shared.n, found.shared.better, found.shared.worse, found.shared.equal) == (3, 2, 0, 1)
    assert found.shared.giou == pytest.approx((0 + 0.5 + 0.5) / 3)
    assert (found.reworded, found.added, found.removed) == (1, 1, 1)


def test_the_same_benchmark_twice_is_asked_once_and_differs_in_nothing(tmp_path: Path) -> None:
    asked = policy()
    found = compared(tmp_path / "c", asked, Pictured("v2", *OLD.samples))
    assert len(asked.asked) == 4
    assert found.shared is not None
    assert (found.shared.giou, found.shared.equal) == (0, 4)


def test_benchmarks_that_share_nothing_have_figures_and_no_difference(tmp_path: Path) -> None:
    found = compared(tmp_path / "c", policy(), Pictured("v2", question(9)))
    assert (found.shared, found.added, found.removed) == (None, 1, 4)
    assert [row[0] for row in benchmark_rows(found)] == ["", "v1", "v2"]


def test_what_was_cut_off_goes_on_and_asks_nothing_twice(tmp_path: Path) -> None:
    whole = compared(tmp_path / "whole", policy())
    with pytest.raises(KeyboardInterrupt):
        compared(tmp_path / "c", policy(most=4))
    again = policy()
    assert compared(tmp_path / "c", again) == whole
    assert again.asked == ["reworded 3", "question 5"]
    with pytest.raises(UsageError, match="second differ"):
        compared(tmp_path / "c", policy(), Pictured("v2", question(9)))


def test_the_page_says_what_is_shared(tmp_path: Path) -> None:
    found = compared(tmp_path / "c", policy())
    page = write_benchmark_page(found, tmp_path / "c").read_text()
    assert "1 questions were reworded and asked anew, 1 samples came, 1 went" in page
    assert "difference on shared ones" in page
    assert "+33.33" in page
