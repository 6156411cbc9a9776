"""Runs of kind "codec": an RGBA VAE learns in the same loop, and the layer model uses what it learned."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from torch import Tensor

from model.assemble import assemble
from model.checkpoint import finished
from model.codec_task import CodecTask, make_codec_task, rgba_pictures
from model.conditioning import pad_colour
from model.config import TrainConfig
from model.held_out import held_out, on_device
from model.rgba_codec import latent_loss, rgba_loss
from model.train import train
from model.transformer import ModelError
from model.vae_codec import VaeCodec
from stages.settings import ManifestError
from tests.model.bases import plain_config, save_base, save_vae
from tests.model.runs import last_state, metrics, train_interrupted
from tests.model.splits import write_splits
from tests.model.tiny import sample

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_splits(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_vae(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def run(data: str, base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty steps."""
    out = tmp_path_factory.mktemp("run")
    train(codec_config(data, base, steps=60, validate_every=30), out)
    return out


def codec_config(data: str, base: Path, **changes: Any) -> TrainConfig:
    optimiser = {"lr": 1e-2, "warmup": 2, "ema": 0.9}
    own = {"kind": "codec", "adapt": {}, "base": {"model": str(base)}, "optimiser": optimiser, "checkpoint_every": 3}
    return plain_config(data, **(own | changes))


def rows(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def read(folder: Path) -> Any:
    return AutoencoderKL.from_pretrained(folder)


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def test_it_learns(run: Path) -> None:
    told = [row for row in rows(run) if "losses" in row]
    assert len(told) == 60
    first, last = (sum(row["losses"][0] for row in part) / 10 for part in (told[:10], told[-10:]))
    assert last < 0.8 * first
    checks = [row["validation"] for row in rows(run) if "validation" in row]
    assert len(checks) == 2
    assert checks[1]["alpha_mae"] < checks[0]["alpha_mae"] < 0.4
    assert checks[1]["object_psnr"] > checks[0]["object_psnr"]


def test_validation_says_how_good_the_finished_codec_is(data: str, base: Path, run: Path) -> None:
    """Against pictures that are coded anew by what was saved."""
    made, told = read(run / "model" / "rgba_vae"), rows(run)[-1]["validation"]
    parts = held_out(codec_config(data, base))
    given = torch.cat([pad_colour(part.foreground) for part in parts])
    with torch.no_grad():
        back = made.decode(made.encode(given).latent_dist.mode()).sample.clamp(-1, 1)
    alpha = (given[:, 3:] + 1) / 2
    assert told["alpha_mae"] == pytest.approx(float((back - given)[:, 3].abs().mean() / 2), rel=1e-4)
    squares = ((back - given)[:, :3] / 2).pow(2) * alpha
    errors = squares.sum((1, 2, 3)) / (3 * alpha.sum((1, 2, 3)))
    assert told["object_psnr"] == pytest.approx(float(-10 * errors.log10().mean()), rel=1e-4)
    assert sorted(p.name for p in run.glob("sheet-*")) == ["sheet-000030.png", "sheet-000060.png"]


def test_the_layer_model_takes_it(data: str, run: Path, tmp_path: Path) -> None:
    base = save_base(tmp_path / "base")
    plain = plain_config(data, base)
    learned = plain.model_copy(update={"base": plain.base.model_copy(update={"rgba": str(run / "model")})})
    codec, fresh = assemble(learned).codec, assemble(plain).codec
    assert isinstance(codec, VaeCodec)
    assert isinstance(fresh, VaeCodec)
    assert codec.rgba_vae is not None
    assert fresh.rgba_vae is not None
    expected = read(run / "model" / "rgba_vae").state_dict()
    assert same(dict(codec.rgba_vae.state_dict()), expected)
    assert not same(dict(fresh.rgba_vae.state_dict()), expected)
    train(learned.model_copy(update={"steps": 1}), tmp_path / "out")
    assert same(read(tmp_path / "out" / "model" / "rgba_vae").state_dict(), expected)


def test_only_the_rgba_vae_changes(base: Path, run: Path) -> None:
    made, start = read(run / "model" / "rgba_vae"), read(base / "vae")
    assert (made.config.in_channels, made.config.out_channels) == (4, 4)
    assert start.config.in_channels == 3
    state = last_state(run)
    weights = {k.removeprefix("weight/model.vae.") for k in state if k.startswith("weight/")}
    assert weights == set(dict(made.named_parameters()))
    assert same(made.state_dict(), {k: state[f"ema/model.vae.{k}"] for k in made.state_dict()})


def task_of(config: TrainConfig) -> CodecTask:
    """With weights that hear and draw alpha."""
    task = make_codec_task(config)
    with torch.no_grad():
        for number, parameter in enumerate(task.model.vae.parameters()):
            noise = torch.randn(parameter.shape, generator=torch.Generator().manual_seed(number))
            parameter.add_(0.05 * noise)
    return task


def test_the_losses_are_their_definitions(data: str, base: Path) -> None:
    task = task_of(codec_config(data, base, loss={"latents": 0.5}))
    batch = sample(16, 16)
    pictures, noise = task.inputs(batch, 6, CPU)
    assert torch.equal(pictures, rgba_pictures(batch))
    losses = task(pictures, noise)
    assert losses.shape == (2, 3)
    vae, reference = task.model.vae, task.model.reference
    for k in range(2):
        opaque = torch.cat([batch.background[k : k + 1], torch.ones(1, 1, 16, 16)], dim=1)
        for column, given in enumerate((pad_colour(batch.foreground[k : k + 1]), opaque)):
            posterior = vae.encode(given).latent_dist
            assert isinstance(posterior, DiagonalGaussianDistribution)
            latents = posterior.mean + posterior.std * noise[k + 2 * column]
            expected = rgba_loss(vae.decode(latents).sample, given)
            torch.testing.assert_close(losses[k : k + 1, column], expected, atol=1e-5, rtol=1e-4)
        known = reference.encode(batch.background[k : k + 1]).latent_dist
        expected = 0.5 * latent_loss(vae.encode(opaque).latent_dist, known)
        torch.testing.assert_close(losses[k : k + 1, 2], expected, atol=1e-5, rtol=1e-4)
    losses.mean().backward()
    assert all(p.grad is not None for p in vae.parameters())
    assert all(p.grad is None for p in reference.parameters())


def test_a_sample_has_its_own_noise(data: str, base: Path) -> None:
    """By its number in the run, so that it does not matter how many processes share a batch."""
    task, batch = make_codec_task(codec_config(data, base)), sample(16, 16)
    noise = task.inputs(batch, 4, CPU)[1]
    assert noise.shape == (4, 4, 8, 8)
    assert len({float(n.sum()) for n in noise}) == 4
    assert torch.equal(task.inputs(batch, 5, CPU)[1][[0, 2]], noise[[1, 3]])
    assert not torch.equal(task.inputs(batch, 6, CPU)[1], noise)


def test_the_start_draws_opaque_pictures_as_the_base_does(data: str, base: Path) -> None:
    config = codec_config(data, base)
    part = on_device(held_out(config)[0], CPU)
    checked = make_codec_task(config).check([part], CPU)
    assert checked.losses.shape == (1, 3)
    assert float(checked.losses[0, 2]) == pytest.approx(0, abs=1e-8)  # both halves of a batch are coded together
    assert checked.scores["opaque_alpha_mae"] == 0
    assert checked.picture.shape == (3, 2 * 16, 4 * 16)
    assert 0 <= float(checked.picture.min()) <= float(checked.picture.max()) <= 1


def test_an_interrupted_run_ends_as_one_that_was_not(data: str, base: Path, tmp_path: Path) -> None:
    config = codec_config(data, base, steps=5, accumulate=2)
    train(config, tmp_path / "straight")
    train_interrupted(config, tmp_path / "resumed", 4)
    assert [p.name for p in finished(tmp_path / "resumed" / "checkpoints")] == ["step-000000003"]
    train(config, tmp_path / "resumed")
    assert metrics(tmp_path / "resumed") == metrics(tmp_path / "straight")
    assert same(last_state(tmp_path / "resumed"), last_state(tmp_path / "straight"))


def test_bfloat16_trains_too(data: str, base: Path, tmp_path: Path) -> None:
    train(codec_config(data, base, steps=2, machine={"precision": "bf16"}), tmp_path)
    assert {t.dtype for t in read(tmp_path / "model" / "rgba_vae").state_dict().values()} == {torch.float32}
    assert len(metrics(tmp_path)) == 2


def test_what_it_cannot_start_from(data: str, base: Path, tmp_path: Path) -> None:
    new = plain_config(data, kind="codec")
    with pytest.raises(ManifestError, match=r'^plain: base: kind = "codec" needs a base\.model with a VAE$'):
        make_codec_task(new)
    stored = codec_config(data, base, precomputed="latents")
    with pytest.raises(ManifestError, match=r'^plain: precomputed: kind = "codec" learns from pictures$'):
        make_codec_task(stored)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match=f"^{re.escape(str(tmp_path / 'empty' / 'vae'))}: "):
        make_codec_task(codec_config(data, tmp_path / "empty"))
    config = codec_config(data, base)
    lost = config.model_copy(update={"base": config.base.model_copy(update={"rgba": str(tmp_path / "lost")})})
    with pytest.raises(ModelError, match=f"^{re.escape(str(tmp_path / 'lost' / 'rgba_vae'))}: no such folder$"):
        make_codec_task(lost)
