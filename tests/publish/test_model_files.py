"""What of a model's folder is published, and what is refused; and that a stranger can load it from there."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import huggingface_hub
import numpy as np
import orjson
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from model.amodal import AmodalNet, save_amodal
from model.decompose import LayerDecompositionPipeline
from model.folder import load_vae, save_model
from model.rgba_codec import make_rgba_vae
from model.spec import Spec
from model.train import train
from model.vae_codec import VaeCodec
from publish.errors import PublishError
from publish.model import prepare_model
from publish.remote import Item
from tests.hub_server import TOKEN, hub
from tests.model.bases import plain_config, save_base, save_vae
from tests.model.runs import tiny_config, write_data
from tests.model.tiny import base, layer_model
from tests.publish.models import ADAPT, ROOT, copied, on_the_hub, onto, scored, trained

LAYERS = [
    "README.md", "layers.json", "layers.safetensors", "metrics.jsonl", "pytorch_lora_weights.safetensors",
    "training.json", "transformer/config.json", "transformer/diffusion_pytorch_model.safetensors",
]  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("trained")).parent


@pytest.fixture(autouse=True)
def _no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    on_the_hub(monkeypatch, {})


def prepared(folder: Path, license: str | None = "mit") -> dict[str, Item]:
    return {item.path: item for item in prepare_model(folder, "org/name", (), license)}


def content(item: Item) -> bytes:
    return item.source if isinstance(item.source, bytes) else item.source.read_bytes()


def refused(folder: Path, license: str | None = "mit") -> str:
    with pytest.raises(PublishError) as error:
        prepare_model(folder, "org/name", (), license)
    return str(error.value)


def test_the_model_s_files_and_nothing_else(run: Path, tmp_path: Path) -> None:
    assert (run / "checkpoints").is_dir()
    found = prepared(run)
    assert list(found) == LAYERS
    assert found == prepared(run / "model")
    for path, item in found.items():
        data = content(item)
        assert (item.num_bytes, item.sha256) == (len(data), hashlib.sha256(data).hexdigest())
        if path not in ("README.md", "metrics.jsonl", "transformer/config.json"):
            assert item.source == run / "model" / path
    own = Path(shutil.copytree(run / "model", tmp_path / "mine"))
    (own / "README.md").write_text("---\nlicense: mit\n---\nold card\n")
    for name in (
        ".gitattributes",
        ".cache/x.json",
        "notes.json",
        "events.out",
        "checkpoints/x.pt",
        "tensorboard/e.bin",
    ):
        (own / name).parent.mkdir(exist_ok=True)
        (own / name).write_text("{}")
    (own / "LICENSE").write_text("MIT")
    found = prepared(own, None)
    assert set(found) == {*LAYERS, "LICENSE"} - {"metrics.jsonl"}
    assert b"old card" not in content(found["README.md"])


def test_a_part_that_diffusers_read_tells_not_where(tmp_path: Path) -> None:
    flux, data = save_base(tmp_path / "flux"), write_data(tmp_path / "scenes")
    model = train(plain_config(data, flux), tmp_path / "run")
    assert str(tmp_path) in (model / "rgba_vae" / "config.json").read_text()
    about = orjson.loads((model / "layers.json").read_bytes())
    about["spec"]["base"] = "org/flux"
    (model / "layers.json").write_bytes(orjson.dumps(about))
    found = prepared(model)
    assert {"rgba_vae/config.json", "rgba_vae/diffusion_pytorch_model.safetensors"} <= set(found)
    assert not [path for path, item in found.items() if str(tmp_path).encode() in content(item)]
    kept = json.loads(content(found["rgba_vae/config.json"]))
    assert kept == {
        key: value
        for key, value in json.loads((model / "rgba_vae" / "config.json").read_bytes()).items()
        if key != "_name_or_path"
    }


def test_other_kinds_of_models(tmp_path: Path) -> None:
    data, few = write_data(tmp_path / "scenes"), {"adapt": {}, "optimiser": {"warmup": 0}, "steps": 1}
    save_vae(tmp_path / "base")
    amodal = tiny_config(data, kind="amodal", base={}, amodal={"width": 8}, **few)
    codec = tiny_config(data, kind="codec", base={"model": str(tmp_path / "base")}, **few)
    for config in (amodal, codec):
        train(config, tmp_path / config.kind)
    always = {"README.md", "metrics.jsonl", "training.json"}
    assert set(prepared(tmp_path / "amodal")) == always | {"amodal.json", "amodal.safetensors"}
    vae = {"rgba_vae/config.json", "rgba_vae/diffusion_pytorch_model.safetensors"}
    assert set(prepared(tmp_path / "codec")) == always | vae
    cards = {kind: content(prepared(tmp_path / kind)["README.md"]).decode() for kind in ("amodal", "codec")}
    assert huggingface_hub.ModelCard(cards["amodal"]).data.pipeline_tag == "image-segmentation"
    assert 'amodal_model = "org/name"' in cards["amodal"]
    assert 'rgba = "org/name"' in cards["codec"]
    assert "| made from | base (not published here) |" in cards["codec"]
    assert "| made from | new weights |" in cards["amodal"]
    assert str(tmp_path) not in cards["codec"] + cards["amodal"]
    with pytest.raises(PublishError, match=r"only layer models are scored, this is of kind 'amodal'"):
        prepare_model(tmp_path / "amodal", "org/name", [tmp_path / "r.json"], "mit")


def test_a_stranger_loads_what_was_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    g = np.random.default_rng(0)
    picture, mask = g.integers(0, 256, (40, 48, 3), np.uint8), np.zeros((40, 48), np.uint8)
    mask[10:30, 10:30] = 255
    near = LayerDecompositionPipeline.from_pretrained(ROOT / ADAPT)(picture, mask)
    with hub(tmp_path / "hub") as server:
        server.add("model", "org/name", {path: content(item) for path, item in prepared(ROOT / ADAPT).items()})
        monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
        fetch = partial(huggingface_hub.snapshot_download, endpoint=server.url, cache_dir=tmp_path / "cache")
        monkeypatch.setattr(huggingface_hub, "snapshot_download", fetch)
        monkeypatch.chdir(tmp_path)
        far = LayerDecompositionPipeline.from_pretrained("org/name")(picture, mask)
        report = scored(tmp_path, "model:org/name?steps=1")
    assert all((a == b).all() for a, b in zip(near, far, strict=True))
    card = content(prepare_model(ROOT / ADAPT, "org/name", [report])[0]).decode()
    assert "| this model (steps=1) |" in card  # a score of what was published is one of the folder, too


def test_the_command_takes_a_name_on_the_hub(run: Path, tmp_path: Path) -> None:
    g = np.random.default_rng(1)
    Image.fromarray(g.integers(0, 256, (40, 48, 3), np.uint8)).save(tmp_path / "photo.png")
    mask = np.zeros((40, 48), np.uint8)
    mask[10:30, 10:30] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    with hub(tmp_path / "hub") as server:
        server.add("model", "org/name", {path: content(item) for path, item in prepared(run).items()})
        known = {"NO_PROXY": "127.0.0.1,localhost", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
        env = os.environ | server.env(tmp_path / "home") | known

        def decompose(model: str) -> subprocess.CompletedProcess[str]:
            words = ["decompose", "photo.png", "--mask", "mask.png", "--model", model, "-o", "layers"]
            command = [sys.executable, "-m", "layerloom", *words]
            return subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=300)

        made, gone = decompose("org/name"), decompose("zoo/none")
    assert made.returncode == 0, made.stderr
    torch.set_num_threads(1)  # as there; numba's kernels change the number
    pipeline = LayerDecompositionPipeline.from_pretrained(run / "model")
    with Image.open(tmp_path / "photo.png") as photo, Image.open(tmp_path / "layers" / "foreground.png") as layer:
        assert (np.asarray(layer) == pipeline(photo, mask).foreground).all()
    assert gone.returncode == 1
    assert "zoo/none: no such folder, nor to be had from the Hub: there is no such model" in " ".join(
        gone.stderr.split()
    )
    assert "Traceback" not in gone.stderr + gone.stdout
    assert TOKEN not in gone.stderr + gone.stdout


def test_pickles_are_refused_by_name(run: Path, tmp_path: Path) -> None:
    own = Path(shutil.copytree(run / "model", tmp_path / "mine"))
    for name in ("a.pt", "transformer/model.bin", "b.PTH", "c.ckpt", "d.pkl"):
        (own / name).write_bytes(b"x")
    said = refused(own)
    assert said.startswith(f"{own}: pickles are not published: a.pt, b.PTH, c.ckpt, d.pkl, transformer/model.bin; ")


def test_links_may_not_leave_the_folder(run: Path, tmp_path: Path) -> None:
    own = Path(shutil.copytree(run / "model", tmp_path / "mine"))
    (own / "layers.safetensors").rename(own / "same.safetensors")
    (own / "layers.safetensors").symlink_to("same.safetensors")
    assert list(prepared(own)) == [name for name in LAYERS if name != "metrics.jsonl"]
    shutil.move(own / "transformer", tmp_path / "elsewhere")
    (own / "transformer").symlink_to(tmp_path / "elsewhere")
    assert refused(own) == f"{own}/transformer: is a link that leaves the folder; put the file itself there"


def test_a_base_that_only_this_machine_has(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    said = refused(onto(str(tmp_path / "base"), tmp_path / "m"))
    assert said.startswith(f"{tmp_path}/m/layers.json: spec.base: '{tmp_path}/base' is a folder of this machine")
    assert "publish that model first (`layerloom publish-model FOLDER org/name`)" in said
    said = refused(onto(str(ROOT / "weights/nano-fill"), tmp_path / "absolute"))
    assert 'write "weights/nano-fill" there, which every clone of layerloom has' in said
    assert "spec.base: 'out/gone/model'" in refused(onto("out/gone/model", tmp_path / "gone"))
    assert "spec.base: 'manifests/train'" in refused(onto("manifests/train", tmp_path / "inside"))


def test_a_relative_folder_is_no_hub_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = onto("org/base", tmp_path / "m")
    assert "README.md" in prepared(model)
    (tmp_path / "org" / "base").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert "spec.base: 'org/base' is a folder of this machine" in refused(model)


def test_a_view_s_network_that_only_this_machine_has(tmp_path: Path) -> None:
    save_amodal(tmp_path / "net", AmodalNet(8))
    model = copied(tmp_path / "m")
    about = orjson.loads((model / "layers.json").read_bytes())
    about["spec"]["fusion"]["amodal_model"] = str(tmp_path / "net")
    (model / "layers.json").write_bytes(orjson.dumps(about))
    assert "spec.fusion.amodal_model" in refused(model)
    about["spec"]["fusion"] |= {"amodal_model": "org/net", "depth_model": "/somewhere/depth"}  # which no view reads
    (model / "layers.json").write_bytes(orjson.dumps(about))
    told = f"{model}/layers.json: spec.fusion.depth_model: '/somewhere/depth' is a path of this machine; take it out"
    assert refused(model) == told


@pytest.mark.parametrize(
    "name",
    ["layers.safetensors", "pytorch_lora_weights.safetensors", "transformer/diffusion_pytorch_model.safetensors"],
)
def test_parts_that_are_missing_or_cut_short(run: Path, tmp_path: Path, name: str) -> None:
    own = Path(shutil.copytree(run / "model", tmp_path / "mine"))
    whole = (own / name).read_bytes()
    (own / name).write_bytes(whole[:-3])
    assert refused(own).startswith(f"{own}/{name}: cannot be read: ")
    (own / name).unlink()
    assert refused(own) == f"{own}: incomplete, without {name}; finish the run first"


def test_what_is_no_model(tmp_path: Path) -> None:
    what = "no model: it has no layers.json, amodal.json or rgba_vae/"
    advice = "give the folder that `layerloom train` finished"
    assert refused(tmp_path) == f"{tmp_path}: {what}; {advice}"
    assert refused(tmp_path / "x") == f"{tmp_path}/x: no such folder; {advice}"


def _described(run: Path, folder: Path, text: str) -> Path:
    shutil.copytree(run / "model", folder)
    record = orjson.loads((folder / "training.json").read_bytes())
    record["config"]["description"] = text
    (folder / "training.json").write_bytes(orjson.dumps(record))
    return folder


def test_texts_that_tell_of_the_machine_are_refused(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    home = _described(run, tmp_path / "a", "run as in /home/somebody/notes")
    assert refused(home) == f"{home}/training.json: would tell a path of this machine, '/home/somebody'; take it out"
    assert "README.md" in prepared(_described(run, tmp_path / "b", "see https://host/home/somebody"))
    token = _described(run, tmp_path / "c", "with hf_abcdefghijklmnopqrstuvwxyz")
    assert refused(token) == f"{token}/training.json: holds a token of the Hub; take it out, and revoke the token"
    monkeypatch.setenv("HF_TOKEN", "of another form")
    assert "holds a token" in refused(_described(run, tmp_path / "d", "with of another form"))
    weights = tmp_path / "b" / "layers.safetensors"
    save_file(load_file(weights), weights, metadata={"made": "in /home/somebody/x"})
    assert refused(tmp_path / "b").startswith(f"{weights}: would tell a path of this machine")


def test_a_model_with_a_vae_of_its_own(tmp_path: Path) -> None:
    vae: Any = load_vae(str(save_vae(tmp_path / "base")), "vae")
    spec = Spec(codec="vae", text_tokens=0)
    save_model(tmp_path / "m", layer_model(spec, base()), VaeCodec(vae, make_rgba_vae(vae)))
    found = prepared(tmp_path / "m")
    assert {f"{part}/config.json" for part in ("transformer", "vae", "rgba_vae")} <= set(found)
    assert not [path for path, item in found.items() if str(tmp_path).encode() in content(item)]
    shutil.rmtree(tmp_path / "m" / "vae")
    assert "incomplete, without vae/config.json, vae/diffusion_pytorch_model.safetensors" in refused(tmp_path / "m")
