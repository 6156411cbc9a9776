"""Our own models as methods: the layers are the pipeline's; the key is that of weights and options."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from evaluation.errors import EvalError
from evaluation.methods import METHODS, make_method
from model.amodal import AmodalNet, save_amodal
from model.codec import PixelCodec
from model.decompose import LayerDecompositionPipeline
from model.folder import save_model
from model.layers import LayerModel
from model.spec import Spec
from tests.evaluation.methods.scenes import scene
from tests.model.tiny import FUSION, LORA, TOKEN, base

ROOT = Path(__file__).resolve().parents[3]
SPEC = Spec(codec="pixel", pixel_factor=2, prediction="x0", hole="smooth", fusion=FUSION, lora=LORA)
OPTIONS = [
    ("", {}),
    ("?steps=2&seed=5", {"steps": 2, "seed": 5}),
    ("?size=32&detail=false", {"size": 32, "detail": False}),
    ("?steps=1&paste_back=true", {"steps": 1, "paste_back": True}),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model")
    save_model(path, LayerModel(SPEC, base(), TOKEN), PixelCodec(2))
    return path


@pytest.mark.parametrize(("query", "options"), OPTIONS[1:])
def test_layers_are_those_of_the_pipeline(query: str, options: dict) -> None:
    item = scene(120, 170)
    direct = LayerDecompositionPipeline.from_pretrained(ROOT / "weights/nano-fill")(item.picture, item.mask, **options)
    name, made = make_method(f"model:weights/nano-fill{query}")
    answer = made.method(item)
    assert name == f"model:weights/nano-fill{query}"
    assert (answer.background == direct.background).all()
    assert (answer.foreground == direct.foreground).all()
    assert answer.foreground.shape == (120, 170, 4)
    again = made.method(item)
    assert all((a == b).all() for a, b in zip(again, answer, strict=True))


def test_all_options_go_to_the_pipeline(folder: Path) -> None:
    item = scene()
    made = {name: METHODS["model"](path=str(folder), **options).method(item) for name, options in OPTIONS}
    pipeline = LayerDecompositionPipeline.from_pretrained(folder)
    for name, options in OPTIONS:
        direct = pipeline(item.picture, item.mask, **options)
        assert (made[name].background == direct.background).all()
        assert (made[name].foreground == direct.foreground).all()
    assert len({answer.background.tobytes() for answer in made.values()}) == len(OPTIONS)


def test_a_run_s_folder_means_its_finished_model(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "model")
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "x.safetensors").write_bytes(b"x")
    inside, outside = (METHODS["model"](path=str(p), steps=1) for p in (folder, tmp_path))
    assert inside.key == outside.key
    assert (inside.method(scene()).foreground == outside.method(scene()).foreground).all()


def test_the_key_is_that_of_weights_and_options(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "copy")

    def key(**options) -> str:
        return METHODS["model"](path=str(tmp_path / "copy"), **options).key

    first = key()
    assert first == METHODS["model"](path=str(folder)).key
    assert len({first, key(steps=8), key(seed=1), key(size=64), key(paste_back=True)}) == 5
    (tmp_path / "copy" / "README.md").write_text("a card")
    assert key() == first
    weights = tmp_path / "copy" / "transformer" / "diffusion_pytorch_model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-2] ^= 1
    weights.write_bytes(data)
    assert key() != first


def test_the_key_holds_a_base_that_lies_elsewhere(tmp_path: Path) -> None:
    own = tmp_path / "base"
    save_model(
        own, LayerModel(Spec(codec="pixel", pixel_factor=2, branches=("background",)), base(), TOKEN), PixelCodec(2)
    )
    elsewhere = SPEC.model_copy(update={"base": str(own)})
    save_model(tmp_path / "adapted", LayerModel(elsewhere, base(), TOKEN), PixelCodec(2))
    first = METHODS["model"](path=str(tmp_path / "adapted"))
    assert first.method(scene()).background.shape == (48, 64, 3)
    other = base(seed=1)
    save_model(
        own, LayerModel(Spec(codec="pixel", pixel_factor=2, branches=("background",)), other, TOKEN), PixelCodec(2)
    )
    assert METHODS["model"](path=str(tmp_path / "adapted")).key != first.key


def test_the_key_holds_the_network_of_a_view(tmp_path: Path) -> None:
    seen = FUSION.model_copy(update={"modalities": ("amodal", "edge"), "amodal_model": str(tmp_path / "amodal")})
    unseen = seen.model_copy(update={"modalities": ("edge",)})
    keys: dict[str, list[str]] = {"seen": [], "unseen": []}
    for seed in (0, 1):
        torch.manual_seed(seed)
        save_amodal(tmp_path / "amodal", AmodalNet(8))
        for name, fusion in (("seen", seen), ("unseen", unseen)):
            spec = SPEC.model_copy(update={"fusion": fusion})
            if not seed:
                save_model(tmp_path / name, LayerModel(spec, base(), TOKEN), PixelCodec(2))
            keys[name].append(METHODS["model"](path=str(tmp_path / name)).key)
    assert keys["seen"][0] != keys["seen"][1]
    assert keys["unseen"][0] == keys["unseen"][1]


def test_what_cannot_be_loaded_is_told(tmp_path: Path, folder: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(folder, broken)
    (broken / "layers.safetensors").write_bytes(b"no weights")
    for given, text in (
        (f"model:{tmp_path}/x", f"^method 'model': {tmp_path}/x: no such folder$"),
        (f"model:{tmp_path}", f"^method 'model': {tmp_path}: is no layerloom model: it has no layers.json$"),
        (f"model:{broken}", f"^method 'model': {broken}/layers.safetensors: cannot be read: "),
        (f"model:{folder}?device=nowhere", "^method 'model': device: 'nowhere' cannot be used here"),
    ):
        with pytest.raises(EvalError, match=text):
            make_method(given)


def test_items_that_the_pipeline_refuses(folder: Path) -> None:
    item, method = scene(), METHODS["model"](path=str(folder), steps=1).method
    for mask, text in (
        (None, "has no mask, which 'model' needs"),
        (np.zeros_like(item.mask), "mask: marks nothing; the object's pixels must be brighter than 127 of 255"),
        (np.ones_like(item.mask), "mask: marks the whole picture; pixels that are not the object's must be 0"),
    ):
        with pytest.raises(EvalError) as error:
            method(item._replace(mask=mask))
        assert str(error.value) == f"a-1: {text}"
    with pytest.raises(EvalError, match=r"^a-1: size: must be 4 to 4096, is 3$"):
        METHODS["model"](path=str(folder), size=3).method(item)
