"""What counts as a near-duplicate: found copies of real photographs, and different pictures taken for the same.

    python -m benchmarks.similarity

Photographs are those of scikit-image and scikit-learn, their disjoint tiles, and 200 tiny faces and backgrounds; drawn
scenes are the ones that the test model learnt from. The last part times 100,000 made-up fingerprints.
"""

import io
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image as PilImage

from benchmarks.machine import describe, line
from benchmarks.rows import Row, options, spread, write
from whyseg.curation import similarity
from whyseg.curation.images import RgbArray, read_reduced, read_upright
from whyseg.training.tiny_scenes import draw_scene

FloatArray = npt.NDArray[np.float32]
NOT_ALONE = {"motorcycle_right.png", "chessboard_RGB.png"}  # another view and another colour of the one beside it
TOO_SMALL = {"microaneurysms.png"}


def package_folder(name: str) -> Path:
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise SystemExit(f"{name} is not installed: pip install 'whyseg[demo]'")
    return Path(spec.origin).parent


def photographs() -> dict[str, RgbArray]:
    """Return the packages' photographs, by name."""
    found: dict[str, RgbArray] = {}
    for package, folder in (("skimage", "data"), ("sklearn", "datasets/images")):
        for path in sorted((package_folder(package) / folder).glob("*.[jp][pn]g")):
            if path.name not in NOT_ALONE | TOO_SMALL:
                found[path.name] = read_upright(path.read_bytes(), path.name).pixels
    return found


def jpeg(pixels: RgbArray, quality: int) -> bytes:
    file = io.BytesIO()
    PilImage.fromarray(pixels).save(file, "JPEG", quality=quality)
    return file.getvalue()


def resized(pixels: RgbArray, scale: float) -> RgbArray:
    size = max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype(np.uint8)


def cropped(pixels: RgbArray, before: float, after: float) -> RgbArray:
    height, width = pixels.shape[:2]
    rows, columns = (slice(round(n * before), round(n * (1 - after))) for n in (height, width))
    return pixels[rows, columns].copy()


def mapped(pixels: RgbArray, change: Callable[[FloatArray], FloatArray]) -> RgbArray:
    return np.clip(change(pixels.astype(np.float32)), 0, 255).astype(np.uint8)


def grey(pixels: RgbArray) -> RgbArray:
    return np.repeat(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)


COPIES: dict[str, Callable[[RgbArray], RgbArray]] = {
    "JPEG, quality 90, reduced while decoded": lambda p: read_reduced(jpeg(p, 90), "x", similarity.READ_SIDE),
    "JPEG, quality 30": lambda p: read_upright(jpeg(p, 30), "x").pixels,
    "half the size": lambda p: resized(p, 0.5),
    "a quarter of the size": lambda p: resized(p, 0.25),
    "brightness + 30": lambda p: mapped(p, lambda x: x + 30),
    "brightness × 1.3": lambda p: mapped(p, lambda x: x * 1.3),
    "gamma 0.7": lambda p: mapped(p, lambda x: x**0.7 * 255**0.3),
    "without colour": grey,
    "1 % cut off each side": lambda p: cropped(p, 0.01, 0.01),
    "2 % cut off each side": lambda p: cropped(p, 0.02, 0.02),
    "5 % cut off each side": lambda p: cropped(p, 0.05, 0.05),
    "4 % cut off below and right": lambda p: cropped(p, 0, 0.04),
    "mirrored": lambda p: p[:, ::-1].copy(),
}


def tiles(photos: dict[str, RgbArray]) -> Iterator[RgbArray]:
    """Yield disjoint parts, of at least 128 pixels a side and at most 4×4 a photograph."""
    for pixels in photos.values():
        count = min(4, min(pixels.shape[:2]) // 128)
        if count >= 2:
            for row in np.array_split(pixels, count, axis=0):
                yield from (tile.copy() for tile in np.array_split(row, count, axis=1))


def tiny_faces() -> list[RgbArray]:
    values = np.load(package_folder("skimage") / "data" / "lfw_subset.npy")
    return [np.repeat((face * 255).astype(np.uint8)[..., None], 3, axis=2) for face in values]


def prints_of(pictures: list[RgbArray]) -> similarity.Fingerprints:
    return np.stack([similarity.fingerprint(picture) for picture in pictures])


def false_pairs(name: str, pictures: list[RgbArray]) -> Row:
    prints = prints_of(pictures)
    pairs = len(pictures) * (len(pictures) - 1) // 2
    links = len(similarity.links(prints))
    print(f"| {name} | {len(pictures)} | {pairs:,} | {links} | {prints['flat'].sum()} |")
    return Row(what=f"different pictures taken for the same: {name}", unit=f"of {pairs:,} pairs", value=links)


def timed_links(many: similarity.Fingerprints, what: str) -> Row:
    """Time the comparing of fingerprints, three times."""
    took = []
    for _ in range(3):
        start = time.perf_counter()
        found = similarity.links(many)
        took.append(time.perf_counter() - start)
    print(f"{what}: {spread(took)} s, {len(found)} links")
    return Row(what=what, unit="s", **spread(took))


def main() -> None:
    asked = options(__doc__, "similarity").parse_args()
    few = 10 if asked.quick else 1
    rows = []
    photos = photographs()
    originals = prints_of(list(photos.values()))
    print(f"| copy of each of {len(photos)} photographs | found |\n|---|---|")
    for name, change in COPIES.items():
        copies = prints_of([change(pixels) for pixels in photos.values()])
        pairs = zip(originals, copies, strict=True)
        found = sum(bool(similarity.links(np.stack(pair))) for pair in pairs)
        print(f"| {name} | {found} |")
        rows.append(Row(what=f"copies found: {name}", unit=f"of {len(photos)}", value=found))
    rng = np.random.default_rng(0)
    print("\n| different pictures | number | pairs | taken for the same | flat |\n|---|---|---|---|---|")
    rows += [
        false_pairs("photographs", list(photos.values())),
        false_pairs("tiles of them", list(tiles(photos))),
        false_pairs("faces and backgrounds, 25×25", tiny_faces()),
        false_pairs("drawn scenes", [draw_scene(rng).image for _ in range(8000 // few)]),
        false_pairs("drawn scenes on white", [draw_scene(rng, plain=True).image for _ in range(4000 // few)]),
        false_pairs("noise", [rng.integers(0, 256, (64, 64, 3), dtype=np.uint8) for _ in range(2000 // few)]),
    ]
    many = np.zeros(100_000 // few, similarity.FINGERPRINT)
    many["dct"], many["gradient"] = rng.integers(0, 2**64, (2, len(many)), dtype=np.uint64)
    many["colours"] = rng.integers(0, 256, (len(many), 8, 8, 3), dtype=np.uint8)
    rows.append(timed_links(many, f"{len(many):,} fingerprints compared"))
    many[1 : 20_000 // few] = many[0]
    rows.append(timed_links(many, f"{len(many):,} fingerprints, {20_000 // few:,} of them the same"))
    machine = describe("numpy", "opencv-python-headless", "scikit-image", "scikit-learn")
    print(line(machine))
    write(asked.out, rows, machine, quick=asked.quick)


if __name__ == "__main__":
    main()
