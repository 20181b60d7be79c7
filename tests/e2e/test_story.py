"""The whole story on a real photograph, with the real server and MobileSAM: from a click to what is there again."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from tests.e2e.conftest import VIEWPORT, watch
from tests.e2e.desk import Desk
from tests.provision import mobilesam
from whyseg.curation.demo import PHOTOS
from whyseg.curation.importing import import_images
from whyseg.curation.outlines import rasterize
from whyseg.curation.queries import SampleFilter
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Mask

SCREENSHOTS = os.environ.get("WHYSEG_SCREENSHOTS")  # a folder; unset, none are taken
CAT, BESIDE = (250, 60), (335, 260)  # (x, y) in the photograph: the cat's brow, and what is behind its chin
QUESTION = "Who in this picture would be glad about a fish?"
HOPS = ("Cats like to eat fish.", "The animal with whiskers is a cat.")


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    mobilesam()
    path = tmp_path_factory.mktemp("story") / "workspace"
    with Workspace.create(path) as workspace:
        for name in ("chelsea.png", "coffee.png", "astronaut.png", "rocket.jpg", "china.jpg", "flower.jpg"):
            source = next(photo for photo in PHOTOS if photo.name == name).path()
            if source is None:
                pytest.skip("the photographs of scikit-image and scikit-learn are not installed")
            import_images(workspace, source, author="ann")
    return path


def start(workspace: Path, port: int = 0) -> tuple["subprocess.Popen[str]", str]:
    """Serve a workspace with MobileSAM; the process and its address."""
    command = [sys.executable, "-m", "whyseg", "serve", "-w", str(workspace), "--port", str(port)]
    command += ["--segmenter", "mobilesam"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    address = re.search(r"http://\S+(?=/)", process.stdout.readline())
    assert address
    return process, address[0]


@pytest.fixture
def desk(browser: Browser, workspace: Path) -> Iterator[Desk]:
    process, url = start(workspace)
    context = browser.new_context(viewport=VIEWPORT)  # type: ignore[arg-type]
    page = context.new_page()
    wrong = watch(page)
    desk = Desk(page, url)
    yield desk
    desk.close()
    context.close()
    process.terminate()
    process.communicate()
    assert wrong == []


def look(page: Page, name: str) -> None:
    if SCREENSHOTS:
        page.mouse.move(720, 12)  # the pointer's marks are not part of the picture
        page.wait_for_timeout(300)
        page.screenshot(path=Path(SCREENSHOTS) / f"{name}.jpg", quality=85)


def iou(one: np.ndarray[Any, Any], two: np.ndarray[Any, Any]) -> float:
    return float((one & two).sum() / (one | two).sum())


@pytest.mark.mobilesam
def test_from_the_first_click_to_what_is_there_after_a_restart(desk: Desk, workspace: Path) -> None:
    with Workspace.open(workspace) as opened:
        cat = opened.store.page(SampleFilter(text="chelsea")).samples[0].id
    page = desk.page
    desk.load(cat)
    desk.wait("document.body.textContent.includes('image ready')", timeout=60_000)

    desk.ask(*CAT)  # click the cat: its mask is painted
    clicked = desk.mask()
    assert clicked[CAT[1], CAT[0]]
    assert 0.4 < clicked.mean() < 0.9
    assert (desk.painted() == desk.expected(clicked)).all()

    desk.ask(*BESIDE, button="right")  # a negative click changes it
    refined = desk.mask()
    assert clicked[BESIDE[1], BESIDE[0]]
    assert not refined[BESIDE[1], BESIDE[0]]
    assert iou(clicked, refined) < 0.999

    desk.keys("2")  # the second candidate
    desk.wait("stage.active.work.answer.chosen === 1")
    second = desk.mask()
    assert (second != refined).any()
    assert (desk.painted() == desk.expected(second)).all()

    desk.keys("b")  # a stroke of the brush, and back
    desk.drag((430, 40), (440, 90))
    assert desk.mask().sum() > second.sum()
    desk.keys("Control+z")
    assert (desk.mask() == second).all()
    desk.keys("s", "1")
    desk.wait("stage.active.work.answer.chosen === 0")

    desk.keys("l")
    page.keyboard.type("cat")
    desk.keys("Enter")
    desk.keys("p")  # its outline, a vertex of which is moved
    desk.wait("stage.tool.draft && stage.tool.draft.iou")
    before = desk.state()["instances"][0]
    corner = max(page.evaluate("stage.tool.draft.rings.flat()"), key=lambda vertex: vertex[0])
    desk.drag((corner[0] - 0.5, corner[1] - 0.5), (corner[0] + 4, corner[1] + 6))
    instance = desk.state()["instances"][0]
    assert instance["mask"] != before["mask"]
    assert any(abs(vertex[0] - corner[0] - 4.5) < 0.3 for ring in instance["outline"] for vertex in ring)
    assert Mask.parse(instance["mask"]) == rasterize(instance["outline"], clicked.shape)
    assert (desk.painted() == desk.expected(desk.mask())).all()
    look(page, "outline")
    desk.keys("s")

    page.fill("#ws-query textarea", QUESTION)
    page.locator("#ws-type label").nth(1).click()
    page.fill("#ws-hops textarea", "\n".join(HOPS))
    look(page, "annotate")
    page.click("#ws-submit")
    desk.wait(f"desk.id !== '{cat}'")  # on to the next
    submitted = desk.api.get(f"/samples/{cat}").json()
    assert submitted["state"] == "submitted"

    page.reload()  # all is there
    desk.load(cat)
    assert desk.state() == submitted["sample"]
    assert page.input_value("#ws-query textarea") == QUESTION
    assert page.input_value("#ws-hops textarea") == "\n".join(HOPS)
    assert page.locator("#ws-type input:checked").input_value() == "commonsense"
    assert page.locator(".ws-label").input_value() == "cat"
    assert (desk.painted() == desk.expected(Mask.parse(instance["mask"]).decode())).all()
    page.get_by_role("tab", name="Browse").click()
    page.get_by_text(QUESTION).first.wait_for()
    look(page, "browse")

    with Workspace.open(workspace) as opened:  # and after the server is gone
        head = opened.store.head(cat)
        assert head.state == "submitted"
        assert head.sample.plain() == submitted["sample"]
        assert head.sample.instances[0].label == "cat"
