"""Batches of pre-computed latents, the same in the same order as from pixels: no codec is needed to train."""

from collections.abc import Iterator
from typing import NamedTuple

from safetensors.torch import load
from torch.utils.data import Dataset

from model.batch import Cursor
from model.config import TrainConfig
from model.data.download import DataError, MissingError
from model.data.index import Row
from model.data.loader import run_loader
from model.data.order import Batches, Draw
from model.data.sample import read_members
from model.data.source import Shard, Store, open_store, shard_cache
from model.encoded import Encoded
from model.latent_index import AGAIN, TEXT, Index, check_plain, fingerprint, read_index
from model.latents import Sample, from_bytes, put_together
from model.spec import Branch, Spec
from model.text import Prompt


class EncodedBatch(NamedTuple):
    """B samples as the transformer's tokens; what a `Batch` becomes after the codec."""

    encoded: Encoded
    keys: tuple[str, ...]
    cursor: Cursor


def open_latents(config: TrainConfig) -> Store:
    """The folder or address that the configuration names."""
    assert config.precomputed is not None
    return open_store(config.precomputed, shard_cache())


def stored_text(config: TrainConfig) -> Prompt:
    """What `text.safetensors` holds. Raises DataError where it is missing."""
    store = open_latents(config)
    try:
        found = load(store.read(TEXT))
        return Prompt(found["tokens"], found["pooled"])
    except MissingError as error:
        raise DataError(f"{error}; {AGAIN}") from None
    except Exception as error:  # safetensors raises its own kinds
        raise DataError(f"{store}/{TEXT}: cannot be read: {error}") from None


def stored_batches(
    config: TrainConfig, spec: Spec, *, rank: int = 0, world: int = 1, cursor: Cursor = Cursor()
) -> Iterator[EncodedBatch]:
    """Batches of one rank, for ever: what `make_loader` and `model.encoded.encode` give, without either's work.

    Raises:
        ManifestError: the configuration asks for augmentation.
        DataError: no latents, or of another model, or damaged.
    """
    check_plain(config)
    store, options = open_latents(config), config.data
    index = read_index(store, fingerprint(config, spec))
    rows = _rows(store, index)
    batches = Batches(
        [len(entry.keys) for entry in index.shards],
        [bucket for entry in index.shards for bucket in entry.buckets],
        seed=config.seed,
        window=options.window,
        batch_size=config.batch_size,
        rank=rank,
        world=world,
        cursor=cursor,
    )
    return run_loader(_Reader(rows, spec.branches), batches, options.workers)


class _Reader(Dataset[EncodedBatch | DataError]):
    """A batch for each list of draws. A DataError is returned: a process would hide it in a report of many lines."""

    def __init__(self, rows: list[Row], branches: tuple[Branch, ...]) -> None:
        self._rows, self._branches = rows, branches

    def __getitem__(self, work: tuple[list[Draw], Cursor]) -> EncodedBatch | DataError:
        draws, cursor = work
        rows = [self._rows[draw.number] for draw in draws]
        try:
            samples = [_read(row) for row in rows]
        except DataError as error:
            return error
        return EncodedBatch(put_together(samples, self._branches), tuple(row.key for row in rows), cursor)


def _read(row: Row) -> Sample:
    data = read_members(row, ("safetensors",))["safetensors"]
    try:
        return from_bytes(data)
    except ValueError as error:
        raise DataError(f"{row.shard}: {row.key}.safetensors: {error}") from None


def _rows(store: Store, index: Index) -> list[Row]:
    rows = []
    for entry in index.shards:
        shard = Shard(store, entry.name, entry.num_bytes, entry.sha256)
        store.check(shard)
        rows += [Row(key, shard, offset, 0) for key, offset in zip(entry.keys, entry.offsets, strict=True)]
    return rows
