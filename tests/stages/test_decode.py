"""Odd, damaged and hostile image files, each built in memory."""

import contextlib
import io
import pickle
import struct
import threading
import warnings
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, ImageCms, ImageOps

from stages.decode import DecodeError, decode_image

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width, height, depth, colour, raw: bytes, extra=(), interlace=0) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    chunks = [(b"IHDR", head), *extra, (b"IDAT", zlib.compress(raw, 9)), (b"IEND", b"")]
    return SIGNATURE + b"".join(chunk(*item) for item in chunks)


# x, y, step x, step y of the passes (PNG section 8.1)
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def plain_rows(values: np.ndarray) -> bytes:
    """Unfiltered PNG rows of (h, w) or (h, w, c) samples."""
    return b"".join(b"\0" + row.tobytes() for row in values)


def smooth(height=48, width=64, channels=3) -> np.ndarray:
    y, x, c = np.mgrid[:height, :width, :channels]
    return np.rint(127 + 50 * np.sin(x / 11 + c) + 50 * np.cos(y / 9 - c) + 20 * (x > y)).astype(np.uint8)


def noise(*shape, seed=0, high=256, dtype=np.uint8) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, high, shape, dtype=dtype)


def save(image, file_format: str, **options) -> bytes:
    buffer = io.BytesIO()
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def rgb(data: bytes, **options) -> np.ndarray:
    return decode_image(data, name="a/b.png", want="rgb", **options)


def rgba(data: bytes, **options) -> np.ndarray:
    return decode_image(data, name="a/b.png", want="rgba", **options)


def refusal(data: bytes, want="rgba", **options) -> DecodeError:
    with pytest.raises(DecodeError) as caught:
        decode_image(data, name="a/b.png", want=want, **options)
    assert str(caught.value).startswith("a/b.png: ")
    return caught.value


def opaque(pixels: np.ndarray) -> np.ndarray:
    return np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)])


# --- ordinary files -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("file_format", ["PNG", "BMP", "TIFF", "WEBP"])
def test_lossless_formats_give_the_pixels_written(file_format):
    pixels = noise(20, 30, 3)
    data = save(pixels, file_format, **({"lossless": True} if file_format == "WEBP" else {}))
    for result, expected in ((rgb(data), pixels), (rgba(data), opaque(pixels))):
        assert result.dtype == np.uint8
        assert result.flags.c_contiguous
        assert result.flags.writeable
        np.testing.assert_array_equal(result, expected)


def test_jpeg_equals_opencv():
    data = save(smooth(), "JPEG", quality=90)
    np.testing.assert_array_equal(rgb(data), cv2.imdecode(np.frombuffer(data, np.uint8), 1)[..., ::-1])
    grey = save(smooth()[..., 0], "JPEG", quality=90)
    values = cv2.imdecode(np.frombuffer(grey, np.uint8), 0)
    np.testing.assert_array_equal(rgb(grey), np.dstack([values] * 3))


def test_single_frame_gif_with_a_transparent_index():
    image = Image.fromarray(noise(20, 20, high=4), "P")
    image.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120])
    index = np.asarray(image)
    expected = opaque(np.array([[10, 20, 30], [40, 50, 60], [70, 80, 90], [100, 110, 120]], np.uint8)[index])
    expected[index == 2] = 0
    np.testing.assert_array_equal(rgba(save(image, "GIF", transparency=2)), expected)


@settings(max_examples=60, deadline=None)
@given(arrays(np.uint8, st.tuples(st.integers(1, 20), st.integers(1, 20), st.just(4))))
def test_rgb_is_zero_exactly_where_alpha_is_zero(pixels):
    pixels[..., 3][pixels[..., 3] < 90] = 0
    expected = np.where(pixels[..., 3:] == 0, 0, pixels)
    np.testing.assert_array_equal(rgba(save(pixels, "PNG"), min_side=1), expected)
    webp = save(pixels, "WEBP", lossless=True, exact=True)
    np.testing.assert_array_equal(rgba(webp, min_side=1), expected)


def test_fully_transparent_is_all_zero():
    pixels = np.dstack([smooth(), np.zeros((48, 64), np.uint8)])
    result = rgba(save(pixels, "PNG"))
    assert result.shape == (48, 64, 4)
    assert not result.any()
    assert refusal(save(pixels, "PNG"), want="rgb").reason == "has_alpha"


def test_rgb_of_a_transparent_picture_is_refused_and_of_an_opaque_one_is_not():
    pixels = opaque(smooth())
    np.testing.assert_array_equal(rgb(save(pixels, "PNG")), smooth())
    pixels[3, 4, 3] = 254
    pixels[5, 6, 3] = 0
    error = refusal(save(pixels, "PNG"), want="rgb")
    assert error.reason == "has_alpha"
    assert "2 of 3072 pixels have alpha under 255, must be 0" in str(error)


# --- unusual sample types -----------------------------------------------------------------------------------


def nearest_8_bit(values: np.ndarray) -> np.ndarray:
    return np.rint(values.astype(np.float64) / 65535 * 255).astype(np.uint8)


def test_16_bit_grey_is_rescaled_not_clipped():
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    coded = cv2.imencode(".png", values)[1].tobytes()
    np.testing.assert_array_equal(rgb(coded), np.dstack([nearest_8_bit(values)] * 3))
    tiff = cv2.imencode(".tiff", values)[1].tobytes()
    np.testing.assert_array_equal(rgb(tiff), np.dstack([nearest_8_bit(values)] * 3))


def test_16_bit_rgb_and_rgba_are_rounded_to_nearest():
    values = noise(64, 80, 4, high=65536, dtype=np.uint16)
    values[:8, :, 3] = 0
    expected = nearest_8_bit(values)
    coded = cv2.imencode(".png", values[..., [2, 1, 0, 3]])[1].tobytes()
    np.testing.assert_array_equal(rgba(coded), np.where(expected[..., 3:] == 0, 0, expected))
    coded = cv2.imencode(".png", values[..., 2::-1])[1].tobytes()
    np.testing.assert_array_equal(rgb(coded), expected[..., :3])


def test_16_bit_grey_with_alpha():
    values = noise(20, 24, 2, high=65536, dtype=np.uint16)
    data = png(24, 20, 16, 4, plain_rows(values.astype(">u2")))
    grey, alpha = np.moveaxis(nearest_8_bit(values), -1, 0)
    np.testing.assert_array_equal(rgba(data), np.dstack([grey * (alpha > 0)] * 3 + [alpha]))


def test_16_bit_kinds_that_would_be_read_wrongly_are_refused():
    pixels = plain_rows(noise(20, 20, 3, high=65536, dtype=np.uint16))
    grey = png(20, 20, 16, 0, plain_rows(np.zeros((20, 20), ">u2")), [(b"tRNS", b"\0\1")])
    colour = png(20, 20, 16, 2, pixels, [(b"tRNS", bytes(6))])
    values = noise(20, 20, 3, high=65536, dtype=np.uint16)
    rows = b"".join(plain_rows(values[y::dy, x::dx]) for x, y, dx, dy in ADAM7)
    interlaced = png(20, 20, 16, 2, rows, interlace=1)
    for data in (grey, colour, interlaced):
        error = refusal(data)
        assert error.reason == "unsupported_mode"
        assert "16-bit PNG must not be interlaced or have a transparent value (tRNS)" in str(error)


def test_interlaced_8_bit():
    values = noise(21, 27, 3)
    rows = b"".join(plain_rows(values[y::dy, x::dx]) for x, y, dx, dy in ADAM7)
    np.testing.assert_array_equal(rgb(png(27, 21, 8, 2, rows, interlace=1)), values)


def test_32_bit_and_float_are_refused():
    for values, mode in ((np.zeros((20, 20), np.int32), "I"), (np.zeros((20, 20), np.float32), "F")):
        error = refusal(save(values, "TIFF"))
        assert error.reason == "unsupported_mode"
        assert f"pixel mode {mode} is not supported" in str(error)


def test_palette_with_transparency():
    index = noise(20, 20, high=3)
    palette = np.array([[200, 10, 20], [30, 210, 40], [50, 60, 220]], np.uint8)
    transparency = np.array([255, 128, 0], np.uint8)
    extra = [(b"PLTE", palette.tobytes()), (b"tRNS", transparency.tobytes())]
    expected = np.dstack([palette[index], transparency[index]])
    expected[index == 2] = 0
    data = png(20, 20, 8, 3, plain_rows(index), extra)
    np.testing.assert_array_equal(rgba(data), expected)
    assert refusal(data, want="rgb").reason == "has_alpha"
    np.testing.assert_array_equal(rgb(png(20, 20, 8, 3, plain_rows(index), extra[:1])), palette[index])


def test_grey_with_alpha():
    values = noise(20, 24, 2)
    data = save(Image.fromarray(values, "LA"), "PNG")
    grey, alpha = values[..., 0] * (values[..., 1] > 0), values[..., 1]
    np.testing.assert_array_equal(rgba(data), np.dstack([grey, grey, grey, alpha]))
    assert refusal(data, want="rgb").reason == "has_alpha"


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_transparent_grey_value_at_every_depth(depth):
    side, levels = 16, 1 << depth
    values = noise(side, side, high=levels)
    bits = np.unpackbits(values[..., None], axis=-1)[..., 8 - depth :]
    rows = plain_rows(np.packbits(bits.reshape(side, -1), axis=1))
    key = min(1, levels - 1) if depth < 8 else int(values[0, 0])
    data = png(side, side, depth, 0, rows, [(b"tRNS", struct.pack(">H", key))])
    grey = (values.astype(int) * 255 // (levels - 1)).astype(np.uint8)
    expected = opaque(np.dstack([grey] * 3))
    expected[values == key] = 0
    assert (values == key).any()
    np.testing.assert_array_equal(rgba(data), expected)


def test_transparent_rgb_value():
    pixels = noise(20, 20, 3, high=2)
    data = png(20, 20, 8, 2, plain_rows(pixels), [(b"tRNS", struct.pack(">HHH", 1, 0, 1))])
    expected = opaque(pixels)
    expected[(pixels == [1, 0, 1]).all(axis=2)] = 0
    np.testing.assert_array_equal(rgba(data), expected)


def test_one_bit():
    values = noise(20, 20, high=2).astype(bool)
    np.testing.assert_array_equal(rgb(save(Image.fromarray(values), "PNG")), np.dstack([values * 255] * 3))


def test_cmyk_jpeg_has_the_right_colours():
    ink = np.zeros((32, 128, 4), np.uint8)  # paper, cyan, magenta, black
    ink[:, 32:64, 0] = ink[:, 64:96, 1] = ink[:, 96:, 3] = 255
    result = rgb(save(Image.fromarray(ink, "CMYK"), "JPEG", quality=95)).astype(int)
    for column, colour in ((16, (255, 255, 255)), (48, (0, 255, 255)), (80, (255, 0, 255)), (112, (0, 0, 0))):
        assert np.abs(result[16, column] - colour).max() <= 8


# --- orientation --------------------------------------------------------------------------------------------


def upright(stored: np.ndarray, orientation: int) -> np.ndarray:
    """From the words of Exif 2.32: on which visual side stored row 0 and stored column 0 lie."""
    row_0, column_0 = (
        ("top", "left"),
        ("top", "right"),
        ("bottom", "right"),
        ("bottom", "left"),
        ("left", "top"),
        ("right", "top"),
        ("right", "bottom"),
        ("left", "bottom"),
    )[orientation - 1]
    height, width = stored.shape[:2]
    shape = (height, width) if row_0 in ("top", "bottom") else (width, height)
    result = np.zeros((*shape, *stored.shape[2:]), stored.dtype)
    for row in range(height):
        for column in range(width):
            y, x = (row, column) if row_0 in ("top", "bottom") else (column, row)
            y = shape[0] - 1 - y if "bottom" in (row_0, column_0) else y
            x = shape[1] - 1 - x if "right" in (row_0, column_0) else x
            result[y, x] = stored[row, column]
    return result


def oriented(pixels, file_format, orientation, **options) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return save(pixels, file_format, exif=exif, **options)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation(orientation):
    data = oriented(smooth(24, 40), "JPEG", orientation, quality=95)
    stored = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    expected = upright(stored[..., ::-1], orientation)
    result = rgb(data)
    assert result.flags.c_contiguous
    np.testing.assert_array_equal(result, expected)
    peer = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    np.testing.assert_array_equal(result, np.asarray(peer))

    layer = noise(18, 26, 4)
    expected = upright(np.where(layer[..., 3:] == 0, 0, layer), orientation)
    np.testing.assert_array_equal(rgba(oriented(layer, "PNG", orientation)), expected)
    np.testing.assert_array_equal(rgba(oriented(layer, "TIFF", orientation)), expected)


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_orientation_out_of_bounds_is_ignored(value):
    np.testing.assert_array_equal(rgb(oriented(noise(20, 30, 3), "PNG", value)), noise(20, 30, 3))


@pytest.mark.parametrize(
    "exif", [b"", b"x", b"II*\0", b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x08\xff\xff" + b"\x01" * 40]
)
def test_broken_metadata_does_not_cost_the_picture(exif):
    data = png(
        20, 20, 8, 2, plain_rows(noise(20, 20, 3)), [(b"eXIf", exif), (b"iCCP", b"x\0\0" + zlib.compress(b"no"))]
    )
    np.testing.assert_array_equal(rgb(data), noise(20, 20, 3))


# --- colour profiles ----------------------------------------------------------------------------------------

PRIMARIES = ((0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141))  # sRGB at D50


def icc(space: bytes, curves: list[bytes], primaries=PRIMARIES, name: bytes = b"sRGB test") -> bytes:
    """An ICC v2 matrix or grey profile (ICC.1:2001-04 sections 6.1 to 6.5)."""

    def xyz(values):
        return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(value * 65536) for value in values))

    description = b"desc\0\0\0\0" + struct.pack(">I", len(name) + 1) + name + bytes(1 + 78)
    tags = {b"desc": description, b"cprt": b"text\0\0\0\0CC0\0", b"wtpt": xyz((0.9642, 1.0, 0.8249))}
    if space == b"GRAY":
        tags[b"kTRC"] = curves[0]
    else:
        tags |= {letter + b"TRC": curve for letter, curve in zip((b"r", b"g", b"b"), curves, strict=True)}
        tags |= {letter + b"XYZ": xyz(value) for letter, value in zip((b"r", b"g", b"b"), primaries, strict=True)}
    table, body, start = b"", b"", 128 + 4 + 12 * len(tags)
    for kind, value in tags.items():
        table += kind + struct.pack(">II", start + len(body), len(value))
        body += value + bytes(-len(value) % 4)
    head = struct.pack(">I4sI4s4s4s12s4s", start + len(body), b"", 0x02400000, b"mntr", space, b"XYZ ", b"", b"acsp")
    head = head.ljust(68, b"\0") + struct.pack(">3i", 63190, 65536, 54061)  # D50
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def curve(function) -> bytes:
    values = np.rint(function(np.linspace(0, 1, 1024)) * 65535).astype(">u2")
    return b"curv\0\0\0\0" + struct.pack(">I", values.size) + values.tobytes()


def srgb_to_linear(value):
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def linear_to_srgb(value):
    return np.where(value <= 0.0031308, value * 12.92, 1.055 * value ** (1 / 2.4) - 0.055)


LINEAR = b"curv\0\0\0\0" + struct.pack(">I", 0)


def test_a_linear_profile_is_encoded_as_srgb_whatever_it_is_called():
    pixels = noise(40, 40, 3)
    expected = linear_to_srgb(pixels / 255) * 255
    for file_format, options in (("PNG", {}), ("TIFF", {}), ("WEBP", {"lossless": True})):
        data = save(pixels, file_format, icc_profile=icc(b"RGB ", [LINEAR] * 3), **options)
        assert np.abs(rgb(data) - expected).max() <= 2
        assert np.abs(rgba(data)[..., :3] - expected).max() <= 2
    layer = opaque(pixels)
    layer[:20, :, 3] = noise(20, 40)
    result = rgba(save(layer, "PNG", icc_profile=icc(b"RGB ", [LINEAR] * 3)))
    np.testing.assert_array_equal(result[..., 3], layer[..., 3])
    assert np.abs(result[..., :3] - expected * (layer[..., 3:] > 0)).max() <= 2


def test_the_primaries_of_a_profile_count():
    pixels = noise(40, 40, 3)
    swapped = icc(b"RGB ", [curve(srgb_to_linear)] * 3, (PRIMARIES[1], PRIMARIES[0], PRIMARIES[2]))
    result = rgb(save(pixels, "PNG", icc_profile=swapped))
    assert np.abs(result.astype(int) - pixels[..., [1, 0, 2]]).max() <= 3


def test_a_grey_profile_counts():
    values = noise(40, 40)
    result = rgb(save(values, "PNG", icc_profile=icc(b"GRAY", [LINEAR])))
    assert np.abs(result - (linear_to_srgb(values / 255) * 255)[..., None]).max() <= 2


def test_an_srgb_profile_leaves_every_pixel_alone():
    pixels = noise(40, 40, 3)
    shifted = tuple(tuple(value + 0.0001 for value in primary) for primary in PRIMARIES)
    profile = icc(b"RGB ", [curve(srgb_to_linear)] * 3, shifted, name=b"anything")
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    converted = ImageCms.profileToProfile(Image.fromarray(pixels), source, ImageCms.createProfile("sRGB"))
    assert 0 < np.abs(np.asarray(converted).astype(int) - pixels).max() <= 2  # rounding that must not be applied
    np.testing.assert_array_equal(rgb(save(pixels, "PNG", icc_profile=profile)), pixels)


@pytest.mark.parametrize("profile", [b"rubbish" * 40, icc(b"RGB ", [LINEAR] * 3)[:200], icc(b"GRAY", [LINEAR])])
def test_an_unusable_profile_is_ignored(profile):
    pixels = noise(40, 40, 3)
    np.testing.assert_array_equal(rgb(save(pixels, "PNG", icc_profile=profile)), pixels)


# --- refused files ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "reason", "text"),
    [
        (b"", "empty", "the file is empty (0 bytes)"),
        (b"this is a text file, not a picture\n" * 9, "unsupported_format", "starts with b'this is '"),
        (
            b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>',
            "unsupported_format",
            "not one of PNG, JPEG",
        ),
        (b"%PDF-1.4\n" + bytes(99), "unsupported_format", "not one of PNG"),
        (b"\0\0\0\x20ftypavif" + bytes(99), "unsupported_format", "not one of PNG"),
        (SIGNATURE, "corrupt", "damaged or cut off"),
        (save(noise(1, 1, 3), "PNG"), "too_small", "1 x 1 pixels, each side must be at least 16"),
        (save(noise(15, 400, 3), "JPEG"), "too_small", "400 x 15 pixels, each side must be at least 16"),
    ],
)
def test_what_is_wrong_is_named(data, reason, text):
    error = refusal(data)
    assert error.reason == reason
    assert text in str(error)


def test_min_side_is_a_bound_included():
    assert rgb(save(noise(16, 16, 3), "PNG")).shape == (16, 16, 3)
    assert rgb(save(noise(1, 1, 3), "PNG"), min_side=1).shape == (1, 1, 3)


@pytest.mark.parametrize("file_format", ["GIF", "WEBP", "PNG", "TIFF"])
def test_animations_are_refused(file_format):
    frames = [Image.fromarray(noise(20, 20, 3, seed=seed)) for seed in range(3)]
    error = refusal(save(frames[0], file_format, save_all=True, append_images=frames[1:]))
    assert error.reason == "animated"
    assert f"{file_format} holds more than 1 frame, must be 1" in str(error)


def test_a_camera_file_with_by_products_is_its_first_picture():
    first, other = Image.fromarray(smooth()), Image.fromarray(smooth()[::-1])
    data = save(first, "MPO", save_all=True, append_images=[other], quality=95)
    assert Image.open(io.BytesIO(data)).format == "MPO"
    assert np.abs(rgb(data).astype(int) - smooth()).mean() < 3


@pytest.mark.parametrize(
    ("width", "height"), [(50_000, 50_000), (2_000_000_000, 2_000_000_000), (12_000, 9_000), (10_001, 10_000)]
)
def test_a_declared_bomb_is_refused_unread(width, height):
    error = refusal(png(width, height, 8, 2, b"\0"))
    assert error.reason == "too_many_pixels"
    assert f"{width * height} pixels, must be at most 100000000" in str(error)


def test_a_well_compressed_bomb_just_over_the_limit():
    data = png(4001, 1000, 8, 0, bytes(4002 * 1000))
    assert len(data) < 6000
    error = refusal(data, max_pixels=4_000_000)
    assert error.reason == "too_many_pixels"
    assert "4001 x 1000 = 4001000 pixels, must be at most 4000000" in str(error)
    assert rgb(data, max_pixels=4_001_000).shape == (1000, 4001, 3)


def test_no_warning_escapes_and_none_is_lost_afterwards(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 300)  # Pillow warns above it and raises above twice that
    data = save(noise(20, 20, 3), "PNG")
    with pytest.warns(Image.DecompressionBombWarning):
        Image.open(io.BytesIO(data))
    before = list(warnings.filters)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        np.testing.assert_array_equal(rgb(data), noise(20, 20, 3))
        assert "400 pixels, must be at most 399" in str(refusal(data, max_pixels=399))
        assert "900 pixels" in str(refusal(save(noise(30, 30, 3), "PNG")))
        assert not seen
    assert warnings.filters == before


def test_a_metadata_bomb():
    bomb = b"k\0\0" + zlib.compress(bytes(80_000_000), 9)
    assert refusal(png(20, 20, 8, 2, plain_rows(noise(20, 20, 3)), [(b"zTXt", bomb)])).reason == "corrupt"


FILES = {
    "png": save(noise(20, 24, 3), "PNG"),
    "png alpha": save(noise(20, 24, 4), "PNG"),
    "png deep": cv2.imencode(".png", noise(20, 24, 4, high=65536, dtype=np.uint16))[1].tobytes(),
    "jpeg": save(noise(40, 40, 3), "JPEG"),
    "jpeg progressive": save(noise(40, 40, 3), "JPEG", progressive=True),
    "webp": save(noise(20, 24, 3), "WEBP"),
    "webp lossless": save(noise(20, 24, 4), "WEBP", lossless=True),
    "gif": save(noise(20, 24, 3), "GIF"),
    "bmp": save(noise(20, 24, 3), "BMP"),
    "tiff": save(noise(20, 24, 3), "TIFF"),
    "tiff deflate": save(noise(20, 24, 3), "TIFF", compression="tiff_deflate"),
}


@pytest.mark.parametrize("kind", FILES)
def test_every_truncation_is_refused_or_harmless(kind):
    data = FILES[kind]
    whole = rgba(data)
    sizes = sorted({*range(0, len(data), 7), *range(len(data) - 40, len(data)), *range(40)})
    reasons = []
    for size in sizes:
        try:
            result = rgba(data[:size])
        except DecodeError as error:
            reasons.append(error.reason)
        else:
            np.testing.assert_array_equal(result, whole)
            assert size >= len(data) - 16, f"{kind} of {len(data)} bytes cut to {size} was accepted"
    assert set(reasons) <= {"empty", "truncated", "corrupt", "unsupported_format"}
    assert refusal(data[: len(data) // 2]).reason in ("truncated", "corrupt")


@pytest.mark.parametrize("kind", ["png", "jpeg", "bmp"])
def test_half_a_file_is_called_truncated(kind):
    error = refusal(FILES[kind][: len(FILES[kind]) // 2])
    assert error.reason == "truncated"
    assert f"file size {len(FILES[kind]) // 2} bytes" in str(error)


def test_a_flipped_bit_in_a_png_is_noticed():
    data = FILES["png"]
    for at in range(0, len(data) - 12, 5):
        damaged = bytearray(data)
        damaged[at] ^= 0x10
        assert refusal(bytes(damaged)).reason in ("corrupt", "truncated", "unsupported_format", "too_many_pixels")


@settings(max_examples=250, deadline=None)
@given(st.sampled_from(sorted(FILES)), st.data())
def test_damage_raises_nothing_else(kind, data):
    damaged = bytearray(FILES[kind])
    for _ in range(data.draw(st.integers(1, 6))):
        damaged[data.draw(st.integers(0, min(len(damaged), 400) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(DecodeError):
        result = rgba(bytes(damaged), max_pixels=1_000_000)
        assert result.shape[2] == 4
        assert result.shape[0] * result.shape[1] <= 1_000_000


def test_the_error_survives_pickling():
    error = pickle.loads(pickle.dumps(refusal(b"")))
    assert (error.reason, str(error)) == ("empty", "a/b.png: the file is empty (0 bytes)")
    assert isinstance(error, ValueError)


def test_threads_do_not_disturb_each_other():
    good, results = save(noise(64, 64, 3), "PNG"), []
    before = list(warnings.filters)

    def work():
        for _ in range(20):
            results.append(np.array_equal(rgb(good), noise(64, 64, 3)))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 80
    assert warnings.filters == before
