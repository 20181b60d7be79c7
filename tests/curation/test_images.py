import hashlib
import struct
import zlib

import numpy as np
import pytest
from PIL import Image as PilImage
from PIL import ImageCms

from tests.pictures import STORED, chunk, encoded, pixels, png, turned
from whyseg.curation import images
from whyseg.curation.images import (
    begins_like_picture,
    examine,
    has_picture_suffix,
    inspect,
    printable,
    read_reduced,
    read_upright,
)
from whyseg.schemas import Image, Instance, Mask, Origin, Sample
from whyseg.schemas.errors import RefusedImage
from whyseg.schemas.mask import MAX_PIXELS

LOSSLESS = [("PNG", {}), ("TIFF", {}), ("TIFF", {"compression": "tiff_lzw"}), ("WEBP", {"lossless": True})]


def close(a: images.RgbArray, b: images.RgbArray, levels: int) -> bool:
    return a.shape == b.shape and int(np.abs(a.astype(int) - b).max()) <= levels


@pytest.mark.parametrize(("form", "options"), LOSSLESS)
@pytest.mark.parametrize("orientation", STORED)
def test_all_eight_orientations_give_the_same_upright_pixels(
    form: str, options: dict[str, object], orientation: int
) -> None:
    upright = pixels(4, 6)
    data = turned(upright, orientation, form, **options)
    picture = read_upright(data, "a")
    assert np.array_equal(picture.pixels, upright)
    assert (picture.orientation, picture.size, picture.format) == (orientation, (4, 6), form)
    assert picture.notes == ()
    assert inspect(data, "a").size == (4, 6)


@pytest.mark.parametrize("form", ["JPEG", "AVIF"])
@pytest.mark.parametrize("orientation", STORED)
def test_a_camera_picture_is_turned_upright_too(form: str, orientation: int) -> None:
    upright = np.zeros((32, 48, 3), np.uint8)
    upright[:16, :24] = 255  # the top left quarter: blocks of 8 and 16 pixels survive the compression
    picture = read_upright(turned(upright, orientation, form, quality=95), "a")
    assert close(picture.pixels, upright, 12)


def test_a_mask_drawn_on_the_upright_picture_has_the_upright_size() -> None:
    data = turned(pixels(4, 6), 6, "JPEG")  # stored 4 wide and 6 high
    record, picture = inspect(data, "a"), read_upright(data, "a")
    drawn = np.zeros(picture.size, bool)
    drawn[1:3, 2:5] = True
    empty = Sample.start(record.id, record.size, source="images", source_record="")
    instance = Instance(id=1, mask=Mask.encode(drawn), origin=Origin(kind="brush"))
    sample = Sample.parse({**empty.plain(), "instances": [instance.plain()]})
    assert sample.instances[0].mask.size == (4, 6)


def test_the_record_is_of_the_file_and_of_the_upright_picture() -> None:
    data = turned(pixels(4, 6), 8, "PNG")
    expected = Image(
        id=hashlib.sha256(data).hexdigest(),
        width=6,
        height=4,
        format="PNG",
        orientation=8,
        byte_size=len(data),
        file_name="holiday/a.png",
    )
    assert inspect(data, "holiday/a.png") == expected


@pytest.mark.parametrize(
    "exif", [b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\x7f", b"Exif\0\0MM\0*\0\0", b"Exif\0\0garbage"]
)
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_broken_exif_data_does_not_cost_the_picture(exif: bytes) -> None:
    for form in ("JPEG", "PNG", "WEBP"):
        assert read_upright(encoded(pixels(), form, exif=exif), "a").orientation == 1


@pytest.mark.parametrize("value", [0, 9, 300])
def test_an_orientation_that_does_not_exist_is_ignored_with_a_note(value: int) -> None:
    exif = PilImage.Exif()
    exif[274] = value
    picture = read_upright(encoded(pixels(4, 6), exif=exif), "a")
    assert (picture.orientation, picture.size) == (1, (4, 6))
    assert "none of 1–8" in picture.notes[0]


def test_16_bit_grey_is_scaled_over_its_whole_range() -> None:
    # 255·v/65535 = v/257: 0 → 0, 128 → 0.498 → 0, 129 → 0.502 → 1, 257 → 1, 32768 → 127.502 → 128, 65535 → 255
    wide = np.array([[0, 128, 129], [257, 32768, 65535]], np.uint16)
    for form in ("PNG", "TIFF", "PPM"):
        picture = read_upright(encoded(PilImage.fromarray(wide), form), "a")
        assert picture.pixels[..., 0].tolist() == [[0, 0, 1], [1, 128, 255]]
        assert np.array_equal(picture.pixels[..., 0], picture.pixels[..., 2])
        assert picture.notes == ("16-bit values scaled to 8 bits",)


def test_16_bit_colour_is_scaled_too_and_says_so() -> None:
    row = b"\0" + struct.pack(">6H", 0, 0x8000, 0xFFFF, 0xFF00, 0x0100, 0x1234)
    picture = read_upright(png(2, 1, row, bits=16), "a")
    assert close(picture.pixels, np.array([[[0, 128, 255], [255, 1, 18]]], np.uint8), 1)
    assert picture.notes == ("16-bit values scaled to 8 bits",)


def test_cmyk_is_converted_and_the_inverted_kind_of_jpeg_is_not_a_negative() -> None:
    flat = PilImage.new("CMYK", (16, 16), (0, 255, 255, 0))  # no cyan, full magenta and yellow: red
    for form in ("JPEG", "TIFF"):
        picture = read_upright(encoded(flat, form), "a")
        assert close(picture.pixels, np.full((16, 16, 3), (255, 0, 0), np.uint8), 4)
        assert "CMYK" in picture.notes[0]


def test_transparency_is_shown_on_white() -> None:
    # red at alpha 0 → white; at 255 → red; at 128: red 255·128/255 + 255·127/255 = 255, green 0 + 255·127/255 = 127
    red = np.array([[[255, 0, 0, 0], [255, 0, 0, 255], [255, 0, 0, 128]]], np.uint8)
    for form, options in (("PNG", {}), ("WEBP", {"lossless": True, "exact": True}), ("TIFF", {})):
        picture = read_upright(encoded(PilImage.fromarray(red), form, **options), "a")
        assert picture.pixels.tolist() == [[[255, 255, 255], [255, 0, 0], [255, 127, 127]]]
        assert picture.notes == ("transparency shown on white",)
    grey = PilImage.fromarray(np.array([[[0, 0], [7, 255]]], np.uint8))
    assert read_upright(encoded(grey), "a").pixels.tolist() == [[[255] * 3, [7] * 3]]


def test_an_opaque_alpha_channel_changes_nothing() -> None:
    opaque = np.dstack([pixels(), np.full((6, 8), 255, np.uint8)])
    picture = read_upright(encoded(PilImage.fromarray(opaque)), "a")
    assert np.array_equal(picture.pixels, pixels())
    assert picture.notes == ()


def test_a_palette_with_transparency_is_shown_on_white() -> None:
    picture = PilImage.new("P", (2, 1))
    picture.putpalette([10, 20, 30, 40, 50, 60])
    picture.putdata([0, 1])
    for transparency in (1, bytes([255, 0])):
        read = read_upright(encoded(picture, transparency=transparency), "a")
        assert read.pixels.tolist() == [[[10, 20, 30], [255, 255, 255]]]
    assert read_upright(encoded(picture), "a").pixels.tolist() == [[[10, 20, 30], [40, 50, 60]]]


@pytest.mark.parametrize("mode", ["1", "L"])
def test_grey_and_bilevel_pictures_become_rgb(mode: str) -> None:
    picture = PilImage.new("L", (3, 1))
    picture.putdata([0, 255, 255])
    for form in ("PNG", "BMP", "TIFF", "PPM"):
        read = read_upright(encoded(picture.convert(mode), form), "a")
        assert read.pixels.tolist() == [[[0] * 3, [255] * 3, [255] * 3]]
        assert read.notes == ()


def test_of_an_animation_the_first_frame_is_taken() -> None:
    frames = [PilImage.new("RGB", (4, 3), colour) for colour in ("red", "blue", "green")]
    for form in ("GIF", "PNG", "WEBP", "TIFF", "AVIF"):
        data = encoded(frames[0], form, save_all=True, append_images=frames[1:])
        picture = read_upright(data, "a")
        assert close(picture.pixels, np.full((3, 4, 3), (255, 0, 0), np.uint8), 3)
        assert picture.notes == ("the first of several frames is taken",)
        assert inspect(data, "a").size == (3, 4)


def test_of_an_mpo_the_main_picture_is_taken_without_a_word() -> None:
    main, preview = PilImage.new("RGB", (16, 8), "red"), PilImage.new("RGB", (4, 2), "blue")
    data = encoded(main, "MPO", save_all=True, append_images=[preview])
    picture, (record, notes) = read_upright(data, "a.jpg"), examine(data, "a.jpg")
    assert close(picture.pixels, np.full((8, 16, 3), (255, 0, 0), np.uint8), 3)
    assert (picture.notes, notes, record.format, record.size) == ((), (), "MPO", (8, 16))


def test_a_colour_profile_changes_no_pixel() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    assert np.array_equal(read_upright(encoded(pixels(), icc_profile=profile), "a").pixels, pixels())


def test_a_false_suffix_is_accepted_with_a_note() -> None:
    assert examine(encoded(pixels(), "JPEG"), "a.png")[1] == ("the name says PNG, the content is JPEG",)
    assert examine(encoded(pixels(), "JPEG"), "a.JPEG")[1] == ()
    assert examine(encoded(pixels(), "JPEG"), "a")[1] == ()


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (b"%PDF-1.7\n", "PDF"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "PostScript"),
        (b"8BPS\0\1", "PSD"),
        (b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"\0\0\0\x18ftypheic", "HEIC"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
        (b"PK\3\4", "ZIP"),
        (b"hello", "not a picture"),
        (b"\0" * 40, "not a picture"),
    ],
)
def test_other_formats_are_refused_by_name(start: bytes, kind: str) -> None:
    with pytest.raises(RefusedImage, match=rf"^a\.jpg: {kind}"):
        inspect(start + bytes(100), "a.jpg")


def test_formats_that_pillow_could_read_but_whyseg_does_not_stay_shut() -> None:
    for form in ("ICO", "TGA", "PCX", "EPS", "SGI", "JPEG2000"):
        with pytest.raises(RefusedImage):
            read_upright(encoded(pixels(16, 16), form), "a")


def test_a_cameras_raw_file_is_refused_though_pillow_would_show_its_preview() -> None:
    with pytest.raises(RefusedImage, match="raw file"):
        inspect(encoded(pixels(), "TIFF"), "a.NEF")


@pytest.mark.parametrize("mode", ["I", "F", "LAB"])
def test_pixels_without_a_known_range_are_refused_by_mode(mode: str) -> None:
    picture = PilImage.new(mode, (4, 4))
    for read in (inspect, read_upright):
        with pytest.raises(RefusedImage, match=f"mode {mode}"):
            read(encoded(picture, "TIFF"), "a.tif")


def test_an_empty_file_and_a_picture_without_pixels_are_refused() -> None:
    with pytest.raises(RefusedImage, match="empty"):
        inspect(b"", "a.png")
    for width, height in ((0, 5), (5, 0)):
        with pytest.raises(RefusedImage):
            inspect(png(width, height, b""), "a.png")


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_the_limits_hold_before_a_pixel_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert images.MAX_IMAGE_PIXELS <= MAX_PIXELS
    for width, height in ((60_000, 60_000), (9_460, 9_460), (65_536, 1)):
        with pytest.raises(RefusedImage, match="over the limit"):
            inspect(png(width, height, b""), "bomb.png")
    monkeypatch.setattr(images, "MAX_FILE_BYTES", 10)
    with pytest.raises(RefusedImage, match="over the limit of 10"):
        inspect(encoded(pixels()), "a.png")


@pytest.mark.parametrize(
    ("form", "options", "spared"),
    [
        ("JPEG", {}, 0),
        ("JPEG", {"progressive": True}, 0),
        ("PNG", {}, 4),  # the checksum of the empty last chunk
        ("GIF", {}, 2),  # the end marks after the pixels
        ("WEBP", {}, 0),
        ("TIFF", {}, 0),
        ("BMP", {}, 0),
        ("PPM", {}, 0),
        ("AVIF", {}, 0),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_a_truncated_file_is_refused_wherever_it_is_cut(form: str, options: dict[str, object], spared: int) -> None:
    data = encoded(pixels(24, 32), form, **options)
    end = len(data) - spared
    for cut in {*range(0, end, max(1, end // 60)), *range(end - 12, end)}:
        for read in (inspect, read_upright):
            with pytest.raises(RefusedImage):
                read(data[:cut], "a")


def test_a_flipped_bit_in_the_pixels_of_a_png_is_noticed() -> None:
    data = bytearray(encoded(pixels()))
    data[data.index(b"IDAT") + 20] ^= 1
    with pytest.raises(RefusedImage, match="cannot be decoded"):
        inspect(bytes(data), "a.png")


def test_a_text_chunk_that_unpacks_to_a_gigabyte_is_refused() -> None:
    text = zlib.compress(bytes(2**26))
    with pytest.raises(RefusedImage):
        inspect(png(1, 1, b"\0abc", extra=chunk(b"zTXt", b"k\0\0" + text)), "a.png")


def test_names_become_one_printable_line() -> None:
    assert printable("héé/ö 1.jpg") == "héé/ö 1.jpg"
    # a newline, a terminal's escape, a right-to-left override, a byte that is no UTF-8
    assert printable("a\nb\x1b[31m\u202egpj\udcff") == r"a\nb\x1b[31m\u202egpj\udcff"
    assert inspect(encoded(pixels()), "a\nb.png").file_name == r"a\nb.png"


def test_a_file_is_known_as_a_picture_by_suffix_or_first_bytes() -> None:
    assert all(has_picture_suffix(name) for name in ("a.JPG", "b/c.tiff", "d.heic", "e.svg", "f.nef"))
    assert not any(has_picture_suffix(name) for name in ("a.json", "jpg", ".jpg", "Thumbs.db", "a.jpg.txt"))
    for form in ("JPEG", "PNG", "GIF", "WEBP", "TIFF", "AVIF"):
        assert begins_like_picture(encoded(pixels(), form)[:16])
    assert not begins_like_picture(b"BM is a company ")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_reduced_jpeg_is_upright_and_as_large_as_was_asked(orientation: int) -> None:
    # Light above, dark below; 480×640 (height×width) is reduced to a quarter, not an eighth, when 100 pixels suffice.
    upright = np.zeros((480, 640, 3), np.uint8)
    upright[:240] = 255
    small = read_reduced(turned(upright, orientation, "JPEG"), "phone.jpg", 100)
    assert small.shape == (120, 160, 3)
    assert small[:56].min() > 200 > 50 > small[64:].max()


def test_what_cannot_be_reduced_while_it_is_decoded_comes_in_full() -> None:
    assert read_reduced(encoded(pixels(60, 80)), "a.png", 10).shape == (60, 80, 3)
    assert read_reduced(encoded(pixels(60, 80), "JPEG"), "a.jpg", 500).shape == (60, 80, 3)
