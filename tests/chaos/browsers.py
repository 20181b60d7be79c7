"""A browser that vanishes with edits that it could not send."""

import shutil
from typing import TYPE_CHECKING

from tests.chaos.record import Lab, Outcome, Skipped

if TYPE_CHECKING:
    from playwright.sync_api import Route


def vanish(lab: Lab) -> Outcome:
    """Chromium killed while no save gets through; opened again, it has what was drawn and typed."""
    executable = shutil.which("chromium") or shutil.which("google-chrome")
    if executable is None:
        raise Skipped("needs Chromium")
    from playwright.sync_api import sync_playwright

    from tests.e2e.conftest import Server
    from tests.e2e.desk import Desk
    from tests.e2e.test_kills import QUERY, kill_browser, launch, stroke

    profile, tried, lost = lab.folder / "profile", 0, list[str]()
    with sync_playwright() as playwright:
        server = Server(lab.folder / "w")
        try:
            for number in lab.rounds(1, 5):
                context = launch(playwright.chromium, executable, profile)
                desk = Desk(context.pages[0], server.url)
                sample = desk.new_sample(server.pictures["plain"])
                desk.load(sample)
                desk.page.route("**/api/v1/samples/*", lambda route: _only_reads(route))
                stroke(desk, 100 + 20 * number)
                desk.page.fill(QUERY, f"what holds it, {number}?")
                lab.pause(1.0, 2.0)  # the journal is written as somebody goes on, and not waited for
                mine = desk.state()
                kill_browser(context, profile)
                tried += 1
                desk.api.close()
                context = launch(playwright.chromium, executable, profile)
                desk = Desk(context.pages[0], server.url)
                desk.load(sample)
                if desk.state() != mine or desk.saved()["sample"] != mine:
                    lost.append(f"what was drawn and typed in round {number}")
                desk.close()
                context.close()
        finally:
            server.kill()
    return Outcome(
        fault="browser-gone", tried=tried, acknowledged=2 * tried, lost=tuple(lost),
        seen="strokes and questions that were in the browser's journal alone; then they were on the server",
    )  # fmt: skip


def _only_reads(route: "Route") -> None:
    if route.request.method == "PUT":
        route.abort()
    else:
        route.continue_()
