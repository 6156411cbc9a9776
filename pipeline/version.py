"""Fingerprints: what decides the bytes of a build, and a readable difference between two builds."""

import ast
import contextlib
import hashlib
from functools import cache
from importlib import metadata
from itertools import zip_longest
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parent.parent
_PLAIN = ("numba", "numpy", "opencv-python-headless", "orjson", "pillow", "pydantic", "zlib-ng")
_CUTTING = ("onnxruntime", "pycocotools", "pymatting", "scipy")
_MODEL_LIBRARIES = ("diffusers", "rembg", "torch", "transformers")  # only where models run that need them


@cache
def code_version(module: str) -> str:
    """SHA-256 over the sources of `module` and all of our modules that it imports, directly or not."""
    digest = hashlib.sha256()
    for name in sorted(_closure(module)):
        digest.update(name.encode() + b"\0" + _file(name).read_bytes())
    return digest.hexdigest()


def _closure(module: str) -> set[str]:
    seen: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += _imports(name)
    return seen


def _imports(module: str) -> list[str]:
    names: list[str] = []
    for node in ast.walk(ast.parse(_file(module).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return [n for n in names if n.split(".")[0] in ("stages", "pipeline") and _exists(n)]


def _file(module: str) -> Path:
    path = _ROOT.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _exists(module: str) -> bool:
    return _file(module).is_file()


@cache
def library_versions() -> dict[str, str]:
    """Versions of the libraries that touch pixels or bytes."""
    return {name: metadata.version(name) for name in sorted((*_PLAIN, *_CUTTING))}


@cache
def model_library_versions() -> dict[str, str]:
    """Versions of the libraries that run models, those that are installed."""
    found = {}
    for name in _MODEL_LIBRARIES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def digest(data: bytes) -> str:
    """SHA-256, hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def differences(old: Any, new: Any, key: str = "") -> list[str]:
    """Lines `key: old -> new` for every leaf in which two JSON-like values differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = list(dict.fromkeys([*old, *new]))
        prefix = f"{key}." if key else ""
        return [line for k in keys for line in differences(old.get(k), new.get(k), f"{prefix}{k}")]
    if isinstance(old, list) and isinstance(new, list):
        return [line for k, pair in enumerate(zip_longest(old, new)) for line in differences(*pair, f"{key}[{k}]")]
    return [] if old == new else [f"{key}: {_short(old)} -> {_short(new)}"]


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
