"""From the screen to the server: a click arrives as the pixel that was clicked."""

import io
from contextlib import closing

import numpy as np
import pytest
from PIL import Image as PilImage
from playwright.sync_api import BrowserType

from tests.e2e.conftest import FLAGS, MARKS, Server
from tests.e2e.desk import Desk

ZOOMS = (0, -500, -1300)  # turns of the wheel: all of the picture, larger, much larger


def middle_of_block(desk: Desk, x: float, y: float, half: float, ratio: float) -> tuple[float, float]:
    """Return where, in CSS pixels, the middle of the blue block near (x, y) is on a screenshot."""
    left, top, right, bottom = (int(value * ratio) for value in (x - half, y - half, x + half, y + half))
    shot = PilImage.open(io.BytesIO(desk.page.screenshot())).convert("RGB").crop((left, top, right, bottom))
    red, _, blue = np.moveaxis(np.asarray(shot).astype(float), 2, 0)
    weight = np.clip((blue - red) / 255 - 0.1, 0, 1)  # less the dark blue around the picture
    across, down = (
        np.average(np.arange(n) + 0.5, weights=weight.sum(axis)) for n, axis in zip(shot.size, (0, 1), strict=True)
    )
    return float(left + across) / ratio, float(top + down) / ratio


@pytest.mark.slow
@pytest.mark.parametrize("ratio", [1, 1.5, 2])
def test_a_click_reaches_the_server_as_that_pixel(
    chromium: BrowserType, executable: str, server: Server, ratio: float
) -> None:
    # A real ratio: Playwright's own puts boxes on whole CSS pixels, which hides what `View.snap` is for.
    flags = [*FLAGS, f"--force-device-scale-factor={ratio}", "--window-size=1287,843"]
    browser = chromium.launch(executable_path=executable, args=flags)
    with closing(browser), closing(Desk(browser.new_page(no_viewport=True), server.url)) as desk:
        desk.load(desk.new_sample(server.pictures["marks"]))
        sent = desk.prompts()
        assert desk.page.evaluate("devicePixelRatio") == ratio
        # Nothing lies on whole pixels: the page is shifted by a fraction, as a column of Gradio's is.
        desk.page.evaluate("stage.root.style.marginLeft = stage.root.style.marginTop = '3.3px'")
        for zoom in ZOOMS:
            for x, y in MARKS:
                desk.keys("f")
                desk.page.mouse.move(*desk.place(x, y))
                desk.page.mouse.wheel(0, zoom)
                desk.wait(f"!stage.drawing && stage.view.fitted === {str(not zoom).lower()}")
                if zoom:  # from the edge to the middle
                    desk.page.keyboard.down("Space")
                    desk.page.mouse.down()
                    desk.page.mouse.move(500.3, 400.4, steps=3)
                    desk.page.mouse.up()
                    desk.page.keyboard.up("Space")
                    desk.wait("!stage.drawing")
                k = desk.page.evaluate("stage.view.k")
                spot = middle_of_block(desk, *desk.place(x, y), min(14 * k + 2, 300), ratio)
                desk.ask_at(*spot)
                px, py, label = sent[-1]["points"][-1]
                # Half a device pixel is what a screen can show; the block's middle is found to a tenth of that.
                assert label == 1
                assert max(abs(px - x), abs(py - y)) <= 0.5 / (k * ratio) + 0.05, (zoom, x, y, px, py, k)
                desk.keys("Delete")  # its colours would hide the block


def test_the_buttons_mean_what_the_help_says(desk: Desk) -> None:
    sent = desk.prompts()
    desk.click(50, 60, button="right")
    assert "First a left click" in desk.bar()
    desk.ask(200, 180)
    desk.ask(240, 180, button="right")
    desk.page.keyboard.down("Alt")
    desk.ask(160, 180)
    desk.page.keyboard.up("Alt")
    assert [[round(v) for v in point] for point in sent[-1]["points"]] == [[200, 180, 1], [240, 180, 0], [160, 180, 0]]
    desk.drag((100, 100), (300, 260))
    desk.wait("!stage.prompter.pending && stage.active.prompt.box")
    assert np.allclose(sent[-1]["box"], [100, 100, 300, 260], atol=0.5)
    assert len(sent[-1]["points"]) == 3
    desk.ask(240, 180)  # on a mark: it is taken away
    assert [[round(v) for v in point] for point in sent[-1]["points"]] == [[200, 180, 1], [160, 180, 0]]
    desk.keys("Backspace")  # the newest: the box
    desk.wait("!stage.prompter.pending")
    assert sent[-1]["box"] is None
    desk.keys("Backspace")
    desk.wait("!stage.prompter.pending")
    assert [[round(v) for v in point] for point in sent[-1]["points"]] == [[200, 180, 1]]
    before = len(sent)
    desk.keys("Backspace")  # the last that was left: nothing remains of the instance
    desk.wait("!stage.prompter.pending && stage.present.instances.length === 0")
    assert len(sent) == before


def test_the_wheel_zooms_about_the_pointer_and_space_pans(desk: Desk) -> None:
    under = "([x, y]) => stage.view.toPicture(stage.view.local({ clientX: x, clientY: y }))"
    spot = desk.place(400, 200)
    desk.page.mouse.move(*spot)
    before = desk.page.evaluate(under, list(spot))
    desk.page.mouse.wheel(0, -500)
    desk.wait("stage.view.k > 3 && !stage.drawing")
    assert np.allclose(desk.page.evaluate(under, list(spot)), before, atol=0.01)
    view = desk.page.evaluate("({...stage.view, root: 0, canvases: 0})")
    desk.page.keyboard.down("Space")
    desk.page.mouse.down()
    desk.page.mouse.move(spot[0] + 60, spot[1] - 30, steps=4)
    desk.page.mouse.up()
    desk.page.keyboard.up("Space")
    desk.page.mouse.move(*spot)
    desk.page.mouse.down(button="middle")
    desk.page.mouse.move(spot[0] - 20, spot[1] - 10, steps=4)
    desk.page.mouse.up(button="middle")
    moved = desk.page.evaluate("[stage.view.x, stage.view.y]")
    assert np.allclose(moved, [view["x"] + 40, view["y"] - 40])
    assert desk.page.evaluate("stage.present.instances.length") == 0  # no click was made of it
    desk.keys("0")
    assert desk.page.evaluate("stage.view.k") == 1
    desk.keys("f")
    assert desk.page.evaluate("stage.view.fitted")
