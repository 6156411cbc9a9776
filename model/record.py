"""What a run was: configuration, data and libraries, as `training.json` in the folder of the finished model.

The file tells nothing of the machine: a local data set is named by its folder's last part, an address goes without
user and query. The same run writes the same bytes.
"""

import hashlib
import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson

from model.config import TrainConfig
from model.data.download import DataError
from model.data.source import open_store, shard_cache
from model.hub import looks_like_id, shipped
from model.transformer import ModelError
from stages.lazy import installed_versions
from stages.settings import ManifestError, parse
from stages.types import Frozen

FORMAT, RECORD = 1, "training.json"
_LIBRARIES = ("accelerate", "diffusers", "layerloom", "numpy", "peft", "safetensors", "torch", "transformers")
_DATA_KEYS = {"location", "precomputed"}
_MODEL_KEYS = {"model", "rgba", "base", "amodal_model", "segmentation_model", "depth_model"}


class DataRecord(Frozen):
    """A data set (or pre-computed latents), as its `index.json` tells; None: it does not say, or was not read.

    `fingerprint` decides the data set's bytes, and is for latents a hash of the samples that they were made from;
    `sha256` is that of `index.json`.
    """

    location: str
    name: str | None = None
    fingerprint: str | None = None
    samples: int | None = None
    sha256: str | None = None


class Record(Frozen):
    """A run. `config` is a whole `TrainConfig` with public names of places; `processes` shared each step, and
    `batch_size` is of one of them."""

    format: int = FORMAT
    config: dict[str, Any]
    steps: int
    processes: int
    data: tuple[DataRecord, ...]
    latents: DataRecord | None = None
    versions: dict[str, str]


def describe_run(config: TrainConfig, steps: int, processes: int, data: tuple[DataRecord, ...]) -> Record:
    """The record of a run over `data`, what `read_data` gave."""
    count = len(config.data.location)
    return Record(
        config=public_config(config),
        steps=steps,
        processes=processes,
        data=data[:count],
        latents=next(iter(data[count:]), None),
        versions=installed_versions(_LIBRARIES),
    )


def read_data(config: TrainConfig) -> tuple[DataRecord, ...]:
    """One for each `data.location`, then one for pre-computed latents, if the run learns from such.

    What cannot be read is told by whoever needs it; a run from latents can do without the data set.
    """
    places = [*config.data.location, *([config.precomputed] if config.precomputed else [])]
    return tuple(data_record(place) for place in places)


def data_record(location: str) -> DataRecord:
    """What the `index.json` at a folder or an http(s) address says."""
    try:
        found = open_store(location, shard_cache()).read("index.json")
        index = orjson.loads(found)
    except (DataError, orjson.JSONDecodeError):
        return DataRecord(location=public_place(location))
    return DataRecord(location=public_place(location), sha256=hashlib.sha256(found).hexdigest(), **_told(index))


def _told(index: Any) -> dict[str, Any]:
    """Of a data set's index, or that of latents; what is not of the right type is left out."""
    about = index if isinstance(index, dict) else {}
    told = {"name": about.get("name")}
    told |= {"fingerprint": about.get("fingerprint", about.get("source"))}
    texts = {key: value for key, value in told.items() if isinstance(value, str)}
    samples = about.get("samples", about.get("num_samples"))
    return texts | ({"samples": samples} if isinstance(samples, int) else {})


def public_config(config: TrainConfig) -> dict[str, Any]:
    """The whole configuration, as `TrainConfig` reads it, with public names of places."""
    told: dict[str, Any] = _public("", config.model_dump(mode="json"))
    return told


def _public(key: str, value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _public(name, item) for name, item in value.items()}
    if isinstance(value, list):
        return [_public(key, item) for item in value]
    if not isinstance(value, str):
        return value
    return public_place(value) if key in _DATA_KEYS else public_model(value) if key in _MODEL_KEYS else value


def public_place(location: str) -> str:
    """A folder's last part; of an address all but user, query and fragment."""
    if "://" not in location:
        return Path(os.path.abspath(location)).name or "data"  # noqa: PTH100 (resolve follows links, to other names)
    parts = urlsplit(location)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def public_model(model: str) -> str:
    """Hub ids and the repository's own weights as they are; of another folder the last part, or the name of the run
    that left it its `model`."""
    if ours := shipped(model):
        return ours
    if looks_like_id(model) and not Path(model).exists():
        return model
    path = Path(public := os.path.abspath(model))  # noqa: PTH100
    return (path.parent.name if path.name == "model" else path.name) or Path(public).anchor.strip(os.sep) or "model"


def write_record(folder: Path, record: Record) -> None:
    """Write `training.json` into a model's folder."""
    (folder / RECORD).write_bytes(orjson.dumps(record.model_dump(mode="json"), option=orjson.OPT_INDENT_2))


def read_record(folder: Path) -> Record | None:
    """What `write_record` wrote; None where there is none. Raises ModelError for a damaged one or another format."""
    path = folder / RECORD
    try:
        about = orjson.loads(path.read_bytes())
        record = parse(Record, about, str(path))
    except FileNotFoundError:
        return None
    except (OSError, orjson.JSONDecodeError) as error:
        raise ModelError(f"{path}: cannot be read: {error}") from None
    except ManifestError as error:
        raise ModelError(str(error)) from None
    if record.format != FORMAT:
        raise ModelError(f"{path}: format must be {FORMAT}, is {record.format}")
    return record
