"""PNG encoding and decoding against Pillow, OpenCV and a filter reference written from the specification."""

import hashlib
import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from stages.codec import decode_png, decode_png16, encode_png

SIGNATURE = b"\x89PNG\r\n\x1a\n"
SHAPES = st.one_of(
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.tuples(st.integers(1, 40), st.integers(1, 40), st.sampled_from([3, 4])),
)
PIXELS = SHAPES.flatmap(lambda shape: arrays(np.uint8, shape))


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def header(width, height, depth=8, colour=2, compression=0, filtering=0, interlace=0):
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, compression, filtering, interlace))


def png(head, raw: bytes, extra: bytes = b"", stream: bytes | None = None) -> bytes:
    body = zlib.compress(raw) if stream is None else stream
    return SIGNATURE + head + extra + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def filter_rows(pixels: np.ndarray, kinds) -> bytes:
    """Naive filters from the definitions in PNG section 9.2, on unbounded integers."""
    height, step = pixels.shape[0], pixels[0, 0].nbytes
    rows = np.frombuffer(pixels.tobytes(), np.uint8).reshape(height, -1).astype(int)
    out = bytearray()
    for y in range(height):
        out.append(kinds[y])
        for x in range(rows.shape[1]):
            a = rows[y, x - step] if x >= step else 0
            b = rows[y - 1, x] if y else 0
            c = rows[y - 1, x - step] if y and x >= step else 0
            paeth = min((a, b, c), key=lambda value: abs(a + b - c - value))
            out.append((rows[y, x] - (0, a, b, (a + b) // 2, paeth)[kinds[y]]) % 256)
    return bytes(out)


def by_opencv(data: bytes) -> np.ndarray:
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    order = {2: slice(None), 3: [2, 1, 0], 4: [2, 1, 0, 3]}
    return pixels if pixels.ndim == 2 else pixels[..., order[pixels.shape[2]]]


@settings(max_examples=150, deadline=None)
@given(PIXELS)
def test_pillow_opencv_and_own_decoder_read_the_same_pixels(pixels):
    data = encode_png(pixels)
    image = Image.open(io.BytesIO(data))
    assert image.mode == {2: "L", 3: "RGB", 4: "RGBA"}[pixels.shape[2] if pixels.ndim == 3 else 2]
    np.testing.assert_array_equal(np.asarray(image), pixels)
    np.testing.assert_array_equal(by_opencv(data), pixels)
    own = decode_png(data)
    assert own.shape == pixels.shape
    assert own.dtype == np.uint8
    assert own.flags.c_contiguous
    assert own.flags.writeable
    np.testing.assert_array_equal(own, pixels)


@settings(max_examples=100, deadline=None)
@given(PIXELS, st.data())
def test_every_filter_type_in_any_order_of_rows(pixels, data):
    kinds = data.draw(st.lists(st.integers(0, 4), min_size=len(pixels), max_size=len(pixels)))
    colour = 0 if pixels.ndim == 2 else {3: 2, 4: 6}[pixels.shape[2]]
    file = png(header(pixels.shape[1], pixels.shape[0], colour=colour), filter_rows(pixels, kinds))
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(file))), pixels)  # checks the reference
    np.testing.assert_array_equal(decode_png(file), pixels)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([(0, ()), (4, (2,)), (2, (3,)), (6, (4,))]),
    st.tuples(st.integers(1, 12), st.integers(1, 12)),
    st.data(),
)
def test_sixteen_bits_and_every_filter_type(kind, sides, data):
    colour, channels = kind
    pixels = data.draw(arrays(np.uint16, sides + channels))
    kinds = data.draw(st.lists(st.integers(0, 4), min_size=sides[0], max_size=sides[0]))
    rows = pixels.astype(">u2") if channels else pixels.astype(">u2")[..., None]
    decoded = decode_png16(png(header(sides[1], sides[0], 16, colour), filter_rows(rows, kinds)))
    assert decoded.dtype == np.uint16
    np.testing.assert_array_equal(decoded, pixels)


def smooth(height, width, channels):
    y, x, c = np.mgrid[:height, :width, :channels]
    return np.rint(127 + 60 * np.sin(x / 9 + c) + 60 * np.cos(y / 7 - c)).astype(np.uint8)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_files_of_other_writers_are_read(mode):
    pixels = smooth(70, 90, len(mode))
    pixels = pixels[..., 0] if mode == "L" else pixels
    for level in (0, 1, 9):
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "PNG", compress_level=level, dpi=(72, 72))
        np.testing.assert_array_equal(decode_png(buffer.getvalue()), pixels)
    coded = cv2.imencode(".png", pixels if mode == "L" else pixels[..., [2, 1, 0, 3][: len(mode)]])[1].tobytes()
    np.testing.assert_array_equal(decode_png(coded), pixels)


def test_several_idat_chunks_are_joined():
    pixels = smooth(9, 8, 3)
    stream = zlib.compress(filter_rows(pixels, [4] * 9))
    parts = b"".join(chunk(b"IDAT", stream[at : at + 5]) for at in range(0, len(stream), 5))
    file = SIGNATURE + header(8, 9) + parts + chunk(b"IEND", b"")
    np.testing.assert_array_equal(decode_png(file), pixels)


def test_the_bytes_depend_on_the_values_alone():
    pixels = smooth(64, 48, 4)
    strided = np.zeros((128, 48, 4), np.uint8)[::2]
    strided[:] = pixels
    assert encode_png(pixels) == encode_png(pixels.copy()) == encode_png(strided)
    assert encode_png(np.asfortranarray(pixels)) == encode_png(pixels)
    before = hashlib.sha256(pixels.tobytes()).digest()
    encode_png(pixels)
    assert hashlib.sha256(pixels.tobytes()).digest() == before


def test_layers_that_are_mostly_empty_are_small():
    assert len(encode_png(np.zeros((512, 512, 4), np.uint8))) < 8_000
    assert len(encode_png(np.full((512, 512), 255, np.uint8))) < 4_000


@pytest.mark.parametrize(
    ("pixels", "text"),
    [
        (np.zeros((4, 4), bool), "dtype must be uint8, is bool"),
        (np.zeros((4, 4, 3), np.float32), "dtype must be uint8, is float32"),
        (np.zeros(4, np.uint8), r"shape must be .*, is \(4,\)"),
        (np.zeros((4, 4, 2), np.uint8), r"shape must be .*, is \(4, 4, 2\)"),
        (np.zeros((4, 4, 1), np.uint8), r"is \(4, 4, 1\)"),
        (np.zeros((2, 4, 4, 3), np.uint8), r"is \(2, 4, 4, 3\)"),
        (np.zeros((0, 4), np.uint8), r"at least 1, shape is \(0, 4\)"),
        (np.zeros((4, 0, 3), np.uint8), r"at least 1, shape is \(4, 0, 3\)"),
    ],
)
def test_other_arrays_are_refused(pixels, text):
    with pytest.raises(ValueError, match=text):
        encode_png(pixels)


def test_every_flipped_bit_is_noticed():
    data = encode_png(smooth(6, 5, 3))
    for bit in range(len(data) * 8):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ValueError, match="PNG"):
            decode_png(bytes(damaged))


def test_every_truncation_and_every_appendix_is_noticed():
    data = encode_png(smooth(6, 5, 3))
    for size in range(len(data)):
        with pytest.raises(ValueError, match=r"PNG: (truncated at byte|the first 8 bytes)"):
            decode_png(data[:size])
    with pytest.raises(ValueError, match="1 bytes follow the IEND chunk"):
        decode_png(data + b"\0")


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_give_pixels_or_a_value_error(body, as_stream):
    file = png(header(3, 2), b"", stream=body) if as_stream else SIGNATURE + body
    with pytest.raises(ValueError, match="PNG"):
        decode_png(file)


RAW = filter_rows(np.zeros((2, 3, 3), np.uint8), [0, 0])
STREAM = zlib.compress(RAW)
END = chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("file", "text"),
    [
        (b"", "not the PNG signature"),
        (b"GIF89a" + bytes(40), "not the PNG signature"),
        (png(header(3, 2, depth=16), RAW), "must be 8, one of .*; they are 16, 2, 0, 0, 0"),
        (png(header(3, 2, colour=3), RAW), "they are 8, 3, 0, 0, 0"),
        (png(header(3, 2, interlace=1), RAW), "they are 8, 2, 0, 0, 1"),
        (png(header(3, 2, filtering=1), RAW), "they are 8, 2, 0, 1, 0"),
        (png(header(0, 2), RAW), "0 x 2 pixels, must be 1 to"),
        (png(header(2**31 - 1, 2**31 - 1), RAW), "2147483647 x 2147483647 pixels, must be 1 to"),
        (png(header(3, 2), RAW[:-1]), "pixel data must be 20 bytes, a complete stream; found 19"),
        (png(header(3, 2), RAW + b"\0"), "found more than 20"),
        (png(header(3, 2), bytes(50_000_000)), "found more than 20"),
        (png(header(3, 2), b"", stream=STREAM[:-5]), "must be 20 bytes, a complete stream"),
        (png(header(3, 2), b"", stream=STREAM[:-1] + bytes([STREAM[-1] ^ 1])), "pixel data is damaged"),
        (png(header(3, 2), b"\x05" + RAW[1:]), "filter type must be 0 to 4, a row has 5"),
        (png(header(3, 2), RAW, extra=chunk(b"tRNS", bytes(6))), "chunk b'tRNS' is not supported"),
        (png(header(3, 2), RAW, extra=chunk(b"ABCD", b"")), "chunk b'ABCD' is not supported"),
        (png(header(3, 2), RAW, extra=header(3, 2)), "must be a 13-byte IHDR"),
        (png(chunk(b"IHDR", b"short"), RAW), "must be a 13-byte IHDR"),
        (SIGNATURE + header(3, 2) + END, "IDAT chunks are missing or not consecutive"),
        (
            SIGNATURE
            + header(3, 2)
            + chunk(b"IDAT", STREAM[:5])
            + chunk(b"tEXt", b"a\0b")
            + chunk(b"IDAT", STREAM[5:])
            + END,
            "IDAT chunks are missing or not consecutive",
        ),
    ],
)
def test_damage_is_named(file, text):
    with pytest.raises(ValueError, match=text):
        decode_png(file)


def test_a_wrong_checksum_names_the_chunk():
    data = bytearray(encode_png(smooth(6, 5, 3)))
    data[50] ^= 1
    with pytest.raises(ValueError, match="PNG: checksum of chunk b'IDAT' at byte 33 does not match"):
        decode_png(bytes(data))


@pytest.mark.parametrize("shape", [(40, 50), (33, 47, 3), (64, 31, 4), (200, 300, 3)])
def test_bytes_are_those_of_the_standard_library_too(shape):
    # zlib's own deflate, another implementation: run-length matches leave an encoder nothing to choose.
    noise = np.random.default_rng(5).integers(0, 256, shape, dtype=np.uint8)
    for pixels in (noise, np.zeros(shape, np.uint8), noise // 64):
        data = encode_png(pixels)
        start = data.index(b"IDAT") + 4
        (size,) = struct.unpack(">I", data[start - 8 : start - 4])
        rows = pixels.reshape(shape[0], -1)
        up = np.concatenate([rows[:1], rows[1:] - rows[:-1]])
        filtered = np.concatenate([np.full((shape[0], 1), 2, np.uint8), up], axis=1).tobytes()
        stream = zlib.compressobj(1, zlib.DEFLATED, 15, 9, zlib.Z_RLE)
        assert data[start : start + size] == stream.compress(filtered) + stream.flush()
