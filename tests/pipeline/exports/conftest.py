"""What the tests of the formats share: exports of a small build, and what its shards hold, read by tarfile and PIL."""

import io
import tarfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from pipeline.exports import export


class Count:
    """A listener that counts."""

    def __init__(self) -> None:
        self.stages: list[tuple[str, int]] = []
        self.units = 0

    def stage(self, name: str, total: int) -> None:
        self.stages.append((name, total))

    def advance(self, units: int, rejects: Counter[str]) -> None:
        self.units += units
        assert not rejects

    def note(self, text: str) -> None:
        raise AssertionError(text)


@pytest.fixture
def count() -> Count:
    return Count()


class Stored:
    """A sample as the shards hold it, found by name, not by offset."""

    def __init__(self, out: Path, row: dict) -> None:
        self.row = row
        with tarfile.open(out / "data" / row["shard"]) as tar:
            names = [n for n in tar.getnames() if n.startswith(row["key"] + ".")]
            self.members = {n.split(".", 1)[1]: tar.extractfile(n).read() for n in names}

    def pixels(self, name: str) -> np.ndarray:
        return np.asarray(Image.open(io.BytesIO(self.members[f"{name}.png"])))

    @property
    def front_edge(self) -> np.ndarray:
        alpha = self.pixels("occluder")[..., 3]
        return (alpha > 0) & (alpha < 255)


@pytest.fixture(scope="session")
def stored(small_build: Path) -> list[Stored]:
    """The 10 samples of train, half of them without a shadow, in the order of the index."""
    rows = pq.read_table(small_build / "meta" / "index.parquet").to_pylist()
    found = [Stored(small_build, row) for row in rows if row["split"] == "train"]
    assert len(found) == 10
    assert {s.row["occluded"] for s in found} == {s.row["shadow"] for s in found} == {True, False}
    return found


@pytest.fixture
def exported(small_build: Path, tmp_path: Path, count: Count) -> Callable[[str], Path]:
    """Export train in a format; returns the folder."""

    def write(name: str) -> Path:
        assert export(small_build, tmp_path / name, name, "train", 0, count) == 10
        return tmp_path / name

    return write


@pytest.fixture(scope="session")
def over() -> Callable[[list[np.ndarray]], np.ndarray]:
    """Lay straight uint8 RGBA layers, the lowest first and opaque, over each other; rounded at the end."""

    def lay(layers: list[np.ndarray]) -> np.ndarray:
        out = layers[0][..., :3].astype(np.float64)
        for layer in layers[1:]:
            alpha = layer[..., 3:] / 255
            out = alpha * layer[..., :3] + (1 - alpha) * out
        return np.rint(out)

    return lay
