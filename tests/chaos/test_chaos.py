"""The cheapest faults in their shortest form, and the table of docs/reliability.md; ``make chaos`` tries all."""

import json
from pathlib import Path

import pytest

from tests.chaos.__main__ import FAULTS, PAGE, RESULTS, try_fault
from tests.chaos.page import summary, table, with_table
from tests.chaos.record import Lab, Outcome, Skipped


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "name",
    ["import-kill", "export-kill", "corrupt-page", "corrupt-blob", "push-cut", "read-only", "restore-under-server"],
)
# A connection that is cut is left as it is: nobody closes its socket.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_nothing_acknowledged_is_lost_under(name: str) -> None:
    done = try_fault(name, 0, seed=1)
    if done.skipped:
        pytest.skip(done.skipped)
    assert (done.lost, done.wrong) == ((), ())
    assert done.tried
    assert done.acknowledged


def test_the_page_is_what_the_result_file_says() -> None:
    plain = json.loads((RESULTS / "chaos.json").read_text())
    outcomes = [Outcome.parse(one) for one in plain["faults"]]
    assert table(outcomes) in PAGE.read_text()
    assert summary(outcomes) in PAGE.read_text()
    assert {one.fault for one in outcomes} <= set(FAULTS)


def test_a_loss_and_a_fault_that_breaks_off_are_shown_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    def loses(lab: Lab) -> Outcome:
        """It loses one of two."""
        return Outcome(fault="a", tried=3, acknowledged=2, lost=("edit-1",), seen="edits")

    def breaks(lab: Lab) -> Outcome:
        raise RuntimeError("no server")

    def cannot(lab: Lab) -> Outcome:
        raise Skipped("needs root")

    for name, fault in {"a": loses, "b": breaks, "c": cannot}.items():
        monkeypatch.setitem(FAULTS, name, fault)
    outcomes = [try_fault(name, 0, seed=0) for name in "abc"]
    assert [one.holds for one in outcomes] == [False, False, True]
    assert outcomes[0].what == "It loses one of two."
    assert summary(outcomes) == "3 faults, 2 acknowledged, 1 lost, 1 otherwise wrong, 1 kinds skipped."
    assert table(outcomes).splitlines()[2:] == [
        "| a | 3 | 2 | 1 | **edit-1** edits |",
        "| b | 0 | 0 | 0 | **RuntimeError: no server**  |",
        "| c | skipped |  |  | needs root |",
    ]


def test_a_page_without_its_marks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has not both marks"):
        with_table("# Reliability\n", [], 0, "a machine")
