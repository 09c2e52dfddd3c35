"""The generators: forms, learning, seeded sampling, state."""

import copy

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from aiforensics_models.generators import KINDS, build_generator, settings_of  # noqa: E402
from aiforensics_models.generators.average import moving_average  # noqa: E402
from aiforensics_models.generators.diffusion import signal_kept  # noqa: E402

pytestmark = pytest.mark.train
TINY = {"gan": {"width": 8, "latent": 16}, "vae": {"width": 8, "latent": 16}, "diffusion": {"width": 8, "steps": 4}}


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)
    torch.manual_seed(0)


@pytest.mark.parametrize("side", [32, 64])
@pytest.mark.parametrize("kind", KINDS)
def test_a_step_and_a_sample(kind, side):
    model = build_generator(kind, {"side": side, **TINY[kind]})
    figures = model.step(torch.rand(4, 3, side, side) * 2 - 1)
    assert all(np.isfinite(value) for value in figures.values())
    noise = torch.randn(3, *model.noise_shape)
    made = model.sample(noise)
    assert made.shape == (3, 3, side, side)
    assert float(made.abs().max()) <= 1
    torch.testing.assert_close(model.sample(noise[1:2]), made[1:2], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_a_restored_generator_goes_on_alike(kind):
    pictures = torch.rand(4, 3, 32, 32) * 2 - 1
    one, other = (build_generator(kind, TINY[kind]) for _ in range(2))
    one.step(pictures)
    other.restore(copy.deepcopy(one.state()))  # an optimiser would share its tensors; a file does not
    results = []
    for model in (one, other):
        torch.manual_seed(5)
        results.append(model.step(pictures))
    assert results[0] == pytest.approx(results[1], rel=1e-4)


def test_a_vae_learns_one_picture():
    model = build_generator("vae", TINY["vae"])
    pictures = torch.zeros(8, 3, 32, 32)
    pictures[:, :, :16] = 0.8
    losses = [model.step(pictures)["error"] for _ in range(30)]
    assert losses[-1] < 0.5 * losses[0]


def test_diffusion_learns_to_see_noise():
    model = build_generator("diffusion", {"width": 8, "rate": 3e-3})
    pictures = torch.zeros(16, 3, 32, 32)
    losses = [model.step(pictures)["loss"] for _ in range(25)]
    assert np.mean(losses[-8:]) < 0.6 * np.mean(losses[:4])


def test_the_schedule_keeps_all_at_first_and_nothing_at_last():
    kept = signal_kept(100)
    assert float(kept[0]) > 0.99
    assert float(kept[-1]) < 1e-3
    assert bool((kept[1:] < kept[:-1]).all())


def test_unknown_kinds_sides_and_settings_are_named():
    with pytest.raises(ValueError, match="there is no generator 'flow'"):
        build_generator("flow", {})
    with pytest.raises(ValueError, match="32 or 64 px"):
        build_generator("gan", {"side": 48})
    with pytest.raises(ValueError, match="unknown setting for vae"):
        build_generator("vae", {"depth": 3})
    assert settings_of(build_generator("gan", TINY["gan"]))["latent"] == 16


def test_the_average_soon_forgets_where_it_started():
    network = torch.nn.Linear(1, 1, bias=False)
    averaged = moving_average(network, 0.999)
    with torch.no_grad():
        for weight in [0.0, *[1.0] * 300]:
            network.weight.fill_(weight)
            averaged.update_parameters(network)
    assert averaged.module.weight.item() > 0.999


def test_the_average_decays_as_asked_in_the_long_run():
    network = torch.nn.Linear(1, 1, bias=False)
    averaged = moving_average(network, 0.9)
    with torch.no_grad():
        for weight in [0.0] * 200 + [1.0] * 5:
            network.weight.fill_(weight)
            averaged.update_parameters(network)
    assert averaged.module.weight.item() == pytest.approx(1 - 0.9**5)
