"""Model folders: what is written is read back, by us and by diffusers."""

from pathlib import Path

import orjson
import pytest
import torch
from diffusers import FluxTransformer2DModel
from safetensors.torch import load_file, save_file

from model.codec import PixelCodec
from model.folder import load_model, save_model
from model.layers import LayerModel
from model.spec import Spec
from model.transformer import ModelError
from tests.model.tiny import FUSION, LORA, PIXELS, TOKEN, base, normal, tokens_of

ADAPTED = PIXELS.model_copy(update={"lora": LORA, "fusion": FUSION, "trained": (r"x_embedder\..*", r"proj_out\..*")})


def _shaken(spec: Spec) -> LayerModel:
    """A model all of whose trained weights differ from what they were made as."""
    model = LayerModel(spec, base(), TOKEN)
    with torch.no_grad():
        for i, parameter in enumerate(p for p in model.parameters() if p.requires_grad):
            parameter.add_(0.1 * normal(i, *parameter.shape))
    return model


def _answer(model: LayerModel) -> torch.Tensor:
    encoded = tokens_of(model.spec)
    noisy = normal(9, *encoded.clean.shape)
    with torch.no_grad():
        return model(noisy, torch.tensor([0.3, 0.8]), encoded)


@pytest.mark.parametrize("spec", [PIXELS, ADAPTED])
def test_round_trip(tmp_path: Path, spec: Spec) -> None:
    model = _shaken(spec)
    save_model(tmp_path, model, PixelCodec(2))
    again, codec = load_model(str(tmp_path))
    assert again.spec == spec
    assert isinstance(codec, PixelCodec)
    torch.testing.assert_close(_answer(again), _answer(model), rtol=0, atol=1e-6)
    assert {n: v.shape for n, v in again.state_dict().items()} == {n: v.shape for n, v in model.state_dict().items()}
    for (name, value), other in zip(model.state_dict().items(), again.state_dict().values(), strict=True):
        assert torch.equal(value, other), name


def test_diffusers_reads_the_transformer(tmp_path: Path) -> None:
    model = _shaken(ADAPTED)
    save_model(tmp_path, model, PixelCodec(2))
    read = FluxTransformer2DModel.from_pretrained(tmp_path, subfolder="transformer")
    own = {k.replace(".base_layer.", ".").replace("x_embedder.base.", "x_embedder.") for k in _base_names(model)}
    assert set(read.state_dict()) == own
    assert torch.equal(read.proj_out.weight, model.transformer.proj_out.weight)


def _base_names(model: LayerModel) -> list[str]:
    return [k for k in model.transformer.state_dict() if ".lora_" not in k and "x_embedder.extra" not in k]


def test_weights_can_be_rounded(tmp_path: Path) -> None:
    save_model(tmp_path, _shaken(ADAPTED), PixelCodec(2), torch.bfloat16)
    for path in tmp_path.rglob("*.safetensors"):
        assert {t.dtype for t in load_file(path).values()} == {torch.bfloat16}
    assert torch.isfinite(_answer(load_model(str(tmp_path)).model)).all()


def test_a_base_that_lies_elsewhere_is_not_copied(tmp_path: Path) -> None:
    elsewhere, folder = tmp_path / "base", tmp_path / "adapted"
    base().save_pretrained(elsewhere / "transformer")
    transformer = FluxTransformer2DModel.from_pretrained(elsewhere, subfolder="transformer")
    model = LayerModel(ADAPTED.model_copy(update={"base": str(elsewhere)}), transformer, TOKEN)
    with torch.no_grad():
        model.transformer.proj_out.bias.add_(0.5)
    save_model(folder, model, PixelCodec(2))
    assert not (folder / "transformer").exists()
    again = load_model(str(folder)).model
    assert torch.equal(again.transformer.proj_out.bias, model.transformer.proj_out.bias)
    torch.testing.assert_close(_answer(again), _answer(model), rtol=0, atol=1e-6)


def _written(tmp_path: Path) -> Path:
    save_model(tmp_path, LayerModel(ADAPTED, base(), TOKEN), PixelCodec(2))
    return tmp_path


def test_another_format_is_refused(tmp_path: Path) -> None:
    about = orjson.loads((_written(tmp_path) / "layers.json").read_bytes()) | {"format": 9}
    (tmp_path / "layers.json").write_bytes(orjson.dumps(about))
    with pytest.raises(ModelError, match=r"layers.json: format must be 1, is 9"):
        load_model(str(tmp_path))


def test_weights_of_another_shape_are_refused(tmp_path: Path) -> None:
    path = _written(tmp_path) / "layers.safetensors"
    weights = load_file(path)
    key = next(k for k in weights if k.startswith("fusion."))
    save_file(weights | {key: torch.zeros(7)}, path)
    with pytest.raises(ModelError, match=rf"layers.safetensors: '{key}' must be \(.*\), is \(7,\)"):
        load_model(str(tmp_path))


def test_missing_folders_and_damage_are_told(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="none: no such folder"):
        load_model(str(tmp_path / "none"))
    with pytest.raises(ModelError, match=r"is no layerloom model: it has no layers\.json"):
        load_model(str(tmp_path))
    path = _written(tmp_path) / "layers.safetensors"
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(ModelError, match=r"layers.safetensors: cannot be read"):
        load_model(str(tmp_path))
