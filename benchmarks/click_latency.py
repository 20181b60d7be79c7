"""What a click costs beside the model: whyseg's canvas against stock Gradio, in a real Chromium.

    python -m benchmarks.click_latency [--quick] [--out FILE]

One server process serves the real application and two stock Gradio ones (see `click_apps`) with one segmenter; one
Chromium clicks at 640×480, 1920×1080 and 4000×3000, alone and while 20 scripted clients click once a second each: with
a decoder that answers at once what it answered before, as the server is measured here and not the model, and, for
information, with the model itself, which on a CPU has no time for 20 users.

    total      from the press of the button to the frame after the mask was painted (stock: to the picture's decoding)
    fetch      the round trip as the page sees it; transport is fetch less what the server says it worked and waited
    rest       total less the decoder's own milliseconds
    paint      decoding the run lengths and painting the changed part of the canvas
    page       what else the page does before the frame: list of instances, buttons, journal

Needs Chromium on the PATH, playwright, and the ``demo`` extra for the photograph. Nothing is asserted; figures, budgets
and machine are printed and written as JSON.
"""

import asyncio
import contextlib
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np

from benchmarks.click_apps import cached_segmenter
from benchmarks.machine import describe, line
from benchmarks.rows import Budget, Row, faster, options, over, spread, write
from benchmarks.rows import show as show_rows
from whyseg.curation.demo import PHOTOS
from whyseg.curation.importing import import_images
from whyseg.curation.queries import SampleFilter
from whyseg.curation.segmenters.base import Proposal
from whyseg.curation.segmenters.crops import encode_crop
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Point, Prompt, Sample

SIZES = {"vga": (640, 480), "hd": (1920, 1080), "12mp": (4000, 3000)}
LARGEST = "12mp"
USERS = 20
TITLES = {
    "ours": "whyseg",
    "crowd": f"whyseg, {USERS} users, no model",
    "busy": f"whyseg, {USERS} users",
    "stock": "stock Gradio",
    "tuned": "tuned Gradio",
}
WARM_UP = 3
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
APPS = ("-m", "benchmarks.click_apps")
Rows = list[dict[str, float]]

ATTACH = """async () => {
    const { current } = await import("/static/index.js");
    window.stage = current().stage; window.desk = current();
    window.rows = [];
    stage.surface.addEventListener("pointerdown", () => { window.pressed = performance.now(); }, true);
    const show = stage.measured.bind(stage);
    stage.measured = timing => { rows.push({ ...timing, total: performance.now() - pressed }); show(timing); };
}"""
PLACE = """([x, y]) => {
    const { left, top } = stage.surface.getBoundingClientRect(), [sx, sy] = stage.view.toScreen([x + 0.5, y + 0.5]);
    return [left + sx, top + sy];
}"""
SETTLE = "async () => { await stage.candidates.pictures; stage.undo(); await desk.saver.flush(desk.id); }"
EMPTY_POSTS = """async n => {
    const took = [], headers = { "Content-Type": "application/json" }, body = '{"image_ids": []}';
    for (let i = 0; i < n; i++) {
        const started = performance.now();
        await (await fetch("/api/v1/encode", { method: "POST", headers, body })).json();
        took.push(performance.now() - started);
    }
    return took;
}"""
WATCH_STOCK = """() => {
    let seen = "", pressed = 0;
    const output = document.querySelector("#out");
    window.took = [];
    document.querySelector("#in").addEventListener("pointerdown", () => { pressed = performance.now(); }, true);
    new MutationObserver(() => {
        const image = output.querySelector("img");
        if (!image || image.src === seen) return;
        seen = image.src;
        image.decode().then(() => took.push(performance.now() - pressed));
    }).observe(output, { subtree: true, childList: true, attributes: true });
}"""


def main() -> None:
    """Measure, print, write."""
    asked = options(__doc__, "click_latency").parse_args()
    clicks = 10 if asked.quick else 50
    machine = describe("whyseg", "gradio", "fastapi", "uvicorn", "onnxruntime", "numpy", "opencv-python-headless")
    with tempfile.TemporaryDirectory() as folder, served(Path(folder)) as (url, samples):
        info = httpx.get(f"{url}/api/v1/info").json()
        figures = in_chromium(url, samples, clicks)
    figures["enlarge"] = enlarging(clicks)
    result = {
        "machine": machine, "segmenter": info["segmenter"], "clicks": clicks, "users": USERS, **figures,
    }  # fmt: skip
    machine = result.pop("machine")
    print(line(machine))
    show(result)
    rows = rows_of(result)
    show_rows(rows)
    write(asked.out, rows, machine, quick=asked.quick, **result)


# Pictures, workspace, server


def photograph(width: int, height: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return a photograph of that size, uint8 (height, width, 3) BGR, with a camera's grain."""
    path = next(filter(None, (photo.path() for photo in PHOTOS)), None)
    if path is None:
        sys.exit("no photograph to click on: pip install 'whyseg[demo]'")
    source = cv2.imread(str(path))
    assert source is not None
    scale = max(width / source.shape[1], height / source.shape[0])
    large = cv2.resize(source, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)[:height, :width]
    grain = np.random.default_rng(0).normal(0, 3, large.shape)
    return np.clip(large + grain, 0, 255).astype(np.uint8)


@contextlib.contextmanager
def served(folder: Path, program: Sequence[str] = APPS) -> Iterator[tuple[str, dict[str, Sample]]]:
    """Make pictures and a workspace, and have a program serve them; give the address, and the sample of each size."""
    for name, size in SIZES.items():
        cv2.imwrite(str(folder / f"{name}.jpg"), photograph(*size), [cv2.IMWRITE_JPEG_QUALITY, 90])
    with Workspace.create(folder / "team") as workspace:
        import_images(workspace, folder, author="benchmark")
        rows = workspace.store.page(SampleFilter()).samples
        samples = {Path(row.file_name).stem: workspace.store.head(row.id).sample for row in rows}
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    server = subprocess.Popen([sys.executable, *program, str(folder), str(port)])
    try:
        with httpx.Client(base_url=url) as client:  # one for all: making one costs more than asking
            for _ in range(600):
                time.sleep(0.2)
                if server.poll() is not None:
                    sys.exit("the server did not start")
                with contextlib.suppress(httpx.TransportError):
                    if client.get("/healthz").status_code == 200:
                        break
        yield url, samples
    finally:
        server.terminate()
        server.wait(20)


# In the browser


def in_chromium(url: str, samples: dict[str, Sample], clicks: int) -> dict[str, Any]:
    """Return the figures of every size and application, and the names of browser and transport baseline."""
    from playwright.sync_api import sync_playwright

    found: dict[str, Any] = {kind: {} for kind in TITLES}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        found["browser"] = f"Chromium {browser.version}, headless, no GPU"
        for name, sample in samples.items():
            page = browser.new_page(viewport={"width": 1400, "height": 900})
            open_sample(page, url, sample)
            found["ours"][name] = summary(clicking(page, sample, clicks))
            if name == LARGEST:
                found["empty post"] = spread(page.evaluate(EMPTY_POSTS, 4 * clicks))
            for kind, instant in (("crowd", True), ("busy", False)):
                httpx.post(f"{url}/decoder", params={"instant": instant})
                with crowd(url, sample):
                    found[kind][name] = summary(clicking(page, sample, clicks if instant else clicks // 2))
            page.close()
        for kind in ("stock", "tuned"):
            for name in samples:
                page = browser.new_page(viewport={"width": 1400, "height": 900})
                found[kind][name] = summary(clicking_stock(page, url, f"/{kind}/{name}/", clicks))
                page.close()
        browser.close()
    return found


def open_sample(page: Any, url: str, sample: Sample) -> None:
    """Open a sample in the application and wait until its image is encoded."""
    page.goto(f"{url}/app/?sample={sample.id}")
    page.wait_for_selector(".ws-stage canvas")
    page.evaluate(ATTACH)
    page.wait_for_function("id => stage.sample?.id === id && stage.picture", arg=sample.id, polling=50)
    while True:
        state = httpx.post(f"{url}/api/v1/encode", json={"image_ids": [sample.image_id]}).json()
        if state["images"][sample.image_id]["state"] == "ready":
            break
        time.sleep(0.1)
    page.wait_for_timeout(500)


def clicking(page: Any, sample: Sample, clicks: int) -> Rows:
    """Click somewhere, wait for the mask, take it back; return the page's own timings."""
    height, width = sample.size
    rows: Rows = []
    for x, y in np.random.default_rng(1).uniform(0.03, 0.97, (clicks + WARM_UP, 2)) * [width, height]:
        before = page.evaluate("rows.length")
        page.mouse.click(*page.evaluate(PLACE, [float(x), float(y)]))
        page.wait_for_function(f"rows.length > {before}", polling=20)  # in every frame it would take a core
        rows.append(page.evaluate("rows.at(-1)"))
        page.evaluate(SETTLE)
        page.wait_for_timeout(50)
    for row in rows:
        row["transport"] = row["fetch"] - row["wait"] - row["model"] - row["enlarge"] - row["rle"]
        row["rest"] = row["total"] - row["model"]
    return rows[WARM_UP:]


def clicking_stock(page: Any, url: str, path: str, clicks: int) -> Rows:
    """Click in a stock application, wait for the picture."""
    page.goto(url + path)
    page.wait_for_selector("#in img")
    page.wait_for_timeout(1500)
    page.evaluate(WATCH_STOCK)
    box = page.locator("#in img").bounding_box()
    for n, (x, y) in enumerate(np.random.default_rng(1).uniform(0.03, 0.97, (clicks + WARM_UP, 2)), 1):
        page.mouse.click(box["x"] + float(x) * box["width"], box["y"] + float(y) * box["height"])
        page.wait_for_function(f"took.length >= {n}", polling=20, timeout=60_000)
        page.wait_for_timeout(50)
    totals, models = page.evaluate("took"), httpx.get(f"{url}/took").json()[-clicks:]
    return [{"total": t, "model": m, "rest": t - m} for t, m in zip(totals[WARM_UP:], models, strict=True)]


@contextlib.contextmanager
def crowd(url: str, sample: Sample) -> Iterator[None]:
    """Let `USERS` clients click once a second each, at moments of their own, until the block ends."""
    done = threading.Event()

    async def one(client: httpx.AsyncClient, number: int, moments: random.Random) -> None:
        await asyncio.sleep(moments.random())
        seq = int(time.time() * 1000)
        while not done.is_set():
            seq += 1
            points = [[moments.uniform(0, sample.size[1] - 1), moments.uniform(0, sample.size[0] - 1), 1]]
            body = {"client": f"user {number}", "seq": seq, "image_id": sample.image_id, "points": points}
            started = time.monotonic()
            await client.post("/api/v1/click", json=body)
            await asyncio.sleep(max(0.0, 1 - (time.monotonic() - started)))

    async def everybody() -> None:
        async with httpx.AsyncClient(base_url=url, timeout=60) as client:
            await asyncio.gather(*(one(client, n, random.Random(n)) for n in range(USERS)))

    thread = threading.Thread(target=lambda: asyncio.run(everybody()))
    thread.start()
    time.sleep(2)
    try:
        yield
    finally:
        done.set()
        thread.join()


# Without a browser


def enlarging(clicks: int) -> dict[str, Any]:
    """Time enlarging and run-length encoding at the largest size: the best candidate, and all of them at once."""
    segmenter, _ = cached_segmenter()
    width, height = SIZES[LARGEST]
    embedding = segmenter.embed(cv2.cvtColor(photograph(width, height), cv2.COLOR_BGR2RGB).astype(np.uint8))
    best, together = [], []
    for x, y in np.random.default_rng(1).uniform(0.03, 0.97, (clicks + WARM_UP, 2)) * [width, height]:
        proposals = segmenter.propose(embedding, Prompt(points=(Point(x=float(x), y=float(y)),)))
        best.append(encoding(proposals[:1]))
        together.append(encoding(proposals))
    return {"best": spread(best[WARM_UP:]), "all": spread(together[WARM_UP:])}


def encoding(proposals: Sequence[Proposal]) -> float:
    """Return the milliseconds that the crops of proposals and their run lengths take."""
    start = time.perf_counter()
    for proposal in proposals:
        encode_crop(proposal)
    return 1e3 * (time.perf_counter() - start)


# Figures


EMPTY_POST = 4.6  # p95, ms: what an empty POST took in Chromium where the budgets of transport were set


def summary(rows: Rows) -> dict[str, dict[str, float]]:
    """Return the spread of every figure."""
    return {key: spread([row[key] for row in rows]) for key in rows[0] if key != "seq"}


def rows_of(found: dict[str, Any]) -> list[Row]:
    """Return what was found as rows, budgets also over their baselines, so that the machine's own speed cancels out."""
    empty, rows = found["empty post"], list[Row]()
    for size in SIZES:
        painted = Budget(of="p95", at_most=5)
        rows.append(Row(what=f"{size}: browser decodes and paints", **found["ours"][size]["paint"], budget=painted))
    for kind, who, limit in (("ours", "alone", 15), ("crowd", f"with {USERS} users, no model", 25)):
        for size in SIZES:
            seen, what = found[kind][size]["transport"], f"{size}: transport {who}"
            rows.append(Row(what=what, **seen, budget=Budget(of="p95", at_most=limit)))
            times, budget = over(seen["p95"], empty["p95"]), Budget(of="ratio", at_most=round(limit / EMPTY_POST, 2))
            rows.append(
                Row(what=f"{what}, p95", value=seen["p95"], baseline="an empty POST, p95", **times, budget=budget)
            )
    best, together = found["enlarge"]["best"], found["enlarge"]["all"]
    what, ahead = f"{LARGEST}: enlarge and run lengths of the best", "all candidates at once"
    rows.append(Row(what=what, **best, budget=Budget(of="p95", at_most=15)))
    times = faster(best["p50"], together["p50"])
    rows.append(Row(what=what, **best, baseline=ahead, **times, budget=Budget(of="ratio", at_least=round(35 / 15, 2))))
    ours = found["ours"][LARGEST]["rest"]
    for kind, factor in (("stock", 20), ("tuned", 8)):
        times = faster(ours["p50"], found[kind][LARGEST]["rest"]["p50"])
        what, budget = f"{LARGEST}: everything but the model", Budget(of="ratio", at_least=factor)
        rows.append(Row(what=what, **ours, baseline=f"{kind} Gradio", **times, budget=budget))
    rows += [Row(what=f"{size}: a click, model and all", **found["ours"][size]["total"]) for size in SIZES]
    return rows


def show(result: dict[str, Any]) -> None:
    """Print everything as tables."""
    print(f"{result['browser']}; {result['segmenter']['reason']} {result['clicks']} clicks a row; ms, p50/p95\n")
    names = ["total", "model", "rest", "fetch", "wait", "enlarge", "rle", "transport", "paint", "page"]
    print(f"{'':<32}" + "".join(f"{name:>14}" for name in names))
    for kind, title in TITLES.items():
        for size, row in result[kind].items():
            cells = [f"{row[name]['p50']:.1f}/{row[name]['p95']:.1f}" if name in row else "" for name in names]
            print(f"{f'{title}, {size}':<32}" + "".join(f"{cell:>14}" for cell in cells))
    both, empty = result["enlarge"], result["empty post"]
    print(f"\nan empty POST in this browser {empty['p50']:.1f}/{empty['p95']:.1f}")
    print(f"enlarge and RLE at {LARGEST}: best {both['best']['p50']:.1f}/{both['best']['p95']:.1f}, "
          f"all at once {both['all']['p50']:.1f}/{both['all']['p95']:.1f}\n")  # fmt: skip


if __name__ == "__main__":
    main()
