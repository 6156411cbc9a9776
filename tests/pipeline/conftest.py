"""Builds that the tests of this folder share: made once, serially, from synthetic pictures; no network."""

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.build import build
from pipeline.load import load_manifest
from pipeline.manifest import Manifest
from pipeline.run import Machine
from tests.assets import write_assets

_TINY = Path(__file__).resolve().parents[2] / "manifests" / "data" / "tiny.toml"


class Quiet:
    """A listener that only remembers notes."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def stage(self, name: str, total: int) -> None:
        pass

    def advance(self, units: int, rejects: Counter[str]) -> None:
        pass

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture
def quiet() -> Quiet:
    return Quiet()


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the paths of tiny.toml are relative to."""
    root = tmp_path_factory.mktemp("tiny")
    write_assets(root / "build" / "tiny-assets")
    base = root / "manifests" / "data"
    base.mkdir(parents=True)
    return base


@pytest.fixture(scope="session")
def tiny_manifest() -> Manifest:
    return load_manifest(_TINY)


@pytest.fixture(scope="session")
def tiny_cache(tiny_base: Path) -> Path:
    """The cache of assets that the builds below share."""
    return tiny_base.parents[1] / "cache"


@pytest.fixture(scope="session")
def tiny_build(tiny_base: Path, tiny_cache: Path, tiny_manifest: Manifest) -> Path:
    """A finished build of tiny.toml. Not to be written to; see `copy_of`."""
    return _built(tiny_manifest, tiny_base, tiny_cache, "tiny")


@pytest.fixture(scope="session")
def small_build(tiny_base: Path, tiny_cache: Path, tiny_manifest: Manifest) -> Path:
    """The same with 12 samples, 10 of them in the first shard of train, half of them without a shadow."""
    small = {"name": "small", "samples": 12, "shard_size": 10, "shadow": {"fraction": 0.5}}
    small["splits"] = {"train": 0.8, "val": 0.1, "test": 0.1}
    return _built(_changed(tiny_manifest, small), tiny_base, tiny_cache, "small")


@pytest.fixture(scope="session")
def paired_build(tiny_base: Path, tiny_cache: Path, tiny_manifest: Manifest) -> Path:
    """The same with `paired = true`."""
    paired = {"name": "paired", "samples": 12, "shard_size": 4, "paired": True}
    paired["splits"] = {"train": 1.0, "val": 0.0, "test": 0.0}
    return _built(_changed(tiny_manifest, paired), tiny_base, tiny_cache, "paired")


@pytest.fixture
def copy_of(tmp_path: Path) -> Callable[[Path], Path]:
    """Copy a build to where a test may damage it."""
    return lambda source: shutil.copytree(source, tmp_path / source.name)


def _changed(manifest: Manifest, changes: dict[str, object]) -> Manifest:
    return Manifest.model_validate(manifest.model_dump() | changes)


def _built(manifest: Manifest, base: Path, cache: Path, name: str) -> Path:
    out = base.parents[1] / "builds" / name
    summary = build(manifest, base, out, cache, Machine(), Quiet())
    assert not summary.failed
    return out
