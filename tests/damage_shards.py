"""Damage to shards: the file, its members, their pictures."""

import io
import zlib

import numpy as np
import pyarrow.parquet as pq
from PIL import Image

from tests.damage import Damage, Harm, png, write_tar


def append_zeros(d: Damage) -> None:
    with d.first.open("ab") as file:
        file.write(bytes(512))


def other_owner(d: Damage) -> None:
    data = bytearray(d.first.read_bytes())
    data[265:269] = b"root"  # user name in the first header; then its checksum (POSIX ustar)
    total = sum(data[:148]) + 8 * 32 + sum(data[156:512])
    data[148:156] = b"%06o\0 " % total
    d.first.write_bytes(data)


def cut_tar(d: Damage) -> None:
    second = list(d.samples())[1]
    table = pq.read_table(d.out / "meta" / "index.parquet").to_pylist()
    offset = next(row["offset"] for row in table if row["key"] == second)
    d.first.write_bytes(d.first.read_bytes()[:offset])
    d.seal_shard()


def cut_member(d: Damage) -> None:
    d.first.write_bytes(d.first.read_bytes()[:3000])
    d.seal_shard()


def swap_members(d: Damage) -> None:
    samples = d.samples()
    first = d.names()[0]
    samples[first] = [samples[first][1], samples[first][0], *samples[first][2:]]
    d.write(samples)


def lose_member(d: Damage) -> None:
    samples = d.samples()
    samples[d.names()[0]].pop(3)
    d.write(samples)


def lose_sample(d: Damage) -> None:
    samples = d.samples()
    samples.pop(d.names()[1])
    d.write(samples)


def swap_samples(d: Damage) -> None:
    samples = d.samples()
    first, *rest = d.names()
    d.write({key: samples[key] for key in (*rest, first)})


def rename_sample(d: Damage) -> None:
    d.write({"train_000000099" if key == d.names()[-1] else key: m for key, m in d.samples().items()})


def other_bytes(d: Damage) -> None:
    key = d.names()[0]
    samples = d.samples()
    samples[key] = [(n, png(d.pixels(key, "mask")) if n == "mask.png" else data) for n, data in samples[key]]
    write_tar(d.first, [(f"{k}.{n}", data) for k, members in samples.items() for n, data in members])
    stored = {row["key"]: row["sha256_mask_png"] for row in pq.read_table(d.out / "meta" / "index.parquet").to_pylist()}
    d.seal_shard()
    d.seal_rows()
    d.rows(lambda rows: [row | {"sha256_mask_png": stored[row["key"]]} for row in rows])


def flip_png(d: Damage) -> None:
    d.member(d.names()[0], "background.png", lambda data: data[:-20] + bytes([data[-20] ^ 1]) + data[-19:])


def end_png_early(d: Damage) -> None:
    d.member(d.names()[0], "background.png", lambda data: data[:-12])


def empty_png(d: Damage) -> None:
    def change(data: bytes) -> bytes:
        chunk = b"IDAT" + zlib.compress(b"")
        body = len(chunk[4:]).to_bytes(4, "big") + chunk + zlib.crc32(chunk).to_bytes(4, "big")
        return data[:33] + body + data[-12:]

    d.member(d.names()[0], "background.png", change)


def grey_background(d: Damage) -> None:
    d.paint(d.names()[0], "background", d.pixels(d.names()[0], "background")[..., 0])


def deep_shadow(d: Damage) -> None:
    def change(data: bytes) -> bytes:
        deep = np.array(Image.open(io.BytesIO(data))).astype(np.uint16) * 257
        out = io.BytesIO()
        Image.fromarray(deep).save(out, "png")
        return out.getvalue()

    d.member(d.names()[0], "shadow.png", change)


def small_mask(d: Damage) -> None:
    d.paint(d.names()[0], "mask", d.pixels(d.names()[0], "mask")[1:])


DAMAGES: list[Harm] = [
    ("shard_bytes", append_zeros, "bytes, index.json says"),
    ("shard_bytes", other_owner, "train-00000-of-00001.tar  SHA-256 is"),
    ("tar", cut_tar, "the two zero blocks that end a tar are missing"),
    ("tar", cut_member, "train-00000-of-00001.tar"),
    ("members", swap_members, "train_000000000 members are ['background.png', 'composite.png'"),
    ("members", lose_member, "train_000000000 members are"),
    ("members", lose_sample, "1 of 10 samples are missing, first train_000000001"),
    ("members", swap_samples, "samples are out of order"),
    (
        "members",
        rename_sample,
        "1 of 10 samples are missing, first train_000000009; 1 unexpected samples, first train_000000099",
    ),
    ("member_sha256", other_bytes, "train_000000000 mask.png: SHA-256 is"),
    ("png", flip_png, "train_000000000 background.png CRC of chunk IDAT"),
    ("png", end_png_early, "background.png does not end with IEND"),
    ("png", empty_png, "background.png does not decode"),
    ("png", grey_background, "background.png is 128 x 128, 8 bit, colour type 0; must be 128 x 128, 8 bit, colour ty"),
    ("png", deep_shadow, "shadow.png is 128 x 128, 16 bit"),
    ("png", small_mask, "mask.png is 128 x 127"),
]
