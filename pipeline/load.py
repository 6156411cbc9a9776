"""Reading manifests from their files; see `stages.settings` for what is said about mistakes."""

from pathlib import Path
from typing import Any

from pipeline.manifest import Manifest
from pipeline.source import Source
from stages.settings import ManifestError, did_you_mean, parse, parse_toml

SOURCES = Path(__file__).resolve().parent.parent / "manifests" / "sources"


def load_manifest(path: Path) -> Manifest:
    """Read a manifest; a string in `sources` names a file of `manifests/sources` or a path beside it.

    Raises:
        ManifestError: unreadable, not TOML, a wrong key or value; the text names file, key, bound and value.
    """
    data = _read_toml(path)
    sources = data.get("sources")
    if isinstance(sources, list):
        data["sources"] = [_source(path, entry, k) for k, entry in enumerate(sources)]
    return parse(Manifest, data, str(path))


def _source(path: Path, entry: object, place: int) -> object:
    if not isinstance(entry, str):
        return entry
    if entry.endswith(".toml"):
        file = path.parent / entry
        if not file.is_file():
            raise ManifestError(f"{path}: sources[{place}]: no file '{entry}' (looked at {file})")
    else:
        file = SOURCES / f"{entry}.toml"
        if not file.is_file():
            known = [p.stem for p in SOURCES.glob("*.toml")]
            raise ManifestError(f"{path}: sources[{place}]: no source '{entry}'{did_you_mean(entry, known)}")
    return parse(Source, _read_toml(file), str(file))


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return parse_toml(path.read_text(encoding="utf-8"), str(path))
    except FileNotFoundError:
        near = [p.name for p in path.parent.glob("*.toml")] if path.parent.is_dir() else []
        raise ManifestError(f"{path}: no such manifest{did_you_mean(path.name, near) if near else ''}") from None
    except OSError as error:
        raise ManifestError(f"{path}: cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise ManifestError(f"{path}: not UTF-8: byte {error.object[error.start]:#04x} at {error.start}") from None
