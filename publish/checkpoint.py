"""A model's folder as what is to be published: its kind, its run, and the models that it needs beside it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from model.config import ROOT
from model.folder import read_about
from model.hub import looks_like_id, shipped
from model.record import Record, read_record
from model.spec import Spec
from publish.errors import PublishError
from stages.settings import parse

Kind = Literal["layers", "amodal", "codec"]


class Needed(NamedTuple):
    """Another model that must be there: what it is for, its name, and whether that is a Hub id or a folder of the
    repository's own weights."""

    role: str
    name: str
    on_hub: bool


class Checkpoint(NamedTuple):
    """A model's folder. `base`: what it was made from, needed or not; None for new weights, or where it is unknown."""

    folder: Path
    kind: Kind
    spec: Spec | None  # of a layer model
    record: Record | None
    base: str | None
    needed: tuple[Needed, ...]


def read_checkpoint(folder: Path) -> Checkpoint:
    """What lies in a model's folder, or in that of the run which made it.

    Raises:
        ModelError: `layers.json` or `training.json` cannot be read.
        PublishError: no model there; or it needs one that only this machine has.
    """
    inside = folder / "model"
    folder = inside if _kind_of(folder) is None and _kind_of(inside) else folder
    kind, record = _kind(folder), read_record(folder)
    spec = parse(Spec, read_about(folder)["spec"], f"{folder}/layers.json") if kind == "layers" else None
    needed = tuple(_needed(folder, *other) for other in _others(spec)) if spec else ()
    base = spec.base if spec and spec.base else _trained_from(record)
    return Checkpoint(folder, kind, spec, record, base, needed)


def _kind_of(folder: Path) -> Kind | None:
    if (folder / "layers.json").is_file():
        return "layers"
    if (folder / "amodal.json").is_file():
        return "amodal"
    return "codec" if (folder / "rgba_vae" / "config.json").is_file() else None


def _kind(folder: Path) -> Kind:
    kind = _kind_of(folder)
    if kind is None:
        what = "no model: it has no layers.json, amodal.json or rgba_vae/" if folder.is_dir() else "no such folder"
        raise PublishError(f"{folder}: {what}; give the folder that `layerloom train` finished")
    return kind


def _others(spec: Spec) -> Iterator[tuple[str, str, str]]:
    """(key, role, name) of all models that a layer model loads beside its own weights."""
    if spec.base:
        yield "base", "base", spec.base
    for view in spec.fusion.modalities if spec.fusion else ():
        if name := getattr(spec.fusion, f"{view}_model", None):
            yield f"fusion.{view}_model", f"view `{view}`", name


def _needed(folder: Path, key: str, role: str, name: str) -> Needed:
    """Raises PublishError for what a stranger could not load."""
    if shipped(name) == name:
        return Needed(role, name, on_hub=False)
    if looks_like_id(name) and not Path(name).exists() and not (ROOT / name.split("/")[0]).is_dir():
        return Needed(role, name, on_hub=True)
    advice = "publish that model first (`layerloom publish-model FOLDER org/name`), then write its name there"
    if ours := shipped(name):
        advice = f'write "{ours}" there, which every clone of layerloom has'
    raise PublishError(
        f"{folder}/layers.json: spec.{key}: '{name}' is a folder of this machine, so that nobody else could load the "
        f"model; {advice}, and score the model again"
    )


def _trained_from(record: Record | None) -> str | None:
    """What the run started from, where that is a name that others know, too."""
    name = record.config.get("base", {}).get("model") if record else None
    return name if isinstance(name, str) and (shipped(name) == name or looks_like_id(name)) else None
