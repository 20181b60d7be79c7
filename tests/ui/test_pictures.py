import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image as PilImage
from PIL import ImageOps

from tests.pictures import chunk, encoded, pixels, png, turned
from tests.provision import chromium
from tests.ui.support import add_picture
from whyseg.curation.images import RgbArray, read_upright
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Sample


def as_browser(data: bytes) -> RgbArray:
    """Decode as browsers do: turned as the file's own EXIF says, and not otherwise."""
    with PilImage.open(io.BytesIO(data)) as picture:
        return np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))


def served(client: TestClient, sample: Sample) -> tuple[bytes, str]:
    answer = client.get(f"/api/v1/images/{sample.image_id}")
    assert answer.status_code == 200, answer.text
    return answer.content, answer.headers["content-type"]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_browser_shows_the_pixels_that_masks_speak_of(
    client: TestClient, workspace: Workspace, form: str, orientation: int
) -> None:
    data = turned(pixels(6, 9), orientation, form)
    sample = add_picture(workspace, data, f"phone.{form.lower()}")
    got, kind = served(client, sample)
    assert as_browser(got).shape[:2] == sample.size == (6, 9)
    np.testing.assert_array_equal(as_browser(got), read_upright(data, "phone").pixels)
    assert (got == data) == (orientation == 1 and form != "TIFF")
    assert kind == (f"image/{form.lower()}" if got == data else "image/png")


TWO_FRAMES = {"save_all": True, "append_images": [PilImage.fromarray(pixels(seed=1))], "duration": 50, "loop": 0}
GREY16 = np.arange(48, dtype=np.uint16).reshape(6, 8) * 1300
PLAIN = {
    "jpeg": encoded(pixels(), "JPEG"),
    "grey jpeg": encoded(PilImage.fromarray(pixels()).convert("L"), "JPEG"),
    "png": encoded(pixels()),
    "palette png": encoded(PilImage.fromarray(pixels()).quantize(8)),
    "1 bit png": encoded(PilImage.fromarray(pixels()).convert("1")),
    "webp": encoded(pixels(), "WEBP", lossless=True),
    "gif": encoded(PilImage.fromarray(pixels()).quantize(8), "GIF"),
}
DERIVED = {
    "cmyk jpeg": encoded(PilImage.fromarray(pixels()).convert("CMYK"), "JPEG"),
    "16 bit grey png": encoded(PilImage.fromarray(GREY16)),
    "16 bit rgb png": png(1, 1, b"\0\x12\x34\x56\x78\x9a\xbc", bits=16),
    "transparent png": encoded(PilImage.fromarray(np.dstack([pixels(), pixels(seed=2)[..., :1]]))),
    "animated gif": encoded(PilImage.fromarray(pixels()), "GIF", **TWO_FRAMES),
    "animated webp": encoded(PilImage.fromarray(pixels()), "WEBP", lossless=True, **TWO_FRAMES),
    "animated png": encoded(PilImage.fromarray(pixels()), "PNG", **TWO_FRAMES),
    "bmp": encoded(pixels(), "BMP"),
    "tiff": encoded(pixels(), "TIFF"),
    "broken exif": encoded(pixels(), "JPEG", exif=b"Exif\0\0garbage"),
}


@pytest.mark.parametrize("name", PLAIN)
def test_what_browsers_show_as_it_is_keeps_its_bytes(client: TestClient, workspace: Workspace, name: str) -> None:
    got, kind = served(client, add_picture(workspace, PLAIN[name], "file"))
    assert got == PLAIN[name]
    assert kind == f"image/{name.split()[-1]}"
    assert not (workspace.cache / "upright").exists()


@pytest.mark.parametrize("name", DERIVED)
def test_what_browsers_show_otherwise_becomes_a_png(client: TestClient, workspace: Workspace, name: str) -> None:
    got, kind = served(client, add_picture(workspace, DERIVED[name], "file"))
    assert kind == "image/png"
    np.testing.assert_array_equal(as_browser(got), read_upright(DERIVED[name], "file").pixels)


def test_a_colour_profile_or_gamma_moves_no_pixel(client: TestClient, workspace: Workspace) -> None:
    gamma = png(2, 1, b"\0\x10\x20\x30\x40\x50\x60", extra=chunk(b"gAMA", (45455).to_bytes(4, "big")))
    sample = add_picture(workspace, gamma, "gamma.png")
    got, _ = served(client, sample)
    np.testing.assert_array_equal(as_browser(got), [[[0x10, 0x20, 0x30], [0x40, 0x50, 0x60]]])
    assert sample.size == (1, 2)


def test_a_derived_picture_is_kept_and_may_be_deleted(client: TestClient, workspace: Workspace) -> None:
    sample = add_picture(workspace, DERIVED["cmyk jpeg"], "print.jpg")
    first, _ = served(client, sample)
    (kept,) = (workspace.cache / "upright").iterdir()
    assert kept.read_bytes() == first
    kept.unlink()
    assert served(client, sample)[0] == first
    assert kept.exists()


def test_a_full_disk_costs_nobody_a_picture(client: TestClient, workspace: Workspace) -> None:
    sample = add_picture(workspace, DERIVED["tiff"], "scan.tiff")
    (workspace.cache / "upright").write_text("a file where the folder should be")
    assert served(client, sample)[1] == "image/png"


@pytest.mark.parametrize(("side", "size"), [(64, (64, 32)), (256, (200, 100))])
def test_a_thumbnail_is_a_jpeg_of_the_wanted_longest_side(
    client: TestClient, workspace: Workspace, side: int, size: tuple[int, int]
) -> None:
    data = turned(pixels(100, 200), 6, "JPEG")
    sample = add_picture(workspace, data, "phone.jpg")
    for _ in range(2):  # made, then kept
        answer = client.get(f"/api/v1/images/{sample.image_id}/thumbnail", params={"side": side})
        assert answer.headers["content-type"] == "image/jpeg"
        with PilImage.open(io.BytesIO(answer.content)) as picture:
            assert (picture.format, picture.size) == ("JPEG", size)


def test_a_thumbnail_is_upright(client: TestClient, workspace: Workspace) -> None:
    upright = np.zeros((80, 120, 3), np.uint8)
    upright[:40] = 255  # light above, dark below
    sample = add_picture(workspace, turned(upright, 3, "JPEG"), "phone.jpg")
    answer = client.get(f"/api/v1/images/{sample.image_id}/thumbnail?side=60")
    small = as_browser(answer.content)
    assert small.shape == (40, 60, 3)
    assert small[:18].min() > 200 > 50 > small[22:].max()


@pytest.mark.parametrize("side", ["31", "1025", "-1", "x", "1e3", ""])
def test_an_odd_size_of_thumbnail_is_refused(client: TestClient, sample: Sample, side: str) -> None:
    assert client.get(f"/api/v1/images/{sample.image_id}/thumbnail", params={"side": side}).status_code == 422


def test_pictures_never_change_and_say_so(client: TestClient, sample: Sample) -> None:
    for path in (f"/api/v1/images/{sample.image_id}", f"/api/v1/images/{sample.image_id}/thumbnail?side=64"):
        answer = client.get(path)
        assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"
        again = client.get(path, headers={"If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert client.get(path, headers={"If-None-Match": '"another"'}).status_code == 200


@pytest.mark.parametrize(
    "image_id",
    [
        "0" * 64, "x", "..", "%2e%2e%2fwhyseg.toml", "a" * 5000, "%ff",
        pytest.param("%00", marks=pytest.mark.sqlite),  # PostgreSQL refuses to look for it, which is 422
    ],
)  # fmt: skip
def test_an_unknown_picture_is_not_found(client: TestClient, image_id: str) -> None:
    answer = client.get(f"/api/v1/images/{image_id}")
    assert (answer.status_code, answer.json()["error"]) == (404, "not_found")


def test_a_picture_whose_file_is_broken_is_refused_by_name(client: TestClient, workspace: Workspace) -> None:
    sample = add_picture(workspace, DERIVED["bmp"], "scan.bmp")
    workspace.blobs.path(sample.image_id).write_bytes(b"BM")
    answer = client.get(f"/api/v1/images/{sample.image_id}")
    assert (answer.status_code, answer.json()["error"], answer.json()["name"]) == (415, "refused_image", "scan.bmp")


@pytest.mark.browser
def test_chromium_shows_every_orientation_upright(client: TestClient, workspace: Workspace, tmp_path: Path) -> None:
    from playwright.sync_api import sync_playwright

    # 8 × 8 blocks, which JPEG keeps, in a picture of 24×16 pixels (width×height): each corner has a colour of its own.
    upright = np.zeros((16, 24, 3), np.uint8)
    upright[:8, :8], upright[:8, 16:], upright[8:, :8] = (250, 0, 0), (0, 250, 0), (0, 0, 250)
    script = """async ([data, kind]) => {
        const bytes = Uint8Array.from(atob(data), c => c.charCodeAt(0)), blob = new Blob([bytes], {type: kind});
        const image = new Image(); image.src = URL.createObjectURL(blob); await image.decode();
        const shown = [];
        for (const source of [image, await createImageBitmap(blob)]) {
            const canvas = new OffscreenCanvas(source.width, source.height), context = canvas.getContext("2d");
            context.drawImage(source, 0, 0);
            const at = (x, y) => [...context.getImageData(x, y, 1, 1).data.slice(0, 3)];
            shown.push([source.width, source.height, at(4, 4), at(20, 4), at(4, 12), at(20, 12)]);
        }
        return shown;
    }"""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        page = browser.new_page()
        for orientation in range(1, 9):
            sample = add_picture(workspace, turned(upright, orientation, "JPEG", subsampling=0, quality=95), "a.jpg")
            data, kind = served(client, sample)
            shown: list[list[Any]] = page.evaluate(script, [base64.b64encode(data).decode(), kind])
            for width, height, *corners in shown:
                assert (width, height) == (24, 16)
                assert [np.argmax(corner) for corner in corners[:3]] == [0, 1, 2]
                assert max(corners[3]) < 40
        browser.close()
