"""Source kind `apt`: the files of a Debian package, without root and without touching the system's apt."""

import re
import shutil
from pathlib import Path

from pipeline.sources.common import MB, AssetError, FetchedFile, SourceLike, check_unpacked, walk_files
from pipeline.sources.tools import Outcome, run_tool
from pipeline.sources.workspace import publish, workspace

_PACKAGE = re.compile(r"([a-z0-9][a-z0-9+.-]+)(?:=([A-Za-z0-9.+~:-]+))?")
_LISTED = re.compile(r"^'.*' (\S+\.deb) (\d+) ", re.MULTILINE)
# Hooks of the system's configuration act on the system's folders and may need root.
_CONFIGURATION = "#clear APT::Update::Post-Invoke;\n#clear APT::Update::Post-Invoke-Success;\n"


def fetch(source: SourceLike, cache: Path) -> list[FetchedFile]:
    """The files of the package `source.package` (`name` or `name=version`), unpacked in `cache`/apt.

    A package in the cache is used without a call to the network; else it is downloaded by apt, which checks
    it against the signed package lists of the machine's own apt sources. Symbolic links count only where
    they stay inside the package. Raises AssetError if apt is missing or fails, or the package is malformed,
    unknown or over `max_mb`.
    """
    found = _PACKAGE.fullmatch(source.package)
    if not found:
        raise AssetError(f"package = {source.package!r} is neither 'name' nor 'name=version'")
    name, version = found[1], found[2] or ""
    shelf = cache.absolute() / "apt"
    folder = _cached(shelf, name, version) or _download(source, shelf, name, version)
    uri = f"deb:{name}@{_version(folder)}"
    return [FetchedFile(path, inside, f"{uri}/{inside}") for path, inside in walk_files(folder)]


def _cached(shelf: Path, name: str, version: str) -> Path | None:
    folders = sorted(f for f in shelf.glob(f"{name}_*") if f.is_dir() and version in ("", _version(f)))
    if len(folders) > 1:
        held = [_version(f) for f in folders]
        raise AssetError(f"the cache holds {name} {', '.join(held)}; choose one: '{name}={held[-1]}'")
    return folders[0] if folders else None


def _version(folder: Path) -> str:
    return folder.name.split("_", 1)[1].replace("%3a", ":")


def _download(source: SourceLike, shelf: Path, name: str, version: str) -> Path:
    missing = [tool for tool in ("apt-get", "dpkg-deb") if shutil.which(tool) is None]
    if missing:
        raise AssetError(
            f"kind 'apt' needs apt-get and dpkg-deb, and this machine does not have {' and '.join(missing)}; "
            "use a 'local' or 'https' source for these files instead"
        )
    with workspace(shelf) as temporary:
        if found := _cached(shelf, name, version):  # another process was faster
            return found
        deb = _apt_download(source, shelf, temporary)
        unpacked = temporary / f"{name}_{_deb_version(deb, name).replace(':', '%3a')}"
        outcome = run_tool(["dpkg-deb", "-x", str(deb), str(unpacked)], temporary)
        if not outcome.ok:
            raise AssetError(f"{deb.name} cannot be unpacked: {outcome.last('dpkg-deb:')}")
        check_unpacked(unpacked, deb.name, source.max_mb * MB)
        publish(unpacked, shelf / unpacked.name)
    return shelf / unpacked.name


def _apt_download(source: SourceLike, shelf: Path, folder: Path) -> Path:
    apt = _command(shelf)
    if not _try_download(apt, source, folder).ok:
        # No lists yet, or lists so old that the file has left the mirror.
        update = run_tool([*apt, "update"], folder)
        outcome = _try_download(apt, source, folder)
        if not outcome.ok:
            said = update.last("E:", "W:") if update.err.strip() else ""
            also = f"; before that, apt-get update said: {said}" if said else ""
            raise AssetError(f"apt cannot download package {source.package!r}: {outcome.last('E:')}{also}")
    return next(folder.glob("*.deb"))


def _try_download(apt: list[str], source: SourceLike, folder: Path) -> Outcome:
    listed = run_tool([*apt, "--print-uris", "download", source.package], folder)
    if not listed.ok:
        return listed
    entry = _LISTED.search(listed.out)
    if entry and int(entry[2]) > source.max_mb * MB:
        raise AssetError(f"{entry[1]} has {int(entry[2]):,} bytes, over max_mb = {source.max_mb}")
    outcome = run_tool([*apt, "download", source.package], folder)
    count = len(list(folder.glob("*.deb")))
    if outcome.ok and count != 1:
        return Outcome(False, outcome.out, f"E: apt-get download left {count} packages, not 1")
    return outcome


def _deb_version(deb: Path, name: str) -> str:
    outcome = run_tool(["dpkg-deb", "-W", "--showformat=${Package} ${Version}", str(deb)], deb.parent)
    package, _, version = outcome.out.strip().partition(" ")
    if not outcome.ok:
        raise AssetError(f"{deb.name} is not a Debian package: {outcome.last('dpkg-deb:')}")
    if package != name:
        raise AssetError(f"{deb.name} is package {package!r}, not {name!r}")
    return version


def _command(shelf: Path) -> list[str]:
    """apt-get with lists and cache of our own: a fresh machine has no lists, and only root may write them."""
    configuration = shelf / "apt.conf"
    configuration.write_text(_CONFIGURATION)
    for folder in ("lists/partial", "cache/archives/partial"):
        (shelf / folder).mkdir(parents=True, exist_ok=True)
    options = {
        "Dir::State::lists": shelf / "lists",
        "Dir::Cache": shelf / "cache",
        "APT::Sandbox::User": "root",  # stay who we are; apt's own user cannot write here
        "Acquire::Languages": "none",
    }
    settings = [f for key, value in options.items() for f in ("-o", f"{key}={value}")]
    return ["apt-get", "-c", str(configuration), "-q", *settings]
