"""The base transformer: diffusers' own class, its adapters, what of it trains, and what is said when it is missing."""

from pathlib import Path

import pytest
import torch
from diffusers import FluxTransformer2DModel
from torch import nn

from model.spec import Lora, Shape
from model.transformer import ModelError, add_lora, choose_trained, explain, load_transformer, new_transformer
from stages.lazy import quiet
from tests.model.tiny import LORA, SHAPE, base, normal, projections, trained_names


def test_the_default_shape_is_flux_fills() -> None:
    with torch.device("meta"):
        made = new_transformer(Shape(), 64, 64 + 256, 0)
    config = made.config
    assert (config.in_channels, config.out_channels, made.inner_dim) == (384, 64, 3072)
    # FLUX.1-dev has 11,901,408,320 parameters; Fill hears 320 more channels.
    assert sum(p.numel() for p in made.parameters()) == 11_901_408_320 + 320 * 3072


@torch.no_grad()
def test_a_new_one_comes_from_its_seed_and_answers_zero() -> None:
    state = torch.random.get_rng_state()
    first, again, other = (new_transformer(SHAPE, 6, 10, seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(first[n], again[n]) for n in first)
    assert not torch.equal(first["x_embedder.weight"], other["x_embedder.weight"])
    assert first["x_embedder.weight"].shape == (16, 16)
    made = new_transformer(SHAPE, 6, 10, 1)
    out = made(
        hidden_states=normal(1, 2, 6, 16),
        encoder_hidden_states=normal(2, 2, 3, 12),
        pooled_projections=normal(3, 2, 16),
        timestep=torch.tensor([0.2, 0.9]),
        guidance=torch.tensor([3.0, 3.0]),
        img_ids=torch.zeros(6, 3),
        txt_ids=torch.zeros(3, 3),
        return_dict=False,
    )[0]
    assert torch.equal(out, torch.zeros(2, 6, 6))


def test_adapters_sit_on_every_projection_of_the_blocks() -> None:
    shape = SHAPE.model_copy(update={"num_layers": 2, "num_single_layers": 11})
    made = base(shape=shape)
    names = add_lora(made, Lora(rank=3, alpha=6.0), 0)
    assert set(names) == projections(2, 11)
    assert len(names) == len(projections(2, 11))
    inside = {n.removesuffix(".lora_A.default") for n, _ in made.named_modules() if n.endswith(".lora_A.default")}
    assert inside == projections(2, 11)
    assert isinstance(made.proj_out, nn.Linear)
    layer = made.transformer_blocks[0].attn.to_q
    assert layer.lora_A["default"].weight.shape == (3, 16)
    assert layer.scaling == {"default": 2.0}


@torch.no_grad()
def test_adapters_start_silent_and_come_from_their_seed() -> None:
    state = torch.random.get_rng_state()
    made = [base() for _ in range(3)]
    for one, seed in zip(made, (1, 1, 2), strict=True):
        add_lora(one, LORA, seed)
    assert torch.equal(torch.random.get_rng_state(), state)
    first, again, other = (dict(one.named_parameters()) for one in made)
    assert all(torch.equal(first[n], again[n]) for n in first)
    loud = {n for n in first if ".lora_A." in n}
    assert loud == {n for n in first if not torch.equal(first[n], other[n])}
    assert not any(first[n].any() for n in first if ".lora_B." in n)


def test_a_target_that_matches_nothing_is_refused() -> None:
    text = r"^adapt.lora.target: 'blocks\.0' matches no linear layer of the transformer$"
    with pytest.raises(ModelError, match=text):
        add_lora(base(), Lora(rank=1, target="blocks.0"), 0)


def test_what_trains_is_named() -> None:
    made = base()
    add_lora(made, LORA, 0)
    chosen = choose_trained(made, (r"x_embedder\..*", r"proj_out\.bias"))
    assert chosen == ["proj_out.bias", "x_embedder.bias", "x_embedder.weight"]
    lora = {f"{n}.lora_{k}.default.weight" for n in projections(1, 1) for k in "AB"}
    assert trained_names(made) == lora | set(chosen)
    assert choose_trained(made, ()) == []
    assert trained_names(made) == lora


def test_a_pattern_that_matches_nothing_is_refused() -> None:
    text = r"^adapt.train: 'x_embeder.weight' matches no parameter; did you mean 'x_embedder.weight'\?$"
    with pytest.raises(ModelError, match=text):
        choose_trained(base(), (r"proj_out\..*", "x_embeder.weight"))
    with pytest.raises(ModelError, match=r"^adapt.train: 'x_embedder' matches no parameter"):
        choose_trained(base(), ("x_embedder",))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_saved_one_is_read(tmp_path: Path, dtype: torch.dtype) -> None:
    made = base()
    made.save_pretrained(tmp_path / "transformer")
    with quiet():
        found = load_transformer(str(tmp_path), None, dtype)
    assert isinstance(found, FluxTransformer2DModel)
    assert found.dtype == dtype
    weights = made.state_dict()
    assert all(torch.equal(t, weights[n].to(dtype)) for n, t in found.state_dict().items())


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=f"^{tmp_path}/none: no such folder$"):
        load_transformer(f"{tmp_path}/none", None, torch.float32)
    assert explain("weights-of-mine", OSError("not on the Hub")) == "weights-of-mine: no such folder"


@pytest.mark.parametrize("damage", ["empty", "config", "weights", "other"])
def test_a_folder_that_cannot_be_read_is_named_in_one_line(tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "transformer"
    if damage != "empty":
        base().save_pretrained(folder)
    weights = folder / "diffusion_pytorch_model.safetensors"
    if damage == "config":
        (folder / "config.json").write_text("{")
    elif damage == "weights":
        weights.write_bytes(weights.read_bytes()[:100])
    elif damage == "other":
        base(token=8, context=4).save_pretrained(tmp_path / "b")
        weights.write_bytes((tmp_path / "b" / weights.name).read_bytes())
    with quiet(), pytest.raises(ModelError) as caught:
        load_transformer(str(tmp_path), None, torch.float32)
    assert str(caught.value).startswith(f"{tmp_path}: cannot be loaded: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "said",
    [
        "You are trying to access a gated repo.\nMake sure to have access to it",
        "401 Client Error: Unauthorized for url",
        "403 Client Error: Forbidden for url",
    ],
)
def test_a_gated_model_says_how_to_get_it(said: str) -> None:
    name = "black-forest-labs/FLUX.1-Fill-dev"
    assert explain(name, OSError(said)) == (
        f"{name}: access is gated; accept its licence at https://huggingface.co/{name} and log in with "
        "`hf auth login` (or set HF_TOKEN)"
    )


def test_anything_else_is_said_in_one_line(tmp_path: Path) -> None:
    assert explain("a/b", OSError("no network\nat all")).startswith("a/b: cannot be loaded: no network")
    assert "\n" not in explain("a/b", OSError("no network\nat all"))
    assert explain(str(tmp_path), OSError("odd")) == f"{tmp_path}: cannot be loaded: odd"


def test_a_number_in_a_path_is_no_status(tmp_path: Path) -> None:
    folder = tmp_path / "run-401"
    folder.mkdir()
    assert explain(str(folder), OSError(f"no file in {folder}")) == f"{folder}: cannot be loaded: no file in {folder}"
