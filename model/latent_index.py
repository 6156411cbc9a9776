"""The index of pre-computed latents, and what they depend on.

index.json                     what they were made from and for; of each shard its size, SHA-256, keys and offsets
text.safetensors               what the text encoders said, where there are any
latents-00000-of-00003.tar     plain ustar: KEY.safetensors, one shard for each of the data set's
"""

from pathlib import Path
from typing import Annotated, Any

import orjson
from pydantic import BaseModel, Field

from model.config import TrainConfig
from model.data.download import DataError, MissingError
from model.data.source import Folder, Store
from model.spec import Spec
from stages.settings import ManifestError, parse

FORMAT = 1
INDEX, TEXT = "index.json", "text.safetensors"
AGAIN = "run `layerloom precompute` again"


class Entry(BaseModel):
    """One shard of index.json; `buckets` are numbers of the sizes in the configuration."""

    name: Annotated[str, Field(pattern=r"^latents-[0-9-]+of-[0-9]+\.tar$")]
    num_bytes: int = Field(ge=0)
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    keys: list[str]
    offsets: list[Annotated[int, Field(ge=0)]]
    buckets: list[Annotated[int, Field(ge=0)]]


class Index(BaseModel):
    """index.json. `about` is `fingerprint`'s, `source` a hash of the data set's samples."""

    format: int
    about: dict[str, Any]
    dtype: str
    source: str
    num_samples: int
    num_shards: int
    shards: list[Entry]


def fingerprint(config: TrainConfig, spec: Spec) -> dict[str, Any]:
    """All that latents depend on, beside the pictures."""
    fusion, data = spec.fusion, config.data
    names = fusion.modalities if fusion else ()
    words = config.base.model is not None and spec.text_tokens > 0
    about = {
        "base": [config.base.model, config.base.revision] if spec.codec == "vae" else None,
        "rgba": config.base.rgba,
        "codec": spec.codec if spec.codec == "vae" else f"pixel, factor {spec.pixel_factor}",
        "hole": spec.hole,
        "anchored": spec.prediction == "x0",
        "branches": spec.branches,
        "modalities": [(n, getattr(fusion, f"{n}_model", None)) for n in names],
        "text": [spec.prompt, spec.text_tokens] if words else None,
        "split": data.split,
        "buckets": data.buckets,
    }
    return dict(orjson.loads(orjson.dumps(about)))


def check_plain(config: TrainConfig) -> None:
    """Raise ManifestError where samples differ from epoch to epoch, so that none can be stored."""
    name, data = config.name, config.data
    if config.kind != "layers" or data.task != "decompose":
        raise ManifestError(
            f'{name}: latents can be pre-computed for kind = "layers" and data.task = "decompose" only '
            f'(got "{config.kind}" and "{data.task}")'
        )
    for key in ("flip", "noise", "blur", "jpeg", "mask_noise"):
        if value := getattr(data, key):
            raise ManifestError(f"{name}: data.{key}: must be 0 with pre-computed latents (got {value})")


def read_index(store: Store, about: dict[str, Any]) -> Index:
    """The index of finished latents. Raises DataError for none, others than `about` says, and missing shards."""
    index = _parsed(store)
    if index is None:
        raise DataError(f"{store}: no pre-computed latents: it has no {INDEX}; {AGAIN}")
    check_about(f"{store}/{INDEX}", index.about, about)
    if len(index.shards) != index.num_shards:
        raise DataError(f"{store}: holds {len(index.shards)} of {index.num_shards} shards; {AGAIN} to finish it")
    return index


def read_part(folder: Path) -> Index | None:
    """The index of latents that may be unfinished; None where there are none. Raises DataError for a damaged one."""
    return _parsed(Folder(str(folder)))


def _parsed(store: Store | Folder) -> Index | None:
    try:
        index = parse(Index, orjson.loads(store.read(INDEX)), f"{store}/{INDEX}")
    except MissingError:
        return None
    except orjson.JSONDecodeError as error:
        raise DataError(f"{store}/{INDEX}: not JSON: {error}") from None
    except ManifestError as error:
        raise DataError(f"{str(error).splitlines()[0]}; {AGAIN} with another --out") from None
    if index.format != FORMAT:
        raise DataError(f"{store}/{INDEX}: format must be {FORMAT}, is {index.format}; {AGAIN} with another --out")
    return index


def check_about(name: str, found: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Raise DataError naming the first thing that differs."""
    for key, value in wanted.items():
        if found.get(key) != value:
            raise DataError(
                f"{name}: latents of another model or data set: {key} is {found.get(key)!r}, here {value!r}; {AGAIN} "
                "with another --out"
            )
