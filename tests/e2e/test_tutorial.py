"""The tutorial, line by line: every command of docs/tutorial.md in its order, and what is done in the browser between.

``WHYSEG_SCREENSHOTS=docs/images python -m pytest tests/e2e/test_tutorial.py`` makes its pictures anew.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.conftest import VIEWPORT, watch
from tests.e2e.desk import Desk
from tests.e2e.test_story import look
from tests.provision import mobilesam
from whyseg.curation.demo import PHOTOS

pytestmark = [pytest.mark.slow, pytest.mark.mobilesam, pytest.mark.timeout(1800)]
ROOT = Path(__file__).resolve().parents[2]
COFFEE = PHOTOS[0]
BUSY = 180_000  # milliseconds; a busy machine is no failure
REVIEWING = "(window.review = window.page.reviewing())?.found"
SETUP = 4  # lines that set up, of which the tests are a consequence: make, activate, export, doctor


def commands() -> list[str]:
    """Return the lines of the tutorial's shell blocks."""
    text = (ROOT / "docs" / "tutorial.md").read_text()
    return [
        line
        for block in re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        for line in block.splitlines()
    ]


def annotate(desk: Desk) -> None:
    """Part 2: the spoon, its question, handed in; then accepted as the reviewer."""
    page, spoon = desk.page, COFFEE.targets[0]
    desk.wait("document.body.textContent.includes('image ready')", BUSY)
    desk.ask(spoon.first.x, spoon.first.y)
    desk.ask(spoon.second.x, spoon.second.y, button="right")
    desk.keys("l")
    page.keyboard.type("spoon")
    desk.keys("Enter")
    page.fill("#ws-query textarea", COFFEE.query)
    page.locator("#ws-type label", has_text="Function").click()
    page.fill("#ws-hops textarea", "\n".join(COFFEE.hops))
    look(page, "tutorial-annotate")
    first = page.evaluate("desk.id")
    page.click("#ws-submit")
    desk.wait(f"desk.id !== '{first}'", BUSY)
    accept(desk)


def accept(desk: Desk) -> None:
    """Part 2, as the reviewer."""
    page = desk.page
    page.get_by_role("tab", name="Review").click()
    desk.wait(f"{REVIEWING} && review.compare.newer === review.found.sample && !review.compare.drawing", BUSY)
    look(page, "tutorial-review")
    page.keyboard.press("y")
    expect(page.locator(".ws-review .ws-bar")).to_contain_text("Accepted and locked")


def decide(desk: Desk) -> None:
    """Part 7: the findings are looked at; the surest proposal is accepted, the next one dismissed."""
    page = desk.page
    page.get_by_role("tab", name="Findings").click()
    expect(page.locator(".ws-finding-picture").first).to_be_visible()
    page.wait_for_load_state("networkidle")
    look(page, "findings")
    page.get_by_role("tab", name="Review").click()
    desk.wait("window.review = window.page.reviewing()", BUSY)
    page.get_by_label("State").select_option("proposed")
    for key, told in (("a", "Changed as proposed"), ("d", "Dismissed")):
        desk.wait("review.found && review.proposal && !review.compare.drawing", BUSY)
        if key == "a":
            look(page, "proposed")
        page.keyboard.press(key)
        expect(page.locator(".ws-review .ws-bar")).to_contain_text(told)
        page.wait_for_timeout(1000)


IN_THE_BROWSER: dict[str, Callable[[Desk], None]] = {"whyseg demo": annotate, "whyseg serve": decide}


def served(line: str, folder: Path, environment: dict[str, str], browser: Browser) -> None:
    """Run a command that serves, do in the browser what the tutorial says there, and end it."""
    words = [*line.split(), "--port", "0"]
    process = subprocess.Popen(words, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    try:
        address = re.search(r"http://\S+(?=/)", process.stdout.readline())
        assert address
        page = browser.new_context(viewport=VIEWPORT).new_page()  # type: ignore[arg-type]
        page.set_default_timeout(BUSY)
        wrong, desk = watch(page), Desk(page, address[0])
        desk.load()
        IN_THE_BROWSER[" ".join(words[:2])](desk)
        desk.close()
        page.context.close()
        assert wrong == []
    finally:
        process.terminate()
        process.communicate()


def test_every_command_of_the_tutorial_works(browser: Browser, tmp_path: Path) -> None:
    mobilesam()
    if COFFEE.path() is None:
        pytest.skip("the photographs come with scikit-image, which is not installed")
    lines = commands()
    assert lines[0].startswith("make setup")
    here = str(Path(sys.executable).parent)
    environment = {
        **os.environ,
        "LOGNAME": "ann",
        "OMP_NUM_THREADS": "1",
        "PATH": f"{here}{os.pathsep}{os.environ['PATH']}",
    }
    told: dict[str, str] = {}
    for line in lines[SETUP - 1 :]:
        if any(line.startswith(name) for name in IN_THE_BROWSER):
            served(line, tmp_path, environment, browser)
            continue
        done = subprocess.run(line, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0 or line.startswith("whyseg doctor"), f"{line}\n{done.stdout}\n{done.stderr}"
        told[line.split(" -")[0]] = done.stdout
        print(f"$ {line}\n{done.stdout}")
    assert "1 sample" in told["whyseg release show v1"]
    assert "'num_rows': 1" in told["python"] or "num_rows: 1" in told["python"]
    assert (tmp_path / "run" / "report.html").is_file()
    assert 0 <= json.loads((tmp_path / "results" / "results.json").read_text())["giou"] <= 1
    assert "accepted" in told["whyseg release changes v1 v2"]
