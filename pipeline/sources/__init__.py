"""Fetching the files of a manifest's sources into a cache on disk."""

from pathlib import Path

from pipeline.sources import apt, hf, https, local, npm, pypi, rcc
from pipeline.sources.common import AssetError, FetchedFile, SourceLike, below, select
from pipeline.sources.globs import matches

__all__ = ["AssetError", "FetchedFile", "SourceLike", "fetch", "matches", "select"]


def fetch(source: SourceLike, cache: Path, base: Path) -> list[FetchedFile]:
    """Bring a source's files onto this machine and list those its globs ask for, sorted by `relative`.

    Of an annotated layout all files are listed: its globs are for the assets that `read_layout` finds in them.
    A Qt resource file in a source counts as a folder where a glob or `root` enters it (`game.rcc/**/*.webp`).
    Downloads go to `cache`/<kind>, whole or not at all, and a second call makes none. A `local` source stays
    where it is; its path is relative to `base`. Raises AssetError, which begins with the source's name, for
    whatever keeps the files from being used: a tool, package, URL or folder that is missing, a cap, a
    checksum, globs that match nothing, a full disk.
    """
    try:
        files = below(rcc.opened(_files(source, cache, base), source, cache), source.root)
        return select(files, source.include, source.exclude) if source.layout == "files" else files
    except (AssetError, OSError) as error:
        raise AssetError(f"source {source.name!r}: {error}") from error


def _files(source: SourceLike, cache: Path, base: Path) -> list[FetchedFile]:
    match source.kind:
        case "apt":
            return apt.fetch(source, cache)
        case "pypi":
            return pypi.fetch(source, cache)
        case "npm":
            return npm.fetch(source, cache)
        case "hf":
            return hf.fetch(source, cache, base)
        case "https":
            return https.fetch(source, cache)
        case "local":
            return local.fetch(source, base)
        case kind:
            raise AssetError(f"kind {kind!r} is not fetched")
