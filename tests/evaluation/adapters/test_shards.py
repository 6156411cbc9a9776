"""Our own shards."""

import io
import re
import tarfile

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evaluation.adapters import ADAPTERS
from evaluation.errors import EvalError
from stages.codec import encode_png
from tests.evaluation.adapters.folders import item, noise, reason, same

SIZE = 32
MEMBERS = ("composite", "background", "foreground", "shadow", "occluder", "mask")


def layers(seed):
    """The six pictures of a sample; half the alphas are 0 or 255."""
    rng = np.random.default_rng([5, seed])
    alphas = [np.where(rng.random((SIZE, SIZE)) < 0.5, noise(seed + k, SIZE, SIZE), 255 * (k % 2)) for k in range(3)]
    alphas = [a.astype(np.uint8) for a in alphas]
    foreground, occluder = (np.dstack([noise(seed + 7 + k, SIZE, SIZE, 3), alphas[k]]) for k in (0, 1))
    mask = np.where(rng.random((SIZE, SIZE)) < 0.3, 255, 0).astype(np.uint8)
    pictures = (noise(seed + 20, SIZE, SIZE, 3), noise(seed + 30, SIZE, SIZE, 3), foreground, alphas[2], occluder, mask)
    return dict(zip(MEMBERS, pictures, strict=True))


def build(root, splits=("test", "val"), count=3, change=lambda key, name, data: data):
    """A data set of one shard each split; `change` may replace or drop (None) a member's bytes."""
    rows, shards, seed = [], [], 0
    (root / "data").mkdir(parents=True)
    (root / "meta").mkdir()
    for split in splits:
        name = f"{split}-00000-of-00001.tar"
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            for k in range(count):
                key = f"{split}_{k:09d}"
                rows.append({"key": key, "split": split, "shard": name, "offset": out.tell(), "size": SIZE})
                members = {f"{n}.png": encode_png(p) for n, p in layers(seed).items()} | {"json": b"{}"}
                for member, data in members.items():
                    if (data := change(key, member, data)) is not None:
                        info = tarfile.TarInfo(f"{key}.{member}")
                        info.size = len(data)
                        tar.addfile(info, io.BytesIO(data))
                seed += 1
        (root / "data" / name).write_bytes(out.getvalue())
        shards.append({"name": f"data/{name}", "num_bytes": len(out.getvalue()), "samples": count})
    (root / "index.json").write_bytes(orjson.dumps({"name": "x", "shards": shards}))
    pq.write_table(pa.Table.from_pylist(rows), root / "meta" / "index.parquet")
    return root


def test_samples_pixel_by_pixel(tmp_path):
    build(tmp_path)
    for split, first in (("test", 0), ("val", 3)):
        dataset = ADAPTERS["shards"](tmp_path, split=split)
        assert list(dataset.ids) == [f"{split}_{k:09d}" for k in range(3)]
        for k in (2, 0, 1):
            made = layers(first + k)
            fg, oc = (made[n][..., 3].astype(np.float64) / 255 for n in ("foreground", "occluder"))
            found = item(dataset, f"{split}_{k:09d}")
            np.testing.assert_allclose(found.visible, fg * (1 - oc), atol=1e-6)
            shows = (made["foreground"][..., 3] > 0) & (made["occluder"][..., 3] < 255)
            same(
                found,
                picture=made["composite"],
                clean=made["background"],
                foreground=made["foreground"],
                mask=made["mask"] == 255,
                effect=(made["mask"] == 255) | (made["shadow"] > 0) | shows,
                alpha=found.visible,
                visible=found.visible,
            )
            assert found.visible.dtype == np.float32


def test_the_test_split_is_the_default(tmp_path):
    assert ADAPTERS["shards"](build(tmp_path)).ids[0] == "test_000000000"


def damage(key, name, data):
    """A byte in one sample, a member of another, other sizes and channels in the rest."""
    if (key, name) == ("test_000000000", "shadow.png"):
        return data[:-30] + bytes([data[-30] ^ 1]) + data[-29:]
    if (key, name) == ("test_000000001", "occluder.png"):
        return None
    if (key, name) == ("test_000000002", "mask.png"):
        return encode_png(noise(1, SIZE, SIZE - 1))
    if (key, name) == ("test_000000003", "mask.png"):
        return encode_png(noise(1, SIZE, SIZE, 3))
    return data


def test_damaged_samples_are_counted_and_others_are_read(tmp_path):
    dataset = ADAPTERS["shards"](build(tmp_path, count=5, change=damage))
    shard = "data/test-00000-of-00001.tar"
    texts = [reason(dataset, f"test_00000000{k}") for k in range(4)]
    assert texts[0].startswith(f"{shard}: test_000000000.shadow.png: PNG: ")
    assert texts[1].startswith(f"{shard}: test_000000001: no member 'occluder.png' at byte ")
    assert texts[2] == f"{shard}: test_000000002.mask.png: 31 x 32 pixels of 1 channels, must be 32 x 32 of 1"
    assert texts[3] == f"{shard}: test_000000003.mask.png: 32 x 32 pixels of 3 channels, must be 32 x 32 of 1"
    item(dataset, "test_000000004")


def test_a_shard_cut_off_after_opening_is_counted(tmp_path):
    dataset = ADAPTERS["shards"](build(tmp_path))
    path = tmp_path / "data" / "test-00000-of-00001.tar"
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[:-512])
    text = f"data/test-00000-of-00001.tar: {size - 512} bytes, index.json says {size}"
    assert [reason(dataset, id) for id in dataset.ids] == [text] * 3


def test_what_is_no_data_set_or_split_is_an_error(tmp_path):
    build(tmp_path / "x")
    with pytest.raises(EvalError, match=re.escape(f"{tmp_path / 'x'}: no split 'tst'; did you mean 'test'?")):
        ADAPTERS["shards"](tmp_path / "x", split="tst")
    with pytest.raises(EvalError, match=r"no data set: it has no index\.json"):
        ADAPTERS["shards"](tmp_path)
    (tmp_path / "x" / "data" / "test-00000-of-00001.tar").write_bytes(b"")
    with pytest.raises(EvalError, match=r"test-00000-of-00001\.tar: 0 bytes, index\.json says"):
        ADAPTERS["shards"](tmp_path / "x")
