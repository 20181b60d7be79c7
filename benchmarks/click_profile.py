"""Where the time of a click goes: page, network, Python, waiting, model, enlarging, run lengths, decoding, painting.

    python -m benchmarks.click_profile [--quick] [--out FILE]

A real Chromium clicks in the real application, alone, at 640×480 and 4000×3000; with the tiny SAM 2 when quick. The
page's clock gives its own parts and when the request left and came; the server says in `Server-Timing` how long it had
it, and in its answer how long the model took. Each part is a clock's own reading or a difference of two; the last, from
painting to the next frame, is the rest that no clock names. Beside Python's part stands the same of a route that only
reads the same body.

    before     from the press of the button to the page's asking
    network    from the browser's sending to its having everything, less what the server had it for
    page asks the browser's own parts of the request, and parsing JSON
    python     routing, validation, threads, JSON: what the server had it for, less what its answer names
    frame      from the end of painting to the frame after it
"""

import shutil
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import uvicorn

from benchmarks.click_apps import cached_segmenter
from benchmarks.click_latency import FLAGS, PLACE, SETTLE, WARM_UP, open_sample, served
from benchmarks.machine import describe, line
from benchmarks.rows import Row, options, over, show, spread, write
from whyseg.curation.clicks import ClickService
from whyseg.curation.segmenters import choose
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Sample

SIZES = ("vga", "12mp")
PARTS = (
    "before", "page asks", "network", "python", "wait", "model", "enlarge", "rle", "decode", "paint", "page shows",
    "frame",
)  # fmt: skip
Message = MutableMapping[str, Any]

WATCH = """() => {
    const show = stage.measured;
    performance.setResourceTimingBufferSize(100000);
    stage.measured = timing => {
        const seen = performance.getEntriesByType("resource").filter(one => one.name.endsWith("/click")).at(-1);
        const { startTime, requestStart, responseEnd, serverTiming } = seen;
        const app = serverTiming[0].duration, { repainted } = stage;
        Object.assign(timing, { startTime, requestStart, responseEnd, app, repainted, pressed });
        show(timing);
    };
}"""
BARE = """async body => {
    const headers = { "Content-Type": "application/json" };
    await (await fetch("/bare", { method: "POST", headers, body: JSON.stringify(body) })).json();
    await new Promise(done => setTimeout(done, 20));
    const seen = performance.getEntriesByType("resource").filter(one => one.name.endsWith("/bare")).at(-1);
    return seen.serverTiming[0].duration;
}"""


def main() -> None:
    """Measure, print, write; or be the server."""
    if sys.argv[1:2] == ["--serve"]:
        uvicorn.run(
            server(Path(sys.argv[3]), tiny=sys.argv[2] == "tiny"),
            port=int(sys.argv[4]),
            log_level="warning",
            access_log=False,
        )
        return
    asked = options(__doc__, "click_profile").parse_args()
    clicks = 15 if asked.quick else 100
    machine = describe("whyseg", "fastapi", "uvicorn", "onnxruntime", "numpy")
    with tempfile.TemporaryDirectory() as folder:
        serving = ["-m", "benchmarks.click_profile", "--serve", "tiny" if asked.quick else "best"]
        with served(Path(folder), serving) as (url, samples):
            model = httpx.get(f"{url}/api/v1/info").json()["segmenter"]["name"]
            found = in_chromium(url, {name: samples[name] for name in SIZES}, clicks)
    rows = [row for name, taken in found.items() for row in rows_of(name, model, taken)]
    print(line(machine))
    show(rows)
    write(asked.out, rows, machine, quick=asked.quick, clicks=clicks, segmenter=model)


def server(folder: Path, *, tiny: bool) -> Callable[..., Awaitable[None]]:
    """Return the real application, which says in a header how long it has had each request."""
    from whyseg.ui.pictures import Pictures
    from whyseg.ui.routes.clicks import Click
    from whyseg.ui.server import build_server

    workspace = Workspace.open(folder / "team")
    segmenter, reason = choose("sam2", model="tiny-test") if tiny else cached_segmenter()
    app = build_server(workspace, ClickService(segmenter, Pictures(workspace).pixels, reason=reason))

    @app.post("/bare")
    def bare(body: Click) -> dict[str, int]:
        return {"seq": body.seq}

    async def timed(scope: Message, receive: Any, send: Any) -> None:
        began = time.perf_counter()

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                value = f"app;dur={1e3 * (time.perf_counter() - began):.3f}".encode()
                message = {**message, "headers": [*message["headers"], (b"server-timing", value)]}
            await send(message)

        await app(scope, receive, told)

    return timed


def in_chromium(url: str, samples: dict[str, Sample], clicks: int) -> dict[str, list[dict[str, float]]]:
    """Return the parts of every click, by size."""
    from playwright.sync_api import sync_playwright

    found = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        for name, sample in samples.items():
            page = browser.new_page(viewport={"width": 1400, "height": 900})
            open_sample(page, url, sample)
            page.evaluate(WATCH)
            found[name] = clicking(page, sample, clicks)
            page.close()
        browser.close()
    return found


def clicking(page: Any, sample: Sample, clicks: int) -> list[dict[str, float]]:
    """Click somewhere, wait for the mask, take it back, ask the bare route; return the parts of each click."""
    height, width = sample.size
    found = []
    for x, y in np.random.default_rng(1).uniform(0.03, 0.97, (clicks + WARM_UP, 2)) * [width, height]:
        before = page.evaluate("rows.length")
        page.mouse.click(*page.evaluate(PLACE, [float(x), float(y)]))
        page.wait_for_function(f"rows.length > {before}", polling=20)
        seen = page.evaluate("rows.at(-1)")
        page.evaluate(SETTLE)
        body = {"client": "bare", "seq": 1, "image_id": sample.image_id, "points": [[float(x), float(y), 1]]}
        found.append(parts(seen) | {"bare": page.evaluate(BARE, body)})
        page.wait_for_timeout(50)
    return found[WARM_UP:]


def parts(seen: dict[str, float]) -> dict[str, float]:
    """Return the parts of a click, in milliseconds; they add up to its total."""
    asked, sent, came = seen["startTime"], seen["requestStart"], seen["responseEnd"]
    model = {name: seen[name] for name in ("wait", "model", "enlarge", "rle")}
    before = asked - seen["pressed"]
    decode = seen["paint"] - seen["repainted"]
    found = {
        "before": before,
        "page asks": seen["fetch"] - (came - sent),  # its own parts, before sending and after receiving
        "network": came - sent - seen["app"],
        "python": seen["app"] - sum(model.values()),
        **model,
        "decode": decode,
        "paint": seen["repainted"],
        "page shows": seen["page"],
    }
    return found | {"frame": seen["total"] - sum(found.values()), "total": seen["total"]}


def rows_of(name: str, model: str, taken: list[dict[str, float]]) -> list[Row]:
    """Return what was found at one size as rows."""
    spreads = {key: spread([one[key] for one in taken]) for key in taken[0]}
    rows = [Row(what=f"{name}: a click with {model}, all of it", **spreads["total"])]
    for part in PARTS:
        compared = dict[str, Any]()
        if part == "python":
            bare = spreads["bare"]["p50"]
            compared = {"baseline": "a route that only reads the same body"} | over(spreads["python"]["p50"], bare)
        rows.append(Row(what=f"{name}: {part}", **spreads[part], **compared))
    means = {part: float(np.mean([one[part] for one in taken])) for part in (*PARTS, "total")}
    named = sum(means[part] for part in PARTS if part != "frame")
    share = round(100 * named / means["total"], 1)
    rows.append(
        Row(what=f"{name}: named by a clock, without the wait for the frame", unit="% of the mean", value=share)
    )
    return rows


if __name__ == "__main__":
    main()
