"""Reading manifests: every mistake becomes one line that names file, key, bound and value."""

import tomllib
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from pipeline.manifest import Manifest, ManifestError, did_you_mean
from pipeline.source import Source

Model = TypeVar("Model", bound=BaseModel)

SOURCES = Path(__file__).resolve().parent.parent / "manifests" / "sources"


_TEXTS = {
    "too_short": "needs at least {min_length} of them, has {actual_length}",
    "too_long": "takes {max_length} of them at most, has {actual_length}",
    "model_type": "must be a table",
    "dict_type": "must be a table",
    "tuple_type": "must be a list",
}


def load_manifest(path: Path) -> Manifest:
    """Read a manifest; a string in `sources` names a file of `manifests/sources` or a path beside it.

    Raises:
        ManifestError: unreadable, not TOML, a wrong key or value; the text names file, key, bound and value.
    """
    data = _read_toml(path)
    sources = data.get("sources")
    if isinstance(sources, list):
        data["sources"] = [_source(path, entry, k) for k, entry in enumerate(sources)]
    return _parse(Manifest, data, path)


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
    return _parse(Source, _read_toml(file), file)


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        near = [p.name for p in path.parent.glob("*.toml")] if path.parent.is_dir() else []
        raise ManifestError(f"{path}: no such manifest{did_you_mean(path.name, near) if near else ''}") from None
    except OSError as error:
        raise ManifestError(f"{path}: cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise ManifestError(f"{path}: not UTF-8: byte {error.object[error.start]:#04x} at {error.start}") from None
    except tomllib.TOMLDecodeError as error:
        raise ManifestError(f"{path}: not valid TOML: {error}") from None


def _parse(model: type[Model], data: dict[str, Any], path: Path) -> Model:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        lines = [_explain(model, dict(e)) for e in _causes([dict(e) for e in error.errors()])]
        raise ManifestError(f"{path}: " + f"\n{path}: ".join(lines)) from None


def _causes(errors: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without "too short" for a list that only lost the entries that have an error of their own."""
    places = [e["loc"] for e in errors]
    return [
        e
        for e in errors
        if e["type"] != "too_short" or not any(p != e["loc"] and p[: len(e["loc"])] == e["loc"] for p in places)
    ]


def _explain(model: type[BaseModel], error: dict[str, Any]) -> str:
    where = [p for p in error["loc"] if p != "[key]"]
    key = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in where).lstrip(".")
    if error["type"] == "extra_forbidden":
        return f"{key}: unknown key{did_you_mean(str(where[-1]), _keys(model, where[:-1]))}"
    if error["type"] == "missing":
        return f"{key}: this {'number' if isinstance(where[-1], int) else 'key'} is missing"
    text = _TEXTS.get(error["type"], error["msg"]).format(**error.get("ctx", {})).removeprefix("Value error, ")
    shown = "" if isinstance(error["input"], dict | BaseModel) else f" (got {error['input']!r})"
    return f"{key + ': ' if key else ''}{text[0].lower()}{text[1:]}{shown}"


def _keys(model: type[BaseModel], where: list[Any]) -> list[str]:
    """Names of the keys that the table at `where` knows."""
    current: Any = model
    for part in where:
        if isinstance(part, str):
            current = current.model_fields[part].annotation
        while args := getattr(current, "__args__", ()):
            current = args[0]
    return list(current.model_fields)
