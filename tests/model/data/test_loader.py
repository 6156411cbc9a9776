"""Batches of real shards: the same for any number of processes and ranks, whatever the memory, from any cursor."""

import os
import signal
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from model.batch import Batch
from model.data import maker
from model.data.download import DataError
from model.data.index import open_dataset
from model.data.loader import make_loader
from model.data.maker import BatchMaker
from model.data.options import DataOptions
from model.data.sample import read_pixels
from tests.model.data.conftest import Server

BUSY = {"flip": 0.5, "noise": 0.3, "blur": 0.3, "jpeg": 0.3, "mask_noise": 0.5}
ALL = 22  # samples of train


def options(*locations: Path | str, **changes) -> DataOptions:
    plain = {
        "location": tuple(map(str, locations)),
        "buckets": ((48, 48),),
        "workers": 0,
        "window": 2,
        "source_size": 80,
    }
    return DataOptions.model_validate(plain | changes)


def batches(given: DataOptions, count: int, **place) -> list[Batch]:
    return list(islice(make_loader(given, **({"seed": 5, "batch_size": 4} | place)), count))


def assert_same(one: list[Batch], other: list[Batch]) -> None:
    assert len(one) == len(other)
    for a, b in zip(one, other, strict=True):
        assert (a.keys, a.cursor) == (b.keys, b.cursor)
        for name, x, y in zip(Batch._fields, a, b, strict=True):
            assert not isinstance(x, Tensor) or torch.equal(x, y), f"{name} of {a.keys}"


@pytest.mark.parametrize("task", ["decompose", "inpaint"])
def test_batches_are_what_they_say(built: Path, task: str) -> None:
    for batch in batches(options(built, task=task, buckets=((48, 32),), **BUSY), 5):
        shapes = {"composite": 3, "background": 3, "foreground": 4, "visible": 1, "mask": 1}
        for name, channels in shapes.items():
            tensor = getattr(batch, name)
            assert tensor.shape == (4, channels, 32, 48), name
            assert tensor.dtype == torch.float32
            low = 0 if name in ("visible", "mask") else -1
            assert low <= tensor.min() <= tensor.max() <= 1, name
        assert set(batch.mask.unique().tolist()) == {0.0, 1.0}
        assert type(batch) is Batch
        assert type(batch.keys) is tuple
        assert len(set(batch.keys)) == 4


def test_plain_batches_are_the_samples(built: Path) -> None:
    """By way of the files themselves."""
    rows = {row.key: row for row in open_dataset(str(built), "val").rows}
    (batch,) = batches(options(built, split="val", flip=0.0), 1)
    assert sorted(batch.keys) == sorted(rows)
    for k, key in enumerate(batch.keys):
        pixels = read_pixels(rows[key], 48, 48)
        for name in ("composite", "background", "foreground"):
            made = (getattr(batch, name)[k].permute(1, 2, 0).numpy() + 1) * 127.5
            assert np.abs(made - getattr(pixels, name)).max() < 1e-4, name
        np.testing.assert_array_equal(batch.mask[k, 0].numpy() == 1, pixels.mask)
        own, before = (a[..., 3].astype(float) / 255 for a in (pixels.foreground, pixels.occluder))
        assert np.abs(batch.visible[k, 0].numpy() - own * (1 - before)).max() <= 0.51 / 255
        clear = pixels.foreground[..., 3] == 0
        assert (batch.foreground[k].numpy()[:, clear] == -1).all()


def test_inpainting_batches_are_photographs_with_holes(built: Path) -> None:
    for batch in batches(options(built, task="inpaint"), 6):
        assert torch.equal(batch.composite, batch.background)
        assert torch.equal(batch.foreground[:, :3], batch.composite)
        assert (batch.foreground[:, 3] == 1).all()
        assert not batch.visible.any()
        assert (batch.mask.mean((1, 2, 3)) >= 0.01).all()
        assert (batch.mask.mean((1, 2, 3)) < 1).all()


@pytest.mark.parametrize("task", ["decompose", "inpaint"])
@pytest.mark.parametrize("workers", [1, 2])
def test_processes_change_nothing(built: Path, task: str, workers: int) -> None:
    """Over two epochs, so that kept samples are among them."""
    alone = batches(options(built, task=task, **BUSY), 12)
    assert_same(batches(options(built, task=task, workers=workers, **BUSY), 12), alone)


@pytest.mark.parametrize("task", ["decompose", "inpaint"])
def test_memory_changes_nothing(built: Path, task: str) -> None:
    plenty = batches(options(built, task=task, **BUSY), 12)
    assert_same(batches(options(built, task=task, memory_mib=0, **BUSY), 12), plenty)


@pytest.mark.parametrize("task", ["decompose", "inpaint"])
def test_samples_are_decoded_once(built: Path, task: str, monkeypatch: pytest.MonkeyPatch) -> None:
    read = {"read_pixels": maker.read_pixels, "read_pictures": maker.read_pictures}
    asked: list[tuple[object, ...]] = []

    def counting(name: str) -> Callable[..., object]:
        return lambda row, *a: asked.append((row.key, a)) or read[name](row, *a)

    for name in read:
        monkeypatch.setattr(maker, name, counting(name))
    batches(options(built, task=task), 33)
    assert len(asked) == len(set(asked))
    assert len({key for key, _ in asked}) == ALL


@pytest.mark.parametrize(("world", "workers"), [(1, 0), (2, 0), (3, 1), (2, 2)])
def test_ranks_share_each_epoch(built: Path, world: int, workers: int) -> None:
    """Joined, the ranks' parts are the batches of one process; without loss or overlap."""
    given = options(built, workers=workers, **BUSY)
    ranks = [batches(given, 22, batch_size=2, rank=r, world=world) for r in range(world)]
    one = batches(options(built, **BUSY), 22, batch_size=2 * world)
    for k, whole in enumerate(one):
        assert sum((rank[k].keys for rank in ranks), ()) == whole.keys
        assert torch.equal(torch.cat([rank[k].composite for rank in ranks]), whole.composite)
        assert {rank[k].cursor for rank in ranks} == {whole.cursor}
    keys = [key for batch in one for key in batch.keys]
    assert [len(set(keys[k : k + ALL])) for k in range(0, len(keys) - ALL + 1, ALL)] == [ALL] * (len(keys) // ALL)


@pytest.mark.parametrize("task", ["decompose", "inpaint"])
@pytest.mark.parametrize("workers", [0, 1])
def test_a_stream_goes_on_to_the_bit(built: Path, task: str, workers: int) -> None:
    whole = batches(options(built, task=task, **BUSY), 14)
    for k in (0, 3, 4, 5, 10):  # an epoch ends after 5 batches and a half
        given = options(built, task=task, workers=workers, **BUSY)
        assert_same(batches(given, 13 - k, cursor=whole[k].cursor), whole[k + 1 :])


def test_epochs_and_seeds_differ(built: Path) -> None:
    keys = [batch.keys for batch in batches(options(built), 22)]
    assert len(set(keys)) == 22
    assert [b.keys for b in batches(options(built), 6, seed=6)] != keys[:6]
    repeated = {key: [] for key in keys[0]}
    for batch in batches(options(built, noise=1.0, flip=0.0), 22):
        for k, key in enumerate(batch.keys):
            repeated.setdefault(key, []).append(batch.composite[k])
    assert all(not torch.equal(a, b) for a, b in (pair[:2] for pair in repeated.values())), "noise repeats"


def test_buckets_of_several_data_sets(built: Path) -> None:
    """Samples of 96 pixels go to the largest square that they fill."""
    given = options(built, built, buckets=((48, 48), (96, 64), (96, 96), (128, 128)))
    made = batches(given, 11)
    assert {tuple(b.composite.shape[2:]) for b in made} == {(96, 96)}
    assert sorted(k for b in made for k in b.keys) == sorted(r.key for r in open_dataset(str(built), "train").rows * 2)


def test_a_bucket_that_no_sample_fills(built: Path) -> None:
    with pytest.raises(DataError, match=r": 96 x 96 pixels, too small for buckets of 128 x 128$"):
        make_loader(options(built, buckets=((128, 128),)), seed=0, batch_size=1)


def test_torch_gives_the_same_numbers_with_and_without_a_loader(built: Path) -> None:
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    batches(options(built, workers=1), 1)
    assert torch.equal(torch.rand(4), expected)


def test_what_is_wrong_is_said_before_the_first_batch(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"^{tmp_path}/none: no data set"):
        make_loader(options(tmp_path / "none"), seed=0, batch_size=1)


@pytest.mark.parametrize("task", ["decompose", "inpaint"])
@pytest.mark.parametrize("workers", [0, 1])
def test_a_damaged_sample_is_one_line(copy: Path, task: str, workers: int) -> None:
    """From a process, too, and after the batches before it."""
    row = open_dataset(str(copy), "train").rows[3]
    path = row.shard.path()
    data = bytearray(path.read_bytes())
    for at in range(row.offset + 600, row.offset + 200_000, 300):
        if at < len(data) - 2048:
            data[at] ^= 0x55
    path.write_bytes(data)
    with pytest.raises(DataError) as caught:
        batches(options(copy, task=task, workers=workers), 8)
    assert str(caught.value).startswith(f"{path}: train_0000000")
    assert "\n" not in str(caught.value)


class _Deadly(BatchMaker):
    def __getitem__(self, work):
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_process_that_dies_is_told(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.data.loader.BatchMaker", _Deadly)
    with pytest.raises(DataError, match=r"^a loader process ended \(killed, or out of memory\); fewer `data\.workers`"):
        batches(options(built, workers=1), 1)


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    monkeypatch.setenv("LAYERLOOM_CACHE", str(tmp_path))
    return tmp_path / "shards"


@pytest.mark.parametrize("task", ["decompose", "inpaint"])
@pytest.mark.parametrize("workers", [0, 2])
def test_batches_from_the_net_are_the_same(
    built: Path, serve: Callable[[Path], Server], cache: Path, task: str, workers: int
) -> None:
    server = serve(built)
    made = batches(options(server.address, task=task, workers=workers, **BUSY), 12)
    assert_same(made, batches(options(built, task=task, **BUSY), 12))
    shards = [path for path in server.seen if path.startswith("data/")]
    assert sorted(shards) == sorted(set(shards)), "a shard is fetched twice"
    assert len(list(cache.glob("*.tar"))) == 5


def test_a_shard_that_is_lost_on_the_net(built: Path, serve: Callable[[Path], Server], cache: Path) -> None:
    server = serve(built)
    server.faults["data/train-00002-of-00005.tar"].extend([404] * 99)
    text = f"^{server.address}/data/train-00002-of-00005.tar: the server says 404 Not Found$"
    with pytest.raises(DataError, match=text):
        batches(options(server.address), 6)
