"""What somebody has drawn and written outlives a killed server, a killed browser, and both."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest
from playwright.sync_api import BrowserContext, BrowserType, Error

from tests.e2e.conftest import FLAGS, VIEWPORT, Server
from tests.e2e.desk import Desk

QUERY = "#ws-query textarea"


@pytest.fixture
def own_server(executable: str, tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path / "workspace")
    yield server
    server.kill()


def launch(chromium: BrowserType, executable: str, profile: Path) -> BrowserContext:
    return chromium.launch_persistent_context(profile, executable_path=executable, args=FLAGS, viewport=VIEWPORT)  # type: ignore[arg-type]


def kill_browser(context: BrowserContext, profile: Path) -> None:
    """Kill every process of the Chromium with this profile, as a crash of the machine would."""
    for process in psutil.process_iter(["cmdline"]):
        if f"--user-data-dir={profile}" in (process.info["cmdline"] or []):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
    with contextlib.suppress(Error):
        context.close()


def stroke(desk: Desk, y: int) -> None:
    desk.keys("b")
    desk.drag((100, y), (300, y))


def settle(desk: Desk) -> Any:
    """Wait until the journal is on disk; return what the page would save."""
    desk.page.evaluate(
        "async () => { for (const entry of desk.saver.entries.values()) await desk.saver.journal.put(entry); }"
    )
    return desk.state()


@pytest.mark.slow
def test_work_outlives_a_killed_server_and_a_killed_browser(
    chromium: BrowserType, executable: str, own_server: Server, tmp_path: Path
) -> None:
    profile = tmp_path / "profile"
    context = launch(chromium, executable, profile)
    desk = Desk(context.pages[0], own_server.url)
    sample = desk.new_sample(own_server.pictures["plain"])
    desk.load(sample)
    stroke(desk, 100)
    first = desk.saved()["sample"]

    own_server.kill()  # the server dies while somebody works, and comes back
    desk.keys("Enter")
    stroke(desk, 200)
    desk.page.fill(QUERY, "what holds it?")
    desk.page.get_by_text("No connection to the server").first.wait_for()
    mine = settle(desk)
    own_server.start()
    desk.wait("desk.saver.entries.size === 0", timeout=30_000)
    assert desk.on_server()["sample"] == mine == desk.state()
    assert len(mine["instances"]) == 2
    assert mine["instances"][0] == first["instances"][0]

    own_server.kill()  # server and browser die together
    desk.keys("Escape", "Enter")
    stroke(desk, 300)
    desk.page.fill(QUERY, "what holds it up?")
    mine = settle(desk)
    kill_browser(context, profile)
    desk.api.close()
    own_server.start()
    context = launch(chromium, executable, profile)
    desk = Desk(context.pages[0], own_server.url)
    assert desk.api.get(f"/samples/{sample}").json()["sample"] != mine
    desk.load(sample)
    assert desk.state() == mine
    assert desk.page.input_value(QUERY) == "what holds it up?"
    assert desk.saved()["sample"] == mine
    desk.close()
    context.close()


@pytest.mark.slow
def test_another_tab_sends_what_a_dead_one_left(
    chromium: BrowserType, executable: str, own_server: Server, tmp_path: Path
) -> None:
    """The tab that is opened next adopts the entries of tabs that live no more, but none of those that do."""
    context = launch(chromium, executable, tmp_path / "profile")
    first, second = Desk(context.pages[0], own_server.url), Desk(context.new_page(), own_server.url)
    left, right = (first.new_sample(own_server.pictures["plain"]) for _ in range(2))
    first.load(left)
    first.page.route(
        "**/api/v1/samples/*", lambda route: route.abort() if route.request.method == "PUT" else route.continue_()
    )
    first.page.fill(QUERY, "left behind")
    mine = settle(first)
    second.load(right)
    assert second.page.evaluate("desk.saver.entries.size") == 0  # the first tab lives
    first.close()
    second.load(right)
    second.wait("desk.saver.entries.size === 0")
    assert second.api.get(f"/samples/{left}").json()["sample"] == mine
    second.close()
    context.close()
