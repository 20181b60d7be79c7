"""The benchmarks' table, without running one: it is what the result files say, and every script has its place."""

import json
import sys
from pathlib import Path

import pytest

from benchmarks import all as benchmarks
from benchmarks.all import ELSEWHERE, PAGE, SCRIPTS, SUMMARY, Script
from benchmarks.page import BEGIN, END, table, with_table
from benchmarks.rows import RESULTS, Budget, Report, Row, plain, read, write
from whyseg.schemas.errors import InvalidRecord

MACHINE = {"processor": "P", "cores": 2, "memory_gib": 4, "load": 0.5, "python": "3.11", "packages": {"numpy": "2"}}


def test_the_page_is_what_the_result_files_say() -> None:
    failed = json.loads((RESULTS / SUMMARY).read_text())["failed"]
    text = PAGE.read_text()
    assert with_table(text, benchmarks.reports(RESULTS), failed) == text, "python -m benchmarks.all --table-only"


def test_the_summary_is_what_the_result_files_say() -> None:
    summary = json.loads((RESULTS / SUMMARY).read_text())
    assert summary["scripts"] == json.loads(json.dumps([plain(one) for one in benchmarks.reports(RESULTS)]))


def test_every_script_is_run_by_the_one_door_or_said_to_have_another() -> None:
    folder = Path(benchmarks.__file__).parent
    scripts = {path.stem for path in folder.glob("*.py") if '__name__ == "__main__"' in path.read_text()}
    run = {one.module for one in SCRIPTS}
    assert run <= scripts
    assert scripts <= run | set(ELSEWHERE)


def test_a_script_that_fails_is_named_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(benchmarks, "SCRIPTS", (Script("no_such_script"), Script("machine")))
    monkeypatch.setattr(sys, "argv", ["all", "--results", str(tmp_path)])
    with pytest.raises(SystemExit, match=r"^failed: no_such_script$"):
        benchmarks.main()
    assert "== machine" in capfd.readouterr().out
    assert json.loads((tmp_path / SUMMARY).read_text())["failed"] == ["no_such_script"]
    assert "Failed when last run" in (tmp_path / "performance.md").read_text()
    # Run again without it, it is still known to have failed.
    monkeypatch.setattr(sys, "argv", ["all", "--results", str(tmp_path), "--only", "machine"])
    benchmarks.main()
    assert json.loads((tmp_path / SUMMARY).read_text())["failed"] == ["no_such_script"]


def test_a_table_shows_figure_baseline_ratio_and_whether_the_budget_holds(tmp_path: Path) -> None:
    rows = [
        Row(what="a | b", p50=2, p95=5, baseline="plain", against=8, ratio=4, means="times as fast",
            budget=Budget(of="ratio", at_least=4)),
        Row(what="c", unit="MB", value=1234.5, budget=Budget(of="value", at_most=1234)),
    ]  # fmt: skip
    write(tmp_path / "export.json", rows, MACHINE, quick=True, more={"kept": 1})
    report = read(tmp_path / "export.json")
    assert report
    assert report.rows == tuple(rows)
    text = table([report], [])
    assert "| a \\| b | ms | 2 | 5 | plain | 8 | 4 times as fast | ratio ≥ 4 | holds |" in text
    assert "| c | MB | 1,234 |  |  |  |  | ≤ 1,234 | **misses** |" in text
    assert "1 of 2 budgets hold." in text
    assert "| quick | P, 2 cores, 4 GiB, load 0.5, Python 3.11, numpy 2 |" in text
    assert json.loads((tmp_path / "export.json").read_text())["more"] == {"kept": 1}


def test_a_page_without_its_marks_is_not_written_over() -> None:
    for text in ("", BEGIN, END, f"{END}{BEGIN}"):
        with pytest.raises(ValueError, match="not both marks"):
            with_table(text, [], [])


def test_a_file_without_the_frame_is_no_report_and_a_broken_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "export.json"
    path.write_text('{"machine": {}}')
    assert read(path) is None
    path.write_text('{"script": "export", "date": "2026-01-01", "quick": false, "machine": {}, "rows": [{"p50": 1}]}')
    with pytest.raises(InvalidRecord, match="what"):
        read(path)


def test_a_budget_has_one_limit() -> None:
    for limits in ({}, {"at_least": 1, "at_most": 2}):
        with pytest.raises(InvalidRecord, match="one limit"):
            Budget.parse({"of": "p95", **limits})


def test_a_report_keeps_what_a_table_needs_and_nothing_else() -> None:
    with pytest.raises(InvalidRecord, match="not permitted"):
        Report.parse({"script": "x", "date": "2026-01-01", "quick": True, "machine": {}, "rows": [], "users": 3})
