"""Noise levels, noising and losses against diffusers' scheduler, scipy and plain arithmetic."""

import math

import numpy as np
import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler
from diffusers.pipelines.flux.pipeline_flux_fill import calculate_shift
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from model.flow import Prediction, add_noise, draw_sigma, flow_loss, flux_shift, shift_sigma, to_velocity, to_x0
from tests.model.tiny import generator, normal

MANY = 20_000
CLEAN, NOISE, SIGMA = normal(1, 3, 4, 5), normal(2, 3, 4, 5), torch.tensor([0.1, 0.5, 1.0])


@pytest.mark.parametrize(("mean", "std", "shift"), [(0.0, 1.0, 1.0), (0.6, 1.0, 1.0), (-0.5, 0.7, 3.0)])
def test_levels_are_logit_normal(mean: float, std: float, shift: float) -> None:
    sigma = draw_sigma(MANY, mean, std, 0.0, generator(0), shift)
    assert sigma.shape == (MANY,)
    assert sigma.dtype == torch.float32
    assert ((sigma > 0) & (sigma < 1)).all()
    logit = torch.logit(sigma[sigma > 1e-3].double()).numpy()
    # A shift moves the logit by its logarithm.
    assert stats.kstest(logit, "norm", (mean + math.log(shift), std)).statistic < 1.6 / math.sqrt(MANY)


def test_a_share_of_levels_is_pure_noise() -> None:
    plain, some = (draw_sigma(MANY, 0.6, 1.0, ones, generator(0), 3.0) for ones in (0.0, 0.25))
    pure = some == 1
    assert pure.float().mean().item() == pytest.approx(0.25, abs=4 * math.sqrt(0.25 * 0.75 / MANY))
    assert torch.equal(some[~pure], plain[~pure])
    # Which are pure does not depend on how high they would have been.
    assert abs(np.corrcoef(pure, plain)[0, 1]) < 4 / math.sqrt(MANY)
    assert (draw_sigma(5, 0.0, 1.0, 1.0, generator(0)) == 1).all()


def test_levels_are_never_zero() -> None:
    sigma = draw_sigma(MANY, -5.0, 5.0, 0.0, generator(0))
    assert sigma.min() == torch.tensor(1e-3)
    assert sigma.max() <= 1


def test_the_same_generator_draws_the_same_levels() -> None:
    first, again, other = (draw_sigma(8, 0.0, 1.0, 0.3, generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@given(sigma=st.floats(0.001, 0.999), shift=st.floats(0.1, 20))
def test_a_shift_is_the_schedulers(sigma: float, shift: float) -> None:
    found = shift_sigma(torch.tensor(sigma, dtype=torch.float64), shift).item()
    scheduler = FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True)
    assert found == pytest.approx(scheduler.time_shift(math.log(shift), 1.0, sigma), rel=1e-9)
    assert math.log(found / (1 - found)) == pytest.approx(math.log(shift) + math.log(sigma / (1 - sigma)), abs=1e-9)


@given(st.integers(1, 20_000))
def test_the_shift_of_flux_is_its_pipelines(num_tokens: int) -> None:
    assert flux_shift(num_tokens) == pytest.approx(math.exp(calculate_shift(num_tokens)), rel=1e-12)


def test_noising_is_the_schedulers() -> None:
    scheduler = FlowMatchEulerDiscreteScheduler()
    scheduler.set_timesteps(3)
    sigma = scheduler.sigmas[:3]
    noised = torch.cat(
        [scheduler.scale_noise(CLEAN[i : i + 1], scheduler.timesteps[i : i + 1], NOISE[i : i + 1]) for i in range(3)]
    )
    torch.testing.assert_close(add_noise(CLEAN, NOISE, sigma), noised)
    assert torch.equal(add_noise(CLEAN, NOISE, torch.ones(3)), NOISE)
    assert torch.equal(add_noise(CLEAN, NOISE, torch.zeros(3)), CLEAN)


def test_a_true_velocity_leads_to_the_clean_tokens_and_back() -> None:
    noisy, velocity = add_noise(CLEAN, NOISE, SIGMA), NOISE - CLEAN
    torch.testing.assert_close(to_x0(velocity, noisy, SIGMA, "velocity"), CLEAN)
    torch.testing.assert_close(to_velocity(CLEAN, noisy, SIGMA, "x0"), velocity, rtol=1e-4, atol=1e-5)


def test_what_the_model_says_itself_stays_as_it_is() -> None:
    assert to_x0(CLEAN, NOISE, SIGMA, "x0") is CLEAN
    assert to_velocity(CLEAN, NOISE, SIGMA, "velocity") is CLEAN


def test_clean_tokens_and_velocities_are_inverse() -> None:
    out, noisy = normal(5, 3, 4, 5), normal(6, 3, 4, 5)
    again = to_velocity(to_x0(out, noisy, SIGMA, "velocity"), noisy, SIGMA, "x0")
    torch.testing.assert_close(again, out, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("prediction", ["velocity", "x0"])
def test_the_loss_is_a_mean_square(prediction: Prediction) -> None:
    out = normal(3, 3, 4, 5)
    target = {"velocity": NOISE - CLEAN, "x0": CLEAN}[prediction]
    expected = [np.mean((out[i] - target[i]).double().numpy() ** 2) for i in range(3)]
    found = flow_loss(out, CLEAN, NOISE, prediction)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    torch.testing.assert_close(flow_loss(out, CLEAN, NOISE, prediction, torch.full((3, 4, 1), 2.5)), found)
    assert torch.equal(flow_loss(target, CLEAN, NOISE, prediction), torch.zeros(3))


@pytest.mark.parametrize("wide", [1, 5])
def test_weights_say_what_counts(wide: int) -> None:
    out, weight = normal(3, 3, 4, 5).requires_grad_(), torch.rand((3, 4, wide), generator=generator(4))
    weight[:, 1] = 0
    found = flow_loss(out, CLEAN, NOISE, "x0", weight)
    square = (out.detach() - CLEAN).double().numpy() ** 2
    each = np.broadcast_to(weight.double().numpy(), square.shape)
    np.testing.assert_allclose(found.detach(), [np.average(square[i], weights=each[i]) for i in range(3)], rtol=1e-6)
    found.sum().backward()
    assert out.grad is not None
    assert (out.grad[:, 1] == 0).all()
    assert (out.grad[:, 0] != 0).all()


def test_the_loss_of_half_precision_is_exact() -> None:
    out = normal(3, 3, 4, 5).bfloat16()
    found = flow_loss(out, CLEAN, NOISE, "velocity")
    assert found.dtype == torch.float32
    assert torch.equal(found, flow_loss(out.float(), CLEAN, NOISE, "velocity"))


def test_medians_are_asked_for_by_absolute_errors() -> None:
    out, where = normal(3, 3, 4, 5), torch.zeros(1, 4, 5, dtype=torch.bool)
    where[:, 1, 2:] = True
    error = (out - CLEAN).double().numpy()
    expected = np.where(where.numpy(), np.abs(error), error**2)
    weight = torch.rand((3, 4, 5), generator=generator(4))
    found = flow_loss(out, CLEAN, NOISE, "x0", weight, where)
    np.testing.assert_allclose(found, [np.average(expected[i], weights=weight[i]) for i in range(3)], rtol=1e-6)
