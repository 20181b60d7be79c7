"""One Chromium, one server and one page for all tests that can share them; each test has a sample of its own.

They end with this package: Playwright runs an event loop of its own, and other tests want to start theirs.
"""

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from playwright.sync_api import Browser, BrowserType, Dialog, Page, expect, sync_playwright

from tests.e2e.desk import Desk
from tests.pictures import encoded
from tests.provision import chromium as find_chromium
from tests.ui.team import add_people
from whyseg.curation.images import inspect
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Sample

ROOT = Path(__file__).resolve().parents[2]
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
VIEWPORT = {"width": 1440, "height": 900}
SIZE = (480, 640)  # (height, width) of the plain picture
MARKS_SIZE = (900, 1200)
MARKS = [(210, 130), (607, 455), (1189, 889)]  # (x, y): centres of blue blocks of 21×21 pixels on grey


expect.set_options(timeout=15_000)  # a busy machine is no failure


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


def add_picture(workspace: Workspace, name: str, pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> str:
    """Put a picture with an empty sample into a workspace; the image's id."""
    data = encoded(pixels)
    image = inspect(data, name)
    workspace.blobs.put(data)
    workspace.store.add_image(image, author="ann")
    workspace.store.add_sample(Sample.start(image.id, image.size, source="images", source_record=""), author="ann")
    return image.id


def make_workspace(path: Path) -> dict[str, str]:
    """Make a workspace of three pictures; their ids by name."""
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    plain = np.stack([rows % 256, columns % 256, (rows + columns) % 256], axis=2).astype(np.uint8)
    marks = np.full((*MARKS_SIZE, 3), 90, np.uint8)
    for x, y in MARKS:
        marks[y - 10 : y + 11, x - 10 : x + 11] = (0, 0, 255)
    with Workspace.create(path) as workspace:
        return {
            "plain": add_picture(workspace, "plain.png", plain),
            "marks": add_picture(workspace, "marks.png", marks),
            "alone": add_picture(workspace, "alone.png", plain[:, ::-1]),
        }


class Server:
    """The server of `tests.e2e.app` on a workspace and a port of its own; it can be killed and started again."""

    def __init__(self, folder: Path, mode: str = "") -> None:
        self.folder = folder
        self.mode = mode
        self.pictures = make_workspace(folder)
        if mode == "team":
            with Workspace.open(folder) as workspace:
                add_people(workspace)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        """Start, and wait until it answers."""
        command = [sys.executable, "-m", "tests.e2e.app", str(self.folder), str(self.port), self.mode]
        self.process = subprocess.Popen(command, cwd=ROOT)
        for _ in range(300):
            time.sleep(0.1)
            assert self.process.poll() is None, "the server ended by itself"
            try:
                httpx.get(f"{self.url}/healthz").raise_for_status()
                return
            except httpx.TransportError:
                continue
        raise TimeoutError("the server did not start")

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="package")
def executable() -> str:
    return find_chromium()


@pytest.fixture(scope="package")
def chromium(executable: str) -> Iterator[BrowserType]:
    with sync_playwright() as playwright:
        yield playwright.chromium


@pytest.fixture(scope="package")
def browser(chromium: BrowserType, executable: str) -> Iterator[Browser]:
    started = chromium.launch(executable_path=executable, args=FLAGS)
    yield started
    started.close()


@pytest.fixture(scope="package")
def server(executable: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("e2e") / "workspace")
    yield started
    started.kill()


def watch(page: Page) -> list[str]:
    """Return a list that fills with what goes wrong in a page: exceptions that nobody caught, dialogs of scripts."""
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(f"exception: {error}"))

    def note(dialog: Dialog) -> None:
        wrong.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    page.on("dialog", note)
    return wrong


@pytest.fixture
def make_desk(browser: Browser, server: Server) -> Iterator[Callable[[], Desk]]:
    """Opens pages of their own, with a session of their own."""
    made: list[Desk] = []

    def make() -> Desk:
        context = browser.new_context(viewport=VIEWPORT)  # type: ignore[arg-type]
        made.append(Desk(context.new_page(), server.url))
        return made[-1]

    yield make
    for desk in made:
        desk.close()
        desk.page.context.close()


@pytest.fixture(scope="package")
def shared(browser: Browser, server: Server) -> Iterator[tuple[Desk, list[str]]]:
    page = browser.new_page(viewport=VIEWPORT)  # type: ignore[arg-type]
    wrong = watch(page)
    desk = Desk(page, server.url)
    desk.load()
    yield desk, wrong
    desk.close()


@pytest.fixture
def desk(shared: tuple[Desk, list[str]], server: Server) -> Iterator[Desk]:
    """The shared page with a fresh sample of the plain picture, the smart tool in hand."""
    found, wrong = shared
    wrong.clear()
    found.open(found.new_sample(server.pictures["plain"]))
    found.page.evaluate("() => { stage.use('smart'); stage.act('fit'); stage.takeFocus(true); }")
    found.page.mouse.move(*found.place(5, 5))
    found.ready()
    yield found
    found.page.unroute_all()
    assert wrong == []
