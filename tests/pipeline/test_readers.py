"""Other people's readers give the same samples as ours: pixels to the bit, JSON value by value. No network."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from PIL import Image

from pipeline.shards import MEMBERS, read_members
from stages.codec import decode_png

Samples = dict[str, dict[str, Any]]  # key -> member -> array, or the JSON
_MODES = {"composite.png": "RGB", "background.png": "RGB", "foreground.png": "RGBA", "occluder.png": "RGBA"}


@pytest.fixture(scope="module", autouse=True)
def _offline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Settings that the libraries read when they are imported."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.setenv("HF_DATASETS_OFFLINE", "1")
        patch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")
        patch.setenv("HF_HOME", str(tmp_path_factory.mktemp("hub")))
        patch.setenv("WDS_SECURE", "1")  # no pickles, no shell
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        yield


@pytest.fixture(scope="module")
def shards(tiny_build: Path) -> dict[str, list[str]]:
    """Paths of a build's shards by split."""
    paths = sorted((tiny_build / "data").glob("*.tar"))
    splits = ("train", "val", "test")
    return {split: [str(p) for p in paths if p.name.startswith(f"{split}-")] for split in splits}


@pytest.fixture(scope="module")
def ours(shards: dict[str, list[str]]) -> Samples:
    """The build as our own reader gives it."""
    found: Samples = {}
    for path in (Path(p) for paths in shards.values() for p in paths):
        for member in read_members(path):
            key, name = member.name.split(".", 1)
            value = orjson.loads(member.data) if name == "json" else decode_png(member.data)
            found.setdefault(key, {})[name] = value
    assert len(found) == 64
    return found


def assert_same(ours: Samples, theirs: Samples) -> None:
    assert list(theirs) == list(ours)
    for key, members in theirs.items():
        assert set(members) == set(MEMBERS)
        for name in MEMBERS[:-1]:
            stored = np.asarray(members[name])
            assert stored.dtype == np.uint8
            assert np.array_equal(stored, ours[key][name]), (key, name)
        assert canonical(members["json"]) == canonical(ours[key]["json"]), key


def canonical(value: Any) -> bytes:
    """JSON text with sorted keys: it tells 1 from 1.0, which `==` does not."""
    return orjson.dumps(plain(value), option=orjson.OPT_SORT_KEYS)


def plain(value: Any) -> Any:
    """Lists and dicts of what may have become arrays."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, np.ndarray | list):
        return [plain(v) for v in value]
    return value.item() if isinstance(value, np.generic) else value


@pytest.mark.parametrize("streaming", [False, True])
def test_datasets(streaming: bool, shards: dict[str, list[str]], ours: Samples, tmp_path: Path) -> None:
    import datasets

    loaded = datasets.load_dataset("webdataset", data_files=shards, streaming=streaming, cache_dir=str(tmp_path))
    assert set(loaded) == {"train", "val", "test"}
    rows = [row for split in shards for row in loaded[split]]
    for row in rows:
        assert {name: row[name].mode for name in MEMBERS[:-1]} == {name: _MODES.get(name, "L") for name in MEMBERS[:-1]}
    assert_same(ours, {row["__key__"]: {name: row[name] for name in MEMBERS} for row in rows})


@pytest.mark.filterwarnings("ignore:unclosed file <_io.BufferedReader name=.*[.]tar:ResourceWarning")
def test_webdataset(shards: dict[str, list[str]], ours: Samples) -> None:
    import webdataset

    urls = [path for paths in shards.values() for path in paths]
    rows = list(webdataset.WebDataset(urls, shardshuffle=False))
    found = {row["__key__"]: {name: _decoded(name, row[name]) for name in MEMBERS} for row in rows}
    assert_same(ours, found)


def _decoded(name: str, data: bytes) -> Any:
    return orjson.loads(data) if name == "json" else Image.open(io.BytesIO(data))


@pytest.mark.filterwarnings("ignore:.* is deprecated:DeprecationWarning:ray[.]data[.]context")  # Ray warns of itself
def test_ray_data(shards: dict[str, list[str]], ours: Samples) -> None:
    import ray

    ray.init(address="local", num_cpus=1, include_dashboard=False, logging_level="ERROR", log_to_driver=False)
    try:
        ray.data.DataContext.get_current().enable_progress_bars = False
        rows = ray.data.read_webdataset([path for paths in shards.values() for path in paths]).take_all()
    finally:
        ray.shutdown()
    found = {row["__key__"]: {name: row[name] for name in MEMBERS} for row in rows}
    assert_same(ours, {key: found[key] for key in ours})
    assert len(rows) == len(ours)
