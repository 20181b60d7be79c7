"""The server of `click_latency`: the real application, and two stock Gradio applications beside it, with one segmenter.

    python -m benchmarks.click_apps FOLDER PORT

``/app`` is whyseg. ``/stock/SIZE`` is Gradio as its guides have it: `gr.Image.select` with the picture as input and an
overlaid picture as output. ``/tuned/SIZE`` spares Gradio all that can be spared that way: no picture goes in, a JPEG
comes out. Both get the embedding ready-made, and are timed without the decoder's own milliseconds (``/took``).
``POST /decoder?instant=true`` makes the decoder answer at once with what it answered to earlier clicks, so that many
clients load the server and not the model.
"""

import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn
from fastapi import FastAPI

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
import gradio as gr

from whyseg.curation.clicks import ClickService
from whyseg.curation.segmenters import Segmenter, choose
from whyseg.curation.segmenters.base import Embedding, FloatArray, Proposal, RgbArray
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Point, Prompt
from whyseg.ui.pictures import Pictures
from whyseg.ui.server import build_server

RED = np.array([127, 30, 30], np.uint8)


def cached_segmenter() -> tuple[Segmenter, str]:
    """Return MobileSAM where its weights can be had, else what needs none."""
    return choose("auto")


class Recorder:
    """A segmenter that remembers its answers, and can give them again in no time."""

    def __init__(self, segmenter: Segmenter) -> None:
        self.segmenter, self.name, self.model = segmenter, segmenter.name, segmenter.model
        self.instant = False
        self.answers: dict[tuple[int, int], deque[list[Proposal]]] = {}

    def embed(self, image: RgbArray) -> Embedding:
        """Embed an image."""
        return self.segmenter.embed(image)

    def propose(self, embedding: Embedding, prompt: Prompt, previous: FloatArray | None = None) -> list[Proposal]:
        """Answer a prompt, or give the next of the last answers for an image of that size."""
        known = self.answers.setdefault(embedding.size, deque(maxlen=50))
        if self.instant and known:
            known.rotate()
            return known[0]
        known.append(self.segmenter.propose(embedding, prompt, previous))
        return known[-1]


class Stock:
    """One picture in a stock application."""

    def __init__(self, segmenter: Segmenter, lock: threading.Lock, pixels: RgbArray, took: list[float]) -> None:
        self.segmenter, self.lock, self.pixels, self.took = segmenter, lock, pixels, took
        self.embedding = segmenter.embed(pixels)

    def overlaid(self, picture: RgbArray, x: int, y: int) -> RgbArray:
        """Return the picture with the best mask of a click painted on it."""
        with self.lock:
            start = time.perf_counter()
            best = self.segmenter.propose(self.embedding, Prompt(points=(Point(x=x, y=y),)))[0]
            self.took.append(1e3 * (time.perf_counter() - start))
            (left, top, width, height), mask = best.crop()
        out = picture.copy()
        view = out[top : top + height, left : left + width]
        view[mask] = view[mask] // 2 + RED
        return out

    def page(self, file: Path, tuned: bool) -> gr.Blocks:
        """Build the application."""

        def stock(picture: RgbArray, event: gr.SelectData) -> RgbArray:
            return self.overlaid(picture, *event.index)

        def spared(event: gr.SelectData) -> RgbArray:
            return self.overlaid(self.pixels, *event.index)

        handle: Callable[..., RgbArray] = spared if tuned else stock
        with gr.Blocks() as page:
            source = gr.Image(str(file), type="numpy", elem_id="in")
            result = gr.Image(elem_id="out", format="jpeg" if tuned else "webp")
            source.select(handle, None if tuned else source, result, show_progress="hidden")
        return page


def build(folder: Path) -> FastAPI:
    """Build the server over a workspace ``team`` and the pictures beside it."""
    workspace = Workspace.open(folder / "team")
    found, reason = cached_segmenter()
    segmenter = Recorder(found)
    lock, pictures = threading.Lock(), Pictures(workspace)
    clicks = ClickService(segmenter, pictures.pixels, reason=reason)
    app = build_server(workspace, clicks)
    took: list[float] = []

    @app.get("/took")
    def models() -> list[float]:
        return took

    @app.post("/decoder")
    def decoder(instant: bool) -> None:
        segmenter.instant = instant

    common: dict[str, Any] = {"ssr_mode": False, "run_history": False, "footer_links": []}
    for image_id in workspace.store.images():
        image = workspace.store.image(image_id)
        stock = Stock(segmenter, lock, pictures.pixels(image_id), took)
        file, size = folder / image.file_name, Path(image.file_name).stem
        for name, tuned in (("stock", False), ("tuned", True)):
            gr.mount_gradio_app(app, stock.page(file, tuned), f"/{name}/{size}", allowed_paths=[str(folder)], **common)
    return app


if __name__ == "__main__":
    uvicorn.run(build(Path(sys.argv[1])), port=int(sys.argv[2]), log_level="warning", access_log=False)
