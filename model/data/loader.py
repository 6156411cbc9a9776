"""From data sets to batches."""

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

import cv2
import torch
from torch.utils.data import DataLoader, Dataset

from model.batch import Batch, Cursor
from model.data.ahead import fetch_ahead
from model.data.buckets import choose_buckets
from model.data.download import DataError
from model.data.index import open_all
from model.data.maker import BatchMaker
from model.data.options import DataOptions
from model.data.order import Batches

Made = TypeVar("Made")

_AHEAD = 4  # batches that a process may be ahead


def make_loader(
    options: DataOptions,
    *,
    seed: int,
    batch_size: int,
    rank: int = 0,
    world: int = 1,
    cursor: Cursor = Cursor(),
) -> Iterator[Batch]:
    """Batches of one rank, for ever, from `cursor` on; the same for any number of loader processes.

    The data sets are opened here, the samples are read as they are needed (shards on the net half a window before).
    Both raise DataError, one line, for what cannot be read.
    """
    data = open_all(options.location, options.split)
    buckets = choose_buckets(data.rows, options.buckets)
    batches = Batches(
        data.shard_sizes,
        buckets,
        seed=seed,
        window=options.window,
        batch_size=batch_size,
        rank=rank,
        world=world,
        cursor=cursor,
    )
    half_a_window = options.window * len(data.rows) // (2 * len(data.shard_sizes))
    work = fetch_ahead(batches, data.rows, half_a_window // (batch_size * world))
    return run_loader(BatchMaker(options, data, buckets, seed), work, options.workers)


def run_loader(dataset: Dataset[Made | DataError], work: Iterable[Any], workers: int) -> Iterator[Made]:
    """What `dataset` makes of each piece of `work`, in that order; `workers` processes make it ahead, 0 none.

    Raises DataError: the one that `dataset` returns (raised in a process it would be a report of many lines), or that
    a process died.
    """
    loader: DataLoader[Made | DataError] = DataLoader(
        dataset,
        batch_size=None,
        sampler=work,
        collate_fn=_as_made,
        num_workers=workers,
        worker_init_fn=_one_thread,
        prefetch_factor=_AHEAD if workers else None,
        generator=torch.Generator(),  # else it takes a number from torch's own
    )
    return _raising(iter(loader))


def _raising(loaded: Iterator[Made | DataError]) -> Iterator[Made]:
    try:
        for made in loaded:
            if isinstance(made, DataError):
                raise made
            yield made
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        text = "a loader process ended (killed, or out of memory); fewer `data.workers` need less memory"
        raise DataError(text) from error


def _as_made(made: Any) -> Any:
    """DataLoader's own function makes lists of the tuples inside."""
    return made


def _one_thread(_: int) -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
