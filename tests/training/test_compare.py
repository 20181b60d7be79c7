import json
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.pictures import encoded
from tests.training.answers import ROW
from tests.training.comparing import FakeRecipe, Pictured, masks, pixels, question
from whyseg.schemas import Split
from whyseg.schemas.errors import UsageError
from whyseg.training.compare import SETUP, Compared, begun, claimed, compare_data, conclude, spread_of
from whyseg.training.compare_page import conclusion, rows, write_page
from whyseg.training.held_out import Side
from whyseg.training.protocols import protocol_of
from whyseg.training.run import RunFolder

# Every target is "####": pixels 0 … 3. WHOLE has IoU 1, HALF 2/4, WIDE 4/8.
WHOLE, HALF, WIDE, NOWHERE = pixels(0, 3), pixels(0, 1), pixels(0, 7), pixels(6, 9)
BEFORE = Pictured("v1", question(1), question(2))
AFTER = Pictured("v2", question(1), question(2, target="##········"))
HELD_OUT = Pictured("held out", question(100), question(101), question(102))


def script(name: str, seed: int) -> Sequence[str]:
    known = {
        ("start", 0): (NOWHERE, NOWHERE, HALF),
        ("v1", 0): (HALF, HALF, HALF),
        ("v1", 1): (HALF, HALF, HALF),
        ("v2", 0): (WHOLE, WIDE, WHOLE),
        ("v2", 1): (WHOLE, WHOLE, WHOLE),
    }
    return known[name, seed]


def compared(out: Path, recipe: FakeRecipe | None = None, **changed: Any) -> Compared:
    words: dict[str, Any] = {"first": BEFORE, "second": AFTER, "held_out": HELD_OUT, "seeds": (0, 1)} | changed
    sides = (words.pop("first"), words.pop("second"), words.pop("held_out"))
    return compare_data(
        *sides, out, recipe=recipe or FakeRecipe(script), masks=masks(), protocol=protocol_of("star"), **words,
    )  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished comparison of two seeds."""
    return tmp_path_factory.mktemp("compared") / "c"


@pytest.fixture(scope="module")
def done(folder: Path) -> Compared:
    return compared(folder)


def test_the_difference_is_that_worked_out_by_hand_for_each_seed_and_together(done: Compared) -> None:
    found = done
    first, second = found.trials
    assert first.start is not None
    assert first.start.giou == pytest.approx(1 / 6)  # 0, 0, ½
    assert first.first.giou == 0.5
    assert first.second.giou == pytest.approx(5 / 6)  # 1, ½, 1
    assert first.difference.giou == pytest.approx(1 / 3)
    assert second.difference.giou == pytest.approx(1 / 2)
    assert found.together.giou == pytest.approx(5 / 12)
    # I: 2 of U 4 six times; 4, 4, 4, 4, 4, 4 of 4, 8, 4, 4, 4, 4.
    assert found.together.ciou == pytest.approx(24 / 28 - 12 / 24)
    # A picture's gain, both seeds together, is ½, ¼, ½. Of three drawn all are the second with 1/27, none with 8/27.
    assert found.together.intervals["giou"] == pytest.approx((0.25, 0.5))
    assert found.spread is not None
    # Student's t for one degree of freedom is 12.706; the deviation of ⅓ and ½ is 1/6/√2.
    reach = 12.706 / 12
    assert (found.spread.mean, found.spread.deviation) == pytest.approx((5 / 12, 1 / 6 / 2**0.5))
    assert (found.spread.low, found.spread.high) == pytest.approx((5 / 12 - reach, 5 / 12 + reach), abs=1e-4)
    assert (found.conclusion, found.near_duplicates, found.unlike) == ("gain", 0, None)


def test_the_other_way_round_is_the_same_loss(tmp_path: Path) -> None:
    found = compared(tmp_path / "c", first=AFTER, second=BEFORE)
    assert found.together.giou == pytest.approx(-5 / 12)
    assert found.conclusion == "loss"


def test_a_release_beside_itself_is_no_gain(tmp_path: Path) -> None:
    found = compared(tmp_path / "c", second=BEFORE)
    assert (found.together.giou, found.together.intervals["giou"], found.together.p_value) == (0, (0, 0), 1)
    assert found.conclusion == "undecided"
    assert found.together.equal == 6


def test_seeds_that_disagree_leave_it_undecided_whatever_the_pictures_say(done: Compared) -> None:
    together = done.together
    assert together.intervals["giou"] == pytest.approx((0.25, 0.5))
    assert conclude(together, [0.9, -0.01]) == "undecided"
    assert conclude(together, [0.9, 0.01]) == "gain"


def test_a_start_without_language_is_not_asked(tmp_path: Path) -> None:
    recipe = FakeRecipe(script)
    recipe.speaks = False
    found = compared(tmp_path / "c", recipe, seeds=(0,))
    assert found.trials[0].start is None
    assert len(recipe.policies) == 2
    assert rows(found)[1][1] == "–"


def test_one_seed_has_no_spread_and_the_words_say_so(tmp_path: Path) -> None:
    found = compared(tmp_path / "c", seeds=(0,))
    assert found.spread is None
    assert spread_of([0.1]) is None
    assert conclusion(found).endswith("one seed says nothing of what another would give")
    assert [row[0] for row in rows(found)] == ["", "seed 0"]


def test_pictures_that_are_trained_on_are_refused_by_name_before_anything_is_trained(tmp_path: Path) -> None:
    recipe = FakeRecipe(script)
    leaking = Pictured("held out", question(100), question(2))
    with pytest.raises(UsageError, match="1 pictures that would be compared on are trained on in v1: row 2"):
        compared(tmp_path / "c", recipe, held_out=leaking)
    assert recipe.trained == []
    assert not (tmp_path / "c").exists()


def test_only_the_part_for_training_counts_as_trained_on_and_only_the_test_as_held_out(tmp_path: Path) -> None:
    both = (question(1), question(100), question(101), question(102))
    splits: tuple[Split, ...] = ("train", "test", "test", "validation")
    release = Pictured("v1", *both, splits=splits)
    found = compared(tmp_path / "c", first=release, held_out=release)
    assert (found.setup.held_out.split, found.setup.held_out.samples) == ("test", 2)
    assert (found.setup.first.split, found.setup.first.samples) == ("train", 1)
    assert found.together.n == 4


def test_pictures_that_resemble_trained_ones_are_counted_and_the_figure_without_them_stands_beside(
    tmp_path: Path,
) -> None:
    rng = np.random.default_rng(0)
    trained, other = (rng.integers(0, 256, (*ROW, 3), np.uint8) for _ in range(2))
    learnt = Pictured("v1", question(1), question(2), pictures=(encoded(trained),) * 2)
    held_out = Pictured(
        "held out", question(100), question(101), question(102), pictures=[encoded(p) for p in (trained, other, other)]
    )
    found = compared(tmp_path / "c", first=learnt, second=learnt, held_out=held_out, seeds=(0,))
    assert found.near_duplicates == 1
    assert found.unlike is not None
    assert found.unlike.n == 2
    assert rows(found)[-1][0] == "without near-duplicates"


def test_a_comparison_that_is_killed_goes_on_and_ends_like_one_that_was_not(tmp_path: Path, done: Compared) -> None:
    killed = FakeRecipe(script, most=2)
    with pytest.raises(KeyboardInterrupt):
        compared(tmp_path / "c", killed, seeds=(0,), samples=1)
    for most in (3, 1000):  # no policy answers more than three questions
        again = FakeRecipe(script, most=most)
        found = compared(tmp_path / "c", again, seeds=(0, 1))
    assert found == done
    assert again.trained == []
    assert again.policies == []
    assert json.loads((tmp_path / "c" / "results.json").read_text()) == done.plain()


def test_more_seeds_may_be_named_later_and_only_they_are_trained(tmp_path: Path, done: Compared) -> None:
    compared(tmp_path / "c", seeds=(0,))
    recipe = FakeRecipe(script)
    assert compared(tmp_path / "c", recipe, seeds=(0, 1)) == done
    assert recipe.trained == [("v1", 1), ("v2", 1)]


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"second": Pictured("v2", question(1))}, "second differ"),
        ({"held_out": Pictured("held out", question(100))}, "held_out differ"),
        ({"recipe": FakeRecipe(script, updates=3)}, "updates differ"),
        ({"samples": 2}, "samples differ"),
    ],
)
def test_another_comparison_in_the_same_folder_is_refused(
    folder: Path, done: Compared, changed: dict[str, Any], named: str
) -> None:
    with pytest.raises(UsageError, match=named):
        compared(folder, **changed)


def test_a_folder_that_holds_something_else_and_one_that_is_being_worked_on_are_refused(
    tmp_path: Path, folder: Path, done: Compared
) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="holds no comparison"):
        compared(tmp_path)
    with closing(RunFolder(folder)) as other:
        other.claim()
        with pytest.raises(UsageError, match="another process is at work"):
            compared(folder)


def test_a_policy_that_was_trained_into_since_the_comparison_began_is_refused(tmp_path: Path) -> None:
    (weights := tmp_path / "model" / "w").parent.mkdir()
    weights.write_bytes(b"old")
    setup, model = Side(name="v1", split=None, samples=1, images=1, hash="h"), str(weights.parent)
    claimed(tmp_path / "c", setup, model).close()
    claimed(tmp_path / "c", setup, model).close()
    weights.write_bytes(b"newer")
    with pytest.raises(UsageError, match="have changed since it was begun"):
        claimed(tmp_path / "c", setup, model)


def test_a_comparison_that_came_to_nothing_leaves_no_folder_behind(tmp_path: Path) -> None:
    setup = Side(name="v1", split=None, samples=1, images=1, hash="h")
    with pytest.raises(UsageError, match="wrong"), begun(tmp_path / "c", setup):
        raise UsageError("wrong")
    assert not (tmp_path / "c").exists()
    with begun(tmp_path / "c", setup):
        (tmp_path / "c" / "answers").mkdir()
    with pytest.raises(UsageError, match="later"), begun(tmp_path / "c", setup):
        raise UsageError("later")
    assert (tmp_path / "c" / SETUP).exists()  # some answers are there: it goes on


@pytest.mark.parametrize("seeds", [(), (1, 1)])
def test_seeds_are_named_once(tmp_path: Path, seeds: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="every seed is named once"):
        compared(tmp_path / "c", seeds=seeds)


def test_data_with_nothing_to_train_on_or_to_compare_on_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="v1 has no samples to train on"):
        compared(tmp_path / "c", first=Pictured("v1", question(1), splits=("test",)))
    with pytest.raises(UsageError, match="held out has no samples to compare on"):
        compared(tmp_path / "c", held_out=Pictured("held out"))
    silent = question(100).model_copy(update={"query": None})
    with pytest.raises(UsageError, match="held out has no samples to compare on"):
        compared(tmp_path / "c", held_out=Pictured("held out", silent))


def test_several_processes_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UsageError, match="one process"):
        compared(tmp_path / "c")


def test_the_page_shows_figures_and_the_questions_that_changed_most_and_runs_nothing(tmp_path: Path) -> None:
    hostile = question(100, text="question 100 <script>alert(1)</script>")
    held_out = Pictured("held <b>out</b>", hostile, question(101), question(102))
    found = compared(tmp_path / "c", held_out=held_out)
    page = write_page(found, held_out, tmp_path / "c").read_text()
    assert "v2 beside v1" in page
    assert "+41.67 [+25.00, +50.00]" in page
    assert page.index("IoU +50.00") < page.index("IoU +25.00")
    assert page.count("<img") == 3
    assert "<script>" not in page
    assert "<b>out" not in page
