"""The contact sheet: the right samples, each layer in its cell, read at its offset."""

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from pipeline.preview import (
    CAPTION,
    COLUMNS,
    GAP,
    HEADER,
    caption,
    cell_origin,
    contact_sheet,
    read_sample,
    shrink,
    write_preview,
)
from pipeline.shards import MEMBERS, ShardError

THUMB = 64  # half of the builds' 128 px: the area average is the mean of 2 x 2 pixels


def index_rows(out: Path) -> list[dict]:
    return pq.read_table(out / "meta" / "index.parquet").to_pylist()


def layer(out: Path, row: dict, name: str) -> np.ndarray:
    with tarfile.open(out / "data" / row["shard"]) as tar:
        data = tar.extractfile(f"{row['key']}.{name}.png").read()
    return np.asarray(Image.open(io.BytesIO(data))).astype(np.float64)


def halved(pixels: np.ndarray) -> np.ndarray:
    return pixels.reshape(THUMB, 2, THUMB, 2, -1).mean(axis=(1, 3))


def on_board(rgba: np.ndarray) -> np.ndarray:
    alpha = rgba[..., 3:] / 255
    tile = np.kron([[240.0, 200.0], [200.0, 240.0]], np.ones((8, 8)))
    board = np.tile(tile, (THUMB // 16, THUMB // 16))[..., None]
    return halved(rgba[..., :3] * alpha) + (1 - halved(alpha)) * board


def cell(sheet: np.ndarray, place: int, column: int) -> np.ndarray:
    x, y = cell_origin(place, column, THUMB)
    return sheet[y : y + THUMB, x : x + THUMB].astype(np.float64)


def test_cells_are_the_layers_of_samples_spread_over_the_build(tiny_build: Path) -> None:
    rows = [index_rows(tiny_build)[k] for k in (6, 19, 32, 44, 57)]  # floor((k + 0.5) * 64 / 5)
    sheet = contact_sheet(tiny_build, 5, THUMB)
    for place, row in enumerate(rows):
        for column, name in enumerate(COLUMNS[:5]):
            pixels = layer(tiny_build, row, name)
            if name == "shadow":
                pixels = np.repeat(255 - pixels[..., None], 3, axis=2)
            wanted = on_board(pixels) if pixels.shape[2] == 4 else halved(pixels)
            assert np.abs(cell(sheet, place, column) - wanted).max() <= 1, (row["key"], name)


def test_mask_is_a_tint_with_an_outline_and_leaves_the_rest(tiny_build: Path) -> None:
    sheet = contact_sheet(tiny_build, 5, THUMB)
    for place, number in enumerate((6, 19, 32, 44, 57)):
        mask = halved(layer(tiny_build, index_rows(tiny_build)[number], "mask"))[..., 0]
        far = np.ones((THUMB, THUMB), bool)
        for dy, dx in np.ndindex(3, 3):
            far &= np.roll(mask, (dy - 1, dx - 1), (0, 1)) == 0
        far[[0, -1]], far[:, [0, -1]] = False, False
        plain, tinted = cell(sheet, place, 0), cell(sheet, place, 5)
        assert np.array_equal(tinted[far], plain[far])
        outlined = (tinted == (255, 0, 128)).all(axis=2)
        assert outlined.any()
        inside = (mask == 255) & ~outlined
        assert np.abs(tinted[inside] - (0.65 * plain[inside] + 0.35 * np.array((255, 0, 128)))).max(initial=0) <= 0.5


def test_sheet_is_two_samples_wide_and_says_what_they_are(tiny_build: Path) -> None:
    sheet = contact_sheet(tiny_build, 5, THUMB)
    block = 6 * (THUMB + GAP) + 2 * GAP
    assert sheet.shape == (HEADER + 3 * (THUMB + CAPTION + GAP), GAP + 2 * block - 2 * GAP, 3)
    for place in range(5):
        x, y = cell_origin(place, 0, THUMB)
        assert sheet[y + THUMB + 2 : y + THUMB + CAPTION, x : x + 4 * THUMB].min() < 80
    x, y = cell_origin(5, 0, THUMB)
    assert sheet[y:, x:].min() == 255


def test_caption() -> None:
    row = {"key": "val_000000003", "origin": "real", "num_objects": 2, "visible_fraction": 0.4567}
    row |= {"mask_kind": "box", "mask_iou": 0.333}
    assert caption(row) == "val_000000003   real target, 2 objects, visible 0.46, mask box (IoU 0.33)"
    assert "generated target, 1 object, " in caption(row | {"origin": "generated", "num_objects": 1})


def test_only_drawn_samples_are_read(small_build: Path, copy_of: Callable[[Path], Path]) -> None:
    out = copy_of(small_build)
    drawn = index_rows(out)[6]["shard"]
    for path in (out / "data").glob("*.tar"):
        if path.name != drawn:
            path.unlink()
    assert contact_sheet(out, 1, THUMB).shape[1] == cell_origin(0, 6, THUMB)[0]


def test_all_samples_where_fewer_than_asked_and_the_same_bytes_twice(
    small_build: Path, copy_of: Callable[[Path], Path]
) -> None:
    out = copy_of(small_build)
    first = write_preview(out).read_bytes()
    assert Image.open(io.BytesIO(first)).size == (
        cell_origin(1, 6, 224)[0],
        HEADER + 6 * (224 + CAPTION + GAP),
    )
    assert write_preview(out).read_bytes() == first
    assert [p.name for p in out.glob("*.png")] == ["preview.png"]
    assert not list(out.glob(".*.tmp"))


def test_read_sample_gives_the_stored_bytes(small_build: Path) -> None:
    row = index_rows(small_build)[2]
    members = read_sample(small_build, row)
    with tarfile.open(small_build / "data" / row["shard"]) as tar:
        assert members == {name: tar.extractfile(f"{row['key']}.{name}").read() for name in MEMBERS}


def test_wrong_offsets_are_named(small_build: Path) -> None:
    first, second = index_rows(small_build)[:2]
    shard = small_build / "data" / first["shard"]
    with pytest.raises(ShardError) as caught:
        read_sample(small_build, first | {"offset": second["offset"]})
    names = ", ".join(f"{second['key']}.{name}" for name in MEMBERS)
    text = f"{shard}: byte {second['offset']} should begin {first['key']}, found {names}"
    assert str(caught.value) == text
    with pytest.raises(ShardError, match=f"byte 520 should begin {first['key']}, found nothing"):
        read_sample(small_build, first | {"offset": 520})  # within the first picture
    with pytest.raises(ShardError, match=r"gone\.tar: .* cannot be read at byte 0: .*No such file"):
        read_sample(small_build, first | {"shard": "gone.tar"})


def test_shard_cut_short_is_named(small_build: Path, copy_of: Callable[[Path], Path]) -> None:
    out = copy_of(small_build)
    row = index_rows(out)[0]
    with (out / "data" / row["shard"]).open("r+b") as file:
        file.truncate(2000)
    with pytest.raises(ShardError, match=f"{row['key']} cannot be read at byte 0: unexpected end of data"):
        read_sample(out, row)


def test_unfinished_build_is_refused(small_build: Path, copy_of: Callable[[Path], Path]) -> None:
    out = copy_of(small_build)
    (out / "index.json").unlink()
    with pytest.raises(ShardError, match=r"this build is not finished: .*index\.json is missing"):
        write_preview(out)
    assert not (out / "preview.png").exists()


def test_small_pictures_are_enlarged_without_new_tones() -> None:
    pixels = np.random.default_rng(1).integers(50, 200, (16, 16, 3), np.uint8)
    large = shrink(pixels, 64)
    assert large.shape == (64, 64, 3)
    assert pixels.min() <= large.min()
    assert large.max() <= pixels.max()
    assert abs(float(large.mean()) - float(pixels.mean())) < 3
