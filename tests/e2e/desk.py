"""The annotation page as a test works it: pixels of the picture in, masks and records out."""

import base64
import json
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import numpy.typing as npt
from playwright.sync_api import Page

from whyseg.schemas import Mask

BoolArray = npt.NDArray[np.bool_]
MODULE = """async () => {
    const loaded = performance.getEntriesByType("resource").find(one => one.name.endsWith("/static/index.js"));
    window.page = await import(loaded.name);
    window.desk = page.current();
    window.stage = desk.stage;
}"""
PLACE = """([x, y]) => {
    const box = stage.surface.getBoundingClientRect(), [left, top] = stage.view.toScreen([x + 0.5, y + 0.5]);
    return [box.left + stage.view.shift[0] + left, box.top + stage.view.shift[1] + top];
}"""
ALPHA = """() => {
    const canvas = stage.canvases[1], context = canvas.getContext("2d");
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
    const bytes = Uint8Array.from({ length: data.length / 4 }, (_, i) => data[4 * i + 3]);
    let text = "";
    for (let i = 0; i < bytes.length; i += 30000) text += String.fromCharCode(...bytes.subarray(i, i + 30000));
    return [canvas.height, canvas.width, btoa(text)];
}"""
POLL = 20  # milliseconds; asking in every frame takes a core from the server


class Desk:
    """A page with the canvas on it, and the server behind it."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.api = httpx.Client(base_url=f"{url}/api/v1", timeout=30)

    def close(self) -> None:
        """Close the page and the connection of its own."""
        self.page.close()
        self.api.close()

    # -- pages and samples --

    def load(self, sample: str | None = None) -> None:
        """Load the page, at a sample if one is named."""
        self.page.goto(f"{self.url}/app/" + (f"?sample={sample}" if sample else ""))
        self.attach()

    def attach(self) -> None:
        """Wait until a sample is open, and give the page `desk` and `stage` to look into."""
        self.page.wait_for_selector(".ws-stage canvas")
        self.page.evaluate(MODULE)
        self.ready()

    def ready(self) -> None:
        """Wait until the open sample is drawn and its text is in the form."""
        self.wait("stage.sample && !stage.drawing && desk.form.settled && stage.loading.hidden")

    def new_sample(self, image_id: str) -> str:
        """Make an empty sample of an image; its id."""
        made = self.api.post("/samples", json={"image_id": image_id})
        return str(made.raise_for_status().json()["sample"]["id"])

    def open(self, sample: str) -> None:
        """Open a sample in the loaded page."""
        self.page.evaluate("id => desk.open(id)", sample)
        self.ready()

    def wait(self, condition: str, timeout: float = 15_000) -> None:
        """Wait until a JavaScript expression is true."""
        self.page.wait_for_function(f"() => Boolean({condition})", polling=POLL, timeout=timeout)

    # -- the hand --

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Return where the centre of a pixel of the picture is on the page."""
        left, top = self.page.evaluate(PLACE, [x, y])
        return left, top

    def click(self, x: float, y: float, button: Any = "left") -> None:
        """Click a pixel, and nothing more."""
        self.page.mouse.click(*self.place(x, y), button=button)

    def ask(self, x: float, y: float, button: Any = "left") -> None:
        """Click a pixel and wait until the answer is painted."""
        self.ask_at(*self.place(x, y), button)

    def ask_at(self, left: float, top: float, button: Any = "left") -> None:
        """Click a place of the page and wait until the answer is painted."""
        before = self.page.evaluate("stage.prompter.timings.length")
        self.page.mouse.click(left, top, button=button)
        self.wait(f"stage.prompter.timings.length > {before} && !stage.prompter.pending")

    def drag(self, *places: tuple[float, float], steps: int = 6) -> None:
        """Press at the first pixel, move over the others, let go at the last."""
        self.page.mouse.move(*self.place(*places[0]))
        self.page.mouse.down()
        for place in places[1:]:
            self.page.mouse.move(*self.place(*place), steps=steps)
        self.page.mouse.up()

    def keys(self, *names: str) -> None:
        """Press keys one after the other."""
        for name in names:
            self.page.keyboard.press(name)

    def prompts(self) -> list[Any]:
        """Return a list that fills with the prompts that are sent from now on."""
        sent: list[Any] = []
        self.page.on("request", lambda r: sent.append(r.post_data_json) if r.url.endswith("/api/v1/click") else None)
        return sent

    # -- what is there --

    def state(self) -> Any:
        """Return the record as the page would save it."""
        return json.loads(self.page.evaluate("JSON.stringify(stage.record)"))

    def mask(self, number: int = 0) -> BoolArray:
        """Return the pixels of an instance, by its place in the list."""
        return Mask.parse(self.state()["instances"][number]["mask"]).decode()

    def saved(self) -> Any:
        """Wait until everything is saved; return what the server has."""
        self.wait("desk.saver.entries.size === 0")
        return self.on_server()

    def on_server(self) -> Any:
        """Return the open sample as the server has it."""
        return self.api.get(f"/samples/{self.page.evaluate('desk.id')}").raise_for_status().json()

    def bar(self) -> str:
        """Return the message bar's text."""
        return str(self.page.locator(".ws-stage .ws-bar").text_content())

    def painted(self) -> BoolArray:
        """Return which device pixels of the canvas show a mask."""
        self.wait("!stage.drawing")
        height, width, text = self.page.evaluate(ALPHA)
        return np.frombuffer(base64.b64decode(text), np.uint8).reshape(height, width) > 0

    def expected(self, mask: BoolArray) -> BoolArray:
        """Return which device pixels should show a mask: those whose centre lies on one of its pixels."""
        view = self.page.evaluate("({k: stage.view.k * stage.view.dpr, x: stage.view.x * stage.view.dpr,"
                                  " y: stage.view.y * stage.view.dpr, w: stage.canvases[1].width,"
                                  " h: stage.canvases[1].height})")  # fmt: skip
        columns = np.floor((np.arange(view["w"]) + 0.5 - view["x"]) / view["k"]).astype(int)
        rows = np.floor((np.arange(view["h"]) + 0.5 - view["y"]) / view["k"]).astype(int)
        height, width = mask.shape
        inside = np.outer((rows >= 0) & (rows < height), (columns >= 0) & (columns < width))
        return mask[np.clip(rows, 0, height - 1)[:, None], np.clip(columns, 0, width - 1)] & inside  # type: ignore[no-any-return]

    def screenshot(self, path: Path) -> None:
        """Save what the page shows."""
        self.page.screenshot(path=path)


def disc(size: tuple[int, int], x: float, y: float, radius: float) -> BoolArray:
    """Return the pixels (height, width) whose centres are within ``radius`` of (x, y): what the fake segmenter does."""
    ys, xs = np.mgrid[: size[0], : size[1]]
    return (xs - x) ** 2 + (ys - y) ** 2 <= radius**2  # type: ignore[no-any-return]
