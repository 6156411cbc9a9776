"""The plan of a training step: counted on the meta device as it is when it runs; and the recipes that it is for."""

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from benchmarks import flux_plan, flux_step
from benchmarks.flux_plan import Case, Live, build, default_dtype, flash_on_meta, forward, one_batch
from model.config import load_config
from model.spec import Fusion, Shape

torch.set_num_threads(1)

ROOT = Path(__file__).resolve().parents[2]
SHAPE = Shape(num_layers=1, num_single_layers=2, num_heads=2, head_dim=8, text_dim=12, pooled_dim=16, axes=(2, 2, 4))
FUSION = Fusion(modalities=("picture", "edge"), width=16, num_latents=3, num_heads=2, out_dim=5)


def case(**more: Any) -> Case:
    return Case(**({"size": 48, "rank": 2, "checkpointing": False, "shape": SHAPE, "fusion": FUSION} | more))


plan = cache(flux_plan.plan)


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("text_tokens", [1, 5])
def test_a_plan_is_what_a_run_counts(checkpointing: bool, text_tokens: int) -> None:
    asked = case(checkpointing=checkpointing, text_tokens=text_tokens, dtype=torch.float32)
    assert plan(asked) == plan(asked, "cpu")


def test_a_plan_in_half_precision_is_that_of_a_gpu() -> None:
    """A CPU keeps the statistics of a LayerNorm in bfloat16, a GPU in float32: under a hundredth of the activations."""
    found, run = plan(case()), plan(case(), "cpu")
    assert found[:4] == run[:4]
    assert run.activations < found.activations < 1.01 * run.activations
    assert run.live < found.live < 1.01 * run.live


def test_activations_are_what_autograd_saves() -> None:
    """Storages that it keeps, found by its own hooks in a real run, and the loss itself."""
    asked = case()
    model, batch = build(asked, "cpu"), one_batch(asked, "cpu")
    given = [*model.parameters(), *model.buffers(), *(t for t in batch if isinstance(t, Tensor))]
    known = {t.untyped_storage().data_ptr() for t in given}
    kept: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in known:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        loss = forward(model, batch)
    assert loss.requires_grad
    assert len(kept) > 50
    assert plan(asked).activations == pytest.approx(sum(kept.values()) + loss.nbytes, rel=0.02)


def test_memory_is_counted_while_it_is_held() -> None:
    given = torch.zeros(100)
    with Live(iter([given])) as live:
        first = given + 1
        assert (live.now, live.most) == (400, 400)
        view = first[:10]
        given += 1
        assert live.now == 400
        second = first * 2
        assert live.now == 800
        del second
        assert live.now == 400
        del first
        assert live.now == 400  # the view holds it
        del view
        assert (live.now, live.most) == (0, 800)


def test_weights_and_moments() -> None:
    found = plan(case())
    model = build(case(), "cpu")
    trained = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=1e-3)
    forward(model, one_batch(case(), "cpu")).backward()
    optimiser.step()
    states = [t for s in optimiser.state.values() for n, t in s.items() if n != "step"]
    assert found.moments == sum(t.nbytes for t in states)
    assert found.trained == sum(p.nbytes for p in trained)
    assert found.frozen == 2 * sum(p.numel() for p in model.parameters() if not p.requires_grad)
    assert found.live > found.trained  # all gradients, at the end of the step
    assert found.total == found.frozen + found.trained + found.moments + found.live


def test_checkpointing_saves_memory_and_costs_operations() -> None:
    plain, again = plan(case(size=128)), plan(case(size=128, checkpointing=True))
    assert again.flops > plain.flops
    assert again.activations < 0.5 * plain.activations
    assert again.live < plain.live


def test_attention_holds_no_scores() -> None:
    """Four times the tokens: four times the activations, not sixteen."""
    small, large = (plan(case(size=size, text_tokens=1)).activations for size in (128, 256))
    assert large < 4.1 * small


def test_the_meta_device_is_as_it_was() -> None:
    q = torch.zeros(1, 2, 4, 8, device="meta", requires_grad=True)
    with flash_on_meta():
        assert "Flash" in type(torch.nn.functional.scaled_dot_product_attention(q, q, q).grad_fn).__name__
    assert "Flash" not in type(torch.nn.functional.scaled_dot_product_attention(q, q, q).grad_fn).__name__


def test_a_default_dtype_ends_with_its_block() -> None:
    def fail() -> None:
        with default_dtype(torch.bfloat16):
            assert torch.zeros(1).dtype == torch.bfloat16
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert torch.zeros(1).dtype == torch.float32


def test_the_table_shows_the_design(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        flux_step, "Case", lambda size, rank, checkpointing: case(size=48, rank=2, checkpointing=checkpointing)
    )
    monkeypatch.setattr(flux_step, "plan", plan)
    monkeypatch.setattr("sys.argv", ["flux_step", "--device", "meta", "--size", "512", "--rank", "64"])
    monkeypatch.setenv("COLUMNS", "200")
    flux_step.main()
    rows = [line for line in capsys.readouterr().out.splitlines() if " 512 " in line]
    assert [[c.strip() for c in row.split("│")[1:4]] for row in rows] == [["512", "64", "no"], ["512", "64", "yes"]]
    assert [[c.strip() for c in row.split("│")][5] for row in rows] == ["80", "120"]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--size", "500"], "--size: 500 must be a multiple of 16"),
        (["--size", "0"], "--size: 0 must be a multiple of 16"),
        (["--rank", "0"], "--rank: must be 1 to 1024, is 0"),
        (["--device", "tpu"], "argument --device: invalid choice: 'tpu'"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(
    arguments: list[str], text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["flux_step", *arguments])
    with pytest.raises(SystemExit):
        flux_step.main()
    assert text in capsys.readouterr().err


RECIPES = sorted((ROOT / "manifests" / "train").glob("*.toml"))


def test_there_are_recipes() -> None:
    assert {"flux-fill", "flux-fill-80gb-512", "nano-base", "rgba-codec"} <= {p.stem for p in RECIPES}


@pytest.mark.parametrize("path", RECIPES, ids=lambda p: p.stem)
def test_every_recipe_loads_and_is_called_as_its_file(path: Path) -> None:
    found = load_config(path)
    assert found.name == path.stem
    assert found.description
    assert found.checkpoint_every < found.steps
    assert path.read_text().startswith("# ")


def test_the_recipe_of_the_paper() -> None:
    found = load_config(ROOT / "manifests" / "train" / "flux-fill.toml")
    assert (found.base.model, found.steps, found.optimiser.lr) == ("black-forest-labs/FLUX.1-Fill-dev", 7200, 5e-5)
    assert found.adapt.lora is not None
    assert found.adapt.fusion is not None
    assert found.adapt.lora.rank == 256
    assert found.adapt.fusion.modalities == ("picture", "edge", "segmentation", "depth")
    assert found.adapt.train == (r"x_embedder\..*",)
    assert all(900**2 < w * h < 1100**2 and w % 16 == h % 16 == 0 for w, h in found.data.buckets)


def test_the_recipe_for_one_gpu() -> None:
    found = load_config(ROOT / "manifests" / "train" / "flux-fill-80gb-512.toml")
    assert found.batch_size * found.accumulate == 8
    assert (found.machine.precision, found.machine.checkpointing) == ("bf16", True)
    assert all(w % 16 == h % 16 == 0 and 450**2 < w * h < 550**2 for w, h in found.data.buckets)
