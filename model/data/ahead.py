"""Shards from the net before they are needed."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from queue import SimpleQueue
from threading import Thread

from model.batch import Cursor
from model.data.download import DataError
from model.data.index import Row
from model.data.order import Draw
from model.data.source import Shard, Web

Work = tuple[list[Draw], Cursor]


def fetch_ahead(batches: Iterable[Work], rows: Sequence[Row], distance: int) -> Iterable[Work]:
    """The same batches in the same order; a thread fetches the shards of the `distance` batches that come next.

    Where nothing lies on the net, just the batches. What cannot be fetched is left to the reader, who says so.
    """
    return _Ahead(batches, rows, distance) if any(isinstance(row.shard.store, Web) for row in rows) else batches


class _Ahead:
    def __init__(self, batches: Iterable[Work], rows: Sequence[Row], distance: int) -> None:
        self._batches, self._rows, self._distance = batches, rows, distance

    def __iter__(self) -> Iterator[Work]:
        wanted: SimpleQueue[Shard | None] = SimpleQueue()
        Thread(target=_fetch, args=(wanted,), daemon=True).start()
        line: deque[Work] = deque()
        asked: set[Shard] = set()
        try:
            for work in self._batches:
                for shard in dict.fromkeys(self._rows[draw.number].shard for draw in work[0]):
                    if shard not in asked and isinstance(shard.store, Web):
                        asked.add(shard)
                        wanted.put(shard)
                line.append(work)
                if len(line) > self._distance:
                    yield line.popleft()
            yield from line
        finally:
            wanted.put(None)


def _fetch(wanted: "SimpleQueue[Shard | None]") -> None:
    while (shard := wanted.get()) is not None:
        try:
            shard.path()
        except DataError:
            continue
