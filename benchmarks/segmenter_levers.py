"""What else could make segmenters faster or better, each beside what runs now, in turns in one process.

    python -m benchmarks.segmenter_levers [--quick] [--only NAME] [--out FILE]

Shapes of known masks are drawn on photographs, small ones (0.05 to 0.3 % of the picture) and larger ones; a click is on
a shape's middle. For MobileSAM on onnxruntime: threads and graph optimisation, the encoder in dynamic int8, embeddings
as float16 on disk, and at which resolution its logits become pixels. For the tiny SAM 2 on torch: bfloat16, several
clicks in one pass of the decoder. For both: small objects, from the embedding of a crop around the click instead of the
whole picture's. Masks are compared with the shape and with what runs now; differences of IoU are paired and have 95 %
bootstrap intervals.
"""

import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import onnxruntime
import torch

from benchmarks.machine import describe, line
from benchmarks.rows import Row, faster, options, over, show, spread, write
from benchmarks.similarity import photographs
from whyseg.curation.segmenters import weights
from whyseg.curation.segmenters.base import Embedding, RgbArray, Segmenter
from whyseg.curation.segmenters.crops import encode_crop, mask_of
from whyseg.curation.segmenters.enlarge import LogitsProposal, fitted
from whyseg.curation.segmenters.kept import KeptEmbeddings
from whyseg.curation.segmenters.mobilesam import SIDE as SAM_SIDE
from whyseg.curation.segmenters.mobilesam import MobileSamEmbedding, MobileSamSegmenter
from whyseg.curation.segmenters.sam2 import Sam2Segmenter, pixels_of
from whyseg.schemas import Mask, Point, Prompt

SIDE = 1000  # of the pictures' longer side
WINDOW = 4  # a crop is so many times smaller than the picture
Scene = tuple[RgbArray, list[tuple[Point, Mask]]]
PHOTOS = ("astronaut.png", "china.jpg", "coffee.png", "flower.jpg", "rocket.jpg", "chelsea.png")


@dataclass(frozen=True)
class Bench:
    """What levers are tried on: two segmenters, scenes of small and of larger shapes, and how often a time is taken."""

    mobilesam: MobileSamSegmenter
    tiny: Sam2Segmenter
    small: list[Scene]
    large: list[Scene]
    times: int


def main() -> None:
    parser = options(__doc__, "segmenter_levers")
    parser.add_argument("--only", choices=[*LEVERS], help="one lever")
    asked = parser.parse_args()
    machine = describe("whyseg", "onnxruntime", "torch", "transformers", "numpy")
    bench = Bench(
        mobilesam=MobileSamSegmenter(folder_of("mobilesam")),
        tiny=Sam2Segmenter(folder_of("tiny-test"), "tiny-test"),
        small=scenes((0.0005, 0.003), quick=asked.quick),
        large=scenes((0.01, 0.06), quick=asked.quick),
        times=2 if asked.quick else 4,
    )
    rows = []
    for name, lever in LEVERS.items():
        if asked.only in (None, name):
            found = lever(bench)
            show(found)
            rows += found
    print(line(machine))
    write(asked.out, rows, machine, quick=asked.quick, small=count(bench.small), large=count(bench.large))


def folder_of(name: str) -> Path:
    """Return a model's folder, fetching it unless it is here."""
    return weights.here(name) or weights.pull(weights.find(name))


# Pictures


def scenes(share: tuple[float, float], *, quick: bool) -> list[Scene]:
    """Draw shapes of known masks on photographs, each of such a share of the picture, none upon another."""
    names, each, known = (PHOTOS[:2], 3, photographs()) if quick else (PHOTOS, 4, photographs())
    found = []
    for number, name in enumerate(names):
        rng = np.random.default_rng(number)
        pixels = known[name]
        scale = SIDE / max(pixels.shape[:2])
        picture = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC).astype(np.uint8)
        taken, things = np.zeros(picture.shape[:2], np.uint8), list[tuple[Point, Mask]]()
        while len(things) < each:
            shape, centre = drawn(rng, share, (picture.shape[0], picture.shape[1]))
            if (cv2.dilate(shape, np.ones((9, 9), np.uint8)) & taken).any():
                continue
            taken |= shape
            colour = rng.integers(0, 256, 3).astype(np.float32)
            grain = 8 * rng.standard_normal(picture.shape, np.float32)
            soft = np.asarray(cv2.GaussianBlur(shape.astype(np.float32), (0, 0), 0.8))[..., None]
            mixed = np.asarray(picture * (1 - soft) + (colour + grain) * soft)
            picture = np.clip(mixed, 0, 255).astype(np.uint8)
            things.append((centre, Mask.encode(shape.astype(bool))))
        found.append((picture, things))
    return found


def drawn(
    rng: np.random.Generator, share: tuple[float, float], size: tuple[int, int]
) -> tuple[npt.NDArray[np.uint8], Point]:
    """Return an ellipse or a polygon about a middle that belongs to it."""
    area = rng.uniform(*share) * size[0] * size[1]
    long, turn = float(rng.uniform(1, 2)), float(rng.uniform(0, 180))
    radius = float(np.sqrt(area / np.pi / long))
    margin = radius * long + 4
    x, y = float(rng.uniform(margin, size[1] - margin)), float(rng.uniform(margin, size[0] - margin))
    canvas, middle = np.zeros(size, np.uint8), (round(x), round(y))
    axes = (round(radius * long), round(radius))
    if rng.random() < 0.5:
        cv2.ellipse(canvas, middle, axes, turn, 0, 360, (1,), -1)
    else:
        corners = cv2.ellipse2Poly(middle, axes, round(turn), 0, 360, int(rng.choice([60, 72, 90])))
        cv2.fillPoly(canvas, [np.asarray(corners, np.int32)], (1,))
    return canvas, Point(x=middle[0], y=middle[1])


def count(scenes: Sequence[Scene]) -> int:
    return sum(len(things) for _, things in scenes)


# Measuring


def beside(ways: Mapping[str, Callable[[], Any]], times: int) -> dict[str, list[float]]:
    """Run every way so often, in turns; return the milliseconds of each run. The first round warms."""
    took: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(times + 1):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            if turn:
                took[name].append(1e3 * (time.perf_counter() - start))
    return took


def compared(title: str, took: dict[str, list[float]], now: str) -> list[Row]:
    """Return a row for each way but the one that runs now, which is the baseline."""
    base = spread(took[now])
    rows = [Row(what=f"{title}: {now}", **base)]
    for name, values in took.items():
        if name != now:
            own = spread(values)
            rows.append(Row(what=f"{title}: {name}", **own, baseline=now, **faster(own["p50"], base["p50"])))
    return rows


def clicked(segmenter: Segmenter, embedding: Embedding, at: Point) -> Mask:
    """Return the best mask of a click."""
    return mask_of(segmenter.propose(embedding, Prompt(points=(at,)))[0], embedding.size)


def gained(title: str, ours: Sequence[float], now: Sequence[float], baseline: str) -> Row:
    """Return a row of a mean IoU beside another of the same clicks, named with the difference's interval."""
    own, before = np.array(ours), np.array(now)
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, len(own), (2000, len(own)))
    low, high = np.percentile((own - before)[drawn].mean(1), [2.5, 97.5])
    gain = float((own - before).mean())
    said = f"{title}, {gain:+.3f} [{low:+.3f}, {high:+.3f}]"
    return Row(
        what=said, unit=f"mean IoU of {len(own)}", value=round(float(own.mean()), 3), baseline=baseline,
        against=round(float(before.mean()), 3), ratio=round(float(own.mean() / max(before.mean(), 1e-9)), 3),
        means="times the IoU",
    )  # fmt: skip


# The levers


def sessions(bench: Bench) -> list[Row]:
    """Try threads, spinning and graph optimisation of onnxruntime on the encoder."""
    path, levels = folder_of("mobilesam") / "encoder.onnx", onnxruntime.GraphOptimizationLevel

    def session(threads: int, *, spins: bool = False, level: Any = levels.ORT_ENABLE_ALL) -> Any:
        made = onnxruntime.SessionOptions()
        made.intra_op_num_threads, made.graph_optimization_level = threads, level
        made.add_session_config_entry("session.intra_op.allow_spinning", str(int(spins)))
        return onnxruntime.InferenceSession(path, made, providers=["CPUExecutionProvider"])

    made = {
        "as it runs now": session(0),
        "one thread": session(1),
        "two threads that spin": session(2, spins=True),
        "basic optimisation": session(0, level=levels.ORT_ENABLE_BASIC),
    }
    pixels = np.random.default_rng(0).normal(0, 1, (1, 3, 1024, 1024)).astype(np.float32)
    ways = {name: partial(one.run, None, {"input": pixels}) for name, one in made.items()}
    return compared("MobileSAM's encoder", beside(ways, bench.times), "as it runs now")


def int8(bench: Bench) -> list[Row]:
    """Quantise MobileSAM's encoder dynamically to int8: time, and masks against the shapes."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    rows = []
    for title, kinds in (("its matrix products", ["MatMul"]), ("all that can be", None)):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            shutil.copy(folder_of("mobilesam") / "sam.onnx", folder / "sam.onnx")
            quantize_dynamic(
                folder_of("mobilesam") / "encoder.onnx", folder / "encoder.onnx",
                weight_type=QuantType.QUInt8, op_types_to_quantize=kinds,
            )  # fmt: skip
            less = MobileSamSegmenter(folder)
        picture = bench.large[0][0]
        ways = {"float32": partial(bench.mobilesam.embed, picture), "int8": partial(less.embed, picture)}
        rows += compared(f"MobileSAM's encoder, {title} in int8", beside(ways, max(1, bench.times // 2)), "float32")
        ours, now = (ious(one, bench.large, whole) for one in (less, bench.mobilesam))
        rows.append(gained(f"MobileSAM, {title} in int8: clicks on larger shapes", ours, now, "float32"))
    return rows


def whole(segmenter: Segmenter, picture: RgbArray, at: Sequence[Point]) -> list[Mask]:
    """Return the masks of clicks from one embedding of the whole picture."""
    embedding = segmenter.embed(picture)
    return [clicked(segmenter, embedding, point) for point in at]


def cropped(segmenter: Segmenter, picture: RgbArray, at: Sequence[Point]) -> list[Mask]:
    """Return the masks of clicks, each from the embedding of a crop around it, set into the whole picture."""
    height, width = picture.shape[:2]
    h, w = height // WINDOW, width // WINDOW
    found = []
    for point in at:
        top, left = (
            int(np.clip(v - n // 2, 0, most - n)) for v, n, most in ((point.y, h, height), (point.x, w, width))
        )
        embedding = segmenter.embed(np.ascontiguousarray(picture[top : top + h, left : left + w]))
        pixels = np.zeros((height, width), bool)
        pixels[top : top + h, left : left + w] = clicked(
            segmenter, embedding, Point(x=point.x - left, y=point.y - top)
        ).decode()  # fmt: skip
        found.append(Mask.encode(pixels))
    return found


def ious(segmenter: Segmenter, scenes: Sequence[Scene], way: Callable[..., list[Mask]]) -> list[float]:
    """Return the IoU of every shape with the mask of a click on it."""
    found = []
    for picture, things in scenes:
        masks = way(segmenter, picture, [at for at, _ in things])
        found += [mask.iou(target) for mask, (_, target) in zip(masks, things, strict=True)]
    return found


def crops(bench: Bench) -> list[Row]:
    """Embed a crop around the click instead of the whole picture."""
    rows = []
    for name, segmenter in (("tiny SAM 2", bench.tiny), ("MobileSAM", bench.mobilesam)):
        for size, scenes in (("small", bench.small), ("larger", bench.large)):
            ours, now = ious(segmenter, scenes, cropped), ious(segmenter, scenes, whole)
            rows.append(gained(f"{name}: clicks on {size} shapes, from a crop", ours, now, "the whole picture"))
    return rows


def on_disk(bench: Bench) -> list[Row]:
    """Keep MobileSAM's embeddings on disk as float16: bytes, time to load, and masks."""
    pictures, same, took = bench.large, list[float](), dict[str, list[float]]()
    with tempfile.TemporaryDirectory() as name:
        kept = KeptEmbeddings(Path(name), spare=0)
        for number, (picture, things) in enumerate(pictures):
            embedding = bench.mobilesam.embed(picture)
            kept.keep(bench.mobilesam, str(number), embedding)
            load = partial(kept.load, bench.mobilesam, str(number))
            for way, values in beside(
                {"encoding": partial(bench.mobilesam.embed, picture), "loading": load}, 1
            ).items():
                took.setdefault(way, []).extend(values)
            back = load()
            assert back is not None
            same += [
                clicked(bench.mobilesam, back, at).iou(clicked(bench.mobilesam, embedding, at)) for at, _ in things
            ]
        size = sum(path.stat().st_size for path in Path(name).iterdir()) // len(pictures)
    rows = compared("MobileSAM's embedding, float16 on disk", took, "encoding")
    rows.append(
        Row(what="MobileSAM's embedding as float16 on disk", unit="bytes", value=size, baseline="float32 in memory",
            **over(size, embedding.nbytes))
    )  # fmt: skip
    worst = round(float(min(same)), 4)
    rows.append(Row(what="masks from float16 and float32, the least alike", unit=f"IoU of {len(same)}", value=worst))
    return rows


def resolution(bench: Bench) -> list[Row]:
    """Turn logits into run lengths at a picture's own size, as it runs now, pixel by pixel, and on the decoder's grid.

    The grid's 256 × 256 pixels would be enlarged by the page. All of a picture four times as large in each direction.
    """
    picture, things = bench.large[0]
    embedding = bench.mobilesam.embed(picture)
    large = MobileSamEmbedding(embedding.features, (4 * embedding.size[0], 4 * embedding.size[1]))
    took, found = dict[str, list[float]](), dict[str, list[tuple[float, int]]]()
    for at, _ in things:
        best = bench.mobilesam.propose(large, Prompt(points=(Point(x=4 * at.x, y=4 * at.y),)))[0]
        assert isinstance(best, LogitsProposal)
        ways: dict[str, Callable[[], Any]] = {
            "as it runs now": partial(encode_crop, best),
            "every pixel": partial(on_every_pixel, best),
            "the grid alone": partial(on_grid, best),
        }
        for way, values in beside(ways, bench.times).items():
            took.setdefault(way, []).extend(values)
        whole, crop = on_every_pixel(best), encode_crop(best)[0]
        for way, mask, counts in (
            ("as it runs now", mask_of(best, best.size), crop.counts),
            ("the grid alone", Mask.encode(enlarged(best, cv2.INTER_NEAREST)), on_grid(best).counts),
        ):
            found.setdefault(way, []).append((mask.iou(whole), len(counts)))
    rows = compared("12 megapixels, logits to run lengths", took, "as it runs now")
    for way, seen in found.items():
        iou, size = (round(float(np.mean(column)), 4) for column in zip(*seen, strict=True))
        rows.append(Row(what=f"12 megapixels, {way}: against every pixel", unit=f"mean IoU of {len(seen)}", value=iou))
        rows.append(Row(what=f"12 megapixels, {way}: run lengths", unit="bytes", value=size))
    return rows


def on_every_pixel(proposal: LogitsProposal) -> Mask:
    return Mask.encode(enlarged(proposal, cv2.INTER_LINEAR))


def on_grid(proposal: LogitsProposal) -> Mask:
    return Mask.encode(proposal.logits > 0)


def enlarged(proposal: LogitsProposal, how: int) -> npt.NDArray[np.bool_]:
    """Return every pixel of a mask of MobileSAM's, (H, W), enlarged in two steps as SAM's own code does."""
    height, width = fitted(proposal.size, SAM_SIDE)
    field = proposal.logits if how == cv2.INTER_LINEAR else (proposal.logits > 0).astype(np.float32)
    padded = cv2.resize(field, (SAM_SIDE, SAM_SIDE), interpolation=how)[:height, :width]
    return np.asarray(cv2.resize(padded, proposal.size[::-1], interpolation=how) > 0)


def precisions(bench: Bench) -> list[Row]:
    """Run the tiny SAM 2's encoder in bfloat16."""
    pixels = torch.from_numpy(pixels_of(bench.large[0][0], bench.tiny.network.prompt_encoder.input_image_size))[None]

    def encoded(network: Callable[..., Any], *, half: bool = False) -> Any:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=half):
            return network(pixels)

    embed = bench.tiny.network.get_image_embeddings
    ways = {"as it runs now": lambda: encoded(embed), "bfloat16": lambda: encoded(embed, half=True)}
    return compared("tiny SAM 2's encoder", beside(ways, 3 * bench.times), "as it runs now")


def one_by_one(segmenter: Segmenter, embedding: Embedding, prompts: Sequence[Prompt]) -> None:
    for prompt in prompts:
        segmenter.propose(embedding, prompt)


def together(bench: Bench) -> list[Row]:
    """Answer the clicks of several people on one picture in one pass of the decoder."""
    picture, things = bench.large[0]
    embedding, rows = bench.tiny.embed(picture), []
    for people in (2, 8, 16):
        prompts = [Prompt(points=(things[k % len(things)][0],)) for k in range(people)]
        ways: dict[str, Callable[[], Any]] = {
            "one after the other": partial(one_by_one, bench.tiny, embedding, prompts),
            "together": partial(bench.tiny.propose_many, embedding, prompts),
        }
        rows += compared(
            f"tiny SAM 2, {people} clicks on a picture", beside(ways, 3 * bench.times), "one after the other"
        )
    return rows


LEVERS = {
    "sessions": sessions,
    "int8": int8,
    "precisions": precisions,
    "together": together,
    "crops": crops,
    "on_disk": on_disk,
    "resolution": resolution,
}


if __name__ == "__main__":
    main()
