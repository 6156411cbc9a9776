"""Source kind `pypi`: the files of a wheel."""

import importlib.util
import re
import sys
from pathlib import Path

from pipeline.sources.archive import unpack
from pipeline.sources.common import MB, AssetError, FetchedFile, SourceLike, walk_files
from pipeline.sources.tools import run_tool
from pipeline.sources.workspace import publish, workspace

_REQUIREMENT = re.compile(r"([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)(?:==([A-Za-z0-9.!+]+))?")


def fetch(source: SourceLike, cache: Path) -> list[FetchedFile]:
    """The files of the wheel of `source.package` (`name` or `name==version`), unpacked in `cache`/pypi.

    A wheel in the cache that fits is used without a call to the network. Raises AssetError if the name is
    malformed, pip is missing or fails, there is no wheel for this Python, or it is over `max_mb`.
    """
    name, version = _parse(source.package)
    shelf = cache / "pypi"
    folder = _cached(shelf, name, version) or _download(source, shelf, name, version)
    uri = f"pypi:{name}@{_name_version(folder.name)[1]}"
    return [FetchedFile(path, inside, f"{uri}/{inside}") for path, inside in walk_files(folder)]


def _parse(package: str) -> tuple[str, str]:
    found = _REQUIREMENT.fullmatch(package)
    if not found:
        raise AssetError(f"package = {package!r} is neither 'name' nor 'name==version'")
    return found[1], found[2] or ""


def _cached(shelf: Path, name: str, version: str) -> Path | None:
    wheels = {f: _name_version(f.name) for f in sorted(shelf.glob("[!.]*-*")) if f.is_dir()}
    fitting = {f: v for f, (n, v) in wheels.items() if _fold(n) == _fold(name) and _same(v, version)}
    versions = sorted(set(fitting.values()))
    if len(versions) > 1:
        raise AssetError(f"the cache holds {name} {', '.join(versions)}; choose one: '{name}=={versions[-1]}'")
    return next(iter(fitting), None)


def _download(source: SourceLike, shelf: Path, name: str, version: str) -> Path:
    if importlib.util.find_spec("pip") is None:
        raise AssetError(f"kind 'pypi' needs pip, which {sys.executable} does not have: python -m ensurepip")
    with workspace(shelf) as temporary:
        if found := _cached(shelf, name, version):  # another process was faster
            return found
        wheel = _pip_download(source.package, temporary)
        if wheel.stat().st_size > source.max_mb * MB:
            raise AssetError(f"{wheel.name} has {wheel.stat().st_size:,} bytes, over max_mb = {source.max_mb}")
        unpacked = temporary / wheel.stem
        unpack(wheel, ".zip", unpacked, label=wheel.name, max_bytes=source.max_mb * MB)
        publish(unpacked, shelf / wheel.stem)
    return shelf / wheel.stem


def _pip_download(package: str, folder: Path) -> Path:
    quiet = ["--quiet", "--no-input", "--disable-pip-version-check"]
    asked = ["--no-deps", "--only-binary=:all:", "--dest", str(folder), package]
    outcome = run_tool([sys.executable, "-m", "pip", "download", *quiet, *asked], folder)
    wheels = list(folder.glob("*.whl"))
    if not outcome.ok or len(wheels) != 1:
        raise AssetError(f"pip cannot download {package!r}: {outcome.last('ERROR:')}")
    return wheels[0]


def _name_version(stem: str) -> tuple[str, str]:
    # name-version-[build-]python-abi-platform; neither of the first two holds a dash.
    name, version = stem.split("-")[:2]
    return name, version


def _fold(name: str) -> str:
    return re.sub(r"[-_.]+", "_", name).lower()


def _same(version: str, asked: str) -> bool:
    # "0.25" asks for "0.25.0" too.
    return not asked or re.sub(r"(\.0)+$", "", version) == re.sub(r"(\.0)+$", "", asked)
