"""Pre-computed latents: training from them is training from pixels, and what is not whole or not meant is refused."""

import hashlib
import json
import re
import shutil
import tarfile
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load
from torch import Tensor
from typer.testing import CliRunner

import model.assemble
from model.__main__ import app
from model.assemble import make_codec, wiring
from model.batch import Cursor
from model.config import TrainConfig
from model.data.download import DataError
from model.data.loader import make_loader
from model.encoded import Encoded, encode
from model.latents import from_bytes, put_together, take_apart, to_bytes
from model.modalities import make_modalities
from model.parallel import World
from model.precompute import precompute
from model.precomputed import stored_batches
from model.report import Reporter, Step
from model.spec import Spec
from model.task import make_layer_task
from model.text import encode_prompt
from model.train import task_of, train
from stages.settings import ManifestError
from tests.model.bases import plain_config, save_base
from tests.model.runs import last_state, metrics
from tests.model.splits import COUNTS, write_splits
from tests.model.tiny import FUSION, sample, tokens_of

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_splits(tmp_path_factory.mktemp("data"), sides=(32, 16))


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_base(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def latents(data: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return precompute(two_sizes(data), tmp_path_factory.mktemp("latents"))


@pytest.fixture
def copy(latents: Path, tmp_path: Path) -> Path:
    """To be damaged."""
    return Path(shutil.copytree(latents, tmp_path / "latents"))


BUCKETS = ((20, 16), (12, 16))


def two_sizes(location: str, options: dict[str, Any] | None = None, **changes: Any) -> TrainConfig:
    """Samples of two sizes in two buckets that are not square."""
    return plain_config(location, options={"buckets": BUCKETS} | (options or {}), **changes)


def as_toml(tables: dict[str, Any], name: str = "") -> str:
    """JSON's numbers, strings and lists are TOML's."""
    plain = [f"{k} = {json.dumps(v)}" for k, v in tables.items() if not isinstance(v, dict)]
    inner = [as_toml(v, f"{name}{k}.") for k, v in tables.items() if isinstance(v, dict)]
    return "\n".join([f"[{name[:-1]}]" if name else "", *plain, *inner])


def stored(config: TrainConfig, latents: Path) -> TrainConfig:
    return config.model_copy(update={"precomputed": str(latents)})


def same(a: Encoded, b: Encoded) -> bool:
    tensors = [isinstance(x, Tensor) for x in a]
    return all(
        torch.equal(x, y) and x.dtype == y.dtype if is_tensor else x == y
        for x, y, is_tensor in zip(a, b, tensors, strict=True)
    )


@pytest.mark.parametrize("branches", [("background", "foreground"), ("foreground",), ("background",)])
@pytest.mark.parametrize("prediction", ["x0", "velocity"])
@pytest.mark.parametrize("fusion", [FUSION, None])
def test_an_encoded_sample_comes_back_to_the_bit(branches: Any, prediction: Any, fusion: Any) -> None:
    spec = Spec(codec="pixel", prediction=prediction, fusion=fusion, branches=branches)
    batch = sample(8, 12)
    encoded = tokens_of(spec, batch)
    parts = [from_bytes(to_bytes(part)) for part in take_apart(encoded, batch.mask, torch.float32)]
    assert same(put_together(parts, branches), encoded)
    assert same(
        put_together(parts[1:], branches),
        Encoded(*(x[1:] if isinstance(x, Tensor) else x for x in encoded)),
    )


def test_a_mask_takes_a_bit_a_pixel() -> None:
    spec = Spec(codec="pixel", prediction="x0", fusion=FUSION)
    batch = sample(16, 24)
    (part, _) = take_apart(tokens_of(spec, batch), batch.mask, torch.float16)
    assert part["mask"].nbytes == 16 * 24 // 8
    assert part["clean"].dtype == torch.float16
    assert sum(t.numel() for name, t in part.items() if name not in ("mask", "size")) == (3 * 2 + 2) * 24 * 64


@pytest.mark.parametrize(("rank", "world"), [(0, 1), (0, 2), (1, 2)])
@pytest.mark.parametrize("cursor", [Cursor(), Cursor(1, 2)])
def test_batches_are_those_of_the_pixels(data: str, latents: Path, rank: int, world: int, cursor: Cursor) -> None:
    config = two_sizes(data)
    place: dict[str, Any] = {"rank": rank, "world": world, "cursor": cursor}
    spec, codec = wiring(config), make_codec(config, wiring(config))
    views = make_modalities(spec.fusion)
    pixels = make_loader(config.data, seed=config.seed, batch_size=config.batch_size, **place)
    read = stored_batches(stored(config, latents), spec, **place)
    sizes = set()
    for batch, found in zip(islice(pixels, 9), islice(read, 9), strict=True):
        assert (found.keys, found.cursor) == (batch.keys, batch.cursor)
        assert same(found.encoded, encode(spec, codec, views, batch))
        sizes.add((found.encoded.height, found.encoded.width))
    assert sizes == {(8, 10), (8, 6)}


def test_other_processes_read_the_same(data: str, latents: Path) -> None:
    config = stored(two_sizes(data), latents)
    several = stored(two_sizes(data, options={"workers": 2}), latents)
    alone, shared = (list(islice(stored_batches(c, wiring(c)), 5)) for c in (config, several))
    assert all(a.keys == b.keys and same(a.encoded, b.encoded) for a, b in zip(alone, shared, strict=True))


def test_a_run_from_latents_is_one_from_pixels(data: str, latents: Path, tmp_path: Path) -> None:
    config = two_sizes(data)
    train(config, tmp_path / "pixels")
    train(stored(config, latents), tmp_path / "latents")
    assert metrics(tmp_path / "latents") == metrics(tmp_path / "pixels")
    a, b = last_state(tmp_path / "latents"), last_state(tmp_path / "pixels")
    assert a.keys() == b.keys()
    assert all(torch.equal(a[k], b[k]) for k in a)


def test_a_run_from_latents_needs_no_codec_and_no_text_encoder(
    data: str, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between validations; the codec is loaded for those and freed again."""
    config = plain_config(data, base, batch_size=1, validate_every=2)
    precompute(config, tmp_path / "latents")
    train(config, tmp_path / "pixels")
    here: list[Any] = []
    validate, told = Reporter.validate, Reporter.step

    def see(self: Reporter, run: Any, step: int) -> None:
        validate(self, run, step)
        here.append(task_of(run))

    def count(self: Reporter, step: Step) -> None:
        told(self, step)
        assert all(task.codec._codec is None and "modalities" not in vars(task) for task in here)

    monkeypatch.setattr(Reporter, "validate", see)
    monkeypatch.setattr(Reporter, "step", count)
    monkeypatch.setattr(model.assemble, "encode_prompt", None)
    train(stored(config, tmp_path / "latents"), tmp_path / "run")
    assert len(here) == 2
    assert metrics(tmp_path / "run") == metrics(tmp_path / "pixels")
    assert (tmp_path / "run" / "model" / "rgba_vae" / "config.json").is_file()
    sheets = [(tmp_path / out / "sheet-000004.png").read_bytes() for out in ("run", "pixels")]
    assert sheets[0] == sheets[1]


def test_words_are_stored_once(data: str, base: Path, tmp_path: Path) -> None:
    config = plain_config(data, base)
    precompute(config, tmp_path / "latents")
    words = encode_prompt(str(base), "a b", 7)
    mute = stored(config, tmp_path / "latents")
    task = make_layer_task(mute, CPU)
    assert torch.equal(task.model.text.tokens, words.tokens)
    assert torch.equal(task.model.text.pooled, words.pooled)
    (tmp_path / "latents" / "text.safetensors").write_bytes(b"no")
    with pytest.raises(DataError, match=r"latents/text\.safetensors: cannot be read: "):
        make_layer_task(mute, CPU)
    (tmp_path / "latents" / "text.safetensors").unlink()
    with pytest.raises(DataError, match=r"latents/text\.safetensors: no such file; run `layerloom precompute` again$"):
        make_layer_task(mute, CPU)
    precompute(config, tmp_path / "latents")
    assert torch.equal(make_layer_task(mute, CPU).model.text.tokens, words.tokens)


def test_shards_are_plain_tars_and_the_index_tells_what_is_in_them(latents: Path) -> None:
    index = json.loads((latents / "index.json").read_text())
    names = [f"latents-0000{k}-of-00003.tar" for k in range(3)]
    assert sorted(p.name for p in latents.iterdir()) == ["index.json", *names]
    assert [shard["name"] for shard in index["shards"]] == names
    assert index["num_samples"] == sum(COUNTS)
    key = 0
    for shard, count in zip(index["shards"], COUNTS, strict=True):
        data = (latents / shard["name"]).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (shard["num_bytes"], shard["sha256"])
        with tarfile.open(latents / shard["name"], "r:") as tar:
            members = tar.getmembers()
            assert [m.name for m in members] == [f"{k:06d}.safetensors" for k in range(key, key + count)]
            assert [m.offset for m in members] == shard["offsets"]
            assert {(m.mtime, m.uid, m.gid, m.mode) for m in members} == {(0, 0, 0, 0o644)}
            handle = tar.extractfile(members[0])
            assert handle is not None
            assert load(handle.read())["clean"].shape[0] == 2
        key += count


class InterruptionError(Exception):
    """What ends a pre-computation in the middle."""


def test_it_goes_on_where_it_was_interrupted(data: str, latents: Path, tmp_path: Path) -> None:
    out, config = tmp_path / "latents", two_sizes(data)

    def stop(done: int, total: int) -> None:
        assert total == 12
        if done > 9:
            raise InterruptionError

    with pytest.raises(InterruptionError):
        precompute(config, out, advance=stop)
    assert sorted(p.name for p in out.iterdir()) == [
        "index.json",
        "latents-00000-of-00003.tar",
        "latents-00001-of-00003.tar",
    ]
    with pytest.raises(DataError, match=r"holds 2 of 3 shards; run `layerloom precompute` again to finish it$"):
        stored_batches(stored(config, out), wiring(config))
    written = (out / "latents-00000-of-00003.tar").stat().st_mtime_ns
    seen: list[int] = []
    precompute(config, out, advance=lambda done, total: seen.append(done))
    assert min(seen) > 9
    assert (out / "latents-00000-of-00003.tar").stat().st_mtime_ns == written
    assert {p.name: p.read_bytes() for p in out.iterdir()} == {p.name: p.read_bytes() for p in latents.iterdir()}


def test_what_is_finished_is_not_made_again(
    data: str, copy: Path, latents: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shard = copy / "latents-00001-of-00003.tar"
    shard.write_bytes(shard.read_bytes()[:-512])
    precompute(two_sizes(data), copy)
    assert shard.read_bytes() == (latents / shard.name).read_bytes()
    monkeypatch.setattr("model.precompute._Encoder", None)
    precompute(two_sizes(data), copy)


def test_latents_may_be_stored_in_half_the_space(data: str, latents: Path, tmp_path: Path) -> None:
    config = two_sizes(data)
    precompute(config, tmp_path, dtype="float16")
    assert sum(p.stat().st_size for p in tmp_path.glob("*.tar")) < 0.65 * sum(
        p.stat().st_size for p in latents.glob("*.tar")
    )
    spec = wiring(config)
    exact, rounded = (next(stored_batches(stored(config, folder), spec)).encoded for folder in (latents, tmp_path))
    assert torch.equal(rounded.clean, exact.clean.half().float())
    assert torch.equal(rounded.hole, exact.hole)
    with pytest.raises(DataError, match=r"dtype is 'float16', here 'float32'; run .* again with another --out$"):
        precompute(config, tmp_path)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            {"adapt": {"branches": ("background",)}},
            r"branches is \['background', 'foreground'\], here \['background'\]",
        ),
        ({"adapt": {}}, r"modalities is \[\['picture', None\], \['edge', None\]\], here \[\]"),
        ({"options": {"buckets": ((16, 16),)}}, r"buckets is \[\[20, 16\], \[12, 16\]\], here \[\[16, 16\]\]"),
        ({"options": {"split": "val"}}, "split is 'train', here 'val'"),
    ],
)
def test_latents_of_another_model_are_refused(data: str, latents: Path, change: Any, text: str) -> None:
    config = stored(two_sizes(data, **change), latents)
    where = f"{re.escape(str(latents))}/index.json: latents of another model or data set: "
    again = r"; run `layerloom precompute` again with another --out$"
    for use in (lambda: stored_batches(config, wiring(config)), lambda: precompute(config, latents)):
        with pytest.raises(DataError, match=f"^{where}{text}{again}"):
            use()


def test_latents_of_other_pictures_are_not_continued(copy: Path, tmp_path: Path) -> None:
    other = write_splits(tmp_path / "other", counts=(5, 4, 4), sides=(32, 16))
    with pytest.raises(DataError, match=r"source is '[0-9a-f]{64}', here '[0-9a-f]{64}'"):
        precompute(two_sizes(other), copy)


def _index(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], object]:
    def damage(folder: Path) -> None:
        index = json.loads((folder / "index.json").read_text())
        change(index)
        (folder / "index.json").write_text(json.dumps(index))

    return damage


def _tar(change: Callable[[bytes], bytes]) -> Callable[[Path], object]:
    def damage(folder: Path) -> None:
        for path in folder.glob("*.tar"):
            path.write_bytes(change(path.read_bytes()))

    return damage


@pytest.mark.parametrize(
    ("damage", "text"),
    [
        (shutil.rmtree, r"latents: no pre-computed latents: it has no index\.json; run `layerloom precompute` again$"),
        (lambda f: (f / "index.json").write_text("{"), r"latents/index\.json: not JSON: "),
        (_index(lambda i: i.update(format=2)), r"latents/index\.json: format must be 1, is 2; run"),
        (_index(lambda i: i.pop("shards")), r"latents/index\.json: shards: this key is missing; run"),
        (
            _index(lambda i: i["shards"][0].update(name="latents-../../x-of-1.tar")),
            r"latents/index\.json: shards\[0\]\.name: string should match pattern",
        ),
        (
            lambda f: (f / "latents-00001-of-00003.tar").unlink(),
            r"latents/latents-00001-of-00003\.tar: cannot be read: No such file or directory$",
        ),
        (_tar(lambda b: b[:-512]), r"tar: \d+ bytes, index\.json says \d+$"),
        (_tar(lambda b: bytes(len(b))), r"-of-00003\.tar: 0000\d\d: cannot be read at byte \d+: "),
        (
            _tar(lambda b: b.replace(b'"clean"', b'"klean"')),
            r"-of-00003\.tar: 0000\d\d\.safetensors: no tensor 'clean'$",
        ),
        (_tar(lambda b: b.replace(b'{"', b'["')), r"-of-00003\.tar: 0000\d\d\.safetensors: .*header"),
    ],
)
def test_damage_is_named(data: str, copy: Path, damage: Callable[[Path], object], text: str) -> None:
    damage(copy)
    config = stored(two_sizes(data), copy)
    with pytest.raises(DataError, match=text) as caught:
        next(stored_batches(config, wiring(config)))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", ["flip", "noise", "blur", "jpeg", "mask_noise"])
def test_samples_that_change_cannot_be_stored(data: str, latents: Path, tmp_path: Path, key: str) -> None:
    config = stored(two_sizes(data, options={key: 0.5}), latents)
    text = rf"^plain: data\.{key}: must be 0 with pre-computed latents \(got 0\.5\)$"
    for use in (lambda: precompute(config, tmp_path), lambda: stored_batches(config, wiring(config))):
        with pytest.raises(ManifestError, match=text):
            use()
    assert not list(tmp_path.iterdir())


def test_only_layers_of_scenes_are_stored(data: str, tmp_path: Path) -> None:
    config = two_sizes(data, options={"task": "inpaint", "source_size": 32})
    with pytest.raises(
        ManifestError, match=r'^plain: .* data\.task = "decompose" only \(got "layers" and "inpaint"\)$'
    ):
        precompute(config, tmp_path)


def test_a_device_that_is_not_here_and_a_folder_that_cannot_be(data: str, tmp_path: Path) -> None:
    if not torch.cuda.is_available():
        with pytest.raises(ManifestError, match=r"^device: 'cuda' cannot be used here: "):
            precompute(two_sizes(data), tmp_path, "cuda")
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"file/latents-00000-of-00003\.tar: cannot be written: "):
        precompute(two_sizes(data), tmp_path / "file")


def test_the_command(data: str, latents: Path, tmp_path: Path) -> None:
    config = two_sizes("nowhere")
    text = tmp_path / "plain.toml"
    text.write_text(as_toml(config.model_dump(exclude_none=True)))
    found = CliRunner().invoke(app, ["precompute", str(text), "--out", str(tmp_path / "out"), "--data", data])
    assert found.exception is None
    assert found.output.splitlines()[-1] == f'{tmp_path}/out: train with precomputed = "{tmp_path}/out"'
    own, other = (
        {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()},
        {p.name: p.read_bytes() for p in latents.iterdir()},
    )
    assert own == other


def test_ranks_learn_from_different_latents(data: str, latents: Path) -> None:
    task = make_layer_task(stored(two_sizes(data), latents), CPU)
    first, second = (next(iter(task.batches(World(rank, 2, CPU), Cursor()))).keys for rank in (0, 1))
    assert not set(first) & set(second)
