"""Fetching shards before they are needed."""

import threading
from collections.abc import Callable
from pathlib import Path

from model.batch import Cursor
from model.data.ahead import Work, fetch_ahead
from model.data.index import Row, open_dataset
from model.data.order import Draw
from tests.model.data.conftest import Server

SIZES = (4, 5, 4, 5, 4)


def works(count: int) -> list[Work]:
    """One sample a batch, shard after shard."""
    return [([Draw(k, k)], Cursor(0, k + 1)) for k in range(count)]


def wait_for(rows: tuple[Row, ...], there: Callable[[], bool]) -> None:
    for _ in range(500):
        if there():
            return
        threading.Event().wait(0.01)
    raise AssertionError("the shards do not come")


def test_shards_come_while_earlier_ones_are_used(built: Path, serve: Callable[[Path], Server], tmp_path: Path) -> None:
    server = serve(built)
    rows = open_dataset(server.address, "train", tmp_path).rows
    stream = iter(fetch_ahead(works(22), rows, 5))
    made = [next(stream)]
    names = [f"data/train-0000{k}-of-00005.tar" for k in range(5)]
    wait_for(rows, lambda: server.seen[2:] == names[:2])
    made += [next(stream) for _ in range(8)]
    wait_for(rows, lambda: server.seen[2:] == names[:4])
    assert made + list(stream) == works(22)
    wait_for(rows, lambda: server.seen[2:] == names)


def test_what_does_not_come_is_left_to_the_reader(built: Path, serve: Callable[[Path], Server], tmp_path: Path) -> None:
    server = serve(built)
    rows = open_dataset(server.address, "train", tmp_path).rows
    server.faults["data/train-00000-of-00005.tar"].append(403)
    assert list(fetch_ahead(works(22), rows, 3)) == works(22)
    wait_for(rows, lambda: len(list(tmp_path.glob("*.tar"))) == 4)
    assert rows[0].shard.path().is_file()


def test_the_thread_ends_with_the_stream(built: Path, serve: Callable[[Path], Server], tmp_path: Path) -> None:
    rows = open_dataset(serve(built).address, "train", tmp_path).rows
    before = threading.active_count()
    stream = iter(fetch_ahead(works(22), rows, 3))
    next(stream)
    del stream
    wait_for(rows, lambda: threading.active_count() <= before)


def test_a_folder_needs_no_thread(built: Path) -> None:
    given = works(22)
    assert fetch_ahead(given, open_dataset(str(built), "train").rows, 3) is given
