"""What decoding clicks in the page would give: onnxruntime-web beside the served click, over slow and distant links.

    python -m benchmarks.browser_decode [--quick] [--out FILE]

The real application, MobileSAM, a real Chromium. A worker of the page has SAM's decoder, cut to what a click needs and
its weights as float16, and gets each picture's embedding as float16; the page's own requests for a click go to the
server or to that worker, in turns, and everything after the answer is the same code. The link is emulated: the server
waits for a round trip, and Chromium slows the bytes; TCP's slow start is missing, which spares large files most.

    once      the runtime and the decoder, compressed, fetched and made ready
    picture   the embedding of a picture that is already encoded, fetched and handed to the worker
    click     from the press of the button to the frame after the mask was painted
    previews  a mask under a moving pointer: how many a second, and how long the page's frames become

Fetches the npm package of onnxruntime-web, by its hash, unless it is here. The server and the browser share the
machine's cores, where a user's browser has its own. Needs Chromium on the PATH and the ``demo`` extra.
"""

import asyncio
import gzip
import shutil
import sys
import tempfile
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import onnx
import uvicorn
from fastapi import Response
from onnx import helper, numpy_helper

from benchmarks.click_latency import FLAGS, PLACE, SETTLE, USERS, crowd, open_sample, served
from benchmarks.machine import describe, line
from benchmarks.rows import Row, faster, options, over, show, spread, write
from whyseg.curation.clicks import ClickService
from whyseg.curation.segmenters import weights
from whyseg.curation.segmenters.mobilesam import MobileSamSegmenter
from whyseg.curation.segmenters.mobilesam import decoder as cut
from whyseg.curation.segmenters.weights import Model, ModelFile
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Mask, Sample
from whyseg.ui.pictures import Pictures

RUNTIME = Model(
    name="onnxruntime-web",
    backend="onnxruntime-web",
    what="onnxruntime for browsers",
    source="npm:onnxruntime-web@1.30.0",
    license="MIT",
    files=(
        ModelFile(
            "ort.wasm.min.mjs",
            "package/dist/ort.wasm.min.mjs",
            50_126,
            "219e6a1fc8a9938268d18efca3c91d310bd2f4a59bbd13744df5b2b7fc6cee3b",
        ),
        ModelFile(
            "ort-wasm-simd-threaded.mjs",
            "package/dist/ort-wasm-simd-threaded.mjs",
            24_381,
            "e13f7f94fc51b4ca72b12faeb1ee95f4ace6dfbc8939bc718aabdc0a27c4299b",
        ),
        ModelFile(
            "ort-wasm-simd-threaded.wasm",
            "package/dist/ort-wasm-simd-threaded.wasm",
            14_239_897,
            "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
        ),
    ),
)
Message = MutableMapping[str, Any]
ISOLATED = ((b"cross-origin-opener-policy", b"same-origin"), (b"cross-origin-embedder-policy", b"require-corp"))
SLOWEST = 5.0  # Mbit/s at which the runtime is still fetched in full; below, its time is its bytes over the rate
WARM_UP = 2
MODULES = ("page", "worker")


@dataclass(frozen=True)
class Link:
    """A link: its round trip in ms, and its rate in Mbit/s; nothing of either is this machine's own."""

    round_trip: float = 0
    rate: float = 0

    def __str__(self) -> str:
        return f"{self.round_trip:g} ms, {self.rate:g} Mbit/s" if self.rate else "no delay"


@dataclass(frozen=True)
class Bench:
    """A browser, where the application is, its samples by size, clicks a row, and the IoU of every pair of masks."""

    browser: Any
    url: str
    samples: dict[str, Sample]
    clicks: int
    alike: list[float]

    @property
    def quick(self) -> bool:
        """Whether small numbers are enough."""
        return self.clicks < 10


LINKS = (Link(), Link(20, 50), Link(50, 10), Link(100, 4), Link(200, 1), Link(300, 20))

# The page's module, and a call of it.
BRING = "async () => { window.decoding = await import('/bench/page.js'); }"
SETUP = "threads => decoding.setUp(threads)"
TAKE = "([image, size]) => decoding.take(image, size)"
PREVIEWS = "([image, seconds, local]) => decoding.previews(image, seconds, local)"


def main() -> None:
    """Measure, print, write; or be the server."""
    if sys.argv[1:2] == ["--serve"]:
        uvicorn.run(server(Path(sys.argv[2])), port=int(sys.argv[3]), log_level="warning", access_log=False)
        return
    asked = options(__doc__, "browser_decode").parse_args()
    runtime()
    machine = describe("whyseg", "onnxruntime", "fastapi", "uvicorn", "numpy")
    with tempfile.TemporaryDirectory() as folder:
        with served(Path(folder), ["-m", "benchmarks.browser_decode", "--serve"]) as (url, samples):
            found = in_chromium(url, samples, quick=asked.quick)
    rows = rows_of(found)
    print(line(machine))
    show(rows)
    write(asked.out, rows, machine, quick=asked.quick, runtime=RUNTIME.source, **found)


# The server


def runtime() -> Path:
    """Return the folder of onnxruntime-web, fetching it unless it is here."""
    return weights.here(RUNTIME) or weights.pull(RUNTIME)


@cache
def decoder() -> bytes:
    """Return MobileSAM's decoder without what no click needs, its large weights as float16; inputs stay float32."""
    model = cut((weights.here("mobilesam") or weights.pull("mobilesam")) / "sam.onnx")
    graph, large = model.graph, []
    for one in list(graph.initializer):
        array = numpy_helper.to_array(one)
        if array.dtype == np.float32 and array.size > 1000:
            large.append(helper.make_node("Cast", [f"{one.name}_half"], [one.name], to=onnx.TensorProto.FLOAT))
            one.CopyFrom(numpy_helper.from_array(array.astype(np.float16), f"{one.name}_half"))
    nodes = [*large, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    return bytes(model.SerializeToString())


def compressed(data: bytes, media: str) -> Response:
    """Return a file's answer, compressed as a server of static files would have it."""
    return Response(gzip.compress(data, 6), media_type=media, headers={"content-encoding": "gzip"})


def server(folder: Path) -> Callable[..., Awaitable[None]]:
    """Return the real application, runtime, decoder and embeddings beside it, as far away as is asked."""
    from whyseg.ui.server import build_server

    workspace = Workspace.open(folder / "team")
    pictures = Pictures(workspace)
    segmenter = MobileSamSegmenter(weights.here("mobilesam") or weights.pull("mobilesam"))
    app = build_server(workspace, ClickService(segmenter, pictures.pixels, reason="MobileSAM."))
    known = {image_id: segmenter.embed(pictures.pixels(image_id)) for image_id in workspace.store.images()}
    kinds = {".mjs": "text/javascript", ".js": "text/javascript", ".wasm": "application/wasm"}
    files = {f"runtime/{file.name}": (runtime() / file.name).read_bytes() for file in RUNTIME.files}
    files |= {f"{name}.js": Path(__file__).with_name(f"browser_decode_{name}.js").read_bytes() for name in MODULES}
    files["decoder.onnx"] = decoder()
    ready = {
        name: compressed(data, kinds.get(Path(name).suffix, "application/octet-stream")) for name, data in files.items()
    }

    @app.get("/bench/embedding/{image_id}")
    def embedding(image_id: str) -> Response:
        data = known[image_id].features.astype("<f2").tobytes()
        return Response(data, media_type="application/octet-stream")

    @app.get("/bench/{name:path}")
    def file(name: str) -> Response:
        return ready[name]

    link = {"seconds": 0.0}

    @app.post("/bench/delay")
    def delay(seconds: float) -> None:
        link["seconds"] = seconds

    async def distant(scope: Message, receive: Any, send: Any) -> None:
        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *ISOLATED]}
            await send(message)

        if scope["type"] == "http":
            await asyncio.sleep(link["seconds"])
        await app(scope, receive, told)

    return distant


# In the browser


def in_chromium(url: str, samples: dict[str, Sample], *, quick: bool) -> dict[str, Any]:
    """Return what every part found, and how alike the masks of both ways are."""
    from playwright.sync_api import sync_playwright

    found: dict[str, Any] = {"alike": []}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        found["browser"] = f"Chromium {browser.version}, headless, no GPU"
        for name, part in PARTS.items():
            found[name] = part(Bench(browser, url, samples, 3 if quick else 12, found["alike"]))
        browser.close()
    return found


def threads(bench: Bench) -> dict[str, Any]:
    """Return clicks and previews with one thread in the page and with two, without any delay."""
    found = {}
    for count in (1, 2):
        for name in ("vga", "12mp"):
            page = opened(bench, name)
            made = page.evaluate(SETUP, count)
            page.evaluate(TAKE, wanted(bench, name))
            shown = previews(bench, page, name) if name == "vga" else {}
            found[f"{count} {name}"] = both(bench, page, name) | {"ready": made["ready"], "previews": shown}
            page.close()
    return found


def links(bench: Bench) -> dict[str, Any]:
    """Return what the runtime, an embedding, clicks and previews take over every link."""
    found = {}
    for link in LINKS[:1] + LINKS[-1:] if bench.quick else LINKS:
        page = opened(bench, "hd")
        slow = 0 < link.rate < SLOWEST
        if slow:
            made = page.evaluate(SETUP, 1)
        emulate(bench, page, link)
        if not slow:
            made = page.evaluate(SETUP, 1)
        fetched = link.round_trip + 8 * carried() / link.rate / 1e3 if slow else made["fetched"]
        taken = [page.evaluate(TAKE, wanted(bench, "hd")) for _ in range(1 if slow else 3)]
        found[str(link)] = both(bench, page, "hd") | {
            "once": fetched + made["ready"],
            "calculated": slow,
            "picture": float(np.median(taken)),
            "previews": previews(bench, page, "hd"),
        }
        emulate(bench, page, Link())
        page.close()
    return found


def others(bench: Bench) -> dict[str, Any]:
    """Return clicks while others click too, who are all answered by the server."""
    page = opened(bench, "hd")
    page.evaluate(SETUP, 1)
    page.evaluate(TAKE, wanted(bench, "hd"))
    with crowd(bench.url, bench.samples["hd"]):
        found = both(bench, page, "hd")
    page.close()
    return found


PARTS: dict[str, Callable[[Bench], dict[str, Any]]] = {"threads": threads, "links": links, "others": others}


def wanted(bench: Bench, name: str) -> list[Any]:
    """Return what `TAKE` takes."""
    sample = bench.samples[name]
    return [sample.image_id, sample.size]


def opened(bench: Bench, name: str) -> Any:
    """Open a sample on a page of its own, with the module beside the application's."""
    page = bench.browser.new_page(viewport={"width": 1400, "height": 900})
    open_sample(page, bench.url, bench.samples[name])
    page.evaluate(BRING)
    return page


def both(bench: Bench, page: Any, name: str) -> dict[str, Any]:
    """Click at the same places with the server and in the page, in turns; return the spreads of both."""
    sample = bench.samples[name]
    height, width = sample.size
    took: dict[str, list[dict[str, float]]] = {"served": [], "page": []}
    for x, y in np.random.default_rng(1).uniform(0.03, 0.97, (bench.clicks + WARM_UP, 2)) * [width, height]:
        masks = []
        for way, rows in took.items():
            page.evaluate("local => { decoding.state.local = local; }", way == "page")
            before = page.evaluate("rows.length")
            page.mouse.click(*page.evaluate(PLACE, [float(x), float(y)]))
            page.wait_for_function(f"rows.length > {before}", polling=20)
            rows.append(page.evaluate("rows.at(-1)"))
            masks.append(page.evaluate("stage.active.mask.counts"))
            page.evaluate(SETTLE)
            page.wait_for_timeout(50)
        one, other = (Mask(size=sample.size, counts=counts) for counts in masks)
        bench.alike.append(round(one.iou(other), 5))
    return {
        way: {key: spread([row[key] for row in rows[WARM_UP:]]) for key in ("total", "model", "enlarge")}
        for way, rows in took.items()
    }


def carried() -> int:
    """Return the bytes of runtime and decoder as they travel."""
    files = [(runtime() / file.name).read_bytes() for file in RUNTIME.files]
    return sum(len(gzip.compress(data, 6)) for data in [*files, decoder()])


def emulate(bench: Bench, page: Any, link: Link) -> None:
    """Have the server delay its answers and Chromium slow them.

    Chromium's own delay is the least that an answer takes, which hides the server's work; a distance adds to it.
    """
    httpx.post(f"{bench.url}/bench/delay", params={"seconds": link.round_trip / 1e3})
    rate = link.rate * 1e6 / 8 or -1
    devices = page.context.new_cdp_session(page)
    devices.send("Network.enable")
    devices.send(
        "Network.emulateNetworkConditions",
        {"offline": False, "latency": 0, "downloadThroughput": rate, "uploadThroughput": rate},
    )


def previews(bench: Bench, page: Any, name: str) -> dict[str, Any]:
    """Return the previews a second of both ways and the lengths of the page's frames, beside a page at rest."""
    image, seconds = bench.samples[name].image_id, 1 if bench.quick else 3
    ways = {"none": None, "served": False, "page": True}
    return {way: page.evaluate(PREVIEWS, [image, seconds, local]) for way, local in ways.items()}


# Figures


def rows_of(found: dict[str, Any]) -> list[Row]:
    """Return what was found as rows, the page's beside the server's."""
    rows = [
        Row(what="runtime and decoder, compressed", unit="bytes", value=carried()),
        Row(what="a picture's embedding as float16", unit="bytes", value=2 * 256 * 64 * 64),
        Row(what="masks of both ways, the least alike", unit=f"IoU of {len(found['alike'])}",
            value=min(found["alike"])),
    ]  # fmt: skip
    for name, seen in found["threads"].items():
        count, size = name.split()
        title = f"{size}, {count} thread{'s' * (count != '1')} in the page"
        rows += [beside(f"{title}: {part}", seen, part) for part in ("model", "enlarge", "total")]
        rows += previewed(title, seen["previews"]) if seen["previews"] else []
    for link, seen in found["links"].items():
        rows.append(beside(f"{link}: a click", seen, "total"))
        gain = seen["served"]["total"]["p50"] - seen["page"]["total"]["p50"]
        told = ", calculated" if seen["calculated"] else ""
        rows.append(Row(what=f"{link}: once{told}", unit="s", value=round(seen["once"] / 1e3, 2)))
        rows.append(Row(what=f"{link}: a picture", value=round(seen["picture"], 1)))
        first = seen["picture"] + seen["page"]["total"]["p50"]
        times = faster(first, seen["served"]["total"]["p50"])
        rows.append(Row(what=f"{link}: the first mask", value=round(first, 1), baseline="served", **times))
        if gain > 0:
            needed = round(seen["picture"] / gain, 1)
            rows.append(Row(what=f"{link}: a picture pays from so many clicks", unit="clicks", value=needed))
        rows += previewed(link, seen["previews"])
    rows.append(beside(f"{USERS} others click once a second: a click", found["others"], "total"))
    return rows


def beside(what: str, seen: dict[str, Any], part: str) -> Row:
    """Return a row of the page's figure beside the server's."""
    own, served = seen["page"][part], seen["served"][part]
    return Row(what=what, **own, baseline="served", **faster(own["p50"], served["p50"]))


def previewed(what: str, seen: dict[str, Any]) -> list[Row]:
    """Return the rows of previews: how many a second, and the frames."""
    rate, served = seen["page"]["rate"], seen["served"]["rate"]
    times = {"against": round(served, 2), "ratio": round(rate / max(served, 1e-9), 2), "means": "times as many"}
    frames = over(seen["page"]["p95"], seen["none"]["p95"])
    return [
        Row(what=f"{what}: previews a second", unit="a second", value=round(rate, 2), baseline="served", **times),
        Row(what=f"{what}: 95th percentile of frames meanwhile", value=round(seen["page"]["p95"], 1),
            baseline="no previews", **frames),
    ]  # fmt: skip


if __name__ == "__main__":
    main()
