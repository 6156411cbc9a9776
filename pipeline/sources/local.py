"""Source kind `local`: a folder on this machine."""

import os
from pathlib import Path

from pipeline.sources.common import AssetError, FetchedFile, SourceLike, relative_name, walk_files, wanted


def fetch(source: SourceLike, base: Path) -> list[FetchedFile]:
    """List the files of `source.path`, a folder relative to `base` unless absolute. Nothing is copied.

    Raises AssetError if there is no such folder, or if a symbolic link that the globs ask for (or any linked
    folder they do not exclude) points outside it.
    """
    folder = (base / Path(source.path).expanduser()).resolve()
    if not source.path or not folder.is_dir():
        reason = "is not a folder" if folder.exists() else "does not exist"
        raise AssetError(f"path = {source.path!r} {reason} (looked at {folder})")
    _refuse_leaving_links(folder, source)
    return [FetchedFile(path, name, f"file:{name}") for path, name in walk_files(folder)]


def _refuse_leaving_links(folder: Path, source: SourceLike) -> None:
    for parent, folders, files in os.walk(folder):
        asked = [(name, ()) for name in folders] + [(name, source.include) for name in files]
        for entry, include in sorted(asked):
            link = Path(parent, entry)
            # One that leads nowhere is passed over with the other things that are no files.
            if link.is_symlink() and link.exists() and not link.resolve().is_relative_to(folder):
                name = relative_name(link, folder)
                if wanted(name, include, source.exclude):
                    raise AssetError(
                        f"{name!r} is a symbolic link to {link.resolve()}, outside {folder}; "
                        "copy what it points at, or add it to exclude"
                    )
