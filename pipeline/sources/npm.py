"""Source kind `npm`: the files of a package of the npm registry."""

import base64
import hashlib
import json
import re
import shutil
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.sources.archive import unpack
from pipeline.sources.common import MB, AssetError, FetchedFile, SourceLike, walk_files
from pipeline.sources.tools import run_tool
from pipeline.sources.web import download
from pipeline.sources.workspace import publish, workspace

REGISTRY = "https://registry.npmjs.org"
_METADATA_BYTES = 20 * MB
_VERSION = r"[0-9]+\.[0-9]+\.[0-9]+(?:[-+][0-9A-Za-z.+-]+)?"
_PACKAGE = re.compile(rf"((?:@[A-Za-z0-9~_][\w.~-]*/)?[A-Za-z0-9~_][\w.~-]*)(?:@({_VERSION}))?", re.ASCII)
_MARK = re.compile(r"^npm (?:error|ERR!) ?")


class _Asked(NamedTuple):
    """What `source.package` says; `version` is "" where it leaves the choice to the registry."""

    spec: str
    name: str
    version: str

    def folder(self, version: str) -> str:
        # A slash separates a scope from a name; no name holds a plus sign.
        return f"{self.name.replace('/', '+')}@{version}"


def fetch(source: SourceLike, cache: Path, *, allow_private: bool = False) -> list[FetchedFile]:
    """The files of the package `source.package` (`name` or `name@1.2.3`, scoped or not), unpacked in `cache`/npm.

    A version in the cache that fits is used without a call to the network. Else `npm pack` downloads the
    package where this machine has npm, under the user's own npm settings; where not, it comes from the public
    registry and is checked against the sha512 that the registry states. No script of a package is ever run.
    Raises AssetError if the name is malformed or unknown, there is no such version, a checksum differs, or the
    package is over `max_mb`. `allow_private` is for tests: no manifest reaches it.
    """
    asked = _parse(source.package)
    shelf = cache.absolute() / "npm"
    folder = _cached(shelf, asked) or _download(source, shelf, asked, allow_private)
    uri = f"npm:{asked.name}@{_version(folder)}"
    return [FetchedFile(path, inside, f"{uri}/{inside}") for path, inside in walk_files(folder)]


def _parse(package: str) -> _Asked:
    found = _PACKAGE.fullmatch(package)
    if not found:
        raise AssetError(f"package = {package!r} is neither 'name' nor 'name@1.2.3'")
    return _Asked(package, found[1], found[2] or "")


def _version(folder: Path) -> str:
    return folder.name.rpartition("@")[2]


def _cached(shelf: Path, asked: _Asked) -> Path | None:
    folders = sorted(f for f in shelf.glob(asked.folder(asked.version or "*")) if f.is_dir())
    if len(folders) > 1:
        held = [_version(f) for f in folders]
        raise AssetError(f"the cache holds {asked.name} {', '.join(held)}; choose one: '{asked.name}@{held[-1]}'")
    return folders[0] if folders else None


def _download(source: SourceLike, shelf: Path, asked: _Asked, allow_private: bool) -> Path:
    max_bytes = source.max_mb * MB
    with workspace(shelf) as temporary:
        if found := _cached(shelf, asked):  # another process was faster
            return found
        if shutil.which("npm"):
            tarball = _npm_pack(asked, temporary, source.max_mb)
        else:
            tarball = _from_registry(asked, temporary, max_bytes, allow_private)
        unpack(tarball, ".tgz", temporary / "unpacked", label=tarball.name, max_bytes=max_bytes)
        package = _only_folder(temporary / "unpacked", tarball.name)
        final = shelf / asked.folder(asked.version or _stated_version(package / "package.json", tarball.name))
        publish(package, final)
    return final


def _npm_pack(asked: _Asked, folder: Path, max_mb: int) -> Path:
    outcome = run_tool(["npm", "pack", "--ignore-scripts", "--loglevel=error", asked.spec], folder)
    tarballs = list(folder.glob("*.tgz"))
    if not outcome.ok or len(tarballs) != 1:
        raise AssetError(f"npm cannot download {asked.spec!r}: {_complaint(outcome.err)}")
    size = tarballs[0].stat().st_size
    if size > max_mb * MB:
        raise AssetError(f"{tarballs[0].name} has {size:,} bytes, over max_mb = {max_mb}")
    return tarballs[0]


def _complaint(stderr: str) -> str:
    """What npm said first, without its error code; later lines are general advice."""
    lines = [_MARK.sub("", line).strip() for line in stderr.splitlines()]
    said = [line for line in lines if line and not line.startswith("code ")]
    return said[0] if said else "no message"


def _from_registry(asked: _Asked, folder: Path, max_bytes: int, allow_private: bool) -> Path:
    address = f"{REGISTRY}/{asked.name}/{asked.version or 'latest'}"
    try:
        download(address, folder / "metadata", max_bytes=_METADATA_BYTES, allow_private=allow_private)
        url, expected = _tarball_and_sha512(folder / "metadata", address)
        tarball = folder / "package.tgz"
        download(url, tarball, max_bytes=max_bytes, allow_private=allow_private)
    except AssetError as error:
        raise AssetError(f"package {asked.spec!r} cannot be downloaded: {error}") from None
    if (got := _sha512(tarball)) != expected:
        raise AssetError(f"{url} has sha512 {got}, expected {expected}")
    return tarball


def _tarball_and_sha512(metadata: Path, address: str) -> tuple[str, str]:
    dist = _json(metadata, address).get("dist")
    url, integrity = (dist.get("tarball"), dist.get("integrity")) if isinstance(dist, dict) else (None, None)
    # Subresource Integrity (W3C): hashes apart by spaces, each with its algorithm in front.
    strong = [part[len("sha512-") :] for part in str(integrity).split() if part.startswith("sha512-")]
    if not isinstance(url, str) or not strong:
        raise AssetError(f"{address} states no tarball with a sha512")
    return url, strong[0].partition("?")[0]


def _sha512(file: Path) -> str:
    with file.open("rb") as data:
        return base64.b64encode(hashlib.file_digest(data, "sha512").digest()).decode()


def _only_folder(unpacked: Path, label: str) -> Path:
    """The folder that an npm package lies in, mostly called `package`."""
    tops = sorted(unpacked.iterdir()) if unpacked.is_dir() else []
    if len(tops) != 1 or not tops[0].is_dir():
        raise AssetError(f"{label} is no npm package: it holds {[t.name for t in tops]}, not one folder")
    return tops[0]


def _stated_version(package_json: Path, label: str) -> str:
    version = str(_json(package_json, f"{label}: package.json").get("version"))
    if not re.fullmatch(_VERSION, version, re.ASCII):
        raise AssetError(f"{label}: package.json states version {version!r}, which is none")
    return version


def _json(file: Path, label: str) -> dict[str, Any]:
    try:
        data = json.loads(file.read_bytes())
    except FileNotFoundError:
        raise AssetError(f"{label} is missing") from None
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise AssetError(f"{label} is not a JSON object")
    return data
