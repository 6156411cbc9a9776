"""Writing latents: what the codec, the fusion's networks and the text encoders say of a data set, once.

Samples are encoded as they are, in stored order; a shard appears under its name whole or not at all, and what is
finished is not made again.
"""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import orjson
import torch
from safetensors.torch import save
from torch.utils.data import DataLoader

from model.assemble import make_codec, wiring, words
from model.batch import Batch, Cursor
from model.codec import Codec
from model.config import TrainConfig
from model.data.buckets import choose_buckets
from model.data.download import DataError
from model.data.index import DataSet, open_all
from model.data.maker import BatchMaker
from model.data.order import Draw
from model.encoded import encode
from model.held_out import on_device
from model.latent_index import FORMAT, INDEX, TEXT, Entry, Index, check_about, check_plain, fingerprint, read_part
from model.latents import take_apart, to_bytes
from model.lazy_codec import whole_codec
from model.modalities import Modalities, make_modalities
from model.spec import Spec
from model.ustar import Tar, replacing
from model.vae_codec import VaeCodec
from stages.lazy import require_device
from stages.settings import ManifestError

Kind = Literal["float32", "float16", "bfloat16"]


class _Encoder:
    """What pictures go through."""

    def __init__(self, config: TrainConfig, spec: Spec, device: torch.device, dtype: torch.dtype) -> None:
        self._spec, self._device, self._dtype = spec, device, dtype
        self._codec: Codec = whole_codec(make_codec(config, spec))
        if isinstance(self._codec, VaeCodec):
            self._codec.to(device)
        self._views: Modalities = make_modalities(spec.fusion)

    def __call__(self, batch: Batch) -> list[bytes]:
        """A file for each sample."""
        encoded = encode(self._spec, self._codec, self._views, on_device(batch, self._device))
        return [to_bytes(sample) for sample in take_apart(encoded, batch.mask, self._dtype)]


def precompute(
    config: TrainConfig,
    out: Path,
    device: str = "cpu",
    dtype: Kind = "float32",
    advance: Callable[[int, int], None] = lambda done, total: None,
) -> Path:
    """Encode every sample of the configuration's split into `out`; goes on where an earlier call was interrupted.

    `dtype` is what latents are stored in: float32 trains as from pixels, 16 bits halve the space. `advance` is told
    how many samples are done, of how many. Train with `precomputed = "<out>"`.

    Raises:
        ManifestError: samples of this configuration differ from epoch to epoch (augmentation, inpainting), or
            `device` is not here.
        DataError: the data set cannot be read, or `out` holds latents of another, or cannot be written.
        ModelError: the codec, a network or a text encoder cannot be loaded.
    """
    check_plain(config)
    try:
        require_device(device)
    except ValueError as error:
        raise ManifestError(str(error)) from None
    spec = wiring(config)
    data = open_all(config.data.location, config.data.split)
    index = _begun(out, _fresh(config, spec, data, dtype))
    if not index.shards or not (out / TEXT).exists():
        _text(config, spec, out, device)
    if len(index.shards) < index.num_shards:
        encoder = _Encoder(config, spec, torch.device(device), getattr(torch, dtype))
        for _ in range(len(index.shards), index.num_shards):
            index = _next_shard(config, data, out, index, encoder, advance)
    advance(index.num_samples, index.num_samples)
    return out


def _fresh(config: TrainConfig, spec: Spec, data: DataSet, dtype: Kind) -> Index:
    """An index without shards."""
    source = [[row.key, str(row.shard.name), row.shard.sha256, row.size] for row in data.rows]
    return Index(
        format=FORMAT,
        about=fingerprint(config, spec),
        dtype=dtype,
        source=hashlib.sha256(orjson.dumps([source, data.shard_sizes])).hexdigest(),
        num_samples=len(data.rows),
        num_shards=len(data.shard_sizes),
        shards=[],
    )


def _begun(out: Path, fresh: Index) -> Index:
    """What `out` holds of `fresh` already."""
    found = read_part(out)
    if found is None:
        return fresh
    kinds = {"dtype", "source", "num_samples", "num_shards"}
    pairs = [i.about | i.model_dump(include=kinds) for i in (found, fresh)]
    check_about(f"{out}/{INDEX}", *pairs)
    whole = []
    for entry in found.shards:  # up to the first one that is damaged
        path = out / entry.name
        if not path.is_file() or path.stat().st_size != entry.num_bytes:
            break
        whole.append(entry)
    return fresh.model_copy(update={"shards": whole})


def _text(config: TrainConfig, spec: Spec, out: Path, device: str) -> None:
    prompt = words(config, spec, device)
    if prompt:
        with replacing(out / TEXT) as file:
            file.write(save({"tokens": prompt.tokens, "pooled": prompt.pooled}))


def _next_shard(
    config: TrainConfig, data: DataSet, out: Path, index: Index, encoder: _Encoder, advance: Callable[[int, int], None]
) -> Index:
    """Write a shard, and the index that knows of it."""
    number = len(index.shards)
    first = sum(data.shard_sizes[:number])
    rows = range(first, first + data.shard_sizes[number])
    buckets = choose_buckets(data.rows, config.data.buckets)
    name, offsets = f"latents-{number:05d}-of-{index.num_shards:05d}.tar", []
    with replacing(out / name) as file:
        tar = Tar(file)
        for batch in _batches(config, data, buckets, rows):
            offsets += [tar.add(f"{k}.safetensors", c) for k, c in zip(batch.keys, encoder(batch), strict=True)]
            advance(first + len(offsets), index.num_samples)
        tar.end()
    entry = Entry(
        name=name,
        num_bytes=tar.num_bytes,
        sha256=tar.sha256(),
        keys=[data.rows[k].key for k in rows],
        offsets=offsets,
        buckets=[buckets[k] for k in rows],
    )
    index = index.model_copy(update={"shards": [*index.shards, entry]})
    with replacing(out / INDEX) as file:
        file.write(orjson.dumps(index.model_dump()))
    return index


def _batches(config: TrainConfig, data: DataSet, buckets: list[int], rows: range) -> Iterator[Batch]:
    """Samples in stored order, as many of one bucket together as follow each other, `batch_size` at most."""
    draws: list[list[Draw]] = []
    for index in rows:
        last = draws[-1] if draws else []
        if not last or len(last) == config.batch_size or buckets[last[0].number] != buckets[index]:
            draws.append([])
        draws[-1].append(Draw(index, index))
    options = config.data.model_copy(update={"memory_mib": 0})  # no sample comes twice
    loader: DataLoader[Batch | DataError] = DataLoader(
        BatchMaker(options, data, buckets, config.seed),
        batch_size=None,
        sampler=[(each, Cursor()) for each in draws],
        num_workers=options.workers,
        generator=torch.Generator(),  # else it takes a number from torch's own
    )
    for batch in loader:
        if isinstance(batch, DataError):
            raise batch
        yield batch
